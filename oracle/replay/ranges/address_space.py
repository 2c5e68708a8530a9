"""What the address space of a process is to whatever replays more than its ranges, however these are handed out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, TypeAlias

from memoracle.replay.common.owed_frees import OwedFrees
from memoracle.spec.geometry_keys import Range

Owned: TypeAlias = tuple[int, int | None]  # where something was handed out, and its size as the allocator has it


class AddressSpace(ABC):
    """The address space of one process. All pages are counted from the start of its range.

    kernel_blocks: the first page of each block that is one of kernel pages.  lost_kernel_blocks: those that were freed
    without their pages, or seem to be.
    shared: how many owners each block has that was allocated wrongly, or that such a one overlaps.
    refused: how many pages in a row an allocation failed to find, although there are as many.
    """

    def __init__(self, process: int, area: Range) -> None:
        """Nothing is known of it yet."""
        self.process = process
        self.area = area
        self.kernel_blocks: set[int] = set()
        self.lost_kernel_blocks: set[int] = set()
        self.shared = OwedFrees[Owned]()
        self.refused: int | None = None

    @property
    @abstractmethod
    def doubts(self) -> object:
        """What is in doubt: another value whenever something is added."""

    @abstractmethod
    def is_allocated_whole(self, page: int, pages: int) -> bool:
        """Whether a block for so many pages is allocated here, or may be."""

    @abstractmethod
    def seems_allocated(self, page: int, pages: int) -> bool:
        """Whether a block for so many pages that was freed here may be there still, since nothing is in its place."""

    @abstractmethod
    def take_back(self, page: int, pages: int) -> None:
        """A block that was allocated for so many pages is free."""

    @abstractmethod
    def having(self, page: int) -> list[Any]:
        """The states that may be, and in which a block begins here: see `doubt`."""

    @abstractmethod
    def doubt(self, others: Any) -> None:
        """One of these states may be as well."""

    @abstractmethod
    def may_be_there(self, page: int, pages: int) -> None:
        """A block for so many pages that was freed may be there still."""

    @abstractmethod
    def may_have(self, other: Any) -> None:
        """All that another space of its kind has may be there."""

    @abstractmethod
    def remember_freed(self, page: int, pages: int, line: int) -> None:
        """A block was freed, and may turn out to have leaked."""

    @abstractmethod
    def has_lost_room(self, pages: int) -> None:
        """So many pages were not found where there are as many: they may be allocated still."""

    @abstractmethod
    def free_stretches(self) -> Iterator[tuple[int, int]]:
        """The free pages: from the first of each stretch on, and before its last."""

    def lose_kernel_block(self, page: int) -> None:
        """A block that is perhaps one of kernel pages was freed without them."""
        if page in self.kernel_blocks:
            self.kernel_blocks.remove(page)
            self.lost_kernel_blocks.add(page)
