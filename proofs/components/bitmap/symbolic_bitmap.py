"""A bitmap with unknown contents: its containers, the invariants that they satisfy, and the law's state for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, cast

from memoracle.impl.bitmap import Bitmap
from memoracle.proofs.abstraction.objects import frames_of
from memoracle.proofs.components.bitmap.law import LAW, MOST_FRAMES
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.symbolic.constructed import constructed
from memoracle.proofs.symbolic.containers import Set, Words
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import bitmap as law
from memoracle.spec.clauses import Number, Truth, implies, neg


class SymbolicBitmap(Protocol):
    """The reference with stand-ins in the place of its attributes."""

    frames: Number
    trusting: Truth
    length: Number
    free_frames: Number
    frontier: Number
    words: Words
    existing: Words
    never_free: Words
    reopened: Set

    def add(self, first: Number, last: Number) -> None: ...
    def hotplug(self, first: Number, last: Number) -> bool: ...
    def allocate(self) -> Number | None: ...
    def allocate_within(self, alignment: Number, first: Number, last: Number) -> Number | None: ...
    def free(self, frame: Number) -> bool: ...
    def take(self, frame: Number) -> bool: ...
    def reserve(self, first: Number, last: Number) -> bool: ...
    def exists(self, frame: Number) -> Truth: ...
    def is_free(self, frame: Number) -> Truth: ...
    def is_never_free(self, frame: Number) -> Truth: ...
    def count(self) -> Number: ...
    def _lowest_word(self) -> Number | None: ...
    def _reopen(self, word: Number) -> Number: ...
    def _close(self, word: Number) -> Number: ...
    def _advance(self) -> None: ...


def reopened_are_known(bitmap: SymbolicBitmap, word: Number) -> Truth:
    """Of the words below the frontier, those with a free frame are noted as reopened, and no others."""
    searched = (0 <= word) & (word < bitmap.frontier)
    return bitmap.reopened.has(word) == (searched & (bitmap.words.at(word) != 0))


def unknown_code(run: Run, name: str = "") -> tuple[SymbolicBitmap, law.Frames]:
    """The reference on unknown containers, and the state that it stands for before anything is run.

    Checked or trusting: what is given of a trusting bitmap is what its law leaves.
    """
    arrays = {each: run.function(f"{each}{name}", "word", gives=None) for each in ARRAYS}
    reach = run.number(f"reach{name}", 1, MOST_FRAMES)
    length = reach + 63 >> 6
    frontier = run.number(f"frontier{name}", 0, MOST_FRAMES)
    reopened, count = run.relation(f"reopened{name}", "word"), run.number(f"count{name}")
    trusting = run.truth(f"trusting{name}")
    run.assume(frontier <= length)
    run.touch(("word",), (frontier,))

    def reference() -> SymbolicBitmap:
        made = constructed(
            Bitmap,
            frames=reach,
            trusting=trusting,
            length=length,
            **{each: Words(run, content, length) for each, content in arrays.items()},
            free_frames=count,
            frontier=frontier,
            reopened=Set(run, reopened, "word"),
        )
        return cast("SymbolicBitmap", made)

    before = reference()
    in_use, free_below = run.relation(f"in_use{name}", "frame"), run.function(f"free_below{name}", "frame")
    state = replace(frames_of(before), in_use=in_use, free_below=free_below)
    run.assume_all(law.TRUSTING, state)
    for clause in law.CHECKED:
        if clause not in law.TRUSTING:
            run.assume_for_all(clause.points, lambda *at, clause=clause: implies(neg(trusting), clause(state, *at)))
    run.assume_for_all(("word",), lambda word: reopened_are_known(before, word))
    return reference(), state


ARRAYS = ("words", "existing", "never_free")
NOT_KEPT = ("in_use", "free_below")  # by the reference
# Every attribute of a bitmap, and where it is compared after each call: in the law's state, or by itself.
COMPARED = {
    "frames": "reach",
    "free_frames": "count",
    "existing": "exists",
    "never_free": "never_free",
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
    for name in ARRAYS:
        run.assert_goal(f"{name} is an array of its length", getattr(bitmap, name).length == bitmap.length)
    run.assert_goal("its arrays are three", len({id(getattr(bitmap, name)) for name in ARRAYS}) == len(ARRAYS))
    run.assert_goal("the words that were reopened are known", reopened_are_known(bitmap, run.point("word")))
    run.assert_goal("the frontier stays in the bitmap", (0 <= bitmap.frontier) & (bitmap.frontier <= bitmap.length))


def without_attribute(bitmap: SymbolicBitmap, *names: str) -> SymbolicBitmap:
    """The object without the steps that a proof put in the place of its own."""
    left = {name: value for name, value in vars(bitmap).items() if name not in names}
    return cast("SymbolicBitmap", constructed(Bitmap, **left))
