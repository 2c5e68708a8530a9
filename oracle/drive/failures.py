"""Sequences that failed once: kept in a folder beside the binding, and tried first the next time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from memoracle.spec.geometry import DEFAULT, Geometry
from memoracle.trace.geometry import geometry_from


class Failures:
    """The folder of one target. It is made with the first failure. last: the file of the one that was found last."""

    def __init__(self, target: str) -> None:
        self.folder = Path(f"{target}.failures")
        self.last: Path | None = None

    def kept(self) -> list[tuple[Path, list[bytes]]]:
        """Each file, and its lines."""
        return [(each, each.read_bytes().splitlines()) for each in sorted(self.folder.glob("*.jsonl"))]

    def keep(self, lines: Sequence[bytes]) -> Path:
        """Writes a trace, under a name of its content."""
        text = b"\n".join(lines) + b"\n"
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"{hashlib.sha256(text).hexdigest()[:12]}.jsonl"
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(text)
        part.replace(path)  # whole at once: another process may read the folder, or write the same
        self.last = path
        return path


def read_kept(lines: Sequence[bytes]) -> tuple[Geometry, Sequence[bytes]]:
    """The machine that a kept trace is of, and its calls. Raises one of many errors for what is no trace."""
    geometry = geometry_from(json.loads(lines[0]).get("geometry", DEFAULT))
    is_booted = len(lines) > 1 and json.loads(lines[1])["op"] == "boot"
    return geometry, lines[1 + is_booted :]


def is_same_machine(one: Geometry, other: Geometry) -> bool:
    """Whether they differ at most in what is said of misuse: that is changed where a failure was none."""
    return replace(one, misuse=()) == replace(other, misuse=())
