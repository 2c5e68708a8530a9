"""From the firmware's memory map to the frames that a machine has.

A record is a start, a length and a type, of which 1 is usable memory (ACPI specification, address range types). Records
may overlap, come in any order, be empty, or run past the end of the 64-bit address space, where they end. They are read
one after the other; what counts in the end is which bytes they cover.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from memoracle.spec.clauses import Number, Truth, clause, implies, neg, operation

USABLE = 1
TOP = 1 << 64


@dataclass(frozen=True)
class Map:
    """State: what the records read so far say of each byte, and which pages are taken to be usable.

    An implementation need not keep `flaw`, the evidence against a page: a byte of it that keeps it from being usable.
    """

    page_shift: Number  # a page is 2^page_shift bytes
    is_covered: Callable[[Number], Truth]  # whether a usable record has this byte
    is_claimed: Callable[[Number], Truth]  # whether any other record has it
    is_usable: Callable[[Number], Truth]  # of a page
    flaw: Callable[[Number], Number]  # of a page that is not usable


def lies_in(byte: Number, start: Number, length: Number) -> Truth:
    return (start <= byte) & (byte < start + length) & (byte < TOP)


def page_of(s: Map, byte: Number) -> Number:
    return byte >> s.page_shift


# Initially


def unread(page_shift: Number) -> Map:
    """No record is read, so no byte is memory, and no page is usable."""
    return Map(
        page_shift=page_shift,
        is_covered=lambda byte: False,
        is_claimed=lambda byte: False,
        is_usable=lambda page: False,
        flaw=lambda page: page << page_shift,
    )


# Operation


@operation("boot.read")
def read(s: Map, start: Number, length: Number, kind: Number) -> Map:
    """One more record is read."""
    return replace(
        s,
        is_covered=lambda byte: s.is_covered(byte) | ((kind == USABLE) & lies_in(byte, start, length)),
        is_claimed=lambda byte: s.is_claimed(byte) | ((kind != USABLE) & lies_in(byte, start, length)),
    )


# What must hold of the pages once every record is read


@clause("a usable page lies wholly in usable records")
def usable_pages_are_covered(s: Map, page: Number, byte: Number) -> Truth:
    return implies(s.is_usable(page) & (page_of(s, byte) == page), s.is_covered(byte))


@clause("no other record touches a usable page")
def usable_pages_are_unclaimed(s: Map, page: Number, byte: Number) -> Truth:
    return implies(s.is_usable(page) & (page_of(s, byte) == page), neg(s.is_claimed(byte)))


@clause("a page that is not usable has a byte that no usable record has, or another record has")
def no_memory_is_lost(s: Map, page: Number) -> Truth:
    byte = s.flaw(page)
    flawed = (page_of(s, byte) == page) & (neg(s.is_covered(byte)) | s.is_claimed(byte))
    return implies((0 <= page) & (page < TOP >> s.page_shift) & neg(s.is_usable(page)), flawed)


POSTCONDITIONS = (usable_pages_are_covered, usable_pages_are_unclaimed, no_memory_is_lost)


# The `boot` event of a trace


@clause("memory is found before anything else happens")
def boot_comes_first(s: Map, earlier: Number) -> Truth:
    return earlier == 0


@clause("a record's numbers have 64 bits")
def record_has_64_bits(s: Map, start: Number, length: Number, kind: Number) -> Truth:
    largest = TOP - 1
    fits = (start <= largest) & (length <= largest) & (kind <= largest)
    return fits & (0 <= start) & (0 <= length) & (0 <= kind)
