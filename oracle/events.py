"""The operations that a trace records: one JSON object a line.

A line is read straight into the structure of its operation. Anything else than what that has is refused, but for keys
that start with `_`, which are the recorder's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from memoracle.cache_types import CacheName
from memoracle.impl.boot import Record

# `number` reads these: a pattern here would be matched at twice the cost.
Number: TypeAlias = int | str
HEXADECIMAL = re.compile("0x[0-9a-fA-F]{1,1000}+")  # Python prints no more than 4,300 decimal digits


class MalformedLine(Exception):  # noqa: N818 (the line is at fault, nothing failed)
    """A line that is no event or no header; the text says what is wrong, and of which field."""


class UnknownOperation(MalformedLine):
    """An event of an operation that there is not.

    op: as the trace names it.
    """

    def __init__(self, op: str) -> None:
        super().__init__(f"op: unknown operation {op!r}")
        self.op = op


class BadNumber(ValueError):  # noqa: N818 (the number is at fault, nothing failed)
    """A string in the place of a number that is none."""


class Header(Struct):
    """A trace's first line. private_frames: the implementation takes frames without saying so."""

    memoracle: int
    geometry: str | dict[str, object] | UnsetType = UNSET
    private_frames: bool = False


class Event(Struct, tag_field="op", forbid_unknown_fields=True, kw_only=True, gc=False):
    """What an implementation was asked, and what it answered: a result, or an error if it refused."""

    error: str | UnsetType = UNSET

    @property
    def succeeded(self) -> bool:
        return self.error is UNSET


class Action(Event, kw_only=True):
    """An operation that returns nothing."""

    result: None = None


class Question(Event, kw_only=True):
    """An operation that returns a value: `result` is None exactly where `error` is set."""

    result: object = None

    def __post_init__(self) -> None:
        if self.error is UNSET:
            if self.result is None:
                raise ValueError("result: absent or null where a value is due")
        elif self.result is not None:
            raise ValueError("result: given beside an `error`")


class Answer(Event, kw_only=True):
    """An operation that returns a value, or null where there is none to return."""

    result: object = None

    def __post_init__(self) -> None:
        if self.error is not UNSET and self.result is not None:
            raise ValueError("result: given beside an `error`")


class MemoryRecord(Struct, forbid_unknown_fields=True):
    start: Number
    length: Number
    type: Number


class Boot(Action, tag="boot", kw_only=True):
    memory_map: list[MemoryRecord]

    def records(self) -> list[Record]:
        """The memory map as the reference reads it; raises BadNumber."""
        return [Record(number(r.start), number(r.length), number(r.type)) for r in self.memory_map]


class FrameAllocate(Question, tag="frame.allocate", kw_only=True):
    result: Number | None = None


class FrameFree(Action, tag="frame.free", kw_only=True):
    address: Number


class FrameIsFree(Question, tag="frame.is_free", kw_only=True):
    address: Number
    result: bool | None = None


class FrameFreeCount(Question, tag="frame.free_count", kw_only=True):
    result: Number | None = None


class ProcessCreate(Question, tag="process.create", kw_only=True):
    result: Number | None = None


class ProcessExit(Action, tag="process.exit", kw_only=True):
    process: Number = 0


class RangeAllocate(Question, tag="range.allocate", kw_only=True):
    process: Number = 0
    pages: Number
    result: Number | None = None


class RangeReserve(Action, tag="range.reserve", kw_only=True):
    process: Number = 0
    address: Number
    pages: Number


class RangeFree(Action, tag="range.free", kw_only=True):
    process: Number = 0
    address: Number
    pages: Number


class RangeSize(Question, tag="range.size", kw_only=True):
    process: Number = 0
    address: Number
    result: Number | None = None


class RangeList(Question, tag="range.list", kw_only=True):
    process: Number = 0
    result: list[tuple[Number, Number, bool]] | None = None


class PageMap(Action, tag="page.map", kw_only=True):
    process: Number = 0
    virtual: Number
    physical: Number
    cache: CacheName = "write-back"
    writable: bool = True
    executable: bool = True
    global_: bool = msgspec.field(default=False, name="global")


class PageUnmap(Action, tag="page.unmap", kw_only=True):
    process: Number = 0
    virtual: Number
    release: bool = False


