"""Runs code on symbolic values, along every path.

Where code branches on a symbolic truth it is run again for the other way. How a loop is cut at its invariant stands in
`loops.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import z3

from memoracle.proofs.symbolic import z3_terms
from memoracle.proofs.symbolic.context import counting_with, run_by
from memoracle.proofs.symbolic.exits import Exit, Exits
from memoracle.proofs.symbolic.feasibility import Feasibility
from memoracle.proofs.symbolic.hypothesis_pool import HypothesisPool, Reads, Sort
from memoracle.proofs.symbolic.numbers import SymbolicBool, truth
from memoracle.spec.clauses import Truth

PATHS = 500  # the most that are run for one obligation
CHOICES = 40  # the most that are made along one path

Result = TypeVar("Result")


class ExplorationError(Exception):
    """There are too many paths, or too long ones, to run: what is claimed on them is unknown."""


class EndOfRunError(Exception):
    """The rest of the run is covered by another."""


@dataclass(frozen=True)
class Goal:
    """What must hold at a point that the code has reached."""

    says: str
    conditions: tuple[z3.BoolRef, ...]
    holds: z3.BoolRef


BUILT_IN = object()  # what a module has not replaced so far


class Run(HypothesisPool):
    """One path through the code, and what must hold along it."""

    def __init__(
        self, sorts: dict[str, Sort], choices: list[bool], integers: bool = False, reads: Reads | None = None
    ) -> None:
        super().__init__(sorts, integers, reads)
        self.choices = choices
        self.taken: list[bool] = []
        self.others: list[list[bool]] = []  # the choices that lead to paths that branch off here
        self.goals: list[Goal] = []
        self.claimed: dict[str, range] = {}  # where several obligations are proved at once: the goals of each
        self.feasibility = Feasibility(integers)
        self.replaced: list[tuple[object, str, object]] = []
        self.ended = False  # whether it went to the end of the proof's body, and not only to the end of a loop's turn
        self.exits = Exits()
        self.cut: set[Exit] = set()  # the loops that were cut: where each calls its step
        self.turned: set[Exit] = set()  # those that this run turned

    def replace(self, owner: object, name: str, stand_in: object) -> None:
        """Puts something in the place of an attribute of a module or an object until this run ends.

        In a module, it may also be in the place of a built-in function.
        """
        self.replaced.append((owner, name, getattr(owner, name, BUILT_IN)))
        setattr(owner, name, stand_in)

    def undo(self) -> None:
        """Puts back what was replaced."""
        while self.replaced:
            owner, name, before = self.replaced.pop()
            if before is BUILT_IN:
                delattr(owner, name)
            else:
                setattr(owner, name, before)

    def call(self, code: Callable[..., Result], *arguments: object) -> Result:
        """Runs code, as opposed to reading the law."""
        with run_by(self), self.exits.noted():
            return code(*arguments)

    def answers(self, code: Callable[..., object], *arguments: object) -> bool:
        """Runs code that answers with a truth, as no number is one; which, on this path."""

        def answered() -> bool:
            answer = code(*arguments)
            self.assert_truth(answer)
            return bool(answer)

        return self.call(answered)

    def assert_truth(self, answer: object) -> None:
        """Claims that an answer is a truth, as no number is one."""
        if not isinstance(answer, bool | SymbolicBool):
            self.assert_goal("the answer is a truth", False)

    @contextmanager
    def reading_law(self) -> Iterator[None]:
        """Interrupts a run of code to speak of states."""
        with run_by(None), self.exits.unnoted():
            yield

    def decide(self, condition: z3.BoolRef) -> bool:
        """Which way a branch goes on this path."""
        condition = z3_terms.simplified(condition)
        known = z3_terms.constant_truth(condition)
        if known is not None:
            return known
        place = len(self.taken)
        if place >= CHOICES:
            raise ExplorationError(f"more than {CHOICES:,} choices along a path")
        if place < len(self.choices):
            choice = self.choices[place]
        else:
            possible = self.feasibility.possible(self.facts, self.conditions, condition)
            if not possible:
                raise EndOfRunError
            choice = possible[0]
            if len(possible) > 1:
                self.others.append([*self.taken, False])
        self.taken.append(choice)
        self.conditions.append(condition if choice else z3_terms.negation(condition))
        return choice

    def fork(self) -> bool:
        """A choice that nothing decides: one run goes on with True, another with False."""
        place = len(self.taken)
        choice = self.choices[place] if place < len(self.choices) else True
        if place >= len(self.choices):
            self.others.append([*self.taken, False])
        self.taken.append(choice)
        return choice

    def every_way(self, take: Callable[[], Result]) -> list[tuple[list[z3.BoolRef], Result]]:
        """What code comes to on each way through it, and what is known there beyond what was known before.

        A way that another run covers is left out. Afterwards no more is known than before. Raises ExplorationError.
        """
        outside = self.choices, self.taken, self.others
        known = list(self.conditions)
        found: list[tuple[list[z3.BoolRef], Result]] = []
        pending: list[list[bool]] = [[]]
        try:
            while pending:
                if len(found) >= PATHS:
                    raise ExplorationError(f"more than {PATHS:,} ways through a step")
                self.choices, self.taken, self.others, self.conditions = pending.pop(), [], [], list(known)
                try:
                    result = take()
                except EndOfRunError:
                    continue
                finally:
                    pending.extend(self.others)
                learned = self.conditions[len(known) :]
                found.append((learned or [z3.BoolVal(True)], result))
        finally:
            self.choices, self.taken, self.others = outside
            self.conditions = known
        return found

    def assert_and_assume(self, says: str, holds: Truth) -> None:
        """Something that must hold here; what follows may rely on it, for it is proved."""
        goal = truth(holds)
        self.goals.append(Goal(says, tuple(self.conditions), goal))
        if not isinstance(holds, bool):
            self.conditions.append(goal)

    def assert_goal(self, says: str, holds: Truth) -> None:
        """Something that must hold here, on which nothing else relies."""
        self.goals.append(Goal(says, tuple(self.conditions), truth(holds)))


def explore(sorts: dict[str, Sort], body: Callable[[Run], None], integers: bool = False) -> list[Run]:
    """Every path through a body, which sets a state up, runs code on it, and claims what must hold.

    Raises ExplorationError.
    """
    runs: list[Run] = []
    reads: Reads = {}
    pending: list[list[bool]] = [[]]
    while pending:
        if len(runs) >= PATHS:
            raise ExplorationError(f"more than {PATHS:,} paths")
        run = Run(sorts, pending.pop(), integers, reads)
        try:
            with counting_with(integers):
                body(run)
            run.ended = True
        except ExplorationError:
            raise
        except EndOfRunError:
            pass
        except Exception as error:
            run.assert_goal(f"the code does not raise {type(error).__name__}: {error}", False)
        finally:
            run.undo()
        runs.append(run)
        pending.extend(run.others)
    return runs
