"""The manager's uses of frames that no page shows: a page cache's reference, a pin of a driver.

They hold a frame as pages that show it do: it is released when both are gone.
"""

from __future__ import annotations

from dataclasses import replace

from memoracle.spec import manager, paging
from memoracle.spec.clauses import Number, Truth, clause, neg, operation, when
from memoracle.spec.manager import Memory

PART_OF = "manager"


@clause("the frame exists and is allocated")
def gets_only_allocated(s: Memory, frame: Number) -> Truth:
    return s.exists(frame) & neg(s.is_free(frame))


@clause("the frame has fewer gets than a 64-bit counter counts")
def get_can_be_counted(s: Memory, frame: Number) -> Truth:
    return s.gets(frame) < paging.MOST_USES


@operation("frame.get", guard=[gets_only_allocated, get_can_be_counted])
def get(s: Memory, frame: Number) -> Memory:
    """An allocated frame, whoever has it, has one use more."""
    return replace(s, gets=lambda other: s.gets(other) + when(other == frame, 1, 0))


@clause("a get of the frame is left")
def a_get_is_left(s: Memory, frame: Number) -> Truth:
    return neg(manager.no_get_is_left(s, frame))


@operation("frame.put", guard=[a_get_is_left])
def put(s: Memory, frame: Number) -> Memory:
    """A frame has one use less; if that was its last, it may be released."""
    after = replace(s, gets=lambda other: s.gets(other) - when(other == frame, 1, 0))
    return replace(
        after,
        callers_kept_contract=lambda other: s.callers_kept_contract(other) | (manager.uses_of(after, other) == 0),
    )
