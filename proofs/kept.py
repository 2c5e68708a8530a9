"""Keeps verdicts: what was proved is not proved again while all that it depends on is the same.

A verdict is kept under a hash of the claim, of the text that it depends on (`dependencies.py`), and of the versions of
Python, the solvers and the packages. Only what was proved is kept. A file is written whole or not at all, so runs may
share the cache, and be killed.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

from memoracle.proofs import dependencies
from memoracle.proofs.obligations import solver
from memoracle.proofs.obligations.discharge import Result

PACKAGES = ("crosshair-tool", "msgspec", "sortedcontainers", "z3-solver")
PROVED = "proved"
FOLDER = "verdicts"


@cache
def environment() -> tuple[str, ...]:
    """What runs the proofs."""
    return (sys.version, platform.machine(), *(f"{package} {version(package)}" for package in PACKAGES))


@dataclass(frozen=True)
class Kept:
    """Where the verdict on one claim is kept, and the modules that it depends on."""

    key: str
    modules: frozenset[str]

    def verdict(self) -> Result | None:
        """The verdict that was kept; None if there is none, or its file is damaged."""
        found = solver.kept(self._path, Result)
        return replace(found, cached=True) if found is not None and found.verdict == PROVED else None

    def keep(self, result: Result) -> None:
        """Keeps a verdict, if it is that the claim is proved, and the files have not changed meanwhile."""
        if result.verdict == PROVED and dependencies.are_as_read(self.modules):
            with suppress(OSError, RuntimeError):  # no cache is as good, but slower
                solver.keep(self._path(), json.dumps(asdict(replace(result, tried_again=None))))

    def _path(self) -> Path:
        return solver.cache_directory() / FOLDER / f"{self.key}.json"


def kept(unsettled: Result, module: str) -> Kept:
    """Where the verdict on a claim, which this module makes, is kept."""
    claim = [unsettled.name, unsettled.component, unsettled.kind, unsettled.claim]
    depends = dependencies.digest(unsettled.component, module)
    key = hashlib.sha256(json.dumps([claim, depends, environment()]).encode()).hexdigest()
    return Kept(key, dependencies.modules(unsettled.component, module))
