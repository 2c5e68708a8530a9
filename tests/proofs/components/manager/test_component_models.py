"""What stands in for a component allows what the component does (see `standin_trials.py`).

A manager comes to some state, in which one method of one component is called. What it then does, some path of the
stand-in must allow; and where the stand-in is not free to fail, no path may do otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standin_trials import can_be, can_fail, value_of

from memoracle.impl.manager import Machine, Manager
from memoracle.impl.paging import Leaf
from memoracle.impl.pte import Layout
from memoracle.proofs.abstraction.manager import memory_of
from memoracle.proofs.components.manager.component_models import LawfulBitmap, LawfulPaging, SharedState
from memoracle.proofs.components.manager.law import GHOSTS, SORTS
from memoracle.proofs.components.manager.range_models import LawfulSpaces
from memoracle.proofs.symbolic.execution import Run, explore
from memoracle.proofs.symbolic.numbers import SymbolicBool, number
from memoracle.spec import manager as law
from memoracle.spec.clauses import implies, neg

FRAMES, SHIFT, KERNEL = 8, 30, 0xFFFF_8000_0000_0000
MACHINE = Machine(FRAMES, ((0, 1),), 3, Layout(40, 0x0007_0406_0007_0406), KERNEL, 2, 2, ((3, 1),))
PROCESSES, KERNEL_PAGES = range(4), range(5)
PAGES = [page << SHIFT for page in range(3)] + [KERNEL + (page << SHIFT) for page in KERNEL_PAGES]
PHYSICAL = [frame << SHIFT for frame in range(FRAMES + 2)]
DOMAINS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(
        ("exists", "is_free", "in_use", "use", "owner", "page_of", "callers_kept_contract"), (range(FRAMES),)
    ),
    "free_below": (range(FRAMES + 1),),
    "lives": (PROCESSES,),
    **dict.fromkeys(("is_mapped", "physical", "number_of"), (PROCESSES, PAGES)),
    **dict.fromkeys(("space_numbered", "page_numbered"), (PHYSICAL, range(4))),
    "uses": (PHYSICAL,),
    **dict.fromkeys(("taken", "size_at", "block_of"), (PROCESSES, KERNEL_PAGES)),
    **dict.fromkeys(("block_at", "pages_at", "frame_at"), (KERNEL_PAGES,)),
}
TRUTHS = ("exists", "is_free", "in_use", "callers_kept_contract", "lives", "is_mapped", "taken")


def known(state: law.Memory) -> law.Memory:
    """A state whose functions are read at terms, too: of all points that there are here."""
    functions = {}
    for name, domains in DOMAINS.items():
        read = getattr(state, name)
        values = {point: read(*point) for point in product(*domains)}
        default = False if name in TRUTHS else 0
        functions[name] = value_of({point: value for point, value in values.items() if value != default}, default)
    return replace(state, **functions)


def same_state(got: law.Memory, due: law.Memory) -> Iterator[Any]:
    """That the components' parts of two states are the same."""
    yield got.count == due.count
    for name, domains in DOMAINS.items():
        if name in GHOSTS or name in ("block_at", "pages_at", "frame_at"):
            continue  # not kept, or the manager's own
        for point in product(*domains):
            is_, should = getattr(got, name)(*map(number, point)), getattr(due, name)(*point)
            if name == "use":
                yield (is_ == law.TABLE) == (should == law.TABLE)
            elif name == "owner":
                yield implies(due.use(*point) == law.TABLE, is_ == should)
            elif name == "physical":
                yield implies(due.is_mapped(*point), is_ == should)
            else:
                yield is_ == should


# Calls


@dataclass(frozen=True)
class Call:
    """One call of a component's method. free_to_fail: whether the stand-in may fail for reasons that it does not tell.

    and_more: whether the stand-in may succeed where the component fails.
    may: what may be answered instead, given the state before; if not said, what the component answers alone.
    """

    real: Callable[[Manager], Any]
    lawful: Callable[[SharedState], Any]
    free_to_fail: bool = False
    and_more: bool = False
    may: Callable[[law.Memory, Any], Any] | None = None


def decided(answer: Any) -> Any:
    """A truth that the stand-in leaves open is decided, on two paths."""
    return bool(answer) if isinstance(answer, SymbolicBool) else answer


def of_bitmap(method: str, *arguments: int) -> Call:
    return Call(
        lambda manager: getattr(manager.bitmap, method)(*arguments),
        lambda shared: decided(getattr(LawfulBitmap(shared), method)(*arguments)),
        may=(lambda state, frame: state.is_free(frame)) if method == "allocate" else None,
    )


def of_paging(method: str, *arguments: Any) -> Call:
    return Call(
        lambda manager: getattr(manager.paging, method)(*arguments),
        lambda shared: decided(getattr(LawfulPaging(shared), method)(*arguments)),
        free_to_fail=method == "map",
        and_more=method == "map",
        may=had_uses if method == "exit" else None,
    )


