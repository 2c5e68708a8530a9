"""The address space of one process in a replay: its blocks, where they come from, and what is in doubt of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from memoracle.impl.buddy import Buddy, order_for
from memoracle.replay.containers.pieces import gaps
from memoracle.replay.containers.run_lines import no_lines
from memoracle.replay.ranges.address_space import AddressSpace
from memoracle.replay.ranges.doubted_blocks import (
    MOST_MODELS,
    DoubtedBlocks,
    copied,
    has_room,
    models_of,
    overlapping,
    passed_over,
    policy_of,
    taken_over,
    with_block,
    with_leaks,
)
from memoracle.spec.geometry_keys import Range

MOST_PAGES = 1 << 22  # of a range, for each of which there is a line
REMEMBERED = 1 << 10  # freed blocks, at the most, that may turn out to have leaked


class Space(AddressSpace):
    """The address space of one process, whose blocks are those of a buddy system.

    page_named: the page that starts at an address, as a trace writes it, or by its digits; raises BadNumber.
    lines: of each page, the line that last allocated a block there, be it live or not; None where `made` is kept.
    freed: the first page and the order of the latest blocks that were freed: what is free since then may have leaked.
    shared: by address and order.
    """

    def __init__(
        self, process: int, area: Range, buddy: Buddy, page_named: Callable[[int | str | bytes], int | None]
    ) -> None:
        """buddy: its blocks at the start."""
        super().__init__(process, area)
        self.buddy = buddy
        self.page_named = page_named
        self.lines: memoryview | None = None
        self.kept: dict[int, int] = {}
        self.freed: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)

    @property
    def made(self) -> dict[int, int]:
        """By its first page, the line that allocated each live block; from now on it is kept."""
        if self.lines is not None:
            lines, self.lines = self.lines, None
            self.kept = {page: lines[page] for page in self.buddy.allocated if lines[page]}
        return self.kept

    def keep_lines(self) -> None:
        """Keeps a line for each page, if they are few: where blocks come and go, that takes less."""
        if self.lines is None and self.area.pages <= MOST_PAGES and not isinstance(self.buddy, DoubtedBlocks):
            lines = no_lines(self.area.pages, "Q")
            for page, line in self.kept.items():
                lines[page] = line
            self.lines, self.kept = lines, {}

    def note(self, page: int, line: int) -> None:
        """This line has allocated the block at this page."""
        if self.lines is None:
            self.kept[page] = line
        else:
            self.lines[page] = line

    def forget(self, page: int) -> None:
        """There is no block at this page any more."""
        if self.lines is None:
            self.kept.pop(page, None)
        else:
            self.lines[page] = 0

    def line(self, page: int) -> int:
        """The line that allocated the block at this page; 0 if none did."""
        if self.lines is None:
            return self.kept.get(page, 0)
        return self.lines[page] if page in self.buddy.allocated else 0

    @property
    def explained(self) -> Buddy:
        """The blocks as the trace explains them."""
        return models_of(self.buddy)[0]

    def keep(self, models: Sequence[Buddy], taken: int | None = None) -> None:
        """These are the blocks, as far as is known; the first are what the trace explains.

        taken: where a block was taken, if that has shown it; then one of kernel pages that was there is gone.
        """
        if taken is not None:
            self.kernel_blocks.discard(taken)
            self.lost_kernel_blocks.discard(taken)
        made = self.made
        self.buddy = models[0] if len(models) == 1 else DoubtedBlocks(models, self.keep)
        for page in made.keys() - models[0].allocated.keys():
            del made[page]
            self.lose_kernel_block(page)

    def doubt(self, others: Iterable[Buddy | None]) -> None:
        """The blocks may be one of these, too; the oldest doubts are dropped where there are too many."""
        models = [self.explained]
        for model in [*others, *models_of(self.buddy)[1:]]:
            if model is not None and all(model.allocated != other.allocated for other in models):
                models.append(model)
        if len(models) > 1:
            self.keep(models[:MOST_MODELS])

    @property
    def doubts(self) -> object:
        return self.buddy

    def is_allocated_whole(self, page: int, pages: int) -> bool:
        return any(model.size(page) == rounded(pages) for model in models_of(self.buddy))

    def seems_allocated(self, page: int, pages: int) -> bool:
        return not self.line(page) and with_block(self.explained, page, rounded(pages)) is not None

    def take_back(self, page: int, pages: int) -> None:
        self.buddy.free(page, pages)
        if page not in self.explained.allocated:
            self.forget(page)

    def having(self, page: int) -> list[Buddy]:
        return [model for model in map(copied, models_of(self.buddy)) if model.size(page)]

    def may_be_there(self, page: int, pages: int) -> None:
        models, size = models_of(self.buddy), rounded(pages)
        if all(model.size(page) != size for model in models):
            self.doubt([with_block(model, page, size) for model in models])

    def may_have(self, other: Space) -> None:
        self.doubt(models_of(other.buddy))

    def remember_freed(self, page: int, pages: int, line: int) -> None:
        self.freed.append((page, order_for(pages) or 0))

    def free_stretches(self) -> Iterator[tuple[int, int]]:
        taken = ((page, page + self.buddy.size(page)) for page in sorted(self.buddy.allocated))
        first = self.buddy.existing.runs.first(1, 0) or 0
        return gaps(taken, first, self.buddy.existing.next_out(first))

    def settle(self, answers: Callable[[Buddy], bool]) -> None:
        """An answer is what the trace explains: the models that would have answered otherwise are dropped."""
        models = models_of(self.buddy)
        if len(models) > 1:
            self.keep([model for model in models if answers(model)])

    def agrees(self, answers: Callable[[Buddy], bool]) -> bool:
        """Whether some model in doubt would have answered so; the others are dropped but what the trace explains."""
        models = [model for model in models_of(self.buddy)[1:] if answers(model)]
        if models:
            self.keep([self.explained, *models])
        return bool(models)

    def suspects(self, page: int, pages: int) -> list[tuple[int, int]]:
        """The blocks that were freed and overlap these pages, the latest first; free or not."""
        blocks = [(first, 1 << order) for first, order in reversed(self.freed)]
        return [(first, size) for first, size in blocks if first < page + pages and page < first + size]

    # What was observed, and what it shows

    def was_refused(self, page: int, pages: int) -> None:
        """A block that is free was not reserved: some of it may be allocated still."""
        blocks = [*self.suspects(page, pages), (page, pages)]
        self.doubt(with_leaks(self.explained, blocks, lambda buddy: True))

    def was_not_freed(self, page: int) -> None:
        """A block that is allocated was not freed: it may be gone."""
        self.doubt([with_block(self.explained, page, 0)])

    def was_taken_over(self, page: int, pages: int) -> None:
        """A block was allocated that is not free: those that overlap it may be gone."""
        self.doubt([taken_over(self.explained, page, pages)])

    def overlapped(self, page: int, pages: int) -> set[tuple[int, int]]:
        """The first page, and how many, of each block that overlaps these pages, or may."""
        found = ((model, *block) for model in models_of(self.buddy) for block in overlapping(model, page, pages))
        return {(other, 1 << order) for model, other, order in found if other not in model.fixed}

    def give_back(self, page: int, pages: int) -> None:
        """A block that has several owners was freed: by the models that have it, the others know nothing of it."""
        models = models_of(self.buddy)
        for model in models:
            model.free(page, pages)
        self.keep(
            [each for n, each in enumerate(models) if all(each.allocated != other.allocated for other in models[:n])]
        )

    def has_lost_room(self, pages: int) -> None:
        """No block of so many pages was found where there is one: all that would do may be allocated still."""
        wanted = order_for(pages) or 0
        orders = enumerate(self.explained.free_blocks[wanted:], wanted)
        large = [(block << order, 1 << order) for order, blocks in orders for block in islice(blocks, MOST_MODELS)]
        blocks = [suspect for block in large for suspect in self.suspects(*block)]
        self.doubt(with_leaks(self.explained, [*blocks, *large], lambda buddy: not has_room(buddy, pages)))

    def was_passed_over(self, policy: int, page: int, pages: int) -> None:
        """This page was allocated, and not what the reference takes, which may be allocated still; call it before."""
        explained, order = self.explained, order_for(pages) or 0
        whole = order
        while policy >> whole not in explained.free_blocks[whole]:
            whole += 1
        blocks = [*self.suspects(policy, 1 << whole), *((policy, 1 << size) for size in range(order, whole + 1))]
        blocks += [block for block in self.suspects(0, self.area.pages) if block not in blocks]
        leaks = with_leaks(explained, blocks, lambda buddy: policy_of(buddy, pages) == page)
        self.doubt([*leaks, passed_over(explained, pages, page)])


def rounded(pages: int) -> int:
    """How many pages the block for so many has."""
    return 1 << (order_for(pages) or 0)
