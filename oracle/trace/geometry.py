"""Reads a geometry: a preset's name, a TOML file, or the object in a trace's header.

Where it is a table, it names a preset (or none: the default) and what differs from it. What a geometry must satisfy is
the law's: `memoracle.spec.geometry`.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from reprlib import repr as shortened
from typing import Any, Final

from memoracle.spec.geometry import DEFAULT, PRESETS, Geometry, preset
from memoracle.spec.geometry_keys import (
    ADDRESS_SPACE,
    Area,
    Arena,
    DirectMap,
    GeometryError,
    Piece,
    Range,
    ZoneArea,
)
from memoracle.spec.geometry_limits import require
from memoracle.trace.events import OPERATIONS
from memoracle.trace.quoting import shortened as cut
from memoracle.trace.toml_lines import line_of, lines_of

MOST_BYTES = 1 << 20  # of a file


def load_geometry(source: str) -> Geometry:
    """The preset of this name, or what a TOML file says; raises GeometryError, which names file and line, too."""
    if source in PRESETS:
        return PRESETS[source]
    text, stated = read_toml(source)
    try:
        return geometry_from(stated)
    except GeometryError as fault:
        raise located(source, text, fault) from None


def located(source: str, text: str, fault: GeometryError) -> GeometryError:
    """The same fault of what a TOML file says, with the file, and with the line as far as it is known."""
    lines = lines_of(text)
    found = (line_of(lines, name) for name in (fault.field, *fault.about))
    line = next((line for line in found if line is not None), None)
    where = f"{source}: " if line is None else f"{source}:{line}: "
    return GeometryError(fault.field, fault.message, fault.about, where)


def found_late(source: str | None, fault: GeometryError) -> GeometryError:
    """The same fault, found where the geometry is used; source: as `load_geometry` was given it, if it was."""
    return fault if source is None or source in PRESETS else located(source, read_toml(source)[0], fault)


def read_toml(source: str) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file, and what it says; raises GeometryError, which names the file."""
    try:
        text = read_text(source)
        return text, tomllib.loads(text)
    except FileNotFoundError:
        raise GeometryError(source, f"neither a preset ({', '.join(PRESETS)}) nor a file") from None
    except OSError as fault:
        raise GeometryError(source, f"cannot read: {fault.strerror or fault}") from None
    except UnicodeDecodeError as fault:
        raise GeometryError(source, f"not UTF-8: {fault.reason} at byte {fault.start}") from None
    except ValueError as fault:  # of TOML, or of a number that Python refuses to read
        reason = str(fault) if "integer string conversion" not in str(fault) else "a number has thousands of digits"
        raise GeometryError(source, f"it is not TOML: {reason}") from None
    except RecursionError:
        raise GeometryError(source, "nested too deeply") from None


def read_text(source: str) -> str:
    """Raises OSError, and ValueError for what is not UTF-8, or longer than any geometry."""
    with Path(source).open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
    return content.decode("utf-8-sig")


def geometry_from(source: object) -> Geometry:
    """A preset by its name, or by a mapping that names a preset (or none: the default) and what differs from it.

    Numbers are integers or strings `"0x..."`. Raises GeometryError, also for a key that is none of a geometry's.
    """
    if isinstance(source, str):
        return preset(source)
    changes = table("geometry", source)
    name = text("preset", changes.pop("preset", DEFAULT))
    base = preset(name)
    for key in changes:
        require(key in READERS, key, f"unknown key; a geometry has preset, {', '.join(READERS)}")
    both = "never_free" in changes and "kernel_image_frames" in changes
    fault = "it is given beside kernel_image_frames, which is its short form; give one of them"
    require(not both, "never_free", fault, "kernel_image_frames")
    read = {key: READERS[key](key, value) for key, value in changes.items()}
    try:
        return dataclasses.replace(base, **read)
    except GeometryError as fault:
        unsaid = [key for key in fault.keys if key not in read]
        raise GeometryError(fault.field, fault.message + from_preset(unsaid, name), fault.about) from None


def from_preset(keys: Sequence[str], name: str) -> str:
    """That these were not given, and so are a preset's; nothing if there are none."""
    return f" ({' and '.join(keys)} as in the preset {name})" if keys else ""


