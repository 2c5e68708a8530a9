"""Proofs of the code of `impl/bitmap.py`: it does what the law says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from memoracle.impl import bitmap as bitmap_code
from memoracle.impl.bitmap import ALL_BITS, Bitmap, set_bits
from memoracle.proofs.abstraction.objects import bit
from memoracle.proofs.components.bitmap.law import MOST_FRAMES, proved, unknown
from memoracle.proofs.components.bitmap.symbolic_bitmap import (
    ARRAYS,
    SymbolicBitmap,
    is_the_laws,
    unknown_code,
    without_attribute,
)
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.containers import Set, Words
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.extents import Extents
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST
from memoracle.proofs.symbolic.loops import Iterates, Measure, cut
from memoracle.proofs.symbolic.withheld import Withheld
from memoracle.spec import bitmap as law
from memoracle.spec.clauses import Number, Operation, Truth, at_least, at_most, implies, neg, when
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import PAGE_SHIFTS


class Advance:
    """The loop that moves the frontier: all words that it passes hold no free frame."""

    def __init__(self, bitmap: SymbolicBitmap) -> None:
        self.bitmap = bitmap

    def on_entry(self, run: Run, arguments: tuple[object, ...]) -> Measure:
        return self.on_back_edge(run, None)

    def havoc(self, run: Run) -> None:
        frontier = self.bitmap.frontier = run.point("word")
        words = self.bitmap.words.at
        run.suppose(frontier <= self.bitmap.length)
        run.assume_for_all(("word",), lambda word: implies(word < frontier, words(word) == 0))

    def on_back_edge(self, run: Run, result: object) -> Measure:
        word = run.point("word")
        passed = implies(word < self.bitmap.frontier, self.bitmap.words.at(word) == 0)
        run.assert_goal("the frontier passes no free frame", passed)
        run.assert_goal("the frontier stays in the bitmap", self.bitmap.frontier <= self.bitmap.length)
        return self.bitmap.length - self.bitmap.frontier

    def witnesses(self, result: object) -> list[object]:
        return [self.bitmap.frontier]


def is_the_lowest(words: Words, found: Number | None, word: Number) -> Truth:
    """Whether this word, or no word, is the lowest that is not 0."""
    if found is None:
        return words.at(word) == 0
    here = (0 <= found) & (found < words.length) & (words.at(found) != 0)
    return here & implies(word < found, words.at(word) == 0)


@proved("lowest-word.refines", "refinement", "the lowest word that holds a free frame is found, and nothing changes")
def lowest_word_refines(run: Run) -> None:
    bitmap, state = unknown_code(run)
    trusting = bitmap.trusting
    cut(run, bitmap, "_advance", lambda: Advance(bitmap))
    found = run.call(bitmap._lowest_word)
    inside = (0 <= (word := run.point("word"))) & (word < bitmap.length)
    run.assert_goal("it is the lowest", implies(inside, is_the_lowest(bitmap.words, found, word)))
    run.assert_goal("it lies in the bitmap", found is None or (0 <= found) & (found < bitmap.length))
    is_the_laws(run, without_attribute(bitmap, "_advance"), state, trusting)


def finding_and_taking(run: Run, bitmap: SymbolicBitmap, state: law.Frames) -> tuple[list[Number], Withheld]:
    """Puts what is shown of the steps of `allocate` in their place; the frames that are taken, and what is withheld.

    A step changes more than its caller needs to know: what that was before, nothing may be made of.
    """
    taken: list[Number] = []
    withheld = Withheld()

    def lowest_word() -> Number | None:
        found = run.point("word") if run.fork() else None
        words = bitmap.words.copy()
        withheld.take(bitmap, "frontier", "reopened")
        with run.reading_law():
            if found is not None:
                run.suppose(is_the_lowest(words, found, found))
            inside = lambda word: implies((0 <= word) & (word < words.length), is_the_lowest(words, found, word))  # noqa: E731
            run.assume_for_all(("word",), inside)
        return found

    def take(frame: Number) -> bool:
        with run.reading_law():
            run.assert_goal("the frame that is taken is free", law.allocate.allows(state, frame=frame))
            taken.append(frame)
        withheld.take(bitmap, "words", "free_frames", "frontier", "reopened")
        return True

    run.replace(bitmap, "_lowest_word", lowest_word)
    run.replace(bitmap, "take", take)
    return taken, withheld


@proved("allocate.refines", "refinement", "the code of allocate does what the law allows, and takes the lowest frame")
def allocate_refines(run: Run) -> None:
    bitmap, state = unknown_code(run)
    before, trusting = dict(vars(bitmap)), bitmap.trusting
    taken, withheld = finding_and_taking(run, bitmap, state)
    frame, other = run.call(bitmap.allocate), run.point("frame")
    withheld.put_back()
    now = without_attribute(bitmap, "_lowest_word", "take")
    run.assert_goal("only the steps change anything", all(vars(now)[name] is value for name, value in before.items()))
    is_the_laws(run, now, state, trusting)
    if frame is None:
        run.assert_goal("it fails only if no frame is free", neg(law.allocate.allows(state, frame=other)))
        run.assert_goal("it takes none", not taken)
        return
    run.assert_goal("the frame that is answered is taken, and no other", len(taken) == 1 and frame is taken[0])
    run.assert_goal("no lower frame is free", implies(state.is_free(other), frame <= other))


def refines(name: str, method: str, operation: Operation, trusting: Operation | None = None) -> Obligation:
    """That a method that takes a frame, any number, does what the operation says, or else nothing.

    trusting: the operation that it is of a trusting bitmap, if that is another.
    """
    said = " or ".join(each.name for each in (operation, trusting) if each)

    @proved(f"{name}.refines", "refinement", f"the code of {method} does what the law says ({said})")
    def body(run: Run) -> None:
        bitmap, state = unknown_code(run)
        frame, trusts = run.any_number("frame"), bitmap.trusting
        done = run.answers(getattr(bitmap, method), frame)
        due = trusting if trusting and run.call(lambda: bool(trusts)) else operation
        if done:
            run.assert_goal("the law allows it", due.allows(state, frame=frame))
            is_the_laws(run, bitmap, due(state, frame), trusts)
        else:
            run.assert_goal("it fails only if the law says so", neg(due.allows(state, frame=frame)))
            is_the_laws(run, bitmap, state, trusts)

    return body


def bits_are_set(before: object, after: object, first: Number, last: Number, to: int, position: Number) -> Truth:
    """Each bit of those to set, or to clear, is as it was to be; every other is as it was."""
    among = (first <= position) & (position < last)
    return when(among, bit(after, position) == (to != 0), bit(after, position) == bit(before, position))


def words_are_set(before: Words, after: Words, first: Number, last: Number, to: int, word: Number) -> Truth:
    """A word is as it was, but where bits of it are set, so that it is not 0, or cleared, so that it is 0 if it was."""
    among = (first >> 6 <= word) & (word <= last - 1 >> 6)
    changed = implies(before.at(word) == 0, after.at(word) == 0) if to == 0 else after.at(word) != 0
    return when(among, changed, after.at(word) == before.at(word))


def set_bits_refine(name: str, how: str, *to: int) -> Obligation:
    """to: what `set_bits` is asked to set them to, if anything is said of it."""

    @proved(f"{name}.refines", "refinement", f"the code of set_bits {how} these bits and no others")
    def body(run: Run) -> None:
        content, length = run.function("words", "word"), run.number("length", 1, MOST_FRAMES)
        words, before = Words(run, content, length), Words(run, content, length)
        first, last = run.point("frame"), run.point("frame")
        run.assume(first < last, last <= length << 6)
        run.call(set_bits, words, first, last, *to)
        frame, word, bits = run.point("frame"), run.point("word"), to[0] if to else ALL_BITS
        run.assert_goal(f"it {how} these bits, and no others", bits_are_set(before, words, first, last, bits, frame))
        run.assert_goal("other words are as they were", words_are_set(before, words, first, last, bits, word))

    return body


def setting_bits(run: Run) -> None:
    """Puts what `set_bits_refine` shows in the place of `set_bits`."""

    def stand_in(words: Words, first: Number, last: Number, to: int = ALL_BITS) -> None:
        with run.reading_law():
            run.assert_goal("there are such bits", (0 <= first) & (first < last) & (last <= words.length << 6))
            run.assert_goal("they are all set, or cleared", to in (0, ALL_BITS))
            before = words.copy()
            words.at = run.function(f"set#{next(run.count)}", "word")
            after = words.copy()
            run.assume_for_all(("frame",), lambda frame: bits_are_set(before, after, first, last, to, frame))
            run.assume_for_all(("word",), lambda word: words_are_set(before, after, first, last, to, word))

    run.replace(bitmap_code, "set_bits", stand_in)


@proved("add.refines", "refinement", "the code of add adds each frame, but for those outside the bitmap")
def add_refines(run: Run) -> None:
    bitmap, state = unknown_code(run)
    setting_bits(run)
    first, last, trusting = run.any_number("frame"), run.any_number("frame"), bitmap.trusting
    run.assume(bitmap.frontier == 0)
    start, end = at_least(first, 0), at_most(last, state.reach)
    among = lambda frame: implies((start <= frame) & (frame < end), law.add.allows(state, frame=frame))  # noqa: E731
    run.assume_for_all(("frame",), among)
    run.call(bitmap.add, first, last)
    is_the_laws(run, bitmap, law.added(state, start, at_least(end, start)), trusting)


@proved("asked.refines", "refinement", "what the code answers when asked is so, of any number, and changes nothing")
def asked_refines(run: Run) -> None:
    bitmap, state = unknown_code(run)
    frame, trusting = run.any_number("frame"), bitmap.trusting
    questions = (bitmap.is_free, bitmap.exists, bitmap.is_never_free)
    is_free, exists, never_free = (run.answers(ask, frame) for ask in questions)
    reached = law.frame_is_in_reach(state, frame)
    run.assert_goal("whether a frame is free", law.tells_whether_free(state, frame, is_free))
    run.assert_goal("whether a frame exists", exists == (reached & state.exists(frame)))
    run.assert_goal("whether a frame is never free", never_free == (reached & state.never_free(frame)))
    count = run.call(bitmap.count)
    run.assert_goal("how many frames are free", law.tells_the_count(state, count))
    other = run.number("answer", -HIGHEST, HIGHEST)
    run.assert_goal("no other number is the law's", implies(law.tells_the_count(state, other), other == count))
    is_the_laws(run, bitmap, state, trusting)


@proved("reached.refines", "refinement", "a geometry names the frame of a byte just where its bitmap can be asked")
def reached_refines(run: Run) -> None:
    state, address = unknown(run), run.fresh("address", -HIGHEST, HIGHEST)
    for shift in PAGE_SHIFTS.values():
        geometry: object = SimpleNamespace(page_shift=shift, frames=state.reach)
        frame = run.call(Geometry.frame_reached, geometry, address)
        may = law.is_free.allows(state, frame=address >> shift)
        run.assert_goal("it names one if the law lets it be asked for", neg(may) if frame is None else may)
        run.assert_goal("it is the one of the byte", frame is None or frame == address >> shift)


class PuttingAside:
    """The loop over the extents that are never free: what those before have is put aside, and nothing else."""

    def __init__(self, run: Run, extents: Extents) -> None:
        self.extents = extents
        self.words: Words | None = None

    def on_entry(self, run: Run, arguments: tuple[Words, Number, Number]) -> Measure:
        if self.words is None:
            self.words = arguments[0]
        return self._claim(run, self.words)

    def _claim(self, run: Run, words: Words) -> Measure:
        frame = run.point("frame")
        run.assert_goal("the frames of the extents before are put aside", bit(words, frame) == self.extents.seen(frame))
        return Iterates()

    def havoc(self, run: Run) -> None:
        self.extents.forget()
        assert self.words is not None
        self.words.at = run.function(f"aside#{next(run.count)}", "word", gives=None)
        words, seen = self.words.copy(), self.extents.seen
        run.assume_for_all(("frame",), lambda frame: bit(words, frame) == seen(frame))

    def on_back_edge(self, run: Run, result: object) -> Measure:
        self.extents.advance()
        assert self.words is not None
        return self._claim(run, self.words)

    def witnesses(self, result: object) -> list[object]:
        assert self.words is not None
        return [self.extents.seen, self.words.at]


@proved("empty.refines", "refinement", "the reference starts as the law says, with arrays of its own")
def empty_refines(run: Run) -> None:
    reach, trusting = run.number("reach", 1, MOST_FRAMES), run.truth("trusting")
    extents = Extents.unknown(run, "frame", reach)
    setting_bits(run)
    cut(run, bitmap_code, "set_bits", lambda words, first, last: PuttingAside(run, extents))
    bitmap: Any = run.call(Bitmap, reach, extents, trusting)  # its arrays are stand-ins
    run.assert_goal("no word was searched", bitmap.frontier == 0 and not len(bitmap.reopened))
    bitmap.reopened = Set(run, lambda word: False, "word")
    is_the_laws(run, bitmap, law.empty(reach, extents.covers), trusting)
    checked = run.call(Bitmap, reach)
    run.assert_goal("without a word about it, it is not trusting", checked.trusting is False)
    run.assert_goal("nor is any frame put aside", neg(bit(checked.never_free, run.point("frame"))))
    shared = (*ARRAYS, "reopened")
    run.assert_goal(
        "two bitmaps share nothing", all(getattr(bitmap, name) is not getattr(checked, name) for name in shared)
    )


CODE = (
    lowest_word_refines,
    allocate_refines,
    refines("take", "take", law.allocate),
    refines("free", "free", law.free, trusting=law.free_trusting),
    set_bits_refine("set-bits", "sets"),
    set_bits_refine("clear-bits", "clears", 0),
    add_refines,
    asked_refines,
    reached_refines,
    empty_refines,
)
