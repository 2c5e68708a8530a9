"""Proofs of what follows from the manager's law.

For users: no page of a range is lost, operations that undo others restore the state, and exit frees what only the
process mapped. For the components: the guards of the manager's operations imply those of the components that these
call, so what the components guarantee may be assumed of the manager's state. And callers who keep their contract go on
doing so after every operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from memoracle.proofs.components.manager.law import LAW, assert_same_but_ghosts, proved, unknown
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.primed import Renamed
from memoracle.spec import bitmap, manager_gets, manager_law, manager_mappings, manager_pages, manager_ranges, paging
from memoracle.spec import manager as law
from memoracle.spec.clauses import Clause, Number, Operation, Truth, implies
from memoracle.spec.kernel_half import process_lives


def keeps_blocks(operation: Operation) -> Obligation:
    """That an operation loses no page: what is taken of a range, unless it was reserved at the start, can be freed."""
    clause = manager_law.can_be_freed_for_good

    @proved(f"{law_obligations.short(operation)}.loses-no-page", "theorem", f"after {operation.name}, {clause.says}")
    def body(run: Run) -> None:
        before, after, _ = law_obligations.happens(run, LAW, operation)
        points = run.point_of_each(clause.points)
        run.touch(("process", "kernel_page"), tuple(points.values()))
        run.assert_goal(clause.says, clause(manager_law.Step(before, after), *points.values()))

    return body


@proved("give-range.frees-what-is-taken", "theorem", "a block is freed only where pages are taken")
def frees_what_is_taken(run: Run) -> None:
    before, _, values = law_obligations.happens(run, LAW, manager_ranges.give_range)
    at = values["process"], values["first"]
    run.touch(("process", "kernel_page"), at)
    run.assert_goal("the first page was taken", before.taken(*at))


@proved(
    "begin-pages.lies-in-the-range", "theorem", "no page of a block of kernel pages lies outside the kernel's range"
)
def begins_in_the_range(run: Run) -> None:
    """Any numbers, even those of no page: where pages are named by addresses, some lie below the range."""
    state, first, pages, page = unknown(run), *(run.any_number(each) for each in ("first", "pages", "kernel_page"))
    run.assume(manager_pages.block_lies_in_the_range(state, first, pages), law.among(page, first, pages))
    run.assert_goal("the page is one of the range", (0 <= page) & (page < state.kernel_range))


def frees_nothing_used(operation: Operation) -> Obligation:
    """That an operation frees no frame that is used, of those that callers have."""
    clause = manager_law.is_freed_after_its_last_use
    name = f"{law_obligations.short(operation)}.frees-nothing-used"

    @proved(name, "theorem", f"after {operation.name}, {clause.says}")
    def body(run: Run) -> None:
        before, after, _ = law_obligations.happens(run, LAW, operation)
        run.assert_goal(clause.says, clause(manager_law.Step(before, after), run.point("frame")))

    return body


def undoes(
    first: Operation, second: Operation, values_of: Callable[[Mapping[str, Number]], Sequence[Number]]
) -> Obligation:
    """That the second of two operations is allowed after the first, and restores the state."""
    name = f"{law_obligations.short(second)}-after-{law_obligations.short(first)}"
    claim = f"after {first.name}, {second.name} is allowed and restores the state"

    @proved(name, "theorem", claim)
    def body(run: Run) -> None:
        before, between, values = law_obligations.happens(run, LAW, first)
        ask = dict(zip(second.points, values_of(values), strict=True))
        for clause in second.guard:
            at = {**run.point_of_each(clause.points), **ask}
            run.assert_goal(clause.says, clause(between, *(at[point] for point in clause.points)))
        assert_same_but_ghosts(run, before, second(between, *ask.values()))

    return body


def contract_is_kept(operation: Operation, *behaving: Clause) -> Obligation:
    """That callers still keep their contract after an operation that satisfies these clauses."""
    name = f"{law_obligations.short(operation)}.is-no-misbehaviour"
    kept = "".join(f", if {clause.says}" for clause in behaving)

    @proved(
        name, "theorem", f"after {operation.name} callers have kept their contract with every frame as before{kept}"
    )
    def body(run: Run) -> None:
        before, after, values = law_obligations.happens(run, LAW, operation)
        run.assume(*(clause(before, *(values[point] for point in clause.points)) for clause in behaving))
        frame = run.point("frame")
        run.assert_goal(
            "the contract is kept as before",
            implies(before.callers_kept_contract(frame), after.callers_kept_contract(frame)),
        )

    return body


@proved(
    "exit-frees-what-only-it-mapped",
    "theorem",
    f"{manager_law.exit_frees_what_only_it_mapped.says}, since each use of a frame is a page that shows it",
)
def exit_frees(run: Run) -> None:
    before, process = unknown(run), run.point("process")
    renamed: Any = Renamed(run, "-after", ("count",))
    after = unknown(renamed, before.page_shift)
    run.assume_all((law.only_memory_is_used, *paging.INVARIANTS), before)
    run.assume_all(paging.INVARIANTS, after)
    whole = manager_law.Exit(before, after)
    for clause in manager_law.EXIT:
        others = tuple(point for point in clause.points if point != "process")
        run.assume_for_all(others, partial(_of_process, clause, whole, process))
    clause = manager_law.exit_frees_what_only_it_mapped
    points = {**run.point_of_each(clause.points), "process": process}
    run.assert_goal(clause.says, clause(whole, *(points[point] for point in clause.points)))


def _of_process(clause: Clause, whole: manager_law.Exit, process: Number, *others: Number) -> Truth:
    """A clause about an exit, of this process and at these other points."""
    left = iter(others)
    return clause(whole, *(process if point == "process" else next(left) for point in clause.points))


Values: TypeAlias = Mapping[str, Number]


def as_they_are(s: law.Memory, values: Values) -> Values:
    """The same values, where a component has the same parameters."""
    return values


def of_a_page(s: law.Memory, values: Values) -> Values:
    """The values for mapping a page to a frame."""
    return {**values, "physical": values["frame"] << s.page_shift}


def of_the_next_page(s: law.Memory, values: Values) -> Values:
    """The values for mapping the next page of a block of kernel pages."""
    virtual = law.address_of(s, values["first"] + s.pages_at(values["first"]))
    return of_a_page(s, {**values, "process": 0, "virtual": virtual})


def of_the_last_page(s: law.Memory, values: Values) -> Values:
    """The values for unmapping the last page of a block of kernel pages."""
    page = values["first"] + s.pages_at(values["first"]) - 1
    return {"frame": s.frame_at(page), "process": 0, "virtual": law.address_of(s, page)}


def component_allows(
    operation: Operation, guard: Sequence[Clause], values_of: Callable[[law.Memory, Values], Values] = as_they_are
) -> Obligation:
    """That an operation's guard implies these clauses of components' guards.

    values_of: the components' arguments and choices, given those of the operation.
    """
    claim = f"{operation.name} satisfies the guards of its components: {'; '.join(clause.says for clause in guard)}"

    @proved(f"{law_obligations.short(operation)}.is-allowed", "theorem", claim)
    def body(run: Run) -> None:
        before, _, values = law_obligations.happens(run, LAW, operation)
        asked = values_of(before, values)
        for clause in guard:
            at = {**run.point_of_each(clause.points), **asked}
            run.assert_goal(clause.says, clause(before, *(at[point] for point in clause.points)))

    return body


# The operations that change which pages of ranges are taken
RANGES = (
    law.end,
    manager_ranges.take_range,
    manager_ranges.give_range,
    manager_pages.begin_pages,
    manager_pages.end_pages,
)
# Of paging's guards, those for the manager to keep to: whether an address or a leaf is legal, the page tables decide.
MAPS = (process_lives, paging.page_is_unmapped, paging.use_can_be_counted)
UNMAPS = (process_lives, paging.page_is_mapped)
THEOREMS = (
    component_allows(law.add, (bitmap.adds_only_in_reach,)),  # which frames are in use is the manager's own state
    component_allows(law.allocate, bitmap.allocate.guard),
    component_allows(law.free, bitmap.free.guard),
    component_allows(law.release, bitmap.free.guard),
    component_allows(law.take_table, bitmap.allocate.guard),
    component_allows(law.give_table, bitmap.free.guard),
    component_allows(manager_mappings.map_page, MAPS, of_a_page),
    component_allows(manager_mappings.unmap, UNMAPS),
    component_allows(law.create, (*paging.begin.guard, *bitmap.allocate.guard)),
    component_allows(law.end, (*paging.end.guard, *bitmap.free.guard)),
    component_allows(manager_pages.extend_pages, (*MAPS, *bitmap.allocate.guard), of_the_next_page),
    component_allows(manager_pages.shrink_pages, (*UNMAPS, *bitmap.free.guard), of_the_last_page),
    contract_is_kept(manager_mappings.map_page, manager_mappings.maps_only_allocated),
    contract_is_kept(manager_mappings.unmap),
    contract_is_kept(law.free, law.nothing_maps_it, law.no_get_is_left),
    contract_is_kept(manager_gets.get),
    contract_is_kept(manager_gets.put),
    contract_is_kept(law.release),
    law_obligations.leaves(LAW, law.end, manager_law.nothing_of_it_is_left),
    law_obligations.leaves(LAW, law.release, manager_law.released_frames_are_free),
    *(frees_nothing_used(each) for each in manager_law.OPERATIONS if each is not law.free),
    *map(keeps_blocks, RANGES),
    frees_what_is_taken,
    begins_in_the_range,
    exit_frees,
    undoes(law.allocate, law.free, lambda of: [of["frame"]]),
    undoes(law.take_table, law.give_table, lambda of: [of["frame"]]),
    undoes(manager_mappings.map_page, manager_mappings.unmap, lambda of: [of["process"], of["virtual"]]),
    undoes(manager_gets.get, manager_gets.put, lambda of: [of["frame"]]),
    undoes(law.create, law.end, lambda of: [of["process"], of["frame"]]),
    undoes(manager_ranges.take_range, manager_ranges.give_range, lambda of: [of["process"], of["first"], of["pages"]]),
    undoes(manager_pages.begin_pages, manager_pages.end_pages, lambda of: [of["first"]]),
    undoes(manager_pages.extend_pages, manager_pages.shrink_pages, lambda of: [of["first"]]),
)
