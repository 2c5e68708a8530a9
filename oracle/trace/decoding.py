"""Reads a trace: one JSON object a line, the first of which is the header.

A line is read straight into the structure of its operation. Anything else than what that has is refused, but for keys
that start with `_`, which are the recorder's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TypeVar, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import fields

from memoracle.trace.events import OPERATIONS, AnyEvent, Crash, Event, operation_of_kind
from memoracle.trace.memory_types import NUMBERS
from memoracle.trace.numbers import MOST_DIGITS, BadNumber
from memoracle.trace.quoting import quoted, shortened
from memoracle.trace.repeated_keys import RepeatedKeyError, RepeatedKeys


class MalformedLine(Exception):  # noqa: N818 (the line is at fault, nothing failed)
    """A line that is no event or no header; the text says what is wrong, and of which field."""

    def at(self, line: int) -> str:
        """The text, where it stands in this line."""
        return str(self)


class UnknownOperation(MalformedLine):
    """An event of an unknown operation.

    op: as the trace names it.
    """

    def __init__(self, op: str) -> None:
        near = get_close_matches(op, sorted(OPERATIONS), 3) if len(op) <= LONGEST_NAME else []
        super().__init__(f"op: unknown operation {quoted(op)}" + (f"; near it: {', '.join(near)}" if near else ""))
        self.op = op


class SecondHeader(MalformedLine):
    """A header where an event was due."""

    def at(self, line: int) -> str:
        return f"the trace starts again at line {line}: one trace a file, or --split"


class Header(Struct):
    """A trace's first line. private_frames: the implementation takes frames without saying so."""

    memoracle: int
    geometry: str | dict[str, object] | UnsetType = UNSET
    private_frames: bool = False


Found = TypeVar("Found")
LONGEST_NAME = 64  # of an operation for which names that are like it are sought
FIELDS = {operation_of_kind(kind): frozenset(("op", *kind.__struct_encode_fields__)) for kind in AnyEvent.__args__}
REPEATED = RepeatedKeys()
EVENT: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
HEADER = msgspec.json.Decoder(Header)
FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # of a decoder
KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
ANYTHING = msgspec.json.Decoder(object)
STRING = msgspec.json.Decoder(str)
KINDS = {
    "number": 'an integer or a string "0x..."',
    "int": "an integer",
    "float": "a fraction",
    "str": "a string",
    "bool": "true or false",
    "array": "an array",
    "object": "an object",
}
UNKNOWN_KEY = "unknown key"
LOG_KEYS = frozenset(("log", "message", "msg", "text", "line"))  # of a message in a log
LOGS_READ = "of these, only `dmesg -J` and `journalctl -o json` are read; take the messages out, as by `jq -r`"
TIMES = CPU, CALL, RETURN = "_cpu", "_call", "_return"  # of events of which some overlap
LINE_SHOWN = 60  # characters of a line that is no event
ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)  # of a string in JSON
HIGH_SURROGATES, LOW_SURROGATES = range(0xD800, 0xDC00), range(0xDC00, 0xE000)
STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"')
BARE_HEXADECIMAL = re.compile(rb"[:\[,]\s*(0[xX][0-9a-fA-F]+)")  # JSON has no such number
PLACE = re.compile(r"(.*) - at `\$\.?([^`]*)`", re.DOTALL)


def misread(line: bytes, fault: BadNumber) -> MalformedLine:
    """What is wrong with an event's line in which a string was found that is no number."""
    keys = {key: ANYTHING.decode(value) for key, value in own_keys(line).items() if key not in ("op", "error", "crash")}
    field = next((place for place, text in strings(keys) if text == fault.args[0]), "")
    digits = len(fault.args[0]) - len("0x")
    if re.fullmatch("0x[0-9a-fA-F]+", fault.args[0]):
        words = (
            f"a number of {digits:,} hexadecimal digits; one of 64 bits has 16, and at most {MOST_DIGITS:,} are read"
        )
        return MalformedLine(f"{field}: {words}")
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


