"""What stands in for a heap's slabs and their bitmaps behaves as these do (see `standin_trials.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from standin_trials import (
    MODES,
    PROBES,
    SORTS,
    Choice,
    agree,
    fails_on_some_path,
    has_of,
    holds_on_every_path,
    touch_all,
    value_of,
)

from memoracle.impl import slab as slab_code
from memoracle.impl.bitmap import Bitmap
from memoracle.impl.slab import Layout, Slab, layout
from memoracle.proofs.components.heap.models import BitmapConstructor, Layouts, SlabBitmap, Slabs
from memoracle.proofs.symbolic.containers import any_of
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.numbers import number
from memoracle.spec.clauses import neg

SLOTS = 6
PAGE_SHIFT = 12
SHIFTS = (9, 10)  # of slots: few of them make a page
LAYOUTS: dict[int, Any] = {shift: layout(PAGE_SHIFT, shift) for shift in SHIFTS}
BITS_ONLY = False  # these shift by numbers that are not constants


def bitmap_with(slots: int, head: int, taken: set[int]) -> Bitmap:
    """The bitmap of a slab in which these are taken."""
    bitmap = Bitmap(slots, [(0, head)])
    bitmap.add(head, slots)
    for slot in taken:
        if head <= slot < slots:
            bitmap.take(slot)
    return bitmap


def free_slots(bitmap: Bitmap) -> list[int]:
    return [slot for slot in range(bitmap.frames) if bitmap.is_free(slot)]


# Bitmaps


def one_of(slots: list[int]) -> Callable[[Any], Any]:
    """What is taken must be one of these, and nothing if there is none."""
    return lambda got: not slots if got is None else any_of([got == slot for slot in slots])


ALLOCATION = Choice(lambda bits: bits.allocate(), lambda bits: one_of(free_slots(bits)))


def at_slot(method: str, slot: int) -> Callable[[Any], bool]:
    return lambda bits: bool(getattr(bits, method)(slot))


BIT_STEPS = st.lists(
    st.one_of(
        st.just(ALLOCATION),
        st.just(ALLOCATION),
        st.integers(0, SLOTS - 1).map(lambda slot: at_slot("free", slot)),
        st.integers(2, 4).map(lambda slot: at_slot("free", slot)),
        st.integers(0, SLOTS - 1).map(lambda slot: at_slot("is_free", slot)),
        st.just(lambda bits: bits.count()),
    ),
    max_size=4,
)
OUTSIDE = st.lists(st.tuples(st.sampled_from(["free", "is_free"]), st.sampled_from([-1, 6, 7])), max_size=1)


@MODES
@settings(max_examples=30, deadline=None)
@given(head=st.integers(1, 4), taken=st.sets(st.integers(2, 5), max_size=3), steps=BIT_STEPS, outside=OUTSIDE)
@example(head=2, taken={3}, steps=[at_slot("free", 3)], outside=[])  # all are free again
def test_the_bitmap_of_a_slab(
    integers: bool, head: int, taken: set[int], steps: list[Any], outside: list[tuple[str, int]]
) -> None:
    def both(run: Run) -> tuple[SlabBitmap, Bitmap]:
        touch_all(run, "slot")
        real = bitmap_with(SLOTS, head, taken)
        kept: list[Any] = [(has_of(free_slots(real)), number(real.count()))]
        return SlabBitmap(run, number(SLOTS), number(head), lambda: kept[-1], lambda *state: kept.append(state)), real

    def same(bits: Any, real: Bitmap) -> Iterator[Any]:
        yield bits.state.count == real.count()
        for slot in range(SLOTS):
            yield bits.state.is_free(number(slot)) == real.is_free(slot)

    asked = [at_slot(*each) for each in outside]
    agree(integers, both, [*steps, *asked], same)


@MODES
@settings(max_examples=10, deadline=None)
@given(slots=st.integers(2, 8), head=st.integers(1, 7))
def test_the_bitmap_of_a_new_slab(integers: bool, slots: int, head: int) -> None:
    def body(run: Run) -> None:
        bits = run.call(BitmapConstructor(run), number(slots), [(0, number(head))])
        run.call(bits.add, number(head), number(slots))
        real = bitmap_with(slots, head, set())
        run.assert_goal("the count is the same", bits.count() == real.count())
        for slot in range(slots):
            run.assert_goal("the same are free", bits.is_free(number(slot)) == real.is_free(slot))

    if head < slots:
        holds_on_every_path(body, integers)
    else:
        fails_on_some_path(lambda run: run.call(BitmapConstructor(run), number(slots), [(0, number(head))]), integers)


@MODES
def test_a_new_slab_that_is_not_made_whole_is_noticed(integers: bool) -> None:
    bits = BitmapConstructor(Run(SORTS, []))(8, [(0, 1)])
    assert bits.count() == 0
    assert not bits.is_free(1)
    assert BitmapConstructor(bits.run)(8, [(0, 1)]) is not bits
    for added in ((1, 7), (0, 8)):
        fails_on_some_path(
            lambda run, added=added: run.call(BitmapConstructor(run)(8, [(0, 1)]).add, *map(number, added)), integers
        )
    fails_on_some_path(lambda run: run.call(BitmapConstructor(run)(8, [(1, 2)]).add, 2, 8), integers)
    fails_on_some_path(lambda run: run.call(BitmapConstructor(run)(8, [(0, 1)]).allocate), integers)


# Layouts and slabs


def layout_of(shift: Any) -> Layout:
    """The layout of a class, whichever it is."""
    fields = {field: {each: getattr(LAYOUTS[each], field) for each in SHIFTS} for field in Layout._fields}
    values: dict[str, Any] = {field: value_of(of)(shift) for field, of in fields.items()}
    return Layout(**values | {"page_shift": PAGE_SHIFT, "slot_shift": shift})


@MODES
@pytest.mark.parametrize("shift", [8, *SHIFTS])
@pytest.mark.parametrize("field", Layout._fields)
def test_layouts(integers: bool, shift: int, field: str) -> None:
    steps = [lambda layouts: shift in layouts, lambda layouts: getattr(layouts[shift], field)]
    both = lambda run: (Layouts(run, has_of(SHIFTS), layout_of), dict(LAYOUTS))  # noqa: E731
    agree(integers, both, steps, lambda stand_in, real: [])


def taking(page: int) -> Choice:
    """An object is taken, any that is free."""

    def may(slabs: Any) -> Callable[[Any], Any]:
        if page not in slabs:
            return lambda got: got is None
        slab = slabs[page]
        return one_of([slot << slab.layout.slot_shift for slot in free_slots(slab.bitmap)])

    def step(slabs: Any) -> Any:
        if page not in slabs:
            return None
        slab = slabs[page]
        assert isinstance(slabs, dict) or slabs.opened[-1] == (page, slab.bitmap)
        return slab.take()

    return Choice(step, may)


def giving(page: int, offset: int) -> Callable[[Any], bool]:
    """An object is given back, or what is none."""
    return lambda slabs: page in slabs and bool(slabs[page].give(offset))


def making(page: int, shift: int) -> Callable[[Any], None]:
    """A new slab is put in the place of what there is."""

    def step(slabs: Any) -> None:
        if isinstance(slabs, dict):
            slabs[page] = Slab(LAYOUTS[shift])
            return
        with patch.object(slab_code, "Bitmap", BitmapConstructor(slabs.run)):
            slabs[number(page)] = Slab(slabs.layouts[shift])

    return step


PAGES = st.integers(1, 3)
SLAB_STEPS = st.lists(
    st.one_of(
        PAGES.map(taking),
        PAGES.map(taking),
        st.tuples(PAGES, st.sampled_from([0, 0, 1024, 2048])).map(lambda s: giving(*s)),
        st.tuples(PAGES, st.sampled_from([100, 512, 1536, 3072, 3584])).map(lambda s: giving(*s)),
        PAGES.map(lambda page: lambda slabs: page in slabs and bool(slabs[page].is_empty())),
        PAGES.map(lambda page: lambda slabs: page in slabs and bool(slabs[page].is_full())),
        st.tuples(PAGES, st.sampled_from(SHIFTS)).map(lambda s: making(*s)),
        PAGES.map(lambda page: lambda slabs: slabs.__delitem__(page) if page in slabs else None),
    ),
    min_size=1,
    max_size=4,
)
SLAB_ENDS = st.one_of(
    st.just([]),
    st.just([]),
    PAGES.map(lambda page: [lambda slabs: slabs.__delitem__(page)]),
    PAGES.map(lambda page: [lambda slabs: slabs[page].is_full() is None]),
)
SLAB = st.tuples(st.sampled_from(SHIFTS), st.sets(st.integers(1, 7)))


@settings(max_examples=30, deadline=None)
@given(contents=st.dictionaries(PAGES, SLAB, min_size=1), steps=SLAB_STEPS, ends=SLAB_ENDS)
def test_slabs(contents: dict[int, tuple[int, set[int]]], steps: list[Any], ends: list[Any]) -> None:
    def real_slabs() -> dict[int, Slab]:
        slabs = {page: Slab(LAYOUTS[shift]) for page, (shift, _) in contents.items()}
        for page, slab in slabs.items():
            slab.bitmap = bitmap_with(
                slab.bitmap.frames, slab.layout.first >> slab.layout.slot_shift, contents[page][1]
            )
        return slabs

    def both(run: Run) -> tuple[Slabs, dict[int, Slab]]:
        touch_all(run, "slot")
        real = real_slabs()
        free = [(page, slot) for page, slab in real.items() for slot in free_slots(slab.bitmap)]
        slabs = Slabs(
            run,
            Layouts(run, has_of(SHIFTS), layout_of),
            has_of([*real]),
            value_of({page: slab.layout.slot_shift for page, slab in real.items()}, default=SHIFTS[0]),
            value_of(dict.fromkeys(free, True), default=False),
            value_of({page: slab.bitmap.count() for page, slab in real.items()}),
        )
        return slabs, real

    def same(slabs: Slabs, real: dict[int, Slab]) -> Iterator[Any]:
        for page in PROBES:
            if page not in real:
                yield neg(slabs.has(number(page)))
                continue
            slab = real[page]
            yield slabs.has(number(page))
            yield slabs.slot_of(number(page)) == slab.layout.slot_shift
            yield slabs.count(number(page)) == slab.bitmap.count()
            for slot in range(slab.layout.slots):
                yield slabs.is_free(number(page), number(slot)) == slab.bitmap.is_free(slot)

    agree(BITS_ONLY, both, [*steps, *ends], same)
