"""Proofs of the bitmap: the law keeps its invariants, and the code of `impl/bitmap.py` is the law's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from memoracle.impl import bitmap as bitmap_code
from memoracle.impl.bitmap import Bitmap, set_bits
from memoracle.proofs.abstraction.objects import bit, frames_of
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Obligation, claimed
from memoracle.proofs.symbolic.containers import Set, Words
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST, HypothesisPool, Sort
from memoracle.proofs.symbolic.loops import cut
from memoracle.spec import bitmap as law
from memoracle.spec.clauses import Operation, at_least, at_most, implies, neg
from memoracle.spec.geometry import PAGE_SHIFTS, Geometry

MOST_FRAMES = 1 << 52  # of 4 KiB, in 64-bit addresses
FRAME = Sort("frame")
SORTS = {"frame": FRAME, "later": FRAME, "first": FRAME, "last": FRAME, "word": Sort("word")}
FUNCTIONS = dict.fromkeys(("exists", "is_free", "in_use", "free_below"), law_obligations.any_point("frame"))


def unknown(run: HypothesisPool) -> law.Frames:
    """Any state: any number of frames, any image."""
    reach = run.number("reach", 1, MOST_FRAMES)
    image = run.number("image", 1, MOST_FRAMES)
    run.assume(image <= reach)
    run.touch(("frame",), (reach,))
    run.touch(("frame",), (0,))
    return law.Frames(
        reach=reach,
        image=image,
        count=run.number("count"),
        exists=run.relation("exists", "frame"),
        is_free=run.relation("is_free", "frame"),
        in_use=run.relation("in_use", "frame"),
        free_below=run.function("free_below", "frame"),
    )


def initial(run: HypothesisPool) -> law.Frames:
    """No frame exists but the image's."""
    state = unknown(run)
    return law.empty(state.reach, state.image)


LAW = law_obligations.Law(
    "bitmap", SORTS, FUNCTIONS, unknown, initial, law.CHECKED, law.OPERATIONS, law.THEOREMS, integers=True
)


def proved(name: str, kind: str, claim: str, integers: bool = False) -> Callable[[Callable[[Run], None]], Obligation]:
    return claimed(f"bitmap.{name}", kind, claim, SORTS, integers=integers)


@proved("add.begins", "invariant", "adding no frames changes nothing", integers=True)
def add_begins(run: Run) -> None:
    state, first = unknown(run), run.point("frame")
    law_obligations.same_state(run, LAW, state, law.added(state, first, first))


@proved("add.goes-on", "invariant", "adding frames up to one more is adding that one, too", integers=True)
def add_goes_on(run: Run) -> None:
    state, first, last = unknown(run), run.point("frame"), run.point("frame")
    run.assume(first <= last)
    law_obligations.same_state(
        run, LAW, law.add(law.added(state, first, last), last), law.added(state, first, last + 1)
    )


@proved("trusting.keeps-counting", "invariant", "also a free that is not checked counts right", integers=True)
def trusting_counts(run: Run) -> None:
    before = unknown(run)
    run.assume_all(law.TRUSTING, before)
    values = run.point_of_each(law.free_trusting.points)
    law_obligations.permitted(run, law.free_trusting, before, values)
    after = law.free_trusting(before, *values.values())
    for clause in law.TRUSTING:
        run.claim(clause.says, clause(after, *run.point_of_each(clause.points).values()))


def moves_no_other_bit(operation: Operation) -> Obligation:
    @proved(
        f"{law_obligations.short(operation)}.moves-no-other-bit", "theorem", "no other frame's bit moves", integers=True
    )
    def body(run: Run) -> None:
        before, after, values = law_obligations.happens(run, LAW, operation)
        other = run.point("frame")
        run.assume(other != values["frame"])
        run.claim("no other frame's bit moves", before.is_free(other) == after.is_free(other))

    return body


# The code. Its containers are unknown; what they must be like, beside what the law says, is stated here.


def reopened_are_known(bitmap: Any, word: Any) -> Any:
    """Of the words below the frontier, those with a free frame are noted as reopened, and no others."""
    searched = (0 <= word) & (word < bitmap.frontier)
    return bitmap.reopened.has(word) == (searched & (bitmap.words.at(word) != 0))


