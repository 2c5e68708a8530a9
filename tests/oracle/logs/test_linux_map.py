from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoracle.impl.boot import Record
from memoracle.logs.choice import chosen
from memoracle.logs.memory_maps import MemoryMap, holds_maps, read_maps
from memoracle.trace.inputs import InputError, open_lines

LOGS = sorted((Path(__file__).parents[2] / "data" / "e820").glob("*.txt"))
TOP = 1 << 64


def maps(text: str) -> list[MemoryMap]:
    return read_maps("boot.log", text.encode().splitlines(keepends=True))


def records(text: str) -> list[Record]:
    return chosen("boot.log", maps(text)).records


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_real_log_is_recognised(log: Path) -> None:
    assert holds_maps(open_lines(str(log)))


@pytest.mark.parametrize(
    "line",
    [
        "[    0.000000] BIOS-e820: [mem 0x0000000000001000-0x0000000000002fff] usable",
        "[    0.000000][    T0] BIOS-e820: [mem 0x0000000000001000-0x0000000000002fff]  System RAM",
        "BIOS-e820: [mem 0x0000000000001000-0x0000000000002fff]    8   KB kernel usable RAM",
        "BIOS-e820: [mem 0x0000000000001000-0x0000000000002fff]    0.1 MB kernel usable RAM",
        " BIOS-e820: 0000000000001000 - 0000000000003000 (usable)",
        " bios-e820: 0000000000002000 @ 0000000000001000 (usable)",
        "Jan  1 00:00:00 host kernel: [    0.000000] user: [mem 0x0000000000001000-0x0000000000002fff] usable\r",
        "\x1b[32m[    0.000000] \x1b[0m\x1b[33mBIOS-e820: \x1b[0m[mem 0x0000000000001000-0x0000000000002fff] usable",
        " BIOS-88: 0000000000001000 - 0000000000003000 (usable)",
    ],
)
def test_every_form_of_a_record(line: str) -> None:
    assert records(line) == [Record(0x1000, 0x2000, 1)]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("usable", 1),
        ("System RAM", 1),
        ("kernel usable RAM", 1),
        ("reserved", 2),
        ("device reserved", 2),
        ("ACPI data", 3),
        ("ACPI NVS", 4),
        ("unusable", 5),
        ("type 20", 20),
        ("type 0", 0),
        ("persistent (type 12)", 12),
        ("persistent (type 7)", 7),
        ("persistent RAM (type 7)", 7),
        ("persistent", 12),
        ("soft reserved", 0xEFFFFFFF),
        ("Usable", 1),
        ("USABLE", 1),
        ("acpi  nvs", 4),
        ("reserv>", 2),
        ("unus>", 5),
        ("ACPI >", 2),
        ("usabl>", 1),
        ("type 1>", 2),
        ("persistent (type 1>", 12),
        ("reserv", 2),
        ("usa=", 1),
        ("kernel us>", 1),
    ],
)
def test_types(words: str, kind: int) -> None:
    assert records(f"BIOS-e820: [mem 0x0000000000001000-0x0000000000001fff] {words}") == [Record(0x1000, 0x1000, kind)]
    assert records(f"BIOS-e820: 0000000000001000 - 0000000000002000 ({words})") == [Record(0x1000, 0x1000, kind)]


@pytest.mark.parametrize(
    "line",
    [
        "BIOS-provided physical RAM map:",
        "BIOS-e820: [gap 0x00000000000a0000-0x00000000000effff]  320   KB ...",
        "e820: update [mem 0x00000000-0x00000fff] usable ==> reserved",
        "e820: remove [mem 0x000a0000-0x000fffff] usable",
        "e820: last_pfn = 0x100000 max_arch_pfn = 0x400000000",
        "  node   0: [mem 0x0000000000001000-0x000000000009efff]",
        "RAMDISK: [mem 0x35a6f000-0x36d2dfff]",
        "Xen: using vcpuop timer interface",
        "Bootfile predefined by user: 14150335/tftp-deploy-vak2yxfg/kernel/bzImage",
        "user: 0123456789ab",
        "modified: 12345678",
        "limit_regions start: 0000000000000000 - 000000000009f000 (usable)",
        "copy_e820_map() start: 0000000000000000 size: 000000000009f000 end: 000000000009f000 type: 1",
        "Here are the BIOS-e820: lines of my machine",
        "BIOS-e820: something new",
        "",
    ],
)
def test_other_lines_are_no_records(line: str) -> None:
    assert records(line) == []


