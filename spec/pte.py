"""How the processor reads an entry of a page table, and so which bits an entry of given attributes must have.

Intel SDM volume 3, 4.5, tables 4-15 to 4-20, with the bit that forbids execution enabled (EFER.NXE). Tables have four
levels: 1 is a page table, 2 a page directory, 3 a page directory pointer table, 4 the PML4. An entry is a leaf, which
maps a page, or it links a table of the level below. Every entry of level 1 is a leaf, and none of level 4 is.

In an entry that is present some bits must be 0: those of the address past the processor's physical address bits
(MAXPHYADDR), those of a large page's address that are not the page's number, and in a PML4 the bit that would make a
leaf. Of an entry that is not present the processor reads nothing more; so a call that decodes one in which such a bit
is set may be answered or refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from memoracle.spec import pat
from memoracle.spec.clauses import Number, Truth, clause, implies, neg, operation, when
from memoracle.spec.geometry_keys import PAGE_SHIFTS

LOWEST_LEVEL, ROOT = 1, 4
TABLE_SHIFT: Final = 12  # a table is 4 KiB, at a multiple of that
ADDRESS_BITS: Final = 52  # of an entry: the highest bit of an address is bit 51, on whatever processor
PRESENT, WRITABLE, USER, WRITE_THROUGH, CACHE_DISABLE, ACCESSED, DIRTY, LARGE, GLOBAL = range(9)  # by their bits
PAT_OF_LOWEST, PAT_OF_LARGE = 7, 12
EXECUTE_DISABLE: Final = 63


class Addresses(Protocol):
    """What of a state says which addresses there are."""

    @property
    def physical_bits(self) -> Number: ...


class Processor(Addresses, Protocol):
    """What of a state says how entries are read."""

    @property
    def pat_register(self) -> Number: ...


@dataclass(frozen=True)
class Entries:
    """State: a processor, and nothing else. Nothing here changes it."""

    physical_bits: Number  # of physical addresses: MAXPHYADDR
    pat_register: Number  # the value of IA32_PAT


# How an entry is read


def bit(value: Number, number: int) -> Number:
    return value >> number & 1


def is_set(value: Number, number: int) -> Truth:
    return bit(value, number) == 1


def is_present(value: Number) -> Truth:
    return is_set(value, PRESENT)


def is_writable(value: Number) -> Truth:
    return is_set(value, WRITABLE)


def is_user(value: Number) -> Truth:
    return is_set(value, USER)


def is_global(value: Number) -> Truth:
    return is_set(value, GLOBAL)


def is_execute_disabled(value: Number) -> Truth:
    return is_set(value, EXECUTE_DISABLE)


def is_leaf(value: Number, level: Number) -> Truth:
    """Whether an entry of this level maps a page itself."""
    return (level == LOWEST_LEVEL) | ((level != ROOT) & is_set(value, LARGE))


def page_shift(leaf: Truth, level: Number) -> Number:
    """The binary logarithm of what an entry's address is a multiple of: its page's bytes, or its table's."""
    large = when(level == 2, PAGE_SHIFTS[2], PAGE_SHIFTS[3])
    shift: Number = when(leaf, when(level == LOWEST_LEVEL, PAGE_SHIFTS[1], large), TABLE_SHIFT)
    return shift


def rounded(address: Number, leaf: Truth, level: Number) -> Number:
    """The last address up to this one that an entry can have."""
    large = when(level == 2, cleared(address, PAGE_SHIFTS[2]), cleared(address, PAGE_SHIFTS[3]))
    down: Number = when(
        leaf, when(level == LOWEST_LEVEL, cleared(address, PAGE_SHIFTS[1]), large), cleared(address, TABLE_SHIFT)
    )
    return down


def cleared(number: Number, bits: int) -> Number:
    """A number without its lowest bits."""
    return (number >> bits) << bits


