"""What is live, put there directly: of a long run often nothing matters but how memory looks at its end.

An allocator that takes the lowest place gives blocks the same places again if they are asked for in the order of these.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate

from memoracle.drive.requests import GIVE_BACK, GIVERS, Request, in_order

RESIZE, EXIT = "heap.resize", "process.exit"
LARGEST = 4  # of how many sizes memory is filled with
MOST_BITS = 64


class Layouts:
    """Of each call that gave something, until when that was live.

    until: by the place of the call, that of the one which took it back, or how many calls there are.
    """

    def __init__(self, requests: Sequence[Request]) -> None:
        self.requests = requests
        self.until: dict[int, int] = {}
        self.of_process: defaultdict[int, list[int]] = defaultdict(list)
        for place, each in enumerate(requests):
            if each.refused:
                continue
            for giver in self._taken_back(each):
                self.until[giver] = min(place, self.until.get(giver, place))
            if each.operation in GIVERS:
                self.until[place] = len(requests)
                if "process" in each.needs:
                    self.of_process[each.needs["process"][0]].append(place)

    def _taken_back(self, request: Request) -> list[int]:
        """The calls whose blocks this one takes back: of a process that exits its own, too."""
        if request.operation not in GIVE_BACK and request.operation != RESIZE:
            return []
        key = "process" if request.operation == EXIT else "address"
        giver, added = request.needs.get(key, (0, 1))
        return [] if added else [giver, *self.of_process.pop(giver, ())]

    def live(self, place: int) -> list[int]:
        """The calls whose blocks are live before this one is made."""
        return [giver for giver, until in self.until.items() if giver < place <= until]

    def fullest(self) -> list[int]:
        """By each call, before which one up to it most blocks were live."""
        changes = [0] * (len(self.requests) + 2)
        for giver, until in self.until.items():
            changes[giver + 1] += 1
            changes[until + 1] -= 1
        best, most, found = 0, 0, list[int]()
        for before, count in enumerate(accumulate(changes[:-1])):
            if count >= most:
                best, most = before, count
            found.append(best)
        return found

    def put_directly(self, place: int, full: int, by_address: bool) -> list[Request]:
        """What is live before a call, and then the calls from there on.

        full: before this call what was live is put there first; of what follows up to `place`, what changes that.
        by_address: in the order of the addresses, rather than in the order of the calls.
        """
        first = self.live(full)
        order = sorted(first, key=self._by_address) if by_address else first
        taken_back = {self.until[giver] for giver in first if self.until[giver] < place}
        given = (giver for giver, until in self.until.items() if full <= giver < place <= until)
        later = sorted(taken_back.union(given))
        return in_order(self.requests, self.with_needs([*order, *later, *range(place, len(self.requests))]))

    def _by_address(self, place: int) -> tuple[bool, str, int, int]:
        each = self.requests[place]
        process = each.needs["process"][0] if "process" in each.needs else -1
        return not each.operation.startswith("process"), each.operation.partition(".")[0], process, each.gave or 0

    def with_needs(self, places: Sequence[int]) -> list[int]:
        """The same, each after those on whose results it depends."""
        found: dict[int, None] = {}
        for place in places:
            waiting = [place]
            while waiting:
                needs = [need for need, _ in self.requests[waiting[-1]].needs.values() if need not in found]
                if needs:
                    waiting += needs
                else:
                    found.setdefault(waiting.pop())
        return [*found]


def laid_out(requests: Sequence[Request]) -> Iterator[list[Request]]:
    """Fewer calls that lead to what is live before the last call, the last two, four, ..."""
    layouts, count, lengths = Layouts(requests), 1, {len(requests)}
    fullest = layouts.fullest()
    while count < len(requests):
        place = len(requests) - count
        for full in dict.fromkeys((place, fullest[place])):
            for by_address in (True, False):
                found = layouts.put_directly(place, full, by_address)
                if by_address or len(found) not in lengths:
                    yield found
                lengths.add(len(found))
        count *= 2


def filled(requests: Sequence[Request]) -> Iterator[list[Request]]:
    """As much as is live before the last call, in as few and large blocks as there were."""
    last, layouts = len(requests) - 1, Layouts(requests)
    live: dict[str, int] = {}
    for place in layouts.live(last):
        live[requests[place].operation] = live.get(requests[place].operation, 0) + size_of(requests[place])
    largest: dict[tuple[str, int], int] = {}  # by operation and size, a call that gave so much
    for place in layouts.until:
        each = requests[place]
        if each.operation in live and each.operation != RESIZE and size_of(each) > 1:
            largest[each.operation, size_of(each)] = place
    for (operation, size), place in sorted(largest.items(), reverse=True)[:LARGEST]:
        times = -(-live[operation] // size)
        yield in_order(requests, [*layouts.with_needs([place]), *[place] * (times - 1), *layouts.with_needs([last])])


def size_of(request: Request) -> int:
    """How much a call asks for, in whatever that counts."""
    named = [request.arguments[key] for key in ("bytes", "pages", "count") if key in request.arguments]
    size = named[0] if named else 1 << max(0, min(request.arguments.get("order", 0), MOST_BITS))
    return size if isinstance(size, int) else 1
