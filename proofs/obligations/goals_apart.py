"""Asks the solver about goals one after another, so that none has to carry the others.

What is asked is hypotheses, for each goal a definition of the flag that says that it fails (`queries.question`), and
that some flag is set. Each goal is asked with hypotheses alone, all of them or those that it is known to need. What was
shown so, that no flag can be set, is put to the last question, whose answer is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import z3

from memoracle.proofs.obligations.instantiation import Found, count

FLAG = "fails#"
Needs = tuple[tuple[int, ...], ...]  # for each goal, the places of the hypotheses that it needs


def ask(make: Callable[[], z3.Solver], assertions: Sequence[z3.BoolRef], rlimit: int, needs: Needs | None) -> Found:
    """Whether all these can hold, by solvers that are made for it, and so much of their resources."""
    every = list(range(len(assertions)))
    *others, some = assertions  # which speaks of flags alone
    flags = [_flag(each) for each in others]
    defined = [(flag, each) for flag, each in zip(flags, others, strict=True) if flag is not None]
    hypotheses = [each for flag, each in zip(flags, others, strict=True) if flag is None]
    solver, last, spent = make(), make(), 0
    if needs is None:
        solver.add(*hypotheses)
    for place, (flag, definition) in enumerate(defined):
        before = count(solver)
        solver.push()
        solver.add(definition, flag, *(hypotheses[each] for each in (needs[place] if needs is not None else ())))
        solver.set(rlimit=max(1, rlimit - spent))
        verdict = str(solver.check())
        spent += count(solver) - before
        if verdict != "unsat":
            return Found(verdict, every, solver.model() if verdict == "sat" else None, spent)
        solver.pop()
        last.add(z3.Not(flag))
    last.add(some)
    return Found("unsat" if last.check() == z3.unsat else "unknown", every, None, spent)


def _flag(assertion: z3.BoolRef) -> z3.BoolRef | None:
    """The flag that this defines, if it defines one."""
    if not z3.is_eq(assertion):
        return None
    flags = [each for each in assertion.children() if z3.is_const(each) and each.decl().name().startswith(FLAG)]
    return flags[0] if flags else None
