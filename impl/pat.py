"""The page attribute table: which memory types the eight indexes of IA32_PAT stand for.

Each byte of the register is an entry, and holds a memory type (Intel SDM volume 3, 11.12): 0 uncacheable, 1
write-combining, 4 write-through, 5 write-protected, 6 write-back, 7 uncached (UC-).
"""

from __future__ import annotations

ENTRIES = 8
LOWER_HALF = 4  # the indexes that an entry can name that links a table: it has no third bit for an index
LOWEST_BITS = 0x0101010101010101  # of each entry
HIGHEST_BITS = 0xF8 * LOWEST_BITS  # no type has any of them


def accepts(register: int) -> bool:
    """Whether the processor takes this value: it has 64 bits, and each entry is a type.

    post: __return__ == (0 <= register < 2**64 and {register >> 8 * i & 255 for i in range(8)} <= {0, 1, 4, 5, 6, 7})
    """
    two_or_three = register >> 1 & ~(register >> 2) & LOWEST_BITS  # bit 1 without bit 2
    return register >> 64 == 0 and register & HIGHEST_BITS == 0 and two_or_three == 0


def decode(register: int, index: int) -> int | None:
    """The type of an index, 0 to 7; None if there is no such index.

    pre: accepts(register)
    post: __return__ == (register.to_bytes(8, "little")[index] if 0 <= index < 8 else None)
    """
    return register >> 8 * index & 0xFF if 0 <= index < ENTRIES else None


def select(register: int, kind: int, low_half: bool) -> int | None:
    """The lowest index that has this type, of the lower four alone if `low_half`; None if none has it.

    pre: accepts(register)
    post: __return__ == min((i for i in range(4 if low_half else 8) if decode(register, i) == kind), default=None)
    """
    for index in range(LOWER_HALF if low_half else ENTRIES):
        if register >> 8 * index & 0xFF == kind:
            return index
    return None
