"""Runs that are given back whole: what one allocation gave, no part of it and no more.

Where an allocator asks for that, it knows of each run that it handed out where it begins and how many places it has.
Whoever holds a run may halve it, and the halves again, as a kernel that returns a large block in smaller ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from memoracle.spec import runs
from memoracle.spec.clauses import Number, Truth, clause, implies, operation, when
from memoracle.spec.runs import Places, among

PART_OF = "runs"


@dataclass(frozen=True)
class GivenRuns:
    """State. given: how many places the run has that one allocation gave and that begins here; 0 if none does."""

    places: Places
    given: Callable[[Number], Number]


# Invariants


@clause("what was given is in use")
def given_runs_are_in_use(s: GivenRuns, first: Number, place: Number) -> Truth:
    return implies(among(first, s.given(first), place), s.places.in_use(place))


@clause("two runs that were given have no place in common")
def given_runs_are_disjoint(s: GivenRuns, first: Number, run: Number, place: Number) -> Truth:
    both = among(first, s.given(first), place) & among(run, s.given(run), place)
    return implies(both, first == run)


INVARIANTS = (given_runs_are_in_use, given_runs_are_disjoint)


# Operations


@operation("runs.give", guard=[], chooses=["first"])
def give(s: GivenRuns, first: Number, count: Number) -> GivenRuns:
    """What an allocation gave, as `runs.allocate` and `runs.reserve` allow it, is one run from then on."""
    return GivenRuns(runs.taken(s.places, first, count), lambda place: when(place == first, count, s.given(place)))


@clause("a free gives back just what one allocation gave")
def frees_a_whole_run(s: GivenRuns, first: Number, count: Number) -> Truth:
    return s.given(first) == count


@operation("runs.free (whole)", guard=[runs.run_has_a_place, frees_a_whole_run])
def free_whole(s: GivenRuns, first: Number, count: Number) -> GivenRuns:
    """All of a run that one allocation gave becomes free."""
    return GivenRuns(runs.freed(s.places, first, count), lambda place: when(place == first, 0, s.given(place)))


@clause("what is halved is a run that was given, of an even number of places")
def halves_a_given_run(s: GivenRuns, first: Number, half: Number) -> Truth:
    return (1 <= half) & (s.given(first) == half + half)


@operation("runs.halve", guard=[halves_a_given_run])
def halve(s: GivenRuns, first: Number, half: Number) -> GivenRuns:
    """What one allocation gave becomes two runs, half as long, each of which is given back by itself."""
    return replace(s, given=lambda place: when((place == first) | (place == first + half), half, s.given(place)))


# Blocks


@clause("a block has no more frames than the largest")
def block_is_not_too_large(s: object, most: Number, count: Number) -> Truth:
    return count <= most
