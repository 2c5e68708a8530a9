from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from small_geometry import SMALL

from memoracle.cli import main


@dataclass
class Report:
    """What one run of `memoracle check` answered."""

    status: int
    document: dict[str, Any]
    errors: str

    @property
    def broken(self) -> list[tuple[int, str]]:
        """The line and the clause of each divergence."""
        return [(found["line"], found["clause"]) for found in self.document["divergences"]]


Check = Callable[..., Report]

PATIENCE = 120  # seconds
# How long a command waits, or goes on, by the clock: of a machine that is busy that says nothing.
LIMITS = (
    "commands.drive.PATIENCE",
    "commands.drive.PATIENCE_WITH_PROGRAMS",
    "drive.native.installed.SECONDS",
    "drive.program.PATIENCE",
    "drive.sessions.session.PATIENCE",
    "drive.sessions.session.SHRINKING",
    "drive.sessions.thorough.PATIENCE",
    "drive.sessions.thorough.SHRINKING",
    "proposals.c_text.PATIENCE",
    "proposals.trying.PATIENCE",
    "reproducers.recording.SECONDS",
    "reproducers.running.SECONDS",
    "snapshot.qmp.SECONDS",
)


@pytest.fixture(scope="session", autouse=True)
def _patient() -> Iterator[None]:
    """No test that is not about such a limit comes to it; one that is sets a limit of its own."""
    with pytest.MonkeyPatch.context() as patch:
        for each in LIMITS:
            patch.setattr(f"memoracle.{each}", PATIENCE)
        yield


@pytest.fixture
def run_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """Runs the command over a file of these lines."""

    def run(lines: Sequence[str], *options: str) -> Report:
        path = tmp_path / "trace.jsonl"
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        status = main(["check", "--format", "json", *options, str(path)])
        captured = capsys.readouterr()
        return Report(status, json.loads(captured.out), captured.err)

    return run


@pytest.fixture
def check(run_lines: Check) -> Check:
    """Runs the command over events, or lines as they stand, below a header with the small geometry."""

    def run(events: Sequence[dict[str, Any] | str], *options: str, **header: Any) -> Report:
        lines = [{"memoracle": 1, "geometry": SMALL} | header, *events]
        return run_lines([line if isinstance(line, str) else json.dumps(line) for line in lines], *options)

    return run


@pytest.fixture
def small() -> dict[str, Any]:
    """The small geometry, to change something in it."""
    return dict(SMALL)
