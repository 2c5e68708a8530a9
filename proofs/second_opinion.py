"""Asks a second solver, bitwuzla, every goal with bit vectors that Z3 is asked: it reads the same text and must agree.

`make second-opinion` (`python -m memoracle.proofs.second_opinion [COMPONENT or OBLIGATION ...]`) ends with 0 if it
agrees on every goal, with 1 if it disagrees on one, and with 3 if it gave up on one and disagrees on none.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

import bitwuzla

from memoracle.proofs.obligations import unsat_cores
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.obligations.process_pool import Failure, run_each
from memoracle.proofs.obligations.queries import question
from memoracle.proofs.registry import PROOFS
from memoracle.proofs.symbolic.execution import explore

MILLISECONDS = 300_000  # for one group of goals


def answer(text: str, milliseconds: int = MILLISECONDS) -> str:
    """What bitwuzla says of a text: `sat`, `unsat` or `unknown`."""
    options = bitwuzla.Options()
    options.set(bitwuzla.Option.TIME_LIMIT_PER, milliseconds)
    parser = bitwuzla.Parser(bitwuzla.TermManager(), options)
    parser.parse(text.replace("(check-sat)", ""), True, False)
    return str(parser.bitwuzla().check_sat())


def obligations(wanted: Sequence[str]) -> list[Obligation]:
    """The obligations whose goals have bit vectors: of these components, or of these names, or all."""
    every = [
        each for proofs in PROOFS.values() for each in proofs() if isinstance(each, Obligation) and not each.integers
    ]
    return [each for each in every if not wanted or {each.name, each.component} & set(wanted)]


def opinions(obligation: Obligation) -> Counter[str]:
    """How often each answer was given. Where notes say which hypotheses suffice, the solver is given those."""
    return Counter(answer(text) for text in texts(obligation))


def texts(obligation: Obligation) -> Iterator[str]:
    """The text that the solver is asked, for each path with goals."""
    for run in explore(obligation.sorts, obligation.body, obligation.integers):
        if not run.goals:
            continue
        given = run.hypotheses(obligation.rounds)
        groups = unsat_cores.noted(obligation.name, run, len(given))
        if groups is None:
            yield question(obligation, run, given)
            continue
        for group in groups:
            yield question(obligation, run, [given[each] for each in group.hypotheses], group.goals)


def main(wanted: Sequence[str]) -> int:
    """Prints every answer other than `unsat`, and how many questions there were; returns the exit status."""
    asked = obligations(wanted)
    total: Counter[str] = Counter()
    for place, found in run_each([partial(opinions, each) for each in asked]):
        counted = Counter({"unknown": 1}) if isinstance(found, Failure) else found
        total += counted
        for said in counted.keys() - {"unsat"}:
            sys.stdout.write(f"{said}: {asked[place].name}\n")
    sys.stdout.write(f"{total['unsat']} agree, {total['sat']} disagree, {total['unknown']} unknown\n")
    return 1 if total["sat"] else 3 if total["unknown"] or not total else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
