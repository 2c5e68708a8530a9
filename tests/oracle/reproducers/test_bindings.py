"""What a binding can say is written as the language has it: structures, errno, variables, memory."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from memoracle.cli import main
from memoracle.diagnostics.divergence import Finding
from memoracle.drive.binding import Bound
from memoracle.drive.binding_file import load_binding
from memoracle.report.check_report import TraceResult
from memoracle.reproducers import running
from memoracle.reproducers.due import RETURNS, Due
from memoracle.reproducers.failing_run import FailingRun, ReproducerError
from memoracle.reproducers.program_writer import program
from memoracle.reproducers.running import PASSED

SOURCE = Path(__file__).parent / "odd.c"
BINDING = """
library = "odd.so"
declarations = '''
struct pool;
struct frame { uint64_t number; uint32_t order; int16_t error; };
extern uint64_t origin;
extern unsigned char untouched;
size_t pool_size(void);
void pool_init(struct pool *pool, const unsigned char *memory, uint64_t bytes);
struct frame pool_take(struct pool *pool);
void pool_get(uint64_t at, struct pool *pool, struct frame *frame);
void *pool_pointer(struct pool *pool);
void pool_put(struct pool *pool, unsigned char shift, void *address);
_Bool pool_count(struct pool *pool, unsigned *count);
'''
memory = {bytes = 100, fill = 0x5A}
constants = {offset = "0xffff888000000000"}
start = [
    "origin = offset + 0x1000",
    "pool = storage(pool_size())",
    {call = "pool_init(pool, memory, memory_bytes)", fails = "untouched != 0x5a"},
    "count = pool_count",
]
geometry = {preset = "x64-4k", frames = 8, kernel_image_frames = 1}

[operations."frame.allocate"]
%s

[operations."frame.free"]
call = "pool_put(pool, log2(page_size), address + origin)"
fails = "errno != 0 and count == pool_count"

[operations."frame.free_count"]
call = "pool_count(pool, out)"
result = "out if value else -1"
"""
POINTER = 'call = "pool_pointer(pool)"\nfails = "value == NULL"\nresult = "value - origin"'
STRUCTURE = 'call = "pool_take(pool)"\nfails = "value.error < 0"\nresult = "value.number * page_size"'
STORED = 'call = "pool_get(0, pool, out)"\nfails = "out.error < 0"\nresult = "out.number * page_size"'
TWICE = [
    {"op": "frame.allocate", "result": 0x1000},
    {"op": "frame.allocate", "result": 0x2000},
    {"op": "frame.free_count", "result": 5},
    {"op": "frame.free", "address": 0x1000},
    {"op": "frame.free", "address": 0x1000},
]
HEADER = {"memoracle": 1, "geometry": {"preset": "x64-4k", "frames": 8, "kernel_image_frames": 1}}


def build(folder: Path, fault: int) -> None:
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", f"-DFAULT={fault}", SOURCE, "-o", folder / "odd.so"], check=True)


@pytest.mark.parametrize(
    ("form", "allocate"),
    [
        *((form, allocate) for form in ("c", "rust", "pytest") for allocate in (STRUCTURE, STORED)),
        ("rust", POINTER),
        ("pytest", POINTER),
    ],
)
def test_it_fails_on_the_faulty_build_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, allocate: str
) -> None:
    if form == "rust" and shutil.which("rustc") is None:
        pytest.skip("there is no Rust compiler")
    build(tmp_path, 1)
    binding, trace = tmp_path / "odd.toml", tmp_path / "trace.jsonl"
    binding.write_text(BINDING % allocate)
    trace.write_text("\n".join(json.dumps(each) for each in (HEADER, *TWICE)))
    status = main(["check", "--emit", form, "--binding", str(binding), str(trace)])
    found = capsys.readouterr()
    assert (status, "it was run, and fails" in found.err) == (1, True), found.err
    build(tmp_path, 0)
    runs = {"c": running.run_c, "rust": running.run_rust}
    verified = (
        running.run_pytest(found.out) if form == "pytest" else runs[form](found.out, load_binding(str(binding)), False)
    )
    assert verified.outcome == PASSED, verified


@pytest.mark.parametrize(
    ("form", "allocate", "says"),
    [
        ("rust", STORED, "`struct frame`: bits, arrays without a length, and unions without a name"),
        ("pytest", STORED, "`struct frame`: bits, arrays without a length, and unions without a name"),
        ("kunit", POINTER, "a kernel has no errno"),
    ],
)
def test_what_cannot_be_written_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, allocate: str, says: str
) -> None:
    build(tmp_path, 1)
    binding, trace = tmp_path / "odd.toml", tmp_path / "trace.jsonl"
    binding.write_text((BINDING % allocate).replace("int16_t error;", "int16_t error; int few : 2;"))
    trace.write_text("\n".join(json.dumps(each) for each in (HEADER, *TWICE)))
    assert main(["check", "--emit", form, "--binding", str(binding), str(trace)]) == 1
    found = capsys.readouterr()
    assert found.out == ""
    assert f"no {form} test can be written: " in found.err
    assert says in found.err


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("symbols", {"end": 0x1000}, "`symbols` cannot be written in a test: it is linked"),
        (
            "operations",
            {"frame.allocate": Bound("f()", panic="refuse")},
            "`panic` cannot be written in a test: a",
        ),
    ],
)
def test_why_it_cannot_be_written_is_said(tmp_path: Path, key: str, value: object, says: str) -> None:
    build(tmp_path, 1)
    (tmp_path / "odd.toml").write_text(BINDING % POINTER)
    binding = load_binding(str(tmp_path / "odd.toml"))
    binding = replace(binding, says=msgspec.structs.replace(binding.says, **{key: value}))
    run = FailingRun((), (), (), Finding("", "", "", ""), lambda events: TraceResult("", ""))
    with pytest.raises(ReproducerError, match=says):
        program(binding, run, Due(RETURNS, ""))


LOCKED = """
#include <stddef.h>
#include <stdint.h>
void lock(int *word);
int is_held(const int *word);
void *more(long increment);
typedef void *source(size_t pages);
static source *pages;
static int word, taken;
static volatile int fault = FAULT;
static void *last;
void start(source *of, void (*back)(void *, size_t))
{
    pages = of;
    void *one = of(1);
    back(one, 1);
    taken = of(1) != one;
}
void panic(const char *words, int number);
void *take(void)
{
    lock(&word);
    if (fault == 2 && last)
        panic("it is full", 2);
    if (!is_held(&word) || taken)
        return NULL;
    return last = FAULT == 1 && last ? last : pages(2);
}
uint64_t end(void) { return (uint64_t)more(0); }
"""
CALLING = """
library = "locked.so"
declarations = '''
typedef void *source(size_t pages);
void lock(int *word);
void start(source *of, void (*back)(void *, size_t));
void *take(void);
'''
memory = {bytes = 0x8000}
start = ["start(pages_of, return_block)"]
panics = ["panic", "abort"]
geometry = {preset = "x64-4k", heap_alignment = 16}

