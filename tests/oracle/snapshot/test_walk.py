"""Page tables of dumps: what the law allows conforms, and each breach is named with its place."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import pytest
from page_tables import HIGH, LINK, PageTables
from snapshot_command import Snapshots

from memoracle.cli import main
from memoracle.impl import pte
from memoracle.snapshot import mappings, walk

IN_PLACE, EQUAL = "tables.walks-stay-in-place", "kernel_half.equal-at-rest"
RESERVED, ONE_TYPE = "pte.no-reserved-bit-is-set", "snapshot.one-memory-type"
UNCACHED = pte.CACHE_DISABLE  # of the geometry's table: write-combining
USER = LINK | pte.USER


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


# What a dump does not hold


def test_tables_that_are_not_there_are_listed_and_the_verdict_is_unknown(
    snapshots: Snapshots, machine: PageTables
) -> None:
    place = machine.entry(machine.second, 9 << 30, 3)
    machine.words[place] = 0x7654000 | USER
    report = snapshots.of(machine, machine.first, machine.second)
    assert (report.status, report.document["verdict"]) == (3, "unknown")
    due = {"space": 1, "table": "0x7654000", "virtual": f"{9 << 30:#x}", "level": 3, "entry": f"{place:#x}"}
    assert report.document["unreadable"] == [due]
    machine.words[machine.first + 8 * 300] = 0xFF000 | LINK
    assert snapshots.of(machine, machine.first, machine.second).status == 1


def test_where_no_pml4_is_there_nothing_is_checked(snapshots: Snapshots, machine: PageTables) -> None:
    report = snapshots.of(machine, 0x7000000)
    assert (report.status, report.document["verdict"]) == (4, "nothing")
    assert report.document["unreadable"] == [
        {"space": 0, "table": "0x7000000", "virtual": None, "level": None, "entry": None}
    ]
    report = snapshots.of(machine, 0x7000000, machine.first)
    assert (report.status, report.document["verdict"]) == (3, "unknown")


def test_a_dump_may_begin_anywhere(snapshots: Snapshots, machine: PageTables) -> None:
    base = 0x10000
    report = snapshots.dump(
        machine.memory(base, machine.next - base), "--base", hex(base), "--cr3", hex(machine.first), "--cr3", "0x15000"
    )
    assert report.document["tables"] > 4
    cut = machine.memory(base, machine.next - base - 1)  # the last table is not whole
    report = snapshots.dump(cut, "--base", hex(base), "--cr3", hex(machine.first), "--cr3", hex(machine.second))
    assert [each["table"] for each in report.document["unreadable"]] == [hex(machine.next - 0x1000)]


def test_bits_of_cr3_that_are_no_address_are_masked_and_a_space_counts_once(
    snapshots: Snapshots, machine: PageTables
) -> None:
    report = snapshots.of(machine, machine.first, machine.first | 0x18, machine.first | 0xABC | 3 << 61)
    assert report.document["spaces"] == [{"space": 0, "cr3": f"{machine.first:#x}", "file": None}]


# Hostile dumps


def test_any_memory_comes_to_an_end_with_a_report(snapshots: Snapshots) -> None:
    rng = random.Random(7)
    for _ in range(4):
        words = [rng.randrange(12) << 12 | rng.choice([0, 3, 7, 0x83, 0x9F, 1 << 63 | 7]) for _ in range(12 * 512)]
        memory = b"".join(word.to_bytes(8, "little") for word in words)
        report = snapshots.dump(memory, "--cr3=0", "--cr3=0x3000")
        assert report.status == 1
        assert len(report.document["divergences"]) <= 1000


@pytest.mark.parametrize("kind", ["random", "text"])
def test_what_is_no_pml4_is_said_and_adds_little(snapshots: Snapshots, machine: PageTables, kind: str) -> None:
    rng = random.Random(8)
    page = rng.randbytes(4096) if kind == "random" else (b"once upon a time there was a kernel, " * 200)[:4096]
    memory = bytearray(machine.memory())
    memory[0x90000:0x91000] = page
    spaces = [f"--cr3={root:#x}" for root in (0x90000, machine.first, machine.second)]
    report = snapshots.dump(bytes(memory), *spaces)
    assert (report.status, len(report.document["divergences"])) == ((1, 4) if kind == "random" else (3, 0))
    assert report.document["pages"] == 21
    assert 1 <= len(report.document["unreadable"]) <= 4
    [warning] = report.document["warnings"]
    assert "space 0: what is at 0x90000 does not look like a PML4: of" in warning


def test_what_is_too_much_is_said(snapshots: Snapshots, machine: PageTables, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = "there is more in it than is looked at: it is judged in part"
    for module, limit, value in ((walk, "MOST_TABLES", 6), (mappings, "MOST", 3)):
        with monkeypatch.context() as patched:
            patched.setattr(module, limit, value)
            report = snapshots.of(machine, machine.first, machine.second)
        assert (report.status, report.document["verdict"]) == (3, "unknown")
        assert report.document["warnings"] == [cut]


def test_a_walk_that_finds_ever_more_ends(
    snapshots: Snapshots, machine: PageTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "MOST_FOUND", 300)
    table = machine.entry(machine.first, 0x400000, 1) & ~0xFFF
    for index in range(512):
        machine.words[table + 8 * index] = pte.PRESENT | 1 << 51
    arguments = ("--geometry", str(snapshots.folder / "geometry.toml"))
    Path(arguments[1]).write_text('preset = "x64-4k"\nframes = 4096\nphysical_address_bits = 40\n', encoding="utf-8")
    report = snapshots.of(machine, machine.first, arguments=arguments)
    assert report.status == 1
    assert len(report.document["divergences"]) == 200
    assert any(
        "300 divergences of pte.no-reserved-bit-is-set: the first 200" in each for each in report.document["warnings"]
    )


def test_a_dump_of_4_gib_is_not_read_whole(snapshots: Snapshots, machine: PageTables) -> None:
    base = (4 << 30) - 0x100000
    for address, value in list(machine.words.items()):
        moved = value if value & pte.LARGE or value & pte.ADDRESS >= 0x80000 else value + base
        machine.words[address] = moved
    path = snapshots.folder / "memory"
    with path.open("wb") as file:
        file.seek(base)
        file.write(machine.memory())
    tracemalloc.start()
    report = snapshots.run(str(path), f"--cr3={base + machine.first:#x}", f"--cr3={base + machine.second:#x}")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (report.status, report.document["pages"]) == (0, 21)
    assert most < 16 << 20


def test_a_report_for_people_says_where_and_by_which_rule(
    snapshots: Snapshots, machine: PageTables, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.map(machine.second, 9 << 30, 0xA0000, USER | UNCACHED)
    machine.map(machine.second, 8 << 30, 0xA0000, USER)
    machine.words[machine.second + 8 * 3] = 0x7654000 | USER
    path = snapshots.folder / "memory"
    path.write_bytes(machine.memory())
    assert main(["snapshot", str(path), f"--cr3={machine.first:#x}", f"--cr3={machine.second:#x}"]) == 1
    captured = capsys.readouterr()
    assert "--pat gives another" in captured.err
    for words in (
        f"{path}: space 1, 0x240000000, level 1: the entry at",
        "rule   two mappings of one frame have the same memory type [snapshot.one-memory-type]",
        "seen   the frame at 0xa0000 is write-combining here, but write-back at",
        "unreadable: space 1, 0x18000000000, level 4: the entry at",
        f"{path}: diverges: 1 divergence in 2 address spaces, ",
        "; 1 table cannot be read",
        "│ 0xa0000  │ 0x1000 │ 0 and 1 │",
        "write-combining",
    ):
        assert words in captured.out
