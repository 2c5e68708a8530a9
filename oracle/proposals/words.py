"""What a function is, by its name and its signature."""

from __future__ import annotations

import re
from dataclasses import dataclass

from memoracle.proposals.c_functions import Function, Parameter, Type

FRAME, RANGE, HEAP = "frame", "range", "heap"
TAKE, GIVE, RESIZE, RESERVE, COUNT, IS_FREE, START, ADD, PLUG = (
    "take",
    "give",
    "resize",
    "reserve",
    "count",
    "is free",
    "start",
    "add",
    "plug",
)
TAKES = {"alloc", "allocate", "new", "get", "take", "acquire", "request", "obtain", "claim", "grab", "pop"}
GIVES = {"free", "release", "put", "delete", "dealloc", "deallocate", "return", "give", "drop", "push"}
STARTS = {
    "init",
    "initialize",
    "initialise",
    "setup",
    "start",
    "begin",
    "open",
    "bootstrap",
    "create",
    "construct",
    "reset",
}
COUNTS = {"count", "available", "avail", "remaining", "left", "total", "nr", "num", "amount"}
MANY = {"pages", "frames", "blocks", "memory", "mem", "bytes", "count", "num", "nr"}  # of a count of what is free
ABOUT = {"total", "used", "kb", "mb", "size", "sizeof", "stats", "info", "diagnostics", "limit", "max", "min", "count"}
USED = {"used", "allocated", "taken", "busy"}
ADDS = {"add", "donate", "register", "feed"}
PLUGS = {"hotplug", "hotadd", "online"}
ENDS = {"end", "limit", "top", "last", "stop"}
FAMILIES = {
    RANGE: {"vmm", "virt", "virtual", "vm", "va", "range", "vma", "vmem", "region", "space", "kva", "vmalloc", "vfree"},
    FRAME: {
        "frame",
        "frames",
        "page",
        "pages",
        "pmm",
        "phys",
        "physical",
        "pfn",
        "buddy",
        "pm",
        "fa",
        "zone",
        "bitmap",
        "block",
        "blocks",
    },
    HEAP: {
        "heap",
        "malloc",
        "kmalloc",
        "kfree",
        "slab",
        "pool",
        "object",
        "obj",
        "mem",
        "chunk",
        "cache",
        "tlsf",
        "bytes",
    },
}
ALLOCATORS = {"malloc", "kmalloc", "realloc", "krealloc", "calloc", "kcalloc"}  # of a heap, whatever else the name says
PROCESSES = {"process", "proc", "pid", "task", "asid", "space", "vmspace"}
HANDLES = {
    "heap",
    "pool",
    "self",
    "this",
    "ctx",
    "context",
    "allocator",
    "buddy",
    "pmm",
    "mm",
    "arena",
    "slab",
    "vmm",
    "space",
}


@dataclass(frozen=True)
class Role:
    """family: FRAME, RANGE or HEAP.  does: TAKE, GIVE, ..."""

    family: str
    does: str


