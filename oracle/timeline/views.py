"""What is drawn of a replay's state at one moment: the part of it that a focus names, as JSON has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, TypeAlias

from memoracle.diagnostics import ranges as blocks
from memoracle.impl.bitmap import BITS
from memoracle.replay.dispatch import Replay
from memoracle.replay.frames.known_frames import KnownFrames
from memoracle.replay.frames.run_frames import RunFrames
from memoracle.replay.ranges import run_words as runs
from memoracle.replay.ranges.run_ranges import RunReplay
from memoracle.replay.ranges.run_space import RunSpace
from memoracle.replay.ranges.space import Space
from memoracle.spec.kernel_half import FIRST
from memoracle.timeline.focus import MOST_SPACES, MOST_WORDS, Focus
from memoracle.trace.memory_types import NAMES

View: TypeAlias = dict[str, Any]
MOST_PIECES = 28  # blocks or stretches of one range
FREE, IN_USE, NEVER_FREE, MISSING, UNSEEN = "free", "in use", "never free", "missing", "not seen"
LETTERS = {FREE: "f", IN_USE: "u", NEVER_FREE: "n", MISSING: "x", UNSEEN: "s"}  # of which a word of the bitmap is made
STATES = {letter: state for state, letter in LETTERS.items()}


def view(replay: Replay, focus: Focus) -> View:
    """The state as far as the focus goes; a kind of state of which it names nothing is left out."""
    drawn = {name: draw(replay, focus) for name, draw in VIEWS.items()}
    return {name: found for name, found in drawn.items() if found}


def frames(replay: Replay, focus: Focus) -> View | None:
    """Words of the bitmap, and the runs that their frames make up where runs are handed out."""
    known = replay.frames
    shown = [list(frames_of(known, word)) for word in sorted(focus.words[:MOST_WORDS])]
    if not shown:
        return None
    found: View = {"free": known.free_frames, "words": list(map(packed, shown))}
    if isinstance(known.bitmap, RunFrames):
        found["runs"] = [run for word in shown for run in runs_of(known.bitmap, word)]
    return found


def frames_of(known: KnownFrames, word: int) -> Iterator[View]:
    bitmap = known.bitmap
    for frame in range(word * BITS, min((word + 1) * BITS, bitmap.frames)):
        state = FREE if bitmap.is_free(frame) else NEVER_FREE if bitmap.is_never_free(frame) else IN_USE
        told: View = {"frame": frame, "state": state if bitmap.exists(frame) else MISSING}
        if known.lines[frame] and bitmap.exists(frame):
            told["line"] = known.lines[frame]
        if uses := known.uses.get(frame, 0) + known.gets_of(frame):
            told["uses"] = uses
        yield told


def packed(word: list[View]) -> View:
    """What each frame is, a letter for each; the lines that spoke of them last, and their uses, by frame."""
    of = {key: {str(each["frame"]): each[key] for each in word if key in each} for key in ("line", "uses")}
    return {"first": word[0]["frame"], "states": "".join(LETTERS[each["state"]] for each in word), **of}


def frames_in(view: View) -> Iterator[tuple[int, str]]:
    """The frames of a view, and what each is."""
    for word in view.get("frames", {}).get("words", ()):
        yield from ((word["first"] + place, STATES[letter]) for place, letter in enumerate(word["states"]))


def runs_of(bitmap: RunFrames, word: list[View]) -> Iterator[View]:
    """Neighbouring frames that are in the same state since the same line; what one allocation gave is a run."""
    begun = 0

    def run(told: View) -> tuple[str, int, int]:
        nonlocal begun
        if bitmap.given_at(told["frame"]) or told["state"] != IN_USE:
            begun = told["frame"] if told["state"] == IN_USE else 0
        return told["state"], told.get("line", 0), begun

    for (state, line, _), group in groupby(word, key=run):
        members = [told["frame"] for told in group]
        yield {"page": members[0], "pages": len(members), "state": state} | ({"line": line} if line else {})


def ranges(replay: Replay, focus: Focus) -> list[View]:
    """The blocks or stretches around the pages that are named, of each range."""
    found = []
    for process in list(focus.pages)[:MOST_SPACES]:
        lives = process in replay.tables.tables.live
        space = replay.ranges.space(process) if lives else None  # it is laid out when it is first spoken of
        if space is None:
            continue
        around, passed_over = dict[int, View](), 0
        for address in focus.pages[process]:
            near = pieces_around(replay, space, address)
            if len(around.keys() | {each["page"] for each in near}) <= MOST_PIECES:
                around |= {each["page"]: each for each in near}
            else:
                passed_over += 1
        pieces = [told(each) for _, each in sorted(around.items())]
        head = {"process": process, "is_buddy": isinstance(space, Space), "pages": space.area.pages}
        found.append({**head, "pieces": pieces, "passed_over": passed_over})
    return found


def pieces_around(replay: Replay, space: Space | RunSpace, address: int) -> list[View]:
    if isinstance(space, RunSpace):
        assert isinstance(replay.ranges, RunReplay), "it has such spaces"
        asked = runs.RunRequest(replay.rules.geometry, space, address, 1)
        return list(runs.around(asked)["stretches"])
    request = blocks.RangeRequest(replay.rules.geometry, space.explained, space.line, space.process, address, 1)
    return list(blocks.around(request)["blocks"])


def told(piece: View) -> View:
    """A block or stretch of a range, its state in a word; what was taken at start has no line."""
    state = (IN_USE if "line" in piece else NEVER_FREE) if piece["allocated"] else FREE
    return {key: value for key, value in piece.items() if key != "allocated"} | {"state": state}


def tables(replay: Replay, focus: Focus) -> list[View]:
    """Of PML4s the entries that are not 0: the lower half of each process, and the upper one, which all share."""
    halves, own = replay.tables.tables, replay.tables.own
    named = list(dict.fromkeys([*(process for process, _ in focus.entries), *focus.processes]))
    if not named:
        return []
    found = []
    live = sorted(halves.live, key=lambda each: (each not in named, named.index(each) if each in named else each))
    for process in live[:MOST_SPACES]:
        entries = halves.tables[process]
        marked = {index for owner, index in focus.entries if owner == process or index >= FIRST}
        shown = {
            str(index): f"{entries[index]:#x}" + (" (the implementation's own)" if own.has(process, index) else "")
            for index in range(len(entries))
            if entries[index] or index in marked
        }
        found.append({"process": process, "entries": shown})
    return [*found, *([{"others": len(live) - MOST_SPACES}] if len(live) > MOST_SPACES else [])]


def mapped(replay: Replay, focus: Focus) -> list[View]:
    """What is mapped at the addresses that are named."""
    pages, found = replay.pages, dict[tuple[int, int], View]()
    for process, address in focus.mapped:
        space, page = (process if address < 1 << 63 else 0), pages.page_of(address)
        if (space, page) in found:
            continue
        told: View = {"process": process, "page": f"{page:#x}", "shows": None}
        physical = pages.paging.translate(space, page) if space in pages.paging.roots else None
        attributes = None if physical is None else pages.paging.attributes(space, page)
        if physical is not None and attributes is not None:
            may = [name for name in ("writable", "user", "executable") if getattr(attributes, name)]
            told["shows"] = f"{physical:#x} {NAMES[attributes.cache]} {' '.join(may)}"
            told["line"] = pages.made.get(space, {}).get(page)
        found[space, page] = told
    return list(found.values())


def heap(replay: Replay, focus: Focus) -> list[View]:
    """The live blocks at and next to the addresses that are named."""
    live, near = replay.heap.live, set[int]()
    for address in focus.blocks:
        near |= {each for each in (address, *live.starts.around(address)) if each is not None and each in live}
    if not focus.blocks:
        return []
    return [{"address": f"{each:#x}", "bytes": live.sizes[each], "line": live.lines[each]} for each in sorted(near)]


VIEWS: dict[str, Callable[[Replay, Focus], Any]] = {
    "frames": frames,
    "ranges": ranges,
    "tables": tables,
    "mapped": mapped,
    "heap": heap,
}
