"""Claims are tried cheapest first, those that found a fault in the same function before others; verdicts are kept."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from memoracle.proofs.mutation import results
from memoracle.proofs.mutation.footprints import LEAST, Footprint, Order, in_one_line
from memoracle.proofs.mutation.operators.mutants import Mutant, mutants
from memoracle.proofs.mutation.seeding import Verdict
from memoracle.proofs.obligations import solver

CODE = "def f(n):\n    return n + 1\n\ndef g(n):\n    return n - 1\n"
KNOWN = {
    "dear": Footprint("proof", 30.0, {"impl/x.py": [1, 4]}),
    "cheap": Footprint("proof", 0.1, {"impl/x.py": [1]}),
    "run": Footprint("run", 2.0, None),
    "other": Footprint("proof", 0.2, {"impl/x.py": [4]}),
}


def seeded(function: str) -> Mutant:
    return next(each for each in mutants("impl/x.py", ast.parse(CODE), law=False) if each.function == function)


def test_the_cheapest_claim_that_runs_the_fault_comes_first() -> None:
    order = Order(KNOWN, {})
    assert order.claims(seeded("f")) == ["cheap", "run", "dear"]
    assert order.claims(seeded("g")) == ["other", "run", "dear"]


def test_what_found_a_fault_in_the_function_is_tried_before() -> None:
    order = Order(KNOWN, {})
    order.learn(seeded("f"), "dear")
    order.learn(seeded("f"), "run")
    assert order.claims(seeded("f")) == ["run", "dear", "cheap"]
    assert order.claims(seeded("g")) == ["other", "run", "dear"]


def test_what_refuted_this_very_fault_is_tried_first() -> None:
    order = Order(KNOWN, {in_one_line(seeded("f").key): "dear", in_one_line(seeded("g").key): "no such claim"})
    assert order.claims(seeded("f")) == ["dear", "cheap", "run"]
    assert order.claims(seeded("g")) == ["other", "run", "dear"]


def test_a_dear_claim_may_take_longer() -> None:
    assert [KNOWN[name].limit for name in ("cheap", "dear")] == [LEAST, 150]


def test_an_interrupted_run_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "cache_directory", lambda: tmp_path)
    refuted, open_one = Verdict("refuted", "some.claim", "proof"), Verdict("unknown", "no time is left")
    first = {"a": lambda: refuted, "b": lambda: open_one}
    assert dict(results.settle(first, False, 1)) == {"a": refuted, "b": open_one}

    def never() -> Verdict:
        raise AssertionError("it was tried before")

    survived = Verdict("survived", "3 claims")
    assert dict(results.settle({"a": never, "b": never}, False, 1)) == {"a": refuted, "b": open_one}
    assert dict(results.settle({"a": never, "b": lambda: survived}, True, 1)) == {"a": refuted, "b": survived}


def test_a_trial_that_dies_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "cache_directory", lambda: tmp_path)

    def dies() -> Verdict:
        raise SystemExit(3)

    [(_, verdict)] = results.settle({"a": dies}, False, 1)
    assert verdict.outcome == "unknown"


def test_a_verdict_depends_on_the_component_and_what_serves_all() -> None:
    assert results.text_of("pat") != results.text_of("bitmap")
    assert results.text_of("pat") == results.text_of("pat")
