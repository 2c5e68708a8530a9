"""That the proofs are about something: every invariant is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from memoracle.proofs.obligations import law_obligations, solver
from memoracle.proofs.obligations.obligation import Computation, Obligation
from memoracle.proofs.obligations.queries import question
from memoracle.proofs.symbolic.execution import explore
from memoracle.spec.clauses import Clause


def load_bearing(law: law_obligations.Law[Any]) -> Iterator[Computation]:
    """For each invariant, that some operation breaks it once it is not taken as given before."""
    for clause in law.invariants:
        yield _needed(law, clause)


def _needed(law: law_obligations.Law[Any], clause: Clause) -> Computation:
    def run() -> str | None:
        for operation in law.operations:
            if can_fail(law_obligations.preserved(law, operation, clause, dropped=clause.name)):
                return None
        return "every operation keeps it, whether or not it held before"

    name = f"{law.component}.{law_obligations.short(clause)}.is-needed"
    claim = f"unless it is taken as given, some operation breaks that {clause.says}"
    return Computation(name, law.component, "vacuity", claim, run, "unbounded")


def can_fail(obligation: Obligation) -> bool:
    """Whether some goal of an obligation does not follow."""
    paths = explore(obligation.sorts, obligation.body, obligation.integers)
    return any(solver.ask(question(obligation, path), way=solver.Way.BY_AND_BY).verdict == "sat" for path in paths)
