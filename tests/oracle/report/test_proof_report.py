"""The report of `prove`: lists of obligations."""

from __future__ import annotations

import io

import pytest

from memoracle.console.console import console_on
from memoracle.proofs.obligations.discharge import Result
from memoracle.report.proof_report import list_of

NAME = f"manager.{'-'.join(['keeps', *['word'] * 11])}"


@pytest.mark.parametrize("everything", [False, True])
def test_a_long_name_is_whole(everything: bool) -> None:
    """It is what `explain` knows, and what a reader searches for."""
    found = Result(
        NAME, "manager", "theorem", "a claim", "unbounded", "proved", "z3", 9999, 10**9, True, "a.py:1", None
    )
    out = io.StringIO()
    console_on(out).print(list_of("The slowest", [found], everything))
    assert f" {NAME} " in out.getvalue()
    assert ("a claim" in out.getvalue(), "a.py:1" in out.getvalue()) == (everything, everything)
