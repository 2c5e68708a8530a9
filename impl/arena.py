"""An arena: the whole pages of a piece of memory, of which a heap gets its pages if it has no other memory."""

from __future__ import annotations

from memoracle.impl.runs import Runs


class Arena:
    """Pages that are handed out in runs, the lowest that fit, and are given back whole.

    first: the number of the first page.  runs: the pages, counted from the first.  given: by the first place of each
    run that was handed out, how many pages it has.

    inv: all(not self.runs.is_free(each) for place, pages in self.given.items() for each in range(place, place + pages))
    inv: self.runs.count() + sum(self.given.values()) == sum(map(self.runs.exists, range(self.runs.places)))
    """

    def __init__(self, start: int, end: int, page_shift: int) -> None:
        """All whole pages from one address up to another are free; page 0 is left out, since address 0 is no block's.

        page_shift: the binary logarithm of the bytes of a page.

        pre: 0 <= page_shift
        post: not self.given and all(self.runs.is_free(p) == self.runs.exists(p) for p in range(self.runs.places))
        post: all(self.runs.exists(p - self.first) == _lies_in(p, start, end, 2**page_shift) for p in range(16))
        """
        self.page_shift = page_shift
        self.first = max(1, start + (1 << page_shift) - 1 >> page_shift)
        pages = (end >> page_shift) - self.first
        self.runs = Runs(max(1, pages))
        self.runs.add(0, pages)
        self.given: dict[int, int] = {}

    def allocate_pages(self, pages: int) -> int | None:
        """Allocates this many consecutive pages, and returns their address; None if there are none.

        post: _handed_out(self) == _handed_out(__old__.self) | (set() if __return__ is None else {(__return__, pages)})
        post: len(_free(self)) == len(_free(__old__.self)) - (0 if __return__ is None else pages)
        post: _free(self) <= _free(__old__.self)
        post: (__return__ is None) == (__old__.self.runs.allocate(pages, 1, 0, self.runs.places) is None)
        """
        place = self.runs.allocate(pages, 1, 0, self.runs.places)
        if place is None:
            return None
        self.given[place] = pages
        return self.first + place << self.page_shift

    def free_pages(self, address: int, pages: int) -> bool:
        """Frees pages that `allocate_pages` returned; False if it returned no run of this many pages at this address.

        post: __return__ == ((address, pages) in _handed_out(__old__.self))
        post: _handed_out(self) == _handed_out(__old__.self) - {(address, pages)}
        post: len(_free(self)) == len(_free(__old__.self)) + (pages if __return__ else 0)
        post: _free(self) >= _free(__old__.self)
        """
        place = (address >> self.page_shift) - self.first
        if address & (1 << self.page_shift) - 1 or place not in self.given or self.given[place] != pages:
            return False
        del self.given[place]
        return self.runs.free(place, pages)


# Helpers of the contracts


def _free(arena: Arena) -> set[int]:
    """The places whose pages are free."""
    found = [place for place in range(arena.runs.places) if arena.runs.is_free(place)]
    return set(found)


def _handed_out(arena: Arena) -> set[tuple[int, int]]:
    """The address of each run that was handed out, and how many pages it has."""
    found = [(arena.first + place << arena.page_shift, pages) for place, pages in arena.given.items()]
    return set(found)


def _lies_in(page: int, start: int, end: int, size: int) -> bool:
    """Whether a page that is not page 0 lies between two addresses whole."""
    return page > 0 and start <= page * size and (page + 1) * size <= end
