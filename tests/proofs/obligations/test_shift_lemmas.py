"""Shifts as unknown functions: what can be shown so, and that nothing that is not so of shifts can."""

from __future__ import annotations

from itertools import product

import pytest
import z3

from memoracle.proofs import registry
from memoracle.proofs.obligations import discharge, shift_lemmas, unsat_cores
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.obligations.solver import Answer, Way, ask, text_of
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.numbers import WIDTH

X, Y, T, U = z3.BitVecs("x y t u", WIDTH)


def answer(*assertions: z3.BoolRef) -> Answer:
    text = text_of(list(assertions), integers=False)
    return ask(text, use_cache=False, rlimit=20_000_000, way=Way.SHIFTS_UNKNOWN)


@pytest.mark.parametrize(
    "claim",
    [
        z3.Implies(z3.And(T >= 0, U == T + 1, X >> T == Y >> T), X >> U == Y >> U),
        z3.Implies(z3.And(T >= 0, T < U, U <= 63, X >> T == (Y >> T) ^ 1), X >> U == Y >> U),
        z3.Implies(z3.And(T >= 0, T <= 63, X >= 0), (X ^ (X & (1 << T) - 1)) >> T == X >> T),
    ],
)
def test_what_follows_from_the_laws_is_shown(claim: z3.BoolRef) -> None:
    assert answer(z3.Not(claim)).verdict == "unsat"


@pytest.mark.parametrize(
    "claim",
    [X >> T == Y >> T, X >> T <= X, z3.Implies(X >> U == Y >> U, X >> T == Y >> T), X << T == Y, (1 << T) > 0],
)
def test_what_is_not_so_of_shifts_is_never_shown(claim: z3.BoolRef) -> None:
    """Nor is it refuted, for it was asked of other functions than shifts."""
    assert answer(z3.Not(claim)).verdict == "unknown"


def test_laws_hold_of_numbers() -> None:
    """Each law that is given with some assertions, of many numbers: with shifts in the place of unknown functions."""
    some = [(X >> T) + (Y >> T) + (X >> U) + (Y >> U) == (1 << T) + (1 << U)]
    laws = shift_lemmas.abstracted(some)[len(some) :]
    sort = X.sort()
    right, power = z3.Function(f"right{WIDTH}@", sort, sort, sort), z3.Function("power@", sort, sort)
    first, second = z3.Var(0, sort), z3.Var(1, sort)
    shifts = (right, first >> second), (power, z3.BitVecVal(1, WIDTH) << first)
    law = z3.substitute_funs(z3.And(*laws), *shifts)
    for x, y, t, u in product((0, 5, 1 << 64, -3), (4, -3), (0, 1, 63, 71, -1), (0, 2, 64, 72)):
        values = [(each, z3.BitVecVal(value, WIDTH)) for each, value in zip((X, Y, T, U), (x, y, t, u), strict=True)]
        assert z3.is_true(z3.simplify(z3.substitute(law, *values))), (x, y, t, u)


@pytest.mark.parametrize("name", [shift_lemmas.SHOWN_BY, "paging.link.refines"])
def test_the_laws_are_used_only_where_they_are_shown(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Not by the claim that shifts obey them, nor in a component that is proved without it, whatever is noted."""
    (claim,) = [each for each in registry.obligations([name.partition(".")[0]]) if each.name == name]
    assert isinstance(claim, Obligation)
    asked: list[Way] = []

    def solve(text: str, use_cache: bool, rlimit: int, way: Way, *more: object) -> Answer:
        asked.append(way)
        return Answer("unsat", 0, 0, False, {})

    def forged(_: str, run: Run, __: int) -> list[unsat_cores.Group]:
        return [unsat_cores.Group([goal], [], Way.SHIFTS_UNKNOWN) for goal in range(len(run.goals))]

    monkeypatch.setattr(discharge.unsat_cores, "noted", forged)
    monkeypatch.setattr(discharge.reach, "missed", lambda *_: None)
    monkeypatch.setattr(discharge.solver, "ask", solve)
    discharge.discharge(claim, use_cache=False)
    assert asked
    assert Way.SHIFTS_UNKNOWN not in asked
