"""The counts, held to the numbers that the literature gives, and the reference to depth 4."""

from __future__ import annotations

import pytest

from memoracle.impl.buddy import Buddy
from memoracle.proofs.counting import counts, formulas
from memoracle.proofs.counting.buddy_census import Codes, Forgetful, census
from memoracle.spec.clauses import clause


def test_the_formulas_give_the_published_numbers() -> None:
    assert [formulas.states(depth) for depth in range(6)] == [2, 5, 26, 677, 458330, 210066388901]  # OEIS A003095
    assert [formulas.transitions(depth) for depth in range(5)] == [2, 9, 82, 3743, 4491852]
    assert [formulas.states_full(depth) for depth in range(4)] == [1, 2, 5, 26]
    assert [formulas.states_uncoalesced(depth) for depth in range(4)] == [2, 6, 38, 1446]
    assert formulas.transitions_allowed(1) == 10
    assert [formulas.bitmap_states(3), formulas.bitmap_edges(3)] == [8, 12]
    assert [formulas.synchronised(3, 2, 2), formulas.unsynchronised(3, 2, 2)] == [4, 64]


@pytest.mark.parametrize("component", ["buddy", "bitmap", "kernel_half"])
def test_every_way_of_counting_agrees(component: str) -> None:
    computations = counts.computations(component)
    assert computations
    for computation in computations:
        assert computation.run() is None, computation.name


@pytest.mark.long
def test_all_half_million_states_of_sixteen_pages() -> None:
    counted = census(4)
    assert (counted.states, counted.transitions) == (458330, 4491852)
    assert counted.free_pages == formulas.free_pages(4)
    assert counted.returned  # free after allocate, and reserve after free, restored each state exactly


def test_forgetting_to_coalesce_makes_more_states() -> None:
    assert [census(depth, Forgetful).states for depth in range(4)] == [2, 6, 38, 1446]
    assert not census(1, Forgetful).returned


def test_a_state_is_its_code() -> None:
    codes = Codes(Buddy, 3)
    buddy = codes.buddy(codes.whole)
    assert buddy.blocks() == Buddy(3).blocks()
    buddy.allocate(1)
    buddy.reserve(4, 2)
    again = codes.buddy(codes.code(buddy))
    assert again.blocks() == buddy.blocks()
    assert codes.code(again) == codes.code(buddy)


@clause("no page is allocated")
def nothing_is_allocated(s: counts.blocks_law.Blocks, page: int, order: int) -> bool:
    return not s.is_allocated(order, page >> order)


def test_models_are_those_of_the_clauses(monkeypatch: pytest.MonkeyPatch) -> None:
    law = counts.blocks_law
    uncoalesced = tuple(c for c in law.INVARIANTS if c is not law.no_two_buddies_are_free)
    with monkeypatch.context() as patch:
        patch.setattr(law, "INVARIANTS", uncoalesced)
        counts.buddy_models.cache_clear()
        assert [counts.buddy_models(depth) for depth in range(3)] == [2, 6, 38]
        patch.setattr(law, "INVARIANTS", (*law.INVARIANTS, nothing_is_allocated))
        counts.buddy_models.cache_clear()
        assert [counts.buddy_models(depth) for depth in range(3)] == [1, 2, 5]
    counts.buddy_models.cache_clear()


def test_a_wrong_count_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "census", lambda depth: census(depth, Forgetful))
    counts.counted.cache_clear()
    [states] = [each for each in counts.computations("buddy") if each.name == "buddy.count.states"]
    wrong = states.run()
    counts.counted.cache_clear()
    assert wrong is not None
    assert "depth 1: 6 by runs of the reference, and 5 is due" in wrong
