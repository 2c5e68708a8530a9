"""What came of a command, as every report is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TextIO


class Run(Protocol):
    """One run of a command: `CheckRun`, `DriveRun`, `ProofRun` or `SnapshotRun`. command: its name."""

    @property
    def command(self) -> str: ...

    def document(self) -> dict[str, Any]:
        """The report for programs, keys and values as the public contract has them."""
        ...

    def write_text(self, out: TextIO) -> None:
        """The report for people, drawn as for the stream that it is written into."""
        ...


@dataclass(frozen=True)
class FaultRun:
    """A run that came to nothing: what the user gave cannot be read, or makes no sense, or an interrupt ended it.

    command: its name.
    """

    command: str
    fault: Exception | KeyboardInterrupt
