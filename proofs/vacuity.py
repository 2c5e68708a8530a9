"""That the proofs are about something: every invariant is needed."""

from __future__ import annotations

from collections.abc import Iterator

from memoracle.proofs import laws, solver
from memoracle.proofs.obligations import Computation
from memoracle.proofs.paths import explore
from memoracle.proofs.questions import question
from memoracle.spec.clauses import Clause


def load_bearing(law: laws.Law) -> Iterator[Computation]:
    """For each invariant, that some operation breaks it once it is not taken as given before."""
    for clause in law.invariants:
        yield _needed(law, clause)


def _needed(law: laws.Law, clause: Clause) -> Computation:
    def run() -> str | None:
        for operation in law.operations:
            obligation = laws.preserved(law, operation, clause, dropped=clause.name)
            for path in explore(obligation.sorts, obligation.body, obligation.integers):
                if solver.ask(question(obligation, path)).verdict == "sat":
                    return None
        return "every operation keeps it, whether or not it held before"

    name = f"{law.component}.{laws.short(clause)}.is-needed"
    claim = f"unless it is taken as given, some operation breaks that {clause.says}"
    return Computation(name, law.component, "vacuity", claim, run, "unbounded")
