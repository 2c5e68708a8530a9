"""Sequences that failed once: kept in a folder beside the binding, and tried first the next time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from memoracle.drive.requests import Request, requests_of
from memoracle.spec.geometry import DEFAULT, Geometry
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace.geometry import geometry_from
from memoracle.trace.hexadecimal import line_in_hexadecimal
from memoracle.trace.inputs import InputError


class Failures:
    """The folder of one target. It is made with the first failure. last: the file of the one that was found last."""

    def __init__(self, target: str) -> None:
        self.folder = Path(f"{target}.failures")
        self.last: Path | None = None

    def kept(self) -> list[tuple[Path, list[bytes]]]:
        """Each file, and its lines; raises InputError."""
        try:
            return [(each, each.read_bytes().splitlines()) for each in sorted(self.folder.glob("*.jsonl"))]
        except OSError as fault:
            raise InputError(fault.filename or str(self.folder), None, f"cannot read: {fault.strerror}") from None

    def keep(self, lines: Sequence[bytes]) -> str:
        """Writes a trace as it is shown, under a name of its content; says where, or why it is not kept."""
        text = b"\n".join(map(line_in_hexadecimal, lines)) + b"\n"
        path = self.folder / f"{hashlib.sha256(text).hexdigest()[:12]}.jsonl"
        part = path.with_suffix(f".{os.getpid()}")
        try:
            self.folder.mkdir(exist_ok=True)
            part.write_bytes(text)
            part.replace(path)  # whole at once: another process may read the folder, or write the same
        except OSError as fault:
            return f"not kept: cannot write to {self.folder}: {fault.strerror or fault}"
        self.last = path
        return f"kept in {path}"

    def leave_last(self, other: Path) -> None:
        """Deletes another file, if the last one stands in its place."""
        if self.last != other:
            with suppress(OSError):  # it may stay: it fails, too
                other.unlink()


def read_kept(path: Path, lines: Sequence[bytes]) -> tuple[Geometry, list[Request]]:
    """The machine that a kept trace is of, and its calls; raises InputError for what is no trace."""
    try:
        geometry = geometry_from(json.loads(lines[0]).get("geometry", DEFAULT))
        is_booted = len(lines) > 1 and json.loads(lines[1])["op"] == "boot"
        return geometry, requests_of(lines[1 + is_booted :])
    except (ValueError, KeyError, AttributeError, IndexError, TypeError, RecursionError, GeometryError):
        raise InputError(str(path), None, "this is no trace that failed: move it elsewhere") from None


def is_same_machine(one: Geometry, other: Geometry) -> bool:
    """Whether they differ at most in what is said of misuse: that is changed where a failure was none."""
    return replace(one, misuse=()) == replace(other, misuse=())
