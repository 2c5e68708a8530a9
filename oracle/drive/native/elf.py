"""What the file of a shared library says of its symbols."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationTable

# By machine, the relocations whose place has the address of a symbol; of all but those in data, nothing is added to it.
ADDRESSES = {"EM_X86_64": {1, 6, 7}, "EM_AARCH64": {257, 1025, 1026}}
IDENTITY = 24  # bytes at the head of a file that name its class, machine and version


@dataclass(frozen=True)
class Elf:
    """A shared library's symbols.

    head: its first bytes.  functions, variables: that it exports.  undefined: that it needs of others.
    weak: of these, those that it can do without.
    places: by name, where in its memory the address of a symbol stands, with what is added to that.
    libraries: that it asks the system to load with it, by their names.
    """

    head: bytes
    functions: frozenset[str]
    variables: frozenset[str]
    undefined: frozenset[str]
    weak: frozenset[str]
    places: dict[str, list[tuple[int, int]]]
    libraries: tuple[str, ...]


def read_elf(path: Path) -> Elf | None:
    """The symbols of a library; None if the file is no ELF library of 64 bits. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(64)
        try:
            elf = ELFFile(file)
            dynamic = next((each for each in elf.iter_segments() if isinstance(each, DynamicSegment)), None)
            if dynamic is None or elf.elfclass != 64:
                return None
            return _read(head, elf.header["e_machine"], dynamic)
        except Exception:  # of a damaged file, pyelftools raises what it likes
            return None


def _read(head: bytes, machine: str, dynamic: DynamicSegment) -> Elf:
    functions, variables, undefined, weak = set[str](), set[str](), set[str](), set[str]()
    symbols = list(dynamic.iter_symbols())
    for each in symbols:
        binding, kind = each["st_info"]["bind"], each["st_info"]["type"]
        if not each.name or binding not in ("STB_GLOBAL", "STB_WEAK"):
            continue
        if each["st_shndx"] == "SHN_UNDEF":
            undefined.add(each.name)
            if binding == "STB_WEAK":
                weak.add(each.name)
        elif kind in ("STT_FUNC", "STT_GNU_IFUNC"):
            functions.add(each.name)
        elif kind in ("STT_OBJECT", "STT_NOTYPE"):
            variables.add(each.name)
    places = defaultdict[str, list[tuple[int, int]]](list)
    wanted = ADDRESSES.get(machine, set())
    for table in dynamic.get_relocation_tables().values():
        if not isinstance(table, RelocationTable):
            continue  # relative ones: they name no symbol
        for place in table.iter_relocations():
            number = place["r_info_sym"]
            if place["r_info_type"] in wanted and 0 < number < len(symbols):
                added = place["r_addend"] if table.is_RELA() else 0
                places[symbols[number].name].append((place["r_offset"], added))
    libraries = tuple(vars(each)["needed"] for each in dynamic.iter_tags("DT_NEEDED"))
    symbols_of = frozenset(functions), frozenset(variables), frozenset(undefined), frozenset(weak)
    return Elf(head, *symbols_of, dict(places), libraries)
