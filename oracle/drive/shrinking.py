"""The fewest and smallest calls that still fail, as far as trying finds them (delta debugging, Zeller 2002)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from memoracle.drive.requests import GIVE_BACK, Request, with_fixed_addresses, without

Fails = Callable[[Sequence[Request]], bool]
LEAST = {"bytes": 1, "pages": 1, "count": 1, "alignment": 1, "order": 0}  # numbers that say how much is asked for
ALIGNMENT = "alignment"  # is a power of two, or is refused


def shortest(requests: Sequence[Request], fails: Fails, seconds: float) -> list[Request]:
    """Leaves out calls, and makes what is asked for smaller, while it still fails; the last call is what fails.

    seconds: after so many it is content with what it has.
    """
    shrinking = Shrinking([*requests], fails, time.monotonic() + seconds)
    shrinking.fails_as(with_fixed_addresses(requests))
    shrinking.leave_out(len(requests))
    while not shrinking.is_late and shrinking.make_smaller():
        shrinking.leave_out(1)
    return shrinking.kept


class Shrinking:
    """kept: the calls that are left.  until: when to be content with these."""

    def __init__(self, kept: list[Request], fails: Fails, until: float) -> None:
        self.kept, self.fails, self.until = kept, fails, until

    @property
    def is_late(self) -> bool:
        return time.monotonic() > self.until

    def fails_as(self, candidate: list[Request]) -> bool:
        """Whether these fail, too; then they are what is left."""
        if self.is_late or not self.fails(candidate):
            return False
        self.kept = candidate
        return True

    def leave_out(self, size: int) -> None:
        """Leaves out ever smaller stretches, from the end on. size: of the first."""
        while size and not self.is_late:
            before, end = len(self.kept), len(self.kept)
            while end > 0 and not self.is_late:
                start = max(0, end - size)
                any(map(self.fails_as, self._without(range(start, end))))
                end = min(start, len(self.kept))
            if size > 1 or len(self.kept) == before:
                size //= 2

    def _without(self, stretch: range) -> Iterator[list[Request]]:
        """What is left without some calls, and without what depends on these.

        First without those whose blocks are given back again, so that what lives at the end is the same; then without
        those that depend on no other, so that each block which they give goes with all that is done with it; then
        without all of them. What the last call depends on stays as long as more than one goes at a time.
        """
        kept, last = self.kept, len(self.kept) - 1
        dropped = {*stretch} - (needed_by(kept, last) if len(stretch) > 1 else set())
        givers = {place for place in dropped if not kept[place].needs}
        sizes = {len(kept)}
        for some in (dropped & given_back(kept), givers, dropped):
            candidate = without(kept, some)
            if len(candidate) not in sizes:  # of as many calls most often the same ones
                sizes.add(len(candidate))
                yield candidate

    def make_smaller(self) -> bool:
        """Makes each number that says how much is asked for as small as it can be; whether any became smaller."""
        before = self.kept
        for place in reversed(range(len(before))):
            for key in LEAST.keys() & before[place].arguments.keys() - before[place].needs.keys():
                self._bisect(place, key)
        return self.kept is not before

    def _bisect(self, place: int, key: str) -> None:
        """The least with which it fails, if it does with all that are larger."""
        most = self.kept[place].arguments[key]
        if type(most) is not int:
            return
        # Of a power of two its order is sought.
        is_order = key == ALIGNMENT and most > 0 and most & most - 1 == 0
        below, least = -1, most.bit_length() - 1 if is_order else most - LEAST[key]
        trial = 0
        while trial < least:
            value = 1 << trial if is_order else LEAST[key] + trial
            if self.fails_as(asking(self.kept, place, key, value)):
                least = trial
            elif self.is_late:
                return
            else:
                below = trial
            trial = (below + least + 1) // 2 if least - below > 1 else least


def given_back(requests: Sequence[Request]) -> set[int]:
    """The calls that gave what a later one gives back."""
    backs = (each for each in requests if each.operation in GIVE_BACK)
    return {place for each in backs for place, _ in each.needs.values()}


def needed_by(requests: Sequence[Request], place: int) -> set[int]:
    """A call, and the calls on whose results it depends."""
    needed, left = set[int](), [place]
    while left:
        each = left.pop()
        if each not in needed:
            needed.add(each)
            left += [need for need, _ in requests[each].needs.values()]
    return needed


def asking(requests: Sequence[Request], place: int, key: str, value: Any) -> list[Request]:
    """The requests, of which one asks for another number; so do those about what it gives that had the same number."""
    changed = [*requests]
    before = requests[place].arguments[key]
    for other, each in enumerate(requests):
        is_about_it = (place, 0) in each.needs.values() and each.arguments.get(key) == before
        if other == place or is_about_it:
            changed[other] = each._replace(arguments={**each.arguments, key: value})
    return changed
