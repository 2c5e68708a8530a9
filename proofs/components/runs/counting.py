"""Proof of the code that counts the free places of a piece, such as a zone: it is the number that the law says.

The loop over the free runs is cut: of the places before the one at hand, all that are free were counted.
"""

from __future__ import annotations

from memoracle.proofs.components.runs.law import proved
from memoracle.proofs.components.runs.symbolic_runs import is_the_laws, unknown_code
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.loops import Measure, Rises, cut
from memoracle.spec import runs as law
from memoracle.spec import zones
from memoracle.spec.clauses import Number, Truth, at_least, at_most, implies, when

COUNTING = (
    law.next_free_is_free,
    law.none_is_free_before_the_next,
    law.counting_follows_places,
    law.free_runs_are_counted,
    law.taken_runs_are_not_counted,
)


class Counting:
    """The loop over free runs. start, end: the piece, as far as there are places.  below: its end, as asked for."""

    def __init__(self, state: law.Places, start: Number, end: Number, below: Number) -> None:
        self.state, self.start, self.end, self.below = state, start, end, below

    def is_so_far(self, counted: Number, first: Number | None) -> Truth:
        """Whether so many were counted up to the free place at hand, or of the whole piece if there is none."""
        state, end = self.state, self.end if first is None else first
        lies: Truth = True if first is None else (self.start <= first) & (first < self.end) & state.is_free(first)
        return lies & (counted == state.free_below(end) - state.free_below(self.start))

    def on_entry(self, run: Run, arguments: tuple[Number, Number, Number]) -> Measure:
        counted, first, below = arguments
        run.assert_goal("it goes on to the end", below == self.below)
        count_up_to_the_next(run, self.state, at_most(self.state.next_taken(first), below))
        return self.on_back_edge(run, (counted, first))

    def havoc(self, run: Run) -> tuple[Number, Number | None]:
        counted, first = run.number("counted"), run.point("place") if run.fork() else None
        run.suppose(self.is_so_far(counted, first))
        return counted, first

    def on_back_edge(self, run: Run, result: tuple[Number, Number | None]) -> Measure:
        _, first = result
        return Rises(self.end if first is None else first, self.end)

    def witnesses(self, result: tuple[Number, Number | None]) -> list[object]:
        counted, first = result
        return [counted, False] if first is None else [counted, True, first]


def count_up_to_the_next(run: Run, state: law.Places, place: Number) -> None:
    """Reads what is free next, seen from a place, and how many are free below it."""
    run.touch(("place",), (place,))
    state.free_below(state.next_free(place))


@proved("count-within.refines", "refinement", "the free places of a piece are counted, each once, and no other")
def count_within_refines(run: Run) -> None:
    runs, state = unknown_code(run)
    run.assume_all(COUNTING, state)
    lowest, below = run.any_number("lowest"), run.any_number("below")
    start, end = at_least(lowest, 0), at_most(below, state.reach)
    for place in (start, end):
        count_up_to_the_next(run, state, place)
    cut(run, runs, "_count_run", lambda *arguments: Counting(state, start, end, below))
    counted = run.call(runs.count_within, lowest, below)
    free = when(start <= end, state.free_below(end) - state.free_below(start), 0)
    run.assert_goal("it counts those that lie among all places", counted == free)
    lies = (0 <= lowest) & (lowest <= below) & (below <= state.reach)
    is_right = zones.tells_the_count_of_a_zone(state, lowest, below, counted)
    run.assert_goal("of a zone it is the law's count", implies(lies, is_right))
    del vars(runs)["_count_run"]
    is_the_laws(run, runs, state)


CODE = (count_within_refines,)
