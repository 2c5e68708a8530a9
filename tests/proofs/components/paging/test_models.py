"""What stands in for what page tables are built on behaves as that does (see `standin_trials.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import z3
from hypothesis import example, given, settings
from hypothesis import strategies as st
from standin_trials import (
    KEYS,
    MODES,
    PROBES,
    SORTS,
    Choice,
    agree,
    can_be,
    can_fail,
    fails_on_some_path,
    has_of,
    sets_agree,
    touch_all,
    value_of,
)

from memoracle.impl import paging as code
from memoracle.impl import pte
from memoracle.impl.bitmap import Bitmap
from memoracle.impl.kernel_half import KernelHalf
from memoracle.impl.pte import Fields, Layout
from memoracle.proofs.components.paging.models import (
    CollectedList,
    FrameSupply,
    Halves,
    PageSets,
    count_of,
    replace_encode,
)
from memoracle.proofs.symbolic.containers import Set, any_of
from memoracle.proofs.symbolic.execution import Run, explore
from memoracle.proofs.symbolic.numbers import number
from memoracle.spec.clauses import neg

FRAMES = 6


# Frames for tables


class Frames:
    """A bitmap's frames, all of which exist. Only what was handed out is given back; of frame 0 nothing is said."""

    def __init__(self, free: set[int]) -> None:
        self.bitmap = Bitmap(FRAMES, [(0, 1)])
        self.bitmap.add(1, FRAMES)
        for frame in {*range(1, FRAMES)} - free:
            self.bitmap.take(frame)

    def allocate(self) -> int | None:
        return self.bitmap.allocate()

    def free(self, frame: int) -> bool:
        if not self.bitmap.free(frame):
            raise KeyError(frame)
        return True

    def free_ones(self) -> list[int]:
        return [frame for frame in range(FRAMES) if self.bitmap.is_free(frame)]


def any_free(frames: Frames) -> Callable[[Any], Any]:
    """Any free frame is handed out, and none only if there is none."""
    free = frames.free_ones()
    return lambda got: not free if got is None else any_of([got == frame for frame in free])


SUPPLY_STEPS = st.lists(
    st.one_of(
        st.just(Choice(lambda frames: frames.allocate(), any_free)),
        st.just(Choice(lambda frames: frames.allocate(), any_free)),
        st.integers(1, FRAMES - 1).map(lambda frame: lambda frames: bool(frames.free(frame))),
    ),
    min_size=1,
    max_size=4,
)


@MODES
@settings(max_examples=25, deadline=None)
@given(free=st.sets(st.integers(1, FRAMES - 1), max_size=3), steps=SUPPLY_STEPS)
def test_a_supply_of_frames(integers: bool, free: set[int], steps: list[Any]) -> None:
    def both(run: Run) -> tuple[FrameSupply, Frames]:
        touch_all(run, "table")
        return FrameSupply(run, has_of(sorted(free))), Frames(free)

    def same(supply: FrameSupply, frames: Frames) -> Iterator[Any]:
        for frame in range(FRAMES):
            yield supply.is_free(number(frame)) == frames.bitmap.is_free(frame)

    agree(integers, both, steps, same)


@MODES
def test_it_is_noted_that_no_frame_is_left(integers: bool) -> None:
    def step(frames: Any) -> bool:
        return bool(frames.ran_out if isinstance(frames, FrameSupply) and frames.allocate() is None else True)

    agree(integers, lambda run: (FrameSupply(run, has_of([])), Frames(set())), [step], lambda stand_in, real: [])


# PML4s

INDEXES = (0, 1, 255, 256, 511)
SOME_INDEX = st.sampled_from(INDEXES)
ENTRY = st.sampled_from([0, 1, 7, (1 << 64) - 1])
PROCESSES = st.integers(0, 3)


def written(process: int, index: int, value: int) -> Callable[[Any], bool]:
    return accepted(lambda half: half.write(process, index, value))


