"""Page tables of dumps: what the law allows conforms, and each breach is named with its place."""

from __future__ import annotations

import pytest
from page_tables import HIGH, LINK, UNCACHED, USER, PageTables
from snapshot_command import Snapshots

from memoracle.impl import pte

IN_PLACE, EQUAL = "tables.walks-stay-in-place", "kernel_half.equal-at-rest"
RESERVED, ONE_TYPE = "pte.no-reserved-bit-is-set", "snapshot.one-memory-type"


def test_right_tables_conform(snapshots: Snapshots, machine: PageTables) -> None:
    report = snapshots.of(machine, machine.first, machine.second)
    assert (report.status, report.document["verdict"], report.errors) == (0, "conforms", "")
    assert report.document["warnings"] == report.document["unreadable"] == report.document["divergences"] == []
    assert report.document["pages"] == 16 + 1 + 4
    assert report.document["tables"] == (machine.next - 0x10000) >> 12
    shown = [(each["space"], each["virtual"], each["physical"], each["bytes"]) for each in report.document["mappings"]]
    assert shown == [
        (0, "0x400000", "0xa0000", 0x1000),
        (0, "0x800000", "0x200000", 1 << 21),
        (0, f"{HIGH:#x}", "0x80000", 0x10000),
        (0, f"{HIGH + (1 << 30):#x}", "0x40000000", 1 << 30),
        (1, "0x400000", "0xa1000", 0x1000),
        (1, "0x800000", "0x400000", 1 << 21),
    ]


def test_attributes_are_combined_on_the_way(snapshots: Snapshots) -> None:
    tables = PageTables()
    root = tables.space()
    tables.map(root, 0x1000, 0x5000, USER | pte.GLOBAL | pte.PAT[1] | pte.WRITE_THROUGH)
    tables.map(root, 1 << 39, 0x6000, USER)
    for level, bit in ((4, pte.WRITABLE), (3, pte.USER)):
        tables.words[tables.entry(root, 1 << 39, level)] &= ~bit
    tables.words[tables.entry(root, 1 << 39, 2)] |= pte.EXECUTE_DISABLE
    first, second = snapshots.of(tables, root, arguments=("--pat", "0x0000000000040506")).document["mappings"]
    attributes = ("writable", "user", "executable", "global", "cache")
    assert [first[key] for key in attributes] == [True, True, True, True, "uncacheable"]
    assert [second[key] for key in attributes] == [False, False, False, False, "write-back"]


def test_neighbours_are_one_range_only_if_all_of_them_goes_on(snapshots: Snapshots) -> None:
    tables = PageTables()
    root = tables.space()
    places = ((0x1000, 0x50000), (0x2000, 0x51000), (0x3000, 0x53000), (0x5000, 0x54000), (0x6000, 0x55000))
    for virtual, physical in places:
        tables.map(root, virtual, physical, USER | (pte.PAT[1] if virtual == 0x6000 else 0))
    for virtual, bits in ((2 << 21, 0), (3 << 21, pte.PAT[2]), (1 << 30, 0), (2 << 30, pte.PAT[3])):
        tables.map(root, virtual, virtual << 4, USER | bits, 2 if virtual < 1 << 30 else 3)
    report = snapshots.of(tables, root, arguments=("--pat", "WB WT UC- UC WC WP UC- WT"))
    shown = [(each["virtual"], each["bytes"], each["cache"]) for each in report.document["mappings"]]
    assert shown == [
        ("0x1000", 0x2000, "write-back"),
        ("0x3000", 0x1000, "write-back"),
        ("0x5000", 0x1000, "write-back"),
        ("0x6000", 0x1000, "write-combining"),
        ("0x400000", 1 << 21, "write-back"),
        ("0x600000", 1 << 21, "write-combining"),
        ("0x40000000", 1 << 30, "write-back"),
        ("0x80000000", 1 << 30, "write-combining"),
    ]


# Kernel halves


@pytest.mark.parametrize("index", [256, 300, 511])
def test_a_kernel_half_that_differs_is_named(snapshots: Snapshots, machine: PageTables, index: int) -> None:
    place = machine.second + 8 * index
    machine.words[place] = machine.table() | LINK
    report = snapshots.of(machine, machine.first, machine.second)
    virtual = (1 << 64) - (512 - index << 39)
    assert report.broken == [(EQUAL, 1, f"{virtual:#x}", 4, f"{place:#x}")]
    assert "an update of this entry may be in flight" in report.document["divergences"][0]["message"]
    assert report.status == 1


def test_entries_that_differ_are_each_named(snapshots: Snapshots, machine: PageTables) -> None:
    del machine.words[machine.second + 8 * 256]
    machine.words[machine.second + 8 * 400] = 0xFF000 | LINK
    report = snapshots.of(machine, machine.first, machine.second)
    assert report.clauses == [EQUAL, EQUAL]
    assert "in flight" not in report.document["divergences"][0]["message"]