def decode_event(line: bytes) -> AnyEvent | Crash:
    """The event of a line that `EVENT` may refuse for keys that start with `_`, or for `crash`.

    Raises MalformedLine, and UnknownOperation, which is one; the event's numbers are not looked at yet.
    """
    keys = own_keys(line)
    if "op" not in keys:
        raise SecondHeader if "memoracle" in keys else MalformedLine("op: missing" + hint_at_logs(keys))
    op = text_of("op", keys["op"])
    if op not in OPERATIONS:
        raise UnknownOperation(op)
    if "crash" in keys:
        return decode_crash(op, keys)
    return event_of(op, keys)


def event_of(op: str, keys: dict[str, msgspec.Raw]) -> AnyEvent:
    """What the event of this operation says under these keys; raises MalformedLine."""
    if not keys.keys() <= FIELDS[op]:
        key = next(key for key in keys if key not in FIELDS[op])
        why = "the operation is of no process" if key == "process" else UNKNOWN_KEY
        raise MalformedLine(f"{key}: {why}; `{op}` has {listed({*FIELDS[op], 'crash'})}")
    try:
        event = checked(EVENT, msgspec.json.encode(keys))
    except MalformedLine as fault:
        place, _, words = str(fault).partition(": ")
        inner = structure_of(op, re.split(r"[\[.]", place)[0]) if words == UNKNOWN_KEY else None
        if inner is None:
            raise
        raise MalformedLine(f"{fault}; there it has {listed(inner.__struct_encode_fields__)}") from None
    refuse_faults(event)
    return event


def refuse_faults(event: Event) -> None:
    """Raises MalformedLine for an answer that `EVENT` reads, and that cannot be."""
    fault = event.fault()
    if fault is not None:
        raise MalformedLine(fault)


def structure_of(op: str, key: str) -> type[Struct] | None:
    """That of the objects which an operation has under this key."""
    kind = next(each for each in AnyEvent.__args__ if operation_of_kind(each) == op)
    return next((structure_in(field.type) for field in fields(kind) if field.encode_name == key), None)


def structure_in(annotation: object) -> type[Struct] | None:
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return annotation
    return next(filter(None, map(structure_in, get_args(annotation))), None)


def refuse_repeated_keys(line: bytes) -> None:
    """For a line that `EVENT` accepts; raises MalformedLine."""
    with repeats_in_words():
        REPEATED.refuse_in_event(line)


@contextmanager
def repeats_in_words() -> Iterator[None]:
    """Raises MalformedLine for what Python's decoder finds."""
    try:
        yield
    except RepeatedKeyError as fault:
        raise MalformedLine(f"{shortened(str(fault))}: given twice") from None
    except ValueError as fault:
        raise MalformedLine(f"no JSON: {fault}") from None
    except RecursionError:
        raise MalformedLine("nested too deeply") from None


def listed(keys: Iterable[str]) -> str:
    """The keys that there are, `op` first."""
    return ", ".join(sorted(keys, key=lambda key: (key != "op", key in ("result", "error", "crash"), key)))


def decode_crash(op: str, keys: dict[str, msgspec.Raw]) -> Crash:
    """An event that has `crash` in the place of what came of it; raises MalformedLine."""
    for key in ("result", "error"):
        if key in keys:
            raise MalformedLine(f"{key}: given beside a `crash`")
    text = text_of("crash", keys.pop("crash"))
    return Crash(event_of(op, keys | {"error": msgspec.Raw(b'""')}), text)


def text_of(key: str, value: msgspec.Raw) -> str:
    """The string that stands under a key; raises MalformedLine."""
    try:
        return checked(STRING, value)
    except MalformedLine as fault:
        raise MalformedLine(f"{key}: {fault}") from None


def decode_header(line: bytes) -> Header:
    """A trace's header; raises MalformedLine."""
    keys = own_keys(line)
    if "memoracle" not in keys:
        raise MalformedLine("no header: a trace's first line has the key `memoracle`" + hint_at_logs(keys))
    for key in keys:
        if key not in Header.__struct_fields__:
            raise MalformedLine(f"{key}: unknown key; a header has {listed(Header.__struct_fields__)}")
    header = checked(HEADER, msgspec.json.encode(keys))
    if header.memoracle != 1:
        raise MalformedLine(f"memoracle: trace format {header.memoracle} is not known, only 1")
    return header


def hint_at_logs(keys: Iterable[str]) -> str:
    """What is said besides of an object that is a log's, as container engines and collectors write them."""
    found = next((key for key in keys if key in LOG_KEYS), None)
    return "" if found is None or "op" in keys else f"; it has `{found}`, as logs in JSON have: {LOGS_READ}"


