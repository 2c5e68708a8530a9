"""Proofs of the bitmap: the law keeps its invariants, and the code of `impl/bitmap.py` is the law's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Protocol

from memoracle.impl import bitmap as bitmap_code
from memoracle.impl.bitmap import Bitmap, set_bits
from memoracle.proofs.abstraction.objects import bit, frames_of
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Obligation, claimed
from memoracle.proofs.symbolic.containers import Set, Words
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST, HypothesisPool, Sort
from memoracle.proofs.symbolic.loops import Measure, cut
from memoracle.spec import bitmap as law
from memoracle.spec.clauses import Number, Operation, Truth, at_least, at_most, implies, neg
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
        run.assert_goal(clause.says, clause(after, *run.point_of_each(clause.points).values()))


def moves_no_other_bit(operation: Operation) -> Obligation:
    @proved(
        f"{law_obligations.short(operation)}.moves-no-other-bit", "theorem", "no other frame's bit moves", integers=True
    )
    def body(run: Run) -> None:
        before, after, values = law_obligations.happens(run, LAW, operation)
        other = run.point("frame")
        run.assume(other != values["frame"])
        run.assert_goal("no other frame's bit moves", before.is_free(other) == after.is_free(other))

    return body


# The code. Its containers are unknown; what they must be like, beside what the law says, is stated here.


class SymbolicBitmap(Protocol):
    """The reference with these in the place of its attributes."""

    frames: Number
    image: Number
    trusting: Truth
    length: Number
    free_frames: Number
    frontier: Number
    words: Words
    existing: Words
    reopened: Set

    add: Callable[..., Any]
    allocate: Callable[..., Any]
    free: Callable[..., Any]
    take: Callable[..., Any]
    exists: Callable[..., Any]
    is_free: Callable[..., Any]
    count: Callable[..., Any]
    _lowest_word: Callable[..., Any]
    _clear: Callable[..., Any]
    _advance: Callable[..., Any]


def reopened_are_known(bitmap: SymbolicBitmap, word: Number) -> Truth:
    """Of the words below the frontier, those with a free frame are noted as reopened, and no others."""
    searched = (0 <= word) & (word < bitmap.frontier)
    return bitmap.reopened.has(word) == (searched & (bitmap.words.at(word) != 0))


def unknown_code(run: Run, name: str = "") -> tuple[SymbolicBitmap, law.Frames]:
    """The reference on unknown containers, and the state that it stands for before anything is run.

    Checked or trusting: what is given of a trusting bitmap is what its law leaves.
    """
    words, existing = (run.function(f"{each}{name}", "word", gives=None) for each in ("words", "existing"))
    reach, image = run.number(f"reach{name}", 1, MOST_FRAMES), run.number(f"image{name}", 1, MOST_FRAMES)
    length = reach + 63 >> 6
    frontier = run.number(f"frontier{name}", 0, MOST_FRAMES)
    reopened, count = run.relation(f"reopened{name}", "word"), run.number(f"count{name}")
    trusting = run.truth(f"trusting{name}")
    run.assume(image <= reach, frontier <= length)
    run.touch(("word",), (frontier,))

    def reference() -> SymbolicBitmap:
        bitmap: Any = object.__new__(Bitmap)
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
        made: SymbolicBitmap = bitmap
        return made

    before = reference()
    in_use, free_below = run.relation(f"in_use{name}", "frame"), run.function(f"free_below{name}", "frame")
    state = replace(frames_of(before), in_use=in_use, free_below=free_below)
    run.assume_all(law.TRUSTING, state)
    for clause in law.CHECKED:
        if clause not in law.TRUSTING:
            run.assume_for_all(clause.points, lambda *at, clause=clause: implies(neg(trusting), clause(state, *at)))
    run.assume_for_all(("word",), lambda word: reopened_are_known(before, word))
    return reference(), state


NOT_KEPT = ("in_use", "free_below")  # by the reference
# Every attribute of a bitmap, and where it is compared after each call: in the law's state, or by itself.
COMPARED = {
    "frames": "reach",
    "image": "image",
    "free_frames": "count",
    "existing": "exists",
    "words": "is_free",
    "trusting": "",
    "length": "",
    "frontier": "",
    "reopened": "",
}


def is_the_laws(run: Run, bitmap: SymbolicBitmap, state: law.Frames, trusting: Truth) -> None:
    """Claims that the reference stands for this state, is trusting or not, and knows which words were reopened."""
    law_obligations.same_state(run, LAW, frames_of(bitmap), state, NOT_KEPT)
    run.assert_goal("every attribute is compared", vars(bitmap).keys() == COMPARED.keys())
    run.assert_goal("it is as trusting as it was asked to be", bitmap.trusting == trusting)
    run.assert_goal("its length is that of a word for each 64 frames", bitmap.length == bitmap.frames + 63 >> 6)
    for name in ("words", "existing"):
        run.assert_goal(f"{name} is an array of its length", getattr(bitmap, name).length == bitmap.length)
    run.assert_goal("its arrays are two", bitmap.words is not bitmap.existing)
    run.assert_goal("the words that were reopened are known", reopened_are_known(bitmap, run.point("word")))
    run.assert_goal("the frontier stays in the bitmap", (0 <= bitmap.frontier) & (bitmap.frontier <= bitmap.length))


class Advance:
    """The loop that moves the frontier: all words that it passes hold no free frame."""

    def __init__(self, bitmap: SymbolicBitmap) -> None:
        self.bitmap = bitmap

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Measure:
        return self.on_back_edge(run, None)

    def havoc(self, run: Run) -> None:
        frontier = self.bitmap.frontier = run.point("word")
        words = self.bitmap.words.at
        run.suppose(frontier <= self.bitmap.length)
        run.assume_for_all(("word",), lambda word: implies(word < frontier, words(word) == 0))

    def on_back_edge(self, run: Run, result: Any) -> Measure:
        word = run.point("word")
        passed = implies(word < self.bitmap.frontier, self.bitmap.words.at(word) == 0)
        run.assert_goal("the frontier passes no free frame", passed)
        run.assert_goal("the frontier stays in the bitmap", self.bitmap.frontier <= self.bitmap.length)
        return self.bitmap.length - self.bitmap.frontier


def is_the_lowest(bitmap: SymbolicBitmap, found: Number | None, word: Number) -> Truth:
    """Whether this word, or no word, is the lowest that is not 0."""
    if found is None:
        return bitmap.words.at(word) == 0
    here = (0 <= found) & (found < bitmap.length) & (bitmap.words.at(found) != 0)
    return here & implies(word < found, bitmap.words.at(word) == 0)


@proved("lowest-word.refines", "refinement", "the lowest word that holds a free frame is found, and nothing changes")
def lowest_word_refines(run: Run) -> None:
    bitmap, state = unknown_code(run)
    trusting = bitmap.trusting
    cut(run, bitmap, "_advance", lambda: Advance(bitmap))
    found = run.call(bitmap._lowest_word)
    inside = (0 <= (word := run.point("word"))) & (word < bitmap.length)
    run.assert_goal("it is the lowest", implies(inside, is_the_lowest(bitmap, found, word)))
    run.assert_goal("it lies in the bitmap", found is None or (0 <= found) & (found < bitmap.length))
    is_the_laws(run, without_attribute(bitmap, "_advance"), state, trusting)


def without_attribute(bitmap: SymbolicBitmap, *names: str) -> SymbolicBitmap:
    """The object without the steps that a proof put in the place of its own."""
    seen: Any = object.__new__(Bitmap)
    seen.__dict__.update({name: value for name, value in vars(bitmap).items() if name not in names})
    left: SymbolicBitmap = seen
    return left


@proved("clear.refines", "refinement", "the code that takes a free frame changes what the law says, and no more")
def clear_refines(run: Run) -> None:
    bitmap, state = unknown_code(run)
    frame, trusting = run.point("frame"), bitmap.trusting
    run.assume(law.allocate.allows(state, frame=frame))
    run.call(bitmap._clear, frame)
    is_the_laws(run, bitmap, law.allocate(state, frame), trusting)


def finding_and_clearing(run: Run, bitmap: SymbolicBitmap, state: law.Frames) -> list[Number]:
    """Puts what is shown of the steps of `allocate` in their place; the frames that are cleared."""
    cleared: list[Number] = []

    def lowest_word() -> Number | None:
        found = run.point("word") if run.fork() else None
        length = bitmap.length
        with run.reading_law():
            if found is not None:
                run.suppose(is_the_lowest(bitmap, found, found))
            inside = lambda word: implies((0 <= word) & (word < length), is_the_lowest(bitmap, found, word))  # noqa: E731
            run.assume_for_all(("word",), inside)
        return found

    def clear(frame: Number) -> None:
        with run.reading_law():
            run.assert_goal("the frame that is taken is free", law.allocate.allows(state, frame=frame))
            cleared.append(frame)

    run.replace(bitmap, "_lowest_word", lowest_word)
    run.replace(bitmap, "_clear", clear)
    return cleared


@proved("allocate.refines", "refinement", "the code of allocate does what the law allows, and takes the lowest frame")
def allocate_refines(run: Run) -> None:
    bitmap, state = unknown_code(run)
    before, trusting = dict(vars(bitmap)), bitmap.trusting
    cleared = finding_and_clearing(run, bitmap, state)
    frame, other = run.call(bitmap.allocate), run.point("frame")
    now = without_attribute(bitmap, "_lowest_word", "_clear")
    run.assert_goal("only the steps change anything", all(vars(now)[name] is value for name, value in before.items()))
    is_the_laws(run, now, state, trusting)
    if frame is None:
        run.assert_goal("it fails only if no frame is free", neg(law.allocate.allows(state, frame=other)))
        run.assert_goal("it takes none", not cleared)
        return
    run.assert_goal("the frame that is answered is taken, and no other", len(cleared) == 1 and frame is cleared[0])
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
        done = run.call(lambda: bool(getattr(bitmap, method)(frame)))
        due = trusting if trusting and run.call(lambda: bool(trusts)) else operation
        if done:
            run.assert_goal("the law allows it", due.allows(state, frame=frame))
            is_the_laws(run, bitmap, due(state, frame), trusts)
        else:
            run.assert_goal("it fails only if the law says so", neg(due.allows(state, frame=frame)))
            is_the_laws(run, bitmap, state, trusts)

    return body


def bits_are_set(before: Any, after: Any, first: Number, last: Number, position: Number) -> Truth:
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
    run.assert_goal("these bits are set, and no others", bits_are_set(before, words, first, last, run.point("frame")))


def setting_bits(run: Run) -> None:
    """Puts what `set_bits_refines` shows in the place of `set_bits`."""

    def stand_in(words: Any, first: Number, last: Number) -> None:
        with run.reading_law():
            run.assert_goal("there are such bits", (0 <= first) & (first < last) & (last <= words.length << 6))
            before = words.copy()
            words.at = run.function(f"set#{next(run.count)}", "word")
            run.assume_for_all(("frame",), lambda frame: bits_are_set(before, words, first, last, frame))

    run.replace(bitmap_code, "set_bits", stand_in)


@proved("add.refines", "refinement", "the code of add adds each frame, but for the image's and those past the bitmap")
def add_refines(run: Run) -> None:
    bitmap, state = unknown_code(run)
    setting_bits(run)
    first, last, trusting = run.any_number("frame"), run.any_number("frame"), bitmap.trusting
    run.assume(bitmap.frontier == 0)
    start, end = at_least(first, state.image), at_most(last, state.reach)
    among = lambda frame: implies((start <= frame) & (frame < end), law.adds_only_new_frames(state, frame))  # noqa: E731
    run.assume_for_all(("frame",), among)
    run.call(bitmap.add, first, last)
    is_the_laws(run, bitmap, law.added(state, start, at_least(end, start)), trusting)


@proved("asked.refines", "refinement", "what the code answers when asked is so, of any number, and changes nothing")
def asked_refines(run: Run) -> None:
    bitmap, state = unknown_code(run)
    frame, trusting = run.any_number("frame"), bitmap.trusting
    is_free, exists = (run.call(lambda ask=ask: bool(ask(frame))) for ask in (bitmap.is_free, bitmap.exists))
    reached = law.frame_is_in_reach(state, frame)
    run.assert_goal("whether a frame is free", law.tells_whether_free(state, frame, is_free))
    run.assert_goal("whether a frame exists", exists == (reached & state.exists(frame)))
    run.assert_goal("how many frames are free", law.tells_the_count(state, run.call(bitmap.count)))
    is_the_laws(run, bitmap, state, trusting)


@proved("reached.refines", "refinement", "a geometry names the frame of a byte just where its bitmap can be asked")
def reached_refines(run: Run) -> None:
    state, address = unknown(run), run.fresh("address", -HIGHEST, HIGHEST)
    for shift in PAGE_SHIFTS.values():
        geometry: Any = SimpleNamespace(page_shift=shift, frames=state.reach)
        frame = run.call(Geometry.frame_reached, geometry, address)
        may = law.is_free.allows(state, frame=address >> shift)
        run.assert_goal("it names one if the law lets it be asked for", neg(may) if frame is None else may)
        run.assert_goal("it is the one of the byte", frame is None or frame == address >> shift)


@proved("add.takes-nothing-away", "theorem", "a frame that turns out to be memory was in nobody's hands")
def add_takes_nothing_away(run: Run) -> None:
    before, after, _ = law_obligations.happens(run, LAW, law.add)
    frame = run.point("frame")
    run.assert_goal("who has a frame keeps it", before.in_use(frame) == after.in_use(frame))


@proved("empty.refines", "refinement", "the reference starts as the law says, with arrays of its own")
def empty_refines(run: Run) -> None:
    reach, image = run.number("reach", 1, MOST_FRAMES), run.number("image", 1, MOST_FRAMES)
    trusting = run.truth("trusting")
    run.assume(image <= reach)
    setting_bits(run)
    bitmap = run.call(Bitmap, reach, image, trusting)
    run.assert_goal("no word was searched", bitmap.frontier == 0 and not len(bitmap.reopened))
    bitmap.reopened = Set(run, lambda word: False, "word")
    is_the_laws(run, bitmap, law.empty(reach, image), trusting)
    checked = run.call(Bitmap, reach, image)
    run.assert_goal("without a word about it, it is not trusting", checked.trusting is False)
    shared = ("words", "existing", "reopened")
    run.assert_goal(
        "two bitmaps share nothing", all(getattr(bitmap, name) is not getattr(checked, name) for name in shared)
    )


# What may be answered where some frames are taken that nobody names: as many were allocated, which ones is not known.


@proved("count.may-be-lower", "theorem", "what may be counted is what is counted after any frames were allocated")
def count_may_be_lower(run: Run) -> None:
    before, after, _ = law_obligations.happens(run, LAW, law.allocate)
    answer = run.number("answer", -HIGHEST, HIGHEST)
    may = law.counts_only_the_free(before, answer)
    run.assert_goal("the count may be answered", implies(law.tells_the_count(before, answer), may))
    run.assert_goal(
        "what may be after a frame is allocated may be before", implies(law.counts_only_the_free(after, answer), may)
    )
    other = may & neg(law.tells_the_count(before, answer))
    run.assert_goal("any other answer may be after one is", implies(other, law.counts_only_the_free(after, answer)))
    none = replace(before, count=0)
    run.assert_goal("where none is free, none is counted", law.counts_only_the_free(none, answer) == (answer == 0))


@proved("is-free.may-be-denied", "theorem", "what may be called free is what is so after any frames were allocated")
def is_free_may_be_denied(run: Run) -> None:
    before, after, values = law_obligations.happens(run, LAW, law.allocate)
    frame, answer = run.point("frame"), run.truth("answer")
    may = law.calls_free_only_the_free(before, frame, answer)
    run.assert_goal("what is so may be answered", implies(law.tells_whether_free(before, frame, answer), may))
    run.assert_goal(
        "and what is so after a frame is allocated", implies(law.tells_whether_free(after, frame, answer), may)
    )
    taken = law.tells_whether_free(after, values["frame"], answer)
    here = law.calls_free_only_the_free(before, values["frame"], answer)
    run.assert_goal("and nothing else", implies(here, taken | law.tells_whether_free(before, values["frame"], answer)))
    gone = law.calls_free_only_the_free(after, frame, answer)
    run.assert_goal("what is not free is never called free", implies(neg(after.is_free(frame)) & gone, neg(answer)))


LAWS = (
    add_begins,
    add_goes_on,
    add_takes_nothing_away,
    trusting_counts,
    count_may_be_lower,
    is_free_may_be_denied,
    *map(moves_no_other_bit, (law.allocate, law.free)),
)
CODE = (
    lowest_word_refines,
    clear_refines,
    allocate_refines,
    refines("take", "take", law.allocate),
    refines("free", "free", law.free, trusting=law.free_trusting),
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
