"""The page attribute table and entries of page tables: they have one state, in which every call is made once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from memoracle.cover.family import Asks, Call, call
from memoracle.drive.calls import Wish
from memoracle.drive.target import Answer
from memoracle.spec import pte
from memoracle.spec.geometry import Geometry
from memoracle.trace.memory_types import NAMES

REGISTER, SELECT, DECODE = "pat.register", "pat.select", "pat.decode"
ENCODE, READ = "pte.encode", "pte.decode"
ALLOWED = ((False, False, False), (True, True, False), (True, False, True))  # present, writable, user
LEVELS = range(6)


class EntryStates:
    """Calls about entries. of: what names of operations begin with.  few: not at all bounds, to be read by people."""

    start = None

    def __init__(self, asks: Asks, geometry: Geometry, of: str, few: bool = False) -> None:
        self.asks, self.geometry, self.few = asks, geometry, few
        self.name = {"pat": "the page attribute table", "pte": "entries of page tables"}[of]
        found = self._table() if of == "pat" else self._entries()
        self.made = [each for each in found if each.operation in asks]

    def state(self, situation: None) -> str:
        return self.name

    def words(self, state: str) -> str:
        return "the only state"

    def calls(self, situation: None) -> Sequence[Call]:
        return self.made

    def questions(self, situation: None) -> Sequence[Call]:
        return ()

    def wish(self, situation: None, call: Call) -> Wish:
        return call.operation, dict(call.arguments)

    def after(self, situation: None, operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        return None

    def _table(self) -> Iterator[Call]:
        yield call(REGISTER)
        for name, low_half in product(NAMES.values(), (False, True)):
            yield call(SELECT, cache=name, low_half=low_half)
        yield from (call(DECODE, index=index) for index in range(9))

    def _entries(self) -> Iterator[Call]:
        bits = self.geometry.physical_address_bits
        starts: tuple[int, ...] = (0, 1 << 12, 3 << 12, 1 << 21, 3 << 30, (1 << bits) - (1 << 12), 1 << bits, 8)
        starts = starts[1:4] + starts[6:] if self.few else starts
        of_all = product(LEVELS, starts, ALLOWED[:2] if self.few else ALLOWED, (False, True))
        for level, physical, allowed, leaf in of_all:
            present, writable, user = allowed
            named = {"physical": physical, "present": present, "writable": writable, "user": user, "leaf": leaf}
            for name in list(NAMES.values())[:: 4 if self.few else 1]:
                yield call(ENCODE, **named, cache=name, level=level)
        large = 1 << pte.LARGE
        bit_numbers = (12, 13, 21, 30, 51) if self.few else range(pte.PAT_OF_LARGE, pte.ADDRESS_BITS)
        for level, low in product(LEVELS, range(0, 32, 9) if self.few else range(32)):
            for address in (0, *(1 << number for number in bit_numbers)):
                for value in (low | address, low | address | large):
                    yield call(READ, value=value, level=level)