def test_what_only_later_spaces_have_of_the_kernel_half_is_shared_by_them(
    snapshots: Snapshots, machine: PageTables
) -> None:
    third = machine.space(machine.second)
    for root in (machine.second, third):
        machine.words[root + 8 * 400] = 0xFF000 | LINK
    report = snapshots.of(machine, machine.first, machine.second, third)
    assert [found[:2] for found in report.broken] == [(EQUAL, 1), (EQUAL, 2)]


def test_accessed_bits_are_the_processors_and_no_difference(snapshots: Snapshots, machine: PageTables) -> None:
    machine.words[machine.second + 8 * 256] |= pte.ACCESSED
    assert snapshots.of(machine, machine.first, machine.second).document["verdict"] == "conforms"


def test_an_entry_that_links_its_own_table_is_recognised(snapshots: Snapshots, machine: PageTables) -> None:
    for root in (machine.first, machine.second):
        machine.words[root + 8 * 510] = root | LINK
    report = snapshots.of(machine, machine.first, machine.second)
    assert (report.status, report.document["verdict"]) == (0, "conforms")
    [warning] = report.document["warnings"]
    assert warning.startswith("entry 510 of the PML4 of spaces 0 and 1 links that PML4 itself")
    del machine.words[machine.second + 8 * 510]
    assert snapshots.of(machine, machine.first, machine.second).clauses == [EQUAL]


# Reserved bits


@pytest.mark.parametrize(
    ("level", "bit"), [(4, pte.LARGE), (4, 1 << 51), (3, 1 << 40), (2, 1 << 51), (1, 1 << 40), (1, 1 << 51)]
)
def test_a_reserved_bit_is_named(snapshots: Snapshots, machine: PageTables, level: int, bit: int) -> None:
    place = machine.entry(machine.second, 0x400000, level)
    machine.words[place] |= bit
    geometry = snapshots.folder / "geometry.toml"
    geometry.write_text('preset = "x64-4k"\nframes = 4096\nphysical_address_bits = 40\n', encoding="utf-8")
    report = snapshots.of(machine, machine.first, machine.second, arguments=("--geometry", str(geometry)))
    virtual = 0x400000 >> 9 * level + 3 << 9 * level + 3
    assert report.broken == [(RESERVED, 1, f"{virtual:#x}", level, f"{place:#x}")]
    assert f"reserved bit {bit.bit_length() - 1} of level {level} set" in report.document["divergences"][0]["message"]


@pytest.mark.parametrize(("level", "bits"), [(2, 1 << 13), (2, 1 << 20), (3, 1 << 13), (3, 1 << 29)])
def test_a_large_page_that_is_not_aligned_has_reserved_bits(
    snapshots: Snapshots, machine: PageTables, level: int, bits: int
) -> None:
    place = machine.map(machine.first, 5 << 30, (7 << 30) | bits, USER, level)
    assert snapshots.of(machine, machine.first).broken == [(RESERVED, 0, f"{5 << 30:#x}", level, f"{place:#x}")]


def test_an_entry_that_is_not_present_may_have_any_bits(snapshots: Snapshots, machine: PageTables) -> None:
    for level in (1, 2, 3, 4):
        table = machine.entry(machine.first, 0x400000, level) & ~0xFFF
        machine.words[table + 8 * 77] = (1 << 64) - 2
    assert snapshots.of(machine, machine.first, machine.second).document["verdict"] == "conforms"


# Memory types


@pytest.mark.parametrize(("level", "size"), [(1, 1 << 12), (2, 1 << 21), (3, 1 << 30)])
def test_a_frame_with_two_memory_types_is_named(
    snapshots: Snapshots, machine: PageTables, level: int, size: int
) -> None:
    place = machine.map(machine.second, 9 << 30, (1 << 30 if level > 2 else 0x400000), USER | UNCACHED, level)
    if level == 1:
        machine.words[place] = 0x401000 | USER | UNCACHED
    report = snapshots.of(machine, machine.first, machine.second)
    named = [each for each in report.broken if each[:3] == (ONE_TYPE, 1, f"{9 << 30:#x}")]
    assert named == [(ONE_TYPE, 1, f"{9 << 30:#x}", level, f"{place:#x}")] or level > 1
    assert set(report.clauses) == {ONE_TYPE}
    found = report.document["divergences"][0]
    assert "12.12.4" in found["source"]
    assert "write-combining" in found["message"]
    assert "write-back" in found["message"]


def test_another_index_of_the_same_type_is_no_disagreement(snapshots: Snapshots, machine: PageTables) -> None:
    machine.map(machine.second, 9 << 30, 0xA0000, USER | pte.PAT[1])  # index 4 is write-back, as index 0 is
    assert snapshots.of(machine, machine.first, machine.second).document["verdict"] == "conforms"


