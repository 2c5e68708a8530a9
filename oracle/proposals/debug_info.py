"""What a library's debug information (DWARF, `cc -g`) declares, as the text of a header."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from memoracle.proposals.c_functions import NUMBERS

MOST_FUNCTIONS = 2000
MOST_DEPTH = 60
STRUCTURES = {"DW_TAG_structure_type": "struct", "DW_TAG_union_type": "union"}
FUNCTION, PARAMETER = "DW_TAG_subprogram", "DW_TAG_formal_parameter"


def header_of(path: Path) -> str | None:
    """None if the library has no debug information that can be read."""
    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            return _Declared(elf.get_dwarf_info()).text if elf.has_dwarf_info() else None
    except Exception:  # of damaged information, pyelftools raises what it likes
        return None


class _Declared:
    """The declarations, each after those that it needs."""

    def __init__(self, information: Any) -> None:
        self.lines: list[str] = []
        self.known = set[str]()
        for unit in information.iter_CUs():
            entries = [each for each in unit.get_top_DIE().iter_children() if each.tag == FUNCTION and _name(each)]
            for entry in sorted(entries, key=_place):  # as in the source
                if "DW_AT_external" in entry.attributes:
                    self._add_function(entry)

    @property
    def text(self) -> str | None:
        return "\n".join(self.lines) if self.lines else None

    def _add_function(self, entry: Any) -> None:
        name = _name(entry)
        if name in self.known or len(self.known) > MOST_FUNCTIONS:
            return
        parameters = self._parameters(entry)
        never = "_Noreturn " if "DW_AT_noreturn" in entry.attributes else ""
        text = self._declared(_type(entry), f"{name}({parameters})", 0)
        self.known.add(name)
        self.lines.append(f"{never}{text};")

    def _parameters(self, entry: Any) -> str:
        found = [self._declared(_type(each), _name(each), 0) for each in entry.iter_children() if each.tag == PARAMETER]
        return ", ".join(found) or "void"

    def _declared(self, kind: Any, inner: str, depth: int) -> str:
        """The declaration of something of this type. inner: its name, with what belongs to it."""
        if kind is None or depth > MOST_DEPTH:
            return f"void {inner}".rstrip()
        below = depth + 1
        tag, name = kind.tag, _name(kind)
        if tag == "DW_TAG_pointer_type":
            to = _type(kind)
            is_compound = to is not None and to.tag in ("DW_TAG_subroutine_type", "DW_TAG_array_type")
            return self._declared(to, f"(*{inner})" if is_compound else f"*{inner}", below)
        if tag == "DW_TAG_const_type":
            to = _type(kind)
            is_pointer = to is not None and to.tag == "DW_TAG_pointer_type"
            return (
                self._declared(to, f"const {inner}", below)
                if is_pointer
                else f"const {self._declared(to, inner, below)}"
            )
        if tag == "DW_TAG_subroutine_type":
            return self._declared(_type(kind), f"{inner}({self._parameters(kind)})", below)
        if tag == "DW_TAG_array_type":
            return self._declared(_type(kind), f"{inner}[{_length(kind)}]", below)
        if tag == "DW_TAG_typedef":
            self._need_typedef(kind, name, below)
            return f"{name} {inner}".rstrip()
        if tag in STRUCTURES or tag == "DW_TAG_enumeration_type":
            return f"{self._compound(kind, name, below)} {inner}".rstrip()
        if tag == "DW_TAG_base_type":
            return f"{name} {inner}".rstrip()
        return self._declared(_type(kind), inner, below)  # volatile, restrict, atomic

    def _need_typedef(self, kind: Any, name: str, depth: int) -> None:
        if name not in self.known and name not in NUMBERS:
            self.known.add(name)
            self.lines.append(f"typedef {self._declared(_type(kind), name, depth)};")

    def _compound(self, kind: Any, name: str, depth: int) -> str:
        """The name of a structure or enumeration, which is declared before."""
        word = STRUCTURES.get(kind.tag, "enum")
        whole = f"{word} {name or f'unnamed_{kind.offset}'}"
        if whole in self.known:
            return whole
        self.known.add(whole)
        if word == "enum":
            constants = (
                f"{_name(each)} = {each.attributes['DW_AT_const_value'].value}" for each in kind.iter_children()
            )
            self.lines.append(f"{whole} {{ {', '.join(constants)} }};")
        elif "DW_AT_declaration" not in kind.attributes:
            fields = "; ".join(self._fields(kind, depth))
            self.lines.append(f"{whole} {{ {fields}; }};")
        return whole

    def _fields(self, kind: Any, depth: int) -> list[str]:
        """What a structure has: its members, or as many bytes where one has no name or is less than a byte."""
        members = [each for each in kind.iter_children() if each.tag == "DW_TAG_member"]
        if not members or any(not _name(each) or _is_of_bits(each) for each in members):
            size = kind.attributes.get("DW_AT_byte_size")
            return [f"char content[{max(1, size.value if size is not None else 1)}]"]
        return [self._declared(_type(each), _name(each), depth) for each in members]


def _place(entry: Any) -> tuple[int, int]:
    """The file and the line of a declaration."""
    file, line = (entry.attributes.get(f"DW_AT_decl_{each}") for each in ("file", "line"))
    return (file.value if file is not None else 0, line.value if line is not None else 0)


def _is_of_bits(member: Any) -> bool:
    return "DW_AT_bit_size" in member.attributes


def _type(entry: Any) -> Any:
    return entry.get_DIE_from_attribute("DW_AT_type") if "DW_AT_type" in entry.attributes else None


def _name(entry: Any) -> str:
    found = entry.attributes.get("DW_AT_name")
    text = found.value.decode(errors="replace") if found is not None else ""
    return text if all(part.isidentifier() for part in text.split()) else ""


def _length(kind: Any) -> int:
    """How many elements an array has; 1 if it does not say."""
    for each in kind.iter_children():
        for key, added in (("DW_AT_count", 0), ("DW_AT_upper_bound", 1)):
            found = each.attributes.get(key)
            if found is not None and isinstance(found.value, int):
                return max(1, found.value + added)
    return 1
