"""Records of memory maps that were cut, or lost a digit, and any mixture of lines: never another record."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from map_texts import IOMEM, MEMORY, maps

from memoracle.trace.inputs import InputError

HEADINGS = "e820 map has 1 items\nType Start End # Pages\nXen-e820 RAM map:\n"
RECORDS = {
    "BIOS-e820: [mem 0x0000000000100000-0x0000000000ffffff] usable": 15,
    "BIOS-e820: 0000000000100000 - 0000000001000000 (usable)": 15,
    "BIOS-e820: 0000000000f00000 @ 0000000000100000 (usable)": 15,
    "(XEN)  [0000000000100000, 0000000000ffffff] (usable)": 17,
    "(XEN)  0000000000100000 - 0000000001000000 (usable)": 17,
    "Available  0000000000100000-0000000000FFFFFF 00000F00": 20,
    "SMAP type=01 base=0000000000100000 len=0000000000f00000": 13,
    " memory[0x0]\t[0x0000000000100000-0x0000000000ffffff], 0x0000000000f00000 bytes flags: 0x0": 17,
    "efi: mem01: type=7, attr=0xf, range=[0x0000000000100000-0x0000000000ffffff] (15MB)": 12,
    "  1: 0000000000100000 - 0000000001000000 = 1 RAM": 13,
}


@pytest.mark.parametrize(("record", "least"), RECORDS.items())
def test_a_record_that_was_cut_is_never_another(record: str, least: int) -> None:
    for length in range(least, len(record)):
        for following in ("", "NX (Execute Disable) protection: active\n", record + "\n"):
            try:
                found = maps(HEADINGS + record[:length] + "\n" + following)
            except InputError as fault:
                assert str(fault).startswith("boot.log:4: ")  # noqa: PT017
                continue
            records = [each for one in found for each in one.records]
            assert set(records) <= {MEMORY}, record[:length]
            assert records, record[:length]


@pytest.mark.parametrize("record", [record for record in RECORDS if not record.startswith(("efi", " memory"))])
def test_a_digit_that_was_lost_makes_no_other_record(record: str) -> None:
    for number in re.finditer(r"[0-9a-fA-F]{16}", record):
        with pytest.raises(InputError, match=r"^boot\.log:4: "):
            maps(HEADINGS + record[: number.start()] + record[number.start() + 1 :] + "\n")


@pytest.mark.parametrize(
    "line",
    [
        "user: " * 100_000,
        "BIOS-e820: " * 100_000,
        "BIOS-" + "e" * 1_000_000,
        "(XEN)[" * 100_000,
        "(XEN) [0000000000000000, " * 40_000,
        "efi: mem1: type=1" * 50_000,
        "efi: mem1: [" * 80_000,
        "efi: 0x00000000-0x00000000 [" * 40_000,
        "[b=" * 300_000,
        "<a " * 300_000,
        "<br " * 300_000,
        "\x1b]" * 500_000,
        "[1;1" * 250_000,
        "=20" * 300_000 + "x",
        "==>" * 300_000 + "memmap/0/start",
        "BIOS-e820: [mem 0x0000000000100000-0x0000000000ffffff]" + " " * 1_000_000 + "x",
        " " * 1_000_000 + "00100000-00ffffff : System RAM",
        "a" + " " * 1_000_000 + "BIOS-",
        "base_addr = 0x" * 70_000,
        "base: 0x1" * 100_000,
        "0/start:" * 100_000,
        "&amp" * 250_000 + ";BIOS-",
        '"msg":[' * 140_000,
        "> " * 500_000 + "user:",
        "-" * 1_000_000 + " 0000000000100000-",
        "\\n" * 500_000 + "user:",
        "user: =",
    ],
    ids=lambda line: line[:20].strip(),
)
def test_no_line_takes_long(line: str) -> None:
    start = time.thread_time()
    for text in (line, "BIOS-e820: " + line):
        try:
            maps(text)
        except InputError:
            continue
    assert time.thread_time() - start < 10


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(sorted(RECORDS) + IOMEM.splitlines() + ["", "=", "\x1b[0m", "<br>", "usable", "0/end:"]))
)
def test_any_mixture_of_lines_is_read_or_refused(lines: list[str]) -> None:
    for glue in ("\n", "", "=\n", " "):
        try:
            found = maps(glue.join(lines))
        except InputError:
            continue
        assert all(each.records for each in found)
        assert [each.boot for each in found] == sorted(each.boot for each in found)