def address_bits(value: Number) -> Number:
    """Bits 51 to 12 of an entry; in a large leaf some of them are no part of the address."""
    return cleared(value & (1 << ADDRESS_BITS) - 1, TABLE_SHIFT)


def address_of(value: Number, level: Number) -> Number:
    """The physical address of the page that an entry maps, or of the table that it links."""
    return rounded(address_bits(value), is_leaf(value, level), level)


def pat_index(value: Number, level: Number) -> Number:
    """The index into the page attribute table: in an entry that links a table its highest bit is 0."""
    high = when(level == LOWEST_LEVEL, bit(value, PAT_OF_LOWEST), bit(value, PAT_OF_LARGE))
    named: Number = when(is_leaf(value, level), high << 2, 0)
    return named + (bit(value, CACHE_DISABLE) << 1) + bit(value, WRITE_THROUGH)


def cache_of(s: Processor, value: Number, level: Number) -> Number:
    """The memory type that an entry names."""
    return pat.type_at(s.pat_register, pat_index(value, level))


def has_reserved_bits(s: Addresses, value: Number, level: Number) -> Truth:
    """Whether a bit is set that must be 0 in an entry that is present."""
    address = address_bits(value)
    past = address >> s.physical_bits != 0
    # In a leaf above level 1, bit 12 is no bit of the address but the highest bit of the index.
    numberless = cleared(address, PAT_OF_LARGE + 1) != rounded(address, True, level)
    large = is_leaf(value, level) & (level != LOWEST_LEVEL)
    return past | (large & numberless) | ((level == ROOT) & is_set(value, LARGE))


def is_reserved(s: Addresses, value: Number, level: Number) -> Truth:
    """Whether the processor faults on an entry for a reserved bit."""
    return is_present(value) & has_reserved_bits(s, value, level)


def is_an_entry(value: Number) -> Truth:
    """Whether a value has 64 bits."""
    return (0 <= value) & (value <= (1 << 64) - 1)


def is_link(value: Number, users: Truth) -> Truth:
    """Whether an entry above level 1 links a table, and leaves to the leaf what is allowed there.

    users: the table is one of a lower half, where all is left to the leaf; else it is the kernel's.
    """
    leaves_all = is_writable(value) & neg(is_execute_disabled(value)) & (is_user(value) == users)
    return is_present(value) & neg(is_set(value, LARGE)) & leaves_all


# What may be asked of an entry


@clause("the level is one of the four")
def level_exists(s: object, level: Number) -> Truth:
    return (LOWEST_LEVEL <= level) & (level <= ROOT)


@clause("a PML4 has no leaf")
def leaf_is_possible(s: object, leaf: Truth, level: Number) -> Truth:
    return implies(leaf, level != ROOT)


def becomes_leaf(leaf: Truth, level: Number) -> Truth:
    """Whether the entry asked for is a leaf: at level 1 it is, whatever was asked for."""
    return leaf | (level == LOWEST_LEVEL)


@clause("the address is a multiple of the bytes that the entry maps, or of a table's")
def physical_is_aligned(s: object, physical: Number, leaf: Truth, level: Number) -> Truth:
    return physical == rounded(physical, becomes_leaf(leaf, level), level)


@clause("the address has no more bits than the processor's physical addresses")
def physical_is_addressable(s: Addresses, physical: Number) -> Truth:
    return (0 <= physical) & (physical >> s.physical_bits == 0)


@clause("some index that the entry can name has the memory type")
def type_is_available(s: Processor, leaf: Truth, cache: Number, level: Number) -> Truth:
    return pat.is_available(s.pat_register, cache, neg(becomes_leaf(leaf, level)))


@clause("an entry has 64 bits")
def value_is_an_entry(s: object, value: Number) -> Truth:
    return is_an_entry(value)


@clause("no reserved bit is set in an entry that is present")
def no_reserved_bit_is_set(s: Addresses, value: Number, level: Number) -> Truth:
    return neg(is_reserved(s, value, level))


# What an entry says, read as the processor reads it


