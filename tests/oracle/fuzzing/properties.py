"""What is tried of each reader, by its name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from fuzzing.guard import run
from fuzzing.other_readers import OTHERS
from fuzzing.proving import PROVING
from fuzzing.readers import READERS
from fuzzing.sessions import SESSIONS
from fuzzing.workers import WORKERS
from fuzzing.written_vectors import VECTORS


class Property(NamedTuple):
    """make: an input, of random numbers.  hold: raises whatever it likes where what must hold of it does not."""

    make: Callable[[Random], Any]
    hold: Callable[[Any], object]


def properties(folder: Path) -> dict[str, Property]:
    """folder: where the files of an input are written."""
    found = {name: Property(make, partial(run, folder)) for name, make in READERS.items()}
    return found | {
        name: Property(make, partial(hold, folder))
        for name, (make, hold) in (OTHERS | PROVING | WORKERS | SESSIONS | VECTORS).items()
    }
