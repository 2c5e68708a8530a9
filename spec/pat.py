"""The page attribute table: which memory type each of eight indexes stands for.

A page-table entry does not name a memory type, it names one of the eight entries of the register IA32_PAT, each a byte
that holds a type (Intel SDM volume 3, 11.12, tables 11-10 and 11-11). The processor takes no value in which some entry
is none of the six types. Several indexes may have the same type, and some type may have none; an entry that links a
table has fewer bits for the index than a leaf, and so reaches the lower half alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from memoracle.spec.clauses import Number, Truth, clause, implies, neg, operation, when

UNCACHEABLE, WRITE_COMBINING, WRITE_THROUGH, WRITE_PROTECTED, WRITE_BACK, UNCACHED = 0, 1, 4, 5, 6, 7
TYPES: Final = (UNCACHEABLE, WRITE_COMBINING, WRITE_THROUGH, WRITE_PROTECTED, WRITE_BACK, UNCACHED)  # UC- is the last
INDEXES: Final = range(8)
LOWER_HALF: Final = range(4)
AT_RESET: Final = 0x0007040600070406  # Intel SDM volume 3, 11.12.4: WB, WT, UC-, UC, and these again


@dataclass(frozen=True)
class Pat:
    """State: the value of IA32_PAT. Nothing here changes it."""

    register: Number


def type_at(register: Number, index: Number) -> Number:
    """What an entry of the register holds."""
    return register >> (index << 3) & 0xFF


def is_type(kind: Number) -> Truth:
    """Whether this is the number of a memory type."""
    return one_of(kind, TYPES)


def one_of(number: Number, numbers: tuple[int, ...] | range) -> Truth:
    found: Truth = False
    for each in numbers:
        found = found | (number == each)
    return found


def is_available(register: Number, kind: Number, low_half: Truth) -> Truth:
    """Whether some index of the allowed ones has this type."""
    found: Truth = False
    for index in INDEXES:
        found = found | (is_allowed(index, low_half) & (type_at(register, index) == kind))
    return found


def is_allowed(index: Number, low_half: Truth) -> Truth:
    end: Number = when(low_half, len(LOWER_HALF), len(INDEXES))
    return (0 <= index) & (index < end)


# What a value of the register must be


@clause("the register has 64 bits")
def register_has_64_bits(s: Pat) -> Truth:
    return (0 <= s.register) & (s.register <= (1 << 64) - 1)


@clause("each of the eight entries is a memory type")
def entries_are_types(s: Pat, index: Number) -> Truth:
    return implies(is_allowed(index, False), is_type(type_at(s.register, index)))


LEGAL = (register_has_64_bits, entries_are_types)


# Queries


@clause("the type is a memory type")
def type_exists(s: Pat, kind: Number) -> Truth:
    return is_type(kind)


@clause("the index is one of the eight, of the lower four where only these can be named")
def index_is_allowed(s: Pat, low_half: Truth, index: Number) -> Truth:
    return is_allowed(index, low_half)


@clause("the index has the type that is asked for")
def index_has_the_type(s: Pat, kind: Number, index: Number) -> Truth:
    return type_at(s.register, index) == kind


@operation("pat.select", guard=[type_exists, index_is_allowed, index_has_the_type], chooses=["index"])
def select(s: Pat, kind: Number, low_half: Truth, index: Number) -> Pat:
    """Any of the allowed indexes that has the type is selected; it fails if and only if none has it."""
    return s


@clause("the index is one of the eight")
def index_exists(s: Pat, index: Number) -> Truth:
    return is_allowed(index, False)


@operation("pat.decode", guard=[index_exists])
def decode(s: Pat, index: Number) -> Pat:
    """Asking changes nothing; the answer is the type that the index has."""
    return s


@clause("the type answered is the one that the register holds there")
def tells_the_type(s: Pat, index: Number, kind: Number) -> Truth:
    return kind == type_at(s.register, index)


@clause("the value read is the one that the register has")
def reads_the_register(s: Pat, value: Number) -> Truth:
    return value == s.register


OPERATIONS = (select, decode)


# Theorems, of every value that the processor takes


@clause("every index has a memory type")
def every_index_has_a_type(s: Pat, index: Number) -> Truth:
    return implies(index_exists(s, index), type_exists(s, type_at(s.register, index)))


@clause("the type of every index can be selected")
def every_type_held_is_available(s: Pat, index: Number) -> Truth:
    return implies(index_exists(s, index), is_available(s.register, type_at(s.register, index), False))


@clause("an index that the lower half allows is allowed in all of the table")
def lower_half_is_a_part(s: Pat, kind: Number, index: Number) -> Truth:
    lower = select.allows(s, kind=kind, low_half=True, index=index)
    return implies(lower, select.allows(s, kind=kind, low_half=False, index=index))


@clause("the numbers 2, 3, and 8 and above are no memory types")
def other_numbers_are_no_types(s: Pat, kind: Number) -> Truth:
    return implies((kind == 2) | (kind == 3) | (8 <= kind), neg(type_exists(s, kind)))


THEOREMS = (other_numbers_are_no_types, every_index_has_a_type, every_type_held_is_available, lower_half_is_a_part)
