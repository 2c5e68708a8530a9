"""Reads the tables of a binding, and says of a key that cannot be read which it is, and what was expected."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec.structs import fields

from memoracle.trace.geometry import shown
from memoracle.trace.quoting import quoted

LONGEST_NAME = 100  # characters of a name that others are likened to
MOST_LISTED = 60


class KeyFaultError(ValueError):
    """What a key says cannot be. key: as messages call it, `operations.frame.free.call`."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key, self.message = key, message


def read(kind: Any, value: object, key: str) -> Any:
    """A value of TOML as a type of ours: a structure, or what these are made of. Raises KeyFaultError.

    key: by which messages call it; empty of the whole file.
    """
    members = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    structure = next((each for each in members if isinstance(each, type) and issubclass(each, msgspec.Struct)), None)
    if structure is not None and (isinstance(value, dict) or set(members) <= {structure, NoneType}):
        return _structure(structure, value, key)
    if get_origin(kind) is dict and isinstance(value, dict):
        return {name: read(get_args(kind)[1], each, f"{key}.{name}") for name, each in value.items()}
    if get_origin(kind) is list and isinstance(value, list):
        return [read(get_args(kind)[0], each, f"{key}[{place}]") for place, each in enumerate(value)]
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        raise KeyFaultError(key, f"{expected(members)} was expected, not {shown(value)}") from None


def _structure(kind: type[msgspec.Struct], value: object, key: str) -> Any:
    types, known = get_type_hints(kind), {each.name: each.required for each in fields(kind)}
    if not isinstance(value, dict):
        raise KeyFaultError(key, f"a table with {', '.join(known)} was expected, not {shown(value)}")
    prefix = f"{key}." if key else ""
    for name in value:
        if name not in known:
            raise KeyFaultError(f"{prefix}{name}", f"unknown key; {listed(name, known)}")
    for name, is_due in known.items():
        if is_due and name not in value:
            raise KeyFaultError(f"{prefix}{name}", "missing")
    return kind(**{name: read(types[name], each, f"{prefix}{name}") for name, each in value.items()})


def expected(members: Collection[Any]) -> str:
    """What a value of one of these types is, in words."""
    words = []
    for each in members:
        if get_origin(each) is Literal:
            words.append(f"one of {', '.join(map(str, get_args(each)))}")
        elif isinstance(each, type) and issubclass(each, msgspec.Struct):
            words.append(f"a table with {', '.join(field.name for field in fields(each))}")
        elif each is not NoneType:
            words.append(WORDS[get_origin(each) or each])
    return " or ".join(words)


WORDS = {str: "a string", int: "an integer", bool: "true or false", dict: "a table", list: "a list"}


def listed(name: str, known: Collection[str]) -> str:
    """Which names there are, after the one that was meant, perhaps."""
    return f"{near(name, known)}{_are(sorted(known))}"


def near(name: str, known: Collection[str]) -> str:
    """The known name that is most like one that is not, as a question."""
    found = get_close_matches(name, sorted(known), 1) if len(name) <= LONGEST_NAME else []
    return f"did you mean {found[0]}? " if found else ""


def _are(known: list[str]) -> str:
    more = [f"{len(known) - MOST_LISTED} more"] if len(known) > MOST_LISTED else []
    return f"there {'are' if len(known) != 1 else 'is'} {', '.join([*known[:MOST_LISTED], *more]) or 'none'}"


def refuse_other_than(key: str, name: str, known: Collection[str], what: str) -> None:
    """Raises KeyFaultError for a name that is none of those that are known. what: it should be the name of."""
    if name not in known:
        raise KeyFaultError(key, f"{quoted(name)} is no {what}; {listed(name, known)}")
