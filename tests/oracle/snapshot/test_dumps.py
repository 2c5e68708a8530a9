"""Dumps of memory as files: what they are is known by their content, and what is wrong with them is said."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
from core_file import core, note
from page_tables import PageTables
from snapshot_command import Snapshots

from memoracle.impl import pte

DATA = Path(__file__).parents[2] / "data" / "qemu"


def test_a_core_says_where_page_tables_begin(snapshots: Snapshots, machine: PageTables) -> None:
    memory = machine.memory()
    notes = note(machine.first) + note(0, cr0=0x60000010) + note(machine.second | 5, name=b"QEMU\0")
    report = snapshots.dump(core([(0, memory[:0x12000]), (0x12000, memory[0x12000:])], notes))
    assert (report.status, report.document["verdict"]) == (0, "conforms")
    assert [each["cr3"] for each in report.document["spaces"]] == [hex(machine.first), hex(machine.second)]
    [warning] = report.document["warnings"]
    assert "memory: a processor does not page (CR0.PG is 0): its CR3, 0x0, is not used" in warning


def test_stated_spaces_come_before_those_of_the_notes(snapshots: Snapshots, machine: PageTables) -> None:
    report = snapshots.dump(core([(0, machine.memory())], note(machine.first)), "--cr3", hex(machine.second))
    assert [each["cr3"] for each in report.document["spaces"]] == [hex(machine.second), hex(machine.first)]


def test_notes_of_others_name_no_space(snapshots: Snapshots, machine: PageTables) -> None:
    notes = note(machine.second, name=b"CORE\0") + note(machine.first)
    report = snapshots.dump(core([(0, machine.memory())], notes))
    assert [each["cr3"] for each in report.document["spaces"]] == [hex(machine.first)]


def test_a_note_is_not_read_whatever_size_it_states(snapshots: Snapshots) -> None:
    path = snapshots.folder / "memory"
    with path.open("wb") as file:
        file.write(core([(0, b"\0" * 4096)], note(0)[:4] + (1 << 30).to_bytes(4, "little") + note(0)[8:]))
        file.truncate(2 << 30)
    report = snapshots.run(str(path))
    assert report.status == 2
    assert "damaged or cut: it states a record of 1,073,741,824 bytes" in report.errors


def test_pieces_may_overlap_and_leave_gaps(snapshots: Snapshots, machine: PageTables) -> None:
    memory = machine.memory()
    inner, wrong = (0x12000, memory[0x12000:0x13000]), b"\1" * 4096
    pieces = [(0x13000, memory[0x13000:0x30000]), (0x10000, memory[0x10000:0x14000]), (0x900000, wrong), inner]
    report = snapshots.dump(core(pieces, note(machine.first) + note(machine.second)))
    assert (report.status, report.document["pages"]) == (0, 21)
    report = snapshots.dump(core([(0, memory), inner], note(machine.first) + note(machine.second)))
    assert (report.status, report.document["pages"]) == (0, 21)
    report = snapshots.dump(core([pieces[0], (0x10000, memory[0x10000:0x12000])], note(machine.first)))
    assert [each["table"] for each in report.document["unreadable"]] == ["0x12000"]


def test_a_core_that_is_cut_is_read_as_far_as_it_goes(snapshots: Snapshots, machine: PageTables) -> None:
    whole = core([(0, machine.memory())], note(machine.first))
    report = snapshots.dump(whole[: -(0x100000 - 0x12000)])
    assert report.document["verdict"] == "unknown"
    assert "the file ends after 73,728 of the 1,048,576 bytes of memory from 0x0" in report.document["warnings"][0]


@pytest.mark.parametrize(
    ("dump", "words"),
    [
        (b"", "it is empty"),
        (core([], note(0)), "it is a core that holds no memory"),
        (core([(0, b"\0" * 4096)], kind=2), "it is an ELF file, but no core"),
        (core([(0, b"\0" * 4096)], machine=3), "it is a core of EM_386: only a machine in 64-bit mode"),
        (core([(0, b"\0" * 4096)]), "it does not say where page tables begin"),
        (b"\x7fELF" + b"\0" * 100, "it is an ELF file that is damaged or cut"),
        (b"\0" * 4096, "it does not say where page tables begin: --cr3 ADDRESS does"),
        (gzip.compress(b"\0" * 4096, mtime=0), "it is compressed, and no text: a dump must be expanded first"),
        (gzip.compress(b"x" * 5000, mtime=0), "it is compressed, and no text: a dump must be expanded first"),
        (gzip.compress(b"once upon a time\n", mtime=0), "neither a dump of memory nor a text"),
        (b"once upon a time\n", "neither a dump of memory nor a text"),
    ],
)
def test_what_is_no_dump_is_refused_by_name(snapshots: Snapshots, dump: bytes, words: str) -> None:
    report = snapshots.dump(dump)
    assert (report.status, report.document) == (2, {})
    assert words in report.errors
    assert str(snapshots.folder / "memory") in report.errors


def test_any_damage_of_a_core_ends_in_a_message_or_a_report(snapshots: Snapshots) -> None:
    tables = PageTables()
    root = tables.space()
    tables.map(root, 0x1000, 0x5000)
    whole = core([(0x10000, tables.memory(0x10000, 0x4000))], note(root))
    rng = random.Random(3)
    statuses = set()
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            damaged[rng.randrange(300)] = rng.choice([0, 1, 0x7F, 0xFF, rng.randrange(256)])
        report = snapshots.dump(bytes(damaged[: rng.choice([len(damaged), rng.randrange(1, len(damaged))])]))
        statuses.add(report.status)
        assert "internal error" not in report.errors
    assert {0, 2} <= statuses


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "a DUMP was expected, or --qmp SOCKET, and not both"),
        (["a", "--qmp", "b"], "a DUMP was expected, or --qmp SOCKET, and not both"),
        (["--qmp", "b", "--base", "0"], "it is for a raw dump, not for --qmp"),
        (["--qmp", "none"], "none: cannot connect: No such file or directory"),
        (["none", "--cr3", "0"], "none: cannot read: No such file or directory"),
        ([str(DATA), "--cr3", "0"], "cannot read: Is a directory"),
        (["-", "--cr3", "0", "--base", "0"], "a dump cannot be read from standard input"),
        (["none", "--cr3", "one"], "argument --cr3: a number of 64 bits was expected, such as 0x1000"),
        (["none", "--cr3", "0x10000000000000000"], "argument --cr3: a number of 64 bits was expected"),
        (["none", "--pat", "2"], "argument --pat: 0x2 is no value of IA32_PAT: some byte is no memory type"),
        (["none", "--base", "-1"], "argument --base: "),
    ],
)
def test_wrong_usage_is_refused_by_name(snapshots: Snapshots, arguments: list[str], words: str) -> None:
    report = snapshots.run(*arguments)
    assert (report.status, report.document) == (2, {})
    assert words in report.errors


@pytest.mark.parametrize("cr3", [1 << 52, 1 << 60, 1 << 63])
def test_what_is_no_cr3_is_refused(snapshots: Snapshots, machine: PageTables, cr3: int) -> None:
    report = snapshots.of(machine, cr3)
    assert report.status == 2
    assert f"--cr3: {cr3:#x} is no CR3 where physical addresses have 52 bits" in report.errors


def test_a_cr3_past_the_physical_addresses_is_refused(snapshots: Snapshots, machine: PageTables) -> None:
    geometry = snapshots.folder / "geometry.toml"
    geometry.write_text('preset = "x64-4k"\nframes = 4096\nphysical_address_bits = 36\n', encoding="utf-8")
    report = snapshots.of(machine, 1 << 36, arguments=("--geometry", str(geometry)))
    assert "--cr3: 0x1000000000 is no CR3 where physical addresses have 36 bits" in report.errors


def test_a_processor_of_32_bits_is_known_by_its_names(snapshots: Snapshots, machine: PageTables) -> None:
    text = snapshots.folder / "registers"
    text.write_text(
        "EIP=801039af EFL=00000046\nCR0=80010011 CR2=00000000 CR3=003ff000 CR4=00000010\n", encoding="utf-8"
    )
    report = snapshots.of(machine, 0, arguments=("--registers", str(text)))
    assert f"{text}:2: a processor is not in 64-bit mode" in report.errors


def test_two_dumps_are_not_read_at_once(snapshots: Snapshots, machine: PageTables) -> None:
    report = snapshots.dump(machine.memory(), str(DATA / "info-mem-x86_64-linux.txt"), "--cr3", "0")
    assert "one dump is read at a time; only texts may be several" in report.errors


def test_base_says_that_a_dump_is_raw_whatever_it_begins_with(snapshots: Snapshots, machine: PageTables) -> None:
    report = snapshots.dump(b"\x7fELF" + machine.memory()[4:], "--base", "0", "--cr3", hex(machine.first))
    assert report.document["verdict"] == "conforms"


# Registers


def test_registers_name_spaces(snapshots: Snapshots, machine: PageTables) -> None:
    text = snapshots.folder / "registers"
    lines = [
        f"CPU#{number}\nRIP=ffffffff81bb15ce RFL=00000206\nCR0={cr0} CR2=0 CR3={cr3:016x} CR4=00370ef0\nEFER={efer}\n"
        for number, (cr0, cr3, efer) in enumerate(
            [("80050033", machine.second | 3, "d01"), ("60000010", 0, "0"), ("80050033", machine.first, "501")]
        )
    ]
    text.write_text("".join(lines), encoding="utf-8")
    report = snapshots.of(machine, arguments=("--registers", str(text)))
    assert [each["cr3"] for each in report.document["spaces"]] == [hex(machine.second), hex(machine.first)]
    [warning] = report.document["warnings"]
    assert warning.startswith(f"{text}:7: a processor does not page")


@pytest.mark.parametrize(("efer", "found"), [("500", 1), ("d00", 0)])
def test_bit_63_is_reserved_where_registers_say_so(
    snapshots: Snapshots, machine: PageTables, efer: str, found: int
) -> None:
    text = snapshots.folder / "registers"
    text.write_text(f"CR0=80050033 CR2=0 CR3={machine.first:x} CR4=20\nEFER={efer}\n", encoding="utf-8")
    place = machine.entry(machine.first, 0x400000, 2)
    machine.words[place] |= pte.EXECUTE_DISABLE
    report = snapshots.of(machine, arguments=("--registers", str(text)))
    rule = ("snapshot.execute-disable-is-reserved", 0, "0x400000", 2, hex(place))
    assert (report.status, report.broken) == (found, [rule] * found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("info-registers-i386-xv6", ":12: a processor is not in 64-bit mode"),
        ("info-tlb-x86_64-osdevnotes", ": no CR3 in it: what `info registers` says was expected"),
    ],
)
def test_registers_of_other_paging_are_refused(
    snapshots: Snapshots, machine: PageTables, text: str, words: str
) -> None:
    path = str(DATA / f"{text}.txt")
    report = snapshots.of(machine, arguments=("--registers", path))
    assert report.status == 2
    assert f"memoracle: {path}{words}" in report.errors


@pytest.mark.parametrize(("text", "cr3"), [("linux-tcg-pcid", 0x260C000), ("pagefault-dint", 0x3BD8000)])
def test_registers_of_real_machines_are_read(snapshots: Snapshots, machine: PageTables, text: str, cr3: int) -> None:
    report = snapshots.of(machine, arguments=("--registers", str(DATA / f"info-registers-x86_64-{text}.txt")))
    assert report.status == 4
    assert report.document["unreadable"][0]["table"] == hex(cr3)


# The page attribute table


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("[    0.1] x86/PAT: Configuration [0-7]: WB  WC  UC- UC  WB  WP  UC- WT  ", 0x0407050600070106),
        ("x86/PAT: Configuration [0-7]: WB  WT  UC- UC  WC  WP  UC  UC  ", 0x0000050100070406),
        ("x86 PAT enabled: cpu 0, old 0x7040600070406, new 0x7010600070106", 0x0007010600070106),
    ],
)
def test_what_linux_says_of_its_table_is_taken(
    snapshots: Snapshots, machine: PageTables, line: str, value: int
) -> None:
    text = snapshots.folder / "log"
    text.write_text(f"x86/PAT: MTRRs disabled\n{line}\n", encoding="utf-8")
    stated = ("--registers", str(text))
    assert snapshots.of(machine, machine.first, arguments=stated).document["pat_register"] == f"{value:#018x}"
    names = ("--pat", "WB WT UC- UC WB WT UC- UC")
    register = "0x0007040600070406"
    assert snapshots.of(machine, machine.first, arguments=(*stated, *names)).document["pat_register"] == register


def test_a_table_with_what_is_no_type_is_refused(snapshots: Snapshots, machine: PageTables) -> None:
    text = snapshots.folder / "log"
    text.write_text("x86 PAT enabled: cpu 0, old 0x7040600070406, new 0x2\n", encoding="utf-8")
    assert (
        f"{text}: 0x2 is no value of IA32_PAT" in snapshots.of(machine, 0, arguments=("--registers", str(text))).errors
    )
    assert "argument --pat: a number of 64 bits was expected" in snapshots.run("none", "--pat", "WB WT").errors
