"""Tests of libraries that need a linker script's addresses, that refuse by a panic, or that have nested structures."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from memoracle.cli import main
from memoracle.drive.binding import Given
from memoracle.drive.binding_file import load_binding
from memoracle.reproducers import running
from memoracle.reproducers.running import FAILED, PASSED, Verified
from memoracle.reproducers.symbols import needs_a_place, placed, symbols_of

SOURCE = Path(__file__).parent / "given.c"
BINDING = """
library = "given.so"
declarations = '''
struct place { uint8_t tags[3]; uint64_t number; };
struct frame { struct place place; double share; float part; int16_t errors[2]; };
extern struct frame last;
extern char used[16];
struct frame take(void);
int take_into(struct frame *frame);
uint64_t address_of(uint64_t number);
int put(uint64_t address);
'''
memory = {bytes = 0x10000}
symbols = {pool_start = "memory", pool_frames = "frames"}
panics = ["panic", "abort"]
geometry = {preset = "x64-4k", frames = 16, kernel_image_frames = 1}
start = [{call = "take_into(last)", fails = "value != 0 or load8(used + 1) != 1"}, "put(memory + 0x1000)"]

[operations."frame.allocate"]
call = "%s"
fails = "load16(%s) > 0"
result = "load64(last + 8) * page_size"

