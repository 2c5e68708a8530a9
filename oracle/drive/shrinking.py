"""The fewest and smallest calls that still fail, as far as trying finds them (delta debugging, Zeller 2002)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

from memoracle.drive.layouts import filled, laid_out
from memoracle.drive.requests import ADDRESSES, GIVE_BACK, Request, with_fixed_addresses, without

Fails = Callable[[Sequence[Request]], bool]
LEAST = {"bytes": 1, "pages": 1, "count": 1, "alignment": 1, "order": 0}  # numbers that say how much is asked for
FEW = 4  # of how many calls one is few
ALIGNMENT = "alignment"  # is a power of two, or is refused


def shortest(requests: Sequence[Request], fails: Fails, seconds: float, recorded: bool = False) -> list[Request]:
    """The calls that are left once they are shrunk."""
    return shrunk(requests, fails, seconds, recorded).kept


def shrunk(requests: Sequence[Request], fails: Fails, seconds: float, recorded: bool = False) -> Shrinking:
    """Leaves out calls, and makes what is asked for smaller, while it still fails; the last call is what fails.

    seconds: after so many it is content with what it has.  recorded: what came of each call is known already, so that
    they are not made in another order.
    """
    shrinking = Shrinking([*requests], fails, time.monotonic() + seconds)
    while shrinking.leave_few():
        pass
    while not recorded and shrinking.lay_out():
        pass
    fixed = with_fixed_addresses(shrinking.kept)
    if fixed != shrinking.kept:
        shrinking.fails_as(fixed)
    shrinking.leave_kinds()
    shrinking.leave_out(len(shrinking.kept))
    while not shrinking.is_late() and shrinking.make_smaller():
        shrinking.leave_out(1)
    return shrinking


class Shrinking:
    """kept: the calls that are left.  until: when to be content with these.

    tried: what does not fail, as hashes; of calls that are all alike it does not matter which one is left out.
    is_cut_short: time was over before all was tried.
    """

    def __init__(self, kept: list[Request], fails: Fails, until: float) -> None:
        self.kept, self.fails, self.until = kept, fails, until
        self.tried = set[int]()
        self.is_cut_short = False

    def is_late(self) -> bool:
        """Whether time is over, while there is something left to try."""
        self.is_cut_short = self.is_cut_short or time.monotonic() > self.until
        return self.is_cut_short

    def fails_as(self, candidate: list[Request]) -> bool:
        """Whether these fail, too; then they are what is left."""
        text = hash(repr(candidate))
        if text in self.tried or self.is_late():
            return False
        if not self.fails(candidate):
            self.tried.add(text)
            return False
        self.kept = candidate
        return True

    def leave_few(self) -> bool:
        """Leaves few calls of many, if these suffice; whether they do. Little time is lost on few that do not."""
        kept, most = self.kept, len(self.kept) // FEW
        few = (closed(kept, places) for places in (*lately(kept, most), *about_the_same(kept)))
        smallest_first = sorted({len(places): places for places in few if len(places) <= most}.items())
        return any(self.fails_as(without(kept, {*range(len(kept))} - places)) for _, places in smallest_first)

    def lay_out(self) -> bool:
        """Has what is live put there directly, with far fewer calls, if these suffice; whether they do."""
        most = len(self.kept) - max(1, len(self.kept) // FEW)
        found = chain(filled(self.kept), laid_out(self.kept))
        return any(self.fails_as(each) for each in found if len(each) <= most)

    def leave_kinds(self) -> None:
        """Leaves out all calls that were refused, and all of one operation: of most of them none matters."""
        self._leave_all(lambda each: each.refused)
        for operation in sorted({each.operation for each in self.kept}):
            self._leave_all(partial(_is_of, operation))

    def _leave_all(self, is_one: Callable[[Request], bool]) -> None:
        """Leaves out all such calls on which the last one does not depend."""
        kept = self.kept
        some = {place for place, each in enumerate(kept) if is_one(each)} - needed_by(kept, len(kept) - 1)
        if some:
            self.fails_as(without(kept, some))

    def leave_out(self, size: int) -> None:
        """Leaves out ever smaller stretches, from the end on. size: of the first."""
        while size and not self.is_late():
            before, end = len(self.kept), len(self.kept)
            while end > 0 and not self.is_late():
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
            elif self.is_late():
                return
            else:
                below = trial
            trial = (below + least + 1) // 2 if least - below > 1 else least


def _is_of(operation: str, request: Request) -> bool:
    return request.operation == operation


def given_back(requests: Sequence[Request]) -> set[int]:
    """The calls that gave what a later one gives back."""
    backs = (each for each in requests if each.operation in GIVE_BACK)
    return {place for each in backs for place, _ in each.needs.values()}


def lately(requests: Sequence[Request], most: int) -> Iterator[range]:
    """The last call, the last two, four, ... up to so many."""
    end, count = len(requests), 1
    while count <= most:
        yield range(end - count, end)
        count *= 2


def about_the_same(requests: Sequence[Request]) -> Iterator[set[int]]:
    """The calls about what the last one is about: its process, its entry, its address, or any of these.

    A number that was given twice counts as one: whoever was given it last may suffer from what was done before.
    """
    last = requests[-1].arguments
    found = [
        {place for place, each in enumerate(requests) if each.arguments.get(key) == last[key]}
        for key in (*sorted(ADDRESSES), "index")
        if key in last
    ]
    for each in (*found, set().union(*found)):
        yield {*each, len(requests) - 1}


def needed_by(requests: Sequence[Request], place: int) -> set[int]:
    """A call, and the calls on whose results it depends."""
    return closed(requests, [place])


def closed(requests: Sequence[Request], places: Iterable[int]) -> set[int]:
    """Some calls, and the calls on whose results they depend."""
    needed, left = set[int](), [*places]
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
