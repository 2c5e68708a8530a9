"""What the files in C and Rust check of answers that may be anything: where they lie, and what they overlap."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memoracle.vectors import c, pytest_file, rust
from memoracle.vectors.build import vectors_of
from memoracle.vectors.vector import SUCCESS, Vectors

KERNEL_PAGES = """
#include <stdint.h>
#define PAGE 4096ull
#define FIRST 0xffffffff00000000ull
static uint64_t start[8], bytes[8], asked[8];
void memoracle_start(void) { for (int i = 0; i < 8; i++) bytes[i] = 0; }
static int overlaps(uint64_t at, uint64_t size)
{
    for (int i = 0; i < 8; i++)
        if (bytes[i] && at < start[i] + bytes[i] && start[i] < at + size)
            return !OVERLAPS || size > 2 * PAGE;
    return 0;
}
int memoracle_kernel_pages_allocate(uint64_t pages, uint64_t *result)
{
    uint64_t size = PAGE, at = FIRST + 32 * PAGE, lowest = FIRST;
    if (pages == 0 || pages > 32)
        return 1;
    while (size < pages * PAGE)
        size *= 2;
    if (UNALIGNED && pages < 8)
        at -= PAGE;
    for (at -= size; at >= lowest; at -= size)
        for (int i = 0; i < 8 && !overlaps(at, size); i++)
            if (!bytes[i]) {
                start[i] = at;
                bytes[i] = size;
                asked[i] = pages;
                *result = at + OUTSIDE * 32 * PAGE;
                return 0;
            }
    return 1;
}
int memoracle_kernel_pages_free(uint64_t address, uint64_t pages)
{
    for (int i = 0; i < 8; i++)
        if (bytes[i] && start[i] + OUTSIDE * 32 * PAGE == address && asked[i] == pages) {
            bytes[i] = 0;
            return 0;
        }
    return 1;
}
"""
TABLES = """
#include <stdint.h>
static uint64_t entries[3][512];
static int lives[3];
void memoracle_start(void)
{
    for (int process = 0; process < 3; process++)
        for (int index = lives[process] = 0; index < 512; index++)
            entries[process][index] = 0;
    lives[0] = 1;
}
static int row(uint64_t process)
{
    int found = process == 0 ? 0 : (int)process - 6;
    return found < 0 || found > 2 || (process && found == 0) || !lives[found] ? -1 : found;
}
int memoracle_process_create(uint64_t *result)
{
    for (int found = 1; found < 3; found++)
        if (!lives[found]) {
            lives[found] = 1;
            for (int index = 0; index < 256; index++)
                entries[found][index] = 0;
            *result = AGAIN ? 7 : 6 + found;
            return 0;
        }
    return 1;
}
int memoracle_process_exit(uint64_t process)
{
    int found = row(process);
    if (found > 0)
        lives[found] = 0;
    return found <= 0;
}
int memoracle_pml4_read(uint64_t process, uint64_t index, uint64_t *result)
{
    int found = row(process);
    if (found < 0 || index > 511)
        return 1;
    *result = entries[index < 256 ? found : 0][index];
    return 0;
}
int memoracle_pml4_write(uint64_t process, uint64_t index, uint64_t value)
{
    int found = row(process);
    if (found < 0 || index > 511)
        return 1;
    entries[index < 256 ? found : 0][index] = value;
    return 0;
}
"""
# By fault: of which component, what C says of it, and what Rust says.
FAULTS = {
    "OVERLAPS": ("kernel_pages", "it overlaps what is in use", "overlaps what is in use"),
    "OUTSIDE": ("kernel_pages", "it does not lie where it may", "does not lie where it may"),
    "UNALIGNED": ("kernel_pages", "it is not aligned", "is no multiple of"),
    "AGAIN": ("kernel_half", "there is such a number already", "is there already"),
}
SOURCES = {"kernel_pages": KERNEL_PAGES, "kernel_half": TABLES}


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each fault with a library that has it; `right` has those that have none."""
    folder = tmp_path_factory.mktemp("libraries")
    for fault in (None, *FAULTS):
        for component, source in SOURCES.items() if fault is None else [(FAULTS[fault][0], SOURCES[FAULTS[fault][0]])]:
            place = folder / (fault or "right")
            place.mkdir(exist_ok=True)
            (folder / "mine.c").write_text(source)
            defined = [f"-D{each}={int(each == fault)}" for each in FAULTS]
            library = place / f"lib{component}.so"
            subprocess.run(["cc", "-shared", "-fPIC", *defined, "mine.c", "-o", library], check=True, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def short(made: dict[str, Vectors]) -> dict[str, Vectors]:
    """Of the kernel half as much as it takes to make two processes."""
    half = made["kernel_half"]
    created = [[place for place, step in enumerate(each.steps) if step.gives][:2] for each in half.vectors]
    (_, last), vector = min((places, each) for places, each in zip(created, half.vectors, strict=True) if places[1:])
    return {
        "kernel_pages": made["kernel_pages"],
        "kernel_half": replace(half, vectors=[replace(vector, steps=vector.steps[: last + 1])]),
    }


def said(program: Path, libraries: Path, fault: str) -> tuple[int, str]:
    environment = {"LD_LIBRARY_PATH": str(libraries / fault)}
    ran = subprocess.run([program], env=environment, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout


def each_says(program: Path, libraries: Path, component: str, language: int) -> None:
    assert said(program, libraries, "right")[0] == 0
    for fault, (of, *words) in FAULTS.items():
        if of == component:
            status, out = said(program, libraries, fault)
            assert status != 0, fault
            assert words[language] in out, fault


@pytest.mark.parametrize("component", SOURCES)
def test_in_c(short: dict[str, Vectors], libraries: Path, tmp_path: Path, component: str) -> None:
    (tmp_path / "vectors.c").write_text(c.written(short[component]))
    command = ["cc", "vectors.c", "-L", str(libraries / "right"), f"-l{component}", "-o", "run"]
    subprocess.run(command, check=True, cwd=tmp_path)
    each_says(tmp_path / "run", libraries, component, 0)


@pytest.mark.skipif(shutil.which("rustc") is None, reason="there is no rustc here")
@pytest.mark.parametrize("component", SOURCES)
def test_in_rust(short: dict[str, Vectors], libraries: Path, tmp_path: Path, component: str) -> None:
    (tmp_path / "vectors.rs").write_text(rust.written(short[component]))
    linked = ["-L", str(libraries / "right"), "-l", f"dylib={component}"]
    subprocess.run(["rustc", "--test", "vectors.rs", *linked, "-o", "run"], check=True, cwd=tmp_path)
    each_says(tmp_path / "run", libraries, component, 1)


class Tables:
    """The kernel half in Python. again: whether all processes have the same number."""

    def __init__(self, again: bool) -> None:
        self.again, self.of = again, dict[int, dict[int, int]]({0: {}})

    def process_create(self) -> int:
        number = 7 if self.again else 6 + len(self.of)
        self.of[number] = {}
        return number

    def process_exit(self, process: int) -> None:
        if process == 0:
            raise ValueError
        del self.of[process]

    def pml4_read(self, process: int, index: int) -> int:
        if not 0 <= index < 512:
            raise ValueError
        of = self.of[process]
        return (of if index < 256 else self.of[0]).get(index, 0)

    def pml4_write(self, process: int, index: int, value: int) -> None:
        self.pml4_read(process, index)
        (self.of[process] if index < 256 else self.of[0])[index] = value


def test_in_python_each_process_has_a_number_of_its_own(short: dict[str, Vectors]) -> None:
    names: dict[str, Any] = {}
    exec(pytest_file.written(short["kernel_half"]), names)
    (vector,) = names["VECTORS"]["vectors"]
    names["test_vector"](vector, Tables(again=False))
    with pytest.raises(AssertionError, match="7 is there already"):
        names["test_vector"](vector, Tables(again=True))


@pytest.mark.parametrize(
    ("component", "left"),
    [("bitmap", {"frame.is_free"}), ("runs", {"frame.is_free"}), ("buddy", {"range.list", "range.size"})],
)
def test_an_answer_that_depends_on_earlier_choices_is_not_required(component: str, left: set[str]) -> None:
    """A question has one answer whatever was chosen before, or is for a target that chooses as the reference does."""
    steps = [step for vector in vectors_of(component).vectors for step in vector.steps]
    questions = [step for step in steps if step.reference.result is not None and not step.bytes]
    required = [step for step in questions if step.requires == SUCCESS]
    assert {len(step.legal or ()) for step in required} == {1}
    assert {step.operation for step in questions if step.requires is None} == left