class PageTranslate(Answer, tag="page.translate", kw_only=True):
    process: Number = 0
    virtual: Number
    result: Number | None = None


class Attributes(Struct, forbid_unknown_fields=True):
    """What a walk combines, as a trace has it."""

    cache: CacheName
    writable: bool
    user: bool
    executable: bool
    global_: bool = msgspec.field(name="global")


class PageAttributes(Answer, tag="page.attributes", kw_only=True):
    process: Number = 0
    virtual: Number
    result: Attributes | None = None


class KernelPagesAllocate(Question, tag="kernel_pages.allocate", kw_only=True):
    pages: Number
    frames: list[Number] | UnsetType = UNSET
    result: Number | None = None


class KernelPagesFree(Action, tag="kernel_pages.free", kw_only=True):
    address: Number
    pages: Number


class Pml4Write(Action, tag="pml4.write", kw_only=True):
    process: Number = 0
    index: Number
    value: Number


class Pml4Read(Question, tag="pml4.read", kw_only=True):
    process: Number = 0
    index: Number
    result: Number | None = None


class Pml4Dump(Question, tag="pml4.dump", kw_only=True):
    process: Number = 0
    result: list[Number] | None = None


class PatRegister(Question, tag="pat.register", kw_only=True):
    result: Number | None = None


class PatSelect(Question, tag="pat.select", kw_only=True):
    cache: CacheName
    low_half: bool
    result: Number | None = None


class PatDecode(Question, tag="pat.decode", kw_only=True):
    index: Number
    result: CacheName | None = None


class PteEncode(Question, tag="pte.encode", kw_only=True):
    physical: Number
    present: bool
    writable: bool
    user: bool
    leaf: bool
    cache: CacheName
    level: Number
    result: Number | None = None


class Entry(Struct, forbid_unknown_fields=True):
    """What an entry of a page table says, as a trace has it."""

    physical: Number
    present: bool
    writable: bool
    user: bool
    leaf: bool
    cache: CacheName


class PteDecode(Question, tag="pte.decode", kw_only=True):
    value: Number
    level: Number
    result: Entry | None = None


class HeapNew(Question, tag="heap.new", kw_only=True):
    bytes: Number
    result: Number | None = None


class HeapDelete(Action, tag="heap.delete", kw_only=True):
    address: Number


AnyEvent: TypeAlias = (
    Boot
    | FrameAllocate
    | FrameFree
    | FrameIsFree
    | FrameFreeCount
    | ProcessCreate
    | ProcessExit
    | RangeAllocate
    | RangeReserve
    | RangeFree
    | RangeSize
    | RangeList
    | PageMap
    | PageUnmap
    | PageTranslate
    | PageAttributes
    | KernelPagesAllocate
    | KernelPagesFree
    | Pml4Write
    | Pml4Read
    | Pml4Dump
    | PatRegister
    | PatSelect
    | PatDecode
    | PteEncode
    | PteDecode
    | HeapNew
    | HeapDelete
)

Found = TypeVar("Found")
EVENT: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
HEADER = msgspec.json.Decoder(Header)
FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # of a decoder
KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
ANYTHING = msgspec.json.Decoder(object)
OPERATIONS = frozenset(kind.__struct_config__.tag for kind in AnyEvent.__args__)
PLACE = re.compile(r"(.*) - at `\$\.?([^`]*)`", re.DOTALL)


def number(value: int | str) -> int:
    """A number of the trace, which may be a string `"0x..."`; raises BadNumber."""
    if isinstance(value, int):
        return value
    if HEXADECIMAL.fullmatch(value) is None:
        raise BadNumber(value)
    return int(value, 16)


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
    """A decoder's message, its field first."""
    place = PLACE.fullmatch(message)
    text, field = (place[1], place[2]) if place else (message, "")
    if text == "Input data was truncated":
        text = "the line is empty, or cut short"
    missing = re.fullmatch("Object missing required field `(.*)`", text)
    unknown = re.fullmatch("Object contains unknown field `(.*)`", text)
    if missing or unknown:
        name = (missing or unknown or [""])[1]
        field, text = f"{field}.{name}".lstrip("."), "missing" if missing else "unknown key"
    return f"{field}: {text}" if field else text
