"""A second solver reads the same text, and agrees: bitwuzla, on goals that are proved with bit vectors.

It is asked of every obligation of which it is noted which hypotheses its goals need: from all of them, one by one, the
largest would take it longer than tests may. Of map, unmap and exit it is asked for pages of 1 GiB: the others take it
a minute each.
"""

from __future__ import annotations

import bitwuzla
import pytest

from memoracle.proofs.obligations import unsat_cores
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.obligations.queries import question
from memoracle.proofs.registry import PROOFS
from memoracle.proofs.symbolic.execution import explore

SECONDS = 60_000  # milliseconds, for one goal
EVERY = [each for proofs in PROOFS.values() for each in proofs()]
LARGE = {f"paging.{change}.refines-leaf-{level}" for change in ("map", "unmap", "exit") for level in (1, 2)}
OBLIGATIONS = [each for each in EVERY if not each.integers and each.name in unsat_cores.known() - LARGE]


def answer(text: str) -> str:
    options = bitwuzla.Options()
    options.set(bitwuzla.Option.TIME_LIMIT_PER, SECONDS)
    parser = bitwuzla.Parser(bitwuzla.TermManager(), options)
    parser.parse(text.replace("(check-sat)", ""), True, False)
    return str(parser.bitwuzla().check_sat())


@pytest.mark.parametrize("obligation", OBLIGATIONS, ids=lambda obligation: obligation.name)
def test_agrees(obligation: Obligation) -> None:
    asked = 0
    for run in explore(obligation.sorts, obligation.body, obligation.integers):
        given = run.hypotheses(obligation.rounds)
        for group in unsat_cores.noted(obligation.name, run, len(given)) or []:
            text = question(obligation, run, [given[each] for each in group.hypotheses], group.goals)
            assert answer(text) == "unsat"
            asked += 1
    assert asked


def test_can_disagree() -> None:
    assert answer("(set-logic QF_UFBV)\n(declare-fun x () Bool)\n(assert x)\n(check-sat)\n") == "sat"