def had_uses(state: law.Memory, told: Any) -> Any:
    """Which frames lose their last use by an exit the stand-in does not know; but each had one, and was counted."""
    right: Any = True
    for frame in range(FRAMES + 1):
        right = right & implies(told.has(number(frame)), (frame < FRAMES) & (state.uses(frame << SHIFT) > 0))
    return right


def of_spaces(method: str, process: int, having: Iterable[int]) -> Call:
    """As the manager calls it: when the page tables have the process, or no longer have it.

    having: the processes that have a range.
    """

    def lawful(shared: SharedState) -> bool:
        spaces = LawfulSpaces(shared)
        spaces.has = value_of({(each,): True for each in having}, False)
        return bool(getattr(spaces, method)(process))

    def real(manager: Manager) -> Any:
        getattr(manager.spaces, method)(process)
        return True

    return Call(real, lawful)


def first_is_free(process: int, method: str) -> Callable[[law.Memory, Any], Any] | None:
    """Any block may be allocated, if its pages are free."""
    return (lambda state, first: neg(state.taken(process, first))) if method == "allocate" else None


def of_range(method: str, process: int, *arguments: int) -> Call:
    def call(space: Any) -> Any:
        return None if space is None else getattr(space, method)(*arguments)

    return Call(
        lambda manager: call(manager.spaces.of(process)),
        lambda shared: call(LawfulSpaces(shared).of(process)),
        free_to_fail=True,
        and_more=True,
        may=first_is_free(process, method),
    )


def of_kernel(method: str, *arguments: int) -> Call:
    """As the manager calls it for kernel pages."""
    return Call(
        lambda manager: getattr(manager.spaces.spaces[0], method)(*arguments),
        lambda shared: getattr(LawfulSpaces(shared).spaces[0], method)(*arguments),
        free_to_fail=True,
        and_more=True,
        may=first_is_free(0, method),
    )


def same_answer(got: Any, due: Any) -> Any:
    if isinstance(due, bool):
        return got is due
    if isinstance(due, list):  # what was released, as a set that nobody orders
        same: Any = True
        for frame in range(FRAMES):
            same = same & (got.has(number(frame)) == (frame in due))
        return same
    if isinstance(due, tuple):
        return (got.frame == due.frame) & (got.last == due.last)
    return got is None if due is None else got == due


def is_failure(answer: Any) -> bool:
    return answer is None or answer is False


def trial(manager: Manager, call: Call) -> None:
    before = known(memory_of(manager))
    real = deepcopy(manager)
    due = call.real(real)
    after = memory_of(real)
    ended: list[tuple[Run, Any, SharedState]] = []

    def body(run: Run) -> None:
        for name, points in {
            "frame": range(FRAMES + 1),
            "kernel_page": KERNEL_PAGES,
            "physical": PHYSICAL,
            "process": PROCESSES,
        }.items():
            for point in points:
                run.touch((name,), (point,))
        shared = SharedState(run, before)
        ended.append((run, run.call(call.lawful, shared), shared))

    runs = explore(SORTS, body)
    assert not any(can_fail(run, False) for run in runs)
    alike = [each for each in ended if is_failure(each[1]) == is_failure(due)]
    assert any(
        can_be(run, False, same_answer(got, due), *same_state(shared.state, after)) for run, got, shared in alike
    ), "what the component does is allowed"
    for run, got, _ in ended:
        otherwise = is_failure(got) and not call.free_to_fail if not is_failure(due) else not call.and_more
        if is_failure(got) != is_failure(due) and otherwise:
            assert not can_be(run, False), "what the component does not do is not allowed"
        if not is_failure(got) and not is_failure(due):
            right = call.may(before, got) if call.may else same_answer(got, due)
            assert not can_be(run, False, neg(right)), "what the component does not answer is not allowed"


# Lives


LIVING, SOME_PAGE, MANY = st.integers(0, 2), st.sampled_from(PAGES[:5]), st.integers(1, 4)
SOME_PROCESS = st.sampled_from([0, 1, 1, 2, 3])
SOME_FRAME = st.sampled_from([1, 2, 5, 7, FRAMES, FRAMES])  # the last is past the bitmap: its uses are not counted


def leaf(frame: int) -> Leaf:
    return Leaf(frame << SHIFT, 6)


