"""What a test does, step by step: the same in every language, which only has to write it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from memoracle.reproducers.due import HOLDS, REFUSES, SUCCEEDS
from memoracle.reproducers.failing_run import ReproducerError
from memoracle.reproducers.program import Program, Step, names_in
from memoracle.reproducers.signatures import CType

# What comes of a test: the target is at fault; this run took another course than the one that failed; it is right.
FAILS, OTHER_COURSE, PASSES = "fails", "other course", "passes"


class Remark(NamedTuple):
    text: str


class Room(NamedTuple):
    """A variable in which a function stores something."""

    name: str
    kind: CType


class Let(NamedTuple):
    """name: of the variable that has the value, if it is used.  errno: of the one that has this after the call."""

    name: str | None
    value: ast.expr
    errno: str | None = None


class If(NamedTuple):
    """what: comes of the test if so."""

    test: ast.expr
    what: str
    words: str


Action: TypeAlias = Remark | Room | Let | If


def actions(program: Program) -> Iterator[Action]:
    """Everything that a test does once the library has its memory."""
    starts = [tree for each in program.start for tree in (each.call, each.fails) if tree is not None]
    trees = [*program.conditions, *program.given, *starts]
    trees += [tree for step in program.steps for tree in (step.call, step.fails, step.result) if tree is not None]
    used = names_in(trees)
    for start in program.start:
        is_used = start.name in used or start.name in program.declared.variables
        yield Let(start.name if is_used else None, start.call)
        if start.fails is not None:
            yield If(start.fails, OTHER_COURSE, "it does not start")
    *before, last = program.steps
    for step in before:
        yield from made(step, used)
        if step.fails is not None:
            test = _not(step.fails) if step.refused else step.fails
            words = f"call {step.place + 1} was {'not ' if step.refused else ''}refused here"
            yield If(test, OTHER_COURSE, words)
        if step.result is not None and step.gives in used and not step.refused:
            yield Let(step.gives, step.result)
    for given in program.given:
        yield If(_not(given), OTHER_COURSE, "the calls gave other addresses here")
    yield from made(last, used)
    yield from _judged(program, last)


def made(step: Step, used: set[str]) -> Iterator[Action]:
    yield Remark(f"{step.place + 1}: {step.said}")
    if step.out is not None:
        yield Room(*step.out)
    yield Let(step.value if step.value in used else None, step.call, step.errno)


def _judged(program: Program, last: Step) -> Iterator[Action]:
    due = program.due
    if due.kind in (SUCCEEDS, REFUSES):
        if last.fails is None:
            raise ReproducerError(f"the binding does not say when `{last.said.partition(' ')[0]}` fails")
        is_wrong = last.fails if due.kind == SUCCEEDS else _not(last.fails)
        yield If(is_wrong, FAILS, due.must)
    if due.kind == HOLDS:
        if last.fails is not None:
            yield If(last.fails, PASSES if due.may_refuse else FAILS, due.must)
        if last.result is None:
            raise ReproducerError(f"the binding does not say what `{last.said.partition(' ')[0]}` answers")
        yield Let(last.gives, last.result)
        for condition in program.conditions:
            yield If(_not(condition), FAILS, due.must)


def _not(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)
