"""Which maps are of one boot, and which records are of one map, whatever stands before and between them."""

from __future__ import annotations

import pytest

from memoracle.logs.memory_maps import read_maps

JOURNAL = "Mar  4 05:06:07 myhost kernel: "
MAP = [(start, "BIOS-e820") for start in (0, 0x2000, 0x4000, 0x6000)]


def record(label: str, start: int, seconds: str = "0.000000") -> str:
    return f"[    {seconds}] {label}: [mem {start:#018x}-{start + 0xFFF:#018x}] usable\n"


ONE, OTHER = record("BIOS-e820", 0), record("BIOS-e820", 0x2000)


def boots(text: str) -> list[tuple[str, int, int]]:
    found = read_maps("boot.log", text.encode().splitlines(keepends=True))
    assert [each.warnings for each in found] == [[]] * len(found)
    return [(each.name, each.boot, len(each.records)) for each in found]


@pytest.mark.parametrize(
    "between",
    [
        "[    0.000000] Linux version 6.1.0 (gcc) #1 SMP\n",
        "Linux version 2.4.20\nBIOS-provided physical RAM map:\n",
        "-- Boot 0123456789abcdef0123456789abcdef --\n",
        "-- Reboot --\n",
        "[    5.000000] usb 1-1: new device\n",
        "[    5.000000] usb 1-1: new device\n[    0.000000] Command line: quiet\n",
    ],
)
@pytest.mark.parametrize("records", [1, 2])
def test_a_sign_of_another_boot_parts_maps(between: str, records: int) -> None:
    """Of one record, too, whose addresses do not say that another map begins."""
    assert boots((ONE + OTHER) * (records - 1) + ONE * (records == 1) + between + OTHER)[1:] == [("bios-e820", 2, 1)]
    assert boots(ONE + between + record("user", 0x2000)) == [("bios-e820", 1, 1), ("user", 2, 1)]


@pytest.mark.parametrize("heading", ["", "BIOS-provided physical RAM map:\n"])
@pytest.mark.parametrize("last_byte", ["fff", "bff"])
@pytest.mark.parametrize("between", ["", "Console: colour VGA+ 80x25\n"])
def test_a_map_without_a_heading_begins_where_the_one_before_began(heading: str, last_byte: str, between: str) -> None:
    """Also if its first record has another length: it is another machine's."""
    for records in (2, 3, 4):
        first = "".join(record("BIOS-e820", start) for start, _ in MAP[:records])
        other = first.replace("0fff]", f"0{last_byte}]", 1)
        found = boots(heading + first + between + other)
        assert found == [("bios-e820", 1, records), ("bios-e820", 2, records)]


def test_another_type_or_order_begins_no_map_below_a_heading() -> None:
    heading = "BIOS-provided physical RAM map:\n"
    first = "".join(record("BIOS-e820", start) for start, _ in MAP)
    assert boots(heading + first + ONE.replace("usable", "reserved")) == [("bios-e820", 1, 5)]
    assert boots(heading + first.replace(ONE, "") + ONE) == [("bios-e820", 1, 4)]


@pytest.mark.parametrize(
    "between",
    [
        "[    0.000000] Command line: quiet\n",
        "(XEN) [    9.123456] Dom0 runs\n",
        "(XEN) [    9.123456] Dom0 runs\n[    0.000000] Command line: quiet\n",
        "kernel: the Linux kernel\n",
    ],
)
def test_other_lines_part_no_maps(between: str) -> None:
    assert boots(ONE + between + OTHER) == [("bios-e820", 1, 2)]


def test_maps_before_the_kernel_starts_are_of_its_boot() -> None:
    text = "(XEN)  [0000000000100000, 0000000000ffffff] (usable)\n[    0.000000] Linux version 6.1\n" + ONE
    memblock = "[    0.000000]  memory[0x0]\t[0x100000-0xffffff], 0xf00000 bytes\n"
    assert boots(text + memblock) == [("xen-new", 1, 1), ("bios-e820", 1, 1), ("memblock", 1, 1)]


@pytest.mark.parametrize("cut", range(len(JOURNAL) + 1))
@pytest.mark.parametrize("which", range(len(MAP)))
def test_a_line_that_lost_its_front_is_of_the_same_map(cut: int, which: int) -> None:
    lines = [JOURNAL + record(label, start) for start, label in MAP]
    lines[which] = lines[which][cut:]
    assert boots("".join(lines)) == [("bios-e820", 1, len(MAP))]


@pytest.mark.parametrize("cut", range(len("logs/boot-1.txt:") + 1))
@pytest.mark.parametrize("which", range(len(MAP)))
def test_a_file_s_name_that_lost_its_front_is_of_the_same_map(cut: int, which: int) -> None:
    lines = ["logs/boot-1.txt:" + record(label, start) for start, label in MAP]
    lines[which] = lines[which][cut:]
    assert boots("".join(lines)) == [("bios-e820", 1, len(MAP))]


@pytest.mark.parametrize(
    ("heading", "lines", "name"),
    [
        (
            "BIOS-provided physical RAM map: ",
            ["BIOS-e820: 0000000000001000 - 0000000000003000 (usable)"] * 2,
            "bios-e820",
        ),
        ("user-defined physical RAM map: ", ["user: [mem 0x0000000000001000-0x0000000000002fff] usable"] * 2, "user"),
        ("(XEN) Xen-e820 RAM map: ", ["(XEN)  0000000000001000 - 0000000000003000 (usable)"] * 2, "xen-old"),
        ("(XEN) Xen-e820 RAM map: ", ["(XEN)  [0000000000001000, 0000000000002fff] (usable)"] * 2, "xen-new"),
        (
            "e820 map has 2 items: ",
            [f"  {number}: 000000000000{number}000 - 000000000000{number + 1}000 = 1 RAM" for number in (0, 1)],
            "seabios",
        ),
    ],
)
@pytest.mark.parametrize("prefix", ["", "kernel: ", "[    0.000000] ", JOURNAL + "[    0.000000] "])
def test_a_heading_in_the_line_of_the_first_record(heading: str, lines: list[str], name: str, prefix: str) -> None:
    text = prefix + heading + "".join(prefix * (number > 0) + line + "\n" for number, line in enumerate(lines))
    assert boots(text) == [(name, 1, 2)]
