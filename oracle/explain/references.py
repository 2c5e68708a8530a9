"""What of the law a piece of code speaks of, read from the code itself: the clauses and operations that it names.

There is no list of which proof is about which clause: a list would go stale, and the proofs say it themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, partial
from inspect import unwrap
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from memoracle.explain.source import OWN, UNKNOWN, names_in
from memoracle.proofs.obligations.law_obligations import Law
from memoracle.spec.clauses import Clause, Operation


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
    return _read_function(function) if owner is None else _read_uncached(function, owner)


def _read_uncached(function: FunctionType, owner: object) -> Text:
    closure = dict(zip(function.__code__.co_freevars, map(_content, function.__closure__ or ()), strict=True))
    values = [value for content in closure.values() for value in _opened(content)]
    words = {value for value in values if isinstance(value, str)}
    names = function.__globals__ | closure
    for value, word in names_in(function, names, owner):
        values.append(value)
        words.add(word)
    return Text(tuple(value for value in values if _is_ours(value)), frozenset(words))


@cache
def _read_function(function: FunctionType) -> Text:
    return _read_uncached(function, None)


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
