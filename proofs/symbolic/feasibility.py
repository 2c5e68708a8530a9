"""Rules out ways that a path cannot take.

Of each branch one way can be taken by a case in which all that is known holds, if such a case was found before and what
has become known since holds in it, too. So the solver is asked of the other way alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import z3

from memoracle.proofs.symbolic import z3_terms

FEASIBLE = 200_000  # the solver's budget to find that a path cannot be taken; a path that it doesn't rule out is run


class Feasibility:
    """What is known along a path, and a case in which it holds, if one was found.

    asserted: the facts that the solver was given.  holding: what is known to hold in the case. Each by its number.
    """

    def __init__(self, integers: bool) -> None:
        self.integers = integers
        self.told = 0  # how many facts were looked at
        self.asserted: dict[int, z3.BoolRef] = {}
        self.case: z3.ModelRef | None = None
        self.holding: dict[int, z3.BoolRef] = {}

    @cached_property
    def solver(self) -> z3.Solver:
        solver = z3.SolverFor("QF_UFLIA" if self.integers else "QF_UFBV")
        solver.set("rlimit", FEASIBLE)
        return solver

    def possible(self, facts: Sequence[z3.BoolRef], known: Sequence[z3.BoolRef], condition: z3.BoolRef) -> list[bool]:
        """Which truths a condition may have where all that is known holds; the case is then one of the first of them.

        facts: those of the path; others are added to them.  known: what else is known where the condition is asked.
        """
        for fact in facts[self.told :]:
            if self.asserted.setdefault(z3_terms.identity(fact), fact) is fact:
                z3_terms.add(self.solver, [fact])
                if not self._holds(fact):
                    self.case = None
        self.told = len(facts)
        if not all(map(self._holds, known)):
            self.case = None
        found: list[bool] = []
        for way, holds in ((True, condition), (False, z3_terms.negation(condition))):
            if self._holds(holds) or self._can_be([*known, holds], not found):
                found.append(way)
        return found

    def _holds(self, truth: z3.BoolRef) -> bool:
        """Whether something holds in the case that there is."""
        place = z3_terms.identity(truth)
        if place not in self.holding and self.case is not None and z3_terms.holds_in(self.case, truth):
            self.holding[place] = truth
        return self.case is not None and place in self.holding

    def _can_be(self, known: Sequence[z3.BoolRef], kept: bool) -> bool:
        """Whether this may hold, for all that the solver finds; kept: whether a case in which it does is of use."""
        answer = z3_terms.check(self.solver, known)
        if kept:
            self.case = self.solver.model() if answer == z3.Z3_L_TRUE else None
            self.holding = {z3_terms.identity(each): each for each in known}
        return bool(answer != z3.Z3_L_FALSE)