def unknown_code(run: Run, trusting: bool = False) -> tuple[Any, law.Frames]:
    """The reference on unknown containers, and the state that it stands for before anything is run."""
    words, existing = (run.function(name, "word", gives=None) for name in ("words", "existing"))
    reach, image = run.number("reach", 1, MOST_FRAMES), run.number("image", 1, MOST_FRAMES)
    length = reach + 63 >> 6
    frontier = run.number("frontier", 0, MOST_FRAMES)
    reopened, count = run.relation("reopened", "word"), run.number("count")
    run.assume(image <= reach, frontier <= length)
    run.touch(("word",), (frontier,))

    def reference() -> Any:
        bitmap = object.__new__(Bitmap)
        bitmap.__dict__.update(
            frames=reach,
            image=image,
            trusting=trusting,
            length=length,
            words=Words(run, words, length),
            existing=Words(run, existing, length),
            free_frames=count,
            frontier=frontier,
            reopened=Set(run, reopened, "word"),
        )
        return bitmap

    before = reference()
    in_use, free_below = run.relation("in_use", "frame"), run.function("free_below", "frame")
    state = replace(frames_of(before), in_use=in_use, free_below=free_below)
    run.assume_all(law.TRUSTING if trusting else law.CHECKED, state)
    run.assume_for_all(("word",), lambda word: reopened_are_known(before, word))
    return reference(), state


NOT_KEPT = ("in_use", "free_below")  # by the reference


def is_the_laws(run: Run, bitmap: Any, state: law.Frames) -> None:
    """Claims that the reference stands for this state, and knows which words were reopened."""
    law_obligations.same_state(run, LAW, frames_of(bitmap), state, NOT_KEPT)
    run.claim("the words that were reopened are known", reopened_are_known(bitmap, run.point("word")))
    run.claim("the frontier stays in the bitmap", (0 <= bitmap.frontier) & (bitmap.frontier <= bitmap.length))


class Advance:
    """The loop that moves the frontier: all words that it passes hold no free frame."""

    def __init__(self, bitmap: Any) -> None:
        self.bitmap = bitmap

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Any:
        return self.on_back_edge(run, None)

    def havoc(self, run: Run) -> Any:
        frontier = self.bitmap.frontier = run.point("word")
        words = self.bitmap.words.at
        run.suppose(frontier <= self.bitmap.length)
        run.assume_for_all(("word",), lambda word: implies(word < frontier, words(word) == 0))

    def on_back_edge(self, run: Run, result: Any) -> Any:
        word = run.point("word")
        passed = implies(word < self.bitmap.frontier, self.bitmap.words.at(word) == 0)
        run.claim("the frontier passes no free frame", passed)
        run.claim("the frontier stays in the bitmap", self.bitmap.frontier <= self.bitmap.length)
        return self.bitmap.length - self.bitmap.frontier


@proved(
    "allocate.refines", "refinement", "the code of allocate does what the law allows, and takes the lowest free frame"
)
def allocate_refines(run: Run) -> None:
    bitmap, state = unknown_code(run)
    cut(run, bitmap, "_advance", lambda: Advance(bitmap))
    frame, other = run.call(bitmap.allocate), run.point("frame")
    if frame is None:
        run.claim("it fails only if no frame is free", neg(law.allocate.allows(state, frame=other)))
        is_the_laws(run, bitmap, state)
        return
    run.claim("the law allows the frame", law.allocate.allows(state, frame=frame))
    run.claim("no lower frame is free", implies(state.is_free(other), frame <= other))
    is_the_laws(run, bitmap, law.allocate(state, frame))


def refines(name: str, method: str, operation: Operation, trusting: bool = False) -> Obligation:
    """That a method that takes a frame of the bitmap does what the operation says, or else nothing."""

    @proved(f"{name}.refines", "refinement", f"the code of {method} does what the law says ({operation.name})")
    def body(run: Run) -> None:
        bitmap, state = unknown_code(run, trusting)
        frame = run.point("frame")
        run.assume(law.frame_is_in_reach(state, frame))
        if run.call(lambda: bool(getattr(bitmap, method)(frame))):
            run.claim("the law allows it", operation.allows(state, frame=frame))
            is_the_laws(run, bitmap, operation(state, frame))
        else:
            run.claim("it fails only if the law says so", neg(operation.allows(state, frame=frame)))
            is_the_laws(run, bitmap, state)

    return body


def bits_are_set(before: Any, after: Any, first: Any, last: Any, position: Any) -> Any:
    """A bit is set afterwards if it was, or is one of those to set."""
    among = (first <= position) & (position < last)
    return bit(after, position) == (bit(before, position) | among)


