"""A fault of a geometry's file names the line of the key, and none where it is in doubt."""

from __future__ import annotations

import json
import random
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from memoracle.cli import main
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace.geometry import READERS, load_geometry
from memoracle.trace.toml_lines import MOST, line_of, lines_of, name_of, paths

# The text, the name that a message has, and the line.
LINES: list[tuple[str, str, int | None]] = [
    ("a = 1", "a", 1),
    ("# a = 1\n\na = 2", "a", 3),
    ("a = 1\r\n\r\nb = 2\r\n", "b", 3),
    ("a = 1\n\tb = 2  # c = 3\nc = 4", "c", 3),
    ("\"a\" = 1\n'b' = 2", "b", 2),
    ('"\\u0061" = 1', "a", 1),
    ("x.y.z = 1\nx.y.a = 2", "x.y.a", 2),
    ("x.y.z = 1\nx.y.a = 2", "x.y", 1),
    ('x . "y" = 1', "x.y", 1),
    ("[x]\na = 1\n[y]\na = 2", "y.a", 4),
    ("[x]\na = 1\n[y]\na = 2", "y", 3),
    ("[x.y]\na = 1", "x", 1),
    ('[ x . "y z" ] # [z]\na = 1', "x.y z.a", 2),
    ("[[x]]\na = 1\n[[x]]\na = 2\n[x.y]\nb = 3\n[[x]]\na = 4", "x[1].a", 4),
    ("[[x]]\na = 1\n[[x]]\na = 2\n[x.y]\nb = 3\n[[x]]\na = 4", "x[1].y.b", 6),
    ("[[x]]\na = 1\n[[x]]\na = 2\n[x.y]\nb = 3\n[[x]]\na = 4", "x[2]", 7),
    ("[[x]]\n[[x.y]]\na = 1\n[[x.y]]\na = 2\n[[x]]\n[[x.y]]\na = 3", "x[0].y[1].a", 5),
    ("[[x]]\n[[x.y]]\na = 1\n[[x.y]]\na = 2\n[[x]]\n[[x.y]]\na = 3", "x[1].y[0].a", 8),
    ('a = """\nb = 1\n"""\nb = 2', "b", 4),
    ("a = '''\n[x]\nb = 1'''\nb = 2", "b", 4),
    ('a = """\\\n  """\nb = 2', "b", 3),
    ('a = "[x]"\n[x]', "x", 2),
    ("a = [\n  1,\n\n  2, 3, # 4\n]\nb = 1", "a[2]", 4),
    ("a = [\n  1,\n\n  2, 3, # 4\n]\nb = 1", "b", 6),
    ("a = [ 1\n, 2 ]", "a[0]", 1),
    ("a = [ 1\n, 2 ]", "a[1]", 2),
    ("a.b = [\n1,\n2]", "a.b[1]", 3),
    ("x = [\n  {p = 1, q = '}'},\n  {p = 2, q = ']'}\n]", "x[1].q", 3),
    ('x = [\n"""\n]""",\n2]', "x", 1),
    ('x = [\n"""\n]""",\n2]', "x[1]", 4),
    ('x = [\n"""\n]""",\n2]', "x[0]", 1),  # it takes several lines: the array's is named
    ("x = [[1,\n2],\n[3]]", "x[1][0]", 1),
    ("x = {p = 1, q = [1,\n2]}", "x.q[1]", 1),
    ("x = {p = 1}", "x.q", 1),  # what is missing has the line of what it is missing in
    ("x = [{p = 1}]", "x[0].q", 1),
    ("a = 1", "b", None),
    ('"a.b" = 1\n[a]\nb = 2', "a.b", None),
    ('"x[0]" = 1\nx = [1]', "x[0]", None),
    ("", "a", None),
]


@pytest.mark.parametrize(("text", "name", "line"), LINES)
def test_a_key_has_its_line(text: str, name: str, line: int | None) -> None:
    tomllib.loads(text)
    assert line_of(lines_of(text), name) == line


def test_of_a_long_text_no_line_is_named() -> None:
    text = "a = 1\n" + "#" * MOST
    assert lines_of(text) == {}
    numbers = "\n".join(f"{each}," for each in range(1000))
    assert lines_of(f"b = 1\na = [\n{numbers}\n]\n") == {}
    assert lines_of(f"b = 1\na = [\n{numbers[:500]}\n]\n")["b"] == 1


STATEMENTS = [
    "{0} = 1",
    '{0} = """\n{1} = 2\n"""',
    "{0} = [1,\n2,\n{{{1} = 3}}]",
    "{0}.{1} = '# no'",
    "{0} = {{ {1} = [1, 2] }}",
    "\n# {0} = 1",
    "[{0}.{1}]",
    "[[{0}]]",
    "[{0}]",
]


def test_a_line_has_what_is_said_to_stand_there() -> None:
    """With the lines up to the one before it a document has no such key; with those of its statement it has."""
    chance, judged = random.Random(0), 0
    for _ in range(400):
        text = "\n".join(chance.choice(STATEMENTS).format(*chance.choices("abcd", k=2)) for _ in range(6))
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            continue
        lines, found = text.split("\n"), lines_of(text)
        assert {name_of(path) for path in paths(document) if len(path) == 1} <= set(found)
        for name, line in found.items():
            judged += 1
            assert name not in known(lines[: line - 1])
            last = name.rpartition(".")[2].partition("[")[0]
            assert last in lines[line - 1] or name.endswith("]")
    assert judged > 200


