"""The forms in which machines tell their memory maps: what each record says, and what is not believed."""

from __future__ import annotations

from pathlib import Path

import pytest
from map_texts import IOMEM, MEMORY, USABLE, maps

from memoracle.impl.boot import Record
from memoracle.logs.choice import chosen, of_kernel
from memoracle.logs.map_forms.form import Form
from memoracle.logs.map_forms.table import FORMS, HINT
from memoracle.logs.memory_maps import MemoryMap, holds_maps
from memoracle.trace.inputs import InputError

DATA = Path(__file__).parents[2] / "data" / "e820"
SOFT_RESERVED = 0xEFFFFFFF
PAGE = 0x1000


def only(text: str) -> MemoryMap:
    (found,) = maps(text)
    return found


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_example_of_a_form_is_hinted_at(form: type[Form]) -> None:
    assert HINT.search(form.example)


LINES = {  # by the name of the map, each with the type of this memory in it
    "xen-new": [
        (1, "(XEN)  [0000000000100000, 0000000000ffffff] (usable)"),
        (1, "(XEN) [0000001b4a3297f3]  [0000000000100000, 0000000000ffffff] (usable)"),
        (1, "[2022-09-19 19:50:56] (XEN)  [0000000000100000, 0000000000ffffff] (usable)"),
        (4, "  [0000000000100000, 0000000000ffffff] (ACPI NVS)"),
    ],
    "xen-old": [
        (1, "(XEN)  0000000000100000 - 0000000001000000 (usable)"),
        (2, "(XEN) [    0.12]  0000000000100000 - 0000000001000000 (reserved)"),
    ],
    "lsmmap": [
        (1, "base_addr = 0x100000, length = 0xf00000, available RAM"),
        (3, "base_addr = 0x100000, length = 0xf00000, ACPI reclaimable RAM"),
        (20, "base_addr = 0x100000, length = 0xf00000, unknown type 0x14"),
        (1, " size = 0x14, base_addr = 0x0100000, length = 0x0f00000, type = 0x1"),
        (2, " size = 0x14, base_addr = 0x000100000, length = 0x000f00000, type = 0x2  <-- what?"),
    ],
    "limine": [
        (1, "base: 0x100000, type: 0, length: 0xf00000"),
        (1, "[mmap] base=0x100000 length=0xf00000 type=usable"),
        (1, "base: 0x100000 | length: 15728640 | type: LIMINE_MEMMAP_USABLE"),
        (1, "Entry No. 3: Base: 0x0000000000100000 | Length: 0x0000000000f00000 | Type: Usable"),
        (2, "[3] base: 0x100000, size: 0xf00000, type: bootloader reclaimable"),
        (2, 'base: 0x100000, length: 0xf00000, type: "Kernel and Modules" (kept)'),
        (2, "base=0x100000 length=0xf00000 type=ReservedMapped"),
        (3, "base=0x100000 length=0xf00000 type=ACPI-Reclaimable"),
        (5, "base=0x100000 length=0xf00000 type=0x4"),
    ],
    "uefi-shell": [
        (1, "Available  0000000000100000-0000000000FFFFFF 0000000000000F00 000000000000000F"),
        (1, "available  0000000000100000-0000000000FFFFFF  0000000000000F00 000000000000000F"),
        (1, "Available  0000000000100000-0000000000FFFFFF 00000F00 000000000000000F"),
        (2, "LoaderData 0000000000100000-0000000000FFFFFF 0000000000000F00 000000000000000F"),
        (4, "ACPI_NVS   0000000000100000-0000000000FFFFFF 0000000000000F00 000000000000000F"),
        (2, "MemMapIO   0000000000100000-0000000000FFFFFF  0000000000000F00 8000000000000000"),
        (2, "PAL_code   0000000000100000-0000000000FFFFFF  0000000000000F00 8000000000000000"),
        (1, "conv-mem  0000000000100000-0000000000ffffff 00000f00        15MiB UC WC WT WB"),
    ],
    "efi": [
        (1, "efi: mem01: type=7, attr=0xf, range=[0x0000000000100000-0x0000000001000000) (15MB)"),
        (1, "EFI: mem01: type=7, attr=0xf, range=[0x0000000000100000-0x0000000001000000) (15MB)"),
        (2, "efi: mem01: type=4, attr=0xf, range=[0x0000000000100000-0x0000000001000000) (15MB)"),
        (1, "efi: mem01: [Conventional Memory|   |  |WB|WT|WC] range=[0x0000000000100000-0x0000000001000000) (15MB)"),
        (1, "efi: mem01: [Conventional|   |  |WB|WT|WC|UC] range=[0x0000000000100000-0x0000000000ffffff] (15MB)"),
        (
            SOFT_RESERVED,
            "efi: mem01: [Conventional|   |SP|WB|WT|WC|UC] range=[0x0000000000100000-0x0000000000ffffff] (15MB)",
        ),
        (
            1,
            "efi: mem01: [Conventional Memory|attr=0x0800000000f] range=[0x0000000000100000-0x0000000001000000) (15MB)",
        ),
        (
            2,
            "efi: mem01: [Boot Data          |RUN|  |WB|WT|WC|UC] range=[0x0000000000100000-0x0000000000ffffff] (15MB)",
        ),
        (1, "efi:   0x000000100000-0x000000ffffff [Conventional Memory|   |WB|WT|WC|UC]"),
    ],
    "seabios": [
        (1, "  3: 0000000000100000 - 0000000001000000 = 1 RAM"),
        (4, "(d1) (XEN) HVM4:   3: 0000000000100000 - 0000000001000000 = 4 NVS"),
    ],
    "smap": [
        (1, "SMAP type=01 base=0000000000100000 len=0000000000f00000"),
        (1, "SMAP type=01 base=0000000000100000 len=0000000000f00000 attr=01"),
        (1, "SMAP type=01, xattr=01, base=0000000000100000, len=0000000000f00000"),
        (16, "SMAP type=10 base=0000000000100000 len=0000000000f00000"),
    ],
    "memblock": [
        (1, " memory[0x0]\t[0x0000000000100000-0x0000000000ffffff], 0x0000000000f00000 bytes on node 0 flags: 0x0"),
        (1, " memory[0x0]     [0x00000000100000-0x00000000ffffff], 0xf00000 bytes flags: 0x0"),
        (1, " memory[0]      [0x100000-0xffffff], 0xf00000 bytes flags: 0"),
        (1, " memory[0x1]\t[0x00000000100000-0x00000000ffffff], 0xf00000 bytes"),
        (2, " memory[0]\t[0x100000-0xffffff], 0xf00000 bytes flags: 4"),
        (2, " reserved[0x0]\t[0x0000000000100000-0x0000000000ffffff], 0x0000000000f00000 bytes flags: 0x0"),
    ],
    "iomem": [
        (1, "00100000-00ffffff : System RAM"),
    ],
    "loongarch": [
        (1, "Node0: mem_type:7, mem_start:0x100000, mem_size:0xf00000 Bytes"),
        (2, "Node 1: mem_type:1, mem_start:0x100000, mem_size:0xf00000 Bytes"),
    ],
    "loongson": [
        (1, "Node0: mem_type:1, mem_start:0x100000, mem_size:0xf MB"),
        (1, "Node0: mem_type:2, mem_start:0x100000, mem_size:0xf MB"),
        (2, "Node0: mem_type:3, mem_start:0x100000, mem_size:0xf MB"),
        (1, "Node 0, mem_type:1\t[0x0000000000100000], 0x0000000000f00000 bytes usable"),
        (2, "Node 0, mem_type:10\t[0x0000000000100000], 0x0000000000f00000 bytes reserved"),
    ],
}


