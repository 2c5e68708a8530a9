"""Shifts as unknown functions: what can be shown so, and that nothing that is not so of shifts can."""

from __future__ import annotations

import inspect
from itertools import product

import pytest
import z3

from memoracle.proofs import registry
from memoracle.proofs.obligations import discharge, shift_lemmas, unsat_cores
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.obligations.solver import SHIFTS_UNKNOWN, Answer, Way, ask, text_of
from memoracle.proofs.symbolic.execution import Run, explore
from memoracle.proofs.symbolic.numbers import WIDTH, WIDTHS

X, Y, T, U = z3.BitVecs("x y t u", WIDTH)


def wide(number: z3.BitVecRef) -> z3.BitVecRef:
    return z3.SignExt(WIDTHS[1] - WIDTH, number)


def answer(*assertions: z3.BoolRef, way: Way = Way.SHIFTS_UNKNOWN) -> Answer:
    text = text_of(list(assertions), integers=False)
    return ask(text, use_cache=False, rlimit=20_000_000, way=way)


@pytest.mark.parametrize("way", SHIFTS_UNKNOWN)
@pytest.mark.parametrize(
    "claim",
    [
        z3.Implies(z3.And(T >= 0, T < 63, U == T + 1, X >> T == Y >> T), X >> U == Y >> U),
        z3.Implies(z3.And(T >= 0, T < U, U <= 63, X >> T == (Y >> T) ^ 1), X >> U == Y >> U),
        z3.Implies(z3.And(T >= 0, T <= 63, X >= 0), (X ^ (X & (1 << T) - 1)) >> T == X >> T),
        z3.Implies(z3.And(T >= 0, T < U, U <= 63, X <= (1 << U) - 1 >> T, X >= 0), X ^ 1 <= (1 << U) - 1 >> T),
        z3.Implies(z3.And(T >= 0, T <= 63, X >= 0, X <= Y >> T), z3.And((X << T) >> T == X, X << T <= Y)),
        z3.Implies(z3.And(T >= 0, T <= 63, X >= 0, X <= Y >> T), wide(X) << wide(T) <= wide(Y)),
        z3.Implies(z3.And(T >= 0, T <= 63, X <= Y), wide(X) >> wide(T) <= wide(Y >> T)),
    ],
)
def test_what_follows_from_the_laws_is_shown(claim: z3.BoolRef, way: Way) -> None:
    assert answer(z3.Not(claim), way=way).verdict == "unsat"


@pytest.mark.parametrize("way", SHIFTS_UNKNOWN)
@pytest.mark.parametrize(
    "claim",
    [
        X >> T == Y >> T,
        X >> T <= X,
        z3.Implies(X >> U == Y >> U, X >> T == Y >> T),
        X << T == Y,
        (1 << T) > 0,
        z3.Implies(X <= Y >> T, X << T <= Y),
        wide(X) << wide(T) == wide(X << T),
    ],
)
def test_what_is_not_so_of_shifts_is_never_shown(claim: z3.BoolRef, way: Way) -> None:
    """Nor is it refuted, for it was asked of other functions than shifts."""
    assert answer(z3.Not(claim), way=way).verdict == "unknown"


def test_each_law_is_claimed_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whatever is given with assertions, each component that may take it as given shows that shifts are so."""
    laws = [name for name, law in vars(shift_lemmas).items() if first_parameter(law) in {"right", "left", "power"}]
    claimed: set[str] = set()
    for name in laws:
        law = getattr(shift_lemmas, name)
        monkeypatch.setattr(shift_lemmas, name, lambda *of, name=name, law=law: claimed.add(name) or law(*of))
    for component in shift_lemmas.SHOWN_IN:
        claimed.clear()
        for each in registry.obligations([component]):
            if isinstance(each, Obligation) and each.name.startswith(f"{component}.{shift_lemmas.SHOW}."):
                (run,) = explore(each.sorts, each.body, each.integers)
                assert run.goals
                assert not shift_lemmas.may_be_used(each.name)
        assert claimed == set(laws)


def first_parameter(function: object) -> str | None:
    """The name of a function's first parameter; None if it has none, or is no function."""
    return next(iter(inspect.signature(function).parameters), None) if inspect.isfunction(function) else None


def test_laws_hold_of_numbers() -> None:
    """Each law that is given with some assertions, of many numbers: with shifts in the place of unknown functions."""
    usual = (X >> T) + (Y >> T) + (X >> U) + (Y >> U) == (1 << T) + (1 << U) + (X << T) + ((1 << U) - 1 >> T)
    some = [usual, (wide(X) << wide(T)) + (wide(X + Y) >> wide(T)) == 0]
    laws = shift_lemmas.abstracted(some)[len(some) :]
    law = z3.substitute_funs(z3.And(*laws), *map(meaning, {each.name(): each for each in functions(laws)}.values()))
    for x, y, t, u in product((0, 5, 1 << 64, -3), (4, -3), (0, 1, 63, 71, -1), (0, 2, 64, 72)):
        values = [(each, z3.BitVecVal(value, WIDTH)) for each, value in zip((X, Y, T, U), (x, y, t, u), strict=True)]
        assert z3.is_true(z3.simplify(z3.substitute(law, *values))), (x, y, t, u)


def functions(terms: list[z3.BoolRef]) -> list[z3.FuncDeclRef]:
    """The unknown functions in some terms."""
    found, todo = [], list[z3.ExprRef](terms)
    while todo:
        term = todo.pop()
        todo += term.children()
        if term.decl().name().endswith("@"):
            found.append(term.decl())
    return found


def meaning(unknown: z3.FuncDeclRef) -> tuple[z3.FuncDeclRef, z3.ExprRef]:
    """The shift that an unknown function stands for, of its first and second argument."""
    sort = unknown.range()
    first, second = z3.Var(0, sort), z3.Var(1, sort)
    if unknown.name() == "power@":
        return unknown, z3.BitVecVal(1, sort.size()) << first
    return unknown, first >> second if unknown.name().startswith("right") else first << second


@pytest.mark.parametrize("way", SHIFTS_UNKNOWN)
@pytest.mark.parametrize("name", ["boot.shifts.obey-laws", "buddy.shifts.stay-the-same", "paging.link.refines"])
def test_the_laws_are_used_only_where_they_are_shown(monkeypatch: pytest.MonkeyPatch, name: str, way: Way) -> None:
    """Not by the claims that shifts obey them, nor in a component that is proved without it, whatever is noted."""
    (claim,) = [each for each in registry.obligations([name.partition(".")[0]]) if each.name == name]
    assert isinstance(claim, Obligation)
    asked: list[Way] = []

    def solve(text: str, use_cache: bool, rlimit: int, way: Way, *more: object) -> Answer:
        asked.append(way)
        return Answer("unsat", 0, 0, False, {})

    def forged(_: str, run: Run, __: int) -> list[unsat_cores.Group]:
        return [unsat_cores.Group([goal], [], way) for goal in range(len(run.goals))]

    monkeypatch.setattr(discharge.unsat_cores, "noted", forged)
    monkeypatch.setattr(discharge.reach, "missed", lambda *_: None)
    monkeypatch.setattr(discharge.solver, "ask", solve)
    discharge.discharge(claim, use_cache=False)
    assert asked
    assert not set(SHIFTS_UNKNOWN) & set(asked)
