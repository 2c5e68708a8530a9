"""What may be asked of an address before anything that it names is looked up."""

from __future__ import annotations

from memoracle.spec.clauses import Number, Truth, clause, implies
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import LOWER_HALF_END, UPPER_HALF_START


@clause("the address is a multiple of the page size")
def address_is_aligned(s: Geometry, address: Number) -> Truth:
    return (address >> s.page_shift) << s.page_shift == address


@clause("an address has 64 bits")
def address_has_64_bits(s: object, address: Number) -> Truth:
    return (0 <= address) & (address <= (1 << 64) - 1)


def is_canonical(address: Number) -> Truth:
    """Whether bits 63 to 47 of a 64-bit address are equal (Intel SDM volume 1, 3.3.7.1)."""
    return (address >> 47 == 0) | (address >> 47 == (1 << 17) - 1)


def top_index(address: Number) -> Number:
    """The entry of a PML4 that an address is mapped by: bits 47 to 39 (Intel SDM volume 3, 4.5)."""
    return address >> 39 & 511


# Theorems, of every 64-bit address


@clause("canonical addresses are those below 2^47, and those from 0xFFFF800000000000 up")
def halves_are_canonical(s: object, address: Number) -> Truth:
    lower, upper = address < LOWER_HALF_END, UPPER_HALF_START <= address
    return is_canonical(address) == (lower | upper)


@clause("entries 256 to 511 map the canonical addresses from 0xFFFF800000000000 up, and no others")
def upper_entries_start_there(s: object, address: Number) -> Truth:
    is_upper = (256 <= top_index(address)) & (top_index(address) <= 511)
    return implies(is_canonical(address), is_upper == (0xFFFF800000000000 <= address))


THEOREMS = (halves_are_canonical, upper_entries_start_there)
