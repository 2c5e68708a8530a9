"""Mappings that several threads change at once: each has pages of its own, and all have some in common."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from random import Random
from typing import Any

from msgspec.structs import fields

from memoracle.drive.generation.frames import Wish
from memoracle.drive.target import Answer
from memoracle.spec.geometry import Geometry
from memoracle.trace.operations import KINDS

MAP, UNMAP, TRANSLATE = "page.map", "page.unmap", "page.translate"
OWN, FRAMES = 4, 4  # pages of each thread; frames that all of them map, which nobody frees if there are such
OF_COMMON = 0.25  # of the calls, how many are about a common page
AT_COMMON = 2  # threads, of which each common page has so many


class SharedPages:
    """Maps and unmaps pages of the kernel's half.

    place: of the thread, of so many.  refusing: the operations that can say that they refuse: where mapping and
    unmapping can, threads use the same pages, too, and some find that another one was there before.
    """

    def __init__(
        self,
        operations: Mapping[str, frozenset[str]],
        refusing: frozenset[str],
        geometry: Geometry,
        random: Random,
        place: int,
        count: int,
    ) -> None:
        self.operations, self.random = operations, random
        size, whole = geometry.page_size, geometry.kernel_range
        taken = {each.page + page for each in geometry.kernel_reserved for page in range(each.pages)}
        common = -(-count // AT_COMMON) if {MAP, UNMAP} <= refusing else 0
        most = len(taken) + common + OWN * count
        free = [whole.start + page * size for page in range(min(whole.pages, most)) if page not in taken]
        self.common, rest = free[:common], free[common:]
        self.own = rest[place * OWN : (place + 1) * OWN]
        never_free = [*chain.from_iterable(range(*each) for each in geometry.never_free_frames[:FRAMES])]
        self.frames = [frame * size for frame in (never_free or range(geometry.frames))[:FRAMES]]
        self.mapped: set[int] = set()

    @property
    def is_driven(self) -> bool:
        return {MAP, UNMAP} <= self.operations.keys() and bool(self.own)

    def wish(self) -> Wish:
        random = self.random
        is_common = bool(self.common) and random.random() < OF_COMMON
        page = random.choice(self.common if is_common else self.own)
        if TRANSLATE in self.operations and random.random() < 0.2:
            return TRANSLATE, self._with_process(TRANSLATE, {"virtual": page})
        if random.random() < 0.5 if is_common else page in self.mapped:
            return UNMAP, self._with_process(UNMAP, {"virtual": page})
        return MAP, self._with_process(MAP, {"virtual": page, "physical": random.choice(self.frames)})

    def learn(self, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        if answer.error is None and operation == MAP:
            self.mapped.add(arguments["virtual"])
        elif answer.error is None and operation == UNMAP:
            self.mapped.discard(arguments["virtual"])

    def _with_process(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """With the process, and what else a call names, as an event means it that does not say it."""
        named = self.operations[operation] - arguments.keys()
        unsaid = {each.encode_name: each.default for each in fields(KINDS[operation])}
        return {**arguments, **{key: unsaid[key] for key in sorted(named)}}
