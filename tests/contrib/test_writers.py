"""The files for kernels in C and Rust write every line that a trace may have; what they write is checked."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from every_operation import PAGE, TRACE, op
from small_geometry import SMALL

from memoracle import check

CONTRIB = Path(__file__).parents[2] / "contrib"
TEXTS = ['say "no"\\', "line\nand\ttab\r\x01\x1f\x7f", "größer, 頁, 🧠", "", "{}[]:,"]
HEADER = {"memoracle": 1, "geometry": SMALL, "private_frames": False}
EVENTS = [
    op("frame.allocate", zone=["a", "b"], alignment=PAGE, result=None, error=TEXTS[0]),
    *[op("frame.free", address=0xFEDCBA9876543210, _cpu=0, error=text) for text in TEXTS],
    op("process.create", tables=[PAGE], crash=TEXTS[2]),
]
C = """
#include <stdio.h>
#define MEMORACLE_PUTCHAR(c) putchar(c)
#include "memoracle.h"

int main(void)
{
%s
    return 0;
}
"""
RUST = """
#[path = "%s"]
mod memoracle;
use memoracle::Line;
use std::io::Write;

fn put(byte: u8) {
    std::io::stdout().write_all(&[byte]).unwrap();
}

fn main() {
%s
}
"""
rustc = pytest.mark.skipif(shutil.which("rustc") is None, reason="there is no rustc")


def quoted(text: str) -> str:
    """A string of C, whose bytes stand in it as they are, but for the ASCII ones that are not letters."""
    return '"' + "".join(f"\\{byte:03o}" for byte in text.encode()) + '"'


def values(key: str, value: Any, call: Callable[[str, str, str], str], quote: Callable[[str], str]) -> Iterator[str]:
    """The calls that write a value under a key; none inside a list."""
    if isinstance(value, dict | list):
        begin, end = "{}" if isinstance(value, dict) else "[]"
        yield call("open", key, f"'{begin}'")
        for inner, each in value.items() if isinstance(value, dict) else (("", each) for each in value):
            yield from values(inner, each, call, quote)
        yield call("close", "", f"'{end}'")
    elif isinstance(value, bool):
        yield call("flag", key, str(value).lower())
    elif value is None:
        yield call("null", key, "")
    elif isinstance(value, int) or (isinstance(value, str) and value.startswith("0x")):
        yield call("number", key, hex(int(value, 0) if isinstance(value, str) else value))
    else:
        yield call("text", key, quote(value))


def in_c(line: dict[str, Any]) -> str:
    def call(kind: str, key: str, value: str) -> str:
        value = {"true": "1", "false": "0"}.get(value, value)
        arguments = [value] if kind == "close" else [f'"{key}"', *([value] if value else [])]
        return f"memoracle_{kind}({', '.join(arguments)});"

    first, *rest = line.items()
    begin = "memoracle_header();" if first[0] == "memoracle" else f'memoracle_event("{first[1]}");'
    calls = [text for key, value in rest for text in values(key, value, call, quoted)]
    return "    " + " ".join([begin, *calls, "memoracle_end();"])


def in_rust(line: dict[str, Any]) -> str:
    def call(kind: str, key: str, value: str) -> str:
        value = f"b{value}" if value.startswith("'") else value
        arguments = [value] if kind == "close" else [f'"{key}"', *([value] if value else [])]
        return f".{kind}({', '.join(arguments)})"

    def text(value: str) -> str:
        return '"' + "".join(f"\\u{{{ord(each):x}}}" for each in value) + '"'

    first, *rest = line.items()
    begin = "Line::header(put)" if first[0] == "memoracle" else f'Line::event(put, "{first[1]}")'
    return f"    {begin}{''.join(each for key, value in rest for each in values(key, value, call, text))}.end();"


def written_in_c(lines: list[str], folder: Path) -> bytes:
    (folder / "trace.c").write_text(C % "\n".join(lines))
    options = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-I", CONTRIB]
    subprocess.run(["cc", *options, folder / "trace.c", "-o", folder / "trace"], check=True)
    return subprocess.run([folder / "trace"], check=True, capture_output=True).stdout


def written_in_rust(lines: list[str], folder: Path) -> bytes:
    (folder / "trace.rs").write_text(RUST % (CONTRIB / "memoracle.rs", "\n".join(lines)))
    subprocess.run(["rustc", "-Dwarnings", folder / "trace.rs", "-o", folder / "trace"], check=True)
    return subprocess.run([folder / "trace"], check=True, capture_output=True).stdout


WRITERS = [pytest.param(in_c, written_in_c, id="C"), pytest.param(in_rust, written_in_rust, id="Rust", marks=rustc)]


def plain(value: Any) -> Any:
    """A value of a trace, whose numbers may be written in two ways."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return int(value, 16) if isinstance(value, str) and value.startswith("0x") else value


