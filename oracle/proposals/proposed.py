"""What a proposed binding says so far, and a library tried as it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from memoracle.drive.binding import Binding, Bound, Memory, Read
from memoracle.proposals import trying
from memoracle.proposals.c_functions import Header
from memoracle.proposals.guesses import Guess, Mapping
from memoracle.proposals.needs import Needs
from memoracle.proposals.starts import ARENA, ARENA_BYTES, Start
from memoracle.trace.geometry import geometry_from
from memoracle.trace.inputs import InputError

SMALL_PAGE, LARGE_PAGE = 4096, 1 << 21
PRESETS = {SMALL_PAGE: "x64-4k", LARGE_PAGE: "x64-2m"}


@dataclass
class Proposal:
    """What a binding is to say, and why. notes: what it says first.  geometry: keys, each with what to say of it.

    memory_map: what is there at start, where more can be added.
    died: what the library died of before it was started, if it did: it is not tried again.
    """

    library: Path
    header: Header
    mapping: Mapping
    needs: Needs
    start: Start
    declarations: str
    page_size: int
    notes: list[str] = field(default_factory=list)
    geometry: dict[str, tuple[Any, list[str]]] = field(default_factory=dict)
    private_frames: bool = False
    is_started: bool = False
    memory_map: list[dict[str, int]] = field(default_factory=list)
    died: str = ""

    @property
    def has_memory(self) -> bool:
        return self.start.needs_memory or self.needs.needs_memory

    @property
    def stated_geometry(self) -> dict[str, Any]:
        return {"preset": PRESETS[self.page_size], **{key: value for key, (value, _) in self.geometry.items()}}

    def binding(self, operations: dict[str, Bound]) -> Binding:
        """Of the same library, with other operations."""
        says = Read(
            library=str(self.library),
            declarations=self.declarations,
            geometry=PRESETS[self.page_size],
            memory=Memory(ARENA_BYTES, ARENA) if self.has_memory else None,
            symbols={name: text for name, (text, _) in self.needs.symbols.items()},
            callbacks={name: text for name, (text, _) in self.needs.callbacks.items()},
            panics=self.needs.panics,
            start=[statement for statement, _ in self.start.statements],
            operations=operations,
        )
        return Binding("", "", says, geometry_from(says.geometry), self.library)

    def raw(self, guess: Guess) -> Bound:
        """As an operation that says all that was returned."""
        panic: Literal["crash", "refuse"] = "refuse" if self.needs.panics else "crash"
        if guess.holder != "value":
            return Bound(guess.call, guess.fails, guess.holder, panic=panic)
        returns = guess.function.returns.kind
        return Bound(guess.call, None, "value" if returns != "void" else None, panic=panic)

    def watched(self, operations: dict[str, Bound], attempt: trying.Attempt) -> trying.Notes:
        """What an attempt notes of the library with these operations."""
        if self.died:
            return {"died": self.died}
        try:
            notes = trying.watched(self.binding(operations), attempt)
            if "started" not in notes:
                self.died = notes.get("died", "")
            return notes
        except InputError as fault:
            return {"fault": fault.message}
