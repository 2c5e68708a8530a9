"""Reads the file of a binding, and refuses what no binding can say: with its line, its key, and what was expected."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from memoracle.drive.binding import Binding, Bound, Read, Step, with_misuse
from memoracle.drive.binding_numbers import LEAST, number
from memoracle.drive.binding_tables import KeyFaultError, listed, read
from memoracle.drive.native.filling import RESIZES, TAKES
from memoracle.drive.native.installed import installed
from memoracle.spec.geometry import DEFAULT
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace.files import is_file
from memoracle.trace.geometry import geometry_from, read_toml
from memoracle.trace.inputs import InputError
from memoracle.trace.memory_types import NUMBERS
from memoracle.trace.operations import (
    CACHE,
    KERNEL_PAGES,
    KINDS,
    LISTS,
    MORE,
    NOTHING,
    ZONE,
    answer_of,
    arguments_of,
    may_be_null,
)
from memoracle.trace.quoting import quoted
from memoracle.trace.toml_lines import line_of, lines_of

AT_LINE = re.compile(r"\(at line (\d+), column \d+\)$")  # of what is no TOML
CALLED = re.compile(r"(\w+)\s*\(")  # functions in an expression
MOST_INSTANCES = 16
BOUND = KINDS.keys() - {"boot"}  # what boots a library is its start
CONTENTS = frozenset({*TAKES, RESIZES})
OF_MAP = frozenset({"memory_map", "usable", "reserved"})  # what a statement is made of for each record
# Names that expressions have of us.
OURS = frozenset(
    {"NULL", "null", "page_size", "frames", "kernel_pages", "process_pages", "memory", "memory_bytes", "records"}
    | {"value", "out", "errno", "returned", "result", "place", "index", "instance"}
)


def load_binding(path: str, library: str | None = None) -> Binding:
    """Raises InputError, which names file, line and key. library: that is bound, where it is not the one it names."""
    if not is_file(path):
        raise InputError(path, None, "no such file")
    try:
        text, stated = read_toml(path)
    except GeometryError as fault:
        found = AT_LINE.search(fault.message)
        raise InputError(path, None if found is None else int(found[1]), fault.message) from None
    unread = Binding(path, text, Read(), geometry_from(DEFAULT), Path())
    try:
        return _loaded(unread, stated, library)
    except KeyFaultError as fault:
        raise unread.fault(fault.key, fault.message) from None
    except GeometryError as fault:
        keys = (fault.field, *fault.about)
        lines = lines_of(text)
        line = next((line for key in keys if (line := line_of(lines, f"geometry.{key}")) is not None), None)
        raise InputError(path, line, f"geometry.{fault.field}: {fault.message}") from None


def located(path: Path, name: str) -> Path:
    """A library's file. path: where it is if it lies beside the binding.  name: of it; of the system if that is all."""
    if not name or is_file(path) or "/" in name:
        return path
    return installed(name) or path


def _loaded(unread: Binding, stated: dict[str, Any], library: str | None) -> Binding:
    """Raises KeyFaultError and GeometryError."""
    says: Read = read(Read, stated, "")
    for name in says.operations:
        if name not in BOUND:
            raise KeyFaultError(f"operations.{name}", f"unknown operation; {listed(name, BOUND)}")
    says.geometry = with_misuse(says)
    named = Path(library) if library is not None else Path(unread.path).parent / (says.library or "")
    found = located(named, library or says.library or "")
    constants = {name: number(f"constants.{name}", value, LEAST) for name, value in says.constants.items()}
    binding = replace(unread, says=says, geometry=geometry_from(says.geometry), library=found, constants=constants)
    refuse_faults(binding)
    return binding


def refuse_faults(binding: Binding) -> None:
    """Raises KeyFaultError for what names nothing, or is no number that can be."""
    says = binding.says
    binding.memory  # noqa: B018 (it raises)
    for place, record in enumerate(says.memory_map):
        for key in ("start", "length", "type"):
            number(f"memory_map[{place}].{key}", getattr(record, key))
    for name in says.constants:
        refuse_name(f"constants.{name}", name)
    for name in says.symbols:
        if not name.isidentifier():
            raise KeyFaultError(f"symbols.{name}", "this is no symbol of C")
    zones = [zone.name for zone in binding.geometry.zones]
    for name in says.zones:
        if name not in zones:
            raise KeyFaultError(f"zones.{name}", f"the geometry has no such zone; {listed(name, zones)}")
    for key, statements in (("start", says.start), ("reset", says.reset)):
        for place, statement in enumerate(statements):
            if isinstance(statement, Step) and statement.each in OF_MAP and not says.memory_map:
                words = f"there is no `memory_map`, so nothing is done for each of {statement.each}"
                raise KeyFaultError(f"{key}[{place}].each", words)
    called = {name for text in binding.texts for name in CALLED.findall(text)}
    for place, name in enumerate(says.panics):
        if name in called:
            words = f"{quoted(name)} is called by an expression, and what panics does not return"
            raise KeyFaultError(f"panics[{place}]", words)
    number("instances", says.instances, 1, MOST_INSTANCES)
    if says.instances > 1 and says.memory is not None and says.memory.at is not None:
        raise KeyFaultError("memory.at", "each instance has memory of its own: leave the address out")
    for name, bound in says.operations.items():
        _refuse_operation(binding, f"operations.{name}", name, bound)


def refuse_name(key: str, name: str) -> None:
    """Raises KeyFaultError for a name that expressions cannot have of a binding."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise KeyFaultError(key, "this is no name that an expression could have")
    if name in OURS:
        raise KeyFaultError(key, "this name has a meaning of its own in expressions: choose another")


def _refuse_operation(binding: Binding, key: str, name: str, bound: Bound) -> None:
    answers = answer_of(name)
    if answers == MORE:
        raise KeyFaultError(key, "its answer is a list or a table, which no expression is: bind others")
    if bound.result is not None and answers == NOTHING:
        raise KeyFaultError(f"{key}.result", f"{name} answers nothing: leave it out")
    if bound.result is None and answers != NOTHING:
        null = ", or null" if may_be_null(name) else ""
        raise KeyFaultError(f"{key}.result", f"missing: {name} answers {answers}{null}")
    for said, text, some in (("frames", bound.frames, {KERNEL_PAGES}), ("contents", bound.contents, CONTENTS)):
        if text is not None and name not in some:
            raise KeyFaultError(f"{key}.{said}", f"only {', '.join(sorted(some))} can have it")
    if bound.panic == "refuse" and not binding.says.panics:
        raise KeyFaultError(f"{key}.panic", "there are no `panics` that it could call")
    optional = [each for each, is_due in arguments_of(name).items() if not is_due and each not in LISTS]
    for argument, value in bound.defaults.items():
        _refuse_default(f"{key}.defaults.{argument}", name, argument, value, optional)


def _refuse_default(key: str, name: str, argument: str, value: Any, optional: Collection[str]) -> None:
    if argument not in optional:
        raise KeyFaultError(key, f"{name} has no such argument that may be left out; {listed(argument, optional)}")
    if argument == ZONE:
        return  # a name, of which there may be no number
    if argument == CACHE and value not in NUMBERS:
        raise KeyFaultError(key, f"one of {', '.join(NUMBERS)} was expected")
    if argument != CACHE:
        number(key, value)