def test_uncached_and_uncacheable_may_be_alike(snapshots: Snapshots, machine: PageTables) -> None:
    machine.map(machine.first, 9 << 30, 0xF0000, USER | pte.CACHE_DISABLE)
    machine.map(machine.second, 9 << 30, 0xF0000, USER | pte.CACHE_DISABLE | pte.WRITE_THROUGH)
    report = snapshots.of(machine, machine.first, machine.second, arguments=("--pat", "0x0007040600070406"))
    assert report.document["verdict"] == "conforms"
    [warning] = report.document["warnings"]
    assert "both uncacheable and uncached" in warning


# Tables that are reached twice


def test_a_table_that_is_linked_twice_in_one_space_is_named(snapshots: Snapshots, machine: PageTables) -> None:
    table = machine.words[machine.entry(machine.first, 0x400000, 2)]
    place = machine.entry(machine.first, 7 << 30, 2)
    machine.words[place] = table
    report = snapshots.of(machine, machine.first, machine.second)
    assert report.broken == [(IN_PLACE, 0, f"{7 << 30:#x}", 2, f"{place:#x}")]
    assert f"{table & pte.ADDRESS:#x}" in report.document["divergences"][0]["message"]


@pytest.mark.parametrize("level", [4, 3, 2])
def test_a_table_of_two_lower_halves_is_named(snapshots: Snapshots, machine: PageTables, level: int) -> None:
    place = machine.entry(machine.second, 0x400000, level)
    machine.words[place] = machine.words[machine.entry(machine.first, 0x400000, level)]
    report = snapshots.of(machine, machine.first, machine.second)
    assert report.broken == [(IN_PLACE, 1, f"{(0x400000, 0, 0)[level - 2]:#x}", level, f"{place:#x}")]


def test_a_table_of_both_halves_is_named(snapshots: Snapshots, machine: PageTables) -> None:
    machine.words[machine.first + 8] = machine.words[machine.first + 8 * 256]
    assert snapshots.of(machine, machine.first).broken == [
        (IN_PLACE, 0, f"{HIGH:#x}", 4, f"{machine.first + 0x800:#x}")
    ]


@pytest.mark.parametrize("level", [3, 2])
def test_a_table_that_links_itself_ends(snapshots: Snapshots, machine: PageTables, level: int) -> None:
    table = machine.entry(machine.first, 0x400000, level) & ~0xFFF
    machine.words[table + 8 * 100] = table | USER
    report = snapshots.of(machine, machine.first)
    assert report.broken == [(IN_PLACE, 0, f"{100 << 9 * level + 3:#x}", level, f"{table + 800:#x}")]


@pytest.mark.parametrize("of", [0, 1])
def test_a_table_that_links_a_pml4_is_named(snapshots: Snapshots, machine: PageTables, of: int) -> None:
    place = machine.entry(machine.first, 7 << 30, 3)
    machine.words[place] = (machine.first, machine.second)[of] | USER
    assert snapshots.of(machine, machine.first, machine.second).broken == [
        (IN_PLACE, 0, f"{7 << 30:#x}", 3, f"{place:#x}")
    ]


# What is shown, and no divergence


def test_frames_that_two_lower_halves_write_are_listed(snapshots: Snapshots, machine: PageTables) -> None:
    third = machine.space(machine.first)
    for root, page in ((machine.second, 9 << 30), (third, 8 << 30)):
        for number in range(3):
            machine.map(root, page + (number << 12), 0xA0000 + (number << 12), USER)
    machine.map(third, 7 << 30, 0xA5000, USER & ~pte.WRITABLE)  # shared, and one of them cannot write it
    machine.map(machine.second, 7 << 30, 0xA5000, USER)
    machine.map(third, 6 << 30, 0xA6000, USER)
    for root in (machine.first, machine.second, third):  # the kernel's own mapping counts for none
        machine.words[root + 8 * 300] = 0xF0000 | LINK
    for place, value in ((0xF0000, 0xF1000), (0xF1000, 0xF2000), (0xF2000, 0xA6000)):
        machine.words[place] = value | LINK
    report = snapshots.of(machine, machine.first, machine.second, third)
    assert report.document["verdict"] == "conforms"
    shared = [(each["physical"], each["bytes"], each["spaces"]) for each in report.document["writable_in_several"]]
    assert shared == [("0xa0000", 0x1000, [0, 1, 2]), ("0xa1000", 0x2000, [1, 2])]


def test_kernel_pages_that_users_reach_are_a_warning(snapshots: Snapshots, machine: PageTables) -> None:
    root = machine.first
    machine.map(root, HIGH + (5 << 30), 0xB0000, USER)
    assert snapshots.of(machine, root).document["warnings"] == []  # the entries above do not allow it
    for level in (4, 3, 2):
        machine.words[machine.entry(root, HIGH + (5 << 30), level)] |= pte.USER
    report = snapshots.of(machine, root)
    assert (report.status, report.document["verdict"]) == (0, "conforms")
    assert "users reach 1 range of the upper half" in report.document["warnings"][0]
    assert f"{HIGH + (5 << 30):#x}" in report.document["warnings"][0]
