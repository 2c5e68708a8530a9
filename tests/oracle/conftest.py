from __future__ import annotations

import json
from collections.abc import Callable, Sequence
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