@pytest.mark.parametrize(
    "line",
    [
        "BIOS-e820: [mem 0x0000000000001000-0x00000000000>",
        "BIOS-e820: [mem 0x0000000000001000-0x0000000000002fff]",
        "BIOS-e820: [mem 0x0000000000001000-0x0000000000002fff] u>",
        "BIOS-e820: [mem 0x0000000000003000-0x0000000000000fff] usable",
        "BIOS-e820: [mem 0x00000000000010000-0x0000000000002fff] usable",
        "BIOS-e820: 0000000000003000 - 0000000000001000 (usable)",
        "BIOS-e820: em 0x0000000000001000-0x0000000000002fff] usable",
        "BIOS-e820: usable",
        "BIOS-e820: [mem 0x0000000000001000-0x0000000000002fff] unheard of",
        "BIOS-e820: [mem 0x0000000000001000-0x0000000000002fff] us?ble",
        "BIOS-e820: [mem 0x0000000000001000-0x0000000000002fff] usable memory",
        "BIOS-e820: [mem 0x0000000000001000-0x0000000000002fff] type",
        "user: [mem 0x00000000000zz000-0x0000000000000fff] usable",
    ],
)
def test_record_that_cannot_be_read_is_told_with_its_line(line: str) -> None:
    with pytest.raises(InputError, match=r"^boot\.log:2: "):
        records(f"BIOS-provided physical RAM map:\n{line}\n")


@pytest.mark.parametrize("start", [0, 0x1000, TOP - 0x1000])
def test_empty_record(start: int) -> None:
    assert records(f"BIOS-e820: [mem {start:#018x}-{(start - 1) % TOP:#018x}] type 0") == [Record(start, 0, 0)]
    assert records(f"BIOS-e820: {start:016x} - {start:016x} type 0") == [Record(start, 0, 0)]


@given(start=st.integers(0, TOP - 1), data=st.data())
def test_what_a_kernel_prints_is_read_back(start: int, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, min(TOP - start, TOP - 1)))
    end = start + length
    printed = [
        f"BIOS-e820: [mem {start:#018x}-{(end - 1) % TOP:#018x}] reserved",
        f" BIOS-e820: {start:016x} - {end % TOP:016x} (reserved)",
        f" BIOS-e820: {length:016x} @ {start:016x} (reserved)",
    ]
    assert [records(line) for line in printed] == [[Record(start, length, 2)]] * 3


def mapped(label: str, start: int) -> str:
    return f"{label}: [mem {start:#018x}-{start + 0xFFF:#018x}] usable\n"


@pytest.mark.parametrize(
    ("log", "chosen"),
    [
        (mapped("BIOS-e820", 0) + mapped("user", 0x1000), 0),
        (mapped("user", 0x1000) + mapped("BIOS-e820", 0), 0),
        (mapped("user", 0x1000) + mapped("Xen", 0), 0),
        (mapped("user", 0) + mapped("modified", 0x1000), 0),
        (mapped("reserve setup_data", 0) + mapped("user", 0x1000), 0),
        (mapped("BIOS-e820", 0) + "BIOS-provided physical RAM map:\n" + mapped("BIOS-e820", 0x1000), 0),
        ("BIOS-provided physical RAM map:\nuser-defined physical RAM map:\n" + mapped("user", 0), 0),
    ],
)
def test_the_firmware_s_map_counts_or_else_the_first(log: str, chosen: int) -> None:
    assert records(log) == [Record(chosen, 0x1000, 1)]


def test_other_lines_between_records_do_not_end_a_map() -> None:
    log = (
        mapped("BIOS-e820", 0) + "BIOS-e820: [gap 0x1000-0x1fff] 4 KB ...\nanother line\n" + mapped("BIOS-e820", 0x2000)
    )
    assert records(log) == [Record(0, 0x1000, 1), Record(0x2000, 0x1000, 1)]


def test_other_texts_are_not_taken_for_a_boot_log() -> None:
    assert not holds_maps([b'{"memoracle": 1}\n', b"  sh-1 [000] 1.0: mm_page_free: pfn=1 order=0\n", b"\xff\xfe"])
    assert holds_maps([b"[    0.000000] Linux version 6.1.0\n"])


@pytest.mark.parametrize(
    "words",
    [
        'usable",',
        "'usable',",
        "usable</span>",
        "usable&nbsp;",
        "usable\\n",
        "usable;",
        "`usable`",
        "usable |",
        "(usable) // low memory",
        "usable [    0.000000]",
        "usable=20",
    ],
)
def test_marks_around_a_type_are_dropped(words: str) -> None:
    (found,) = maps(f"BIOS-e820: [mem 0x0000000000001000-0x0000000000001fff] {words}")
    assert (found.records, found.warnings) == ([Record(0x1000, 0x1000, 1)], [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("reserv>", "line 1: its type, 'reserv', was cut, and is taken as reserved"),
        ("usab", "line 1: its type, 'usab', was cut, and is taken as usable"),
        ("ACPI", "line 1: its type, 'acpi', was cut, and is taken as reserved"),
        ("type 1>", "line 1: its type, 1, was cut, since usable memory has a word; it is taken as reserved"),
    ],
)
def test_a_word_that_was_cut_is_completed_with_a_warning(words: str, said: str) -> None:
    assert maps(f"BIOS-e820: [mem 0x0000000000001000-0x0000000000001fff] {words}")[0].warnings == [said]


