"""Proofs of the code of `impl/bitmap.py` about frames in a row: `hotplug` adds them, `reserve` allocates them."""

from __future__ import annotations

from typing import ClassVar

from memoracle.proofs.components.bitmap.code import setting_bits
from memoracle.proofs.components.bitmap.law import proved
from memoracle.proofs.components.bitmap.search import searching, searching_clear
from memoracle.proofs.components.bitmap.symbolic_bitmap import (
    SymbolicBitmap,
    is_the_laws,
    unknown_code,
    without_attribute,
)
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.loops import Measure, Rises, cut
from memoracle.proofs.symbolic.values import Property
from memoracle.proofs.symbolic.witnesses import Points
from memoracle.spec import bitmap as law
from memoracle.spec.clauses import Number, Truth, at_least, neg, when


class Reopening:
    """The loop that notes the words below the frontier in which frames were added."""

    points: ClassVar[Points] = {"has": ("word",), "_has": ("word",)}
    says = "the words so far are noted, and no others"

    def __init__(self, bitmap: SymbolicBitmap, start: Number, last: Number) -> None:
        self.bitmap, self.start, self.last = bitmap, start, last
        self.before = bitmap.reopened.has

    def noted(self, end: Number) -> Property:
        """Which words are reopened once the loop has come so far."""
        return lambda word: self.before(word) | self.passed(word, end)

    def passed(self, word: Number, end: Number) -> Truth:
        return (self.start <= word) & (word < end)

    def _claim(self, run: Run, reached: Number) -> Measure:
        word = run.point("word")
        run.assert_goal(self.says, self.bitmap.reopened.has(word) == self.noted(reached)(word))
        run.assert_goal("it does not go back", self.start <= reached)
        run.assert_goal("it stays below the frontier", reached <= self.bitmap.frontier)
        run.assert_goal("it stays among the frames", reached - 1 << 6 < self.last)
        return Rises(reached, self.bitmap.frontier)

    def on_entry(self, run: Run, arguments: tuple[Number, ...]) -> Measure:
        return self._claim(run, arguments[0])

    def havoc(self, run: Run) -> Number:
        reached = run.point("word")
        run.suppose((self.start <= reached) & (reached <= self.bitmap.frontier) & (reached - 1 << 6 < self.last))
        self.bitmap.reopened.has = self.noted(reached)
        return reached

    def on_back_edge(self, run: Run, result: Number) -> Measure:
        return self._claim(run, result)


class Closing(Reopening):
    """The loop that forgets the words below the frontier of which all free frames were reserved."""

    says = "of the words so far those are forgotten that have no free frame, and no others"

    def __init__(self, bitmap: SymbolicBitmap, start: Number, first: Number, last: Number) -> None:
        super().__init__(bitmap, start, last)
        self.first = first

    def noted(self, end: Number) -> Property:
        words = self.bitmap.words
        return lambda word: self.before(word) & (neg(self.passed(word, end)) | (words.at(word) != 0))

    def havoc(self, run: Run) -> Number:
        reached = super().havoc(run)
        run.touch(("frame",), (at_least(self.first, reached << 6),))  # one of the word's, which was free
        return reached


@proved("hotplug.refines", "refinement", "the code of hotplug adds memory as the law says, or changes nothing")
def hotplug_refines(run: Run) -> None:
    bitmap, state = unknown_code(run)
    trusting = bitmap.trusting
    setting_bits(run)
    found = searching(run)
    first, last = run.any_number("first"), run.any_number("last")
    cut(run, bitmap, "_reopen", lambda word: Reopening(bitmap, word, last))
    done = run.answers(bitmap.hotplug, first, last)
    now, asked = without_attribute(bitmap, "_reopen"), {"first": first, "last": last}
    if done:
        frame = run.point("frame")
        run.touch(("word",), (frame >> 6,))
        run.assert_goal("the law allows it", law.add_memory.allows(state, **asked, frame=frame))
        is_the_laws(run, now, law.add_memory(state, first, last), trusting)
        return
    (witness,) = (each for each in found if each is not None)
    run.assert_goal("it fails only if the law says so", neg(law.add_memory.allows(state, **asked, frame=witness)))
    is_the_laws(run, now, state, trusting)


@proved("reserve.refines", "refinement", "the code of reserve allocates just these frames, or changes nothing")
def reserve_refines(run: Run) -> None:
    bitmap, state = unknown_code(run)
    trusting = bitmap.trusting
    setting_bits(run)
    found = searching_clear(run)
    first, last, frame = run.any_number("first"), run.any_number("last"), run.point("frame")
    cut(run, bitmap, "_close", lambda word: Closing(bitmap, word, first, last))
    done = run.answers(bitmap.reserve, first, last)
    now, asked = without_attribute(bitmap, "_close"), {"first": first, "last": last}
    if done:
        run.touch(("word",), (frame >> 6,))
        run.assert_goal("the law allows it", law.reserve.allows(state, **asked, frame=frame))
        is_the_laws(run, now, law.reserve(state, first, last), trusting)
        return
    (witness,) = [each for each in found if each is not None] or [when(first < 0, first, last - 1)]  # out of reach
    run.touch(("frame",), (witness,))
    run.assert_goal("it fails only if the law says so", neg(law.reserve.allows(state, **asked, frame=witness)))
    is_the_laws(run, now, state, trusting)


CODE = (hotplug_refines, reserve_refines)
