"""What a library calls that nothing here has: panics, locks, logs, sources of pages, addresses of a linker script."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field

from memoracle.drive.native.elf import Elf, read_elf
from memoracle.drive.native.installed import installed
from memoracle.proposals.c_functions import Function, Header
from memoracle.proposals.guesses import CHOOSE
from memoracle.proposals.words import words_of

PANICS = {"panic", "kpanic", "fatal", "die", "bug", "halt", "hcf", "oops", "abort", "assert", "__assert_fail", "exit"}
ENDS = {"end", "start", "kernel", "text", "bss", "data", "image", "stack", "heap", "limine", "brk"}
SOURCES = {"page", "pages", "frame", "frames", "morecore", "more"}
LINKED = {"end", "_end", "etext", "_etext", "edata", "_edata", "__bss_start"}


@dataclass
class Needs:
    """panics: names.  callbacks: by key, the expression and what to say of it.  symbols: likewise."""

    panics: list[str] = field(default_factory=list)
    callbacks: dict[str, tuple[str, str]] = field(default_factory=dict)
    symbols: dict[str, tuple[str, str]] = field(default_factory=dict)
    needs_memory: bool = False


def needs_of(elf: Elf, header: Header) -> Needs:
    """What to give to a library. header: of it; one without anything if there is none."""
    found, program, others = Needs(), ctypes.CDLL(None), _exported_with(elf)
    functions = {name: each for name, each in header.functions.items() if each.returns_never}
    for name in sorted((elf.undefined | elf.functions) & (elf.places.keys() | elf.undefined)):
        if set(words_of(name)) & PANICS and (name in functions or name.strip("_") in PANICS or name in PANICS):
            found.panics.append(name)
    ends = {name for name in elf.variables & elf.places.keys() if name in LINKED}  # that the linker gave it
    for name in sorted((elf.undefined - elf.weak - set(found.panics)) | ends):
        is_elsewhere = hasattr(program, name) or name in others
        if name == "sbrk" or name in ends or not is_elsewhere:
            _need(found, name, header.functions.get(name), name in header.variables)
    return found


def _exported_with(elf: Elf) -> set[str]:
    """What the system's libraries have that are loaded with it, as a compiler's runtime is. None is loaded here."""
    found = set[str]()
    for path in filter(None, map(installed, elf.libraries)):
        try:
            other = read_elf(path)
        except OSError:
            continue
        if other is not None:
            found |= other.functions | other.variables
    return found


def _need(found: Needs, name: str, function: Function | None, is_variable: bool) -> None:
    words = set(words_of(name))
    if is_variable or (function is None and words <= ENDS):
        found.needs_memory = True
        found.symbols[name] = ("memory", f"{CHOOSE}its address; here it is where `memory` begins")
        return
    key, names = _key(name, function)
    if name == "sbrk" and function is None:
        key, names = "void *sbrk(intptr_t increment)", ["increment"]
    sized = next((each for each in names if words_of(each)), None)
    if words & {"sbrk", "morecore"} and sized:
        found.needs_memory = True
        found.callbacks[key] = (f"sbrk({sized})", "takes what comes next of `memory`")
    elif words & SOURCES and words & {"alloc", "get", "take", "map", "more", "request"}:
        found.needs_memory = True
        count = sized if sized and not set(words_of(sized)) & {"flags", "order", "size", "bytes"} else "1"
        found.callbacks[key] = (f"take_pages({count})", f"{CHOOSE}what it gives; here the next pages of `memory`")
    elif words & SOURCES and words & {"free", "release", "put", "unmap"} and names:
        found.needs_memory = True
        count = names[1] if len(names) > 1 else "1"
        found.callbacks[key] = (f"return_pages({names[0]}, {count})", "takes them back")
    else:
        found.callbacks[name] = ("0", "does nothing, and answers 0")


def _key(name: str, function: Function | None) -> tuple[str, list[str]]:
    """A callback's key: the prototype where its arguments matter, and their names."""
    if function is None:
        return name, []
    names = [each.name for each in function.parameters]
    plain = all(names) and not any(each.type.kind in ("struct", "function", "other") for each in function.parameters)
    if not names or not plain or function.returns.kind == "struct":
        return name, []
    return function.text.replace("\n", " "), names


def sizes_of(types: Mapping[str, str]) -> dict[str, int]:
    """The sizes of structures, by name, as far as their text alone says them."""
    import cffi

    sizes = dict[str, int]()
    for name, text in types.items():
        ffi = cffi.FFI()
        try:
            ffi.cdef(text)
            sizes[name] = ffi.sizeof(name)
        except Exception:  # cffi has no common class for what is wrong with a declaration
            continue
    return sizes