@pytest.mark.parametrize(
    ("name", "kind", "line"), [(name, kind, line) for name, lines in LINES.items() for kind, line in lines]
)
@pytest.mark.parametrize("prefix", ["", "[    0.000000] ", "Nov 21 08:43:20 host kernel: "])
def test_every_form_of_a_record(name: str, kind: int, line: str, prefix: str) -> None:
    record = MEMORY._replace(type=kind)
    usable = "" if kind == USABLE or name != "limine" else "base: 0x0, type: 0, length: 0x1\n"
    found = only(prefix + line + "\n" + usable)
    assert (found.name, found.records[0], found.warnings) == (name, record, [])
    assert holds_maps([(prefix + line).encode()])


@pytest.mark.parametrize("order", [("start", "end", "type"), ("end", "start", "type"), ("type", "end", "start")])
@pytest.mark.parametrize(
    "shape",
    [
        "/sys/firmware/memmap/{index}/{part}:{value}\n",
        "memmap/{index}/{part}:{value}\n",
        "{index}/{part}:{value}\n",
        "/sys/firmware/memmap/{index}/{part}:1:{value}\n",
        "==> /sys/firmware/memmap/{index}/{part} <==\n{value}\n\n",
    ],
)
def test_files_of_a_firmware_map(order: tuple[str, ...], shape: str) -> None:
    records = [
        {"start": "0x0", "end": "0x9fbff", "type": "System RAM"},
        {"start": "0x9fc00", "end": "0xfffff", "type": "Reserved"},
        {"start": "0x100000", "end": "0x1fffff", "type": "ACPI Non-volatile Storage"},
    ]
    text = "".join(
        shape.format(index=index, part=part, value=record[part])
        for index, record in enumerate(records)
        for part in order
    )
    expected = [Record(0, 0x9FC00, 1), Record(0x9FC00, 0x60400, 2), Record(0x100000, 0x100000, 4)]
    assert only(text).records == expected