LIFE = st.lists(
    st.one_of(
        st.just(lambda manager: manager.allocate_frame()),
        st.tuples(LIVING, SOME_PAGE, SOME_FRAME).map(lambda s: lambda m: m.map(s[0], s[1], leaf(s[2]))),
        st.tuples(LIVING, SOME_PAGE, SOME_FRAME).map(lambda s: lambda m: m.map(s[0], s[1], leaf(s[2]))),
        st.integers(1, 2).map(lambda pages: lambda manager: manager.allocate_pages(pages)),
        st.tuples(LIVING, MANY).map(lambda s: lambda manager: manager.allocate_range(*s)),
        st.tuples(LIVING, SOME_PAGE).map(lambda s: lambda manager: manager.unmap(*s)),
    ),
    max_size=5,
)
SHOWN = st.tuples(SOME_PAGE, SOME_FRAME)


@lru_cache
def booted() -> Manager:
    manager = Manager(MACHINE)
    manager.create(1)
    return manager


def lived(life: list[Callable[[Manager], Any]], second: bool, shown: tuple[int, int]) -> Manager:
    """A manager with a process, or two, after a life. shown: a page that process 1 maps, and its frame."""
    manager = deepcopy(booted())
    page, frame = shown
    manager.map(1, page, leaf(frame))
    if second:
        manager.create(2)
    for step in life:
        step(manager)
    return manager


def mapped_in(manager: Manager) -> list[tuple[int, int]]:
    """What a process may unmap with success."""
    return [(p, page) for p in manager.paging.roots for page in PAGES if manager.translate(p, page) is not None]


def blocks_in(manager: Manager) -> list[tuple[int, int, int]]:
    """What a process may free with success, but for what was taken at start."""
    spaces = manager.spaces.spaces
    return [(p, first, pages) for p, space in spaces.items() for first, pages, taken in space.blocks() if taken]


def likely(some: list[Any], any_: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One of these rather than any."""
    return st.one_of(st.sampled_from(some), st.sampled_from(some), any_) if some else any_


def calls(name: str, manager: Manager) -> st.SearchStrategy[Call]:
    """What is called in this state."""
    component, method = name.split(".")
    given = [*manager.given]
    block = st.tuples(SOME_PROCESS, st.integers(0, 3), MANY)
    arguments: dict[str, st.SearchStrategy[Any]] = {
        "bitmap.allocate": st.just(()),
        "bitmap.exists": st.tuples(st.integers(0, FRAMES + 1)),
        "bitmap.is_free": st.tuples(st.integers(0, FRAMES + 1)),
        "paging.is_shown": st.tuples(SOME_FRAME),
        "bitmap.free": st.tuples(likely(given, st.integers(0, FRAMES - 1))),
        "paging.create": st.tuples(st.sampled_from([1, 2, 3, 3])),
        "paging.map": st.tuples(LIVING, SOME_PAGE, SOME_FRAME.map(leaf)),
        "paging.unmap": likely(mapped_in(manager), st.tuples(SOME_PROCESS, SOME_PAGE)),
        "paging.exit": st.tuples(SOME_PROCESS),
        "range.allocate": st.tuples(SOME_PROCESS, MANY),
        "range.reserve": block,
        "range.free": likely(blocks_in(manager), block),
        "kernel.allocate": st.tuples(MANY),
        "kernel.free": likely([each[1:] for each in blocks_in(manager) if each[0] == 0], st.tuples(MANY, MANY)),
    }
    of = {"bitmap": of_bitmap, "paging": of_paging, "range": of_range, "kernel": of_kernel}[component]
    return arguments[name].map(lambda each: of(method, *each))


NAMES = (
    *("bitmap.exists", "bitmap.is_free", "paging.is_shown"),
    *("bitmap.allocate", "bitmap.free", "paging.create", "paging.map", "paging.unmap", "paging.exit"),
    *("range.allocate", "range.reserve", "range.free", "kernel.allocate", "kernel.free"),
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10, deadline=None)
@given(life=LIFE, second=st.booleans(), shown=SHOWN, data=st.data())
def test_what_a_component_does_is_allowed(
    name: str, life: list[Any], second: bool, shown: tuple[int, int], data: Any
) -> None:
    manager = lived(life, second, shown)
    trial(manager, data.draw(calls(name, manager)))


@settings(max_examples=10, deadline=None)
@given(life=LIFE, shown=SHOWN, leaves=st.booleans())
def test_processes_come_to_ranges_and_leave_them(life: list[Any], shown: tuple[int, int], leaves: bool) -> None:
    manager = lived(life, True, shown)
    if leaves:
        manager.paging.exit(2)
        trial(manager, of_spaces("exit", 2, manager.spaces.spaces))
    elif manager.paging.create(3):
        trial(manager, of_spaces("create", 3, manager.spaces.spaces))


@pytest.mark.parametrize(("first", "pages"), [(0, 1), (1, 1), (2, 1), (0, 2)])
def test_pieces_that_are_free_are_taken_for_good(first: int, pages: int) -> None:
    trial(Manager(MACHINE), of_kernel("fix", first, pages))