@clause("the address is the one that the processor reads")
def address_is_read(s: object, physical: Number, value: Number, level: Number) -> Truth:
    return physical == address_of(value, level)


@clause("the entry is present if and only if the processor reads it so")
def present_is_read(s: object, present: Truth, value: Number) -> Truth:
    return present == is_present(value)


@clause("writing is allowed if and only if the processor reads it so")
def writable_is_read(s: object, writable: Truth, value: Number) -> Truth:
    return writable == is_writable(value)


@clause("users are allowed if and only if the processor reads it so")
def user_is_read(s: object, user: Truth, value: Number) -> Truth:
    return user == is_user(value)


@clause("the entry is a leaf if and only if the processor reads it so")
def leaf_is_read(s: object, leaf: Truth, value: Number, level: Number) -> Truth:
    return leaf == is_leaf(value, level)


@clause("the memory type is the one that the processor finds by the index it reads")
def type_is_read(s: Processor, cache: Number, value: Number, level: Number) -> Truth:
    return cache == cache_of(s, value, level)


READ = (address_is_read, present_is_read, writable_is_read, user_is_read, leaf_is_read, type_is_read)


# Encoding


@clause("the entry is read as the leaf or the link that was asked for; one of level 1 is a leaf in any case")
def leaf_is_read_as_asked(s: object, leaf: Truth, value: Number, level: Number) -> Truth:
    return becomes_leaf(leaf, level) == is_leaf(value, level)


@clause("no reserved bit is set in what is encoded, whether it is present or not")
def encodes_no_reserved_bit(s: Addresses, value: Number, level: Number) -> Truth:
    return neg(has_reserved_bits(s, value, level))


@clause("accessed, dirty, global, execute-disable and all ignored bits are 0")
def no_other_bit_is_set(s: object, value: Number) -> Truth:
    return neg(is_set(value, ACCESSED)) & neg(is_set(value, DIRTY)) & (cleared(value, GLOBAL) == address_bits(value))


@operation(
    "pte.encode",
    guard=[
        level_exists,
        leaf_is_possible,
        physical_is_aligned,
        physical_is_addressable,
        type_is_available,
        value_is_an_entry,
        address_is_read,
        present_is_read,
        writable_is_read,
        user_is_read,
        leaf_is_read_as_asked,
        type_is_read,
        encodes_no_reserved_bit,
        no_other_bit_is_set,
    ],
    chooses=["value"],
)
def encode(
    s: Entries,
    physical: Number,
    present: Truth,
    writable: Truth,
    user: Truth,
    leaf: Truth,
    cache: Number,
    level: Number,
    value: Number,
) -> Entries:
    """The entry is any value that the processor reads as what was asked, with no other bit set."""
    return s


ASKED = tuple(clause for clause in encode.guard if "value" not in clause.points)  # what may be asked for
ENCODED = tuple(clause for clause in encode.guard if clause not in ASKED)  # and what then comes of it


@clause("an entry of level 1 is asked for as what it is, a leaf; otherwise the call may be refused, too")
def lowest_is_asked_for_as_leaf(s: object, leaf: Truth, level: Number) -> Truth:
    return leaf | (level != LOWEST_LEVEL)


# Decoding


@operation("pte.decode", guard=[level_exists, value_is_an_entry, no_reserved_bit_is_set])
def decode(s: Entries, value: Number, level: Number) -> Entries:
    """Asking changes nothing; the answer is what the processor reads."""
    return s


@clause("no reserved bit is set in the entry, present or not; otherwise the call may be refused, too")
def nothing_reserved_is_set(s: Addresses, value: Number, level: Number) -> Truth:
    return neg(has_reserved_bits(s, value, level))


OPERATIONS = (encode, decode)
# An operation must succeed where its guard and this hold; where only its guard holds, it may be refused.
MUST_SUCCEED_IF = {encode: lowest_is_asked_for_as_leaf, decode: nothing_reserved_is_set}