IOMEM_RECORDS = [
    Record(0, 0x1000, 2),
    Record(0x1000, 0x9EC00, 1),
    Record(0xF0000, 0x10000, 2),
    Record(0x100000, 0x3FEDF000, 1),
    Record(0x3FFDF000, 0x21000, 2),
    Record(0x40000000, 0x70000000, 2),
]


@pytest.mark.parametrize(
    "change", [str, lambda line: line.strip(), lambda line: "    " + line, lambda line: "> " + line]
)
def test_what_lies_inside_a_resource_is_no_record(change: object) -> None:
    assert callable(change)
    assert only("".join(f"{change(line)}\n" for line in IOMEM.splitlines())).records == IOMEM_RECORDS


def test_memory_of_loongson_s_other_nodes() -> None:
    (record,) = only("Node1: mem_type:2, mem_start:0x90000000, mem_size:0x700 MB\n").records
    assert record == Record((1 << 44) + 0x90000000, 0x70000000, USABLE)


def test_xen_s_older_map_without_its_prefix_counts_below_a_heading() -> None:
    record = "  0000000000100000 - 0000000001000000 (usable)\n"
    assert maps(record) == []
    assert only("Xen-e820 RAM map:\n" + record).records == [MEMORY]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("00000000-00000000 : System RAM\n00000000-00000000 : Reserved\n", "users other than root"),
        ("00100000-00ffffff : PCI Bus\n", "none of its resources is System RAM"),
        ("base: 0x100000, type: 1, length: 0xf00000\n", "none of its records is of type 0"),
        (
            "size = 0x14, base_addr = 0x0100000, length = 0x06f0000, type = 0x1\n"
            "size = 0x14, base_addr = 0x10, length = 0x06f0000, type = 0x1\n",
            "0x10 is unclear",
        ),
        ("/sys/firmware/memmap/0/start:0x0\n/sys/firmware/memmap/0/end:0xfff\n", "record 0 has no type"),
        ("0/start:0x0\n0/end:0xfff\n1/start:0x1000\n", "record 0 has no type"),
        ("0/start:0x0\n0/start:0x0\n", "record 0 has two values of start"),
        ("0/start:0\n0/end:0xfff\n0/type:System RAM\n", "no address: '0'"),
        ("0/start:0x0\n0/end:0xfff\n0/type:Something\n", "unknown type 'something'"),
        ("Available  0000000000100000-0000000000FFFFFF 0000000000000F01 000000000000000F\n", "not of 3,841 pages"),
        ("Type Start End # Pages\nAvailable  0000000000100000-\n", "no range of addresses with its pages"),
        (
            "Type Start End # Pages\nOther  0000000000100000-0000000000FFFFFF 0000000000000F00 0F\n",
            "unknown type 'Other'",
        ),
        (" memory[0]  [0x100000-0xffffff], 0xe00000 bytes flags: 0\n", "not of 0xe00000 bytes"),
        ("  3: 0000000000100000 - 0000000001000000 = 2 RAM\n", "type 2 is not 'RAM'"),
        ("  3: 000000000010000 - 0000000001000000 = 1 RAM\n", "has not its 16 digits"),
        ("SMAP type=01 base=0000000000100000\n", "no base and length"),
        ("efi: mem01: type=7, attr=0xf, range=[0x0000000000100000-\n", "no range of addresses with its type"),
        ("efi: mem01: [Odd|WB] range=[0x0000000000100000-0x0000000000ffffff] (15MB)\n", "unknown type 'Odd'"),
        ("(XEN)  [0000000000100000, 0000000000ffffff] (odd)\n", "unknown type 'odd'"),
        ("(XEN)  [0000000000100000, 0000000000ff\n", "no range of addresses"),
        ("(XEN)  [000000000100000, 0000000000ffffff] (usable)\n", "has not its 16 digits"),
        ("(XEN)  0000000000100000 - 000000000\n", "has not its 16 digits"),
        ("base_addr = 0x100000, length = 0xf00000\n", "no start, length and type"),
        ("base_addr = 0x100000, length = 0xf00000, odd RAM\n", "unknown type 'odd ram'"),
        ("Node0: mem_type:7, mem_start:0x2d30000,\nstart_pfn:0x0\n", "no start and size in bytes"),
        ("Node0: mem_type:1, mem_start:0x0, mem_size:0x1000 Bytes\n", "none of its records is of type 7"),
        ("Node0: mem_type:1, mem_start:0x100000000000, mem_size:0x1 MB\n", "beyond the addresses of a node"),
        ("Node 0, mem_type:1\t[0x0000000000100000], 0x00000\n", "no start and size"),
        ("base: 0x100000, length: 0xf00000, type: usable_too\n", "unknown type 'usable_too'"),
        ("base: 0x100000, length: 0xf00000, type: bootloader recl\n", "unknown type 'bootloader'"),
        ("base: 0x100000, length: 0xf00000, type: 9\n", "unknown type '9'"),
        ("BIOS-e820: [mem 0x000000000010000-0x0000000000ffffff] usable\n", "has not its 16 digits"),
        ("BIOS-e820: [mem 0x0000000000100000-0x0000000000ffffff]   99   MB System RAM\n", "not of 99 MB"),
        ("BIOS-e820: [mem 0x0000000000100000-0x000000007fffffff]    9.9 GB System RAM\n", "not of 9.9 GB"),
        ("efi: mem01: type=7, attr=0xf, range=[0x0000000000100000-0x0000000001000000) (99MB)\n", "not of 99 MB"),
        ("efi: mem01: [Conventional|WB] range=[0x0000000000100000-0x0000000000ffffff] (16MB)\n", "not of 16 MB"),
        ("  3: 00000000000100000 - 0000000001000000 = 1 RAM\n", "has not its 16 digits"),
        ("  3: 0000000000100000 - 00000000001000000 = 1 RAM\n", "has not its 16 digits"),
    ],
)
def test_what_cannot_be_believed_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        chosen("boot.log", maps(text))
    assert said in str(caught.value)
    assert str(caught.value).startswith("boot.log:")


