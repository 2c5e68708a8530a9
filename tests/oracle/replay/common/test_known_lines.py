"""Lines that are known, or both of whose parts are, are replayed as they are where each is decoded."""

from __future__ import annotations

import re
from collections import Counter
from random import Random
from typing import Any

import pytest
from small_geometry import SMALL

from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.levels import LEVELS, Rules
from memoracle.impl.buddy import Buddy
from memoracle.replay.common import ways
from memoracle.replay.common.ways import line_with
from memoracle.replay.dispatch import Replay
from memoracle.trace import events
from memoracle.trace.decoding import MalformedLine, misread
from memoracle.trace.geometry import geometry_from
from memoracle.trace.inputs import InputError
from memoracle.trace.numbers import BadNumber

PAGE = 1 << 21
MACHINES: dict[str, dict[str, Any]] = {
    "checked": {},
    "trusting": {"frame_free": "trusting"},
    "may be ignored": {"misuse": {"frame.free": "ignore"}},
}
RANGES: dict[str, dict[str, Any]] = {
    "buddy": {},
    "of largest blocks": {"range_max_order": 2},
    "of any pages": {"process_range": {"start": 3 * PAGE, "pages": 11}},
    "may be ignored": {"misuse": {"range.free": "ignore", "range.allocate": "ignore"}},
}
TAKES, FREES = '{"op":"frame.allocate","result":"%#x"}\n', '{"op":"frame.free","address":"%#x"}\n'
BEGIN = (0xFFFFFFFF00000000, 0)
CREATES = '{"op":"process.create","result":%d}'
TAKES_BLOCK = '{"op":"range.allocate","process":%d,"pages":%d,"result":"%#x"}\n'
TAKES_NONE = '{"op":"range.allocate","process":%d,"pages":%d,"error":"no fit"}\n'
FREES_BLOCK = '{"op":"range.free","process":%d,"address":"%#x","pages":%d}\n'
OTHERS_OF_RANGES = (
    '{"op":"range.allocate","process":1,"pages":1,"result":"0x600000"}\n',
    '{"op":"range.allocate","process":1,"pages":2,"error":"no fit"}\n',
    '{"op":"range.allocate","process":"0x1","pages":"0x1","result":"0x800000"}\n',
    '{"op":"range.allocate","process":1,"pages":2,"alignment":1,"error":"no fit"}\n',
    '{"op":"range.allocate","process":1,"pages":0,"error":"no fit"}\n',
    '{"op":"range.reserve","process":1,"address":"0xa00000","pages":1}\n',
    '{"op":"range.free","process":1,"address":"0x600000","pages":1}\n',
    '{"op":"range.free","process":1,"address":"0x600001","pages":1}\n',
    '{"op":"range.free","process":2,"address":"0x600000","pages":1}\n',
    '{"op":"range.size","process":1,"address":"0x600000","result":1}\n',
    '{"op":"kernel_pages.allocate","pages":1,"result":"0xffffffff00600000"}\n',
    '{"op":"kernel_pages.free","address":"0xffffffff00600000","pages":1}\n',
    '{"op":"process.exit","process":1}\n',
    '{"op":"process.create","result":1}\n',
    '{"op":"boot","memory_map":[{"start":0,"length":"0x2000000","type":1}]}\n',
)
OTHERS = (
    '{"op":"frame.allocate","result":%d}\n',
    '{"op":"frame.is_free","address":"%#x","result":true}\n',
    '{"op":"frame.free_count","result":"%#x"}\n',
    '{"op":"frame.allocate","error":"none"}\n',
    '{"op":"frame.free","address":"%#x","error":"no"}\n',
    '{"op":"frame.get","address":"%#x"}\n',
    '{"op":"frame.put","address":"%#x"}\n',
    '{"op":"page.map","virtual":"0xffffffff00400000","physical":"%#x"}\n',
    '{"op":"page.unmap","virtual":"0xffffffff00400000"}\n',
    '{"op":"kernel_pages.allocate","pages":1,"result":"0xffffffff00600000"}\n',
    '{"op":"kernel_pages.free","address":"0xffffffff00600000","pages":1}\n',
)
BENT = (  # what may be done to a line whose parts are known
    lambda line: line.replace("}", ',"error":"no"}'),
    lambda line: line.replace("}", ',"crash":"panic"}'),
    lambda line: line.replace("}", ',"_cpu":1}'),
    lambda line: line.replace("{", '{"_cpu":1,'),
    lambda line: line.replace("}", ',"address":"0x600000"}'),
    lambda line: line.replace('"op"', '"op":"frame.free","op"'),
    lambda line: line.replace("0x", "0x0"),
    lambda line: line.replace("0x", "0x" + "0" * 1200),
    lambda line: line.replace("0x", "0x0x"),
    lambda line: line.replace("0x", "0X"),
    lambda line: re.sub('"(0x[0-9a-f]+)"', r'"\1 "', line),
    lambda line: re.sub('"(0x[0-9a-f]+)"', r'" \1"', line),
    lambda line: re.sub("0x[0-9a-f]+", "0x", line),
    lambda line: re.sub("0x[0-9a-f]+", "0x40_0000", line),
    lambda line: line.replace("0x", "\\u0030x"),
    lambda line: line.replace("\n", "\r\n"),
    lambda line: line.replace("\n", ""),
    lambda line: line.replace("\n", line),
    lambda line: line.replace(":", " :\t"),
    lambda line: "\n",
    lambda line: line[:-3],
    lambda line: " " + line + " ",
    lambda line: line.replace("free", "fre\xe9"),
)


