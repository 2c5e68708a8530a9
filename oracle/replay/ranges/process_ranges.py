"""The address spaces of one trace, whatever their ranges are made of: which there are, and of which process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeAlias, TypeVar

from memoracle.diagnostics.divergence import Finding, of_unknown_process
from memoracle.diagnostics.levels import EXACT, Handlers, Misuses, OfUnknownProcess, Rules
from memoracle.impl.kernel_half import KernelHalf
from memoracle.replay.common.ways import Plain, PlainHandlers, over
from memoracle.replay.frames.linked_doubts import WHOLE
from memoracle.replay.ranges.address_space import AddressSpace, Owned
from memoracle.spec.clauses import Clause
from memoracle.spec.kernel_half import process_lives
from memoracle.trace import events
from memoracle.trace.numbers import number

RangeEvent: TypeAlias = (
    events.RangeAllocate | events.RangeReserve | events.RangeFree | events.RangeSize | events.RangeList
)
S = TypeVar("S", bound=AddressSpace)
R = TypeVar("R", bound="ProcessRanges[Any]")


class ProcessRanges(ABC, Generic[S]):
    """The address spaces of one trace. known: by process, of those whose ranges the trace has spoken of.

    ran_out: whether an allocation found no room that was large enough.
    """

    def __init__(self, rules: Rules, tables: KernelHalf) -> None:
        """tables says which processes live."""
        self.rules = rules
        self.geometry = rules.geometry
        self.page_size = rules.geometry.page_size
        self.safe = rules.safe
        self.exact = rules.level == EXACT
        self.tables = tables
        self.ran_out = False
        self.spread: Callable[[int, int], None] = lambda space, page: None
        self.of_unknown_process: OfUnknownProcess = lambda process, is_question: of_unknown_process(tables, process)
        # A process whose number a trace gives as a string is not found here at first, but by `space`.
        self.known: dict[int | str, S] = {}

    def end(self) -> None:
        """Nothing more is replayed: lets go of those that know these ranges."""
        self.spread = self.of_unknown_process = over

    def handlers(self) -> Handlers:
        """What replays each of these operations."""
        return {
            events.RangeAllocate: self.allocate,
            events.RangeReserve: self.reserve,
            events.RangeFree: self.free,
        }

    def plain(self) -> PlainHandlers:
        """What replays most of these operations, at less cost."""
        return {
            events.RangeAllocate: Plain(
                self.allocate_lowest if self.exact else self.allocate_any, ("process", "pages", "result")
            ),
            events.RangeFree: Plain(self.free_whole, ("process", "address", "pages")),
        }

    @abstractmethod
    def allocate_any(self, event: events.RangeAllocate, line: int) -> Finding | None:
        """Replays a `range.allocate` that names a process, pages and a result, and nothing else."""

    @abstractmethod
    def allocate_lowest(self, event: events.RangeAllocate, line: int) -> Finding | None:
        """Likewise, where it is held against what the reference would give."""

    @abstractmethod
    def free_whole(self, event: events.RangeFree, line: int) -> Finding | None:
        """Replays a `range.free` that names a process, an address and pages, and nothing else."""

    @abstractmethod
    def misuses(self) -> Misuses:
        """What of the law each of these operations breaks as it was called."""

    @abstractmethod
    def allocate(self, event: events.RangeAllocate, line: int) -> Finding | None:
        """Replays `range.allocate`."""

    @abstractmethod
    def reserve(self, event: events.RangeReserve, line: int) -> Finding | None:
        """Replays `range.reserve`."""

    @abstractmethod
    def free(self, event: events.RangeFree, line: int) -> Finding | None:
        """Replays `range.free`."""

    @abstractmethod
    def violated_by_allocate(self, event: events.RangeAllocate, line: int) -> Clause | None:
        """The first clause that refuses such a call."""

    @abstractmethod
    def refused_rightly(self, event: events.RangeFree) -> None:
        """If this block has several owners, one of them has tried to free it, and it is not there."""

    @abstractmethod
    def laid_out(self, process: int) -> S:
        """The space of a process that has just been made."""

    @abstractmethod
    def has_room(self, space: S, pages: int) -> bool:
        """Whether so many pages must be found."""

    @abstractmethod
    def room_in_words(self, space: S, pages: int) -> tuple[str, dict[str, Any]]:
        """Where there is room for so many pages: what may be given, and the state there."""

    @abstractmethod
    def around(self, process: int, address: int) -> dict[str, Any]:
        """The state around an address."""

    @abstractmethod
    def pages_at(self, process: int, address: int) -> int:
        """How many pages the block has that begins at an address of a process; 0 if none does."""

    @abstractmethod
    def owned(self, address: int, pages: int) -> Owned:
        """By what a block with several owners is known."""

    @abstractmethod
    def give_back(self, space: S, page: int, pages: int) -> None:
        """These pages are free again."""

    def gives_back(self, space: S, address: int, pages: int) -> bool:
        """Whether a block that is freed has several owners; then this one has it no more."""
        page, owned = space.area.page_at(address, self.page_size), self.owned(address, pages)
        if page in space.kernel_blocks and space.shared.owed[owned] < 2:
            return False
        if not space.shared.settle(owned):
            return False
        if page is not None and page not in space.kernel_blocks:
            self.give_back(space, page, pages)
        space.refused = None
        return True

    def space(self, process: int) -> S | None:
        """The space of a process, made if need be; None if it does not live."""
        # At level safe it is not asked where a process comes from.
        if process not in self.tables.live and not (self.safe and self.tables.create(process)):
            return None
        if process not in self.known:
            self.known[process] = self.laid_out(process)
        return self.known[process]

    def forget(self, process: int) -> S | None:
        """A process's ranges go with it; returns them."""
        return self.known.pop(process, None)

    def doubts_more(self, space: S) -> bool:
        """Whether more is in doubt of a space, now that doubts of all components are linked: then look once more."""
        before = space.doubts
        self.spread(space.process, WHOLE)
        return space.doubts != before

    def unknown_process(self, event: RangeEvent, line: int) -> Finding | None:
        """An operation of a process that does not exist; if it succeeds, the process is taken to exist from now on."""
        if not event.succeeded:
            return None
        process = number(event.process)
        is_question = isinstance(event, events.QUERIES)
        finding = self.of_unknown_process(process, is_question)
        if is_question or process not in self.tables.live:
            return finding
        self.handlers()[type(event)](event, line)
        return finding

    def violated_by_question(self, event: RangeEvent, line: int) -> Clause | None:
        return process_lives if self.space(number(event.process)) is None else None


class RangeQuestions(ABC, Generic[R]):
    """What is asked of the ranges of one trace."""

    def __init__(self, rules: Rules, ranges: R) -> None:
        self.rules = rules
        self.ranges = ranges

    def handlers(self) -> Handlers:
        """What replays each of these operations."""
        return {events.RangeSize: self.size, events.RangeList: self.list_range}

    def misuses(self) -> Misuses:
        """What of the law each of these questions breaks as it was asked."""
        return {
            events.RangeSize: self.ranges.violated_by_question,
            events.RangeList: self.ranges.violated_by_question,
        }

    @abstractmethod
    def size(self, event: events.RangeSize, line: int) -> Finding | None:
        """Replays `range.size`."""

    @abstractmethod
    def list_range(self, event: events.RangeList, line: int) -> Finding | None:
        """Replays `range.list`."""


AnyRanges: TypeAlias = ProcessRanges[Any]