def accepted(step: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """The code calls for nothing that is refused."""

    def noticed(half: Any) -> bool:
        done = bool(step(half))
        if not done and isinstance(half, KernelHalf):
            raise KeyError("refused")
        return done

    return noticed


def create(process: int) -> Callable[[Any], bool]:
    return accepted(lambda half: half.create(process))


def leave(process: int) -> Callable[[Any], bool]:
    return accepted(lambda half: half.exit(process))


HALF_STEPS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 2), SOME_INDEX, ENTRY).map(lambda s: written(*s)),
        st.tuples(st.integers(0, 2), SOME_INDEX).map(lambda s: lambda half: half.tables[s[0]][s[1]]),
        st.sampled_from([create(3), leave(1), leave(2)]),
    ),
    min_size=1,
    max_size=4,
)
REFUSED = (
    *(written(*each) for each in ((3, 0, 1), (0, 512, 1), (0, -1, 1), (0, 0, -1), (0, 256, 1 << 64))),
    *(create(0), create(2), leave(0), leave(3)),
    *(lambda half, at=at: half.tables[at[0]][at[1]] for at in ((3, 0), (0, 512))),
)
TOPS = st.dictionaries(st.tuples(st.integers(0, 2), st.sampled_from([0, 1, 255])), ENTRY, max_size=3)


def halves(run: Run, lower: dict[tuple[int, int], int], upper: dict[int, int]) -> tuple[Halves, KernelHalf]:
    """Processes 0, 1 and 2."""
    real = KernelHalf()
    for process in (1, 2):
        real.create(process)
    for (process, index), value in lower.items():
        real.write(process, index, value)
    for index, value in upper.items():
        real.write(0, index, value)
    tops = {(process, index): real.tables[process][index] for process in real.live for index in INDEXES}
    return Halves(run, has_of([0, 1, 2]), value_of(tops)), real


def halves_agree(half: Halves, real: KernelHalf) -> Iterator[Any]:
    for process in range(5):
        yield half.lives(number(process)) == (process in real.live)
        for index in INDEXES if process in real.live else ():
            yield half.top(number(process), number(index)) == real.tables[process][index]


@MODES
@settings(max_examples=25, deadline=None)
@given(lower=TOPS, upper=st.dictionaries(st.sampled_from([256, 511]), ENTRY), steps=HALF_STEPS)
@example(lower={(0, 1): 7}, upper={256: 7}, steps=[create(3)])
def test_the_pml4s(integers: bool, lower: dict[tuple[int, int], int], upper: dict[int, int], steps: list[Any]) -> None:
    agree(integers, lambda run: halves(run, lower, upper), steps, halves_agree)


@MODES
@pytest.mark.parametrize("step", REFUSED)
def test_what_the_pml4s_refuse_is_noticed(integers: bool, step: Any) -> None:
    agree(integers, lambda run: halves(run, {}, {}), [step], halves_agree)


# Who maps what


def has_some(sets: Any, key: int) -> bool:
    return key in sets and bool(sets[key])


def some_item(key: int) -> Choice:
    """As the code takes some page of a process that has one."""

    def step(sets: Any) -> Any:
        return next(iter(sets[key])) if has_some(sets, key) else None

    def may(sets: dict[int, set[int]]) -> Callable[[Any], Any]:
        items = sets.get(key, set())
        return lambda got: not items if got is None else any_of([got == item for item in items])

    return Choice(step, may)


SETS_STEPS = st.lists(
    st.one_of(
        st.tuples(PROCESSES, KEYS).map(lambda s: lambda sets: sets[s[0]].add(s[1]) if s[0] in sets else None),
        st.tuples(PROCESSES, KEYS).map(lambda s: lambda sets: sets[s[0]].discard(s[1]) if s[0] in sets else None),
        st.tuples(PROCESSES, KEYS).map(lambda s: lambda sets: s[0] in sets and s[1] in sets[s[0]]),
        PROCESSES.map(lambda key: lambda sets: sets.__setitem__(key, set())),
        PROCESSES.map(lambda key: lambda sets: sets.__delitem__(key) if key in sets else None),
        PROCESSES.map(some_item),
    ),
    min_size=1,
    max_size=4,
)
SETS_ENDS = st.one_of(
    st.just([]),
    st.just([]),
    PROCESSES.map(lambda key: [lambda sets: sets.__delitem__(key)]),
    PROCESSES.map(lambda key: [lambda sets: sets[key].add(1)]),
    st.tuples(PROCESSES, KEYS).map(lambda s: [lambda sets: sets[s[0]].remove(s[1])]),
)


