"""What a trace exercised: a conforming trace that never ran out of memory says nothing of what happens then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from memoracle.spec import (
    addresses,
    bitmap,
    boot,
    buddy,
    given_runs,
    heap,
    kernel_half,
    kernel_pages,
    manager,
    manager_gets,
    manager_mappings,
    manager_ranges,
    paging,
    pat,
    pte,
    run_lists,
    runs,
    zones,
)
from memoracle.spec.clauses import Clause, Operation
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import BUDDY, PARTIAL, RUNS
from memoracle.trace import events
from memoracle.trace.events import AnyEvent, Crash, Event

KINDS: tuple[type[Event], ...] = AnyEvent.__args__


@dataclass(frozen=True)
class AtStake:
    """What the calls of an operation may put to the test.

    calls: clauses that refuse a call as it is made, whatever comes of it; only a call that breaks one tests it.
    answers: clauses about what the implementation chose or answered; every call that succeeds tests them.
    """

    calls: tuple[Clause, ...] = ()
    answers: tuple[Clause, ...] = ()


COUNTERS = (paging.use_can_be_counted, manager_gets.get_can_be_counted)


def guard(operation: Operation, choice: str = "", known: str = "") -> AtStake:
    """Of an operation's guard. choice: the point that the implementation chooses and the trace records.

    known: the points that the law leaves to a choice, but that the arguments determine. Clauses about other choices
    concern what no trace records; no trace has as many uses of a frame as a counter counts; and no block that lies in
    the range is larger than the largest, where this is the range.
    """
    hidden = set(operation.chooses) - {choice, *known.split()}
    never = (*COUNTERS, buddy.block_is_no_larger)
    guards = (clause for clause in operation.guard if clause.points and clause not in never)
    asked = [clause for clause in guards if hidden.isdisjoint(clause.points)]
    answers = tuple(clause for clause in asked if choice in clause.points)
    return AtStake(tuple(clause for clause in asked if clause not in answers), answers)


def joined(*parts: AtStake, calls: Iterable[Clause] = (), answers: Iterable[Clause] = ()) -> AtStake:
    return AtStake(
        (*(clause for part in parts for clause in part.calls), *calls),
        (*(clause for part in parts for clause in part.answers), *answers),
    )


ALIGNED, LIVES = addresses.address_is_aligned, kernel_half.process_lives
ENTRIES = (LIVES, kernel_half.entry_exists)
READ = (kernel_half.reads_the_entry, kernel_half.equal_at_rest, kernel_half.is_present_where_used)
MAPPED = (LIVES, addresses.address_has_64_bits)
AT_STAKE: dict[type, AtStake] = {
    events.Boot: AtStake((boot.boot_comes_first, boot.record_has_64_bits)),
    events.FrameAllocate: joined(
        guard(bitmap.allocate, "frame"),
        answers=[ALIGNED, *bitmap.allocate_within.guard],
    ),
    events.FrameReserve: joined(guard(bitmap.reserve), calls=[ALIGNED]),
    events.FrameFree: joined(guard(bitmap.free), calls=[ALIGNED, manager.takes_back_what_was_given]),
    events.FrameGet: joined(guard(manager_gets.get), calls=[ALIGNED]),
    events.FramePut: joined(guard(manager_gets.put), calls=[ALIGNED]),
    events.MemoryAdd: AtStake((bitmap.adds_only_what_is_missing, boot.record_has_64_bits)),
    events.FrameIsFree: joined(guard(bitmap.is_free), answers=[bitmap.tells_whether_free]),
    events.FrameFreeCount: AtStake((), (bitmap.tells_the_count,)),
    events.ProcessCreate: guard(kernel_half.create, "process"),
    events.ProcessExit: guard(kernel_half.exit),
    events.RangeAllocate: joined(guard(buddy.allocate, "page", known="order"), calls=[LIVES], answers=[ALIGNED]),
    events.RangeReserve: joined(guard(buddy.reserve, known="order"), calls=[LIVES, ALIGNED]),
    events.RangeFree: joined(
        guard(buddy.free, known="order"), calls=[LIVES, ALIGNED, manager_ranges.frees_no_kernel_block]
    ),
    events.RangeSize: AtStake((LIVES,), (buddy.size_is_of_the_block,)),
    events.RangeList: AtStake(
        (LIVES,), (ALIGNED, buddy.lists_in_address_order, buddy.block_lies_in_range, buddy.lists_the_block)
    ),
    events.PageMap: guard(paging.map_page),
    events.PageUnmap: joined(guard(paging.unmap), calls=[manager_mappings.unmaps_no_kernel_page]),
    events.PageTranslate: AtStake(MAPPED, (paging.nothing_is_mapped, paging.translates_what_is_mapped)),
    events.PageAttributes: AtStake(MAPPED, (paging.nothing_is_mapped, paging.attributes_are_the_mappings)),
    events.KernelPagesAllocate: joined(
        guard(buddy.allocate, "page", known="order"),
        answers=[ALIGNED, kernel_pages.frames_suffice, kernel_pages.each_page_has_its_frame, paging.page_is_unmapped],
    ),
    events.KernelPagesFree: AtStake((kernel_pages.begins_kernel_pages, kernel_pages.frees_them_whole)),
    events.Pml4Write: AtStake((*ENTRIES, kernel_half.value_is_an_entry)),
    events.Pml4Read: AtStake(ENTRIES, (kernel_half.value_is_an_entry, *READ)),
    events.Pml4Dump: AtStake((LIVES,), (kernel_half.table_is_whole, kernel_half.value_is_an_entry, *READ)),
    events.PatRegister: AtStake((), (pat.reads_the_register,)),
    events.PatSelect: AtStake((pat.index_has_the_type,), (pat.index_is_allowed,)),
    events.PatDecode: joined(guard(pat.decode), answers=[pat.tells_the_type]),
    events.PteEncode: guard(pte.encode, "value"),
    events.PteDecode: joined(guard(pte.decode), answers=pte.READ),
    events.HeapNew: guard(heap.new, "address"),
    events.HeapDelete: guard(heap.delete),
    events.HeapResize: guard(heap.resize, "address"),
}
# Where the allocator hands out runs of frames.
OF_RUNS: dict[type, AtStake] = {
    events.FrameAllocate: AtStake(
        (runs.run_has_a_place, bitmap.alignment_is_a_power_of_two, given_runs.block_is_not_too_large),
        (ALIGNED, runs.run_is_aligned, runs.run_lies_within_limits, runs.run_lies_in_reach, runs.run_is_free),
    ),
    events.FrameReserve: joined(guard(runs.reserve), calls=[ALIGNED]),
    events.FrameFree: joined(
        guard(runs.free), calls=[ALIGNED, manager.takes_back_what_was_given, given_runs.frees_a_whole_run]
    ),
}
TAKES_A_BLOCK = (events.RangeAllocate, events.RangeReserve, events.KernelPagesAllocate)
# The ranges of a geometry that hands out runs of pages, all of which exist.
FREES_RUNS = joined(guard(runs.free), calls=[LIVES, ALIGNED, manager_ranges.frees_no_kernel_block])
RUN_ANSWERS = (run_lists.lists_in_order, runs.run_lies_in_reach, run_lists.lists_one_state)
AT_STAKE_IN_RUNS: dict[type, AtStake] = {
    events.RangeAllocate: joined(guard(runs.allocate, "first"), calls=[LIVES], answers=[ALIGNED]),
    events.RangeReserve: joined(guard(runs.reserve), calls=[LIVES, ALIGNED]),
    events.RangeFree: AtStake(tuple(each for each in FREES_RUNS.calls if each is not runs.frees_only_existing)),
    events.RangeSize: AtStake((LIVES,), (run_lists.size_is_of_places_in_use,)),
    events.RangeList: AtStake((LIVES,), (ALIGNED, runs.run_has_a_place, *RUN_ANSWERS)),
    events.KernelPagesAllocate: AtStake(
        (runs.run_has_a_place,),
        (runs.run_lies_in_reach, runs.run_is_free, *AT_STAKE[events.KernelPagesAllocate].answers[-4:]),
    ),
}


def stakes_of(geometry: Geometry) -> dict[type, AtStake]:
    """What the calls of each operation may put to the test, as this geometry hands out what it has."""
    stakes = AT_STAKE | stakes_of_frames(geometry)
    if geometry.range_allocator != RUNS:
        largest = () if geometry.range_max_order is None else (buddy.block_is_no_larger,)
        return stakes | {kind: joined(stakes[kind], calls=largest) for kind in TAKES_A_BLOCK}
    stakes |= AT_STAKE_IN_RUNS
    if geometry.range_free != PARTIAL:
        stakes[events.RangeFree] = joined(stakes[events.RangeFree], calls=[given_runs.frees_a_whole_run])
        stakes[events.RangeSize] = AtStake((LIVES,), (run_lists.size_is_of_the_given_run,))
    return stakes


def stakes_of_frames(geometry: Geometry) -> dict[type, AtStake]:
    """What of these is otherwise where runs of frames are handed out."""
    if not geometry.has_runs_of_frames:
        return {}
    never = {
        *(() if geometry.frame_allocator == BUDDY else (given_runs.block_is_not_too_large,)),
        *(() if geometry.frees_whole_runs else (given_runs.frees_a_whole_run,)),
    }
    stakes = {
        kind: AtStake(tuple(clause for clause in stake.calls if clause not in never), stake.answers)
        for kind, stake in OF_RUNS.items()
    }
    if geometry.zones:
        chosen = AtStake(answers=(zones.zone_is_named, zones.run_lies_in_zone))
        stakes[events.FrameAllocate] = both(stakes[events.FrameAllocate], chosen)
        counted = AtStake(answers=(zones.tells_the_count_of_a_zone,))
        stakes[events.FrameFreeCount] = both(AT_STAKE[events.FrameFreeCount], counted)
    return stakes


# At level safe no other event is judged.
JUDGED_FOR_SAFETY = (
    events.Boot,
    events.FrameAllocate,
    events.FrameReserve,
    events.FrameFree,
    events.RangeAllocate,
    events.RangeReserve,
    events.RangeFree,
    events.KernelPagesAllocate,
    events.KernelPagesFree,
    events.HeapNew,
    events.HeapDelete,
    events.HeapResize,
)


@dataclass
class Coverage:
    """stakes: what the calls of each kind of event may put to the test.

    events, failed: how many there were of each kind of event, and how many of them failed.
    broken: by kind of event and name of a clause, how many calls, or answers, broke it.
    frames_ran_out, ranges_ran_out: whether at any moment no frame was free, or no block was large enough for what was
    asked.
    """

    safe: bool = False
    stakes: Mapping[type, AtStake] = field(default_factory=lambda: AT_STAKE)
    events: dict[type, int] = field(default_factory=lambda: dict.fromkeys((*KINDS, Crash), 0))
    failed: dict[type, int] = field(default_factory=lambda: dict.fromkeys((*KINDS, Crash), 0))
    broken: Counter[tuple[type, str]] = field(default_factory=Counter)
    frames_ran_out: bool = False
    ranges_ran_out: bool = False

    def untested(self, kind: type) -> list[str]:
        """The names of the clauses that no event of this kind put to the test."""
        return [name for name, count in self.tested(kind).items() if not count]

    def tested(self, kind: type) -> dict[str, int]:
        """By the name of each clause that events of this kind can put to the test, how many of them did."""
        stake = self.stakes.get(kind, AtStake())
        judged = not self.safe or kind in JUDGED_FOR_SAFETY
        answered = self.events[kind] - self.failed[kind] if judged else 0
        broken = {clause.name: self.broken[kind, clause.name] for clause in (*stake.calls, *stake.answers)}
        return broken | {clause.name: max(answered, broken[clause.name]) for clause in stake.answers}

    def add(self, other: Coverage) -> None:
        """Counts what another trace exercised, too."""
        self.safe &= other.safe
        if self.stakes != other.stakes:
            self.stakes = {kind: both(self.stakes.get(kind, AtStake()), other.stakes[kind]) for kind in KINDS}
        for kind in KINDS:
            self.events[kind] += other.events[kind]
            self.failed[kind] += other.failed[kind]
        self.broken += other.broken
        self.frames_ran_out |= other.frames_ran_out
        self.ranges_ran_out |= other.ranges_ran_out


def both(one: AtStake, other: AtStake) -> AtStake:
    """What either puts to the test."""
    return AtStake(
        tuple(dict.fromkeys((*one.calls, *other.calls))), tuple(dict.fromkeys((*one.answers, *other.answers)))
    )


def total(parts: Iterable[Coverage]) -> Coverage:
    """What several traces exercised together."""
    whole = Coverage(safe=True, stakes={})
    for part in parts:
        whole.add(part)
    return whole
