"""Operations that take nothing and give nothing back: arguments as they come, right ones most often."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import Random
from typing import Any

from memoracle.drive.extents import with_extent
from memoracle.drive.generation.arguments import Arguments
from memoracle.drive.generation.frames import Wish
from memoracle.drive.generation.law import Law
from memoracle.drive.generation.sizes import count

TRIES, WRONG_TRIES = 8, 16  # calls that are made up to find one that the law allows, or refuses as it is wanted

ADD = "memory.add"
ADDS = 0.1  # of the turns of memory that is added: it can be added once, and should last
IN_VAIN = 0.05  # of the calls that add, how many are made up like any other: they mostly add no frame


class Others:
    """Calls of some operations. wanted: these."""

    def __init__(
        self,
        operations: Mapping[str, frozenset[str]],
        wanted: Collection[str],
        misuse: Collection[str],
        arguments: Arguments,
        random: Random,
    ) -> None:
        self.operations, self.misuse, self.arguments, self.random = operations, misuse, arguments, random
        self.wanted, self.misused = sorted(wanted), sorted(misuse)

    @property
    def is_driven(self) -> bool:
        return bool(self.wanted)

    def wish(self, law: Law) -> Wish | None:
        """A call that the law allows, if one is found soon."""
        operation = self.random.choice(self.wanted)
        if operation == ADD and self.random.random() >= ADDS:
            return None
        if operation == ADD and self.random.random() >= IN_VAIN:
            call = self._added(law)
            return None if call is None else (operation, call)
        for _ in range(TRIES):
            call = self.arguments.call(operation, self.operations[operation])
            if law.against(operation, call) is None:
                return operation, call
        return None

    def _added(self, law: Law) -> dict[str, Any] | None:
        """Memory of frames that are missing, small pieces most often; None if none is missing.

        At either end there may be a part of a page, which adds nothing.
        """
        random, geometry = self.random, self.arguments.geometry
        stretch = law.missing_frames(random.randrange(geometry.frames))
        if stretch is None:
            return None
        (first, end), size = stretch, geometry.page_size
        frames = min(count(random, end - first), end - first)
        first = random.choice((first, end - frames, random.randint(first, end - frames)))
        before, behind = (random.choice((0, 0, 0, 1, size - 1)) for _ in range(2))
        start = max(0, first * size - before)
        return {"start": start, "length": (first + frames) * size + behind - start}

    def wrong(self, law: Law) -> Wish | None:
        """A call that the law refuses by the clause that was tested least, of any operation that can say so."""
        # Half of them are the first that comes: one clause may refuse calls that go wrong in different ways.
        tries = 1 if self.random.random() < 0.5 else WRONG_TRIES
        operations = (self.random.choice(self.misused) for _ in range(tries))
        calls = ((each, self.arguments.call(each, self.operations[each])) for each in operations)
        return law.least_tested((each, with_extent(law.replay, self.operations, each, call)) for each, call in calls)
