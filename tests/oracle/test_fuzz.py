"""Whatever a file holds, every command ends with one of its statuses, and nothing in it is an internal error."""

from __future__ import annotations

import gzip
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from memoracle.cli import main
from memoracle.trace.events import AnyEvent

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
LOGS = [path.read_bytes()[:4000] for path in sorted([*DATA.glob("e820/*.txt"), *DATA.glob("kmem/*.txt")])]
TRACES = [
    b"".join(gzip.decompress(path.read_bytes()).splitlines(keepends=True)[:40])
    for path in sorted(DATA.glob("traces/*.gz"))
] + [path.read_bytes() for path in sorted((ROOT / "examples").glob("*.jsonl"))]
SMALL: dict[str, Any] = {"frames": 16, "process_range": {"start": 0, "pages": 16}}
PAGE = 1 << 21

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


def as_lines(header: Any, body: list[Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in [header, *body])


@st.composite
def mutated(draw: st.DrawFn, sources: list[bytes]) -> bytes:
    """A good text in which some pieces are lost, doubled, moved or replaced."""
    text = draw(st.sampled_from(sources))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        piece = draw(st.one_of(st.just(b""), st.just(text[start:end] * 2), st.binary(max_size=6), st.just(b"\n")))
        text = text[:start] + piece + text[end:]
    return text


OPTIONS = st.lists(
    st.sampled_from(
        ["--keep-going", "--ignore-unknown", "--split", "--level=safe", "--level=exact", "--format=json", "--quiet"]
    ),
    unique=True,
)
FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


def run(folder: Path, text: bytes, *arguments: str) -> int:
    (folder / "input").write_bytes(text)
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        status = main([*arguments, str(folder / "input")])
    assert status in (0, 1, 2, 3, 4)
    assert "internal error" not in errors.getvalue(), errors.getvalue()
    if "--format=json" in arguments and out.getvalue():
        json.loads(out.getvalue())
    return status


@FUZZ
@given(HEADERS, st.lists(events(), max_size=25), OPTIONS)
def test_events_of_any_kind(tmp_path: Path, header: Any, body: list[Any], options: list[str]) -> None:
    run(tmp_path, as_lines(header, body), "check", *options)
    run(tmp_path, as_lines(header, body), "boot")


@FUZZ
@given(mutated(TRACES), OPTIONS)
def test_damaged_traces(tmp_path: Path, text: bytes, options: list[str]) -> None:
    run(tmp_path, text, "check", *options)
    run(tmp_path, text, "boot")


@FUZZ
@given(mutated(LOGS), OPTIONS)
def test_damaged_logs(tmp_path: Path, text: bytes, options: list[str]) -> None:
    run(tmp_path, text, "check", *[each for each in options if not each.startswith("--level")])
    run(tmp_path, text, "boot", "--format=json")


@FUZZ
@given(st.binary(max_size=300), st.sampled_from(["", "--input=jsonl", "--input=kmem", "--input=e820"]))
def test_any_bytes(tmp_path: Path, text: bytes, form: str) -> None:
    assert run(tmp_path, text, "check", *filter(None, [form])) in (0, 1, 2, 4)
    run(tmp_path, text, "boot")


@FUZZ
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)), st.booleans())
def test_any_geometry(tmp_path: Path, text: bytes, sound: bool) -> None:
    (tmp_path / "geometry.toml").write_bytes(b"frames = 16\n" + text if sound else text)
    arguments = ["check", "--geometry", str(tmp_path / "geometry.toml")]
    run(tmp_path, b'{"memoracle": 1}\n{"op": "pat.register", "error": "x"}\n', *arguments)


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("depth", [10, 100, 900, 1100, 20_000])
def test_deep_nesting(tmp_path: Path, opening: str, depth: int) -> None:
    closing = opening.translate(str.maketrans("[{", "]}", '"a:'))[::-1]
    value = opening * depth + "1" + closing * depth
    for line in (
        f'{{"op": "frame.free_count", "result": 3, "_x": {value}}}',
        f'{{"op": "boot", "memory_map": {value}}}',
        f'{{"op": "frame.fly", "x": {value}, "y": 1, "y": 2}}',
    ):
        for options in ((), ("--format=json", "--ignore-unknown", "--keep-going")):
            assert run(tmp_path, f'{{"memoracle": 1}}\n{line}\n'.encode(), "check", *options) in (1, 2)
    run(tmp_path, f'{{"memoracle": 1, "geometry": {value}}}\n'.encode(), "check")
    (tmp_path / "deep.toml").write_text("frames = " + "[" * depth + "]" * depth)
    run(tmp_path, b'{"memoracle": 1}\n', "check", "--geometry", str(tmp_path / "deep.toml"))