[callbacks]
lock = "store32(word, 1)"
"int is_held(const int *word)" = "load32(word)"
"void *more(long increment)" = "sbrk(increment)"
"void *pages_of(size_t pages)" = "take_pages(pages)"
"void return_block(void *at, size_t pages)" = "return_pages(at, pages)"

[operations."heap.new"]
call = "take()"
fails = "value == NULL"
result = "value"
"""


@pytest.mark.parametrize(
    ("form", "fault"), [("c", 1), ("c", 2), ("cpp-gtest", 1), ("rust", 1), ("rust", 2), ("pytest", 1)]
)
def test_callbacks_are_defined(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, fault: int) -> None:
    source, library, binding = tmp_path / "locked.c", tmp_path / "locked.so", tmp_path / "locked.toml"
    source.write_text(LOCKED)
    binding.write_text(CALLING)
    command = ["cc", "-shared", "-fPIC", str(source), "-o", str(library)]
    subprocess.run([*command, f"-DFAULT={fault}"], check=True)
    events: list[dict[str, object]] = [{"op": "heap.new", "bytes": 32, "result": 4096 * page} for page in (1, 3, 3)]
    events[2] = events[2] if fault == 1 else {"op": "heap.new", "bytes": 32, "crash": "it is full"}
    trace = tmp_path / "trace.jsonl"
    trace.write_text("\n".join(json.dumps(each) for each in ({"memoracle": 1, "geometry": "x64-4k"}, *events)))
    assert main(["check", "--emit", form, "--binding", str(binding), str(trace)]) == 1
    found = capsys.readouterr()
    if form == "rust" and shutil.which("rustc") is None:
        pytest.skip("there is no Rust compiler")
    runs = {"c": running.run_c, "rust": running.run_rust}
    if form in runs:
        assert "it was run, and fails" in found.err
        subprocess.run([*command, "-DFAULT=0"], check=True)
        assert runs[form](found.out, load_binding(str(binding)), fault == 2).outcome == PASSED
    elif form == "cpp-gtest":
        assert 'extern "C" {\nvoid lock(int *word)\n{' in found.out
    else:
        assert "`callbacks` and `panics` can be written in C, C++ and Rust alone" in found.err
