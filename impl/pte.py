"""Entries of 4-level page tables: encodes what a mapping asks for as the 64 bits that the processor reads, and back.

Intel SDM volume 3, 4.5, tables 4-15 to 4-20, with the bit that forbids execution enabled (EFER.NXE). Levels are 1 (page
table) to 4 (PML4). An entry is a leaf, which maps a page of 4 KiB, 2 MiB or 1 GiB, or it links a table of the level
below. At level 1 every entry is a leaf, at level 4 none is.
"""

from __future__ import annotations

from typing import NamedTuple

from memoracle.impl import pat

PRESENT = 1 << 0
WRITABLE = 1 << 1
USER = 1 << 2
WRITE_THROUGH = 1 << 3  # bit 0 of the index into the page attribute table
CACHE_DISABLE = 1 << 4  # bit 1 of it
ACCESSED = 1 << 5
DIRTY = 1 << 6
LARGE = 1 << 7  # a leaf above level 1
GLOBAL = 1 << 8
EXECUTE_DISABLE = 1 << 63
ADDRESS = (1 << 52) - (1 << 12)
ENTRIES = 512
TABLE = 1 << 12  # bytes
PAT = (0, 1 << 7, 1 << 12, 1 << 12)  # bit 2 of the index, by the level of the leaf, 1 to 3


class Layout(NamedTuple):
    """What entries look like on one processor: MAXPHYADDR, 32 to 52, and a value of IA32_PAT that it takes."""

    physical_address_bits: int
    pat_register: int


class Fields(NamedTuple):
    """What an entry encodes: a physical address in bytes, what is allowed, and a memory type (see pat)."""

    physical: int
    present: bool
    writable: bool
    user: bool
    leaf: bool
    cache: int


def encode(layout: Layout, fields: Fields, level: int) -> int | None:
    """The entry that encodes these fields, with the lowest index that has the memory type, and no other bit set.

    None if there is no such level; a leaf is asked for at level 4, or a link at level 1; the address is not aligned to
    what the entry maps, or past the physical address bits; or no index that the entry can name has the type.

    pre: 32 <= layout.physical_address_bits <= 52 and pat.accepts(layout.pat_register)
    post: __return__ is None or decode(layout, __return__, level) == fields
    post: __return__ is None or 0 <= __return__ < 2**52 and __return__ & (ACCESSED | DIRTY | GLOBAL) == 0
    post: __return__ is None or pat.select(layout.pat_register, fields.cache, not fields.leaf) == index_of(__return__, fields.leaf, level)
    post: __return__ is not None or not (2 - fields.leaf <= level <= 4 - fields.leaf) or fields.physical % mapped(fields.leaf, level) or fields.physical not in range(2**layout.physical_address_bits) or pat.select(layout.pat_register, fields.cache, not fields.leaf) is None
    """  # noqa: E501
    if level not in (1, 2, 3, 4) or level == (4 if fields.leaf else 1):
        return None
    physical = fields.physical
    if physical >> layout.physical_address_bits != 0 or physical & mapped(fields.leaf, level) - 1 != 0:
        return None
    index = pat.select(layout.pat_register, fields.cache, not fields.leaf)
    if index is None:
        return None
    value = physical | PRESENT * fields.present | WRITABLE * fields.writable | USER * fields.user
    value |= WRITE_THROUGH * (index & 1) | CACHE_DISABLE * (index >> 1 & 1)
    if fields.leaf:
        value |= PAT[level] * (index >> 2) | LARGE * (level > 1)
    return value


def decode(layout: Layout, value: int, level: int) -> Fields | None:
    """The fields of an entry; None if it has more than 64 bits, there is no such level, or a reserved bit is set.

    Reserved bits are refused even in an entry that is not present, where the processor would not look at them.

    pre: 32 <= layout.physical_address_bits <= 52 and pat.accepts(layout.pat_register)
    post: (__return__ is None) == (level not in (1, 2, 3, 4) or value not in range(2**64) or value & reserved(layout, value, level) != 0)
    post: __return__ is None or (__return__.present, __return__.writable, __return__.user) == (value % 2 == 1, value // 2 % 2 == 1, value // 4 % 2 == 1)
    post: __return__ is None or __return__.leaf == (level == 1 or value // 128 % 2 == 1)
    post: __return__ is None or __return__.cache == pat.decode(layout.pat_register, index_of(value, __return__.leaf, level))
    post: __return__ is None or __return__.physical == value % 2**52 // mapped(__return__.leaf, level) * mapped(__return__.leaf, level)
    """  # noqa: E501
    if level not in (1, 2, 3, 4) or value >> 64 != 0 or value & reserved(layout, value, level) != 0:
        return None
    leaf = is_leaf(value, level)
    return Fields(
        value & ADDRESS & -mapped(leaf, level),
        value & PRESENT != 0,
        value & WRITABLE != 0,
        value & USER != 0,
        leaf,
        layout.pat_register >> 8 * index_of(value, leaf, level) & 0xFF,
    )


def is_leaf(value: int, level: int) -> bool:
    """Whether an entry of a level, 1 to 4, maps a page itself.

    pre: 1 <= level <= 4
    post: __return__ == (level == 1 or level < 4 and value // 128 % 2 == 1)
    """
    return level == 1 or (level < 4 and value & LARGE != 0)


def mapped(leaf: bool, level: int) -> int:
    """The alignment in bytes of an entry's physical address: the size of its page, or of a table.

    pre: 1 <= level <= 4
    post: __return__ == (512 ** (level - 1) * 4096 if leaf else 4096)
    """
    return 1 << 9 * level + 3 if leaf else TABLE


def index_of(value: int, leaf: bool, level: int) -> int:
    """The index into the page attribute table that an entry names.

    pre: 1 <= level <= (3 if leaf else 4)
    post: __return__ % 4 == value // 8 % 4
    post: __return__ // 4 == (value // (128 if level == 1 else 4096) % 2 if leaf else 0)
    """
    low = value // WRITE_THROUGH & 3
    return low + 4 * (value // PAT[level] & 1) if leaf else low


def reserved(layout: Layout, value: int, level: int) -> int:
    """The bits of an entry that must be 0: of the address, and at level 4 the one that would make it a leaf.

    pre: 1 <= level <= 4 and 32 <= layout.physical_address_bits <= 52
    post: __return__ & 0xFFF == (128 if level == 4 else 0) and __return__ < 2**52
    post: __return__ >> layout.physical_address_bits == 2**52 - 1 >> layout.physical_address_bits
    post: all(__return__ >> bit & 1 == (bit >= 13 and 2**bit < mapped(is_leaf(value, level), level)) for bit in range(12, layout.physical_address_bits))
    """  # noqa: E501
    past = ADDRESS & -(1 << layout.physical_address_bits)
    if level == 4:
        return past | LARGE
    return past | (mapped(is_leaf(value, level), level) - 1 & ADDRESS & ~PAT[level])
