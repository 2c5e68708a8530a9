"""Texts of QEMU's monitor: those of x86-64 are read, all others are named as what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from snapshot_command import Snapshots

DATA = Path(__file__).parents[2] / "data" / "qemu"
ALIKE, ONE_TYPE = "tables.walks-to-the-kernel-are-alike", "snapshot.one-memory-type"
KERNEL = "ffffffff80000000: 0000000001000000 -GPDA---W\nffffffff80200000: 0000000000300000 XG-----U-\n"


def of(snapshots: Snapshots, name: str) -> tuple[int, dict[str, object], str]:
    report = snapshots.run(str(DATA / f"{name}.txt"))
    return report.status, report.document, report.errors


# Texts of real machines


def test_a_text_without_end_is_not_kept(snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memoracle.commands.snapshot.MOST_LINES", 3)
    report = snapshots.text(KERNEL + "\n" * 2)
    assert report.status == 2
    assert "text0:4: a text has 3 lines at the most" in report.errors
    assert snapshots.text(KERNEL + "\n").status != 2


def test_pages_of_a_real_machine(snapshots: Snapshots) -> None:
    status, document, _ = of(snapshots, "info-tlb-x86_64-osdevnotes")
    assert (status, document["verdict"], document["pages"]) == (0, "conforms", 7)
    assert document["mappings"] == [
        {
            "space": 0,
            "virtual": "0xffffffff80062000",
            "physical": "0x994a000",
            "bytes": 0x7000,
            "level": 1,
            "writable": True,
            "user": False,
            "executable": False,
            "global": True,
            "cache": None,
        }
    ]


def test_lines_that_say_nothing_are_counted(snapshots: Snapshots) -> None:
    status, document, _ = of(snapshots, "info-tlb-x86_64-kernel-2m")
    assert (status, document["pages"]) == (0, 1)
    assert document["warnings"] == [
        f"{DATA / 'info-tlb-x86_64-kernel-2m.txt'}: 1 line passed over, the first is line 2"
    ]


@pytest.mark.parametrize(("name", "ranges"), [("bootloader-3x1g", 3), ("linux", 1), ("osdevnotes", 5)])
def test_of_one_space_ranges_are_shown_and_nothing_is_judged(snapshots: Snapshots, name: str, ranges: int) -> None:
    status, document, _ = of(snapshots, f"info-mem-x86_64-{name}")
    assert (status, document["verdict"], document["ranges"]) == (4, "nothing", ranges)
    assert {each["physical"] for each in document["mappings"]} == {None}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("info-mem-i386-jos-user", ":2: every address has 32 bits, as of an i386 machine"),
        ("info-mem-i386-xv6rust", ":1: every address has 32 bits, as of an i386 machine"),
        ("info-mem-riscv32-sv32", ":2: this is `info mem` of a RISC-V machine"),
        ("info-mem-riscv64-xv6-kernel", ":2: this is `info mem` of a RISC-V machine"),
        ("info-tlb-la57-pvh", ": tables have five levels (CR4.LA57): these are read of a dump, or from a running QEMU"),
        ("info-tlb-ppce500", ":3: this is `info tlb` of a PowerPC machine"),
        ("info-pg-jos-patched-i386", ":2: this is `info pg` of a patched QEMU"),
        ("info-pg-qemu-rfc-2024-x86_64", ":2: this is `info pg` of a patched QEMU"),
        ("bochs-info-tab-lower", ":2: this is `info tab` of Bochs"),
        ("bochs-page-legacy", ":2: this is `page` of Bochs"),
        ("bochs-page-pae-64", ":6: this is `page` of Bochs"),
        ("ptdump-x86_64-4.x-debugfs", ":1: this is a page table dump of Linux"),
        ("ptdump-x86_64-efi-pcd", ":1: this is a page table dump of Linux"),
        (
            "info-registers-x86_64-linux-tcg-pcid",
            ": neither a dump of memory nor a text of QEMU's `info mem` or `info tlb`, or GEF's `vmmap`; the",
        ),
        ("info-registers-x86_64-pagefault-dint", ": neither a dump of memory nor a text of QEMU's `info mem`"),
    ],
)
def test_texts_of_others_are_named(snapshots: Snapshots, name: str, words: str) -> None:
    status, document, errors = of(snapshots, name)
    assert (status, document) == (2, {})
    assert f"memoracle: {DATA / name}.txt{words}" in errors


def test_registers_tell_a_narrow_text_from_one_of_i386(snapshots: Snapshots) -> None:
    text = "info tlb\n0000000000400000: 0000000000500000 ---DA---W\n"
    assert snapshots.text(text).status == 2
    assert snapshots.text(text + "CR3=0000000000001000 CR4=00000020\nEFER=0000000000000500\n").status == 0


# Kernel halves


def test_the_same_kernel_half_conforms(snapshots: Snapshots) -> None:
    user = "0000000000400000: 0000000000500000 ------"
    accessed = KERNEL.replace("DA---W", "-----W")
    report = snapshots.text(f"{user}-UW\n{KERNEL}", f"{user}-U-\n{accessed}")
    assert (report.status, report.document["verdict"]) == (0, "conforms")
    assert [each["space"] for each in report.document["spaces"]] == [0, 1]


@pytest.mark.parametrize(
    ("other", "virtual", "message"),
    [
        (KERNEL.replace("0000000000300000", "0000000000301000"), 0xFFFFFFFF80200000, "are mapped to 0x301000"),
        (
            KERNEL.replace("XG-----U-", "-G-----U-"),
            0xFFFFFFFF80200000,
            "(-G-----U-), but mapped to 0x300000 (XG-----U-)",
        ),
        (KERNEL.splitlines()[1], 0xFFFFFFFF80000000, "are not mapped, but mapped to 0x1000000"),
        (KERNEL + "ffffffff80201000: 0000000000400000 X-------W\n", 0xFFFFFFFF80201000, "but not mapped in space 0"),
    ],
)
def test_pages_that_differ_are_named(snapshots: Snapshots, other: str, virtual: int, message: str) -> None:
    report = snapshots.text(KERNEL, other)
    assert report.broken == [(ALIKE, 1, hex(virtual), None, None)]
    found = report.document["divergences"][0]
    assert message in found["message"]
    assert found["file"].endswith("text1")
    assert report.status == 1


def test_a_listing_that_begins_again_is_another_space(snapshots: Snapshots) -> None:
    report = snapshots.text(KERNEL + KERNEL)
    assert (report.status, len(report.document["spaces"])) == (0, 2)


def test_a_range_of_both_halves_counts_in_each(snapshots: Snapshots) -> None:
    both = "0000000000000000-0001000000000000 0000000000000000 -rw\n"
    upper = "ffff800000000000-0001000000000000 ffff800000000000 -rw\n"
    assert snapshots.text(both, upper).document["verdict"] == "conforms"


def test_a_large_page_is_held_to_the_small_ones_in_its_place(snapshots: Snapshots) -> None:
    large = "ffffffff80000000: 0000000001000000 -GP-----W\n"
    small = "".join(f"ffffffff800{n:02x}000: 0000000001{n:03x}000 -G------W\n" for n in range(3))
    report = snapshots.text(large, small)
    messages = [found["message"] for found in report.document["divergences"]]
    assert len(messages) == 4
    assert "are mapped to 0x1002000 (-G------W), but mapped to 0x1002000 (-GP-----W) in space 0" in messages[2]
    assert messages[3].startswith("2,084,864 bytes are not mapped, but mapped to 0x1003000")


def test_ranges_that_differ_are_named_where_they_differ(snapshots: Snapshots) -> None:
    first = "info mem\n0000000000000000-0000000000200000 0000000000200000 urw\n"
    ranges = "ffff800000000000-ffff800000010000 0000000000010000 -rw\n"
    others = (
        "ffff800000000000-ffff800000004000 0000000000004000 -rw\n"
        "ffff800000004000-ffff800000005000 0000000000001000 -r-\n"
        "ffff800000005000-ffff800000010000 000000000000b000 -rw\n"
    )
    report = snapshots.text(first + ranges + "(qemu) info mem\n" + others)
    assert report.broken == [(ALIKE, 1, "0xffff800000004000", None, None)]
    assert report.document["divergences"][0]["message"] == "4,096 bytes are mapped (--), but mapped (-w) in space 0"
    assert report.document["divergences"][0]["line"] == 6
    assert snapshots.text(ranges, ranges).document["verdict"] == "conforms"


def test_a_range_to_the_end_of_either_half(snapshots: Snapshots) -> None:
    whole = (
        "0000000000000000-ffff800000000000 ffff800000000000 urw\n"
        "ffffffff80000000-0001000000000000 0000000080000000 -rw\n"
    )
    report = snapshots.text(whole)
    assert [(each["virtual"], each["bytes"]) for each in report.document["mappings"]] == [
        ("0x0", 1 << 47),
        ("0xffffffff80000000", 1 << 31),
    ]
    both, _ = snapshots.text("0000000000000000-0001000000000000 0000000000000000 urw\n").document["warnings"]
    assert "users reach 1 range of the upper half, which is the kernel's: 0xffff800000000000" in both


# Memory types


@pytest.mark.parametrize(("flags", "status"), [("---DA-T-W", 1), ("---DAC--W", 1), ("---DACT-W", 1), ("---------", 0)])
def test_a_frame_with_two_memory_types_is_named(snapshots: Snapshots, flags: str, status: int) -> None:
    report = snapshots.text(f"{KERNEL}ffffffff80400000: 0000000001080000 {flags}\n")
    assert report.status == status
    assert report.clauses == [ONE_TYPE] * status
    assert not status or "the frame at 0x1080000 is " in report.document["divergences"][0]["message"]


def test_uncached_and_uncacheable_may_be_alike(snapshots: Snapshots) -> None:
    path = snapshots.folder / "text"
    lines = (f"ffffffff8{page}000000: 0000000001000000 -----C{flag}-W\n" for page, flag in enumerate("-T"))
    path.write_text("".join(lines), encoding="utf-8")
    report = snapshots.run(str(path), "--pat", "WB WT UC- UC WB WT UC- UC")
    assert (report.status, len(report.document["warnings"])) == (0, 1)


def test_types_that_may_be_equal_are_a_warning(snapshots: Snapshots) -> None:
    path = snapshots.folder / "text"
    path.write_text(f"{KERNEL}ffffffff80400000: 0000000001080000 ------T-W\n", encoding="utf-8")
    report = snapshots.run(
        str(path), "--pat", "0x0007010600070406"
    )  # index 5 is write-combining, index 0 and 4 are not
    assert report.status == 1
    report = snapshots.run(str(path), "--pat", "0x0007060600070406")  # index 5 is write-back, as index 0 is
    assert report.status == 0
    assert any("their memory types may differ" in each for each in report.document["warnings"])


# What is wrong with a text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ffffffff80000000: 0000000001000000 -GPDA--", "a line of `info mem` or `info tlb` that is damaged"),
        ("ffffffff80001000: 0000000001000000 -GPDA---W", "a page that is not aligned to its size"),
        ("ffffffff80400000: 0000000001001000 -GPDA---W", "a page that is not aligned to its size"),
        ("ffff800000000100-ffff800000001100 0000000000001000 -rw", "a range that has not the size it states"),
        ("ffff800000000000-ffff800000002000 0000000000001000 -rw", "a range that has not the size it states"),
        ("ffff800000002000-ffff800000001000 ffffffffffffffff -rw", "a range that has not the size it states"),
        ("00ff800000000000: 0000000001000000 -GPDA---W", "is no address of 4-level paging: tables of 5 levels"),
        ("80000000-80100000 00100000 -rw", "this is `info mem` of an i386 machine"),
        ("80000000: 00100000 -GPDA---W", "this is `info tlb` of an i386 machine"),
    ],
)
def test_a_line_that_is_wrong_is_named(snapshots: Snapshots, line: str, words: str) -> None:
    report = snapshots.text(f"{KERNEL}{line}\n")
    assert report.status == 2
    assert f"text0:3: {words}" in report.errors.replace("text0:3: 0xff800000000000 is", "text0:3: is")


def test_options_of_dumps_are_not_for_texts(snapshots: Snapshots) -> None:
    report = snapshots.run(str(DATA / "info-mem-x86_64-linux.txt"), "--cr3", "0")
    assert "--cr3: it is for a dump; this is a text, which names no tables" in report.errors


def test_what_a_terminal_obeys_is_left_out(snapshots: Snapshots) -> None:
    lines = [f"\x1b[K{line}\r\n" for line in KERNEL.splitlines()]
    report = snapshots.text("\x1b[D(qemu) info tlb\r\n" + "".join(lines))
    assert (report.status, report.document["pages"]) == (0, 2)


# GEF for kernels

OF_GEF = """gef> vmmap
--------------------------------------- Memory map ---------------------------------------
Virtual address start-end    Physical address start-end   Total size   Page size   Count  Flags
0x0000000000400000-0x0000000000401000  0x0000000001ff1000-0x0000000001ff2000  0x1000  0x1000  1  [R-X USER ACCESSED]
0xffff888000000000-0xffff888080000000  0x0000000000000000-0x0000000080000000  0x80000000 0x40000000 2 [RW- KERN GLOBAL]
0xffffffff80000000-0xffffffff80600000  0x0000000001000000-0x0000000001600000  0x600000 0x200000 3 [RWX KERN DIRTY]
"""


def test_pages_that_gef_shows(snapshots: Snapshots) -> None:
    report = snapshots.text(OF_GEF)
    assert (report.status, report.document["pages"], report.document["ranges"]) == (4, 6, 3)
    (hint,) = report.document["warnings"]
    assert "add that of another address space, by the same command, or `info tlb`" in hint
    keys = ("virtual", "physical", "bytes", "level", "writable", "user", "executable", "global", "cache")
    assert [[each[key] for key in keys] for each in report.document["mappings"]] == [
        ["0x400000", "0x1ff1000", 0x1000, 1, False, True, True, False, None],
        ["0xffff888000000000", "0x0", 0x8000_0000, 3, True, False, False, True, None],
        ["0xffffffff80000000", "0x1000000", 0x60_0000, 2, True, False, True, False, None],
    ]


def test_kernel_halves_that_gef_shows(snapshots: Snapshots) -> None:
    assert snapshots.text(OF_GEF, OF_GEF.replace("0x0000000000400", "0x0000000000500")).status == 2  # its size is wrong
    plain = OF_GEF.replace(" DIRTY", " ACCESSED").replace("-0x", "-").replace("\n0x", "\n").replace("  0x00", "  00")
    report = snapshots.text(OF_GEF, plain)
    assert (report.status, report.document["verdict"]) == (0, "conforms")
    moved = OF_GEF.replace("0x0000000001000000-0x0000000001600000", "0x0000000001200000-0x0000000001800000")
    (found,) = snapshots.text(OF_GEF, moved).document["divergences"]
    assert (found["clause"], found["virtual"]) == (ALIKE, "0xffffffff80000000")
    assert "6,291,456 bytes are mapped to 0x1200000" in found["message"]


def test_a_machine_below_4_gib_is_of_x86_64_by_its_form(snapshots: Snapshots) -> None:
    lower = "\n".join(line for line in OF_GEF.splitlines() if "0xffff" not in line)
    assert snapshots.text(lower).status == 4


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("0x1000  1  [R", "0x1000  2  [R", "pages that have not the size they state"),
        ("0x1000  1  [R", "0x2000  1  [R", "pages that have not the size they state"),
        (
            "[R-X USER ACCESSED]",
            "[EL0/R-X EL1/RWX ACCESSED]",
            "a line of `vmmap` that is damaged, or of another machine",
        ),
        ("0xffff888", "0xfeff888", "is no address of 4-level paging"),
    ],
)
def test_lines_of_gef_that_are_wrong_are_named(snapshots: Snapshots, before: str, after: str, words: str) -> None:
    report = snapshots.text(OF_GEF.replace(before, after))
    assert report.status == 2
    assert words in report.errors
