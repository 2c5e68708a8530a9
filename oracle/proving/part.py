"""A part of the report of `prove`, of what it was asked to do besides proving."""

from __future__ import annotations

from typing import Any, Protocol

from rich.console import Console

from memoracle.console.exit_status import Status


class Part(Protocol):
    """key: of a report for programs, under which the part stands."""

    @property
    def key(self) -> str: ...

    @property
    def status(self) -> Status:
        """What it makes of the run's exit status."""
        ...

    def document(self) -> dict[str, Any]:
        """The part in a report for programs."""
        ...

    def tell(self, console: Console) -> None:
        """Writes the part into a report for people."""
        ...
