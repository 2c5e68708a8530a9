"""Counts states and transitions, and compares the counts with numbers that this project did not choose.

Each is computed by an exhaustive run of the reference, again by counting the models of the law's clauses, and by a
formula; the three must agree. Beyond the sizes that can be run, only the formula is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import product

from memoracle.impl.bitmap import Bitmap
from memoracle.impl.kernel_half import KernelHalf
from memoracle.proofs.abstraction.objects import blocks_of
from memoracle.proofs.counting import formulas
from memoracle.proofs.counting.buddy_census import Census, Forgetful, census
from memoracle.proofs.exhaustive.finite_states import Domain, choices, settled
from memoracle.proofs.exhaustive.snapshots import duplicate
from memoracle.proofs.exhaustive.systems import buddy_domain
from memoracle.proofs.obligations.obligation import Computation
from memoracle.spec import bitmap as bitmap_law
from memoracle.spec import blocks as blocks_law
from memoracle.spec import buddy as buddy_law
from memoracle.spec import kernel_half as half_law
from memoracle.spec.clauses import Clause

DEPTHS = (0, 1, 2, 3)
FRAMES = (0, 1, 2, 3, 4)
TABLES = ((1, 2, 2), (2, 2, 2), (3, 2, 2), (2, 3, 2), (2, 2, 3))  # processes, entries, values


# Runs of the reference


@cache
def counted(depth: int) -> Census:
    """Every reachable state of a range. It is run once."""
    return census(depth)


def lawful_transitions(depth: int) -> int:
    """In all reachable states together, the choices that the law allows of every allocation and free."""
    domain, total = buddy_domain(depth), 0
    for buddy in counted(depth).buddies():
        state = settled(blocks_of(buddy))
        sizes = [{"pages": 1 << order} for order in range(depth + 1)]
        frees = [{"pages": 1 << order, "page": page} for page, order in buddy.allocated.items()]
        total += sum(len(choices(buddy_law.allocate, state, given, domain)) for given in sizes)
        total += sum(len(choices(buddy_law.free, state, given, domain)) for given in frees)
    return total


def bitmap_run(frames: int) -> tuple[int, int, int]:
    """Of a bitmap with so many frames beside one that is never free: states, allocations and frees in them."""
    start = Bitmap(frames + 1, [(0, 1)])
    start.add(1, frames + 1)
    known, queue, taken, freed = {tuple(start.words)}, [start], 0, 0
    for bitmap in queue:
        for frame in range(1, frames + 1):
            after = duplicate(bitmap)
            if after.take(frame):
                taken += 1
            else:
                freed += bool(after.free(frame))
            if tuple(after.words) not in known:
                known.add(tuple(after.words))
                queue.append(after)
    return len(queue), taken, freed


def half_run(processes: int, entries: int, values: int) -> int:
    """How many states writes to so many upper entries reach; each with so many processes whose halves are equal."""
    start = KernelHalf()
    for process in range(1, processes):
        start.create(process)
    known, queue = {_halves(start)}, [start]
    for tables in queue:
        for index, value in product(range(entries), range(values)):
            after = duplicate(tables)
            after.write(0, half_law.FIRST + index, value)
            if _halves(after) not in known:
                known.add(_halves(after))
                queue.append(after)
    return sum(len(set(halves)) == 1 and len(halves) == processes for halves in known)


def _halves(tables: KernelHalf) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(table[half_law.FIRST :]) for table in tables.tables.values())


# Models of clauses


def models(
    cells: Mapping[tuple[object, ...], Sequence[int]],
    state: Callable[[Callable[..., int]], object],
    clauses: Sequence[Clause],
    domain: Domain,
) -> int:
    """How many ways there are to fill the cells such that every clause holds at every point.

    A clause is evaluated as soon as every cell that it reads is filled, so that few ways are tried in vain.
    state: the state whose functions read the cells by name and points.
    """
    filled: dict[tuple[object, ...], int] = {}
    here = state(lambda *cell: filled[cell])
    order = list(cells)

    def undecided(open_: Sequence[tuple[Clause, tuple[int, ...]]]) -> list[tuple[Clause, tuple[int, ...]]] | None:
        """The clauses that read a cell not filled yet; None if one does not hold."""
        left = []
        for clause, points in open_:
            try:
                if not clause(here, *points):
                    return None
            except KeyError:
                left.append((clause, points))
        return left

    def count(place: int, open_: Sequence[tuple[Clause, tuple[int, ...]]]) -> int:
        if place == len(order):
            assert not open_, "a clause reads what is no cell"
            return 1
        total = 0
        for value in cells[order[place]]:
            filled[order[place]] = value
            left = undecided(open_)
            if left is not None:
                total += count(place + 1, left)
        del filled[order[place]]
        return total

    everywhere = [(clause, points) for clause in clauses for points in domain.every(clause.points)]
    start = undecided(everywhere)
    return 0 if start is None else count(0, start)


@cache
def buddy_models(depth: int) -> int:
    """How many states in which nothing is held or taken at start satisfy the invariants."""
    cells: dict[tuple[object, ...], Sequence[int]] = {}
    for page in range(1 << depth):
        cells["order_at", page] = range(depth + 1)
        for kind, order in product(("free", "allocated"), range(depth + 1)):
            cells.setdefault((kind, order, page >> order), (False, True))

    def state(read: Callable[..., int]) -> blocks_law.Blocks:
        def block(kind: str) -> Callable[[object, object], bool]:
            return lambda order, block: (kind, order, block) in cells and bool(read(kind, order, block))

        return blocks_law.Blocks(
            depth=depth,
            highest=depth,
            is_page=lambda page: 0 <= page < 1 << depth,
            is_free=block("free"),
            is_allocated=block("allocated"),
            is_fixed=lambda page: False,
            holding=False,
            held_order=0,
            held_page=0,
            order_at=lambda page: read("order_at", page),
        )

    return models(cells, state, blocks_law.INVARIANTS, buddy_domain(depth))


@cache
def bitmap_models(frames: int) -> int:
    """How many states of a bitmap of so many frames and one that is never free, which all exist, satisfy the law."""
    reach = frames + 1
    cells: dict[tuple[object, ...], Sequence[int]] = {("below", 0): range(reach)}
    for frame in range(reach):
        cells["free", frame] = (False, True)
        cells["below", frame + 1] = range(reach)
    domain = Domain({"frame": range(reach), "later": range(reach + 1)}, {})

    def counting(count: int) -> Callable[[Callable[..., int]], bitmap_law.Frames]:
        return lambda read: bitmap_law.Frames(
            reach=reach,
            count=count,
            never_free=lambda frame: frame == 0,
            exists=lambda frame: 0 <= frame < reach,
            is_free=lambda frame: bool(read("free", frame)),
            in_use=lambda frame: 1 <= frame and not read("free", frame),
            free_below=lambda frame: read("below", frame),
        )

    return sum(models(cells, counting(count), bitmap_law.CHECKED, domain) for count in range(reach + 1))


@cache
def half_models(processes: int, entries: int, values: int) -> int:
    """How many states of so many live processes, with no update in flight, satisfy the law in so many upper entries."""
    everyone, upper = range(processes), range(half_law.FIRST, half_law.FIRST + entries)
    cells: dict[tuple[object, ...], Sequence[int]] = {("master", index): range(values) for index in upper}
    cells |= {("entry", process, index): range(values) for process, index in product(everyone, upper)}
    domain = Domain({"process": everyone, "index": upper}, {})

    def state(read: Callable[..., int]) -> half_law.Halves:
        return half_law.Halves(
            master=lambda index: read("master", index),
            entry=lambda process, index: read("entry", process, index),
            lives=lambda process: process in everyone,
            updating=False,
            index=half_law.FIRST,
            value=0,
            pending=lambda process: False,
        )

    return models(cells, state, half_law.INVARIANTS, domain)


# Claims


def equal(due: Mapping[str, object], found: Mapping[str, Mapping[str, object]]) -> str | None:
    """What ways of counting give something else than is due, by what was counted and how; None if none does."""
    wrong = [
        f"{what}: {number} by {way}, and {due[what]} is due"
        for way, numbers in found.items()
        for what, number in numbers.items()
        if number != due[what]
    ]
    return "; ".join(wrong) or None


def _buddy_states() -> str | None:
    due = {f"depth {depth}": formulas.states(depth) for depth in DEPTHS}
    runs = {f"depth {depth}": counted(depth).states for depth in DEPTHS}
    clauses = {f"depth {depth}": buddy_models(depth) for depth in DEPTHS}
    return equal(due, {"runs of the reference": runs, "models of the clauses": clauses})


def _buddy_transitions() -> str | None:
    due = {f"depth {depth}": formulas.transitions(depth) for depth in DEPTHS}
    runs = {f"depth {depth}": counted(depth).transitions for depth in DEPTHS}
    lost = [f"a transition from depth {depth} is not undone" for depth in DEPTHS if not counted(depth).returned]
    return equal(due, {"runs of the reference": runs}) or "; ".join(lost) or None


def _buddy_choices() -> str | None:
    due = {f"depth {depth}": formulas.transitions_allowed(depth) for depth in DEPTHS}
    return equal(due, {"choices of the law": {f"depth {depth}": lawful_transitions(depth) for depth in DEPTHS}})


def _buddy_pages() -> str | None:
    due: dict[str, object] = {f"depth {depth}": formulas.free_pages(depth) for depth in DEPTHS}
    due |= {f"full at depth {depth}": formulas.states_full(depth) for depth in DEPTHS}
    runs: dict[str, object] = {f"depth {depth}": counted(depth).free_pages for depth in DEPTHS}
    runs |= {f"full at depth {depth}": counted(depth).free_pages[0] for depth in DEPTHS}
    return equal(due, {"runs of the reference": runs})


def _buddy_forgets() -> str | None:
    due = {f"depth {depth}": formulas.states_uncoalesced(depth) for depth in DEPTHS}
    flawed = {depth: census(depth, Forgetful).states for depth in DEPTHS}
    if flawed[1] == formulas.states(1):
        return "no more states are reached than with coalescing"
    return equal(due, {"runs": {f"depth {depth}": states for depth, states in flawed.items()}})


def _bitmap_states() -> str | None:
    due = {f"{frames} frames": formulas.bitmap_states(frames) for frames in FRAMES}
    due |= {f"edges of {frames} frames": formulas.bitmap_edges(frames) for frames in FRAMES}
    found: dict[str, dict[str, object]] = {"allocations": {}, "frees": {}, "models of the clauses": {}}
    for frames in FRAMES:
        states, taken, freed = bitmap_run(frames)
        found["allocations"] |= {f"{frames} frames": states, f"edges of {frames} frames": taken}
        found["frees"] |= {f"edges of {frames} frames": freed}
        found["models of the clauses"] |= {f"{frames} frames": bitmap_models(frames)}
    return equal(due, found)


def _half_states() -> str | None:
    due = {_sized(*size): formulas.synchronised(*size) for size in TABLES}
    runs = {_sized(*size): half_run(*size) for size in TABLES}
    clauses = {_sized(*size): half_models(*size) for size in TABLES}
    return equal(due, {"runs of the reference": runs, "models of the clauses": clauses})


def _sized(processes: int, entries: int, values: int) -> str:
    return f"{processes} processes, {entries} entries, {values} values"


def _listed(formula: Callable[[int], int], sizes: Sequence[int]) -> str:
    return ", ".join(f"{formula(size):,}" for size in sizes)


def _up_to(formula: Callable[[int], int]) -> str:
    """The numbers that are counted, and the next two by the formula."""
    beyond = (DEPTHS[-1] + 1, DEPTHS[-1] + 2)
    return f"{_listed(formula, DEPTHS)} (and by the formula {_listed(formula, beyond)})"


def computations(component: str) -> list[Computation]:
    """The counts of a component."""
    return [each for each in _all() if each.component == component]


def _all() -> list[Computation]:
    depth, theorem = f"bounded: depth <= {DEPTHS[-1]}", "theorem"
    frames = f"bounded: up to {FRAMES[-1]} frames beside one that is never free"
    tables = "bounded: up to 3 processes, 3 entries and 3 values"
    states = f"ranges of depth 0, 1, ... have {_up_to(formulas.states)} states: a(d) = a(d-1)^2 + 1, OEIS A003095"
    transitions = f"the reference has {_up_to(formulas.transitions)} transitions between them, each undone by another"
    allowed = f"the law allows {_up_to(formulas.transitions_allowed)} transitions between them"
    pages = f"{_up_to(formulas.states_full)} states have no free page; by free pages, G(d) = G(d-1)^2 + 1 states"
    forgets = "a buddy system that forgets to coalesce reaches the same states"
    bits = f"N frames have 2^N states ({_listed(formulas.bitmap_states, FRAMES)}) and N 2^(N-1) pairs to move between"
    example = (3, 2, 2)
    halves = (
        "K entries of V values have V^K synchronised states, whatever P is, out of V^(K P): "
        f"{formulas.synchronised(*example)} of {formulas.unsynchronised(*example)} for {_sized(*example)}"
    )
    return [
        Computation("buddy.count.states", "buddy", theorem, states, _buddy_states, depth),
        Computation("buddy.count.transitions", "buddy", theorem, transitions, _buddy_transitions, depth),
        Computation("buddy.count.choices", "buddy", theorem, allowed, _buddy_choices, depth),
        Computation("buddy.count.free-pages", "buddy", theorem, pages, _buddy_pages, depth),
        Computation("buddy.count.forgotten-merges", "buddy", "expected-refutation", forgets, _buddy_forgets, depth),
        Computation("bitmap.count.states", "bitmap", theorem, bits, _bitmap_states, frames),
        Computation("kernel_half.count.synchronised", "kernel_half", theorem, halves, _half_states, tables),
    ]
