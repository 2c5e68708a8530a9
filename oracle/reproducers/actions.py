"""What a test does, step by step: the same in every language, which only has to write it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from memoracle.reproducers.due import HOLDS, REFUSES, SUCCEEDS
from memoracle.reproducers.failing_run import ReproducerError
from memoracle.reproducers.program import Program, Start, Step, names_in
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
    """name: of the variable that has the value, if it is used.  errno: of the one that has this after the call.

    panicked: of the one that is 1 if the call ended in a panic.
    """

    name: str | None
    value: ast.expr
    errno: str | None = None
    panicked: str | None = None


class If(NamedTuple):
    """what: comes of the test if so."""

    test: ast.expr
    what: str
    words: str


Action: TypeAlias = Remark | Room | Let | If


def actions(program: Program) -> Iterator[Action]:
    """Everything that a test does once the library has its memory."""
    made_at_once = [*program.start, *(each for each in program.steps if isinstance(each, Start))]
    starts = [tree for each in made_at_once for tree in (each.call, each.fails) if tree is not None]
    trees = [*program.conditions, *program.given, *starts]
    trees += [tree for step in program.calls for tree in (step.call, step.fails, step.result) if tree is not None]
    used = names_in(trees)
    for start in program.start:
        yield from _started(start, used, program)
    last = program.calls[-1]
    for step in program.steps[:-1]:
        if isinstance(step, Start):
            yield from _started(step, used, program)
            continue
        yield from made(step, used)
        if step.fails is not None:
            test = _not(step.fails) if step.refused else step.fails
            words = f"call {step.number} was {'not ' if step.refused else ''}refused here"
            yield If(test, OTHER_COURSE, words)
        if step.result is not None and step.gives in used and not step.refused:
            yield Let(step.gives, step.result)
    for given in program.given:
        yield If(_not(given), OTHER_COURSE, "the calls gave other addresses here")
    yield from made(last, used)
    yield from _judged(program, last)


def _started(start: Start, used: set[str], program: Program) -> Iterator[Action]:
    is_used = start.name in used or start.name in program.declared.variables
    yield Let(start.name if is_used else None, start.call)
    if start.fails is not None:
        yield If(start.fails, OTHER_COURSE, "it does not start")


def made(step: Step, used: set[str]) -> Iterator[Action]:
    yield Remark(f"{step.number}: {step.said}")
    if step.out is not None:
        yield Room(*step.out)
    yield Let(step.value if step.value in used else None, step.call, step.errno, step.panicked)


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
