"""What of the law a piece of code speaks of, read from the code itself: the clauses and operations that it names.

Nobody keeps a list of which proof is about which clause: a list would go stale, and the proofs say it themselves.
"""

from __future__ import annotations

import dis
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, partial
from inspect import getattr_static, unwrap
from itertools import zip_longest
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from memoracle.proofs.obligations.law_obligations import Law
from memoracle.proofs.obligations.obligation import WINGS
from memoracle.spec.clauses import Clause, Operation

OWN = "memoracle."
UNKNOWN = object()  # what a name stands for that is known only while the code runs
LISTS_ALL = "handlers"  # a method that names all others, and calls none
WORDS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_ATTR", "LOAD_METHOD", "LOAD_CONST")


@dataclass(frozen=True)
class Mentions:
    """itself: what of the law the code names, or was made for.  beyond: what is spoken of by what it names.

    functions: those that it comes to.  words: the names and strings in all of these; own_words: in the code itself.
    """

    itself: frozenset[Clause | Operation]
    beyond: frozenset[Clause | Operation]
    functions: frozenset[FunctionType]
    words: frozenset[str]
    own_words: frozenset[str]


class Text(NamedTuple):
    """What stands in one function: what it names that is known before it runs; names and strings."""

    values: tuple[Any, ...]
    words: frozenset[str]


def mentions(start: Any) -> Mentions:
    """Of a function or a partial application of one; or of a method, with those that it calls of objects it knows."""
    own = _read(start)
    known = {_identity(value): value for value in own.values}
    words, waiting = set(own.words), list(own.values)
    while waiting:
        text = _text(waiting.pop())
        fresh = {_identity(each): each for each in text.values if _identity(each) not in known}
        known |= fresh
        waiting += fresh.values()
        words |= text.words
    itself = frozenset(_of_the_law(own.values))
    return Mentions(
        itself,
        frozenset(_of_the_law(known.values())) - itself,
        frozenset(value for value in map(_function, known.values()) if isinstance(value, FunctionType)),
        frozenset(words),
        own.words,
    )


def _identity(value: Any) -> object:
    """What tells a value from others: of a method, its function and its object, since it is made whenever asked for."""
    return (id(value.__func__), id(value.__self__)) if isinstance(value, MethodType) else id(value)


def _function(value: Any) -> Any:
    return value.__func__ if isinstance(value, MethodType) else value


def _of_the_law(values: Iterable[Any]) -> Iterator[Clause | Operation]:
    return (value for value in values if isinstance(value, Clause | Operation))


def _text(value: Any) -> Text:
    """A clause is written as a formula, an operation as a guard and an effect; the law has lists of them, too."""
    if isinstance(value, Clause):
        return Text((value.holds,), frozenset())
    if isinstance(value, Operation):
        return Text((value.effect, *value.guard), frozenset())
    if isinstance(value, tuple):
        return Text(tuple(_of_the_law(value)), frozenset())
    return _read(value)


def _read(start: Any) -> Text:
    if isinstance(start, partial):
        text = _read(start.func)
        given = [value for each in (*start.args, *start.keywords.values()) for value in _opened(each)]
        return Text((*text.values, *filter(_is_ours, given)), text.words)
    owner = start.__self__ if isinstance(start, MethodType) else None
    function = unwrap(_function(start))
    if not isinstance(function, FunctionType):
        return Text((), frozenset())
    return _read_function(function) if owner is None else _read_anew(function, owner)


def _read_anew(function: FunctionType, owner: object) -> Text:
    closure = dict(zip(function.__code__.co_freevars, map(_content, function.__closure__ or ()), strict=True))
    values = [value for content in closure.values() for value in _opened(content)]
    words = {value for value in values if isinstance(value, str)}
    names = function.__globals__ | closure
    for code in _codes(function.__code__):
        for value, word in _named(code, names, owner):
            values.append(value)
            words.add(word)
    return Text(tuple(value for value in values if _is_ours(value)), frozenset(words))


@cache
def _read_function(function: FunctionType) -> Text:
    return _read_anew(function, None)


def _named(code: CodeType, names: dict[str, Any], owner: object) -> Iterator[tuple[Any, str]]:
    """Each global name, attribute and string, and what it stands for; but of what is only compared, its name alone.

    Of attributes that is known where they are a module's, or those of the object whose method it is, and so on.
    """
    last: Any = UNKNOWN
    local = {} if owner is None else {"self": owner}
    steps = list(dis.get_instructions(code))
    compared = [step.opname == "IS_OP" for step in steps[1:]]
    for step, is_compared in zip_longest(steps, compared):
        word = step.argval if isinstance(step.argval, str) and step.opname in WORDS else ""
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            last = names.get(word, UNKNOWN)
        elif step.opname.startswith(("LOAD_FAST", "LOAD_DEREF")):  # the first of them may load two names at once
            name = step.argval if isinstance(step.argval, str) else step.argval[-1]
            last = local.get(name, names.get(name, UNKNOWN) if step.opname == "LOAD_DEREF" else UNKNOWN)
        elif step.opname == "STORE_FAST":
            local[step.argval] = last
            last = UNKNOWN
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            last = _attribute(last, word, last is owner)
        else:
            last = UNKNOWN
        yield UNKNOWN if is_compared else last, word


def _is_followed(value: Any) -> bool:
    """Whether this is an object of the oracle, whose methods may ask something of the law."""
    module = type(value).__module__
    return module.startswith(OWN) and module.split(".")[1] not in WINGS


def _attribute(of: Any, word: str, itself: bool) -> Any:
    if isinstance(of, ModuleType):
        return getattr(of, word, UNKNOWN)
    if not (itself or _is_followed(of)) or word == LISTS_ALL:
        return UNKNOWN
    static = getattr_static(of, word, UNKNOWN)
    return MethodType(static.fget, of) if isinstance(static, property) and static.fget else getattr(of, word, UNKNOWN)


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code, and that of the functions within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # the name was never bound
        return UNKNOWN


def _opened(value: Any) -> Iterator[Any]:
    """What code was made with, and what that holds; but not a whole law, which every proof is made with."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _opened(each)
    elif is_dataclass(value) and not isinstance(value, type | Law | Clause | Operation):
        for field in fields(value):
            yield from _opened(getattr(value, field.name))
    else:
        yield value


def _is_ours(value: Any) -> bool:
    """Whether it is of the law, or a function of this project."""
    if isinstance(value, Clause | Operation | partial):
        return True
    if isinstance(value, tuple):
        return any(_of_the_law(value))
    function = _function(value)
    return isinstance(function, FunctionType) and function.__module__.startswith(OWN)
