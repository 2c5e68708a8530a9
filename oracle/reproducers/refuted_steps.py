"""What a proof refutes, step by step: a run of the reference that fails, whose calls are operations of a trace."""

from __future__ import annotations

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

LEGAL = "what the law says"


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
    seen = (failed.counterexample or "").partition("\n")[0]
    return past.of_lines(lines, Divergence(component, len(lines), {}, Finding(failed.name, failed.claim, seen, LEGAL)))
