"""Dumps in kdump's compressed format, plain and flattened."""

from __future__ import annotations

import random

import pytest
from core_file import note
from kdump_file import LZO, PAGE, SNAPPY, ZLIB, ZSTD, flattened, kdump
from page_tables import PageTables
from snapshot_command import Snapshots

from memoracle.snapshot import kdump as kdump_format


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("flags", [ZLIB, 0])
def test_a_dump_says_where_page_tables_begin(snapshots: Snapshots, machine: PageTables, flat: bool, flags: int) -> None:
    whole = kdump(machine.memory(), note(machine.first, name=b"CORE\0") + note(machine.second), flags)
    report = snapshots.dump(flattened(whole) if flat else whole, "--cr3", hex(machine.first))
    assert (report.status, report.document["verdict"], report.document["pages"]) == (0, "conforms", 21)
    assert [each["cr3"] for each in report.document["spaces"]] == [hex(machine.first), hex(machine.second)]
    assert report.document["warnings"] == []


def test_a_frame_is_found_by_its_place_among_those_dumped(
    snapshots: Snapshots, machine: PageTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kdump_format, "CHUNK", 16)
    memory = bytearray(machine.memory(size=4 << 20))
    for frame in range(300, 1000, 7):
        memory[frame * PAGE] = 1
    high = 1001 * PAGE
    machine.words[machine.entry(machine.first, 5 << 30, 3)] = high | 7
    machine.words[high] = 0x5000 | 0x83
    for address, value in machine.words.items():
        memory[address : address + 8] = value.to_bytes(8, "little")
    report = snapshots.dump(kdump(bytes(memory), note(machine.first), flags=0))
    assert report.broken == [("pte.no-reserved-bit-is-set", 0, "0x140000000", 2, hex(high))]


@pytest.mark.parametrize(("flags", "name"), [(LZO, "lzo"), (SNAPPY, "snappy"), (ZSTD, "zstd")])
def test_other_compressions_are_refused_by_name(
    snapshots: Snapshots, machine: PageTables, flags: int, name: str
) -> None:
    report = snapshots.dump(kdump(machine.memory(), note(machine.first), flags))
    assert (report.status, f"its pages are compressed by {name}: only zlib is read" in report.errors) == (2, True)


@pytest.mark.parametrize(
    ("dump", "words"),
    [
        (b"KDUMP   " + b"\0" * 100, "it has no whole header"),
        (kdump(bytes(PAGE), machine=b"aarch64"), "it is a dump of 'aarch64': only a machine in 64-bit mode"),
        (kdump(bytes(PAGE), parts=1), "it is a part of a dump that was split"),
        (kdump(bytes(PAGE))[:PAGE], "its headers state what cannot be"),
        (kdump(bytes(PAGE))[: 2 * PAGE], "it is a dump in kdump's format that holds no memory"),
        (kdump(bytes(PAGE)), "it does not say where page tables begin"),
        (flattened(kdump(bytes(PAGE)))[:30], "it is a dump in makedumpfile's flattened format, damaged or cut"),
        (flattened(b"none" * 300), "it has no whole header"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(snapshots: Snapshots, dump: bytes, words: str) -> None:
    report = snapshots.dump(dump)
    assert (report.status, report.document) == (2, {})
    assert words in report.errors


def test_pages_that_are_cut_off_are_listed_and_counted(snapshots: Snapshots, machine: PageTables) -> None:
    whole = kdump(machine.memory(), note(machine.second))
    report = snapshots.dump(whole[:-100])
    assert (report.document["verdict"], len(report.document["unreadable"])) == ("unknown", 1)
    assert "1 page of it cannot be expanded: the file is damaged or cut" in report.document["warnings"][0]
    report = snapshots.dump(flattened(whole)[:-16])
    assert "the file is cut: the mark at its end is not there" in report.document["warnings"][0]


def test_any_damage_ends_in_a_message_or_a_report(snapshots: Snapshots) -> None:
    tables = PageTables()
    root = tables.space()
    tables.map(root, 0x1000, 0x5000)
    whole = kdump(tables.memory(0, 0x15000), note(root))
    rng, statuses = random.Random(3), set()
    for at in range(60):
        damaged = bytearray(flattened(whole) if at % 2 else whole)
        for _ in range(rng.randrange(1, 4)):
            where = rng.choice([rng.randrange(500), PAGE + rng.randrange(700), rng.randrange(len(damaged))])
            damaged[where] = rng.choice([0, 1, 0x7F, 0xFF, rng.randrange(256)])
        report = snapshots.dump(bytes(damaged[: rng.choice([len(damaged), rng.randrange(1, len(damaged))])]))
        statuses.add(report.status)
        assert "internal error" not in report.errors
    assert {0, 2} <= statuses