def trace(random: Random) -> list[bytes]:
    """Mostly what is right, as far as it is known here; some things that are not, and lines that say it otherwise."""
    lines, live = [], list[int]()
    bent = random.randrange(3)
    for _ in range(160):
        frame = random.randrange(18) if random.random() < 0.1 else min({*range(2, 64)} - {*live})
        if len(live) > 12 or (live and random.random() < 0.5):
            line = FREES % (live.pop(random.randrange(len(live))) * PAGE)
        elif random.random() < 0.2:
            line = random.choice(OTHERS)
            line = line % (frame * PAGE) if "%" in line else line
        else:
            live.append(frame)
            line = TAKES % (frame * PAGE)
        if bent and random.random() < 0.02:
            line = random.choice(BENT)(line)
        lines.append(line.encode("latin-1"))
    return lines


def trace_of_ranges(random: Random) -> list[bytes]:
    """The same of blocks of ranges, some of which are filled."""
    lines, live = [b'{"op":"process.create","result":1}\n'], list[tuple[int, int, int]]()
    bent, buddies = random.randrange(3), [Buddy(4), Buddy(4)]
    buddies[0].reserve(0, 2)
    for _ in range(200):
        if live and random.random() < 0.45:
            process, page, pages = live.pop(random.randrange(len(live)))
            buddies[process].free(page, pages)
            line = FREES_BLOCK % (process, BEGIN[process] + page * PAGE, pages)
        else:
            process, pages = random.randrange(2), random.choice([1, 2, 3, 4, 16])
            found = buddies[process].allocate(pages)
            line = TAKES_NONE % (process, pages)
            if found is not None:
                live.append((process, found, pages))
                line = TAKES_BLOCK % (process, pages, BEGIN[process] + found * PAGE)
        if random.random() < 0.05:
            line = random.choice(OTHERS_OF_RANGES)
        if bent and random.random() < 0.03:
            line = random.choice(BENT)(line)
        lines.append(line.encode("latin-1"))
    return lines


def known(replay: Replay, lines: list[bytes]) -> tuple[object, ...]:
    found: list[Divergence] = []
    fault = None
    try:
        found.extend(replay.divergences(lines))
    except InputError as error:
        fault = str(error)
    return told(replay, found, fault)


def decoded(replay: Replay, lines: list[bytes]) -> tuple[object, ...]:
    """The same where each line is decoded, and each event replayed by itself."""
    found: list[Divergence] = []
    fault = None
    for line, text in enumerate(lines, 2):
        try:
            event = replay.read(text)
            assert event is not None, "unknown operations are faults"
            finding = replay.step(event, line)
        except BadNumber as error:
            fault = f"random:{line}: {misread(text, error)}"
            break
        except MalformedLine as error:
            fault = f"random:{line}: {error.at(line)}"
            break
        replay.events += 1
        if finding is not None:
            found.append(replay.at(line, text, finding))
    replay.note_exhaustion()
    return told(replay, found, fault)


