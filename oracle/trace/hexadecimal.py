"""Events with addresses in hexadecimal, as kernels print them and messages name them; and with all numbers as such."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from memoracle.trace.numbers import HEXADECIMAL, HEXADECIMALLY
from memoracle.trace.operations import KINDS

Event: TypeAlias = dict[str, Any]
WORDS = {"op", "error", "crash", "zone", "cache"}  # keys whose values are no numbers
ENCODE = msgspec.json.Encoder().encode
Written: TypeAlias = Callable[[Any], Any]


def in_hexadecimal(event: Mapping[str, Any]) -> Event:
    """The event as it is shown; what is no number stays as it is."""
    return {key: as_noted(value) if key.startswith("_") else value for key, value in written(event).items()}


def line_in_hexadecimal(line: bytes) -> bytes:
    """The same of a trace's line; a header stays as it is, and so does what is no event."""
    try:
        event = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return line
    return ENCODE(in_hexadecimal(event)) if is_event(event) else line


def in_numbers(value: Any) -> Any:
    """What a line says, with numbers in the place of their texts."""
    if isinstance(value, str):
        return int(value, 16) if HEXADECIMAL(value) else value
    if isinstance(value, list):
        return [in_numbers(each) for each in value]
    if isinstance(value, dict):
        return {key: each if key in WORDS else in_numbers(each) for key, each in value.items()}
    return value


@cache
def ways_of(kind: type[Struct]) -> dict[str, Written]:
    """By key, how the values are written in which there are addresses."""
    hints = get_type_hints(kind, include_extras=True)
    found = {each.encode_name: way_of(hints[each.name]) for each in fields(kind)}
    return {key: way for key, way in found.items() if way is not None}


def way_of(hint: Any) -> Written | None:
    """How values of a type are written; None of one without addresses."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return as_address if HEXADECIMALLY in hint.__metadata__ else None
    if origin in (Union, UnionType):
        return next(filter(None, map(way_of, parts)), None)
    if origin is list:
        each = way_of(parts[0])
        return None if each is None else lambda value: [*map(each, value)] if isinstance(value, list) else value
    if origin is tuple:
        return in_turn([way_of(part) for part in parts])
    if isinstance(hint, type) and issubclass(hint, Struct):
        return in_object(ways_of(hint))
    return None


def as_address(value: Any) -> Any:
    return f"{value:#x}" if type(value) is int else value


def written(event: Mapping[str, Any]) -> Event:
    """An event, without those that it notes."""
    kind = KINDS.get(event["op"])
    ways = {} if kind is None else ways_of(kind)
    return {key: ways[key](value) if key in ways else value for key, value in event.items()}


def is_event(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("op"), str)


def as_noted(value: Any) -> Any:
    """What the recorder noted, which may be a list of other events."""
    return [written(each) if is_event(each) else each for each in value] if isinstance(value, list) else value


def in_turn(ways: list[Written | None]) -> Written | None:
    """Of a list whose places have a meaning each."""

    def way(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        known = [each_way(each) if each_way else each for each_way, each in zip(ways, value, strict=False)]
        return known + value[len(ways) :]

    return way if any(ways) else None


def in_object(ways: dict[str, Written]) -> Written | None:
    def way(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: ways[key](each) if key in ways else each for key, each in value.items()}

    return way if ways else None
