"""Sequences that failed once: kept in a folder beside the binding, and tried first the next time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path


class Failures:
    """The folder of one target. It is made with the first failure."""

    def __init__(self, target: str) -> None:
        self.folder = Path(f"{target}.failures")

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
        return path