def words_of(name: str) -> list[str]:
    """`pmmAllocFrame` and `pmm_alloc_frame` are pmm, alloc, frame."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    found = [each for each in spaced.lower().split("_") if each]
    return [part for each in found for part in _parts(each)]


def _parts(word: str) -> list[str]:
    """`kmalloc` and `vfree` say two things."""
    for verb in ("realloc", "alloc", "free", "init", "heap"):
        if word.endswith(verb) and word not in (verb, "deinit"):
            return [word, verb]
    return [word]


def does(function: Function) -> str | None:
    """What a function does, as far as its name says it."""
    words = set(words_of(function.name))
    returns, takes = function.returns, function.parameters
    plain = [each for each in takes if not is_handle(each)]
    free = words & {"free", "available", "avail", "left", "remaining", "unused"}
    if words & {"realloc", "resize", "reallocate", "krealloc"}:
        return RESIZE
    if "reserve" in words or "reserved" in words:
        return RESERVE if plain else None
    if words & PLUGS and plain:
        return PLUG
    if words & {"is", "test", "check"} and words & ({"free"} | USED) and plain:
        return IS_FREE
    if returns.kind == "integer" and not plain and free and (words & MANY or not words & TAKES):
        return COUNT
    if words & ABOUT:
        return None
    if words & STARTS and not words & {"free", "process"}:
        return START
    if words & ADDS and plain:
        return ADD
    if words & TAKES and returns.kind != "struct":
        return GIVE if words & GIVES - {"free"} else TAKE
    if words & GIVES and plain and not words & COUNTS:
        return GIVE
    return None


def family(function: Function) -> str:
    """What a function is about, by its name, then by its parameters."""
    words = set(words_of(function.name))
    if words & ALLOCATORS:
        return HEAP
    for each in (RANGE, FRAME, HEAP):
        if words & FAMILIES[each]:
            if each == RANGE and words & FAMILIES[FRAME] - {"page", "pages", "block", "zone"}:
                return FRAME
            if (
                each == FRAME
                and not words & {"frame", "frames", "page", "pages", "pmm", "phys", "pfn"}
                and in_bytes(function)
            ):
                return HEAP
            return each
    return HEAP if in_bytes(function) else FRAME


def about(function: Function, what: str, *, ranges_are_frames: bool = False) -> str:
    """What a function that does this is about. Only frames are plugged in; a heap that reserves has a name for it."""
    kind = family(function)
    if what == PLUG or (kind == RANGE and ranges_are_frames):
        return FRAME
    is_named = bool({*words_of(function.name)} & FAMILIES[HEAP])
    return FRAME if what == RESERVE and kind == HEAP and not is_named else kind


def may_be(function: Function) -> str | None:
    """The operation that a function may be, by its name, which was not seen when it was tried."""
    if does(function) == RESERVE and (kind := about(function, RESERVE)) != HEAP:
        return f"{kind}.reserve"
    return "memory.add" if does(function) == PLUG else None


def in_bytes(function: Function) -> bool:
    units, words = [unit_of(each) for each in function.parameters], set(words_of(function.name))
    if "bytes" in units or ("count" in units and words & ALLOCATORS):
        return True
    # `void *take(size_t n)` is asked for bytes, as `malloc(size_t n)` is, unless its name says otherwise.
    gives_room = function.returns.to is not None and function.returns.to.kind == "void"
    is_n = any(each.name == "n" and unit == "count" for each, unit in zip(function.parameters, units, strict=True))
    return gives_room and is_n and not words & (FAMILIES[FRAME] | FAMILIES[RANGE])


def is_handle(parameter: Parameter) -> bool:
    """Whether a parameter says which allocator is meant."""
    kind, to = parameter.type, parameter.type.to
    if kind.kind == "pointer" and kind.names and to is not None and to.kind == "void":
        return not words_in(kind.names) & (UNITS["address"] | {"page", "frame", "block"})  # a pointer with a name
    if kind.kind != "pointer" or to is None or to.kind in ("pointer", "integer", "bool", "enum", "function"):
        return False
    if to.kind == "struct":
        return not words_in(to.names) & {"page", "frame", "block", "chunk", "header"}
    return parameter.name.lower() in HANDLES


def words_in(names: tuple[str, ...]) -> set[str]:
    return {word for name in names for word in words_of(name.removesuffix("_t"))}


def unit_of(parameter: Parameter) -> str:
    """What a number or pointer that is passed means: an argument of an event, `out`, `handle`, `flags`, or nothing."""
    kind, name = parameter.type, parameter.name.lower()
    words = {*words_of(name), *words_in(kind.names)}
    if is_handle(parameter):
        return "handle"
    if kind.kind == "function" or (kind.to is not None and kind.to.kind == "function"):
        return "callback"
    if kind.kind == "pointer" and kind.to is not None and not kind.to.is_constant:
        stored = kind.to.kind in ("pointer", "integer", "enum", "bool") and kind.to.bits != 8
        if stored:
            return "out"
    if any(each.startswith("align") for each in words):
        return "alignment order" if words & {"order", "log2", "shift", "bits", "pow"} else "alignment"
    for unit, means in UNITS.items():
        if words & means:
            return unit
    return "address" if kind.kind == "pointer" else ""


UNITS = {
    "order": {"order", "level"},
    "old bytes": {"oldsize", "old"},
    "zone": {"zone", "node", "nid"},
    "flags": {"flags", "flag", "gfp", "mode", "attr", "attrs", "prot"},
    "number": {"pfn", "first", "frame", "index", "idx", "no", "page", "block"},
    "count": {"count", "pages", "npages", "nr", "num", "frames", "nframes", "n", "cnt", "blocks"},
    "bytes": {"size", "bytes", "amount", "requested", "len", "length", "sz", "nbytes"},
    "address": {
        "addr",
        "address",
        "phys",
        "pa",
        "paddr",
        "va",
        "virt",
        "vaddr",
        "ptr",
        "start",
        "base",
        "p",
        "mem",
        "at",
        "where",
    },
}


def is_number_of_frame(kind: Type, name: str) -> bool | None:
    """Whether a value is the number of a frame, rather than an address; None: it may be either."""
    words = {*words_of(name), *words_in(kind.names)}
    if kind.kind == "pointer" or words & {"addr", "address", "phys", "pa", "paddr", "physaddr", "uintptr"}:
        return False
    if words & {"pfn", "index", "idx", "no", "number"} or kind.bits < 64 or kind.signed:
        return True
    return None
