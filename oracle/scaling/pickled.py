"""What a run came to, as bytes that another process reads: clauses are named there, and found again by their names."""

from __future__ import annotations

import importlib
import io
import pickle
from copyreg import dispatch_table
from typing import Any

from memoracle.spec.clauses import Clause


def pickled(found: object) -> bytes:
    made = io.BytesIO()
    pickler = pickle.Pickler(made)
    pickler.dispatch_table = {**dispatch_table, Clause: _by_name}
    pickler.dump(found)
    return made.getvalue()


def _by_name(clause: Clause) -> tuple[Any, tuple[str, str]]:
    return declared, (clause.holds.__module__, clause.holds.__qualname__)


def declared(module: str, name: str) -> Any:
    """What a module declares under a name."""
    return getattr(importlib.import_module(module), name)
