"""The blocks of a space after a fault that leaves in doubt what they are: each way in which they can be is a model.

A wrong answer changes nothing, so it does not replace what the trace explains. A leaked block is seen only by what the
implementation does later: it refuses to reserve what is free, or passes over it. The operations that follow show which
model is right, and then they are no faults of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from memoracle.impl.buddy import Buddy, order_for

MOST_MODELS = 16
MOST_PASSED_OVER = 8  # blocks that may have leaked; where more are, others are preferred on purpose


class DoubtedBlocks(Buddy):
    """Accepts what some model accepts; `keep` gets the models that do, where not all of them do, and the page taken.

    As an object it has the state of the first model, which is what the trace explains, and shares it.
    """

    def __init__(self, models: Sequence[Buddy], keep: Callable[[list[Buddy], int | None], None]) -> None:
        explained = models[0]
        self.depth = explained.depth
        self.highest = explained.highest
        self.existing = explained.existing
        self.free_blocks = explained.free_blocks
        self.allocated = explained.allocated
        self.fixed = explained.fixed
        self.models = [*models]
        self.keep = keep

    def allocate_as(self, pages: int, page: int | None) -> bool:
        """Allocates this page in the models in which the reference would; False if there is none."""
        taken = []
        for model in self.models:
            policy = model.allocate(pages)
            if policy is not None and policy != page:
                model.free(policy, pages)
            taken.append(policy is not None and policy == page)
        return self._any(taken, page)

    def reserve_block(self, order: int, page: int) -> bool:
        return self._any([model.reserve_block(order, page) for model in self.models], page)

    def free_block(self, order: int, page: int) -> bool:
        return self._any([model.free_block(order, page) for model in self.models], None)

    def _any(self, accepted: list[bool], taken: int | None) -> bool:
        if any(accepted) and not all(accepted):
            self.keep([model for model, accepts in zip(self.models, accepted, strict=True) if accepts], taken)
        return any(accepted)


def models_of(buddy: Buddy) -> list[Buddy]:
    """What the blocks can be; the first is what the trace explains."""
    return buddy.models if isinstance(buddy, DoubtedBlocks) else [buddy]


def has_room(buddy: Buddy, pages: int) -> bool:
    """Whether a free block is large enough for so many pages."""
    order = order_for(pages)
    return order is not None and any(buddy.free_blocks[order:])


def copied(buddy: Buddy) -> Buddy:
    copy = Buddy(buddy.depth, buddy.highest, whole=False)
    copy.existing = buddy.existing  # a range's pages stay the same
    copy.free_blocks = [blocks.copy() for blocks in buddy.free_blocks]
    copy.allocated, copy.fixed = dict(buddy.allocated), set(buddy.fixed)
    return copy


def with_block(buddy: Buddy, page: int, pages: int) -> Buddy | None:
    """The blocks if the one at this page has so many pages, none if it is 0; None if they can't be so."""
    if page in buddy.fixed:
        return None
    observed = copied(buddy)
    size = observed.size(page)
    if size:
        observed.free(page, size)
    return observed if pages == 0 or observed.reserve(page, pages) else None


def overlapping(buddy: Buddy, page: int, pages: int) -> list[tuple[int, int]]:
    """The first page and the order of each allocated block that overlaps these pages."""
    blocks = buddy.allocated.items()
    return [(other, order) for other, order in blocks if other < page + pages and page < other + (1 << order)]


def taken_over(buddy: Buddy, page: int, pages: int) -> Buddy | None:
    """The blocks if this one was allocated, and those that overlap it had been freed; None if they can't be so."""
    observed = copied(buddy)
    for other, order in overlapping(buddy, page, pages):
        observed.free(other, 1 << order)
    return observed if observed.reserve(page, pages) else None


def with_leaks(buddy: Buddy, blocks: Iterable[tuple[int, int]], shows: Callable[[Buddy], bool]) -> list[Buddy]:
    """Of the models in which one of these free blocks (page, pages) is allocated still, those that show what was seen.

    There are at most MOST_MODELS.
    """
    models: list[Buddy] = []
    for page, pages in blocks:
        if len(models) < MOST_MODELS and buddy.reserve(page, pages):
            if shows(buddy):
                models.append(copied(buddy))
            buddy.free(page, pages)
    return models


def passed_over(buddy: Buddy, pages: int, page: int) -> Buddy | None:
    """The blocks if all that the reference would take before this page has leaked; None if that is too much."""
    copy = copied(buddy)
    for _ in range(MOST_PASSED_OVER + 1):
        policy = copy.allocate(pages)
        if policy == page:
            copy.free(page, pages)
            return copy
    return None


def policy_of(buddy: Buddy, pages: int) -> int | None:
    """The page that the reference takes for a block of so many pages; None if there is no room."""
    policy = buddy.allocate(pages)
    if policy is not None:
        buddy.free(policy, pages)
    return policy
