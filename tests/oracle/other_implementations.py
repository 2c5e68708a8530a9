"""How other implementations are held to golden vectors in the tests."""

from __future__ import annotations

from typing import Any

from memoracle.vectors import pytest_file
from memoracle.vectors.vector import Vectors

PAGE = 4096


def failures(vectors: Vectors, make: Any) -> list[str]:
    """What the file for pytest says of each vector that fails."""
    names: dict[str, Any] = {}
    exec(pytest_file.written(vectors), names)
    found = []
    for vector in names["VECTORS"]["vectors"]:
        try:
            names["test_vector"](vector, make())
        except AssertionError as failure:
            found.append(str(failure))
    return found


class RefusedError(Exception):
    """What an implementation answers that refuses."""
