"""Golden vectors in C and Rust: other implementations pass, faulty ones fail."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from memoracle.cli import main
from memoracle.vectors import c, rust
from memoracle.vectors.vector import Vectors

MALLOC = """
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
static uint64_t live[16];
void memoracle_start(void) { for (int i = 0; i < 16; i++) live[i] = 0; }
int memoracle_heap_new(uint64_t bytes, uint64_t alignment, uint64_t *result)
{
    uint64_t due = bytes & -bytes;
    due = due < 8 ? 8 : due > 4096 ? 4096 : due;
    due = UNALIGNED ? 8 : due < alignment ? alignment : due;
    for (int i = 0; i < 16; i++)
        if (!live[i]) {
            *result = live[i] = (uint64_t)aligned_alloc(due, (bytes + due - 1) / due * due) + (UNALIGNED ? 8 : 0);
            return 0;
        }
    return 1;
}
int memoracle_heap_delete(uint64_t address)
{
    for (int i = 0; i < 16; i++)
        if (address && live[i] == address) {
            live[i] = 0;
            return 0;
        }
    return address != 0;
}
"""
PMM = """
#include <stdint.h>
static int usable[8];
void memoracle_start(void) {}
int memoracle_boot(const uint64_t *records, uint64_t count)
{
    for (uint64_t frame = 0; frame < 8; frame++) {
        usable[frame] = frame > 0;
        for (uint64_t byte = frame * 4096; byte < frame * 4096 + 4096; byte++) {
            int free = 0;
            for (uint64_t each = 0; each < count; each++) {
                const uint64_t *record = records + 3 * each;
                int has = record[0] <= byte && byte - record[0] < record[1];
                free |= has && record[2] == 1;
                if (has && record[2] != 1)
                    usable[frame] = 0;
            }
            usable[frame] &= free;
        }
    }
    return 0;
}
int memoracle_frame_is_free(uint64_t address, uint64_t *result) { *result = usable[address / 4096]; return 0; }
int memoracle_frame_free_count(uint64_t *result)
{
    *result = 0;
    for (int frame = 0; frame < 8; frame++)
        *result += usable[frame];
    return 0;
}
"""
STRICT = ["-O1", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]


def ran_in_c(vectors: Vectors, source: str, folder: Path, *defined: str) -> subprocess.CompletedProcess[str]:
    (folder / "vectors.c").write_text(c.written(vectors))
    (folder / "mine.c").write_text(source)
    subprocess.run(["cc", *STRICT, "-c", "vectors.c"], check=True, cwd=folder)
    subprocess.run(["cc", *defined, "vectors.o", "mine.c", "-o", "run"], check=True, cwd=folder)
    return subprocess.run(["./run"], capture_output=True, text=True, check=False, cwd=folder)


# 1: a block always stays where it is.  2: where there is room.
RESIZED = """
#include <malloc.h>
static int has_room(uint64_t address, uint64_t bytes, uint64_t alignment)
{
    return address % 4096 == 0 && address % alignment == 0 && bytes <= malloc_usable_size((void *)(uintptr_t)address);
}
int memoracle_heap_resize(uint64_t address, uint64_t bytes, uint64_t alignment, uint64_t *result)
{
    uint64_t found;
    for (int i = 0; i < 16; i++)
        if (live[i] == address) {
            if (IN_PLACE == 1 ? address % alignment == 0 : IN_PLACE && has_room(address, bytes, alignment)) {
                *result = address;
                return 0;
            }
            if (memoracle_heap_new(bytes, alignment, &found))
                return 1;
            live[i] = 0;
            *result = found;
            return 0;
        }
    return 1;
}
"""


def test_in_c_a_heap_that_resizes(made: dict[str, Vectors], tmp_path: Path) -> None:
    for right in (0, 2):
        defined = ["-DUNALIGNED=0", f"-DIN_PLACE={right}"]
        assert ran_in_c(made["heap_resize"], MALLOC + RESIZED, tmp_path, *defined).returncode == 0
    ran = ran_in_c(made["heap_resize"], MALLOC + RESIZED, tmp_path, "-DUNALIGNED=0", "-DIN_PLACE=1")
    assert re.search(r"^heap_resize_\d+, step \d+, heap.\w+: it (is not aligned|overlaps what)", ran.stdout, re.M)


@pytest.mark.skipif(shutil.which("rustc") is None, reason="there is no rustc here")
@pytest.mark.parametrize(("in_place", "says"), [(0, "0 failed"), (1, "FAILED"), (2, "0 failed")])
def test_in_rust_a_heap_that_resizes(made: dict[str, Vectors], tmp_path: Path, in_place: int, says: str) -> None:
    (tmp_path / "vectors.rs").write_text(rust.written(made["heap_resize"]))
    (tmp_path / "mine.c").write_text(MALLOC + RESIZED)
    defined = ["-DUNALIGNED=0", f"-DIN_PLACE={in_place}"]
    subprocess.run(["cc", *defined, "-c", "mine.c"], check=True, cwd=tmp_path)
    command = ["rustc", "--test", "-D", "warnings", "vectors.rs", "-C", "link-arg=mine.o", "-o", "run"]
    subprocess.run(command, check=True, cwd=tmp_path)
    assert says in subprocess.run(["./run"], capture_output=True, text=True, check=False, cwd=tmp_path).stdout


KERNEL_PAGES = """
#include <stdint.h>
static uint64_t shown[32], of[32];
void memoracle_start(void) { for (int i = 0; i < 32; i++) shown[i] = of[i] = 0; }
int memoracle_kernel_pages_allocate(uint64_t pages, uint64_t *result)
{
    uint64_t whole = 1;
    while (whole < pages)
        whole *= 2;
    for (int at = 0; pages && at + whole <= 32; at += whole) {
        int free = 1;
        for (uint64_t i = 0; i < whole; i++)
            free &= !of[at + i];
        for (uint64_t i = 0; free && i < whole; i++) {
            of[at + i] = i ? 1 : pages + 1;
            shown[at + i] = SHARES ? 8 : FIRST + at + i;
        }
        *result = 0xFFFFFFFF00000000 + at * 4096;
        if (free)
            return 0;
    }
    return 1;
}
int memoracle_kernel_pages_free(uint64_t address, uint64_t pages)
{
    uint64_t at = (address - 0xFFFFFFFF00000000) / 4096;
    if (address % 4096 || at >= 32 || pages == 0 || of[at] != pages + 1)
        return 1;
    do
        of[at++] = 0;
    while (at < 32 && of[at] == 1);
    return 0;
}
int memoracle_page_translate(uint64_t virtual, uint64_t *result)
{
    result[0] = 1;
    result[1] = shown[(virtual - 0xFFFFFFFF00000000) / 4096] * 4096;
    return 0;
}
"""


def test_in_c_frames_of_kernel_pages(made: dict[str, Vectors], tmp_path: Path) -> None:
    for shares, first, says in (
        (0, 8, "0 of 5 vectors fail"),
        (1, 8, "page.translate: it overlaps what is in use"),
        (0, 8192, "page.translate: it does not lie where it may"),
    ):
        defined = f"-DSHARES={shares}", f"-DFIRST={first}"
        assert says in ran_in_c(made["kernel_frames"], KERNEL_PAGES, tmp_path, *defined).stdout


def test_in_c_a_heap_and_memory_maps(made: dict[str, Vectors], tmp_path: Path) -> None:
    assert ran_in_c(made["heap"], MALLOC, tmp_path, "-DUNALIGNED=0").returncode == 0
    unaligned = ran_in_c(made["heap"], MALLOC, tmp_path, "-DUNALIGNED=1")
    assert re.search(r"^heap_\d+, step \d+, heap.new: it is not aligned \[.+\]$", unaligned.stdout, re.MULTILINE)
    assert "0 of 16 vectors fail" in ran_in_c(made["boot"], PMM, tmp_path).stdout


@pytest.mark.skipif(shutil.which("rustc") is None, reason="there is no rustc here")
def test_in_rust_memory_maps(made: dict[str, Vectors], tmp_path: Path) -> None:
    (tmp_path / "vectors.rs").write_text(rust.written(made["boot"]))
    (tmp_path / "mine.c").write_text(PMM)
    subprocess.run(["cc", "-c", "mine.c"], check=True, cwd=tmp_path)
    subprocess.run(["ar", "rcs", "libmine.a", "mine.o"], check=True, cwd=tmp_path)
    command = ["rustc", "--test", "-D", "warnings", "vectors.rs", "-L", ".", "-l", "static=mine", "-o", "run"]
    subprocess.run(command, check=True, cwd=tmp_path)
    ran = subprocess.run(["./run"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "16 passed; 0 failed" in ran.stdout


def test_a_library_starts_with_its_own_memory_map(capsys: pytest.CaptureFixture[str]) -> None:
    binding = Path(__file__).parents[3] / "examples" / "targets" / "kernel.toml"
    assert main(["vectors", "--component", "boot", "--format", "c", "--binding", str(binding)]) == 2
    assert "start: a library is started as it says" in capsys.readouterr().err
