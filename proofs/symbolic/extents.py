"""What stands in for a list of extents of a row of things: pairs of the first, and the one after the last.

Extents may overlap, and come in any order. All that is known of a list is which things its extents have.
"""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs.symbolic.containers import Unasked
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import Property
from memoracle.spec.clauses import Number, Truth, implies


class Extents(Unasked):
    """Any number of extents, none of them empty, of the things below `end`.

    parameter: what the things are.  seen: those of the extents that the loop at hand went through.
    """

    NOTES = ("current",)  # what the loop that goes through them has at hand

    def __init__(self, run: Run, covers: Property, parameter: str, end: Number) -> None:
        self.run, self.covers, self.parameter, self.end = run, covers, parameter, end
        self.seen: Property = lambda thing: False
        self.current: tuple[Number, Number] | None = None

    @classmethod
    def unknown(cls, run: Run, parameter: str, end: Number) -> Extents:
        return cls(run, run.relation(f"extents#{next(run.count)}", parameter), parameter, end)

    def __iter__(self) -> Iterator[tuple[Number, Number]]:
        run, covers = self.run, self.covers
        self.seen = lambda thing: False
        while run.fresh_truth("more"):
            first, last = self.current = run.point(self.parameter), run.point(self.parameter)
            run.suppose((0 <= first) & (first < last) & (last <= self.end))
            run.assume_for_all((self.parameter,), self._known_of(first, last))
            yield first, last
        seen = self.seen
        run.assume_for_all((self.parameter,), lambda thing: implies(covers(thing), seen(thing)))

    def _known_of(self, first: Number, last: Number) -> Property:
        """What one of the extents has, they all have together."""
        covers = self.covers

        def known(thing: Number) -> Truth:
            return implies((first <= thing) & (thing < last), covers(thing))

        return known

    def forget(self) -> None:
        """From here on any of the extents may have been seen."""
        self.seen = seen = self.run.relation(f"seen#{next(self.run.count)}", self.parameter)
        covers, end = self.covers, self.end

        def known(thing: Number) -> Truth:
            return implies(seen(thing), covers(thing) & (0 <= thing) & (thing < end))

        self.run.assume_for_all((self.parameter,), known)

    def witnesses(self) -> list[object]:
        """What was seen, for what `forget` asks."""
        return [self.seen]

    def advance(self) -> None:
        """The extent at hand was seen, too."""
        assert self.current is not None
        seen, (first, last) = self.seen, self.current
        self.seen = lambda thing: seen(thing) | ((first <= thing) & (thing < last))
