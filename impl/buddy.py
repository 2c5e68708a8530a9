"""Which parts of an address space are in use: a binary buddy system (Knuth, TAOCP volume 1, section 2.5).

A block of order o is 2^o pages, aligned to its size: block b of order o covers pages b * 2^o to (b + 1) * 2^o - 1, and
its buddy is block b ^ 1. Pages are counted from the start of the range; some may not exist until they are added, and
these are in no block. No block is larger than 2^highest pages. The policy: the smallest order that fits, its lowest
address; a split keeps the lower half. A refused operation returns None or False and changes nothing.
"""

from __future__ import annotations

from sortedcontainers import SortedSet

from memoracle.impl.place_set import PlaceSet


class Buddy:
    """One address range of 2^depth pages.

    existing: the pages that exist.

    inv: all(page % 2**order == 0 and 0 <= page < 2**self.depth for page, order in self.allocated.items())
    """

    def __init__(self, depth: int, highest: int | None = None, whole: bool = True) -> None:
        """The whole range is free, in blocks of the largest order; by default that is one block.

        whole: whether the pages exist; if not, none does.

        pre: 0 <= depth and (highest is None or 0 <= highest <= depth)
        post: self.depth == depth and self.highest == (depth if highest is None else highest)
        post: self.blocks() == [(page, 2**self.highest, False) for page in range(0, 2**depth, 2**self.highest) if whole]
        """
        if highest is None:
            highest = depth
        self.depth = depth
        self.highest = highest
        self.free_blocks = [SortedSet() for _ in range(highest)]
        self.free_blocks.append(SortedSet(range(1 << depth - highest if whole else 0)))
        self.existing = PlaceSet(1 << depth)
        if whole:
            self.existing.add(0, 1 << depth)
        self.allocated: dict[int, int] = {}  # first page -> order
        self.fixed: set[int] = set()  # first pages of the blocks that were taken at the start

    def add(self, page: int, pages: int) -> bool:
        """Adds pages that did not exist, and are free from then on; False if there are none, or one exists.

        Free blocks merge across where they meet. False, too, if some lie outside of the range.

        post: __return__ == (0 <= page < page + pages <= 2**self.depth and not _free(__old__.self, page, pages) and not _taken(__old__.self, page, pages))
        post: not __return__ or _free(self, 0, 2**self.depth) == _free(__old__.self, 0, 2**self.depth) | {*range(page, page + pages)}
        post: [b for b in self.blocks() if b[2]] == [b for b in __old__.self.blocks() if b[2]]
        post: __return__ or self.blocks() == __old__.self.blocks()
        """  # noqa: E501
        last = page + pages
        if not self.existing.add(page, last):
            return False
        while page < last:
            page = self._add(page, last)
        return True

    def allocate(self, pages: int) -> int | None:
        """Allocates a block of the next power of two pages; its first page, or None if no free block is large enough.

        post: (__return__ is None) == (not any(n >= pages > 0 and not taken for p, n, taken in __old__.self.blocks()))
        post: __return__ is None or __return__ == min((n, p) for p, n, taken in __old__.self.blocks() if n >= pages and not taken)[1]
        post: __return__ is None or pages <= self.size(__return__) < 2 * pages
        post: [b for b in self.blocks() if b[2] and b[0] != __return__] == [b for b in __old__.self.blocks() if b[2]]
        post: __return__ is not None or self.blocks() == __old__.self.blocks()
        """  # noqa: E501
        wanted = order_for(pages)
        if wanted is None or wanted > self.highest:
            return None
        order = wanted
        while not self.free_blocks[order]:
            if order == self.highest:
                return None
            order = self._larger(order)
        block = self.free_blocks[order][0]
        page: int = block << order
        self._carve(order, page, wanted)
        return page

    def reserve(self, page: int, pages: int) -> bool:
        """Allocates exactly this block; False unless it is an aligned power of two of pages, all of it free.

        post: not __return__ or pages in [2**order for order in range(self.highest + 1)] and page % pages == 0
        post: not __return__ or any(p <= page and page + pages <= p + n for p, n, taken in __old__.self.blocks() if not taken)
        post: __return__ or not any(page in range(p, p + n, pages) for p, n, taken in self.blocks() if not taken and pages and n % pages == 0)
        post: __return__ or self.blocks() == __old__.self.blocks()
        post: not __return__ or {b for b in self.blocks() if b[2]} - {*__old__.self.blocks()} == {(page, pages, True)}
        post: {b for b in __old__.self.blocks() if b[2]} <= {*self.blocks()}
        """  # noqa: E501
        order = order_for(pages)
        return order is not None and pages == 1 << order and self.reserve_block(order, page)

    def reserve_block(self, order: int, page: int) -> bool:
        """Likewise, of the block of this order.

        post: __return__ == (0 <= order <= self.highest and __old__.self.reserve(page, 2**order))
        post: self.blocks() == __old__.self.blocks()
        """
        if not 0 <= order <= self.highest or page >> self.depth or page >> order << order != page:
            return False
        block = page >> order
        if block in self.free_blocks[order]:  # as it is; most are
            self.free_blocks[order].remove(block)
            self.allocated[page] = order
            return True
        whole = self._free_order(page, order)
        if whole is None:
            return False
        self._carve(whole, page, order)
        return True

    def fix(self, page: int, pages: int) -> bool:
        """Reserves a block at the start that is never freed; False if it cannot be reserved.

        post: self.fixed - __old__.self.fixed == ({page} if __return__ else set()) and __old__.self.fixed <= self.fixed
        post: __return__ == __old__.self.reserve(page, pages) and self.blocks() == __old__.self.blocks()
        """
        if not self.reserve(page, pages):
            return False
        self.fixed.add(page)
        return True

    def free(self, page: int, pages: int) -> bool:
        """Frees the block of that (rounded) size allocated at this page, coalescing fully; False if there is none.

        post: __return__ == (__old__.self.size(page) // 2 < pages <= __old__.self.size(page) and page not in self.fixed)
        post: not __return__ or self.size(page) == 0
        post: {b for b in self.blocks() if b[2]} <= {*__old__.self.blocks()}
        post: sum(b[2] for b in self.blocks()) == sum(b[2] for b in __old__.self.blocks()) - __return__
        post: __return__ or self.blocks() == __old__.self.blocks()
        """
        order = order_for(pages)
        return order is not None and self.free_block(order, page)

    def free_block(self, order: int, page: int) -> bool:
        """Likewise, of the block of this order.

        post: __return__ == (0 <= order <= self.highest and __old__.self.free(page, 2**order))
        post: self.blocks() == __old__.self.blocks()
        """
        if self.allocated.get(page) != order or page in self.fixed:
            return False
        del self.allocated[page]
        self._release(order, page)
        return True

    def size(self, page: int) -> int:
        """The pages of the allocated block that starts here; 0 if none does.

        post: __return__ == sum(pages for first, pages, allocated in self.blocks() if allocated and first == page)
        """
        order = self.allocated.get(page)
        return 0 if order is None else 1 << order

    def blocks(self) -> list[tuple[int, int, bool]]:
        """Every block in address order: first page, pages, whether it is allocated.

        Every page that exists is in exactly one block, each block is aligned to its size, and no two buddies are both
        free but the largest.

        post: [page for p, n, taken in __return__ for page in range(p, p + n)] == [p for p in range(2**self.depth) if self.existing.covers(p, p + 1)]
        post: all(n in [2**o for o in range(self.highest + 1)] and p % n == 0 for p, n, taken in __return__)
        post: not any((p ^ n, n, False) in __return__ for p, n, taken in __return__ if not taken and n < 2**self.highest)
        post: {p: n for p, n, taken in __return__ if taken} == {p: 2**o for p, o in self.allocated.items()}
        """  # noqa: E501
        listing: list[tuple[int, int, bool]] = []
        page = 0
        while page < 1 << self.depth:
            page = self._list(listing, page)
        return listing

    def _list(self, listing: list[tuple[int, int, bool]], page: int) -> int:
        """Adds the block that starts at this page to the listing, unless the page is in a hole.

        Returns the page after the block, or the first one that exists after the hole.
        """
        order = self.allocated.get(page)
        allocated = order is not None
        if order is None:
            order = self._free_order(page, 0)
        if order is None:
            following = self.existing.find(1, 1, page + 1, 1 << self.depth)
            return 1 << self.depth if following is None else following
        listing.append((page, 1 << order, allocated))
        return page + (1 << order)

    def _free_order(self, page: int, order: int) -> int | None:
        """The order, at least this one, of the free block that covers a page; None if none does."""
        while page >> order not in self.free_blocks[order]:
            if order == self.highest:
                return None
            order = self._larger(order)
        return order

    def _carve(self, order: int, page: int, wanted: int) -> None:
        """Takes the block of the wanted order at this page out of the free block of the given order that covers it."""
        self.free_blocks[order].remove(page >> order)
        while order > wanted:
            order = self._split(order, page)
        self.allocated[page] = wanted

    def _add(self, page: int, last: int) -> int:
        """Frees the largest block that begins at this page, which was just added, and ends at the other at the latest.

        Returns the page after the block.
        """
        order = self._fitting(page, last)
        self._release(order, page)
        return page + (1 << order)

    def _fitting(self, page: int, last: int) -> int:
        """The order of the largest aligned block that begins at a page, and ends at another at the latest."""
        aligned = page | 1 << self.highest
        return min((aligned ^ aligned - 1).bit_length(), (last - page).bit_length()) - 1

    def _release(self, order: int, page: int) -> None:
        """The held block of this order over this page becomes free, and coalesces fully."""
        while order < self.highest and (page >> order) ^ 1 in self.free_blocks[order]:
            order = self._merge(order, page)
        self.free_blocks[order].add(page >> order)

    def _larger(self, order: int) -> int:
        return order + 1

    def _split(self, order: int, page: int) -> int:
        """Splits the held block of this order over this page: its other half becomes free."""
        self.free_blocks[order - 1].add((page >> order - 1) ^ 1)
        return order - 1

    def _merge(self, order: int, page: int) -> int:
        """Merges the held block of this order over this page with its free buddy."""
        self.free_blocks[order].remove((page >> order) ^ 1)
        return order + 1


