"""The blocks of a space of which a wrong answer was given: those that the trace explains, and those that were told.

A question changes nothing, so what was told does not replace what the trace explains. But the operations that follow
may show that it is so, and then they are no faults of their own.
"""

from __future__ import annotations

from collections.abc import Callable

from memoracle.impl.buddy import Buddy


class DoubtedBlocks(Buddy):
    """Accepts what either accepts, until only one of them does; `settle` gets that one.

    As an object it has the state of what the trace explains, which is shared with `explained`. gone: the blocks that
    are not allocated by what was told.
    """

    def __init__(self, explained: Buddy, observed: Buddy, settle: Callable[[Buddy], None]) -> None:
        self.depth = explained.depth
        self.free_blocks = explained.free_blocks
        self.allocated = explained.allocated
        self.fixed = explained.fixed
        self.explained = explained
        self.observed = observed
        self.gone = explained.allocated.keys() - observed.allocated.keys()
        self.settle = settle

    def allocate(self, pages: int) -> int | None:
        page = super().allocate(pages)
        if page is not None and not self.observed.reserve(page, 1 << self.allocated[page]):
            self.settle(self.explained)
        return page

    def reserve(self, page: int, pages: int) -> bool:
        return self._either(super().reserve(page, pages), self.observed.reserve(page, pages))

    def free(self, page: int, pages: int) -> bool:
        return self._either(super().free(page, pages), self.observed.free(page, pages))

    def _either(self, here: bool, there: bool) -> bool:
        if here != there:
            self.settle(self.explained if here else self.observed)
        return here or there


def with_block(buddy: Buddy, page: int, pages: int) -> Buddy | None:
    """The blocks as they must be if the one at this page has so many pages, none if it is 0; None if they can't be."""
    observed = Buddy(buddy.depth)
    for other, order in buddy.allocated.items():
        if other in buddy.fixed:
            observed.fix(other, 1 << order)
        elif other != page:
            observed.reserve(other, 1 << order)
    return observed if pages == 0 or observed.reserve(page, pages) else None
