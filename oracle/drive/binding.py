"""A binding: a TOML file that says how the operations of the law are called in a kernel's own allocator."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from memoracle.drive.binding_numbers import SMALLEST_PAGE, USER, number
from memoracle.drive.binding_tables import KeyFaultError
from memoracle.impl.bitmap import is_power_of_two
from memoracle.spec.geometry import DEFAULT, Geometry
from memoracle.spec.geometry_keys import REFUSE
from memoracle.trace.events import MemoryRecord
from memoracle.trace.geometry import geometry_from
from memoracle.trace.inputs import InputError
from memoracle.trace.numbers import Number
from memoracle.trace.toml_lines import line_of, lines_of


class Bound(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How one operation is called.

    call: an expression that calls a function of the library, of the event's arguments and the binding's names.
    fails: of `value`, what the call returned, `out`, what it stored, and `errno`: whether it refused.
    result: of the same, the answer as a trace has it.
    frames: of kernel pages, the frame that each shows.  contents: of `result`, the address in this process of what was
    handed out.
    misuse: what becomes of a call that the law refuses.  panic: what a call of one of the binding's `panics` is.
    defaults: the values of arguments that an event may leave out.
    """

    call: str
    fails: str | None = None
    result: str | None = None
    frames: str | None = None
    contents: str | None = None
    misuse: Literal["refuse", "ignore", "either", "undefined"] | None = None
    panic: Literal["crash", "refuse"] = "crash"
    defaults: dict[str, Number] = {}


class Memory(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Memory that the library is given, between two pages that may not be touched.

    at: its address.  alignment: of its address, if that is not given.  fill: the byte that it is full of.
    """

    bytes: Number
    at: Number | None = None
    alignment: Number | None = None
    fill: Number = 0xA5


class Step(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A statement of the start. each: of what it is made once for each.  fails: of `value`, whether it failed.

    once: whether it is made for the first of several instances alone.
    """

    call: str
    each: Literal["memory_map", "usable", "reserved", "never_free", "zones", "kernel_reserved"] | None = None
    fails: str | None = None
    once: bool = False


class Read(msgspec.Struct, forbid_unknown_fields=True):
    """A binding as its file has it."""

    library: str | None = None
    declarations: str = ""
    geometry: str | dict[str, Any] = DEFAULT
    private_frames: bool = False
    thread_safe: bool = False
    memory_map: list[MemoryRecord] = []
    memory: Memory | None = None
    symbols: dict[str, int | str] = {}
    callbacks: dict[str, int | str] = {}
    panics: list[str] = []
    constants: dict[str, Number] = {}
    zones: dict[str, int | str] = {}
    start: list[str | Step] = []
    instances: int = 1
    reset: list[str | Step] = []
    operations: dict[str, Bound] = {}


IN_DECLARATIONS = re.compile(r"<cdef source string>:(\d+):")


@dataclass(frozen=True)
class Given:
    """Memory as numbers: how many bytes, at which address (0: at any multiple of alignment), and what it is full of."""

    bytes: int
    at: int
    alignment: int
    fill: int


@dataclass(frozen=True)
class Binding:
    """What a binding says; path: its file, for messages."""

    path: str
    text: str
    says: Read
    geometry: Geometry
    library: Path
    constants: Mapping[str, int] = field(default_factory=dict)

    def head(self) -> tuple[dict[str, object], ...]:
        """The first lines of a trace of it: the header, and the memory map if it has one."""
        hides = {"private_frames": True} if self.says.private_frames else {}
        header: dict[str, object] = {"memoracle": 1, "geometry": self.says.geometry, **hides}
        records = msgspec.to_builtins(self.says.memory_map)
        return (header, {"op": "boot", "memory_map": records}) if records else (header,)

    @property
    def in_turns(self) -> bool:
        """Whether there are several instances, or resets: what is called then has several traces."""
        return self.says.instances > 1 or bool(self.says.reset)

    @property
    def sizes(self) -> dict[str, int]:
        """What expressions may name of the geometry."""
        geometry = self.geometry
        return {
            "page_size": geometry.page_size,
            "frames": geometry.frames,
            "kernel_pages": geometry.kernel_range.pages,
            "process_pages": geometry.process_range.pages,
        }

    @property
    def refusing(self) -> frozenset[str]:
        """The operations that must refuse misuse, and can say that they do."""
        policies = dict(self.geometry.misuse)
        bound = self.says.operations.items()
        return frozenset(
            name for name, each in bound if each.fails is not None and policies.get(name, REFUSE) == REFUSE
        )

    @property
    def texts(self) -> list[str]:
        """All its expressions and statements."""
        says, found = self.says, list[Any]()
        found += [*says.symbols.values(), *says.callbacks.values(), *says.zones.values()]
        found += [each.call if isinstance(each, Step) else each for each in (*says.start, *says.reset)]
        for bound in says.operations.values():
            found += [bound.call, bound.fails, bound.result, bound.frames, bound.contents]
        return [each for each in found if isinstance(each, str)]

    def with_geometry(self, stated: str | dict[str, Any]) -> Binding:
        """The same of another machine, as a header has it; what operations say of misuse holds."""
        says = msgspec.structs.replace(self.says, geometry=stated)
        says.geometry = with_misuse(says)
        return replace(self, geometry=geometry_from(says.geometry), says=says)

    @property
    def memory(self) -> Given | None:
        """What the library is given. Raises KeyFaultError."""
        return None if self.says.memory is None else given(self.says.memory, self.geometry.page_size)

    def fault_in_declarations(self, message: str) -> InputError:
        """A fault of the declarations, as cffi words it: in its second line it may say where."""
        said, at = message.partition("\n")[0], IN_DECLARATIONS.search(message)
        found = self.fault("declarations", said)
        declared, lines = self.says.declarations.split("\n"), self.text.split("\n")
        if at is None or found.line is None or not 0 < int(at[1]) <= len(declared):
            return found
        wrong = declared[int(at[1]) - 1]
        line = next((line for line, each in enumerate(lines, 1) if line > found.line and each == wrong), found.line)
        return InputError(self.path, line, found.message)

    def fault(self, name: str, message: str) -> InputError:
        """A fault of what the binding says under this name."""
        return InputError(self.path, line_of(lines_of(self.text), name), f"{name}: {message}")


def with_misuse(says: Read) -> str | dict[str, Any]:
    """The geometry, which has what operations say of misuse, too."""
    said = {name: bound.misuse for name, bound in says.operations.items() if bound.misuse is not None}
    if not said:
        return says.geometry
    stated: dict[str, Any] = {"preset": says.geometry} if isinstance(says.geometry, str) else says.geometry
    above: object = stated.get("misuse", {})
    return {**stated, "misuse": {**above, **said} if isinstance(above, dict) else above}


def given(memory: Memory, page_size: int) -> Given:
    """Raises KeyFaultError for memory that there cannot be."""
    at = 0 if memory.at is None else number("memory.at", memory.at, SMALLEST_PAGE, USER - 1)
    alignment = page_size if memory.alignment is None else number("memory.alignment", memory.alignment, 1, USER - 1)
    if at % SMALLEST_PAGE:
        raise KeyFaultError("memory.at", f"{at:#x} is no multiple of {SMALLEST_PAGE}")
    if not is_power_of_two(alignment):
        raise KeyFaultError("memory.alignment", f"{alignment} is no power of two")
    size, fill = number("memory.bytes", memory.bytes, 1, USER - 1), number("memory.fill", memory.fill, 0, 0xFF)
    return Given(size, at, max(SMALLEST_PAGE, alignment), fill)
