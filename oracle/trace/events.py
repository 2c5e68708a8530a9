"""The operations that a trace records: what each is asked, and what it answers."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType

from memoracle.impl.boot import Record
from memoracle.trace.memory_types import CacheName
from memoracle.trace.numbers import Address, Number, number


class Event(Struct, tag_field="op", forbid_unknown_fields=True, kw_only=True, gc=False):
    """What an implementation was asked, and what it answered: a result, or an error if it refused."""

    error: str | UnsetType = UNSET

    @property
    def succeeded(self) -> bool:
        return self.error is UNSET

    def fault(self) -> str | None:
        """What is wrong with its answer, where a decoder finds nothing wrong with it; else None."""
        return None


class Action(Event, kw_only=True):
    """An operation that returns nothing."""

    result: None = None


class Question(Event, kw_only=True):
    """An operation that returns a value: `result` is None exactly where `error` is set."""

    result: object = None

    def fault(self) -> str | None:
        if self.error is UNSET:
            return "result: absent or null where a value is due" if self.result is None else None
        return None if self.result is None else "result: given beside an `error`"


class Answer(Event, kw_only=True):
    """An operation that returns a value, or null where there is none to return."""

    result: object = None

    def fault(self) -> str | None:
        return "result: given beside an `error`" if self.error is not UNSET and self.result is not None else None


class MemoryRecord(Struct, forbid_unknown_fields=True):
    start: Address
    length: Number
    type: Number


class Boot(Action, tag="boot", kw_only=True):
    memory_map: list[MemoryRecord]

    def records(self) -> list[Record]:
        """The memory map as the reference reads it; raises BadNumber."""
        return [Record(number(r.start), number(r.length), number(r.type)) for r in self.memory_map]


class FrameAllocate(Question, tag="frame.allocate", kw_only=True):
    alignment: Number | UnsetType = UNSET
    from_: Address | UnsetType = msgspec.field(default=UNSET, name="from")
    below: Address | UnsetType = UNSET
    count: Number | UnsetType = UNSET
    order: Number | UnsetType = UNSET
    zone: str | list[str] | UnsetType = UNSET
    result: Address | None = None


class FrameReserve(Action, tag="frame.reserve", kw_only=True):
    address: Address
    count: Number


class FrameFree(Action, tag="frame.free", kw_only=True):
    address: Address
    count: Number | UnsetType = UNSET
    order: Number | UnsetType = UNSET


class FrameGet(Action, tag="frame.get", kw_only=True):
    address: Address


class FramePut(Action, tag="frame.put", kw_only=True):
    address: Address
    release: bool = False


class MemoryAdd(Action, tag="memory.add", kw_only=True):
    start: Address
    length: Number


class FrameIsFree(Question, tag="frame.is_free", kw_only=True):
    address: Address
    result: bool | None = None


class FrameFreeCount(Question, tag="frame.free_count", kw_only=True):
    zone: str | UnsetType = UNSET
    result: Number | None = None


class ProcessCreate(Question, tag="process.create", kw_only=True):
    tables: list[Address] | UnsetType = UNSET
    result: Number | None = None


class ProcessExit(Action, tag="process.exit", kw_only=True):
    process: Number = 0
    release: bool = True
    tables: list[Address] | UnsetType = UNSET


class RangeAllocate(Question, tag="range.allocate", kw_only=True):
    process: Number = 0
    pages: Number
    alignment: Number | UnsetType = UNSET
    from_: Address | UnsetType = msgspec.field(default=UNSET, name="from")
    below: Address | UnsetType = UNSET
    result: Address | None = None


class RangeReserve(Action, tag="range.reserve", kw_only=True):
    process: Number = 0
    address: Address
    pages: Number


class RangeFree(Action, tag="range.free", kw_only=True):
    process: Number = 0
    address: Address
    pages: Number


class RangeSize(Question, tag="range.size", kw_only=True):
    process: Number = 0
    address: Address
    result: Number | None = None


class RangeList(Question, tag="range.list", kw_only=True):
    process: Number = 0
    result: list[tuple[Address, Number, bool]] | None = None


class PageMap(Action, tag="page.map", kw_only=True):
    process: Number = 0
    virtual: Address
    physical: Address
    cache: CacheName = "write-back"
    writable: bool = True
    executable: bool = True
    global_: bool = msgspec.field(default=False, name="global")
    tables: list[Address] | UnsetType = UNSET


class PageUnmap(Action, tag="page.unmap", kw_only=True):
    process: Number = 0
    virtual: Address
    release: bool = False
    tables: list[Address] | UnsetType = UNSET


class PageTranslate(Answer, tag="page.translate", kw_only=True):
    process: Number = 0
    virtual: Address
    result: Address | None = None


class Attributes(Struct, forbid_unknown_fields=True):
    """What a walk combines, as a trace has it."""

    cache: CacheName
    writable: bool
    user: bool
    executable: bool
    global_: bool = msgspec.field(name="global")


class PageAttributes(Answer, tag="page.attributes", kw_only=True):
    process: Number = 0
    virtual: Address
    result: Attributes | None = None


class KernelPagesAllocate(Question, tag="kernel_pages.allocate", kw_only=True):
    pages: Number
    frames: list[Address] | UnsetType = UNSET
    tables: list[Address] | UnsetType = UNSET
    result: Address | None = None


class KernelPagesFree(Action, tag="kernel_pages.free", kw_only=True):
    address: Address
    pages: Number
    tables: list[Address] | UnsetType = UNSET


class Pml4Write(Action, tag="pml4.write", kw_only=True):
    process: Number = 0
    index: Number
    value: Address


class Pml4Read(Question, tag="pml4.read", kw_only=True):
    process: Number = 0
    index: Number
    result: Address | None = None


class Pml4Dump(Question, tag="pml4.dump", kw_only=True):
    process: Number = 0
    result: list[Address] | None = None


class PatRegister(Question, tag="pat.register", kw_only=True):
    result: Address | None = None


class PatSelect(Question, tag="pat.select", kw_only=True):
    cache: CacheName
    low_half: bool
    result: Number | None = None


class PatDecode(Question, tag="pat.decode", kw_only=True):
    index: Number
    result: CacheName | None = None


class PteEncode(Question, tag="pte.encode", kw_only=True):
    physical: Address
    present: bool
    writable: bool
    user: bool
    leaf: bool
    cache: CacheName
    level: Number
    result: Address | None = None


class Entry(Struct, forbid_unknown_fields=True):
    """What an entry of a page table says, as a trace has it."""

    physical: Address
    present: bool
    writable: bool
    user: bool
    leaf: bool
    cache: CacheName


class PteDecode(Question, tag="pte.decode", kw_only=True):
    value: Address
    level: Number
    result: Entry | None = None


class HeapNew(Question, tag="heap.new", kw_only=True):
    bytes: Number
    alignment: Number | UnsetType = UNSET
    result: Address | None = None


class HeapDelete(Action, tag="heap.delete", kw_only=True):
    address: Address


class HeapResize(Question, tag="heap.resize", kw_only=True):
    address: Address
    bytes: Number
    alignment: Number | UnsetType = UNSET
    result: Address | None = None


AnyEvent: TypeAlias = (
    Boot
    | FrameAllocate
    | FrameReserve
    | FrameFree
    | FrameGet
    | FramePut
    | MemoryAdd
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
    | HeapResize
)


QUERIES = (  # they change nothing
    FrameIsFree,
    FrameFreeCount,
    RangeSize,
    RangeList,
    PageTranslate,
    PageAttributes,
    Pml4Read,
    Pml4Dump,
    PatRegister,
    PatSelect,
    PatDecode,
    PteEncode,
    PteDecode,
)


class Crash(Struct, frozen=True):
    """The implementation died in this call.

    event: what was asked, as if it had been refused.  error: none, the call has no answer.
    """

    event: AnyEvent
    text: str
    error: UnsetType = UNSET


def operation_of_kind(kind: type[Struct]) -> str:
    """The name of the operation that a kind of event is about."""
    return str(kind.__struct_config__.tag)


def operation_of(event: AnyEvent) -> str:
    """The name of an event's operation."""
    return operation_of_kind(type(event))


OPERATIONS = frozenset(map(operation_of_kind, AnyEvent.__args__))
