from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import sys
import tracemalloc
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

import backports.zstd as zstd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoracle.trace import compression
from memoracle.trace.inputs import NO_TEXT, InputError, open_lines

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
    with pytest.raises(InputError, match=r"the gzip stream is damaged: what follows it is not gzip$"):
        read_from(monkeypatch, gzip.compress(TEXT) + b"garbage")
    with pytest.raises(InputError, match="damaged"):
        read_from(monkeypatch, bytes(whole[:10]) + b"\xff" * 20)


COMPRESSORS = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": partial(zstd.compress, options={zstd.CompressionParameter.checksum_flag: 1}),
}
each_kind = pytest.mark.parametrize("kind", COMPRESSORS)


@each_kind
def test_compression_is_known_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    compress = COMPRESSORS[kind]
    (tmp_path / "log.txt").write_bytes(compress(TEXT))
    assert list(open_lines(str(tmp_path / "log.txt"))) == LINES
    assert read_from(monkeypatch, compress(TEXT)) == LINES
    assert read_from(monkeypatch, compress(TEXT[:8]) + compress(b"") + compress(TEXT[8:])) == LINES
    assert read_from(monkeypatch, compress(b"")) == []


@each_kind
def test_streams_may_be_padded_with_zeros(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    first, last = (COMPRESSORS[kind](text) for text in (TEXT[:8], TEXT[8:]))
    assert read_from(monkeypatch, first + bytes(4) + last + bytes(8)) == LINES


@each_kind
def test_cut_anywhere_is_an_input_error(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    whole = COMPRESSORS[kind](TEXT)
    for cut in range(6, len(whole)):
        with pytest.raises(InputError, match=f"^<stdin>:[1-5]: the {kind} stream ends before its end marker$"):
            read_from(monkeypatch, whole[:cut])


@each_kind
def test_any_byte_that_is_wrong_is_an_input_error_or_harmless(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    whole = COMPRESSORS[kind](TEXT)
    refused = 0
    for place in range(6, len(whole)):
        damaged = whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
        try:
            read_from(monkeypatch, damaged)
        except InputError:
            refused += 1
    assert refused > len(whole) / 2


@each_kind
def test_what_expands_without_end_is_not_kept(tmp_path: Path, kind: str) -> None:
    (tmp_path / "log").write_bytes(COMPRESSORS[kind](bytes(64 << 20)))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="longer than 1,048,576 bytes"):
            list(open_lines(str(tmp_path / "log")))
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@each_kind
def test_what_expands_out_of_all_proportion_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    """Short lines in endless number: what a decompression bomb for readers of lines is."""
    monkeypatch.setattr(compression, "UNBOUNDED_BYTES", 1 << 20)
    (tmp_path / "bomb").write_bytes(COMPRESSORS[kind](b"{}\n" * 700_000))
    with pytest.raises(InputError, match=f"the {kind} stream expands to more than 500 times its size"):
        deque(open_lines(str(tmp_path / "bomb")), maxlen=0)


@each_kind
def test_what_is_short_may_expand_as_much_as_it_likes(tmp_path: Path, kind: str) -> None:
    (tmp_path / "short").write_bytes(COMPRESSORS[kind](b"{}\n" * 700_000))
    assert sum(1 for _ in open_lines(str(tmp_path / "short"))) == 700_000


def test_xz_that_asks_for_more_memory_than_a_preset_does_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    greedy = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    whole = lzma.compress(TEXT, filters=greedy)
    with pytest.raises(InputError, match="the xz stream is damaged: Memory usage limit exceeded"):
        read_from(monkeypatch, whole)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
def test_mark_of_utf8_is_left_out(monkeypatch: pytest.MonkeyPatch, compress: Callable[[bytes], bytes]) -> None:
    assert read_from(monkeypatch, compress(b"\xef\xbb\xbf" + TEXT)) == LINES
    assert read_from(monkeypatch, compress(b"\xef\xbb\xbf")) == []


@pytest.mark.parametrize(
    ("coding", "name"),
    [
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
    ],
)
def test_other_codings_are_named(monkeypatch: pytest.MonkeyPatch, coding: str, name: str) -> None:
    with pytest.raises(InputError, match=f"^<stdin>: it is text in {name}, and must be UTF-8"):
        read_from(monkeypatch, '{"memoracle": 1}\n'.encode(coding))


@pytest.mark.parametrize(("magic", "words"), NO_TEXT.items())
def test_what_is_no_text_is_named(monkeypatch: pytest.MonkeyPatch, magic: bytes, words: str) -> None:
    for content in (magic, magic + bytes(100), gzip.compress(magic + TEXT)):
        with pytest.raises(InputError, match=re.escape(f"<stdin>: it is {words}")):
            read_from(monkeypatch, content)


def test_what_is_compressed_twice_or_by_lzma_alone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for content, words in (
        (gzip.compress(gzip.compress(b"text\n")), "compressed twice"),
        (lzma.compress(gzip.compress(b"text\n")), "compressed twice"),
        (lzma.compress(b"text\n", lzma.FORMAT_ALONE), "compressed by lzma alone"),
    ):
        with pytest.raises(InputError, match=f"^<stdin>: it is {words}"):
            read_from(monkeypatch, content)


@pytest.mark.parametrize("ends", [b"\n", b""])
def test_longest_line(tmp_path: Path, ends: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 10 + b"\n" + b"y" * 10 + ends)
    assert list(open_lines(str(path), 10)) == [b"x" * 10 + b"\n", b"y" * 10 + ends]
    path.write_bytes(b"x" * 10 + b"\n" + b"y" * 11 + ends)
    lines = open_lines(str(path), 10)
    assert next(lines) == b"x" * 10 + b"\n"
    with pytest.raises(InputError, match=":2: the line is longer than 10 bytes; --max-line sets another limit"):
        next(lines)


def test_lines_of_a_pipe_come_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as pipe, open(writing, "wb", buffering=0) as other:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", pipe)
        other.write(b"first line of all\nsecond\n")
        lines = open_lines("-")
        assert [next(lines), next(lines)] == [b"first line of all\n", b"second\n"]
        other.write(b"third\n")
        assert next(lines) == b"third\n"
