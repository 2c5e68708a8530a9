"""Page-table entries, held to what real kernels wrote and what the processor made of it."""

from __future__ import annotations

import pytest

from memoracle.impl import pte as code
from memoracle.impl.pte import Fields, Layout
from memoracle.spec import addresses
from memoracle.spec import pte as law

WB, WC, UC_MINUS, UC, WP, WT = 6, 1, 7, 0, 5, 4
LINUX = Layout(40, 0x0407050600070106)
WIDEST = LINUX._replace(physical_address_bits=52)
# Entries and their levels, and what they say: physical address, present, writable, user, leaf, memory type.
ENTRIES = {
    # A page fault in SGX-Step: PGD 2d7015067 PUD 2d7017067 PMD 1049cc067 PTE 106923061 (jovanbulck/sgx-step issue 45)
    "oops, PGD": (0x2D7015067, 4, Fields(0x2D7015000, True, True, True, False, WB)),
    "oops, PUD": (0x2D7017067, 3, Fields(0x2D7017000, True, True, True, False, WB)),
    "oops, PMD": (0x1049CC067, 2, Fields(0x1049CC000, True, True, True, False, WB)),
    "oops, PTE": (0x106923061, 1, Fields(0x106923000, True, False, False, True, WB)),
    # Linux, arch/x86/include/asm/pgtable_types.h: PAGE_KERNEL is 0x8000000000000163 with accessed, dirty, global and NX
    "PAGE_KERNEL": (0x8000000012345163, 1, Fields(0x12345000, True, True, False, True, WB)),
    "PAGE_KERNEL_LARGE": (0x80000000400001E3, 2, Fields(0x40000000, True, True, False, True, WB)),
    "PAGE_KERNEL_LARGE, 1 GiB": (0x80000000400001E3, 3, Fields(0x40000000, True, True, False, True, WB)),
    "_KERNPG_TABLE": (0x1000063, 2, Fields(0x1000000, True, True, False, False, WB)),
    "PAGE_KERNEL_NOCACHE": (0x80000000FEE0017B, 1, Fields(0xFEE00000, True, True, False, True, UC)),
    "PAGE_KERNEL_IO, write-combining": (0x80000000FD00016B, 1, Fields(0xFD000000, True, True, False, True, WC)),
    # _PAGE_PAT is bit 7 of a page, _PAGE_PAT_LARGE bit 12 of a large one
    "write-through": (0x80000000000001FB, 1, Fields(0, True, True, False, True, WT)),
    "write-protected": (0x80000000000001EB, 1, Fields(0, True, True, False, True, WP)),
    "write-through, large": (0x80000000002011FB, 2, Fields(0x200000, True, True, False, True, WT)),
    # PROT_NONE: not present, and bit 8 says so to Linux alone
    "PROT_NONE": (0x12345120, 1, Fields(0x12345000, False, False, False, True, WB)),
    "nothing": (0, 1, Fields(0, False, False, False, True, WB)),
}


@pytest.mark.parametrize(("value", "level", "fields"), ENTRIES.values(), ids=ENTRIES.keys())
def test_what_linux_writes_is_read_as_linux_means_it(value: int, level: int, fields: Fields) -> None:
    assert code.decode(LINUX, value, level) == fields
    assert law.address_of(value, level) == fields.physical
    assert law.is_leaf(value, level) == fields.leaf
    plain = code.encode(LINUX, fields, level)
    assert plain is not None
    ignored = code.ACCESSED | code.DIRTY | code.GLOBAL | code.EXECUTE_DISABLE
    assert plain == value & ~ignored


def test_the_bits_that_are_not_asked_for_are_read_too() -> None:
    value = ENTRIES["PAGE_KERNEL"][0]
    assert law.is_global(value)
    assert law.is_execute_disabled(value)
    assert not law.is_user(value)
    assert not law.is_global(ENTRIES["oops, PTE"][0])


def test_a_reserved_bit_that_a_processor_found() -> None:
    # error_code(0x000b) - reserved bit violation: PMD 58a30063 PTE 800fffffa7598063 (ssrg-vt/popcorn-kernel issue 85)
    value, processor = 0x800FFFFFA7598063, law.Entries(*LINUX)
    assert law.is_reserved(processor, value, 1)
    assert code.decode(LINUX, value, 1) is None
    assert not law.is_reserved(law.Entries(*WIDEST), value, 1)  # on a processor with 52 bits it is an address
    assert code.decode(WIDEST, value, 1) == Fields(0xFFFFFA7598000, True, True, False, True, WB)
    assert not law.is_reserved(processor, value & ~1, 1)  # so Linux hides where a page was that is not present (L1TF)


# Intel SDM volume 3, tables 4-15 to 4-20: by level and whether the entry is a leaf, the bits that must be 0 up to 39
MUST_BE_ZERO = {
    (1, True): set(),
    (2, True): set(range(13, 21)),
    (3, True): set(range(13, 30)),
    (2, False): set(),
    (3, False): set(),
    (4, False): {7},
}


@pytest.mark.parametrize(("level", "leaf"), MUST_BE_ZERO)
def test_reserved_bits_are_those_of_the_manual(level: int, leaf: bool) -> None:
    base = law.LARGE if leaf and level > 1 else None
    for number in range(64):
        value = 1 | 1 << number | (0 if base is None else 1 << base)
        if law.is_leaf(value, level) != leaf:
            continue  # the bit makes it the other kind
        reserved = number in MUST_BE_ZERO[level, leaf] or 40 <= number < 52
        assert law.is_reserved(law.Entries(*LINUX), value, level) == reserved, number
        assert (code.decode(LINUX, value, level) is None) == reserved, number


def test_what_is_not_present_may_be_refused_or_read() -> None:
    processor, value = law.Entries(*LINUX), 0x2082
    assert law.decode.broken(processor, value=value, level=2) is None
    assert not law.MUST_SUCCEED_IF[law.decode](processor, value, 2)
    assert law.MUST_SUCCEED_IF[law.decode](processor, 0x1082, 2)


def test_entry_256_starts_where_the_upper_half_does() -> None:
    assert [addresses.top_index(each) for each in (0, (1 << 47) - 1, 0xFFFF800000000000, (1 << 64) - 1)] == [
        0,
        255,
        256,
        511,
    ]
    bounds = {0: True, (1 << 47) - 1: True, 1 << 47: False, 0xFFFF7FFFFFFFFFFF: False, 0xFFFF800000000000: True}
    assert {each: bool(addresses.is_canonical(each)) for each in bounds} == bounds
    assert not addresses.is_canonical(1 << 64)
    assert not addresses.is_canonical(-1)
