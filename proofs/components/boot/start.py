"""Proofs of `boot` in `impl/boot.py`: of the bitmap that it makes, the frames of usable pages are free."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from memoracle.impl import boot as code
from memoracle.proofs.components.boot.cuts import cutting
from memoracle.proofs.components.boot.interval_lists import Bag, Intervals, covers
from memoracle.proofs.components.boot.law import LARGEST_SHIFT, proved
from memoracle.proofs.components.boot.usable_pages import Making
from memoracle.proofs.symbolic.containers import Unasked
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.extents import Extents
from memoracle.proofs.symbolic.loops import Iterates, Measure, cut
from memoracle.proofs.symbolic.values import Property
from memoracle.spec import bitmap as bitmap_law
from memoracle.spec.clauses import Number, Truth, at_least, at_most, implies, neg


class Filling:
    """The loop that adds the runs of usable pages to the bitmap: the frames of those seen so far are free."""

    def __init__(self, machine: Machine, runs: Bag) -> None:
        self.machine, self.runs, self.start = machine, runs, machine.state

    def on_entry(self, run: Run, arguments: tuple[object, ...]) -> Measure:
        frame = run.point("frame")
        run.assert_goal("the frames seen so far are free", self._known(self.machine.state)(frame))
        return Iterates()

    def havoc(self, run: Run) -> None:
        self.runs.forget()
        state = replace(
            self.start,
            exists=run.relation("exists~", "frame"),
            is_free=run.relation("is_free~", "frame"),
            in_use=run.relation("in_use~", "frame"),
        )
        run.assume_for_all(("frame",), self._known(state))
        self.machine.state = state

    def on_back_edge(self, run: Run, result: object) -> Measure:
        self.runs.advance()
        return Iterates()

    def witnesses(self, result: object) -> list[object]:
        state = self.machine.state
        return [*self.runs.witnesses(), state.exists, state.is_free, state.in_use]

    def _known(self, state: bitmap_law.Frames) -> Property:
        return booted(state, self.runs.seen)


def booted(state: bitmap_law.Frames, is_usable: Property) -> Property:
    """What is known of each frame if these pages turned out to be usable, and nothing was allocated."""

    def known(frame: Number) -> Truth:
        usable = is_usable(frame) & neg(state.never_free(frame)) & (0 <= frame) & (frame < state.reach)
        exists = usable | state.never_free(frame)
        right: Truth = (state.is_free(frame) == usable) & (state.exists(frame) == exists) & neg(state.in_use(frame))
        return right

    return known


class Machine:
    """Stands in for the bitmap, of which `proofs/components/bitmap` shows what it does: it holds the law's state."""

    def __init__(self, run: Run, frames: Number, never_free: Property) -> None:
        self.run, self.state = run, bitmap_law.empty(frames, never_free)

    def add(self, first: Number, last: Number) -> None:
        start, end = at_least(first, 0), at_most(last, self.state.reach)
        frame = self.run.point("frame")
        among = (start <= frame) & (frame < end)
        new = bitmap_law.add.allows(self.state, frame=frame)
        self.run.assert_goal("only new frames are added, each once", implies(among, new))
        due, counted = bitmap_law.added(self.state, start, at_least(end, start)), self.state
        # Of how many frames are free this proof says nothing.
        self.state = replace(due, count=counted.count, free_below=counted.free_below)


def putting_aside(extents: Extents) -> Making:
    """The loop that takes away the frames that are never free: what is left was there, and is in no extent."""

    def known(first: Intervals, made: Intervals) -> Property:
        seen = extents.seen
        return lambda frame: covers(made, frame) == (covers(first, frame) & neg(seen(frame)))

    return Making(extents, ("frame",), known)


@proved(
    "boot.refines",
    "refinement",
    "usable frames below the bitmap's end are free, but for those that never are",
    integers=True,
)
def boot_refines(run: Run) -> None:
    reach, trusting = run.number("reach", 1, 1 << 52), run.truth("trusting")
    shift, records = run.number("page_shift", 0, LARGEST_SHIFT), Unasked()
    usable, extents = Bag.unknown(run, "frame"), Extents.unknown(run, "frame", reach)
    aside, made = putting_aside(extents), list[Machine]()

    def machine(frames: Number, never_free: object, trusts: object = False) -> Machine:
        run.assert_goal("the bitmap is as large as asked for", frames == reach)
        run.assert_goal("the frames that are never free are those that were given", never_free is extents)
        run.assert_goal("it is as trusting as asked for", trusts is trusting)
        made.append(Machine(run, frames, extents.covers))
        cut(run, made[-1], "add", lambda first, last: Filling(made[-1], usable if aside.made is None else aside.made))
        return made[-1]

    def found(listed: object, page_shift: Number) -> Bag:
        run.assert_goal("the pages are those of the records that were given", listed is records)
        run.assert_goal("they are of the size that was given", page_shift == shift)
        return usable

    run.replace(code, "Bitmap", machine)
    run.replace(code, "usable_pages", found)
    cutting(run)
    cut(run, code, "without", lambda runs, gap: aside)
    bitmap: object = run.call(code.boot, records, shift, reach, extents, trusting)
    run.assert_goal("one bitmap is made, and is what comes of it", len(made) == 1 and bitmap is made[0])
    run.assert_goal("the usable frames are free", booted(made[0].state, usable.covers)(run.point("frame")))
    frame, state = run.point("frame"), made[0].state
    same = (state.reach == reach) & (state.never_free(frame) == extents.covers(frame))
    run.assert_goal("its size is as asked for, and so are the frames that are never free", same)


@proved("boot.checks-frees", "refinement", "without a word about it, the bitmap that comes of a memory map is checked")
def boot_checks_frees(run: Run) -> None:
    made: list[object] = []

    def machine(*arguments: object) -> object:
        made.append(arguments)
        return SimpleNamespace(add=None)

    run.replace(code, "Bitmap", machine)
    run.replace(code, "usable_pages", lambda records, shift: [])
    run.call(code.boot, (), 12, 3, ())
    run.assert_goal("it is not trusting", made in ([(3, ())], [(3, (), False)]))


CODE = (boot_refines, boot_checks_frees)
