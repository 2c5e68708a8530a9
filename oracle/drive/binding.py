"""A binding: a TOML file that says how the operations of the law are called in a kernel's own allocator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from memoracle.spec.geometry import DEFAULT, Geometry
from memoracle.spec.geometry_keys import REFUSE, GeometryError
from memoracle.trace.events import OPERATIONS, MemoryRecord
from memoracle.trace.geometry import geometry_from, read_toml
from memoracle.trace.inputs import InputError
from memoracle.trace.toml_lines import line_of, lines_of

Number: TypeAlias = int | str


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
    defaults: dict[str, int] = {}


class Memory(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Memory that the library is given, between two pages that may not be touched.

    at: its address.  alignment: of its address, if that is not given.  fill: the byte that it is full of.
    """

    bytes: Number
    at: Number | None = None
    alignment: Number | None = None
    fill: Number = 0xA5


class Step(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A statement of the start. each: of what it is made once for each.  fails: of `value`, whether it failed."""

    call: str
    each: Literal["memory_map", "usable", "reserved", "never_free", "zones", "kernel_reserved"] | None = None
    fails: str | None = None


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
    operations: dict[str, Bound] = {}


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

    def with_geometry(self, stated: str | dict[str, Any]) -> Binding:
        """The same of another machine, as a header has it; what operations say of misuse holds."""
        says = msgspec.structs.replace(self.says, geometry=stated)
        says.geometry = _with_misuse(says)
        return replace(self, geometry=geometry_from(says.geometry), says=says)

    def fault(self, name: str, message: str) -> InputError:
        """A fault of what the binding says under this name."""
        return InputError(self.path, line_of(lines_of(self.text), name), f"{name}: {message}")


def load_binding(path: str, library: str | None = None) -> Binding:
    """Raises InputError, which names file, line and key. library: that is bound, where it is not the one it names."""
    if not Path(path).is_file():
        raise InputError(path, None, "no such file")
    try:
        text, stated = read_toml(path)
    except GeometryError as fault:
        raise InputError(path, None, fault.message) from None
    unread = Binding(path, text, Read(), geometry_from(DEFAULT), Path())
    try:
        says = msgspec.convert(stated, Read)
    except msgspec.ValidationError as fault:
        message, _, where = str(fault).partition(" - at `$")
        raise unread.fault(where.strip("`.").replace("[...]", "") or "binding", message) from None
    for name in says.operations:
        if name not in OPERATIONS:
            raise unread.fault(f"operations.{name}", "unknown operation")
    says.geometry = _with_misuse(says)
    try:
        geometry = geometry_from(says.geometry)
    except GeometryError as fault:
        raise unread.fault(f"geometry.{fault.field}", fault.message) from None
    found = Path(library) if library is not None else Path(path).parent / (says.library or "")
    constants = {name: _number(unread, name, value) for name, value in says.constants.items()}
    return Binding(path, text, says, geometry, found, constants)


def _with_misuse(says: Read) -> str | dict[str, Any]:
    """The geometry, which has what operations say of misuse, too."""
    said = {name: bound.misuse for name, bound in says.operations.items() if bound.misuse is not None}
    if not said:
        return says.geometry
    stated: dict[str, Any] = {"preset": says.geometry} if isinstance(says.geometry, str) else says.geometry
    above: object = stated.get("misuse", {})
    return {**stated, "misuse": {**above, **said} if isinstance(above, dict) else above}


def _number(binding: Binding, name: str, value: Number) -> int:
    try:
        return value if isinstance(value, int) else int(value, 16)
    except ValueError:
        raise binding.fault(f"constants.{name}", "neither an integer nor a string `0x...`") from None
