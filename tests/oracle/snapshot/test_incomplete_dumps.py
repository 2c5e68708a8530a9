"""Dumps that lack tables, or hold what no kernel wrote: each walk comes to an end, and says what it did not see."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import pytest
from page_tables import LINK, UNCACHED, USER, PageTables
from snapshot_command import Snapshots

from memoracle.cli import main
from memoracle.impl import pte
from memoracle.snapshot import mappings, walk

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