def told(replay: Replay, found: list[Divergence], fault: str | None) -> tuple[object, ...]:
    frames, spaces = replay.frames, replay.ranges.known
    lines = [frames.lines[frame] for frame in range(frames.geometry.frames)]
    blocks = [
        (process, space.made, space.freed, space.refused, *space.free_stretches()) for process, space in spaces.items()
    ]
    return found, fault, replay.warnings, replay.coverage, replay.unjudged, lines, frames.state().count, blocks


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
def test_known_lines_are_replayed_as_events_are(
    machine: dict[str, Any], level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    geometry = geometry_from(SMALL | machine)
    outcomes, served = Counter[str](), 0
    for seed in range(20):
        random = Random(seed)
        monkeypatch.setattr(ways, "MOST_NOTED", random.choice([4, 1 << 16]))
        lines, rules = trace(random), {"geometry": geometry, "level": level, "private_frames": seed % 7 == 0}
        replay = Replay(Rules(**rules), "random")
        answer = known(replay, lines)
        assert answer == decoded(Replay(Rules(**rules), "random"), lines), seed
        outcomes["diverges"] += bool(answer[0])
        outcomes["broken"] += answer[1] is not None
        served += replay.ways.served
    assert min(outcomes["diverges"], outcomes["broken"]) > 2, outcomes
    assert served > 30


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("machine", RANGES.values(), ids=RANGES.keys())
def test_known_lines_about_ranges(machine: dict[str, Any], level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    geometry = geometry_from(SMALL | machine)
    outcomes, served = Counter[str](), 0
    for seed in range(12):
        random = Random(seed)
        monkeypatch.setattr(ways, "MOST_LINES", random.choice([8, 32, 1 << 14]))
        lines, rules = trace_of_ranges(random), {"geometry": geometry, "level": level}
        replay = Replay(Rules(**rules), "random")
        replay.ways.notes_lines = seed % 2 == 0
        answer = known(replay, lines)
        assert answer == decoded(Replay(Rules(**rules), "random"), lines), seed
        outcomes["diverges"] += bool(answer[0])
        outcomes["broken"] += answer[1] is not None
        served += replay.ways.lines_served
        outcomes["with ends"] += replay.ways.ends > 0
        outcomes["by lines"] += bool(replay.ways.lines)
    assert outcomes["broken"] > 2
    assert min(outcomes["with ends"], outcomes["by lines"]) > 2 or "misuse" in machine, outcomes
    assert outcomes["diverges"] > 2 or level == "safe"
    assert served > 30 or "misuse" in machine


@pytest.mark.parametrize(("most", "notes"), [(4, False), (64, True)])
def test_lines_that_are_rarely_read_again_are_noted_no_more(
    most: int, notes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways, "MOST_LINES", most)
    taken = [TAKES_BLOCK % (1, 1, page * PAGE) for page in range(8)]
    freed = [FREES_BLOCK % (1, page * PAGE, 1) for page in range(8)]
    lines = [line.encode() for line in ('{"op":"process.create","result":1}', *taken, *freed)]
    replay = Replay(Rules(geometry_from(SMALL)), "all")
    assert not list(replay.divergences(lines))
    assert replay.ways.notes_lines == notes
    assert bool(replay.ways.lines) == notes
    assert (replay.ways.ends, replay.ways.notes_ends) == (0 if notes else 2, True)
    assert {way.is_noted for way in replay.ways.values() if way.kind is events.RangeFree} == {True}


def test_ends_that_are_rarely_read_again_are_noted_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "MOST_LINES", 2)
    created = [CREATES % process for process in range(1, 10)]
    taken = [TAKES_BLOCK % (process, 1, 0) for process in range(1, 10)]
    freed = [FREES_BLOCK % (process, 0, 1) for process in range(1, 10)]
    replay = Replay(Rules(geometry_from(SMALL)), "all")
    assert not list(replay.divergences([line.encode() for line in (*created, *taken, *freed, *taken)]))
    assert (replay.ways.notes_lines, replay.ways.notes_ends, replay.ways.ends) == (False, False, 0)
    assert not replay.ways.heads
    assert not any(way.is_noted for way in replay.ways.values())


def test_a_fault_after_known_lines_about_ranges() -> None:
    lines = [(TAKES_BLOCK % (0, 2, BEGIN[0] + 2 * PAGE)).encode(), (FREES_BLOCK % (0, BEGIN[0] + 2 * PAGE, 2)).encode()]
    replay = Replay(Rules(geometry_from(SMALL)), "twice")
    [found] = replay.divergences([*lines * 10, lines[1]])
    assert (found.line, found.finding.clause) == (22, "buddy.block-is-allocated")
    assert replay.ways.lines_served == 16  # each line comes twice before, once for its outline
    counts = replay.coverage.events
    assert (counts[events.RangeAllocate], counts[events.RangeFree]) == (10, 11)


def test_a_fault_after_known_lines_is_found_where_it_is() -> None:
    lines = [(TAKES % (2 * PAGE)).encode(), (FREES % (2 * PAGE)).encode()] * 10
    replay = Replay(Rules(geometry_from(SMALL)), "twice")
    [found] = replay.divergences([*lines, lines[-1]])
    assert (found.line, found.finding.message) == (22, "frame 2 is already free (freed by line 21)")
    assert replay.ways.served == 16  # each head and each tail comes once before


@pytest.mark.parametrize(("most", "notes"), [(4, False), (64, True)])
def test_what_serves_for_few_events_is_noted_no_more(most: int, notes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "MOST_NOTED", most)
    lines = [(form % (frame * PAGE)).encode() for frame in range(2, 16) for form in (TAKES, FREES)]
    replay = Replay(Rules(geometry_from(SMALL)), "all")
    assert not list(replay.divergences(lines))
    assert replay.ways.notes == notes


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ('{"op":"a","result":"0x1"}', True),
        ('{ "op" : "a" , "result" : "0xAf" } \r\n', True),
        ('{"result":"0x1","op":"a"}', False),
        ('{"address":"0x1","result":"0x1"}', False),
        ('{"op":"a","result":"0x1","_cpu":1}', False),
        ('{"op":"a","result":"0x"}', False),
        ('{"op":"a","result":1}', False),
        ('{"op":"a","xresult":"0x1"}', False),
    ],
)
def test_only_lines_that_end_with_the_number_have_two_parts(line: str, fits: bool) -> None:
    assert (line_with("result").fullmatch(line.encode()) is not None) == fits
