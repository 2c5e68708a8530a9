"""How long the solver works on each component's proofs."""

from __future__ import annotations

import subprocess
import sys

import msgspec


class Obligation(msgspec.Struct):
    component: str
    seconds: float


class Report(msgspec.Struct):
    """What `memoracle prove` reports."""

    verdict: str
    obligations: list[Obligation]


def solving() -> tuple[str, dict[str, tuple[int, float]]]:
    """The verdict of a run that proves everything again, and each component's obligations and seconds."""
    arguments = [sys.executable, "-m", "memoracle", "prove", "--no-cache", "--format", "json"]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, check=False)
    if not done.stdout:
        raise SystemExit("memoracle prove gave no report")
    report = msgspec.json.decode(done.stdout, type=Report)
    totals: dict[str, tuple[int, float]] = {}
    for obligation in report.obligations:
        count, seconds = totals.get(obligation.component, (0, 0.0))
        totals[obligation.component] = (count + 1, seconds + obligation.seconds)
    return report.verdict, totals
