"""Texts that are nearly right: events made up, and good inputs in which some pieces are lost, doubled or replaced."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import fields

from memoracle.trace.events import AnyEvent

SMALL: dict[str, Any] = {"frames": 16, "process_range": {"start": 0, "pages": 16}}
PAGE = 1 << 21
MOST = 4000  # bytes of a text

NUMBERS = st.one_of(
    st.integers(0, 8),
    st.integers(0, 16).map(lambda page: page * PAGE),
    st.integers(0, 16).map(lambda page: hex(0xFFFFFFFF00000000 + page * PAGE)),
    st.sampled_from([-1, 1 << 47, 1 << 62, (1 << 64) - 1, 1 << 64, "0xffffffffffffffff", "0x" + "f" * 900, "0xg", 0.5]),
)
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8), st.just("write-back"), st.just("uncached")),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=8,
)
RECORD = st.fixed_dictionaries({"start": NUMBERS, "length": NUMBERS, "type": st.integers(0, 5)})
BY_NAME = {
    "cache": st.sampled_from(["write-back", "uncached", "warm"]),
    "memory_map": st.lists(RECORD, max_size=4),
    "frames": st.lists(NUMBERS, max_size=3),
    "error": st.just("refused"),
}
TRUTHS = {"present", "writable", "user", "leaf", "executable", "global", "release", "low_half"}
# What takes the place of a piece: what ends numbers, strings and lines, and what must never be run or opened.
PIECES = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(
        [
            *(
                b"",
                b"\n",
                b"\0",
                b'"',
                b"{",
                b"}",
                b"[",
                b"]",
                b",",
                b":",
                b"-",
                b" ",
                b"\t",
                b"\r\n",
                b"\xff",
                b"\xc3",
            ),
            *(b"0", b"-1", b"1", b"4095", b"0xffffffffffffffff", b"18446744073709551616", b"9" * 400, b"1e999", b"NaN"),
            *(b"\x1b[2J", b"::error::", b"%n", b"\xe2\x80\xae", b"null", b"true", b"1 << (1 << 40)"),
            *(
                b"__import__('os').system('false')",
                b"$(false)",
                b"../../etc/passwd",
                b"/dev/zero",
                b"file:///etc/passwd",
            ),
        ]
    ),
)


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """An event that has most of what it needs, and now and then what it must not have."""
    kind = draw(st.sampled_from(AnyEvent.__args__))
    event: dict[str, Any] = {"op": kind.__struct_config__.tag}
    outcome = draw(st.sampled_from(["result", "error", "crash"]))
    for field in fields(kind):
        name = field.encode_name
        if (name in ("result", "error", "crash") and name != outcome) or not draw(st.integers(0, 9)):
            continue
        if name == "result":
            likely = st.one_of(NUMBERS, st.booleans(), st.lists(NUMBERS, min_size=1, max_size=3), JUNK)
        else:
            likely = BY_NAME.get(name, st.booleans() if name in TRUTHS else NUMBERS)
        event[name] = draw(JUNK if not draw(st.integers(0, 19)) else likely)
    if not draw(st.integers(0, 9)):
        event[draw(st.sampled_from(["_x", "x", "process", "op"]))] = draw(JUNK)
    return event


HEADERS = st.one_of(
    st.fixed_dictionaries(
        {
            "memoracle": st.just(1),
            "geometry": st.sampled_from([SMALL, SMALL | {"frame_free": "trusting"}, "x64-4k", "x64-2m"]),
            "private_frames": st.booleans(),
        }
    ),
    st.fixed_dictionaries({"memoracle": JUNK, "geometry": JUNK}),
    st.builds(
        lambda key, value: {"memoracle": 1, "geometry": SMALL | {key: value}},
        st.sampled_from(["frames", "kernel_range", "heap_classes", "page_size", "kernel_reserved", "leaf_level"]),
        st.one_of(NUMBERS, JUNK, st.lists(NUMBERS, max_size=3)),
    ),
)


def as_lines(header: Any, body: Sequence[Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in [header, *body])


MADE_UP = st.builds(as_lines, HEADERS, st.lists(events(), max_size=25))


@st.composite
def mutated(draw: st.DrawFn, sources: Sequence[bytes]) -> bytes:
    """A good text in which some pieces are lost, doubled, moved or replaced."""
    text = draw(st.sampled_from(sources))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        other = draw(st.integers(0, len(text)))
        kept, moved = text[start:end] * 2, text[other : other + end - start]
        piece = draw(st.one_of(st.just(kept), st.just(moved), PIECES))
        text = text[:start] + piece + text[end:]
    return text
