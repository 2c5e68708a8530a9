"""Starts a library: the calls that come before anything is driven."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from memoracle.drive.binding import Binding, Step
from memoracle.drive.binding_file import refuse_name
from memoracle.drive.binding_tables import KeyFaultError
from memoracle.drive.loading import WORD, Loaded, Prepared
from memoracle.trace.numbers import number

USABLE = 1  # the type of a record of usable memory
ASSIGNED = re.compile(r"\s*([A-Za-z_]\w*)\s*=(?!=)(.*)", re.DOTALL)


class Starting:
    """How the library of one binding is started."""

    def __init__(self, binding: Binding, ffi: Any, threads: bool = False) -> None:
        """threads: whether several call it at once. Raises InputError."""
        self.binding, self.ffi, self.threads = binding, ffi, threads
        self.prepared = Prepared(binding, ffi)

    def start(self) -> list[Loaded]:
        """Loads the library and makes the calls, for each instance; raises InputError."""
        first = Loaded(self.binding, self.ffi, self.prepared, self.threads)
        first.names |= {"records": len(self.binding.says.memory_map), "instance": 0}
        found = [first, *(first.another(place) for place in range(1, self.binding.says.instances))]
        for loaded in found:
            loaded.names |= first.common
            self.make(loaded, "start", self.binding.says.start)
        return found

    def make(self, loaded: Loaded, key: str, statements: Sequence[str | Step]) -> None:
        """Makes the calls of some statements; raises InputError."""
        for place, statement in enumerate(statements):
            step = Step(statement) if isinstance(statement, str) else statement
            if step.once and loaded.names["instance"]:
                continue
            for names in rows_of(self.binding, step.each):
                self._run(loaded, f"{key}[{place}]", step, names)
            if step.once and (found := ASSIGNED.fullmatch(step.call)) is not None and found[1] in loaded.names:
                loaded.common[found[1]] = loaded.names[found[1]]

    def _run(self, loaded: Loaded, name: str, step: Step, names: dict[str, Any]) -> None:
        """A call, whose value may be given a name, or stored in a variable of the library."""
        found = ASSIGNED.fullmatch(step.call)
        given, text = (None, step.call) if found is None else (found[1], found[2])
        value = loaded.value(name, text, names)
        is_read = given is not None or (step.fails is not None and "value" in WORD.findall(step.fails))
        if value is None and is_read:
            raise self.binding.fault(name, "the function returns nothing that could be read")
        if step.fails is not None and loaded.value(f"{name}.fails", step.fails, {**names, "value": value}):
            raise self.binding.fault(name, f"it failed: {value}")
        if given in loaded.variables.names:
            loaded.variables.write(given, value)
        elif given is not None:
            try:
                refuse_name(name, given)
            except KeyFaultError as fault:
                raise self.binding.fault(name, f"{given}: {fault.message}") from None
            loaded.names[given] = value


def rows_of(binding: Binding, each: str | None) -> Iterator[dict[str, int]]:
    """The names that a statement has besides, each time that it is run."""
    if each is None:
        yield {}
        return
    for place, names in enumerate(_rows(binding, each)):
        yield {"index": place, **names}


def _rows(binding: Binding, each: str) -> list[dict[str, int]]:
    geometry = binding.geometry
    if each == "never_free":
        size = geometry.page_size
        return [{"start": first * size, "bytes": (end - first) * size} for first, end in geometry.never_free_frames]
    if each == "zones":
        return [{"start": zone.start, "bytes": zone.bytes} for zone in geometry.zones]
    if each == "kernel_reserved":
        return [{"page": piece.page, "pages": piece.pages} for piece in geometry.kernel_reserved]
    return [
        {"start": number(r.start), "length": number(r.length), "type": number(r.type)}
        for r in binding.says.memory_map
        if each == "memory_map" or (number(r.type) == USABLE) == (each == "usable")
    ]
