"""What becomes of a failure that is to be a test."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reproducer:
    """form: of the test.  text: None where there is none.  said: whether it was run, or why there is none."""

    form: str
    text: str | None
    said: str
