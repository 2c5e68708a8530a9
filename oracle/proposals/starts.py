"""How a library is started: what its `init` functions are given."""

from __future__ import annotations

from collections.abc import Mapping as ByName
from dataclasses import dataclass, field

from memoracle.proposals.c_functions import Function, Header
from memoracle.proposals.operations import CHOOSE, Handle, Mapping
from memoracle.proposals.words import STARTS, unit_of, words_of

ARENA, ARENA_BYTES = 0x10000000, 0x100000


@dataclass
class Start:
    """statements: each with what to say of it.  needs_memory: whether one gives the library memory."""

    statements: list[tuple[str, list[str]]] = field(default_factory=list)
    needs_memory: bool = False


def start_of(found: Mapping, functions: ByName[str, Function], header: Header, sizes: ByName[str, int]) -> Start:
    """The calls that come first. sizes: of structures, by name, as far as they are known."""
    start = Start()
    made = set[str]()
    families = {word for each in found.guesses.values() for word in words_of(each.function.name)}
    chosen = [each for each in found.starts if set(words_of(each.name)) & families - STARTS] or found.starts
    if any("reset" not in words_of(each.name) for each in chosen):
        chosen = [each for each in chosen if "reset" not in words_of(each.name)]
    for each in chosen:
        _make_storage(start, found, made, each, functions, sizes)
        why: list[str] = []
        call = (
            f"{each.name}({', '.join(_given(start, found, each, place, why) for place in range(len(each.parameters)))})"
        )
        handle = _returned(found, each)
        if handle is not None and handle.name not in made:
            made.add(handle.name)
            call = f"{handle.name} = {call}"
        start.statements.append((call, why))
    for handle in found.handles.values():
        if handle.name not in made:
            why = [f"{CHOOSE}what {handle.name} is: nothing here makes one"]
            start.statements.append((f"{handle.name} = NULL", why))
    return start


def _returned(found: Mapping, function: Function) -> Handle | None:
    to = function.returns.to
    return next((found.handles[name] for name in (to.names if to is not None else ()) if name in found.handles), None)


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
        key = next((each for each in to.names if each in found.handles), None)
        if key is None or found.handles[key].name in made:
            continue
        name = found.handles[key].name
        size_of = next((each for each in functions if each.endswith(("sizeof", "size_of"))), None)
        known = next((sizes[each] for each in to.names if each in sizes), None)
        made.add(name)
        if size_of is not None and not functions[size_of].parameters:
            start.statements.append((f"{name} = storage({size_of}())", []))
        elif known is not None:
            start.statements.append((f"{name} = storage({known})", ["as large as the structure that is declared"]))
        else:
            start.statements.append(
                (f"{name} = storage(65536)", [f"{CHOOSE}how large {name} is; 65,536 bytes should do"])
            )


def _given(start: Start, found: Mapping, function: Function, place: int, why: list[str]) -> str:
    """What an argument of a call of the start is."""
    parameter = function.parameters[place]
    kind, unit, words = parameter.type, unit_of(parameter), set(words_of(parameter.name))
    if unit == "handle" and kind.to is not None:
        name = next((found.handles[each].name for each in kind.to.names if each in found.handles), None)
        if name is not None:
            return name
    if words & {"end", "limit", "top", "last", "stop"}:
        start.needs_memory = True
        return "memory + memory_bytes"
    if unit in ("address", "out") or kind.kind == "pointer":
        start.needs_memory = True
        return "memory"
    if unit == "bytes" or words & {"capacity", "total"}:
        start.needs_memory = True
        return "memory_bytes"
    if unit in ("count", "number"):
        start.needs_memory = True
        why.append(f"{parameter.name}: as many as the memory has")
        return "memory_bytes // page_size"
    why.append(f"{CHOOSE}what {parameter.name or 'an argument'} is; 0 is passed")
    return "0"
