from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoracle.trace.inputs import InputError, open_lines

LINES = [b"first\n", b"second\n", b"\n", b"last, without an end"]
TEXT = b"".join(LINES)


def read_from(monkeypatch: pytest.MonkeyPatch, content: bytes) -> list[bytes]:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    return list(open_lines("-"))


def test_plain_file(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(TEXT)
    assert list(open_lines(str(tmp_path / "log"))) == LINES


def test_gzip_is_known_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(gzip.compress(TEXT))
    (tmp_path / "log.gz").write_bytes(TEXT)
    assert list(open_lines(str(tmp_path / "log.txt"))) == LINES
    assert list(open_lines(str(tmp_path / "log.gz"))) == LINES


def test_gzip_members_in_a_row_are_one_text(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(gzip.compress(TEXT[:8]) + gzip.compress(TEXT[8:]))
    assert list(open_lines(str(tmp_path / "log"))) == LINES


@pytest.mark.parametrize("content", [b"", b"\n", b"\x1f", TEXT])
def test_standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    assert b"".join(read_from(monkeypatch, content)) == content
    assert b"".join(read_from(monkeypatch, gzip.compress(content))) == content


def test_missing_file_and_directory_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.log: cannot read: No such file"):
        list(open_lines(str(tmp_path / "none.log")))
    with pytest.raises(InputError, match="Is a directory") as fault:
        list(open_lines(str(tmp_path)))
    assert (fault.value.path, fault.value.line) == (str(tmp_path), None)


def test_gzip_that_ends_early_is_told_with_the_line_after_what_could_be_read(tmp_path: Path) -> None:
    lines = [b"%d\n" % number for number in range(100_000)]
    whole = gzip.compress(b"".join(lines))
    file = tmp_path / "log"
    file.write_bytes(whole[: len(whole) // 2])
    read: list[bytes] = []
    with pytest.raises(InputError, match="ends before its end marker") as fault:
        read.extend(open_lines(str(file)))
    assert read == lines[: len(read)]
    assert len(read) > 40_000  # what came before the fault is not lost
    assert fault.value.line == len(read) + 1
    assert str(fault.value).startswith(f"{file}:{len(read) + 1}: ")


@given(st.integers(2, len(gzip.compress(TEXT)) - 1))
def test_gzip_cut_anywhere_is_an_input_error(cut: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(InputError, match="<stdin>:"):
        read_from(monkeypatch, gzip.compress(TEXT)[:cut])


def test_damaged_gzip_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bytearray(gzip.compress(TEXT))
    whole[-6] ^= 0xFF  # the checksum
    with pytest.raises(InputError, match="damaged"):
        read_from(monkeypatch, bytes(whole))
    with pytest.raises(InputError, match="damaged"):
        read_from(monkeypatch, bytes(whole[:10]) + b"\xff" * 20)
