"""What all tests of proofs share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from memoracle.proofs.symbolic import numbers


@pytest.fixture(autouse=True)
def bits_again() -> Iterator[None]:
    """Numbers are bit vectors again after a test that made them the solver's integers."""
    yield
    numbers.integers = False