class Spaces:
    """One buddy system for each process, and one for the kernel, which is process 0 and always exists.

    inv: self.of(0) is not None
    """

    def __init__(self, kernel_depth: int, process_depth: int) -> None:
        """Only the kernel's space exists; the depths are those of its range and of the range of every process.

        pre: 0 <= kernel_depth and 0 <= process_depth
        post: {of: space.blocks() for of, space in self.spaces.items()} == {0: [(0, 2**kernel_depth, False)]}
        post: self.process_depth == process_depth
        """
        self.process_depth = process_depth
        self.spaces = {0: Buddy(kernel_depth)}

    def create(self, process: int) -> bool:
        """A process starts with its whole range free; False if it exists, or its number does not have 64 bits.

        post: __return__ == (__old__.self.of(process) is None and 0 <= process < 2**64)
        post: not __return__ or self.of(process).blocks() == [(0, 2**self.process_depth, False)]
        post: self.spaces.keys() == __old__.self.spaces.keys() | ({process} if __return__ else set())
        post: all(self.of(other).blocks() == space.blocks() for other, space in __old__.self.spaces.items())
        """
        if process in self.spaces or not 0 <= process < 1 << 64:
            return False
        self.spaces[process] = Buddy(self.process_depth)
        return True

    def exit(self, process: int) -> bool:
        """A process's ranges go with it; False if it does not exist or is the kernel.

        post: __return__ == (process != 0 and __old__.self.of(process) is not None)
        post: self.spaces.keys() == {other for other in __old__.self.spaces if other != process or not __return__}
        post: all(space.blocks() == __old__.self.of(other).blocks() for other, space in self.spaces.items())
        """
        if process == 0 or process not in self.spaces:
            return False
        del self.spaces[process]
        return True

    def of(self, process: int) -> Buddy | None:
        """The space of a live process; None if it does not exist. Shared on purpose: the answer.

        post: (__return__ is None) == (process not in self.spaces)
        post: __return__ is None or __return__ is self.spaces[process]
        """
        return self.spaces.get(process)


def order_for(pages: int) -> int | None:
    """The order of the smallest block that holds this many pages; None for fewer than one.

    post: (__return__ is None) == (pages < 1)
    post: __return__ is None or 2**__return__ // 2 < pages <= 2**__return__
    """
    return (pages - 1).bit_length() if pages > 0 else None


# Helpers of the contracts


def _free(buddy: Buddy, page: int, pages: int) -> set[int]:
    """The free ones of these pages."""
    return _pages(buddy, False) & set(range(page, page + pages))


def _taken(buddy: Buddy, page: int, pages: int) -> set[int]:
    """The allocated ones of these pages."""
    return _pages(buddy, True) & set(range(page, page + pages))


def _pages(buddy: Buddy, allocated: bool) -> set[int]:
    found = [page for first, n, taken in buddy.blocks() if taken == allocated for page in range(first, first + n)]
    return set(found)
