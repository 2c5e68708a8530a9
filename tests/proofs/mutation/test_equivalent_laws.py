"""The solver says of a fault in the law whether it changes nothing."""

from __future__ import annotations

from functools import partial

from memoracle.proofs.mutation.equivalent_laws import changes_nothing
from memoracle.proofs.mutation.seeding import Verdict, faults
from memoracle.proofs.obligations.process_pool import Failure, run_each

GUARD = "guard=[type_exists, index_is_allowed, index_has_the_type]"


def verdict(component: str, function: str, mutated: str) -> Verdict:
    [mutant] = [e for e in faults(component) if (e.function, e.mutated) == (function, mutated) and "spec" in e.module]
    [(_, found)] = run_each([partial(changes_nothing, mutant, component, ())])
    assert not isinstance(found, Failure), found
    return found


def test_a_clause_that_follows_from_the_others_is_not_missed() -> None:
    assert verdict("pat", "select", "guard=[index_is_allowed, index_has_the_type]").outcome == "proved"


def test_a_clause_that_is_missed() -> None:
    found = verdict("pat", "select", "guard=[type_exists, index_is_allowed]")
    assert found.outcome == "refuted"
    assert found.by.startswith("select.allows-no-more")


def test_an_effect_that_is_another() -> None:
    found = verdict("kernel_half", "end_update", "updating=s.updating")
    assert found.outcome == "refuted"
