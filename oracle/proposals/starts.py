"""How a library is started: what its `init` functions are given."""

from __future__ import annotations

from collections.abc import Mapping as ByName
from dataclasses import dataclass, field

from memoracle.proposals.c_functions import Function
from memoracle.proposals.guesses import CHOOSE, Handle, Mapping
from memoracle.proposals.operations import names_of
from memoracle.proposals.words import ENDS, START, STARTS, does, unit_of, words_of

ARENA, ARENA_BYTES = 0x10000000, 0x100000
FRAMES_OF_MEMORY = "memory_bytes // page_size"


PIECES = {"region", "area", "zone", "range", "add"}  # of memory, which come after what all of it needs


@dataclass
class Start:
    """statements: each with what to say of it.  needs_memory: whether one gives the library memory.

    base: where memory begins for those that take its address as a number.  takes_number: whether there are any.
    rooms: parameters that are given room for the allocator itself.
    """

    statements: list[tuple[str, list[str]]] = field(default_factory=list)
    needs_memory: bool = False
    base: str = "memory"
    takes_number: bool = False
    rooms: set[str] = field(default_factory=set)


def start_of(found: Mapping, functions: ByName[str, Function], sizes: ByName[str, int], base: str) -> Start:
    """The calls that come first. sizes: of structures, by name, as far as they are known."""
    start = Start(base=base)
    made = set[str]()
    families = {word for each in found.guesses.values() for word in words_of(each.function.name)}
    chosen = [each for each in found.starts if set(words_of(each.name)) & families - STARTS] or found.starts
    if any("reset" not in words_of(each.name) for each in chosen):
        chosen = [each for each in chosen if "reset" not in words_of(each.name)]
    for each in sorted(_without_rivals(found, chosen), key=lambda each: bool(PIECES & set(words_of(each.name)))):
        _make_storage(start, found, made, each, functions, sizes)
        why: list[str] = []
        _make_room(start, each, functions)
        call = (
            f"{each.name}({', '.join(_given(start, found, each, place, why) for place in range(len(each.parameters)))})"
        )
        handle = _returned(found, each)
        if handle is not None and handle.name not in made:
            made.add(handle.name)
            call = f"{handle.name} = {call}"
        start.statements.append((call, why))
    if found.needs_kernel_space:
        create = found.guesses["process.create"]
        start.statements.append(
            (f"kernel_space = {create.call}", [f"{CHOOSE}the space that is the kernel's, process 0"])
        )
    for handle in found.handles.values():
        if handle.name not in made:
            why = [f"{CHOOSE}what {handle.name} is: nothing here makes one"]
            start.statements.append((f"{handle.name} = NULL", why))
    return start


def _without_rivals(found: Mapping, starts: list[Function]) -> list[Function]:
    """Of several functions that make the same handle the one that is given most, and nothing that gives it more."""
    makers = [each for each in starts if _returned(found, each) is not None]
    best = max(makers, key=lambda each: len(each.parameters), default=None)
    kept = [each for each in starts if each not in makers or each is best]
    if any("bytes" in map(unit_of, each.parameters) for each in kept if does(each) == START):
        kept = [each for each in kept if does(each) == START]
    return kept


def _returned(found: Mapping, function: Function) -> Handle | None:
    return next((found.handles[name] for name in names_of(function.returns) if name in found.handles), None)


def _make_storage(
    start: Start,
    found: Mapping,
    made: set[str],
    function: Function,
    functions: ByName[str, Function],
    sizes: ByName[str, int],
) -> None:
    """Room for a handle that the caller has the memory of."""
    for parameter in function.parameters:
        to = parameter.type.to
        if unit_of(parameter) != "handle" or to is None:
            continue
        key = next((each for each in names_of(parameter.type) if each in found.handles), None)
        if key is None or found.handles[key].name in made:
            continue
        name = found.handles[key].name
        size_of = _size_function(functions)
        known = next((sizes[each] for each in to.names if each in sizes), None)
        made.add(name)
        if size_of is not None:
            start.statements.append((f"{name} = storage({size_of})", []))
        elif known is not None:
            start.statements.append((f"{name} = storage({known})", ["as large as the structure that is declared"]))
        else:
            start.statements.append(
                (f"{name} = storage(65536)", [f"{CHOOSE}how large {name} is; 65,536 bytes should do"])
            )


def _make_room(start: Start, function: Function, functions: ByName[str, Function]) -> None:
    """Room for an allocator that its caller has the memory of, besides the memory that it manages."""
    size_of = _size_function(functions)
    pointers = [each for each in function.parameters if each.type.kind == "pointer" and unit_of(each) == "address"]
    if size_of is not None and len(pointers) > 1 and not start.rooms:
        start.needs_memory = True
        start.rooms.add(pointers[0].name)
        start.statements.append((f"room = storage({size_of})", [f"{pointers[0].name}: the allocator itself"]))


def _size_function(functions: ByName[str, Function]) -> str | None:
    """The call that says how large an allocator is."""
    for name, each in functions.items():
        if name.endswith(("sizeof", "size_of")) and len(each.parameters) < 2:
            return f"{name}({'memory_bytes' if each.parameters else ''})"
    return None


def _given(start: Start, found: Mapping, function: Function, place: int, why: list[str]) -> str:
    """What an argument of a call of the start is."""
    parameter = function.parameters[place]
    kind, unit, words = parameter.type, unit_of(parameter), set(words_of(parameter.name))
    if unit == "handle" and kind.to is not None:
        name = next((found.handles[each].name for each in names_of(kind) if each in found.handles), None)
        if name is not None:
            return name
    if parameter.name in start.rooms:
        return "room"
    if words & ENDS:
        start.needs_memory = True
        return "memory + memory_bytes"
    if unit == "address" and kind.kind == "integer":
        start.needs_memory = start.takes_number = True
        return start.base
    if unit in ("address", "out") or kind.kind == "pointer":
        start.needs_memory = True
        return "memory"
    is_size = parameter.name == "n" and any(each.type.kind == "pointer" for each in function.parameters)
    if unit == "bytes" or is_size or words & {"capacity", "total"}:
        start.needs_memory = True
        return "memory_bytes"
    if unit in ("count", "number"):
        start.needs_memory = True
        why.append(f"{parameter.name}: as many as the memory has")
        return FRAMES_OF_MEMORY
    why.append(f"{CHOOSE}what {parameter.name or 'an argument'} is; 0 is passed")
    return "0"