RECORD = "BIOS-e820: [mem 0x0000000000001000-0x0000000000001fff] ACPI data"


@pytest.mark.parametrize("place", [index for index, letter in enumerate(RECORD) if letter == " "])
@pytest.mark.parametrize("prefix", ["", "> ", "[    0.000000] ", "Nov 21 08:43:20 host kernel: "])
@pytest.mark.parametrize("repeated", [False, True])
def test_a_record_may_go_on_in_the_next_line(place: int, prefix: str, repeated: bool) -> None:
    text = prefix + RECORD[:place] + "\n" + prefix * repeated + RECORD[place + 1 :] + "\nNX protection: active\n"
    (found,) = maps(text)
    assert (found.records, found.warnings) == ([Record(0x1000, 0x1000, 3)], [])


@pytest.mark.parametrize(
    "record",
    [
        "BIOS-e820: [mem 0x0000000000001000-0x0000000000001fff] usable",
        " BIOS-e820: 0000000000001000 - 0000000000002000 (usable)",
        " BIOS-e820: 0000000000001000 @ 0000000000001000 (usable)",
    ],
)
@pytest.mark.parametrize("prefix", ["", "[    0.000000] "])
def test_a_record_may_be_broken_within_a_number(record: str, prefix: str) -> None:
    whole = maps(prefix + record)[0].records
    for number in re.finditer(r"[0-9a-f]{16}", record):
        for place in range(number.start() + 1, number.end()):
            for repeated in (False, True):
                text = prefix + record[:place] + "\n" + prefix * repeated + record[place:] + "\nNX protection: active\n"
                (found,) = maps(text)
                assert (found.records, found.warnings) == (whole, [])


@pytest.mark.parametrize("place", range(len(RECORD) - len("data"), len(RECORD)))
def test_quoted_printable_text_may_break_anywhere(place: int) -> None:
    (found,) = maps(RECORD[:place] + "=\n" + RECORD[place:] + "\n")
    assert (found.records, found.warnings) == ([Record(0x1000, 0x1000, 3)], [])


@pytest.mark.parametrize("place", range(len("BIOS-e820: [mem 0x0000"), len(RECORD) - len("ACPI data")))
def test_a_damaged_record_does_not_swallow_the_next_one(place: int) -> None:
    with pytest.raises(InputError, match=r"^boot\.log:1: "):
        maps(RECORD[:place] + "\n" + RECORD + "\n")


def boots(text: str) -> list[tuple[str, int, int]]:
    return [(each.name, each.boot, len(each.records)) for each in maps(text)]


ONE = "".join(mapped("BIOS-e820", start) for start in (0, 0x2000, 0x4000))
OTHER = "".join(mapped("BIOS-e820", start) for start in (0, 0x3000, 0x5000, 0x7000))
USER = mapped("user", 0) + mapped("user", 0x8000)


@pytest.mark.parametrize(
    ("log", "found"),
    [
        (ONE + OTHER, [("bios-e820", 1, 3), ("bios-e820", 2, 4)]),
        (ONE + USER + OTHER, [("bios-e820", 1, 3), ("user", 1, 2), ("bios-e820", 2, 4)]),
        (ONE + USER + OTHER + USER, [("bios-e820", 1, 3), ("user", 1, 2), ("bios-e820", 2, 4), ("user", 2, 2)]),
        (USER + USER, [("user", 1, 2), ("user", 2, 2)]),
        (ONE + "--\n" + ONE, [("bios-e820", 1, 3), ("bios-e820", 2, 3)]),
        ("physical RAM map:\n" + ONE + ONE, [("bios-e820", 1, 3), ("bios-e820", 2, 3)]),
        (ONE + mapped("BIOS-e820", 0x4000), [("bios-e820", 1, 4)]),  # printed twice
        (mapped("BIOS-e820", 0) + ONE, [("bios-e820", 1, 4)]),
        (ONE + "BIOS-e820: 0000000000000000 - 0000000000000000 type 0\n", [("bios-e820", 1, 4)]),
        ("RAM map:\nphysical RAM map:\n" + mapped("BIOS-e820", 0x9000) + ONE, [("bios-e820", 1, 4)]),  # no order
    ],
)
def test_maps_of_several_boots_are_kept_apart(log: str, found: list[tuple[str, int, int]]) -> None:
    assert boots(log) == found


def test_maps_of_several_files_are_kept_apart() -> None:
    def grepped(file: str, text: str) -> str:
        return "".join(f"{file}:{line}\n" for line in text.splitlines())

    higher = "".join(mapped("BIOS-e820", start) for start in (0x8000, 0xA000))
    log = grepped("a/1.log", ONE) + grepped("a/2.log", higher) + grepped("a/2.log", USER) + grepped("a/3.log", USER)
    assert boots(log) == [("bios-e820", 1, 3), ("bios-e820", 2, 2), ("user", 2, 2), ("user", 3, 2)]
