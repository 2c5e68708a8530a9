"""The vectors of each component's own machine, made once."""

from __future__ import annotations

import pytest

from memoracle.vectors.build import vectors_of
from memoracle.vectors.vector import Vectors


class Made(dict[str, Vectors]):
    def __missing__(self, name: str) -> Vectors:
        return self.setdefault(name, vectors_of(name))


@pytest.fixture(scope="session")
def made() -> Made:
    return Made()
