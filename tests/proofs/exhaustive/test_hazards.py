"""The known hazards are found, each in few steps, and the law without a flaw has none of them."""

from __future__ import annotations

import pytest

from memoracle.proofs.exhaustive import finite_states, hazards, law_search

EXPECTED = {
    "kernel_half.hazard.one-master-table": (2, "kernel_half.equal-at-rest"),
    "kernel_half.hazard.linked-before-filled": (4, "kernel_half.equal-at-rest"),
    "kernel_half.hazard.count-not-decreased": (4, "kernel_half.end-update must wait"),
    "kernel_half.hazard.lock-taken-again": (1, "kernel_half.begin-update must wait"),
    "bitmap.hazard.frame-that-never-existed": (1, "bitmap.hands-out-only-memory"),
    "bitmap.hazard.frame-in-use": (2, "bitmap.hands-out-once"),
    "heap.hazard.no-reserve": (1, "heap.get-pages must wait"),
    "manager.hazard.freed-while-mapped": (3, "manager_hazards.hands-out-no-mapped-frame"),
    "manager.hazard.mapped-while-free": (1, "manager_hazards.hands-out-no-mapped-frame"),
}


def test_each_hazard_is_expected() -> None:
    assert {hazard.name for hazard in hazards.HAZARDS} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_hazard_is_found_in_few_steps(name: str) -> None:
    steps, says = EXPECTED[name]
    told = hazards.interleaving(name)
    assert told is not None
    numbered = [line for line in told.splitlines() if line[0].isdigit()]
    assert [int(line.split(".")[0]) for line in numbered] == list(range(1, steps + 1))
    assert says in told


def test_a_spurious_free_makes_the_next_allocation_hand_the_frame_out() -> None:
    told = hazards.interleaving("bitmap.hazard.frame-that-never-existed")
    assert told is not None
    assert "Next, frame.allocate (frame 2)" in told


@pytest.mark.parametrize("name", hazards.SOUND)
def test_without_its_flaw_the_same_search_finds_nothing(name: str) -> None:
    variant = hazards.SOUND[name]()
    assert law_search.search(variant) is None
    states = [found.state for found in law_search.reached(variant)]
    for operation in variant.operations:
        assert any(finite_states.choices(operation, state, {}, variant.domain) for state in states), operation.name


@pytest.mark.parametrize("component", ["bitmap", "heap", "kernel_half", "manager"])
def test_they_are_expected_refutations(component: str) -> None:
    computations = hazards.computations(component)
    assert computations
    for computation in computations:
        assert computation.kind == "expected-refutation"
        assert computation.run() is None


def test_a_hazard_that_does_no_harm_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    harmless = hazards.Hazard("kernel_half.hazard.none", "kernel_half", "all is well", "", hazards.kernel_variant)
    monkeypatch.setattr(hazards, "HAZARDS", (harmless,))
    [computation] = hazards.computations("kernel_half")
    assert computation.run() == "no interleaving was found in which this fails"
