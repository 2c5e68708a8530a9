"""By what an implementation is judged in one run: the geometry, the level, and what the trace's header says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from memoracle.diagnostics.divergence import Finding
from memoracle.spec.clauses import Clause
from memoracle.spec.geometry import Geometry
from memoracle.trace.formats import FIRST_EVENT

SAFE, LEGAL, EXACT = "safe", "legal", "exact"
LEVELS = (SAFE, LEGAL, EXACT)
Handler: TypeAlias = Callable[[Any, int], Finding | None]
Violated: TypeAlias = Callable[[Any, int], Clause | None]
Misuses: TypeAlias = dict[type, Violated]  # what a call breaks, whatever comes of it
OfUnknownProcess: TypeAlias = Callable[[int, bool], Finding | None]  # of its number; whether that is a question
Handlers: TypeAlias = dict[type, Handler]  # by the event's type; of an event and its line


@dataclass
class Rules:
    """private_frames: the implementation takes frames without saying so: what needs one may fail for want of it.

    first_event: the line where `boot` may stand: the one after the trace's header, or after a crash.
    unknown_frames: how many frames kernel pages have at the moment that the trace did not name; they count as private.
    resources_unknown: after a misuse that is undefined, which frames or kernel range are left is unknown.
    """

    geometry: Geometry
    level: str = LEGAL
    private_frames: bool = False
    first_event: int = FIRST_EVENT
    unknown_frames: int = field(default=0, init=False)
    resources_unknown: bool = field(default=False, init=False)

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
    def lacking_passes(self) -> bool:
        """Whether an operation that needs a frame may fail, whatever the trace leaves."""
        return self.safe or self.hides_frames or self.resources_unknown
