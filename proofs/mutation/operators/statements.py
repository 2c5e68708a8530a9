"""Faults in what a function does: a step left out, in the wrong place or not repeated, an end that comes too early."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence, Set

from memoracle.proofs.mutation.operators.change import Change, Function, applied, head, with_parts, without_docstring
from memoracle.proofs.mutation.operators.expressions import ARITHMETIC, OPERATIONS, other_constants
from memoracle.proofs.mutation.operators.independence import commute

DELETED = "statement deleted"
ANSWER = "answer changed"
LOOP = "while and if exchanged"
BOUND = "loop bound moved by one"
SWAPPED = "neighbouring statements swapped"
EARLY = "return before the last effects"
ROLL_BACK = "roll-back dropped or half done"
DEFAULT = "default changed"
ORDERINGS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
ENDS = (ast.Return, ast.Break, ast.Continue, ast.Raise)
FIXED = (Function, ast.Assert)  # stay where they are


def deletions(statement: ast.stmt, known: Set[str]) -> Iterator[Change]:
    """To leave a simple statement out. known: the names that have a value before it: without it, they still do."""
    names = statement.targets if isinstance(statement, ast.Assign) else []
    new = [each for name in names for each in ast.walk(name) if isinstance(each, ast.Name) and _is_set(each)]
    if isinstance(statement, ast.Expr | ast.AugAssign | ast.AnnAssign | ast.Delete | ast.Break) or (
        isinstance(statement, ast.Assign) and all(name.id in known for name in new)
    ):
        yield Change(DELETED, statement, ast.Pass())


def _is_set(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def changes_of_simple(statement: ast.stmt) -> Iterator[Change]:
    """To return something else, or to count the other way."""
    if isinstance(statement, ast.Return):
        value = statement.value
        if isinstance(value, ast.Constant) and value.value is None:
            yield Change(ANSWER, value, ast.Constant(0))
        elif value is not None and not (isinstance(value, ast.Constant) and isinstance(value.value, bool)):
            yield Change(ANSWER, value, ast.Constant(None))
    elif isinstance(statement, ast.AugAssign) and type(statement.op) in OPERATIONS:
        yield Change(ARITHMETIC, statement, with_parts(statement, op=OPERATIONS[type(statement.op)]()))


def changes_of_compound(statement: ast.stmt) -> Iterator[Change]:
    """A loop that turns once, a condition that is made a loop; a bound that is one less or more."""
    if isinstance(statement, ast.While):
        if not _leaves_loop(statement.body):  # which is no program without a loop
            once = ast.copy_location(ast.If(statement.test, statement.body, []), statement)
            yield Change(LOOP, statement, once, (head(statement), head(once)))
        yield from _bounds_of_test(statement)
    elif isinstance(statement, ast.If) and not statement.orelse and not isinstance(statement.body[-1], ENDS):
        loop = ast.copy_location(ast.While(statement.test, statement.body, []), statement)
        yield Change(LOOP, statement, loop, (head(statement), head(loop)))
    elif isinstance(statement, ast.For):
        for iterated in bounds_of_range(statement.iter) or _parts_of(statement.iter):
            yield Change(BOUND, statement.iter, iterated)


def _leaves_loop(block: Sequence[ast.stmt]) -> bool:
    """Whether a loop with this block, or a turn of it, is ended from within."""
    return any(
        isinstance(each, ast.Break | ast.Continue)
        or (isinstance(each, ast.If) and (_leaves_loop(each.body) or _leaves_loop(each.orelse)))
        for each in block
    )


def _bounds_of_test(statement: ast.While) -> Iterator[Change]:
    for node in ast.walk(statement.test):
        if isinstance(node, ast.Compare) and isinstance(node.ops[-1], ORDERINGS):
            for bound in _one_off(node.comparators[-1]):
                yield Change(BOUND, node, with_parts(node, comparators=[*node.comparators[:-1], bound]))


def bounds_of_range(iterated: ast.expr) -> list[ast.expr]:
    """A range that begins or ends one later or earlier; empty if it is none."""
    if not (isinstance(iterated, ast.Call) and isinstance(iterated.func, ast.Name) and iterated.func.id == "range"):
        return []
    *first, last = iterated.args[:2]
    ranges = [[*first, bound, *iterated.args[2:]] for bound in _one_off(last)]
    ranges += [[bound, *iterated.args[1:]] for each in first for bound in _one_off(each)]
    return [with_parts(iterated, args=args) for args in ranges + ([] if first else [[ast.Constant(1), last]])]


def _parts_of(iterated: ast.expr) -> list[ast.expr]:
    """A sequence without its first or last element."""
    slices = [ast.Slice(ast.Constant(1)), ast.Slice(None, ast.Constant(-1))]
    return [ast.Subscript(iterated, part, ast.Load()) for part in slices]


def _one_off(bound: ast.expr) -> list[ast.expr]:
    return [ast.BinOp(bound, operator, ast.Constant(1)) for operator in (ast.Add(), ast.Sub())]


def swaps(owner: ast.AST, block: Sequence[ast.stmt]) -> Iterator[Change]:
    """To exchange two neighbouring statements, unless each leaves alone what the other reads and writes."""
    for place in range(len(block) - 1):
        first, second = block[place : place + 2]
        if isinstance(first, FIXED) or isinstance(second, FIXED + ENDS) or commute(first, second):
            continue
        shown = f"{head(first)}\n{head(second)}", f"{head(second)}\n{head(first)}"
        yield _replaced(SWAPPED, owner, block, [*block[:place], second, first, *block[place + 2 :]], shown)


def _replaced(
    operator: str, owner: ast.AST, block: Sequence[ast.stmt], by: list[ast.stmt], shown: tuple[str, str]
) -> Change:
    """Other statements in the place of a block's. A function's docstring stays."""
    field = next(name for name in ("body", "orelse") if block[0] in getattr(owner, name, []))
    whole: list[ast.stmt] = getattr(owner, field)
    return Change(operator, owner, with_parts(owner, **{field: [*whole[: len(whole) - len(block)], *by]}), shown)


def early_returns(function: Function) -> Iterator[Change]:
    """To return what the function returns in the end, before one or more of its last effects."""
    block = without_docstring(function)
    answers = isinstance(block[-1], ast.Return)
    answer: ast.stmt = block[-1] if answers else ast.Return(None)
    effects = block[:-1] if answers else block
    due = {each.id for each in ast.walk(answer) if isinstance(each, ast.Name)}
    for place in range(len(effects) - 1, -1, -1):
        if isinstance(effects[place], Function) or due & assigned(effects[place]) - _assigned_in(
            effects[:place]
        ) - arguments(function):
            return
        if place or len(effects) == 1:
            shown = f"{head(effects[place])}", f"{head(answer)}\n{head(effects[place])}"
            yield _replaced(EARLY, function, block, [*effects[:place], answer], shown)


def assigned(statement: ast.stmt) -> set[str]:
    """The names that a statement gives a value."""
    return {each.id for each in ast.walk(statement) if isinstance(each, ast.Name) and _is_set(each)}


def _assigned_in(statements: Sequence[ast.stmt]) -> set[str]:
    return {name for each in statements for name in assigned(each)}


def arguments(function: Function) -> set[str]:
    every = function.args
    return {each.arg for each in [*every.posonlyargs, *every.args, *every.kwonlyargs]}


def roll_backs(statement: ast.stmt) -> Iterator[Change]:
    """Where a refusal first undoes what was done: to undo nothing, or in each loop one thing alone."""
    if not isinstance(statement, ast.If) or not _refuses(statement.body[-1]) or len(statement.body) == 1:
        return
    last = statement.body[-1]
    dropped = with_parts(statement, body=[last])
    yield Change(ROLL_BACK, statement, dropped, (ast.unparse(statement), ast.unparse(dropped)))
    for loop in statement.body:
        if isinstance(loop, ast.For | ast.While):
            once = with_parts(loop, body=[*loop.body, ast.Break()])
            half = with_parts(statement, body=[once if each is loop else each for each in statement.body])
            yield Change(ROLL_BACK, statement, half, (ast.unparse(statement), ast.unparse(half)))


def _refuses(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Return) else None
    return isinstance(value, ast.Constant) and value.value in (None, False)


def defaults(function: Function) -> Iterator[Change]:
    """Changes of the default of a parameter."""
    every = function.args
    for default in [*every.defaults, *(each for each in every.kw_defaults if each is not None)]:
        if isinstance(default, ast.Constant):
            for value in other_constants(default):
                other = ast.Constant(value)
                changed = applied(every, Change(DEFAULT, default, other))
                yield Change(DEFAULT, default, other, (ast.unparse(every), ast.unparse(changed)))