@MODES
@settings(max_examples=30, deadline=None)
@given(contents=st.dictionaries(PROCESSES, st.sets(KEYS, max_size=3)), steps=SETS_STEPS, ends=SETS_ENDS)
def test_a_dictionary_of_sets(integers: bool, contents: dict[int, set[int]], steps: list[Any], ends: list[Any]) -> None:
    def both(run: Run) -> tuple[PageSets, dict[int, set[int]]]:
        touch_all(run, "page")
        members = {(key, item): True for key, items in contents.items() for item in items}
        sets = PageSets(run, has_of([*contents]), value_of(members, default=False))
        return sets, {key: set(items) for key, items in contents.items()}

    def same(sets: PageSets, real: dict[int, set[int]]) -> Iterator[Any]:
        for key in PROBES:
            yield sets.has(number(key)) == (key in real)
            if key in real:
                member = lambda item, key=key: sets.member(number(key), item)  # noqa: E731
                yield from sets_agree(Set(sets.run, member, "page"), real[key])

    agree(integers, both, [*steps, *ends], same)


@MODES
@pytest.mark.parametrize("key", [-1, 1 << 64])
def test_what_is_no_64_bit_number_is_no_key(integers: bool, key: int) -> None:
    sets = lambda run: PageSets(run, has_of([]), lambda key, item: neg(True))  # noqa: E731
    fails_on_some_path(lambda run: run.call(sets(run).__setitem__, key, set()), integers)


# Entries

TYPES = st.sampled_from([0, 1, 4, 5, 6, 7])
REGISTERS = st.lists(TYPES, min_size=8, max_size=8).map(lambda types: int.from_bytes(bytes(types), "little"))
FLAG = st.booleans()
ADDRESSES = st.one_of(
    st.tuples(st.sampled_from([12, 21, 30]), st.integers(0, 7)).map(lambda s: s[1] << s[0]),
    st.sampled_from([8, 1 << 40, (1 << 52) - (1 << 30), 1 << 52]),
)


@settings(max_examples=30, deadline=None)
@given(
    layout=st.builds(Layout, st.integers(32, 52), REGISTERS),
    fields=st.builds(Fields, ADDRESSES, FLAG, FLAG, FLAG, FLAG, st.integers(0, 7)),
    level=st.integers(1, 4),
)
def test_encoding(layout: Layout, fields: Fields, level: int) -> None:
    due = pte.encode(layout, fields, level)
    answers: list[tuple[Run, Any]] = []

    def body(run: Run) -> None:
        replace_encode(run)
        answers.append((run, run.call(code.encode, layout, fields, level)))

    runs = explore(SORTS, body)
    if level == 1 and not fields.leaf:
        assert not answers  # that it may be refused, though the law allows it, is none of the stand-in's answers
        assert any(can_fail(run, False) for run in runs)
        return
    types = layout.pat_register.to_bytes(8, "little")[: 8 if fields.leaf else 4]
    alike = [(run, got) for run, got in answers if (got is None) == (due is None)]
    assert any(can_be(run, False, got is None or got == due) for run, got in alike)
    for run, got in answers:
        if (got is None) != (due is None):
            assert not can_be(run, False)
        elif got is not None and types.count(fields.cache) == 1:  # by another index the entry would be another
            assert not can_be(run, False, got != due)


# What a loop collects


@given(before=st.lists(st.integers(0, 4), max_size=6), appended=st.lists(st.integers(0, 4), max_size=6))
def test_what_is_collected_is_counted_as_a_list_counts_it(before: list[int], appended: list[int]) -> None:
    collected, real = CollectedList(lambda item: count_of(before, item)), [*before]
    for item in appended:
        collected.append(number(item))
        real.append(item)
    for item in range(6):
        counted = [z3.simplify(count_of(kind, number(item)).z).as_long() for kind in (collected, real)]
        assert counted == [real.count(item)] * 2