def known(lines: list[str]) -> set[str]:
    """What the longest part of a document has that can be read and that consists of its first lines."""
    for length in range(len(lines), 0, -1):
        try:
            return set(map(name_of, paths(tomllib.loads("\n".join(lines[:length])))))
        except tomllib.TOMLDecodeError:
            continue
    return set()


# Faults of a geometry

FAULTS: list[tuple[str, int, str]] = [
    ("frames = 64\n\ncolour = 1\n", 3, "colour: unknown key"),
    ("frames = 64\n[kernel_range]\nstart = 0\npages = 1\ncolour = 1\n", 5, "kernel_range.colour: unknown key"),
    ("frames = 64\n[kernel_range]\nstart = 0\n", 2, "kernel_range.pages: missing"),
    ("preset = 'x'\n", 1, "preset: 'x' is none of"),
    ("frames = 64\nheap_classes = [\n  8,\n  '16',\n]\n", 4, "heap_classes[1]: '16' is neither an integer"),
    ("frames = 64\nframes_too = 1\n", 2, "frames_too: unknown key"),
    ("\nframe_allocator = 'buddy'\nframe_max_order = 53\n", 3, "frame_max_order: 53 is not between 0 and 52"),
    ("range_max_order = 99\n", 1, "range_max_order: 99 is not between 0 and 52"),
    ("\nleaf_level = 1\n", 2, "page_size: a leaf of level 1 maps 4096 bytes, not 2097152 (page_size as in"),
    ("\nframe_max_order = 3\n", 2, "frame_max_order: it is of frame_allocator 'buddy' alone, not of 'single'"),
    ("range_allocator = 'runs'\n\nrange_max_order = 3\n", 3, "range_max_order: it is of range_allocator 'buddy'"),
    ("misuse.'page.unmap' = 'ignore'\nmisuse.'page.map' = 'never'\n", 2, "misuse.page.map: 'never' is none of"),
    ("[misuse]\n'page.unmapp' = 'ignore'\n", 2, "misuse.page.unmapp: unknown operation"),
    ("frames = 64\n[[zones]]\nname = 'a'\nstart = 0\nbytes = 3\n", 5, "zones[0].bytes: 0x3 is not a multiple"),
    ("never_free = [\n {start = 0, bytes = 0x200000},\n {start = 0, bytes = 0},\n]\n", 3, "never_free[1].bytes: 0 is"),
    ("never_free = []\nkernel_image_frames = 2\n", 1, "never_free: it is given beside kernel_image_frames"),
    ("kernel_range = {start = 0xffffffff00000000, pages = 16}\n", 1, "kernel_reserved: pages 2047 to 2047 are not"),
    ("heap_fragments = 1\n", 1, "heap_fragments: 1 is neither true nor false"),
    ("frames = 0x" + "f" * 60 + "\n", 1, "frames: 0xfff"),
]


@pytest.mark.parametrize(("text", "line", "message"), FAULTS)
def test_a_fault_names_file_line_and_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, line: int, message: str
) -> None:
    file = tmp_path / "machine.toml"
    file.write_text(text)
    with pytest.raises(GeometryError, match=f"^{re.escape(f'{file}:{line}: {message}')}"):
        load_geometry(str(file))
    trace = tmp_path / "t.jsonl"
    trace.write_text('{"memoracle": 1}\n')
    assert main(["check", "--geometry", str(file), str(trace)]) == 2
    assert f"machine.toml:{line}: {message.partition(':')[0]}: " in capsys.readouterr().err


@pytest.mark.parametrize(("text", "line", "message"), FAULTS)
def test_so_it_does_of_a_header(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, line: int, message: str
) -> None:
    """That is one line, of one trace or of the second in a file."""
    del line
    path = tmp_path / "t.jsonl"
    header = json.dumps({"memoracle": 1, "geometry": tomllib.loads(text)})
    for before in ("", '{"memoracle": 1}\n{"op": "frame.free_count", "result": 2046}\n'):
        path.write_text(f"{before}{header}\n")
        assert main(["check", "--split", str(path)]) == 2
        assert (
            f"t.jsonl:{before.count(chr(10)) + 1}: geometry: {message.partition(':')[0]}: " in capsys.readouterr().err
        )


def test_what_shows_only_with_the_level_names_the_line_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "t.jsonl"
    geometry: dict[str, Any] = {"preset": "x64-4k", "frames": 1 << 22, "frame_allocator": "buddy", "frame_max_order": 0}
    trace.write_text(json.dumps({"memoracle": 1, "geometry": geometry}) + "\n")
    assert main(["check", "--level", "exact", str(trace)]) == 2
    words = "frame_max_order: at level exact there may be 262,144 blocks of the largest order at most, not 4,194,304"
    assert f"t.jsonl:1: geometry: {words}" in capsys.readouterr().err
    file = tmp_path / "machine.toml"
    file.write_text("".join(f"{key} = {value!r}\n" for key, value in geometry.items()))
    trace.write_text('{"memoracle": 1}\n')
    assert main(["check", "--level", "exact", "--geometry", str(file), str(trace)]) == 2
    assert f"machine.toml:4: {words}" in capsys.readouterr().err


def test_every_key_of_a_geometry_is_found_where_it_stands() -> None:
    text = "".join(f"\n# {key} = 0\n{key} = 1\n" for key in READERS)
    assert lines_of(text) == {key: 3 * place + 3 for place, key in enumerate(READERS)}