@pytest.mark.parametrize(("in_language", "written"), WRITERS)
def test_every_operation_is_written_and_checked(
    in_language: Callable[[dict[str, Any]], str], written: Callable[[list[str], Path], bytes], tmp_path: Path
) -> None:
    lines = [HEADER, *TRACE, *EVENTS]
    text = written(list(map(in_language, lines)), tmp_path)
    assert [plain(json.loads(line)) for line in text.split(b"\n")[:-1]] == plain(lines)
    kept = text.splitlines(keepends=True)[: 1 + len(TRACE)]
    for level in ("safe", "legal", "exact"):
        result = check(kept, level=level)
        assert (result.verdict, result.events, result.fault) == ("conforms", len(TRACE), None)


@pytest.mark.parametrize("compiler", [["cc", "-std=c99"], ["c++", "-x", "c++"]])
def test_the_header_needs_no_library(compiler: list[str], tmp_path: Path) -> None:
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"there is no {compiler[0]}")
    source = tmp_path / "kernel.c"
    source.write_text(
        'static inline void port(char c) { __asm__ volatile("" : : "g"(c)); }\n'
        "#define MEMORACLE_PUTCHAR(c) port(c)\n"
        '#include "memoracle.h"\n'
        'void allocated(uint64_t at) { memoracle_event("a"); memoracle_number("result", at); memoracle_end(); }\n'
    )
    options = ["-ffreestanding", "-O1", "-Wall", "-Wextra", "-Werror", "-I", str(CONTRIB), "-c"]
    for width in ([], ["-m32"]):
        compiled = subprocess.run([*compiler, *options, *width, source, "-o", tmp_path / "kernel.o"], check=not width)
        if compiled.returncode:  # not every compiler has it
            continue
        undefined = subprocess.run(["nm", "-u", tmp_path / "kernel.o"], check=True, capture_output=True).stdout
        assert undefined.split() in ([], [b"U", b"_GLOBAL_OFFSET_TABLE_"])


@rustc
def test_the_rust_file_needs_no_library(tmp_path: Path) -> None:
    (tmp_path / "kernel.rs").write_text(f'#![no_std]\n#[path = "{CONTRIB / "memoracle.rs"}"]\npub mod memoracle;\n')
    options = ["--crate-type", "lib", "--emit", "metadata", "-Dwarnings", "--out-dir", tmp_path]
    subprocess.run(["rustc", *options, tmp_path / "kernel.rs"], check=True)


BROKEN = [
    (b"\xff!", "\ufffd!"),
    (b"a\xc3", "a\ufffd"),
    (b"\xc0\xaf", "\ufffd\ufffd"),
    (b"\xe2\x82", "\ufffd\ufffd"),
    (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
    (b"\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"),
    (b"\xf0\x9f\xa7\xa0\xe2\x82\xac\x80", "🧠€\ufffd"),
    (None, "(null)"),
]


def test_text_that_is_no_utf_8_is_replaced(tmp_path: Path) -> None:
    """A kernel that panics may have anything for a message."""
    texts = ["0" if text is None else '"' + "".join(f"\\{byte:03o}" for byte in text) + '"' for text, _ in BROKEN]
    calls = [f'memoracle_event("boot"); memoracle_text("crash", {text}); memoracle_end();' for text in texts]
    written = written_in_c(calls, tmp_path)
    assert [json.loads(line)["crash"] for line in written.splitlines()] == [shown for _, shown in BROKEN]


DOCUMENT = CONTRIB.parent / "docs" / "recording.md"
MACHINE = """
#include <stdint.h>
#include <stdio.h>
static uint64_t frames = 2048;
static unsigned char inb(int port) { (void)port; return 0x20; }
static void outb(int port, char c) { (void)port; putchar(c); }
%s
int main(void)
{
    record_header();
    record_allocation(0x400000);
    record_allocation(0);
    return 0;
}
"""


def shown(language: str, text: str) -> str:
    """The example in this language that has this text."""
    blocks = DOCUMENT.read_text(encoding="utf-8").split(f"```{language}\n")[1:]
    return next(block.split("```")[0] for block in blocks if text in block.split("```")[0])


def test_the_example_in_c(tmp_path: Path) -> None:
    (tmp_path / "kernel.c").write_text(MACHINE % shown("c", "memoracle.h"))
    subprocess.run(["cc", "-Wall", "-I", CONTRIB, tmp_path / "kernel.c", "-o", tmp_path / "kernel"], check=True)
    written = subprocess.run([tmp_path / "kernel"], check=True, capture_output=True).stdout
    assert [json.loads(line) for line in written.splitlines()] == [
        {"memoracle": 1, "geometry": {"preset": "x64-4k", "frames": "0x800"}},
        {"op": "frame.allocate", "result": "0x400000"},
        {"op": "frame.allocate", "error": "out of memory"},
    ]


@rustc
def test_the_example_in_rust(tmp_path: Path) -> None:
    setting = "let (address, page, frame, tables) = (4096, 8192, 12288, &[16384, 20480]);\n"
    calls = shown("rust", "Line::event").replace("serial_write", "put")
    assert [json.loads(line) for line in written_in_rust([setting + calls], tmp_path).splitlines()] == [
        {"op": "frame.free", "address": "0x1000"},
        {"op": "page.map", "virtual": "0x2000", "physical": "0x3000", "tables": ["0x4000", "0x5000"]},
    ]
