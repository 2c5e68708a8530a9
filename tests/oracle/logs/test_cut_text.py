"""A text that was cut within the last record of its map is not taken for a whole one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from memoracle.logs.lookahead import Lookahead
from memoracle.logs.memory_maps import MapReader, read_maps
from memoracle.trace.inputs import InputError

DATA = Path(__file__).parents[2] / "data" / "e820"
TEXTS = sorted(DATA.glob("*.txt"))


def lines_of(text: bytes) -> list[bytes]:
    return text.splitlines(keepends=True)


def records(text: bytes) -> tuple[list[list[tuple[int, ...]]], list[str]]:
    """The records of each map, and all warnings."""
    maps = read_maps("cut", iter(lines_of(text)))
    return [[tuple(record) for record in found.records] for found in maps], [
        w for found in maps for w in found.warnings
    ]


def up_to_last_record(text: bytes) -> list[bytes]:
    reader, source = MapReader("whole"), Lookahead("whole", iter(lines_of(text)))
    for line in source:
        reader.take(line, source)
    return lines_of(text)[: reader.last_line]


def same_kind(lines: Sequence[bytes]) -> bool:
    """Whether two lines are records of one form, each."""
    try:
        return all(any(records(line)[0]) for line in lines)
    except InputError:
        return False


def has_lines_of_records(path: Path) -> bool:
    """Whether the last two records of a text stand in lines of their own."""
    lines = up_to_last_record(path.read_bytes())
    return len(lines) >= 3 and same_kind(lines[-2:])


def ends_with_a_record(path: Path) -> bool:
    """Whether the last record of a text stands whole in one line."""
    lines = up_to_last_record(path.read_bytes())
    return same_kind(lines[-1:]) and not records(lines[-1])[1]


@pytest.mark.parametrize("path", [path for path in TEXTS if has_lines_of_records(path)], ids=lambda path: path.stem)
def test_a_cut_record_is_noticed(path: Path) -> None:
    lines = up_to_last_record(path.read_bytes())
    last = lines[-1].rstrip()
    whole, before = records(b"".join(lines))
    indented = len(last) - len(last.lstrip())
    for end in range(indented + 1, len(last)):
        try:
            found, warnings = records(b"".join(lines[:-1]) + last[:end])
        except InputError:
            continue
        assert found == whole or len(warnings) > len(before), last[:end]


@pytest.mark.parametrize("cut", ["/sys/firmware/memmap/1/s", "/sys/firmware/memmap/1/en", "/sys/fir"])
def test_a_part_of_a_record_that_was_cut_is_noticed(cut: str) -> None:
    parts = ("start:0x0", "end:0xfff", "type:System RAM")
    text = "".join(f"/sys/firmware/memmap/0/{part}\n" for part in parts)
    assert records(text.encode())[1] == []
    assert "the text ends within this line" in records((text + cut).encode())[1][0]


@pytest.mark.parametrize("length", range(2, len("LoaderCode 00000000")))
def test_a_record_with_another_word_that_was_cut_is_noticed(length: int) -> None:
    text = "Available  0000000000100000-0000000000FFFFFF 0000000000000F00 000000000000000F\n"
    assert "the text ends within this line" in records((text + "LoaderCode 00000000"[:length]).encode())[1][0]


@pytest.mark.parametrize("path", [path for path in TEXTS if ends_with_a_record(path)], ids=lambda path: path.stem)
def test_a_text_that_ends_with_a_whole_line_is_not_suspected(path: Path) -> None:
    """Whatever comes after the map."""
    lines = up_to_last_record(path.read_bytes())
    for after in (b"", b"[    0.000000] NX (Execute Disable) protection: act"):
        _, warnings = records(b"".join(lines) + after)
        assert not any("the text ends" in warning for warning in warnings)
