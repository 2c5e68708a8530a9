"""How many pages a free gives back: what the target is not told it remembers of each block, and gives back all of it.

The event says how many pages that are, as every event of such a free does. The law knows it, since it follows each
block that was handed out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from memoracle.replay.dispatch import Replay
from memoracle.trace.operations import arguments_of

PAGES = "pages"
FREES = frozenset({"range.free", "kernel_pages.free"})  # whose events say how many pages


def named_in_calls(operation: str, told: Collection[str]) -> frozenset[str]:
    """The arguments that a call names: what the target is told, and what is due in each event but an untold extent."""
    due = {key for key, is_due in arguments_of(operation).items() if is_due}
    return frozenset(told) | (due - {PAGES} if operation in FREES else due)


def gives_all(operation: str, named: Collection[str]) -> bool:
    """Whether an operation gives back all of a block. named: the arguments that its calls name."""
    return operation in FREES and PAGES not in named


def with_extent(
    replay: Replay, operations: Mapping[str, Collection[str]], operation: str, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of an event, which says how many pages are given back of the block that begins there.

    operations: of the target, with the arguments that calls name.
    """
    found = dict(arguments)
    if gives_all(operation, operations[operation]):
        found[PAGES] = pages_at(replay, operation, found) or found.get(PAGES, 1)
    return found


def pages_at(replay: Replay, operation: str, arguments: Mapping[str, Any]) -> int:
    """How many pages the block has that begins at the address which is freed; 0 if none does."""
    address: int = arguments["address"]
    if operation == "range.free":
        return replay.ranges.pages_at(arguments.get("process", 0), address)
    return replay.kernel_pages.pages_at(address)
