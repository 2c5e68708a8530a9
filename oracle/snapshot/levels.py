"""How many levels a machine's tables have: four, or five where CR4.LA57 is set (Intel SDM volume 3, 4.5).

The law is of four. Of five it says the same of the upper four, each a level lower, where an address is its upper bits:
what those of the lowest tables are, no table depends on. An entry of a PML5 is made as one of a PML4 is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from memoracle.impl import pte as code
from memoracle.spec import pte as law
from memoracle.spec import tables as tables_law
from memoracle.spec.kernel_half import FIRST

FOUR, FIVE = 4, 5


@dataclass(frozen=True)
class Levels:
    """root: the level of a table that CR3 names."""

    root: int

    @property
    def top(self) -> str:
        """What such a table is called."""
        return f"PML{self.root}"

    @property
    def lower_half_end(self) -> int:
        return FIRST * self.bytes_each(self.root)

    @staticmethod
    def bytes_each(level: int) -> int:
        """What an entry of a level maps."""
        return code.TABLE << 9 * (level - law.LOWEST_LEVEL)

    @staticmethod
    def form(level: int) -> int:
        """The level of the law whose entries have the same bits."""
        return min(level, law.ROOT)

    def first_address(self, index: int) -> int:
        """The canonical address that an entry of the root maps first."""
        start, end = index * self.bytes_each(self.root), 2 * self.lower_half_end
        return start if index < FIRST else start - end + (1 << 64)

    def in_law(self, virtual: int, level: int) -> tuple[int, int]:
        """An address and a level as the law has them."""
        lower = self.root - tables_law.ROOT
        return virtual >> 9 * lower, level - lower

    def place(self, virtual: int, level: int) -> int:
        """The bits of an address that lead to a table of a level."""
        return cast(int, tables_law.place_at(*self.in_law(virtual, level)))

    def root_index(self, virtual: int) -> int:
        return cast(int, tables_law.index_at(virtual, self.root))


FOUR_LEVELS = Levels(FOUR)
