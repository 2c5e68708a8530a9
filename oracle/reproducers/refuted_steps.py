"""What a proof refutes, step by step: a run of the reference that fails, whose calls are operations of a trace."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from memoracle.diagnostics.divergence import Divergence, Finding
from memoracle.drive.log import ENCODE
from memoracle.report.proof_report import REFUTED
from memoracle.reproducers.failing_run import ReproducerError
from memoracle.reproducers.of_proof import TEST
from memoracle.reproducers.reference_trace import trace_of
from memoracle.timeline.past import Past
from memoracle.timeline.timeline import Timeline

if TYPE_CHECKING:
    from memoracle.proofs.obligations.discharge import Result

LEGAL, DUE = "what the law says", "due:"


def refuted_steps(results: Sequence[Result], replays: Mapping[str, str], past: Past) -> dict[str, Timeline]:
    """By component. replays: see `of_refuted`.  past: replays traces at level exact."""
    found = {name: steps_of(name, test, results, past) for name, test in replays.items() if TEST in test}
    return {name: timeline for name, timeline in found.items() if timeline is not None}


def steps_of(component: str, test: str, results: Sequence[Result], past: Past) -> Timeline | None:
    try:
        lines = [ENCODE(each) for each in trace_of(component, test)]
    except ReproducerError:
        return None
    failed = next(each for each in results if each.component == component and each.verdict == REFUTED)
    return past.of_lines(lines, Divergence(component, len(lines), {}, finding_in(test, failed)))


def finding_in(test: str, failed: Result) -> Finding:
    """What a failing run shows: its first remark says why, the others what is seen, and what is due."""
    why, *others = remarks(test) or [failed.claim]
    clause, named, says = why.partition(": ")
    due = [each.removeprefix(DUE).strip() for each in others if each.startswith(DUE)]
    seen = "; ".join(" ".join(each.split()) for each in others if not each.startswith(DUE))
    of_clause = (clause, says) if named else (failed.name, why)
    return Finding(*of_clause, seen or (failed.counterexample or "").partition("\n")[0], due[0] if due else LEGAL)


def remarks(test: str) -> list[str]:
    """The comments of a test, each in one line."""
    found: list[str] = []
    for line in re.findall(r"^ *# ?(.*)$", test, re.MULTILINE):
        if line.startswith("  ") and found:
            found[-1] += f" {line.strip()}"
        else:
            found.append(line)
    return found
