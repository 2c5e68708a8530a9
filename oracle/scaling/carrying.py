"""How a unit of work is carried out by a worker, whatever executor the worker belongs to.

A worker that is the main thread of a process, in the folder of whoever asked, does it right there. Any other (a thread
of a Dask worker, say) has it done by an interpreter of its own: relative paths, signals and the solver's state belong
to a whole process.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from memoracle.scaling.pickled import pickled
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace.inputs import InputError

Unit = TypeVar("Unit")
Outcome = TypeVar("Outcome")

ROOT = "memoracle"
WINGS = ("spec", "impl", "proofs")  # of the root: folders of their own where the project is not built
SHORT = 12  # digits of a digest
APART = "memoracle.scaling.apart"
SHOWN = 300  # characters of what an interpreter said before it ended, at the most


class UnfitError(Exception):
    """A worker cannot do what is asked here: it has another memoracle, so another law maybe, or lacks the files."""


class ApartError(Exception):
    """An interpreter of its own ended before it had done its work; the text says how."""


@cache
def code_digest() -> str:
    """What differs between two versions of the code, wherever it is installed."""
    digest = hashlib.sha256()
    for name in (ROOT, *(f"{ROOT}.{wing}" for wing in WINGS)):
        found = find_spec(name)
        assert found is not None, "it is a package of this project"
        for folder in map(Path, found.submodule_search_locations or ()):
            for path in sorted(folder.rglob("*.py")):
                parts = path.relative_to(folder).parts
                if name != ROOT or parts[0] not in WINGS:
                    digest.update("/".join((name, *parts)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:SHORT]


def carried_out(digest: str, folder: str, work: Callable[[Unit], Outcome], unit: Unit) -> bytes:
    """Does one unit, and returns what came of it for `outcome_of`. It is what an executor is handed.

    digest: of the code of whoever asks.  folder: in which relative paths begin.  Raises what the work raises, but for
    faults of what the user gave: these are no fault of the worker, and come of the unit wherever it is done.
    """
    if digest != code_digest():
        words = f"a worker has another memoracle (code {code_digest()}) than this one (code {digest})"
        return pickled((UnfitError(words), None))
    if threading.current_thread() is threading.main_thread() and Path.cwd() == Path(folder):
        return done_here(work, unit)
    return done_apart(folder, work, unit)


def done_here(work: Callable[[Unit], Outcome], unit: Unit) -> bytes:
    """The same, by this thread."""
    try:
        return pickled((None, work(unit)))
    except (InputError, GeometryError) as fault:
        return pickled((fault, None))


def done_apart(folder: str, work: Callable[[Unit], Outcome], unit: Unit) -> bytes:
    """The same, by an interpreter of its own, which ends when this thread does; raises ApartError."""
    if not Path(folder).is_dir():
        words = f"a worker has no folder {folder}: workers read the same files, under the same names"
        return pickled((UnfitError(words), None))
    asked = pickled(sys.path) + pickled((work, unit))
    command = [sys.executable, "-m", APART, str(os.getpid())]
    done = subprocess.run(command, input=asked, capture_output=True, cwd=folder, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        last = f": {said[-1][:SHOWN]}" if said else ""
        raise ApartError(f"its interpreter ended with status {done.returncode}{last}")
    return done.stdout


def outcome_of(done: bytes) -> Any:
    """What came of a unit, or raises its fault. It is read as any executor reads what its workers send.

    Raises ValueError, TypeError or what else pickle raises for what no worker of ours sends.
    """
    fault, outcome = pickle.loads(done)
    if fault is None:
        return outcome
    if isinstance(fault, InputError | GeometryError | UnfitError):
        raise fault
    raise TypeError(f"its worker sent a {type(fault).__name__} as the fault of what it was asked")
