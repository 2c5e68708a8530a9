"""A key that an object has twice is an error, wherever and however it is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import combinations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoracle.diagnostics.levels import Rules
from memoracle.replay.dispatch import Replay
from memoracle.spec.geometry import DEFAULT, preset
from memoracle.trace.decoding import (
    EVENT,
    Header,
    MalformedLine,
    decode_event,
    decode_header,
    refuse_repeated_keys,
)
from memoracle.trace.events import OPERATIONS, AnyEvent, Attributes, Entry, MemoryRecord
from memoracle.trace.inputs import InputError
from memoracle.trace.repeated_keys import HEXADECIMAL, MOST_SHAPES, OUTLINE

FREE = '{"op": "frame.free", "address": 4194304, "error": "x"}'
COUNT = '{"op": "frame.free_count", "result": 14}'
REPEATS = {
    "argument": ('{"op": "frame.free", "address": 0, "address": 4194304}', "address"),
    "the same value": ('{"op": "frame.free", "address": 0, "address": 0}', "address"),
    "operation": ('{"op": "frame.fly", "op": "frame.free_count", "result": 14}', "op"),
    "result": ('{"op": "frame.free_count", "result": 3, "result": 14}', "result"),
    "error": ('{"op": "frame.free", "address": 0, "error": "a", "error": "b"}', "error"),
    "written otherwise": ('{"op": "frame.free_count", "result": 3, "r\\u0065sult": 14}', "result"),
    "without blanks": ('{"op":"frame.free_count","result":14,"result":14}', "result"),
    "with blanks": ('{ "op" : "frame.free_count" , "result" :\t14 , "result" : 14 }', "result"),
    "beside text with colons": ('{"op": "frame.free", "address": 0, "address": 0, "error": "a\\": b: "}', "address"),
    "record of a memory map": (
        '{"op": "boot", "memory_map": [{"start": 0, "length": 1, "type": 1, "type": 2}]}',
        "type",
    ),
    "record after a good one": (
        '{"op": "boot", "memory_map": [{"start": 0, "length": 1, "type": 1}, {"start": 0, "start": 1, "length": 1, '
        '"type": 1}]}',
        "start",
    ),
    "answer": (
        '{"op": "page.attributes", "virtual": 0, "result": {"cache": "uncached", "writable": true, "user": true, '
        '"executable": true, "global": true, "user": false}}',
        "user",
    ),
    "the recorder's own": ('{"op": "frame.free_count", "result": 14, "_a": 1, "_a": 1}', "_a"),
    "beside the recorder's own": ('{"op": "frame.free_count", "result": 3, "_a": "1:2", "result": 14}', "result"),
    "inside of the recorder's own": ('{"op": "frame.free_count", "result": 14, "_a": {"b": 1, "b": 2}}', "b"),
    "of an unknown operation": ('{"op": "frame.fly", "speed": 1, "speed": 2}', "speed"),
}


@pytest.mark.parametrize("before", ["nothing", "the like"])
@pytest.mark.parametrize(("line", "key"), REPEATS.values(), ids=REPEATS.keys())
def test_repeated_key(check: Callable[..., Any], line: str, key: str, before: str) -> None:
    """Also after lines from which the shape of events is known."""
    others = [COUNT, FREE.replace("4194304", "0"), COUNT.replace("}", ', "_a": 1, "_b": 2}'), COUNT]
    events = others if before == "the like" else []
    report = check([*events, line], "--ignore-unknown")
    assert (report.status, report.document["events"]) == (2, len(events))
    assert f"trace.jsonl:{2 + len(events)}: {key}: given twice" in report.errors


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('{"memoracle": 1, "memoracle": 1}', "memoracle"),
        ('{"memoracle": 1, "geometry": {"frames": 8, "frames": 16}}', "frames"),
        ('{"memoracle": 1, "geometry": {"kernel_range": {"start": 0, "start": 1, "pages": 1}}}', "start"),
    ],
)
def test_repeated_key_of_a_header(line: str, key: str) -> None:
    with pytest.raises(MalformedLine, match=f"^{key}: given twice$"):
        decode_header(line.encode())


def test_recorders_keys_of_one_shape_are_told_apart(check: Callable[..., Any]) -> None:
    lines = [COUNT.replace("}", f', "_t{first}": "1:2", "_t{second}": "1:2"}}') for first, second in ("12", "34", "33")]
    report = check(lines)
    assert (report.status, report.document["events"]) == (2, 2)
    assert "_t3: given twice" in report.errors


def test_shapes_tell_all_keys_apart() -> None:
    """What the memory of good lines rests on."""
    structures: list[Any] = [*AnyEvent.__args__, Attributes, Entry, MemoryRecord, Header]
    names = {"op", *(name for each in structures for name in each.__struct_encode_fields__)}
    for one, other in combinations(sorted(names), 2):
        assert one.encode().translate(None, HEXADECIMAL) != other.encode().translate(None, HEXADECIMAL)


def test_outlines_tell_all_operations_apart() -> None:
    """What replays an event is found by the outline of its line."""
    assert len({name.encode().translate(OUTLINE) for name in OPERATIONS}) == len(OPERATIONS)


def test_many_outlines_are_not_all_kept() -> None:
    """And a key that is given twice is found, although lines like it were forgotten."""
    replay = Replay(Rules(preset(DEFAULT)), "trace")
    for length in range(2 * MOST_SHAPES):
        keys = b'{"op":"range.list","result":[["0x%s",%s,true]]' % (b"1" * (length % 90 + 1), b"1" * (length // 90 + 1))
        list(replay.divergences([keys + b"}"]))
        assert len(replay.ways) <= MOST_SHAPES
        if length % 512 == 0:
            with pytest.raises(InputError, match="op: given twice"):
                list(replay.divergences([keys + b',"op":"range.list"}']))


KEYS = st.sampled_from(["op", "address", "error", "result", "process", "pages", "_a", "_1", "_2"])
VALUES = st.one_of(st.integers(0, 99), st.sampled_from(["frame.free", "range.free", "a:b", '"', "\\", "0x1f", "é"]))


@given(st.lists(st.lists(st.tuples(KEYS, VALUES), max_size=6), min_size=1, max_size=6))
def test_in_any_order_a_key_twice_is_found_and_a_key_once_is_not(lines: list[list[tuple[str, Any]]]) -> None:
    for pairs in lines:
        text = "{" + ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in pairs) + "}"
        repeated = len({key for key, _ in pairs}) < len(pairs)
        line = text.encode()
        assert found(decode_event, line) in ((True,) if repeated else (False, None))
        try:
            EVENT.decode(line)
        except msgspec.DecodeError:
            continue
        assert found(refuse_repeated_keys, line) == (True if repeated else None)


def found(read: Callable[[bytes], object], line: bytes) -> bool | None:
    """Whether a key is found twice; None if the line is found good."""
    try:
        read(line)
    except MalformedLine as fault:
        return "given twice" in str(fault)
    return None
