"""Runs of frames on the reference's `Runs`, what one allocation gave, and the clause by which the law refuses one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar, cast

from memoracle.impl.runs import Runs
from memoracle.proofs.abstraction.objects import places_of
from memoracle.spec import given_runs
from memoracle.spec import runs as law
from memoracle.spec.clauses import Clause


class Stretches(Protocol):
    """A set of places that stands in for the reference's, and says where those end that are in it."""

    def next_out(self, place: int) -> int:
        """The first place from this one on that is not in the set."""


Places = TypeVar("Places", bound=Stretches)


class WholeRuns:
    """Runs that are given back as they were given."""

    def __init__(self, runs: Runs, given: dict[int, int]) -> None:
        self.runs = runs
        self.given = given

    def take(self, first: int, count: int) -> bool:
        """Allocates just these frames; False if one is not free."""
        if not self.runs.reserve(first, count):
            return False
        self.given[first] = count
        return True

    def free(self, first: int, count: int) -> bool:
        """Frees a run that was given; False if this is none."""
        if self.given.get(first) != count or not self.runs.free(first, count):
            return False
        del self.given[first]
        return True


class RunsInUse(Generic[Places]):
    """frames: how many may exist.  existing: those that do.  changing: of these, the ones that may become free.

    given: where frees are whole, by the first frame of a run that one allocation gave and that is still in use, how
    many it has; else None.
    """

    def __init__(
        self, frames: int, existing: Places, changing: Places, available: object, given: dict[int, int] | None
    ) -> None:
        """No frame exists, and the sets are empty. available: of those that change, the free ones."""
        self.frames = frames
        self.existing, self.changing, self.given = existing, changing, given
        self.runs = runs = Runs(frames)
        for name, places in (("existing", existing), ("changing", changing), ("available", available)):
            setattr(runs, name, places)  # each stands in for a PlaceSet
        # Allocates just these frames; False if one is not free.
        self.take_run: Callable[[int, int], bool] = runs.reserve
        # Frees these; False if one is free, never is or does not exist, or they are not just one run that was given.
        self.free_run: Callable[[int, int], bool] = runs.free
        if given is not None:
            whole = WholeRuns(runs, given)
            self.take_run, self.free_run = whole.take, whole.free

    def given_at(self, first: int) -> int:
        """How many frames the run has that one allocation gave and that begins here; 0 if none does."""
        return (self.given or {}).get(first, 0)

    # What the law refuses

    def as_given(self) -> given_runs.GivenRuns:
        """The frames, and which runs one allocation gave, as the law has them."""
        return given_runs.GivenRuns(places_of(self.runs), given=lambda place: self.given_at(cast("int", place)))

    def refuses_to_give(self, first: int, count: int, alignment: int, lowest: int, below: int) -> Clause | None:
        """The clause that keeps a run from being given, where one is asked for that is aligned and within limits."""
        points = {"count": count, "alignment": alignment, "lowest": lowest, "below": below, "first": first}
        return law.allocate.broken(places_of(self.runs), **points)

    def refuses_to_free(self, first: int, count: int) -> Clause | None:
        """The clause that keeps frames from becoming free, whichever runs they are of."""
        gap = self.existing.next_out(first)
        place = gap if gap < first + count else self.changing.next_out(first)
        return law.free.broken(places_of(self.runs), first=first, count=count, place=place)

    def refuses_a_part(self, first: int, count: int) -> Clause | None:
        """The clause that keeps these from being given back together, where just what was given is given back."""
        if self.given is None:
            return None
        whole = given_runs.frees_a_whole_run
        return None if whole(self.as_given(), first, count) else whole
