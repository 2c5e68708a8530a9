"""Golden vectors of kernel pages, mappings and memory maps: other implementations pass, faulty ones fail."""

from __future__ import annotations

from typing import Any

import pytest
from other_implementations import PAGE, RefusedError, failures

from memoracle.impl.boot import Record, boot
from memoracle.vectors.vector import Vectors


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


class SharesOneAgain(Showing):
    """Blocks whose pages were given back before show one frame, all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = set[int]()

    def kernel_pages_allocate(self, pages: int) -> int:
        start = super().kernel_pages_allocate(pages)
        if start in self.gone:
            self.shown[start] = 8 * PAGE
        return start

    def kernel_pages_free(self, address: int, pages: int) -> None:
        super().kernel_pages_free(address, pages)
        self.gone.add(address)


class ShowsNone(Showing):
    def page_translate(self, virtual: int) -> int | None:
        return None


class ShowsTheFirst(Showing):
    """Frame 0, which is never handed out."""

    def frame(self, page: int) -> int:
        return super().frame(page) if page else 0


class OutOfReach(Showing):
    def frame(self, page: int) -> int:
        return super().frame(page) + 128 * PAGE


@pytest.mark.parametrize(
    ("pages", "says"),
    [
        (Showing, None),
        (SharesOne, "overlaps what is in use"),
        (SharesOneAgain, "overlaps what is in use"),
        (ShowsNone, "there is none"),
        (ShowsTheFirst, "does not lie where it may"),
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
