"""Operations that take nothing and give nothing back: arguments as they come, right ones most often."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import Random

from memoracle.drive.generation.arguments import Arguments
from memoracle.drive.generation.frames import Wish
from memoracle.drive.generation.law import Law

TRIES, WRONG_TRIES = 8, 16  # calls that are made up to find one that the law allows, or refuses as it is wanted


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
        for _ in range(TRIES):
            call = self.arguments.call(operation, self.operations[operation])
            if law.against(operation, call) is None:
                return operation, call
        return None

    def wrong(self, law: Law) -> Wish | None:
        """A call that the law refuses by the clause that was tested least, of any operation that can say so."""
        # Half of them are the first that comes: one clause may refuse calls that go wrong in different ways.
        tries = 1 if self.random.random() < 0.5 else WRONG_TRIES
        operations = (self.random.choice(self.misused) for _ in range(tries))
        return law.least_tested((each, self.arguments.call(each, self.operations[each])) for each in operations)