@proved("set-bits.refines", "refinement", "the code of set_bits sets these bits and no others")
def set_bits_refines(run: Run) -> None:
    content, length = run.function("words", "word"), run.number("length", 1, MOST_FRAMES)
    words, before = Words(run, content, length), Words(run, content, length)
    first, last = run.point("frame"), run.point("frame")
    run.assume(first < last, last <= length << 6)
    run.call(set_bits, words, first, last)
    run.claim("these bits are set, and no others", bits_are_set(before, words, first, last, run.point("frame")))


def setting_bits(run: Run) -> None:
    """Puts what `set_bits_refines` shows in the place of `set_bits`."""

    def stand_in(words: Any, first: Any, last: Any) -> None:
        with run.reading_law():
            run.claim("there are such bits", (0 <= first) & (first < last) & (last <= words.length << 6))
            before = words.copy()
            words.at = run.function(f"set#{next(run.count)}", "word")
            run.assume_for_all(("frame",), lambda frame: bits_are_set(before, words, first, last, frame))

    run.replace(bitmap_code, "set_bits", stand_in)


@proved("add.refines", "refinement", "the code of add adds each frame, but for the image's and those past the bitmap")
def add_refines(run: Run) -> None:
    bitmap, state = unknown_code(run)
    setting_bits(run)
    first, last = run.point("frame"), run.point("frame")
    run.assume(first <= last, bitmap.frontier == 0)
    start, end = at_least(first, state.image), at_most(last, state.reach)
    among = lambda frame: implies((start <= frame) & (frame < end), law.adds_only_new_frames(state, frame))  # noqa: E731
    run.assume_for_all(("frame",), among)
    run.call(bitmap.add, first, last)
    is_the_laws(run, bitmap, law.added(state, start, at_least(end, start)))


@proved("asked.refines", "refinement", "what the code answers when asked is so, and changes nothing")
def asked_refines(run: Run) -> None:
    bitmap, state = unknown_code(run)
    frame = run.point("frame")
    run.assume(law.frame_is_in_reach(state, frame))
    run.claim("whether a frame is free", law.tells_whether_free(state, frame, run.call(bitmap.is_free, frame)))
    run.claim("whether a frame exists", run.call(bitmap.exists, frame) == state.exists(frame))
    run.claim("how many frames are free", law.tells_the_count(state, run.call(bitmap.count)))
    is_the_laws(run, bitmap, state)


@proved("reached.refines", "refinement", "a geometry names the frame of a byte just where its bitmap can be asked")
def reached_refines(run: Run) -> None:
    state, address = unknown(run), run.fresh("address", -HIGHEST, HIGHEST)
    for shift in PAGE_SHIFTS.values():
        geometry: Any = SimpleNamespace(page_shift=shift, frames=state.reach)
        frame = run.call(Geometry.frame_reached, geometry, address)
        may = law.is_free.allows(state, frame=address >> shift)
        run.claim("it names one if the law lets it be asked for", neg(may) if frame is None else may)
        run.claim("it is the one of the byte", frame is None or frame == address >> shift)


@proved("add.takes-nothing-away", "theorem", "a frame that turns out to be memory was in nobody's hands")
def add_takes_nothing_away(run: Run) -> None:
    before, after, _ = law_obligations.happens(run, LAW, law.add)
    frame = run.point("frame")
    run.claim("who has a frame keeps it", before.in_use(frame) == after.in_use(frame))


@proved("empty.refines", "refinement", "the reference starts as the law says")
def empty_refines(run: Run) -> None:
    reach, image = run.number("reach", 1, MOST_FRAMES), run.number("image", 1, MOST_FRAMES)
    run.assume(image <= reach)
    setting_bits(run)
    bitmap = run.call(Bitmap, reach, image)
    run.claim("no word was searched", bitmap.frontier == 0 and not len(bitmap.reopened))
    law_obligations.same_state(run, LAW, frames_of(bitmap), law.empty(reach, image), NOT_KEPT)


LAWS = (
    add_begins,
    add_goes_on,
    add_takes_nothing_away,
    trusting_counts,
    *map(moves_no_other_bit, (law.allocate, law.free)),
)
CODE = (
    allocate_refines,
    refines("take", "take", law.allocate),
    refines("free", "free", law.free),
    refines("free-trusting", "free", law.free_trusting, trusting=True),
    set_bits_refines,
    add_refines,
    asked_refines,
    reached_refines,
    empty_refines,
)


def obligations() -> Iterator[Obligation]:
    yield from law_obligations.obligations(LAW)
    yield from LAWS
    yield from CODE
