"""Tables of five levels (CR4.LA57; Intel SDM volume 3, 4.5): the law says of them what it says of four."""

from __future__ import annotations

import pytest
from core_file import core, note
from page_tables import LINK, PageTables, index
from snapshot_command import Report, Snapshots

from memoracle.impl import pte

KERNEL = 0xFF00_0000_0000_0000  # where the upper half begins
FAR = 0x00A5_8123_4560_0000  # an address that four levels do not have
LA57 = 0x1020  # of CR4


class Machine(PageTables):
    """Two spaces with one kernel half, and a page of each far up in its lower half."""

    def __init__(self) -> None:
        super().__init__(levels=5)
        self.first = self.space()
        for page in range(16):
            self.map(self.first, KERNEL + (page << 12), 0x80000 + (page << 12))
        self.second = self.space(self.first)
        for number, root in enumerate((self.first, self.second)):
            self.map(root, FAR, 0xA0000 + (number << 12), LINK | pte.USER)


@pytest.fixture
def five() -> Machine:
    return Machine()


def judged(snapshots: Snapshots, tables: Machine) -> Report:
    return snapshots.of(tables, tables.first, tables.second, arguments=("--la57",))


def test_right_tables_conform_and_are_walked_to_their_pages(snapshots: Snapshots, five: Machine) -> None:
    report = judged(snapshots, five)
    assert (report.status, report.document["pages"], report.document["tables"]) == (0, 18, 2 + 4 + 2 * 4)
    assert [(each["space"], each["virtual"], each["physical"]) for each in report.document["mappings"]] == [
        (0, f"{FAR:#x}", "0xa0000"),
        (0, f"{KERNEL:#x}", "0x80000"),
        (1, f"{FAR:#x}", "0xa1000"),
    ]


def test_registers_say_how_many_levels_there_are(snapshots: Snapshots, five: Machine) -> None:
    notes = note(five.first, cr4=LA57) + note(five.second, cr4=LA57)
    report = snapshots.dump(core([(0, five.memory())], notes))
    assert (report.status, report.document["pages"]) == (0, 18)
    report = snapshots.dump(core([(0, five.memory())], note(five.first, cr4=LA57) + note(five.second)))
    assert "CR4 of a processor is 0x20, by which tables have 4 levels, but another processor says otherwise" in (
        report.errors
    )
    report = snapshots.dump(core([(0, five.memory())], note(five.first)), "--la57")
    assert (report.status, "by which tables have 4 levels, but --la57 says otherwise" in report.errors) == (2, True)


def test_an_entry_of_the_kernel_half_that_differs_is_named(snapshots: Snapshots, five: Machine) -> None:
    entry = five.second + 8 * 300
    five.words[entry] = five.table() | LINK
    assert judged(snapshots, five).broken == [
        ("kernel_half.equal-at-rest", 1, f"{KERNEL + (44 << 48):#x}", 5, hex(entry))
    ]


@pytest.mark.parametrize("level", [5, 4, 2])
def test_a_reserved_bit_is_named_with_its_level(snapshots: Snapshots, five: Machine, level: int) -> None:
    entry = five.entry(five.first, FAR, level)
    five.words[entry] |= 1 << 7 if level > 3 else 1 << 7 | 1 << 13
    report = judged(snapshots, five)
    [(clause, space, virtual, found, where)] = report.broken
    assert (clause, space, found, where) == ("pte.no-reserved-bit-is-set", 0, level, hex(entry))
    assert int(virtual, 16) == FAR >> 3 + 9 * level << 3 + 9 * level
    assert f"of level {level} set" in report.document["divergences"][0]["message"]


@pytest.mark.parametrize("level", [4, 3, 1])
def test_a_table_that_two_entries_of_a_pml5_lead_to_is_named(snapshots: Snapshots, five: Machine, level: int) -> None:
    other = FAR ^ 1 << 50  # it differs in the upper bits alone, which four levels do not have
    entry = five.entry(five.first, other, level + 1)
    five.words[entry] = five.words[five.entry(five.first, FAR, level + 1)]
    [broken] = judged(snapshots, five).broken
    assert broken[0] == "tables.walks-stay-in-place"
    assert broken[3] == level + 1


def test_a_table_of_two_lower_halves_is_named(snapshots: Snapshots, five: Machine) -> None:
    entry = five.second + 8 * index(FAR, 5)
    five.words[entry] = five.words[five.first + 8 * index(FAR, 5)]
    assert judged(snapshots, five).broken == [("tables.walks-stay-in-place", 1, f"{FAR >> 48 << 48:#x}", 5, hex(entry))]


def test_an_entry_that_links_its_own_pml5_is_recognised(snapshots: Snapshots, five: Machine) -> None:
    for root in (five.first, five.second):
        five.words[root + 8 * 511] = root | LINK
    report = judged(snapshots, five)
    words = "entry 511 of the PML5 of spaces 0 and 1 links that PML5 itself: what it maps, the tables, is not judged"
    assert (report.status, report.document["warnings"]) == (0, [words])