def test_a_map_that_is_not_meant_need_not_be_believed() -> None:
    found = maps("BIOS-e820: [mem 0x0000000000100000-0x0000000000ffffff] usable\n00000000-00000000 : System RAM\n")
    assert [each.name for each in found] == ["bios-e820", "iomem"]
    assert chosen("boot.log", found).records == of_kernel("boot.log", found).records == [MEMORY]
    with pytest.raises(InputError, match=r"^boot\.log:2: iomem map: its addresses are all zero"):
        chosen("boot.log", found, name="iomem")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SeaBIOS\ne820 map has 1 items:\n  0: 0000000000100000 - 0000000001000000 = 1 RAM\n", ("seabios", 1)),
        ("BIOS-e820: [mem 0x0000000000100000-0x0000000000ffffff] usable\n", ("bios-e820", 1)),
        (" memory[0x0]\t[0x100000-0xffffff], 0xf00000 bytes\n", ("memblock", 1)),
        ("00100000-00ffffff : System RAM\n", ("iomem", 1)),
        ("BIOS-e820: [mem 0x0000000000100000-0x0000000000ffffff] usable\n", ("bios-e820", 2)),
        ("(XEN)  [0000000000100000, 0000000000ffffff] (usable)\n", ("xen-new", 3)),
    ],
)
def test_maps_of_the_stages_of_a_boot(text: str, found: tuple[str, int]) -> None:
    whole = (
        "  0: 0000000000100000 - 0000000001000000 = 1 RAM\n"
        "BIOS-e820: [mem 0x0000000000100000-0x0000000000ffffff] usable\n"
        " memory[0x0]\t[0x100000-0xffffff], 0xf00000 bytes\n"
        "00100000-00ffffff : System RAM\n"
        "BIOS-e820: [mem 0x0000000000100000-0x0000000000ffffff] usable\n"
        "(XEN)  [0000000000100000, 0000000000ffffff] (usable)\n"
    )
    assert found in [(each.name, each.boot) for each in maps(whole)]
    assert (only(text).name, only(text).records) == (found[0], [MEMORY])


@pytest.mark.parametrize("kind", ["e820", "xen-old", "lsmmap", "uefi-shell", "iomem", "seabios", "smap", "limine"])
@pytest.mark.parametrize("reference", ["&nbsp;", "&#160;", "&#xa0;", "&#32;", "\xa0"])
def test_spaces_and_marks_may_be_references_of_html(kind: str, reference: str) -> None:
    example = next(form.example for form in FORMS if form.name == kind) if kind != "xen-old" else LINES[kind][0][1]
    whole = only(example + "\n").records
    assert only(example.replace(" ", reference) + "\n").records == whole
    written = "".join(letter if letter.isalnum() else f"&#{ord(letter)};" for letter in example)
    assert only(written + "\n").records == whole
    assert only("".join(f"&#x{ord(letter):x};" for letter in example) + "\n").records == whole