def own_keys(line: bytes) -> dict[str, msgspec.Raw]:
    """What a line says, apart from what the recorder added for itself."""
    try:
        line.decode()
    except UnicodeDecodeError as fault:
        raise MalformedLine(f"not UTF-8: {fault.reason} at byte {fault.start}") from None
    try:
        keys = KEYS.decode(line)
    except FAULTS:
        raise no_object(line) from None
    if line.count(b":") != len(keys):  # each has one at least
        with repeats_in_words():
            REPEATED.refuse_in(line, tuple(keys))
    return {key: value for key, value in keys.items() if key[:1] != "_"}


def times_of(line: bytes) -> dict[str, msgspec.Raw]:
    """What a line says of when its call was made, and on which processor; nothing of a line that is no object."""
    if b'"_' not in line:
        return {}
    try:
        keys = KEYS.decode(line)
    except FAULTS:
        return {}
    return {key: keys[key] for key in TIMES if key in keys}


def refuse_times(line: bytes) -> None:
    """Raises MalformedLine for the times of a call where the events before have none."""
    times = times_of(line)
    for key in TIMES[1:]:
        if key in times:
            raise MalformedLine(f"{key}: given here, and not of the events before: all of a recording have it, or none")


def no_object(line: bytes) -> MalformedLine:
    """What is wrong with a line that holds no JSON object."""
    start = line.strip()
    if not start:
        return MalformedLine("the line is empty")
    if not start.startswith(b"{"):
        return MalformedLine(f"not a JSON object, as headers and events are: {quoted(start, LINE_SHOWN)}")
    try:
        checked(KEYS, line)
    except MalformedLine as fault:
        bare = BARE_HEXADECIMAL.search(STRINGS.sub(b"", line))
        hint = f'; a hexadecimal number is a string: "{shortened(bare[1].decode())}"' if bare else ""
        return MalformedLine(f"{fault}{hint}")
    raise AssertionError("a line is an object and is none")


def checked(decoder: msgspec.json.Decoder[Found], text: bytes | msgspec.Raw) -> Found:
    """What the decoder reads; raises MalformedLine, in the words of a trace."""
    try:
        return decoder.decode(text)
    except msgspec.DecodeError as fault:
        if half := lone_surrogate(text):
            words = f"`{half}` is half of a pair, and no character by itself"
            raise MalformedLine(words) from None
        raise MalformedLine(in_words(str(fault))) from None
    except UnicodeDecodeError as fault:
        raise MalformedLine(f"not UTF-8: {fault.reason}") from None
    except RecursionError:
        raise MalformedLine("nested too deeply") from None


def lone_surrogate(line: bytes | msgspec.Raw) -> str | None:
    """The first escape of half a UTF-16 pair (RFC 8259, 7) to which the other half is lacking."""
    pending = place = None
    for found in ESCAPE.finditer(bytes(line)):
        code = int(found[1], 16) if found[1] else 0
        if pending is not None and not (code in LOW_SURROGATES and found.start() == place):
            return pending
        if code in LOW_SURROGATES and pending is None:
            return found[0].decode()
        pending, place = (found[0].decode(), found.end()) if code in HIGH_SURROGATES else (None, None)
    return pending


def in_words(message: str) -> str:
    """A decoder's message in the words of a trace, its field first."""
    place = PLACE.fullmatch(message)
    text, field = (place[1], place[2].replace("[...]", "")) if place else (message, "")
    if text == "Input data was truncated":
        text = "the line is cut short: one event a line is expected"
    elif text in ("Number out of range", "Integer value out of range"):
        text = 'the number is too large: an integer of 64 bits, or a string "0x...", is expected'
    missing = re.fullmatch("Object missing required field `(.*)`", text)
    unknown = re.fullmatch("Object contains unknown field `(.*)`", text)
    if missing or unknown:
        name = (missing or unknown or [""])[1]
        field, text = f"{field}.{name}".lstrip("."), "missing" if missing else UNKNOWN_KEY
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
    kinds = kinds.replace("int | str", "number").replace("bool | null", "bool")  # a null is as none, and found later
    return " or ".join(KINDS.get(each, each) for each in kinds.split(" | "))
