"""A failure of a library, written in each language, fails on the faulty build and passes on the correct one."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from blocks_binding import blocks

from memoracle.cli import main
from memoracle.drive.binding_file import load_binding
from memoracle.reproducers import running
from memoracle.reproducers.running import FAILED, PASSED, Verified

HEADER = {
    "memoracle": 1,
    "geometry": {"preset": "x64-4k", "frames": 256, "frame_allocator": "buddy", "frame_max_order": 5, "never_free": []},
}
ALLOCATE, FREE = "frame.allocate", "frame.free"
TWICE = [
    {"op": ALLOCATE, "order": 5, "result": 0},
    {"op": ALLOCATE, "order": 5, "result": "0x20000"},
    {"op": ALLOCATE, "order": 5, "result": "0x40000", "_cpu": 1},
    {"op": ALLOCATE, "order": 5, "result": "0x40000"},
]
CRASH = [
    {"op": ALLOCATE, "order": 2, "result": 0},
    {"op": FREE, "address": 0x100000, "order": 2, "crash": '*/ #include "/etc/passwd"\n\\'},
]
REFUSED = [
    *({"op": ALLOCATE, "order": 5, "result": page << 12} for page in range(0, 128, 32)),
    {"op": ALLOCATE, "order": 0, "result": 128 << 12},
    *({"op": ALLOCATE, "order": 5, "result": page << 12} for page in range(160, 256, 32)),
    {"op": ALLOCATE, "order": 4, "result": 144 << 12},
    {"op": ALLOCATE, "order": 3, "error": "none left"},
]
GTEST = """
#include <cstdio>
struct Said { template <class T> Said &operator<<(T words) { fputs(words, stderr); return *this; } };
struct Ends { int status; void operator=(const Said &) { result = status; } static int result; };
inline int Ends::result = 0;
#define TEST(suite, name) static void run(); int main() { run(); return Ends::result; } static void run()
#define FAIL() return (void)(Ends::result = 1), Ends{1} = Said()
#define GTEST_SKIP() return Ends{0} = Said() << "[  SKIPPED ]"
"""
KUNIT = """
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
typedef uint64_t u64;
struct kunit { int failed; };
struct kunit_case { void (*run)(struct kunit *); };
struct kunit_suite { const char *name; struct kunit_case *test_cases; };
#define KUNIT_CASE(name) { name }
#define KUNIT_FAIL(test, ...) ((test)->failed = 1, fprintf(stderr, __VA_ARGS__))
#define kunit_skip(test, ...) do { fprintf(stderr, __VA_ARGS__); exit(77); } while (0)
#define kunit_test_suite(suite) \\
    int main(void) { struct kunit test = {0}; suite.test_cases[0].run(&test); return test.failed; }
#define MODULE_LICENSE(text) struct license
#define vzalloc(bytes) calloc(1, bytes)
static u64 div64_u64_rem(u64 a, u64 b, u64 *left) { *left = a % b; return a / b; }
"""


@pytest.fixture
def emitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Checks a trace of the library with a fault: the status, the test, and what is said on standard error."""

    def emit(form: str, fault: str, events: list[dict[str, object]]) -> tuple[int, str, str]:
        binding, trace = blocks(tmp_path, fault), tmp_path / "trace.jsonl"
        trace.write_text("\n".join(json.dumps(each) for each in (HEADER, *events)))
        status = main(["check", "--emit", form, "--binding", str(binding), str(trace)])
        found = capsys.readouterr()
        return status, found.out, found.err

    return emit


def again(form: str, text: str, folder: Path, fault: str = "NOTHING", dies: bool = False) -> Verified:
    """Runs a test with another build of the library."""
    binding = load_binding(str(blocks(folder, fault)))
    runs = {"c": running.run_c, "cpp-gtest": running.run_cpp, "rust": running.run_rust}
    return running.run_pytest(text) if form == "pytest" else runs[form](text, binding, dies)


def needs(form: str) -> None:
    if form == "rust" and shutil.which("rustc") is None:
        pytest.skip("there is no Rust compiler")


APART = "frame4 + 4096 <= frame3 or frame3 + 131072 <= frame4"


@pytest.mark.parametrize(
    ("form", "fault", "events", "words"),
    [
        ("c", "HANDS_OUT_TWICE", TWICE, APART),
        ("rust", "HANDS_OUT_TWICE", TWICE, APART),
        ("pytest", "HANDS_OUT_TWICE", TWICE, APART),
        ("c", "CRASHES", CRASH, "no call crashes"),
        ("pytest", "CRASHES", CRASH, "no call crashes"),
        ("rust", "LOSES_A_HALF", REFUSED, "it must succeed"),
    ],
)
def test_it_fails_on_the_faulty_build_alone(
    emitted: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    form: str,
    fault: str,
    events: list[dict[str, object]],
    words: str,
) -> None:
    needs(form)
    status, text, said = emitted(form, fault, events)
    assert (status, "it was run, and fails" in said) == (1, True), said
    plain = text.replace("0x20000", "131072").replace("(", "").replace(")", "").replace("||", "or")
    assert words.replace("(", "") in plain
    assert again(form, text, tmp_path, dies=fault == "CRASHES").outcome == PASSED
    if form == "c" and words == APART:
        document = (Path(__file__).parents[3] / "docs/reproducers.md").read_text(encoding="utf-8")
        assert document.partition("```c\n")[2].partition("```")[0] in text


def test_googletest(
    emitted: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text, said = emitted("cpp-gtest", "HANDS_OUT_TWICE", TWICE)
    if "was not run" in said:
        assert "GoogleTest is not installed" in said
        (tmp_path / "gtest").mkdir()
        (tmp_path / "gtest/gtest.h").write_text(GTEST)
        for name in ("libgtest.a", "libgtest_main.a"):
            (tmp_path / name).write_text("!<arch>\n")
        monkeypatch.setenv("CPLUS_INCLUDE_PATH", str(tmp_path))
        monkeypatch.setenv("LIBRARY_PATH", str(tmp_path))
        assert again("cpp-gtest", text, tmp_path, "HANDS_OUT_TWICE").outcome == FAILED
    assert again("cpp-gtest", text, tmp_path).outcome == PASSED


def test_kunit(emitted: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    _, text, said = emitted("kunit", "HANDS_OUT_TWICE", TWICE)
    assert "the kunit test was not run (it needs a kernel)" in said
    for name in (
        "kunit/test.h",
        "linux/math64.h",
        "linux/module.h",
        "linux/slab.h",
        "linux/types.h",
        "linux/vmalloc.h",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(KUNIT if name == "kunit/test.h" else "")
    (tmp_path / "module.c").write_text(text)
    program = tmp_path / "module"
    subprocess.run(["cc", "-I", tmp_path, tmp_path / "module.c", tmp_path / "blocks.so", "-o", program], check=True)
    assert subprocess.run([program], check=False).returncode == 1
    blocks(tmp_path)
    assert subprocess.run([program], check=False).returncode == 0
