"""Golden vectors of heaps, memory maps and mappings: other implementations pass, faulty ones fail."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from memoracle.cli import main
from memoracle.impl.boot import Record, boot
from memoracle.trace.geometry import geometry_from
from memoracle.vectors import c, pytest_file, rust
from memoracle.vectors.build import vectors_of
from memoracle.vectors.vector import Vectors

PAGE = 4096


def failures(vectors: Vectors, make: Any) -> list[str]:
    """What the file for pytest says of each vector that fails."""
    names: dict[str, Any] = {}
    exec(pytest_file.written(vectors), names)
    found = []
    for vector in names["VECTORS"]["vectors"]:
        try:
            names["test_vector"](vector, make())
        except AssertionError as failure:
            found.append(str(failure))
    return found


class RefusedError(Exception):
    pass


class Upwards:
    """A heap that never hands out the same bytes twice, far from where the reference's is."""

    def __init__(self) -> None:
        self.end, self.live = 1 << 40, set[int]()

    def heap_new(self, bytes: int, alignment: int = 1) -> int:  # noqa: A002 (its name in a trace)
        due = max(self.due(bytes), alignment)
        address = -(-self.end // due) * due
        self.end = address + bytes
        self.live.add(address)
        return address

    def due(self, size: int) -> int:
        return max(8, min(size & -size, PAGE))

    def heap_delete(self, address: int) -> None:
        if address and address not in self.live:
            raise RefusedError
        self.live.discard(address)


class Unaligned(Upwards):
    def due(self, size: int) -> int:
        return 8


class Overlapping(Upwards):
    def heap_new(self, bytes: int, alignment: int = 1) -> int:  # noqa: A002 (its name in a trace)
        address = super().heap_new(bytes, alignment)
        self.end = address + bytes // 2
        return address


class Careless(Upwards):
    def heap_delete(self, address: int) -> None:
        self.live.discard(address)


@pytest.mark.parametrize(
    ("heap", "says"),
    [
        (Upwards, None),
        (Unaligned, "is no multiple of 4096"),
        (Overlapping, "overlaps what is in use"),
        (Careless, "it must be refused"),
    ],
)
def test_of_a_heap(made: dict[str, Vectors], heap: type, says: str | None) -> None:
    found = failures(made["heap"], heap)
    assert (not found) if says is None else any(says in each for each in found)


class Resized(Upwards):
    """A block that is resized moves."""

    def heap_resize(self, address: int, bytes: int, alignment: int = 1) -> int:  # noqa: A002 (its name in a trace)
        if address not in self.live:
            raise RefusedError
        self.live.discard(address)
        return self.heap_new(bytes, alignment)


class InPlace(Resized):
    """It takes a block to have room behind it, which is handed out next."""

    def heap_resize(self, address: int, bytes: int, alignment: int = 1) -> int:  # noqa: A002 (its name in a trace)
        if address not in self.live or address % max(self.due(bytes), alignment):
            return super().heap_resize(address, bytes, alignment)
        return address


class AnyBlock(Resized):
    def heap_resize(self, address: int, bytes: int, alignment: int = 1) -> int:  # noqa: A002 (its name in a trace)
        self.live.add(address)
        return super().heap_resize(address, bytes, alignment)


@pytest.mark.parametrize(
    ("heap", "says"), [(Resized, None), (InPlace, "overlaps what is in use"), (AnyBlock, "it must be refused")]
)
def test_of_a_heap_that_resizes(made: dict[str, Vectors], heap: type, says: str | None) -> None:
    found = failures(made["heap_resize"], heap)
    assert (not found) if says is None else any(says in each for each in found)


class FromTheTop:
    """An arena of 16 KiB whose blocks lie as high as they can, each behind a header of 16 bytes."""

    start, end, header = 0xFFFF_8000_0000_1000, 0xFFFF_8000_0000_5000, 16
    fixed: int | None = None  # the alignment of all blocks

    def __init__(self) -> None:
        self.live = dict[int, int]()

    def heap_new(self, bytes: int, alignment: int = 1) -> int:  # noqa: A002 (its name in a trace)
        due = max(self.fixed or max(8, min(bytes & -bytes, PAGE)), alignment)
        top = self.end
        for address in (*sorted(self.live, reverse=True), self.start):
            behind = address + self.live.get(address, 0)
            place = (top - bytes) // due * due
            if place - self.header >= behind:
                self.live[place] = bytes
                return place
            top = address - self.header
        raise RefusedError

    def heap_delete(self, address: int) -> None:
        if address and self.live.pop(address, None) is None:
            raise RefusedError


class WithoutItsLastPage(FromTheTop):
    end = FromTheTop.end - PAGE


class Boundless(FromTheTop):
    start = FromTheTop.start - 4 * PAGE


@pytest.mark.parametrize(
    ("heap", "says"),
    [(FromTheTop, None), (WithoutItsLastPage, "it must succeed"), (Boundless, "it must be refused")],
)
def test_of_a_heap_in_an_arena(made: dict[str, Vectors], heap: type, says: str | None) -> None:
    found = failures(made["heap_arena"], heap)
    assert (not found) if says is None else any(says in each for each in found)


def test_what_an_arena_must_serve_does_not_depend_on_where_blocks_lie(made: dict[str, Vectors]) -> None:
    asked: dict[int, set[str | None]] = {}
    for vector in made["heap_arena"].vectors:
        for step in vector.steps:
            if step.operation == "heap.new":
                asked.setdefault(step.arguments["bytes"], set()).add(step.requires)
    # All but the overhead must be served while nothing is live; beside a block it depends on where that is.
    assert asked[16384 - 16] == {"success", "refusal", None}
    assert asked[16384 + 1] == {"refusal"}
    assert asked[9] == {"success", None}


@pytest.mark.parametrize(
    "arena",
    [
        {"start": 0x1003, "bytes": 1000, "overhead": 8, "minimum": 16},
        {"start": 0, "bytes": 100, "overhead": 0, "minimum": 0},
        {"start": 4096, "bytes": 8, "overhead": 8, "minimum": 16},
    ],
)
@pytest.mark.parametrize("alignment", ["natural", 16])
def test_of_any_small_arena(arena: dict[str, int], alignment: str | int) -> None:
    stated = {"preset": "x64-4k", "heap_arena": arena, "heap_alignment": alignment}
    found = vectors_of("heap_arena", geometry_from(stated), stated)
    steps = [step for vector in found.vectors for step in vector.steps if step.operation == "heap.new"]
    assert {step.requires for step in steps} >= {"refusal"}
    assert any(step.requires == "success" for step in steps) == (arena["bytes"] > 8)
    own = {"start": arena["start"] or 1, "end": arena["start"] + arena["bytes"], "header": arena["overhead"]}
    fixed = None if alignment == "natural" else alignment
    assert failures(found, type("Heap", (FromTheTop,), {**own, "fixed": fixed})) == []


class Downwards:
    """Kernel pages from the end of the range on."""

    def __init__(self, last: int = 0xFFFF_FFFF_0000_0000 + 32 * PAGE) -> None:
        self.end, self.live = last, dict[int, int]()

    def kernel_pages_allocate(self, pages: int) -> int:
        if not 0 < pages <= 32:
            raise RefusedError
        block = PAGE << (pages - 1).bit_length()
        start = self.end - block
        while any(
            start < first + (PAGE << (n - 1).bit_length()) and first < start + block for first, n in self.live.items()
        ):
            start -= block
        if start < self.end - 32 * PAGE:
            raise RefusedError
        self.live[start] = pages
        return start

    def kernel_pages_free(self, address: int, pages: int) -> None:
        if self.live.get(address) != pages:
            raise RefusedError
        del self.live[address]


def test_of_kernel_pages(made: dict[str, Vectors]) -> None:
    assert failures(made["kernel_pages"], Downwards) == []
    outside = failures(made["kernel_pages"], lambda: Downwards(0xFFFF_FFFF_0000_0000 + 64 * PAGE))
    assert any("does not lie where it may" in each for each in outside)


class Showing(Downwards):
    """Pages that show frames, the same one for as long as they are there."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = dict[int, int]()

    def kernel_pages_allocate(self, pages: int) -> int:
        start = super().kernel_pages_allocate(pages)
        for page in range(pages):
            self.shown[start + page * PAGE] = self.frame(page)
        return start

    def frame(self, page: int) -> int:
        return next(frame for frame in range(10 * PAGE, 128 * PAGE, PAGE) if frame not in self.shown.values())

    def kernel_pages_free(self, address: int, pages: int) -> None:
        super().kernel_pages_free(address, pages)
        for page in range(pages):
            del self.shown[address + page * PAGE]

    def page_translate(self, virtual: int) -> int | None:
        return self.shown[virtual]


class SharesOne(Showing):
    def frame(self, page: int) -> int:
        return super().frame(page) if page else 8 * PAGE


class ShowsNone(Showing):
    def page_translate(self, virtual: int) -> int | None:
        return None


class OutOfReach(Showing):
    def frame(self, page: int) -> int:
        return super().frame(page) + 128 * PAGE


@pytest.mark.parametrize(
    ("pages", "says"),
    [
        (Showing, None),
        (SharesOne, "overlaps what is in use"),
        (ShowsNone, "there is none"),
        (OutOfReach, "does not lie where it may"),
    ],
)
def test_of_the_frames_of_kernel_pages(made: dict[str, Vectors], pages: type, says: str | None) -> None:
    found = failures(made["kernel_frames"], pages)
    assert (not found) if says is None else any(says in each for each in found)


class Pages:
    """Mappings, as dictionaries; one frame is handed out, and released when its last use is gone."""

    def __init__(self) -> None:
        self.of: dict[int, dict[int, int]] = {0: {}}
        self.taken, self.gets = set[int](), dict[int, int]()

    def process_create(self) -> int:
        number = 7 + len(self.of)
        self.of[number] = {}
        return number

    def process_exit(self, process: int) -> None:
        if process == 0 or process not in self.of:
            raise RefusedError
        for virtual in list(self.of[process]):
            self.page_unmap(process, virtual, True)
        del self.of[process]

    def pages(self, process: int, virtual: int) -> dict[int, int]:
        if process not in self.of or not (virtual < 1 << 47 or virtual >= (1 << 64) - (1 << 47)):
            raise RefusedError
        return self.of[0 if virtual >> 63 else process]

    def page_map(self, process: int, virtual: int, physical: int) -> None:
        pages = self.pages(process, virtual)
        if virtual % PAGE or physical % PAGE or physical >= 1 << 52 or virtual in pages:
            raise RefusedError
        pages[virtual] = physical

    def page_unmap(self, process: int, virtual: int, release: bool = False) -> None:
        pages = self.pages(process, virtual)
        if virtual not in pages:
            raise RefusedError
        self.used_less(pages.pop(virtual), release)

    def page_translate(self, process: int, virtual: int) -> int | None:
        found = self.pages(process, virtual).get(virtual // PAGE * PAGE)
        return None if found is None else found + virtual % PAGE

    def page_attributes(self, process: int, virtual: int) -> dict[str, Any] | None:
        if self.page_translate(process, virtual) is None:
            return None
        lower = not virtual >> 63
        return {"cache": "write-back", "writable": True, "user": lower, "executable": True, "global": False}

    def frame_allocate(self) -> int:
        self.taken.add(55 * PAGE)
        return 55 * PAGE

    def frame_free(self, address: int) -> None:
        self.taken.remove(address)

    def frame_is_free(self, address: int) -> bool:
        return address not in self.taken

    def frame_get(self, address: int) -> None:
        if address not in self.taken:
            raise RefusedError
        self.gets[address] = self.gets.get(address, 0) + 1

    def frame_put(self, address: int, release: bool = False) -> None:
        if not self.gets.get(address):
            raise RefusedError
        self.gets[address] -= 1
        self.used_less(address, release)

    def used_less(self, frame: int, release: bool) -> None:
        if release and not self.is_used(frame):
            self.taken.discard(frame)

    def is_used(self, frame: int) -> bool:
        return bool(self.gets.get(frame)) or any(frame in pages.values() for pages in self.of.values())


class Hasty(Pages):
    """Other uses of a frame are forgotten."""

    def is_used(self, frame: int) -> bool:
        return any(frame in pages.values() for pages in self.of.values())


class Stale(Pages):
    """What was mapped is still translated."""

    def page_unmap(self, process: int, virtual: int, release: bool = False) -> None:
        pages = dict(self.pages(process, virtual))
        super().page_unmap(process, virtual, release)
        self.of[0 if virtual >> 63 else process] = pages if process else self.of[process]


@pytest.mark.parametrize(
    ("component", "pages", "says"),
    [
        ("manager", Pages, None),
        ("manager", Hasty, "frame.is_free"),
        ("paging", Pages, None),
        ("paging", Stale, "page.translate"),
    ],
)
def test_of_pages(made: dict[str, Vectors], component: str, pages: type, says: str | None) -> None:
    found = failures(made[component], pages)
    assert (not found) if says is None else any(says in each for each in found)


class Booted:
    def __init__(self, partial: bool = False) -> None:
        self.partial = partial

    def boot(self, memory_map: list[dict[str, int]]) -> None:
        records = [Record(**each) for each in memory_map]
        if self.partial:
            records = [each._replace(length=each.length + 1) if each.type == 1 else each for each in records]
        self.bitmap = boot(records, 12, 8, [(0, 1)])

    def frame_is_free(self, address: int) -> bool:
        return self.bitmap.is_free(address // PAGE)

    def frame_free_count(self) -> int:
        return self.bitmap.count()


def test_of_memory_maps(made: dict[str, Vectors]) -> None:
    assert failures(made["boot"], Booted) == []
    assert any("is no legal answer" in each for each in failures(made["boot"], lambda: Booted(True)))


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


RESIZED = """
int memoracle_heap_resize(uint64_t address, uint64_t bytes, uint64_t alignment, uint64_t *result)
{
    uint64_t found;
    for (int i = 0; i < 16; i++)
        if (live[i] == address) {
            if (IN_PLACE && address % alignment == 0) {
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
    defined = ["-DUNALIGNED=0", "-DIN_PLACE=0"]
    assert ran_in_c(made["heap_resize"], MALLOC + RESIZED, tmp_path, *defined).returncode == 0
    ran = ran_in_c(made["heap_resize"], MALLOC + RESIZED, tmp_path, "-DUNALIGNED=0", "-DIN_PLACE=1")
    assert re.search(r"^heap_resize_\d+, step \d+, heap.\w+: it (is not aligned|overlaps what)", ran.stdout, re.M)


@pytest.mark.skipif(shutil.which("rustc") is None, reason="there is no rustc here")
@pytest.mark.parametrize(("in_place", "says"), [(0, "0 failed"), (1, "FAILED")])
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
            shown[at + i] = SHARES ? 8 : 8 + at + i;
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
    assert "0 of 5 vectors fail" in ran_in_c(made["kernel_frames"], KERNEL_PAGES, tmp_path, "-DSHARES=0").stdout
    shared = ran_in_c(made["kernel_frames"], KERNEL_PAGES, tmp_path, "-DSHARES=1").stdout
    assert "page.translate: it overlaps what is in use" in shared


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
