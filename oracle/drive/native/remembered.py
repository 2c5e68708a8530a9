"""What each block was asked for: some allocators want the size or the order of a block back when it is freed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GIVERS = {
    "frame": ("frame.allocate", "frame.reserve"),
    "range": ("range.allocate", "range.reserve"),
    "heap": ("heap.new", "heap.resize"),
    "kernel_pages": ("kernel_pages.allocate",),
}
RETURNED = "returned"
OLD = "old_"


def family_of(operation: str) -> str:
    return operation.partition(".")[0]


def givers_of(operation: str) -> tuple[str, ...]:
    """The operations that hand out the blocks that this one is about."""
    return GIVERS.get(family_of(operation), ())


class Remembered:
    """Of the blocks of one family, the arguments of the allocation, and what the function returned."""

    def __init__(self) -> None:
        self.by_block: dict[tuple[Any, Any], Mapping[str, Any]] = {}
        self.latest: Mapping[str, Any] = {}

    def note(self, arguments: Mapping[str, Any], address: Any, returned: Any) -> None:
        process = arguments.get("process")
        before = self.by_block.get((process, arguments.get("address")), {})  # what a resize does not name stays
        self.latest = {**before, **arguments, RETURNED: returned}
        self.by_block[process, address] = self.latest

    def of(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Of the block at an address; of the one handed out last, if none ever was there."""
        return self.by_block.get((arguments.get("process"), arguments.get("address")), self.latest)
