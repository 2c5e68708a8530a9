"""The systems that are run exhaustively: small objects, all calls on them, and the states that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import groupby, product
from typing import Any

from memoracle.impl.bitmap import Bitmap
from memoracle.impl.buddy import Buddy, Spaces
from memoracle.impl.kernel_half import KernelHalf
from memoracle.proofs.abstraction.objects import blocks_of, frames_of, halves_of
from memoracle.proofs.exhaustive.explore import Call, Part, Question, System
from memoracle.proofs.exhaustive.finite_states import Domain, Values, choices, settled
from memoracle.spec import added_blocks
from memoracle.spec import bitmap as bitmap_law
from memoracle.spec import blocks as blocks_law
from memoracle.spec import buddy as buddy_law
from memoracle.spec import kernel_half as half_law
from memoracle.spec.clauses import Clause, Number, Operation


def numbers(found: Sequence[int]) -> str:
    """Numbers in ascending order, as `0, 2-4`; `none`."""
    runs = [[n for _, n in run] for _, run in groupby(enumerate(found), lambda pair: pair[1] - pair[0])]
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs) or "none"


# Buddy


@cache
def buddy_domain(depth: int) -> Domain:
    pages, orders, blocks = range(1 << depth), range(depth + 2), range(-1, (1 << depth) + 1)
    points = dict.fromkeys(("order", "level", "merged", "other"), orders) | dict.fromkeys(("page", "each"), pages)
    functions: dict[str, tuple[str, ...]] = dict.fromkeys(("is_page", "is_fixed", "order_at"), ("page",))
    functions |= dict.fromkeys(("is_free", "is_allocated"), ("order", "block"))
    matters: dict[str, Callable[[Any, tuple[int, ...]], object]] = {"order_at": lambda state, at: state.is_page(*at)}
    matters |= dict.fromkeys(("held_order", "held_page"), lambda state, at: state.holding)
    return Domain({**points, "block": blocks}, functions, matters)


def buddy_part(buddy: Buddy, variable: str = "buddy") -> Part:
    def words(state: Any) -> str:
        named = {"free": state.is_free, "allocated": state.is_allocated}
        said = []
        for order, block in product(range(state.depth + 1), range(1 << state.depth)):
            pages = numbers(range(block << order, block + 1 << order))
            said += [f"{pages} {word}" for word, holds in named.items() if holds(order, block)]
        in_order = sorted(said, key=lambda text: int(text.split()[0].split("-")[0]))
        return f"pages {', '.join(in_order)}" if said else "no page is in a block"

    def shows(state: Any) -> list[str]:
        starts = [(page, state.order_at(page)) for page in range(1 << state.depth) if state.is_page(page)]
        listed = [(p, 1 << o, bool(state.is_allocated(o, p >> o))) for p, o in starts if blocks_law.is_aligned(p, o)]
        fixed = {page for page, _ in starts if state.is_fixed(page)}
        known = [f"assert {variable}.fixed == {fixed}"] if fixed else []
        return [f"assert {variable}.blocks() == {listed}", *known]

    clauses = (*blocks_law.INVARIANTS, *buddy_law.THEOREMS)
    return Part(
        blocks_of(buddy), buddy_domain(buddy.depth), clauses, words, shows, blocks_law.whole(buddy.depth, buddy.highest)
    )


BEST_FIT = "the smallest order that fits, its lowest address, and the lower half of a split"


def smallest_then_lowest(state: blocks_law.Blocks, choice: Values) -> tuple[Number, int]:
    return state.order_at(choice["page"]), choice["page"]


def and_fixed(state: blocks_law.Blocks, pages: int, page: int, order: int) -> blocks_law.Blocks:
    return buddy_law.fix(buddy_law.reserve(state, pages, page, order), page, order)


def page_by_page(state: blocks_law.Blocks, page: int, pages: int) -> blocks_law.Blocks:
    """The state after each page of a stretch was added as a block of its own."""
    assert isinstance(state.depth, int)
    domain = buddy_domain(state.depth)
    for each in range(page, page + pages):
        (values,) = choices(added_blocks.add_block, state, {"page": each, "order": 0}, domain)
        state = settled(added_blocks.add_block(state, *(values[point] for point in added_blocks.add_block.points)))
    return state


ADDING = Operation(
    "buddy.add", "Pages that did not exist exist and are free.", added_blocks.ADD, (), page_by_page, ("page", "pages")
)
FIXING = replace(buddy_law.reserve, name=buddy_law.fix.name, says=buddy_law.fix.says, effect=and_fixed)


@cache
def buddy_calls(depth: int, sizes: tuple[int, ...], ends: bool, of: str = "") -> Sequence[Call | Question]:
    """Every call with these sizes, at every page; `of` says whose it is in `Spaces`.

    ends: also calls one past either end, and those that take a block for good.
    """

    def method(name: str, *arguments: int) -> Callable[[Any], object]:
        if of:
            return lambda spaces: getattr(spaces.of(int(of)), name)(*arguments)
        return lambda buddy: getattr(buddy, name)(*arguments)

    subject, calls = f"@.of({of})" if of else "@", list[Call | Question]()
    for pages in sizes:
        said, run = f"{subject}.allocate({pages})", method("allocate", pages)
        values = {"pages": pages}
        calls.append(Call(said, run, buddy_law.allocate, values, of, "page", BEST_FIT, smallest_then_lowest))
    named = {"free": buddy_law.free, "reserve": buddy_law.reserve} | ({"fix": FIXING, "add": ADDING} if ends else {})
    at = range(-1, (1 << depth) + 1) if ends else range(1 << depth)
    for page, (name, operation), pages in product(at, named.items(), sizes):
        values = {"pages": pages, "page": page}
        calls.append(Call(f"{subject}.{name}({page}, {pages})", method(name, page, pages), operation, values, of))
    known, size = [0, *(1 << order for order in range(depth + 1))], buddy_law.size_is_of_the_block
    for page in range(1 << depth):
        calls.append(Question(f"{subject}.size({page})", method("size", page), size, {"page": page}, known, of))
    return calls


def buddy_system(depths: Sequence[int], ends: bool) -> System:
    def calls(buddy: Buddy) -> Sequence[Call | Question]:
        sizes = [*range(1, (1 << buddy.depth) + 2), 0, -1] if ends else [1 << o for o in range(buddy.depth + 1)]
        return buddy_calls(buddy.depth, tuple(sizes), ends)

    starts = {f"Buddy({depth})": partial(Buddy, depth) for depth in depths}
    if ends:
        sizes = [(depth, highest) for depth in depths for highest in range(depth)]
        starts |= {f"Buddy({depth}, {highest})": partial(Buddy, depth, highest) for depth, highest in sizes}
        sizes += [(depth, depth) for depth in depths]
        starts |= {
            f"Buddy({depth}, {highest}, False)": partial(Buddy, depth, highest, False) for depth, highest in sizes
        }
    also = ", holes, any largest order, sizes and pages past either end, blocks taken at start" if ends else ""
    scope = f"bounded: depth <= {max(depths)}{also}"
    return System(
        "buddy",
        scope,
        "from memoracle.impl.buddy import Buddy",
        "buddy",
        starts,
        lambda buddy: {"": buddy_part(buddy)},
        calls,
    )


# Spaces: who lives is the same question as for the tables, so it is that law's


def who_lives(lives: Callable[[object], bool], processes: tuple[int, ...], show: Callable[[Any], list[str]]) -> Part:
    def words(state: half_law.Halves) -> str:
        return f"processes {numbers([process for process in processes if state.lives(process)])} live"

    return Part(replace(half_law.blank(), lives=lives), _living(processes), (half_law.kernel_lives,), words, show)


@cache
def _living(processes: tuple[int, ...]) -> Domain:
    return Domain({"process": processes}, {"lives": ("process",)})


def comes_and_goes(processes: Sequence[int], part: str) -> list[Call | Question]:
    """Calls that create and exit processes."""
    found: list[Call | Question] = []
    for process, operation in product(processes, (half_law.create, half_law.exit)):
        name = operation.name.split(".")[1]
        run = partial(lambda instance, name, process: getattr(instance, name)(process), name=name, process=process)
        found.append(Call(f"@.{name}({process})", run, operation, {"process": process}, part))
    return found


def spaces_system() -> System:
    processes = (0, 1, 2)

    def shows(state: half_law.Halves) -> list[str]:
        return [f"assert set(spaces.spaces) == {{{', '.join(str(p) for p in processes if state.lives(p))}}}"]

    def parts(spaces: Spaces) -> dict[str, Part]:
        living = who_lives(lambda process: process in spaces.spaces, processes, shows)
        each = {str(p): buddy_part(space, f"spaces.spaces[{p}]") for p, space in spaces.spaces.items()}
        return {"processes": living, **each}

    def calls(spaces: Spaces) -> Sequence[Call | Question]:
        each = (buddy_calls(space.depth, (1, 2), False, str(p)) for p, space in spaces.spaces.items())
        return [*comes_and_goes(processes, "processes"), *(call for calls in each for call in calls)]

    scope = "bounded: a kernel and two processes, depth 1"
    imports = "from memoracle.impl.buddy import Spaces"
    return System("buddy", scope, imports, "spaces", {"Spaces(1, 1)": lambda: Spaces(1, 1)}, parts, calls)


# Bitmap


def every_in_reach(state: bitmap_law.Frames, first: int, last: int) -> bitmap_law.Frames:
    """The state after each frame of a run that may be added was."""
    for frame in range(first, last):
        if bitmap_law.adds_only_in_reach(state, frame):
            state = bitmap_law.add(state, frame)
    return state


TURN_UP = Operation(bitmap_law.add.name, bitmap_law.add.says, (), (), every_in_reach, ("first", "last"))


MOST_WITH_LIMITS = 4  # frames of a bitmap of which calls with limits are tried


def lowest_that_may_be_free(bitmap: Bitmap) -> int:
    return next(frame for frame in range(bitmap.frames + 1) if not bitmap.is_never_free(frame))


def bitmap_domain(bitmap: Bitmap) -> Domain:
    """What is in use is seen only where it is checked: a trusting bitmap may be given back what somebody uses."""
    return _frames(range(max(0, lowest_that_may_be_free(bitmap) - 2), bitmap.frames + 1), bitmap.trusting)


@cache
def _frames(frames: range, trusting: bool) -> Domain:
    functions = ("never_free", "exists", "is_free", "free_below", *(() if trusting else ("in_use",)))
    return Domain({"frame": frames, "later": frames}, dict.fromkeys(functions, ("frame",)))


def bitmap_part(bitmap: Bitmap) -> Part:
    domain = bitmap_domain(bitmap)
    frames = domain.points["frame"]
    clauses: Sequence[Clause] = (*bitmap_law.CHECKED, *bitmap_law.THEOREMS)
    if bitmap.trusting:
        clauses = (*bitmap_law.TRUSTING, bitmap_law.none_free_at_zero)

    def words(state: bitmap_law.Frames) -> str:
        exist, free = ([f for f in frames if holds(f)] for holds in (state.exists, state.is_free))
        return f"frames {numbers(exist)} exist, {numbers(free)} free, count {state.count}"

    def shows(state: bitmap_law.Frames) -> list[str]:
        reached, assertions = [f for f in frames if f < bitmap.frames], list[str]()
        for name, holds in (("is_free", state.is_free), ("exists", state.exists)):
            due = [f for f in reached if holds(f)]
            assertions.append(f"assert [frame for frame in {reached} if bitmap.{name}(frame)] == {due}")
        return [*assertions, f"assert bitmap.count() == {state.count}"]

    return Part(frames_of(bitmap), domain, clauses, words, shows)


def calls_with_limits(bitmap: Bitmap) -> Iterator[Call]:
    lowest, policy = (lambda state, choice: choice["frame"]), "the lowest free frame within the limits"
    for first, last in product(range(-1, bitmap.frames), range(1, bitmap.frames + 2)):
        limits = {"first": first, "last": last}
        add = partial(lambda bitmap, **limits: bitmap.hotplug(**limits), **limits)
        yield Call(f"@.hotplug({first}, {last})", add, bitmap_law.add_memory, limits)
        if first >= 0:  # as every point of the domain is
            reserve = partial(lambda bitmap, **limits: bitmap.reserve(**limits), **limits)
            yield Call(f"@.reserve({first}, {last})", reserve, bitmap_law.reserve, limits)
        for alignment in (1, 2, 3):
            asked = {"alignment": alignment} | limits
            allocate = partial(lambda bitmap, **asked: bitmap.allocate_within(**asked), **asked)
            said = f"@.allocate_within({alignment}, {first}, {last})"
            yield Call(said, allocate, bitmap_law.allocate_within, asked, "", "frame", policy, lowest)


def bitmap_calls(bitmap: Bitmap) -> Sequence[Call | Question]:
    calls: list[Call | Question] = []
    lowest_first = lowest_that_may_be_free(bitmap) - 1
    reached = range(max(0, lowest_first), bitmap.frames)
    untouched = (bitmap.exists(f) == (bitmap.is_free(f) or bitmap.is_never_free(f)) for f in reached)
    at_boot = bitmap.frontier == 0 and all(untouched)
    for first, last in product(range(lowest_first, bitmap.frames + 1), range(bitmap.frames + 2)) if at_boot else ():
        new = range(max(first, 0), min(last, bitmap.frames))
        if first <= last and not any(map(bitmap.exists, new)):
            add = partial(lambda bitmap, first, last: bitmap.add(first, last), first=first, last=last)
            calls.append(Call(f"@.add({first}, {last})", add, TURN_UP, {"first": first, "last": last}, silent=True))
    lowest = lambda state, choice: choice["frame"]  # noqa: E731
    allocate: Callable[[Any], object] = lambda bitmap: bitmap.allocate()  # noqa: E731
    policy = "the lowest free frame"
    if bitmap.frames <= MOST_WITH_LIMITS:
        calls += calls_with_limits(bitmap)
    calls.append(Call("@.allocate()", allocate, bitmap_law.allocate, {}, "", "frame", policy, lowest))
    freeing = bitmap_law.free_trusting if bitmap.trusting else bitmap_law.free
    for frame in reached:
        for name, operation in (("take", bitmap_law.allocate), ("free", freeing)):
            run = partial(lambda bitmap, name, frame: getattr(bitmap, name)(frame), name=name, frame=frame)
            calls.append(Call(f"@.{name}({frame})", run, operation, {"frame": frame}))
        asks = partial(lambda bitmap, frame: bitmap.is_free(frame), frame=frame)
        tells = bitmap_law.tells_whether_free
        calls.append(Question(f"@.is_free({frame})", asks, tells, {"frame": frame}, (False, True)))
    counts = range(bitmap.frames + 1)
    return [*calls, Question("@.count()", lambda bitmap: bitmap.count(), bitmap_law.tells_the_count, {}, counts)]


def bitmap_system() -> System:
    sizes = ((1, ((0, 1),)), (2, ()), (4, ((1, 2),)), (66, ((0, 62), (63, 64))))
    starts = {f"Bitmap({f}, {n}, {t})": partial(Bitmap, f, n, t) for f, n in sizes for t in (False, True)}
    scope = "bounded: up to 3 frames that may be free, others between them, within a word and across two"
    imports = "from memoracle.impl.bitmap import Bitmap"
    return System("bitmap", scope, imports, "bitmap", starts, lambda bitmap: {"": bitmap_part(bitmap)}, bitmap_calls)


# Kernel half


PROCESSES, INDEXES, BITS = (0, 1, 2), (255, 256, 511), (0, 1)


def to_all(state: half_law.Halves, process: int, index: int, value: int) -> half_law.Halves:
    """An update from its beginning to its end, which reaches every process."""
    state = half_law.begin_update(state, index, value)
    for other in PROCESSES:
        if half_law.process_is_pending(state, other):
            state = half_law.copy_to_one(state, other)
    return half_law.end_update(state)


WRITES = (half_law.entry_exists, half_law.value_is_an_entry, half_law.update_lock_is_free)
WRITE_UPPER = replace(half_law.begin_update, guard=WRITES, effect=to_all, points=("process", "index", "value"))


OF_PROCESS = dict.fromkeys(("process", "other", "anyone"), PROCESSES)
TABLES = Domain(
    OF_PROCESS | {"index": INDEXES, "upper": INDEXES[1:], "value": BITS},
    {"master": ("upper",), "entry": ("process", "index"), "lives": ("process",), "pending": ("process",)},
    {"entry": lambda state, points: state.lives(points[0])},
)


def half_part(tables: KernelHalf) -> Part:
    state = halves_of(tables)
    entry = state.entry
    state = replace(state, entry=lambda process, index: entry(process, index) if state.lives(process) else 0)

    def words(state: half_law.Halves) -> str:
        read = [f"process {p} reads {[state.entry(p, i) for i in INDEXES]}" for p in PROCESSES if state.lives(p)]
        said = f"of entries {list(INDEXES)}: {', '.join(read)}"
        if not state.updating:
            return said
        waits = numbers([process for process in PROCESSES if state.pending(process)])
        return f"{said}; entry {state.index} becomes {state.value}, yet to reach processes {waits}"

    def shows(state: half_law.Halves) -> list[str]:
        living = [process for process in PROCESSES if state.lives(process)]
        due = [[state.entry(process, index) for index in INDEXES] for process in living]
        pending = {process for process in PROCESSES if state.pending(process)} or "set()"
        masters, upper = [state.master(index) for index in INDEXES[1:]], list(INDEXES[1:])
        return [
            f"assert [[tables.read(process, index) for index in {list(INDEXES)}] for process in {living}] == {due}",
            f"assert tables.live == {set(living)}",
            f"assert (tables.updating, tables.pending) == ({state.updating}, {pending})",
            f"assert [tables.master[index - 256] for index in {upper}] == {masters}",
        ]

    return Part(state, TABLES, (*half_law.INVARIANTS, *half_law.THEOREMS), words, shows)


@cache
def half_calls() -> Sequence[Call | Question]:
    calls = comes_and_goes(PROCESSES, "")
    for index, value in product(INDEXES[1:], BITS):
        begin = partial(lambda tables, index, value: tables.begin_update(index, value), index=index, value=value)
        values = {"index": index, "value": value}
        calls.append(Call(f"@.begin_update({index}, {value})", begin, half_law.begin_update, values))
    calls.append(Call("@.copy_to_one()", lambda tables: tables.copy_to_one(), half_law.copy_to_one, {}))
    calls.append(Call("@.end_update()", lambda tables: tables.end_update(), half_law.end_update, {}))
    for process, index, value in product(PROCESSES[:2], (-1, 255, 511, 512), (-1, 1, 1 << 64)):
        if value != 1 and index != 255 and index != 511:
            continue
        run = partial(lambda tables, p, i, v: tables.write(p, i, v), p=process, i=index, v=value)
        operation = WRITE_UPPER if half_law.is_upper(index) else half_law.write_lower
        values = {"process": process, "index": index, "value": value}
        calls.append(Call(f"@.write({process}, {index}, {value})", run, operation, values))
    for process, index in product(PROCESSES, (-1, *INDEXES, 512)):
        read = partial(lambda tables, p, i: tables.read(p, i), p=process, i=index)
        given, guard = {"process": process, "index": index}, (half_law.entry_exists,)
        said = f"@.read({process}, {index})"
        calls.append(Question(said, read, half_law.reads_the_entry, given, BITS, "", guard))
    return calls


def half_system() -> System:
    scope = "bounded: a kernel and two processes, entries 255, 256 and 511, values 0 and 1"
    imports = "from memoracle.impl.kernel_half import KernelHalf"
    starts = {"KernelHalf()": KernelHalf}
    return System("kernel_half", scope, imports, "tables", starts, lambda t: {"": half_part(t)}, lambda t: half_calls())
