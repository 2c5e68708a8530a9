"""By what an implementation is judged in one run: the geometry, the level, and what the trace's header says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from memoracle.diagnostics.divergence import REFUSAL, Finding
from memoracle.impl.kernel_half import KernelHalf
from memoracle.spec.geometry import Geometry
from memoracle.spec.kernel_half import process_lives

SAFE, LEGAL, EXACT = "safe", "legal", "exact"
LEVELS = (SAFE, LEGAL, EXACT)
SHOWN = 16  # live processes, at the most
MUST_SUCCEED = "must-succeed"  # with the operation's name before it, in the place of a clause
Handlers: TypeAlias = dict[type, Callable[[Any, int], Finding | None]]  # by the event's type; of an event and its line
PREFERS = "policy"  # so too: what the reference alone chooses


@dataclass
class Rules:
    """private_frames: the implementation takes frames without saying so, and any operation may fail for want of one.

    unknown_frames: how many frames kernel pages have at the moment that the trace did not name; they count as private.
    """

    geometry: Geometry
    level: str = LEGAL
    private_frames: bool = False
    unknown_frames: int = field(default=0, init=False)

    @property
    def safe(self) -> bool:
        return self.level == SAFE

    @property
    def hides_frames(self) -> bool:
        """Whether some frames are taken at the moment of which it is not known which they are."""
        return self.private_frames or self.unknown_frames > 0

    def found(self, frames: int) -> None:
        """So many unknown frames are known now, or free again."""
        self.unknown_frames = max(0, self.unknown_frames - frames)

    @property
    def failures_pass(self) -> bool:
        """Whether any failure is accepted."""
        return self.safe or self.hides_frames


def nobody(tables: KernelHalf, process: int) -> Finding:
    """What is found where an operation of a process that does not exist succeeds."""
    clause, state = process_lives, {"processes": sorted(tables.live)[:SHOWN]}
    return Finding(clause.name, clause.says, f"process {process} does not exist", REFUSAL, state, state)


def wrongly_failed(op: str, error: object, legal: str, says: str, state: dict[str, Any]) -> Finding:
    """What is found where an operation fails that must succeed: nothing changes."""
    rule = says[:1].lower() + says[1:].rstrip(".")
    return Finding(f"{op}.{MUST_SUCCEED}", rule, f"it failed ({error}), but it must succeed", legal, state, state)
