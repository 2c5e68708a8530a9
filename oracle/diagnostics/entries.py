"""What is said of page-table entries, and of indexes into the page attribute table, where a clause broke."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

from memoracle.diagnostics.divergence import REFUSAL
from memoracle.impl import pte as code
from memoracle.spec import pat as pat_law
from memoracle.spec import pte as law
from memoracle.spec.clauses import Clause
from memoracle.trace.events import PatSelect
from memoracle.trace.memory_types import NAMES


class EntryFields(NamedTuple):
    """What `pte.encode` is asked for."""

    physical: int
    present: bool
    writable: bool
    user: bool
    leaf: bool
    cache: int
    level: int


def any_of(answers: Sequence[str]) -> str:
    """Every answer that is legal; a refusal, if none is."""
    return " or ".join(answers) or REFUSAL


def kind(number: int) -> str:
    """A memory type by the name that it has in a trace."""
    return NAMES[number]


def only(number: int, index: int) -> int:
    """A value of IA32_PAT in which this index alone has this type."""
    other = pat_law.UNCACHEABLE if number != pat_law.UNCACHEABLE else pat_law.WRITE_BACK
    return sum((number if each == index else other) << 8 * each for each in pat_law.INDEXES)


def read(s: law.Entries, value: int, level: int) -> code.Fields:
    """What the processor reads of an entry."""
    return code.Fields(
        cast(int, law.address_of(value, level)),
        bool(law.is_present(value)),
        bool(law.is_writable(value)),
        bool(law.is_user(value)),
        bool(law.is_leaf(value, level)),
        cast(int, law.cache_of(s, value, level)),
    )


def said(fields: code.Fields) -> str:
    """What an entry says, in words."""
    words = [
        "a leaf" if fields.leaf else "a link",
        f"to {fields.physical:#x}",
        "present" if fields.present else "not present",
        "writable" if fields.writable else "read-only",
        "user" if fields.user else "kernel",
        kind(fields.cache),
    ]
    return ", ".join([" ".join(words[:2]), *words[2:]])


def bits(value: int) -> str:
    """The bits that are set, by their numbers."""
    numbers = [str(number) for number in range(value.bit_length()) if value >> number & 1]
    return f"bit{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"


def reserved(layout: code.Layout, value: int, level: int, called: int | None = None) -> str:
    """Which reserved bits are set. called: the level as it is called, if it only has the form of the other."""
    named = level if called is None else called
    return f"reserved {bits(value & code.reserved(layout, value, level))} of level {named} set"


def of_index(clause: Clause, table: pat_law.Pat, event: PatSelect, index: int) -> str:
    """What was seen, where this clause about a selected index broke."""
    if clause is pat_law.index_is_allowed:
        return f"index {index} was selected, which is not among the {'lower four' if event.low_half else 'eight'}"
    its_type = kind(cast(int, pat_law.type_at(table.register, index)))
    return f"index {index} was selected for {event.cache}, but it is {its_type}"


def of_level(level: int) -> str:
    return f"there is no level {level}"


def of_encoded(clause: Clause, layout: code.Layout, asked: EntryFields, value: int) -> str:
    """What was seen, where this clause about what was asked or encoded broke."""
    if clause in law.ASKED:
        return of_asked(clause, layout, asked)
    if clause is law.value_is_an_entry:
        return f"{value:#x} is not a value of 64 bits"
    if clause is law.encodes_no_reserved_bit:
        return f"{value:#x} was encoded: {reserved(layout, value, asked.level)}"
    if clause is law.no_other_bit_is_set:
        unasked = code.ACCESSED | code.DIRTY | (1 << 12) - code.GLOBAL | (1 << 64) - (1 << law.ADDRESS_BITS)
        return f"{value:#x} was encoded: {bits(value & unasked)} set, for which nobody asked"
    processor = law.Entries(layout.physical_address_bits, layout.pat_register)
    fields = code.Fields(*asked[:-1])
    return f"{value:#x} is {said(read(processor, value, asked.level))}, but {said(fields)} was asked for"


def of_asked(clause: Clause, layout: code.Layout, asked: EntryFields) -> str:
    """What was asked for in vain."""
    if clause is law.level_exists:
        return of_level(asked.level)
    if clause is law.leaf_is_possible:
        return f"a leaf was encoded for level {asked.level}"
    leaf = bool(law.becomes_leaf(asked.leaf, asked.level))
    if clause is law.physical_is_aligned:
        size = 1 << cast(int, law.page_shift(leaf, asked.level))
        return f"physical address {asked.physical:#x} is not a multiple of {size:#x}"
    if clause is law.physical_is_addressable:
        return f"physical address {asked.physical:#x} is past the end of {layout.physical_address_bits} bits"
    which = "the page attribute table" if leaf else "its lower half, which is all that a link can name"
    return f"no index of {which} has the type {kind(asked.cache)}"


def of_decoded(clause: Clause, layout: code.Layout, value: int, level: int) -> str:
    """What was seen, where this clause about an entry to decode broke."""
    if clause is law.level_exists:
        return of_level(level)
    if clause is law.value_is_an_entry:
        return f"{value:#x} is not a value of 64 bits"
    return f"{value:#x} was decoded: {reserved(layout, value, level)}"
