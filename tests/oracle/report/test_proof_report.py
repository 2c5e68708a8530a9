"""The report of `prove`: lists of obligations."""

from __future__ import annotations

import io

import pytest

from memoracle.console.console import console_on
from memoracle.proofs.obligations.discharge import Result
from memoracle.report.proof_report import ProofRun, list_of

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


def test_what_a_worker_says_of_a_claim_is_not_obeyed() -> None:
    unsettled = Result(
        "pat.one", "pat", "theorem", "c", "unbounded", "unknown", "z3", 0, 0, False, "s", "\x1b[2J\n\x9b2J"
    )
    run = ProofRun("x64-2m", [unsettled], {}, [], 0.0)
    out = io.StringIO()
    run.write_text(out)
    assert "reason  \\x1b[2J\n          \\x9b2J" in out.getvalue()
