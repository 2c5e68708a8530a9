"""`memoracle.prove`: what there is to prove, as the command `prove` does it."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memoracle import compiled
from memoracle.console.extras import require_prove
from memoracle.report import proof_report
from memoracle.scaling.workers import of_executor, refuse_no_workers

if TYPE_CHECKING:
    from memoracle.proofs.obligations.discharge import Result


@dataclass(frozen=True)
class ProveResult:
    """What came of a run.

    verdict: "proved", "refuted", "unknown", "vacuous" or "nothing": the gravest of the obligations'.  obligations: each
    with its own verdict, claim, scope and counterexample.  trust: what all this rests on.
    """

    verdict: str
    obligations: tuple[Result, ...]
    trust: tuple[str, ...]


def prove(
    components: Iterable[str] = (),
    *,
    contracts: bool = False,
    use_cache: bool = True,
    jobs: int | None = None,
    executor: Executor | None = None,
) -> ProveResult:
    """Discharges the proof obligations of these components, or of all: `memoracle prove`.

    contracts: CrossHair's verdict on the code's contracts, too.  use_cache: whether to keep what was proved before.
    jobs: processes that prove at once; None: as many as there are processors.  executor: what proves instead, which
    needs this package with the extra `prove` where its workers are; `jobs` are then the units that it does at once.
    Raises UnknownComponentError or OptimizedError (both a ValueError), ValueError for `jobs` below 1, ImportError
    without the extra `prove`, InputError where the workers of an executor are unfit, and CompiledError where compiled
    modules run already.
    """
    refuse_no_workers(jobs)
    require_prove("`memoracle.prove`")
    compiled.use_sources()
    from memoracle.proofs import evidence
    from memoracle.proofs.trust import trusted
    from memoracle.proving.spread import settling

    pieces = evidence.pieces([*components], contracts, use_cache)
    settle = settling(jobs, None if executor is None else of_executor(executor, jobs))
    with closing(evidence.results(pieces, settle)) as coming:
        results = dict(coming)
    obligations = tuple(results[place] for place in range(len(pieces)))
    return ProveResult(proof_report.verdict(obligations), obligations, tuple(trusted(contracts)))
