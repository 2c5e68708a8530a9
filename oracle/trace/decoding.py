"""Reads a trace: one JSON object a line, the first of which is the header.

A line is read straight into the structure of its operation. Anything else than what that has is refused, but for keys
that start with `_`, which are the recorder's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from memoracle.trace.events import OPERATIONS, AnyEvent, BadNumber
from memoracle.trace.memory_types import NUMBERS


class MalformedLine(Exception):  # noqa: N818 (the line is at fault, nothing failed)
    """A line that is no event or no header; the text says what is wrong, and of which field."""


class UnknownOperation(MalformedLine):
    """An event of an operation that there is not.

    op: as the trace names it.
    """

    def __init__(self, op: str) -> None:
        near = get_close_matches(op, sorted(OPERATIONS), 3)
        super().__init__(f"op: unknown operation {op!r}" + (f"; near it: {', '.join(near)}" if near else ""))
        self.op = op


class Header(Struct):
    """A trace's first line. private_frames: the implementation takes frames without saying so."""

    memoracle: int
    geometry: str | dict[str, object] | UnsetType = UNSET
    private_frames: bool = False


Found = TypeVar("Found")
EVENT: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
HEADER = msgspec.json.Decoder(Header)
FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # of a decoder
KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
ANYTHING = msgspec.json.Decoder(object)
KINDS = {
    "number": 'an integer or a string "0x..."',
    "int": "an integer",
    "float": "a fraction",
    "str": "a string",
    "bool": "a truth value",
    "array": "an array",
    "object": "an object",
}
PLACE = re.compile(r"(.*) - at `\$\.?([^`]*)`", re.DOTALL)


def misread(line: bytes, fault: BadNumber) -> MalformedLine:
    """What is wrong with an event's line in which a string was found that is no number."""
    keys = {key: ANYTHING.decode(value) for key, value in own_keys(line).items() if key not in ("op", "error")}
    field = next((place for place, text in strings(keys) if text == fault.args[0]), "")
    return MalformedLine(f'{field}: neither an integer nor a string "0x..."')


def strings(value: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Every string of a JSON value, and its place."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, content in value.items():
            yield from strings(content, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, content in enumerate(value):
            yield from strings(content, f"{place}[{index}]")


def decode_event(line: bytes) -> AnyEvent:
    """The event of a line that `EVENT` may refuse for keys that start with `_`.

    Raises MalformedLine, and UnknownOperation, which is one; the event's numbers are not looked at yet.
    """
    keys = own_keys(line)
    if "op" not in keys:
        raise MalformedLine("op: missing")
    op = checked(ANYTHING, keys["op"])
    if not isinstance(op, str):
        raise MalformedLine("op: no string")
    if op not in OPERATIONS:
        raise UnknownOperation(op)
    return checked(EVENT, msgspec.json.encode(keys))


def decode_header(line: bytes) -> Header:
    """A trace's header; raises MalformedLine."""
    keys = own_keys(line)
    if "memoracle" not in keys:
        raise MalformedLine("no header: a trace's first line has the key `memoracle`")
    for key in keys:
        if key not in Header.__struct_fields__:
            raise MalformedLine(f"{key}: unknown key")
    header = checked(HEADER, msgspec.json.encode(keys))
    if header.memoracle != 1:
        raise MalformedLine(f"memoracle: trace format {header.memoracle} is not known, only 1")
    return header


def own_keys(line: bytes) -> dict[str, msgspec.Raw]:
    """What a line says, apart from what the recorder added for itself."""
    try:
        line.decode()
    except UnicodeDecodeError as fault:
        raise MalformedLine(f"no UTF-8: {fault.reason} at byte {fault.start}") from None
    return {key: value for key, value in checked(KEYS, line).items() if not key.startswith("_")}


def checked(decoder: msgspec.json.Decoder[Found], text: bytes | msgspec.Raw) -> Found:
    """What the decoder reads; raises MalformedLine, in the words of a trace."""
    try:
        return decoder.decode(text)
    except msgspec.DecodeError as fault:
        raise MalformedLine(in_words(str(fault))) from None
    except RecursionError:
        raise MalformedLine("nested too deeply") from None


def in_words(message: str) -> str:
    """A decoder's message in the words of a trace, its field first."""
    place = PLACE.fullmatch(message)
    text, field = (place[1], place[2]) if place else (message, "")
    if text == "Input data was truncated":
        text = "the line is empty, or cut short"
    missing = re.fullmatch("Object missing required field `(.*)`", text)
    unknown = re.fullmatch("Object contains unknown field `(.*)`", text)
    if missing or unknown:
        name = (missing or unknown or [""])[1]
        field, text = f"{field}.{name}".lstrip("."), "missing" if missing else "unknown key"
    other_kind = re.fullmatch("Expected `(.*)`, got `(.*)`", text)
    other_length = re.fullmatch("Expected `array` of length (.*)", text)
    if other_kind:
        text = f"{of_kind(other_kind[1])} was expected, not {of_kind(other_kind[2])}"
    elif other_length:
        text = f"an array of {other_length[1]} values was expected"
    elif text.startswith("Invalid enum value"):  # the only names that a trace chooses from
        text = f"a memory type was expected: one of {', '.join(NUMBERS)}"
    return f"{field}: {text}" if field else text


def of_kind(kinds: str) -> str:
    """What JSON calls these kinds of values, which a decoder has between bars."""
    return " or ".join(KINDS.get(each, each) for each in kinds.replace("int | str", "number").split(" | "))
