"""Loops of the reference whose `havoc` supposes more than a turn keeps are refuted, by the proofs that cut them."""

from __future__ import annotations

import pytest

from memoracle.proofs.components.buddy import listing
from memoracle.proofs.components.buddy.listing import Listing
from memoracle.proofs.components.manager import loops
from memoracle.proofs.components.manager.loops import ExtendLoop
from memoracle.proofs.components.paging import exit as paging_exit
from memoracle.proofs.components.paging.exit import UnmappingLoop
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


class AnotherMachine(UnmappingLoop):
    """The state is any that satisfies the invariants, and not the one that `unmap` left."""

    def witnesses(self, result: object) -> list[object]:
        return [self.now.anew(), *super().witnesses(result)[1:]]


def test_what_is_made_is_witnessed_by_what_was_made_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging_exit, "UnmappingLoop", AnotherMachine)
    assert "no witness that was made as its havoc makes it" in refuted(paging_exit.exit_refines[2])


class EveryPageComes(ExtendLoop):
    """No page is refused."""

    def havoc(self, run: Run) -> Truth:
        came = super().havoc(run)
        run.suppose(came)
        return came


def test_which_pages_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "ExtendLoop", EveryPageComes)
    assert SUPPOSED in refuted(loops.allocate_pages_refines)


class ThereIsNoHole(Listing):
    """Wherever a block may begin, a page exists."""

    def havoc(self, run: Run) -> Number:
        page = super().havoc(run)
        run.suppose(self.state.is_page(page))
        return page


def test_where_the_next_block_may_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "Listing", ThereIsNoHole)
    assert SUPPOSED in refuted(listing.blocks_refines)
