"""What one run of `memoracle snapshot` answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from page_tables import PageTables

from memoracle.cli import main


@dataclass
class Report:
    """A report for programs, and what was said on standard error."""

    status: int
    document: dict[str, Any]
    errors: str

    @property
    def broken(self) -> list[tuple[str, int, str, int | None, str | None]]:
        """Of each divergence: its clause, space, address, level and the address of its entry."""
        keys = ("clause", "space", "virtual", "level", "entry")
        return [tuple(found[key] for key in keys) for found in self.document["divergences"]]  # type: ignore[misc]

    @property
    def clauses(self) -> list[str]:
        return [found["clause"] for found in self.document["divergences"]]


class Snapshots:
    """Runs the command."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys

    def run(self, *arguments: str) -> Report:
        self.capsys.readouterr()
        status = main(["snapshot", "--format", "json", "--quiet", *arguments])
        captured = self.capsys.readouterr()
        return Report(status, json.loads(captured.out) if captured.out else {}, captured.err)

    def dump(self, memory: bytes, *arguments: str) -> Report:
        path = self.folder / "memory"
        path.write_bytes(memory)
        return self.run(str(path), *arguments)

    def of(self, tables: PageTables, *roots: int, arguments: tuple[str, ...] = ()) -> Report:
        """Of a dump that holds these tables."""
        return self.dump(tables.memory(), *arguments, *(f"--cr3={root:#x}" for root in roots))

    def text(self, *texts: str) -> Report:
        """Of texts, each a file."""
        paths = [self.folder / f"text{number}" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text, encoding="utf-8")
        return self.run(*map(str, paths))
