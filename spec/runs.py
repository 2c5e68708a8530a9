"""Places of which runs are handed out: any number of neighbouring places, and any of them given back.

The places are numbered from 0; frames may be such places, or the pages of a range. None of them exists before it is
added; of these, some are never free. To allocate is to take any run of free places that is aligned as asked and lies
within the limits asked for. To free is to give back any places in use: a whole run that was handed out, a part of it,
or several. A run is named by its first place and how many places it has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from memoracle.spec.bitmap import alignment_is_a_power_of_two, is_multiple
from memoracle.spec.clauses import Number, Truth, at_least, at_most, clause, implies, neg, operation, when


@dataclass(frozen=True)
class Places:
    """State. No implementation needs to keep the last four; `in_use` remembers which places were handed out."""

    reach: Number  # all places are below this
    count: Number  # the free places, as the implementation counts them
    exists: Callable[[Number], Truth]
    never_free: Callable[[Number], Truth]
    is_free: Callable[[Number], Truth]
    in_use: Callable[[Number], Truth]  # handed out, and not given back
    next_free: Callable[[Number], Number]  # the first free place from this one on; past the reach, if none is
    next_taken: Callable[[Number], Number]  # the first from this one on that is not free
    free_below: Callable[[Number], Number]  # how many places below this one are free


# Initially


def empty(reach: Number) -> Places:
    """No place exists."""
    return Places(
        reach=reach,
        count=0,
        exists=lambda place: False,
        never_free=lambda place: False,
        is_free=lambda place: False,
        in_use=lambda place: False,
        next_free=lambda place: at_least(place, reach),
        next_taken=lambda place: place,
        free_below=lambda place: 0,
    )


# Invariants


@clause("a place that exists is below the reach")
def places_lie_in_reach(s: Places, place: Number) -> Truth:
    return implies(s.exists(place), (0 <= place) & (place < s.reach))


@clause("only places that exist are free")
def only_existing_places_are_free(s: Places, place: Number) -> Truth:
    return implies(s.is_free(place), s.exists(place))


@clause("the places that are never free exist")
def never_free_places_exist(s: Places, place: Number) -> Truth:
    return implies(s.never_free(place), s.exists(place))


@clause("only places that exist are in use")
def only_existing_places_are_in_use(s: Places, place: Number) -> Truth:
    return implies(s.in_use(place), s.exists(place))


@clause("no place is free that is never free")
def never_free_places_are_not_free(s: Places, place: Number) -> Truth:
    return neg(s.never_free(place) & s.is_free(place))


@clause("no place is in use that is never free")
def never_free_places_are_not_in_use(s: Places, place: Number) -> Truth:
    return neg(s.never_free(place) & s.in_use(place))


@clause("a place in use is not free")
def places_in_use_are_not_free(s: Places, place: Number) -> Truth:
    return neg(s.in_use(place) & s.is_free(place))


@clause("a place that exists is free, in use or never free")
def no_place_is_lost(s: Places, place: Number) -> Truth:
    return implies(s.exists(place), s.is_free(place) | s.in_use(place) | s.never_free(place))


@clause("the next free place is free, unless none is")
def next_free_is_free(s: Places, place: Number) -> Truth:
    there = s.next_free(place)
    return (place <= there) & (s.is_free(there) | (s.reach <= there))


@clause("no place before the next free one is free")
def none_is_free_before_the_next(s: Places, place: Number, other: Number) -> Truth:
    return implies((place <= other) & (other < s.next_free(place)), neg(s.is_free(other)))


@clause("the next place that is not free is not free")
def next_taken_is_not_free(s: Places, place: Number) -> Truth:
    there = s.next_taken(place)
    return (place <= there) & neg(s.is_free(there))


@clause("every place before the next that is not free is free")
def all_are_free_before_the_next(s: Places, place: Number, other: Number) -> Truth:
    return implies((place <= other) & (other < s.next_taken(place)), s.is_free(other))


@clause("no free place lies below place 0")
def counting_starts_at_zero(s: Places) -> Truth:
    return s.free_below(0) == 0


@clause("each free place is counted once")
def each_free_place_counts_once(s: Places, place: Number) -> Truth:
    return s.free_below(place + 1) == s.free_below(place) + when(s.is_free(place), 1, 0)


@clause("between two places lie no more free ones than places")
def counting_follows_places(s: Places, place: Number, other: Number) -> Truth:
    between = s.free_below(other) - s.free_below(place)
    return implies(place <= other, (0 <= between) & (between <= other - place))


@clause("in a run of free places each is counted")
def free_runs_are_counted(s: Places, place: Number) -> Truth:
    there = s.next_taken(place)
    return s.free_below(there) - s.free_below(place) == there - place


@clause("in a run of places that are not free none is counted")
def taken_runs_are_not_counted(s: Places, place: Number) -> Truth:
    return s.free_below(s.next_free(place)) == s.free_below(place)


@clause("the count is the number of free places")
def count_is_the_free_places(s: Places) -> Truth:
    return s.count == s.free_below(s.reach)


INVARIANTS = (
    places_lie_in_reach,
    only_existing_places_are_free,
    never_free_places_exist,
    only_existing_places_are_in_use,
    never_free_places_are_not_free,
    never_free_places_are_not_in_use,
    places_in_use_are_not_free,
    no_place_is_lost,
    next_free_is_free,
    none_is_free_before_the_next,
    next_taken_is_not_free,
    all_are_free_before_the_next,
    counting_starts_at_zero,
    each_free_place_counts_once,
    counting_follows_places,
    free_runs_are_counted,
    taken_runs_are_not_counted,
    count_is_the_free_places,
)


# Operations


def among(first: Number, count: Number, place: Number) -> Truth:
    """Whether a place is one of a run."""
    return (first <= place) & (place < first + count)


@clause("a run has at least one place")
def run_has_a_place(s: Places, count: Number) -> Truth:
    return 1 <= count


@clause("all of the run lies within the reach")
def run_lies_in_reach(s: Places, first: Number, count: Number) -> Truth:
    return (0 <= first) & (first + count <= s.reach)


@clause("no place of the run exists yet")
def adds_only_new_places(s: Places, first: Number, count: Number, place: Number) -> Truth:
    return implies(among(first, count, place), neg(s.exists(place)))


@operation("runs.add", guard=[run_has_a_place, run_lies_in_reach, adds_only_new_places])
def add(s: Places, first: Number, count: Number) -> Places:
    """Places that did not exist turn up, and are free."""
    return replace(freed(s, first, count), exists=lambda place: s.exists(place) | among(first, count, place))


@operation("runs.add-never-free", guard=[run_has_a_place, run_lies_in_reach, adds_only_new_places])
def add_never_free(s: Places, first: Number, count: Number) -> Places:
    """Places that did not exist turn up, and are never free."""
    return replace(
        s,
        exists=lambda place: s.exists(place) | among(first, count, place),
        never_free=lambda place: s.never_free(place) | among(first, count, place),
    )


@clause("the run is aligned as asked")
def run_is_aligned(s: Places, alignment: Number, first: Number) -> Truth:
    return is_multiple(first, alignment)


@clause("the run lies within the limits asked for")
def run_lies_within_limits(s: Places, count: Number, lowest: Number, below: Number, first: Number) -> Truth:
    return (lowest <= first) & (first + count <= below)


@clause("all of the run is free")
def run_is_free(s: Places, first: Number, count: Number) -> Truth:
    return first + count <= s.next_taken(first)


@operation(
    "runs.allocate",
    guard=[
        run_has_a_place,
        alignment_is_a_power_of_two,
        run_is_aligned,
        run_lies_within_limits,
        run_lies_in_reach,
        run_is_free,
    ],
    chooses=["first"],
)
def allocate(s: Places, count: Number, alignment: Number, lowest: Number, below: Number, first: Number) -> Places:
    """Any run of so many free places, aligned as asked and within the limits asked for, becomes allocated.

    It fails if and only if there is none.
    """
    return taken(s, first, count)


@operation("runs.reserve", guard=[run_has_a_place, run_lies_in_reach, run_is_free])
def reserve(s: Places, first: Number, count: Number) -> Places:
    """Exactly these places, all of them free, become allocated."""
    return taken(s, first, count)


def taken(s: Places, first: Number, count: Number) -> Places:
    """The state in which a free run was handed out."""
    last = first + count
    return replace(
        s,
        count=s.count - count,
        is_free=lambda place: s.is_free(place) & neg(among(first, count, place)),
        in_use=lambda place: s.in_use(place) | among(first, count, place),
        next_free=lambda place: when(among(first, count, s.next_free(place)), s.next_free(last), s.next_free(place)),
        next_taken=lambda place: when(
            (place < last) & (first <= s.next_taken(place)), at_least(place, first), s.next_taken(place)
        ),
        free_below=lambda place: when(
            place < last,
            s.free_below(at_most(place, first)),
            s.free_below(place) - (s.free_below(last) - s.free_below(first)),
        ),
    )


@clause("all of the run exists")
def frees_only_existing(s: Places, first: Number, count: Number, place: Number) -> Truth:
    return implies(among(first, count, place), s.exists(place))


@clause("no place that is never free is freed")
def frees_only_what_may_be_free(s: Places, first: Number, count: Number, place: Number) -> Truth:
    return implies(among(first, count, place), neg(s.never_free(place)))


@clause("no place of the run is free")
def frees_only_allocated(s: Places, first: Number, count: Number) -> Truth:
    return first + count <= s.next_free(first)


@operation(
    "runs.free",
    guard=[run_has_a_place, run_lies_in_reach, frees_only_existing, frees_only_what_may_be_free, frees_only_allocated],
)
def free(s: Places, first: Number, count: Number) -> Places:
    """Places in use become free: part of a run that was handed out, all of it, or several runs."""
    return freed(s, first, count)


def freed(s: Places, first: Number, count: Number) -> Places:
    """The state in which these places, none of which was free, are free."""
    last = first + count
    return replace(
        s,
        count=s.count + count,
        is_free=lambda place: s.is_free(place) | among(first, count, place),
        in_use=lambda place: s.in_use(place) & neg(among(first, count, place)),
        next_free=lambda place: when(
            (place < last) & (first <= s.next_free(place)), at_least(place, first), s.next_free(place)
        ),
        next_taken=lambda place: when(
            among(first, count, s.next_taken(place)), s.next_taken(last), s.next_taken(place)
        ),
        free_below=lambda place: s.free_below(place) + (at_least(at_most(place, last), first) - first),
    )


@clause("the place lies within the reach")
def place_lies_in_reach(s: Places, place: Number) -> Truth:
    return (0 <= place) & (place < s.reach)


@operation("runs.is_free", guard=[place_lies_in_reach])
def is_free(s: Places, place: Number) -> Places:
    """Asking changes nothing; the answer is whether the place is free."""
    return s


OPERATIONS = (add, add_never_free, allocate, reserve, free, is_free)


# Theorems


@clause("a place that was handed out is in no run that is handed out before it is freed")
def hands_out_once(s: Places, first: Number, count: Number, place: Number) -> Truth:
    return implies(run_is_free(s, first, count) & among(first, count, place), neg(s.in_use(place)))


@clause("only places that exist, and may be free, are handed out")
def hands_out_only_existing(s: Places, first: Number, count: Number, place: Number) -> Truth:
    handed_out = run_is_free(s, first, count) & among(first, count, place)
    return implies(handed_out, s.exists(place) & neg(s.never_free(place)))


@clause("a run is free if it ends before the next place that is not free, and only then")
def runs_are_free_up_to_the_next(s: Places, first: Number, count: Number, place: Number) -> Truth:
    there = s.next_taken(first)
    is_one_of_it = implies(run_is_free(s, first, count) & among(first, count, place), s.is_free(place))
    return is_one_of_it & (run_is_free(s, first, count) | (among(first, count, there) & neg(s.is_free(there))))


@clause("what was handed out may be given back, or any part of it")
def what_is_in_use_can_be_freed(s: Places, place: Number) -> Truth:
    return implies(s.in_use(place), s.exists(place) & neg(s.never_free(place)) & neg(s.is_free(place)))


@clause("a count of 0 means that no place is free")
def none_free_at_zero(s: Places, place: Number) -> Truth:
    return implies(s.count == 0, neg(s.is_free(place)))


THEOREMS = (
    hands_out_once,
    hands_out_only_existing,
    runs_are_free_up_to_the_next,
    what_is_in_use_can_be_freed,
    none_free_at_zero,
)


# Queries


@clause("a place is called free if and only if it is")
def tells_whether_free(s: Places, place: Number, answer: Truth) -> Truth:
    return answer == s.is_free(place)


@clause("a place is said to exist if and only if it does")
def tells_whether_it_exists(s: Places, place: Number, answer: Truth) -> Truth:
    return answer == s.exists(place)


@clause("the answer is the number of free places")
def tells_the_count(s: Places, answer: Number) -> Truth:
    return answer == s.count
