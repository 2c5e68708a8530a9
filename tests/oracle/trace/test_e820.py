from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoracle.impl.boot import Record
from memoracle.trace.e820 import looks_like_e820, read_e820
from memoracle.trace.inputs import InputError, open_lines

LOGS = sorted((Path(__file__).parents[2] / "data" / "e820").glob("*.txt"))
TOP = 1 << 64


def records(text: str) -> list[Record]:
    return read_e820("boot.log", text.encode().splitlines(keepends=True)).records


def test_there_are_logs() -> None:
    assert len(LOGS) == 22


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_real_log_is_recognised(log: Path) -> None:
    assert looks_like_e820(open_lines(str(log)))


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
        ("unheard of", 2),
        ("reserv>", 2),
        ("unus>", 5),
        ("ACPI >", 2),
        ("usabl>", 1),
        ("type 1>", 2),
        ("persistent (type 1>", 2),
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
        "BIOS-e820: something new",
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
    assert not looks_like_e820([b'{"memoracle": 1}\n', b"  sh-1 [000] 1.0: mm_page_free: pfn=1 order=0\n", b"\xff\xfe"])
    assert looks_like_e820([b"[    0.000000] Linux version 6.1.0\n"])
