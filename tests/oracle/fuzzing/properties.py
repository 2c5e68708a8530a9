"""What is tried of each reader, by its name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from fuzzing.guard import hear, read_binding, run
from fuzzing.readers import DECLARED, READERS, SAID

Property = tuple[st.SearchStrategy[Any], Callable[[Any], object]]


def properties(folder: Path) -> dict[str, Property]:
    """Inputs, and what is done with each. folder: where the files of an input are written."""
    found: dict[str, Property] = {name: (cases, partial(run, folder)) for name, cases in READERS.items()}
    found["bindings"] = DECLARED, partial(read_binding, folder)
    found["answers of a program"] = SAID, hear
    return found
