"""Proofs of the code of `impl/bitmap.py` that searches between limits, and of what rests on it.

Two searches serve all: for the lowest bit that is set and aligned, and for the lowest that is not set. Their loops pass
no bit that may be given, and the first goes on by the next multiple of the alignment; so of any word and any alignment
it is enough to look at one turn.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from memoracle.impl import bitmap as bitmap_code
from memoracle.proofs.abstraction.objects import bit
from memoracle.proofs.components.bitmap.code import finding_and_taking
from memoracle.proofs.components.bitmap.law import MOST_FRAMES, proved
from memoracle.proofs.components.bitmap.symbolic_bitmap import (
    is_the_laws,
    unknown_code,
    without_attribute,
)
from memoracle.proofs.symbolic.containers import Words
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.loops import Measure, Rises, cut
from memoracle.proofs.symbolic.values import Property
from memoracle.spec import bitmap as law
from memoracle.spec.clauses import Number, Truth, implies, neg
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import PAGE_SHIFTS

ALIGNMENT = 1 << 64  # the largest that an address may have


def an_alignment(run: Run) -> Number:
    """Any power of two."""
    alignment = run.number("alignment", 1, ALIGNMENT)
    run.assume(law.alignment_is_a_power_of_two(None, alignment))
    return alignment


def may_be_given(words: object, alignment: Number, first: Number, last: Number, position: Number) -> Truth:
    """Whether a bit is set, lies within the limits and is aligned."""
    return bit(words, position) & (first <= position) & (position < last) & law.is_multiple(position, alignment)


@proved("aligned-up.refines", "refinement", "the code of aligned_up finds the next multiple of a power of two")
def aligned_up_refines(run: Run) -> None:
    number, alignment, other = (run.fresh(name, 0, 2 * HIGHEST) for name in ("number", "alignment", "other"))
    run.assume(law.alignment_is_a_power_of_two(None, alignment))
    found = run.call(bitmap_code.aligned_up, number, alignment)
    run.assert_goal("it is aligned", law.is_multiple(found, alignment))
    run.assert_goal("it is not below the number", number <= found)
    run.assert_goal("it is nearer than the alignment", found < number + alignment)
    none = implies((number <= other) & law.is_multiple(other, alignment), found <= other)
    run.assert_goal("none lies between", none)


@proved(
    "is-power-of-two.refines", "refinement", "the code of is_power_of_two knows what the law takes for an alignment"
)
def is_power_of_two_refines(run: Run) -> None:
    number = run.fresh("number", -HIGHEST, 2 * HIGHEST)
    is_one = law.alignment_is_a_power_of_two(None, number)
    answer = run.answers(bitmap_code.is_power_of_two, number)
    run.assert_goal("it answers as the law does", is_one if answer else neg(is_one))


def aligning(run: Run) -> None:
    """Puts what `aligned_up_refines` shows in the place of `aligned_up`."""

    def stand_in(number: Number, alignment: Number) -> Number:
        with run.reading_law():
            run.assert_goal("a number is asked about that it was shown of", (0 <= number) & (number <= 2 * HIGHEST))
            run.assert_goal(
                "and an alignment", (alignment <= 2 * HIGHEST) & law.alignment_is_a_power_of_two(None, alignment)
            )
            found = run.fresh("aligned", 0, 4 * HIGHEST)
            run.suppose((number <= found) & (found < number + alignment) & law.is_multiple(found, alignment))
            no_other: Property = lambda other: (  # noqa: E731
                implies((number <= other) & law.is_multiple(other, alignment), found <= other)
            )
            run.assume_for_all(("frame",), no_other)
        return found

    run.replace(bitmap_code, "aligned_up", stand_in)


class Searching:
    """The loop that looks for a bit: no bit that it has passed may be given."""

    def __init__(self, words: Words, alignment: Number, first: Number, last: Number) -> None:
        self.words, self.alignment, self.first, self.last = words, alignment, first, last

    def passed(self, position: Number) -> Property:
        """Of a position that the search has come to: what is known of all bits."""
        return lambda other: implies(other < position, neg(self.may_be_given(other)))

    def may_be_given(self, position: Number) -> Truth:
        return may_be_given(self.words, self.alignment, self.first, self.last, position)

    def _claim(self, run: Run, position: Number) -> Measure:
        run.assert_goal("no bit that was passed may be given", self.passed(position)(run.point("frame")))
        run.assert_goal("the search is at a multiple of the alignment", position & self.alignment - 1 == 0)
        run.assert_goal("it does not go back", self.first <= position)
        return Rises(position, self.last)

    def on_entry(self, run: Run, arguments: tuple[Number, ...]) -> Measure:
        return self._claim(run, arguments[2])

    def havoc(self, run: Run) -> Number:
        position = run.any_number("frame")  # behind the last limit it may be no frame any more
        run.suppose((self.first <= position) & (position & self.alignment - 1 == 0))
        run.assume_for_all(("frame",), self.passed(position))
        return position

    def on_back_edge(self, run: Run, result: Number) -> Measure:
        return self._claim(run, result)


@proved("lowest-bit.refines", "refinement", "the lowest bit is found that is set and aligned, between any limits")
def lowest_bit_refines(run: Run) -> None:
    content, length = run.function("words", "word"), run.number("length", 1, MOST_FRAMES)
    words, alignment = Words(run, content, length), an_alignment(run)
    first, last, other = run.any_number("frame"), run.any_number("frame"), run.point("frame")
    run.assume(0 <= first, last <= length << 6)  # which `searching` claims of each call
    aligning(run)
    cut(run, bitmap_code, "next_candidate", lambda *arguments: Searching(words, alignment, first, last))
    found = run.call(bitmap_code.lowest_bit, words, alignment, first, last)
    run.assert_goal("nothing is written", words.at is content)
    may = may_be_given(words, alignment, first, last, other)
    if found is None:
        run.assert_goal("none is found only where there is none", neg(may))
        return
    run.assert_goal("it may be given", may_be_given(words, alignment, first, last, found))
    run.assert_goal("no lower one may be", implies(may, found <= other))


class SearchingClear(Searching):
    """Likewise for a bit that is not set."""

    def __init__(self, words: Words, first: Number, last: Number) -> None:
        super().__init__(words, 1, first, last)

    def may_be_given(self, position: Number) -> Truth:
        return is_clear(self.words, self.first, self.last, position)

    def on_entry(self, run: Run, arguments: tuple[Number, ...]) -> Measure:
        return self._claim(run, arguments[1])


def is_clear(words: object, first: Number, last: Number, position: Number) -> Truth:
    """Whether a bit is not set, and lies within the limits."""
    return neg(bit(words, position)) & (first <= position) & (position < last)


@proved("lowest-clear-bit.refines", "refinement", "the lowest bit is found that is not set, between any limits")
def lowest_clear_bit_refines(run: Run) -> None:
    content, length = run.function("words", "word"), run.number("length", 1, MOST_FRAMES)
    words = Words(run, content, length)
    first, last, other = run.any_number("frame"), run.any_number("frame"), run.point("frame")
    run.assume(0 <= first, last <= length << 6)
    cut(run, bitmap_code, "after_set_bit", lambda *arguments: SearchingClear(words, first, last))
    found = run.call(bitmap_code.lowest_clear_bit, words, first, last)
    run.assert_goal("nothing is written", words.at is content)
    may = is_clear(words, first, last, other)
    if found is None:
        run.assert_goal("none is found only where there is none", neg(may))
        return
    run.assert_goal("it is not set", is_clear(words, first, last, found))
    run.assert_goal("every lower one is", implies(may, found <= other))


def searching(run: Run) -> list[Number | None]:
    """Puts what `lowest_bit_refines` shows in the place of `lowest_bit`; what each search finds."""
    every: list[Number | None] = []

    def stand_in(words: Words, alignment: Number, first: Number, last: Number) -> Number | None:
        with run.reading_law():
            run.assert_goal("the alignment is a power of two", law.alignment_is_a_power_of_two(None, alignment))
        seen = words.copy()
        may = lambda position: may_be_given(seen, alignment, first, last, position)  # noqa: E731
        return lowest_of(run, words, first, last, may, every)

    run.replace(bitmap_code, "lowest_bit", stand_in)
    return every


def searching_clear(run: Run) -> list[Number | None]:
    """Likewise of `lowest_clear_bit`."""
    every: list[Number | None] = []

    def stand_in(words: Words, first: Number, last: Number) -> Number | None:
        seen = words.copy()
        return lowest_of(run, words, first, last, lambda position: is_clear(seen, first, last, position), every)

    run.replace(bitmap_code, "lowest_clear_bit", stand_in)
    return every


def lowest_of(
    run: Run, words: Words, first: Number, last: Number, may: Property, every: list[Number | None]
) -> Number | None:
    """What a search between limits finds: the lowest bit that may be, if there is one."""
    found = run.point("frame") if run.fork() else None
    with run.reading_law():
        run.assert_goal("the limits lie in the bitmap", (0 <= first) & (last <= words.length << 6))
        if found is not None:
            run.suppose(may(found))
        known: Property = lambda other: neg(may(other)) if found is None else implies(may(other), found <= other)  # noqa: E731
        run.assume_for_all(("frame",), known)
    every.append(found)
    return found


@proved(
    "allocate-within.refines",
    "refinement",
    "the code of allocate_within does what the law allows, and takes the lowest",
)
def allocate_within_refines(run: Run) -> None:
    bitmap, state = unknown_code(run)
    before, trusting = dict(vars(bitmap)), bitmap.trusting
    taken, withheld = finding_and_taking(run, bitmap, state)
    searching(run)
    asked = {name: run.any_number(name) for name in ("alignment", "first", "last")}
    frame, other = run.call(bitmap.allocate_within, *asked.values()), run.point("frame")
    withheld.put_back()
    now = without_attribute(bitmap, "_lowest_word", "take")
    run.assert_goal("only the steps change anything", all(vars(now)[name] is value for name, value in before.items()))
    is_the_laws(run, now, state, trusting)
    run.touch(("word",), (other >> 6,))
    allowed = law.allocate_within.allows(state, **asked, frame=other)
    if frame is None:
        run.assert_goal("it fails only if no such frame is free", neg(allowed))
        run.assert_goal("it takes none", not taken)
        return
    run.assert_goal("the law allows it", law.allocate_within.allows(state, **asked, frame=frame))
    run.assert_goal("the frame that is answered is taken, and no other", len(taken) == 1 and frame is taken[0])
    run.assert_goal("no lower frame may be given", implies(allowed, frame <= other))


@proved("limits.refines", "refinement", "limits and alignments in bytes mean the frames that a geometry says")
def limits_refines(run: Run) -> None:
    frame, lowest, below = run.point("frame"), run.fresh("lowest", 0, ALIGNMENT), run.fresh("below", 0, ALIGNMENT)
    alignment = an_alignment(run)
    run.assume(frame < MOST_FRAMES)
    for shift in PAGE_SHIFTS.values():
        geometry: Any = SimpleNamespace(page_shift=shift, page_size=1 << shift)
        first, last = run.call(Geometry.frames_within, geometry, lowest, below)
        inside = (lowest <= frame << shift) & (frame + 1 << shift <= below)
        run.assert_goal(
            "a frame lies between the limits with all its bytes",
            law.lies_within_limits(None, first, last, frame) == inside,
        )
        number = run.call(Geometry.frame_alignment, geometry, alignment)
        aligned = (frame << shift) & alignment - 1 == 0
        run.assert_goal(
            "its address is aligned if its number is", law.is_aligned_as_asked(None, number, frame) == aligned
        )
        run.assert_goal("its number's alignment is a power of two", law.alignment_is_a_power_of_two(None, number))


CODE = (
    aligned_up_refines,
    is_power_of_two_refines,
    lowest_bit_refines,
    allocate_within_refines,
    lowest_clear_bit_refines,
    limits_refines,
)
