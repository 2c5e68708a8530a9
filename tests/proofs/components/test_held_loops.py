"""Loops of the reference whose `havoc` supposes more than a turn keeps are refuted, by the proofs that cut them."""

from __future__ import annotations

import pytest

from memoracle.proofs.components.runs import run_index
from memoracle.proofs.components.runs.run_index import Telling
from memoracle.proofs.components.runs.symbolic_run_index import SymbolicRunIndex, blocks_know_the_longest
from memoracle.proofs.obligations.discharge import discharge
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec.clauses import Number, Truth

SUPPOSED = "what the loop supposes is so after a turn"


def refuted(proof: Obligation) -> str:
    """What a proof fails by."""
    found = discharge(proof, use_cache=False)
    assert found.verdict == "refuted"
    return " ".join((found.counterexample or "").partition(", where")[0].split())


class EveryBlockIsTold(Telling):
    """The next block, too, knows the longest run."""

    def is_told(self, index: SymbolicRunIndex, level: Number, at: Number, block: Number) -> Truth:
        return blocks_know_the_longest(index, at, block)


class NothingIsNoted(Telling):
    """No block is told at all."""

    def havoc(self, run: Run) -> Number:
        level: Number = super().havoc(run)
        self.index.longest.has = lambda each, block: self.noted(each, block)
        return level


@pytest.mark.parametrize(
    ("loop", "why"), [(EveryBlockIsTold, SUPPOSED), (NothingIsNoted, "a turn leaves self.longest.has")]
)
def test_what_is_told_of_a_run(loop: type[Telling], why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_index, "Telling", loop)
    assert why in refuted(run_index.put_refines)