def shown(value: object) -> str:
    """A value as whoever wrote it knows it: Python has words of its own for some."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, Mapping):
        return "a table"
    return (
        shortened(value)
        if isinstance(value, int | float | str)
        else "a list"
        if isinstance(value, list)
        else str(value)
    )


def number(field: str, value: object) -> int:
    """A number of 64 bits: an integer, or a string of one in hexadecimal; raises GeometryError that names the field."""
    if isinstance(value, str) and re.fullmatch("0x[0-9a-fA-F]+", value):
        value = int(value, 16)
    if not isinstance(value, int) or isinstance(value, bool):
        raise GeometryError(field, f'{shown(value)} is neither an integer nor a string "0x..."')
    if not 0 <= value < ADDRESS_SPACE:
        said = str(value) if -ADDRESS_SPACE < value < 0 else f"{value:#x}"
        raise GeometryError(field, f"{cut(said, 40)} is not between 0 and 2^64 - 1")
    return value


def text(field: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise GeometryError(field, f"{shown(value)} is not a string")


def number_or_text(field: str, value: object) -> int | str:
    return value if isinstance(value, str) and not value.startswith("0x") else number(field, value)


def table(field: str, value: object) -> dict[str, object]:
    if isinstance(value, Mapping):
        return {str(key): content for key, content in value.items()}
    raise GeometryError(field, f"{shown(value)} is not a table of keys and values")


def each(field: str, value: object) -> list[tuple[str, object]]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [(f"{field}[{index}]", content) for index, content in enumerate(value)]
    raise GeometryError(field, f"{shown(value)} is not a list")


def numbers(field: str, value: object) -> tuple[int, ...]:
    return tuple(number(name, content) for name, content in each(field, value))


def truth(field: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise GeometryError(field, f"{shown(value)} is neither true nor false")


def numbers_by_key(field: str, value: object, due: Sequence[str], more: Sequence[str] = ()) -> dict[str, int]:
    """The numbers of a table that has these keys and may have more of some, but no other."""
    keys = table(field, value)
    for key in keys:
        require(key in (*due, *more), f"{field}.{key}", "unknown key")
    for key in due:
        require(key in keys, f"{field}.{key}", "missing")
    return {key: number(f"{field}.{key}", content) for key, content in keys.items()}


def pair(field: str, value: object, first: str, second: str) -> tuple[int, int]:
    """The two numbers of a table that has these two keys, and no other."""
    found = numbers_by_key(field, value, (first, second))
    return found[first], found[second]


def page_range(field: str, value: object) -> Range:
    return Range(*pair(field, value, "start", "pages"))


def pieces(field: str, value: object) -> tuple[Piece, ...]:
    return tuple(Piece(*pair(name, content, "page", "pages")) for name, content in each(field, value))


def areas(field: str, value: object) -> tuple[Area, ...]:
    return tuple(Area(*pair(name, content, "start", "bytes")) for name, content in each(field, value))


def zones(field: str, value: object) -> tuple[ZoneArea, ...]:
    return tuple(zone(name, content) for name, content in each(field, value))


def zone(field: str, value: object) -> ZoneArea:
    """A named area of physical memory."""
    keys = table(field, value)
    require("name" in keys, f"{field}.name", "missing")
    name = text(f"{field}.name", keys.pop("name"))
    return ZoneArea(name, *pair(field, keys, "start", "bytes"))


def arena(field: str, value: object) -> Arena:
    return Arena(**numbers_by_key(field, value, ("start", "bytes"), ("overhead", "minimum")))


def direct_map(field: str, value: object) -> DirectMap:
    return DirectMap(**numbers_by_key(field, value, ("start", "physical", "bytes")))


def policies(field: str, value: object) -> tuple[tuple[str, str], ...]:
    """What is said of each operation that is named."""
    said = table(field, value)
    for operation in said:
        require(operation in OPERATIONS, f"{field}.{operation}", "unknown operation")
    return tuple((operation, text(f"{field}.{operation}", policy)) for operation, policy in said.items())


READERS: Final[Mapping[str, Callable[[str, object], Any]]] = {
    "page_size": number,
    "frames": number,
    "kernel_image_frames": number,
    "never_free": areas,
    "direct_map": direct_map,
    "physical_address_bits": number,
    "kernel_range": page_range,
    "kernel_reserved": pieces,
    "process_range": page_range,
    "leaf_level": number,
    "pat_register": number,
    "heap_classes": numbers,
    "frame_allocator": text,
    "frame_max_order": number,
    "frame_free_parts": text,
    "zones": zones,
    "frame_free": text,
    "heap_alignment": number_or_text,
    "heap_arena": arena,
    "heap_fragments": truth,
    "free_while_mapped": text,
    "range_allocator": text,
    "range_max_order": number,
    "range_free": text,
    "process_reserved": pieces,
    "misuse": policies,
}