[operations."frame.free"]
call = "put(memory + address)"
panic = "refuse"
"""
PANICS = 'panics = ["panic", "abort"]\n'
TAKE, INTO = ("take()", "value.errors"), ("take_into(out)", "out.errors")
HEADER = {"memoracle": 1, "geometry": {"preset": "x64-4k", "frames": 16, "kernel_image_frames": 1}}
TAKEN = [{"op": "frame.allocate", "result": 0x1000}]
AGAIN = [
    *TAKEN,
    {"op": "frame.free", "address": 0x5000, "error": "no frame of ours"},
    {"op": "frame.free", "address": 0, "error": "abort"},
    {"op": "frame.allocate", "result": 0x1000},
]
FREED = [*TAKEN, *([{"op": "frame.free", "address": 0x1000}] * 2)]


def built(folder: Path, fault: int, text: str) -> Path:
    options = [f"-DFAULT={fault}", *([] if PANICS in text else ["-DPLAIN"])]
    subprocess.run(["cc", "-shared", "-fPIC", *options, SOURCE, "-o", folder / "given.so"], check=True)
    (folder / "given.toml").write_text(text)
    return folder / "given.toml"


def plain(text: str) -> str:
    """The binding of a library that does not panic."""
    return text.replace(PANICS, "").replace('panic = "refuse"', 'fails = "value != 0"')


def emitted(folder: Path, form: str, binding: Path, events: list[dict[str, object]]) -> list[str]:
    trace = folder / "trace.jsonl"
    trace.write_text("\n".join(json.dumps(each) for each in (HEADER, *events)))
    return ["check", "--emit", form, "--binding", str(binding), str(trace)]


def again(form: str, text: str, binding: Path) -> Verified:
    runs = {"c": running.run_c, "cpp-gtest": running.run_cpp, "rust": running.run_rust}
    return running.run_pytest(text) if form == "pytest" else runs[form](text, load_binding(str(binding)), False)


@pytest.mark.parametrize(("fault", "events", "take"), [(1, AGAIN, TAKE), (2, FREED, INTO)])
def test_c_gives_symbols_and_goes_on_after_a_panic(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    fault: int,
    events: list[dict[str, object]],
    take: tuple[str, str],
) -> None:
    binding = built(tmp_path, fault, BINDING % take)
    assert main(emitted(tmp_path, "c", binding, events)) == 1
    found = capsys.readouterr()
    assert "it was run, and fails" in found.err
    assert again("c", found.out, built(tmp_path, 0, BINDING % take)).outcome == PASSED
    assert again("c", found.out, built(tmp_path, 3 - fault, BINDING % take)).outcome != FAILED


@pytest.mark.parametrize("form", ["rust", "pytest"])
@pytest.mark.parametrize("take", [TAKE, INTO])
def test_other_languages_give_symbols_and_have_structures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, take: tuple[str, str]
) -> None:
    if form == "rust" and shutil.which("rustc") is None:
        pytest.skip("there is no Rust compiler")
    text = plain(BINDING % take)
    binding = built(tmp_path, 2, text)
    status = main(emitted(tmp_path, form, binding, FREED))
    found = capsys.readouterr()
    assert (status, "it was run, and fails" in found.err) == (1, True), found.err
    assert again(form, found.out, built(tmp_path, 0, text)).outcome == PASSED


def binding_of(**symbols: int | str) -> Any:
    return SimpleNamespace(path="given.toml", says=SimpleNamespace(symbols=symbols))


def test_symbols_are_numbers_of_64_bits() -> None:
    memory, constants = Given(0x1000, 1 << 36, 16, 0), {"frames": 16, "memory_bytes": 0x1000}
    binding = binding_of(end="memory + memory_bytes", below="-4096", few=7, frames="frames")
    found = {"end": (1 << 36) + 0x1000, "below": (1 << 64) - 4096, "few": 7, "frames": 16}
    assert symbols_of(binding, constants, memory) == found
    assert needs_a_place(binding)
    assert not needs_a_place(binding_of(few=7, bytes="memory_bytes"))


def test_memory_that_symbols_name_lies_where_the_binding_says_or_where_nothing_else_does() -> None:
    somewhere, there = Given(0x1000, 0, 16, 0), Given(0x1000, 0x7000_0000, 16, 0)
    assert placed(there) is there
    assert placed(somewhere) == Given(0x1000, 1 << 36, 16, 0)


@pytest.mark.parametrize("form", ["rust", "pytest"])
def test_a_structure_may_have_a_union_of_numbers_and_pointers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """What the binding reads of it lies behind the union, of which there are two in a row."""
    field, union = "int16_t errors[2];", "union both { int16_t one; char *two; } both[2]; int16_t errors[2];"
    source = tmp_path / "given.c"
    source.write_text(SOURCE.read_text().replace(field, union))
    command = ["cc", "-shared", "-fPIC", "-DFAULT=2", "-DPLAIN", source, "-o", tmp_path / "given.so"]
    subprocess.run(command, check=True)
    binding = tmp_path / "given.toml"
    binding.write_text(plain(BINDING % INTO).replace(field, union))
    assert main(emitted(tmp_path, form, binding, FREED)) == 1
    found = capsys.readouterr()
    assert "it was run, and fails" in found.err, found.err
    subprocess.run(
        [each.replace("FAULT=2", "FAULT=0") if isinstance(each, str) else each for each in command], check=True
    )
    assert again(form, found.out, binding).outcome == PASSED


@pytest.mark.parametrize(
    ("form", "wrong", "right", "says"),
    [
        ("pytest", "", "", "`callbacks` and `panics` can be written in C, C++ and Rust alone"),
        ("kunit", PANICS, "", "`symbols` cannot be written in a test: it is linked, or loaded, by others"),
        (
            "pytest",
            "errors[2];",
            "errors[2]; int few : 3;",
            "`struct frame`: bits, arrays without a length",
        ),
        ("rust", "errors[2];", "errors[2]; union { int one; char two; };", "`struct frame`: bits, arrays without"),
        ("rust", "errors[2];", "errors[2]; union two { double one; } both[2];", "`struct frame`: bits, arrays without"),
    ],
)
def test_what_cannot_be_written_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, wrong: str, right: str, says: str
) -> None:
    text = BINDING % INTO if not wrong else plain(BINDING % INTO).replace(wrong, right)
    text = text.replace("load16(out.errors) > 0", "value != 0")
    assert main(emitted(tmp_path, form, built(tmp_path, 2, text), FREED)) == 1
    found = capsys.readouterr()
    assert (found.out, says in found.err) == ("", True), found.err
