"""A record that is damaged in the middle of a map is never left out in silence, whatever the form."""

from __future__ import annotations

import re

import pytest

from memoracle.impl.boot import Record
from memoracle.logs.memory_maps import MemoryMap, read_maps
from memoracle.trace.inputs import InputError

MAPS = {  # a heading, if the form has one, and four records: the damaged one is the third
    "e820": """BIOS-provided physical RAM map:
BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable
BIOS-e820: [mem 0x000000000009fc00-0x000000000009ffff] reserved
BIOS-e820: [mem 0x0000000000100000-0x000000003ffdefff] usable
BIOS-e820: [mem 0x00000000fffc0000-0x00000000ffffffff] reserved""",
    "e820, stamped": """[    0.000000] BIOS-provided physical RAM map:
[    0.000000] BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable
[    0.000000] BIOS-e820: [mem 0x000000000009fc00-0x000000000009ffff] reserved
[    0.000000] BIOS-e820: [mem 0x0000000000100000-0x000000003ffdefff] ACPI NVS
[    0.000000] BIOS-e820: [mem 0x00000000fffc0000-0x00000000ffffffff] reserved""",
    "e820, the end": """BIOS-provided physical RAM map:
 BIOS-e820: 0000000000000000 - 000000000009fc00 (usable)
 BIOS-e820: 000000000009fc00 - 00000000000a0000 (reserved)
 BIOS-e820: 0000000000100000 - 000000003ffdf000 (usable)
 BIOS-e820: 00000000fffc0000 - 0000000100000000 (reserved)""",
    "e820, the size": """BIOS-provided physical RAM map:
 BIOS-e820: 000000000009fc00 @ 0000000000000000 (usable)
 BIOS-e820: 0000000000000400 @ 000000000009fc00 (reserved)
 BIOS-e820: 000000003fedf000 @ 0000000000100000 (usable)
 BIOS-e820: 0000000000040000 @ 00000000fffc0000 (reserved)""",
    "user": """user-defined physical RAM map:
user: [mem 0x0000000000000000-0x000000000009fbff] usable
user: [mem 0x000000000009fc00-0x000000000009ffff] reserved
user: [mem 0x0000000000100000-0x000000003ffdefff] usable
user: [mem 0x00000000fffc0000-0x00000000ffffffff] reserved""",
    "xen-new": """(XEN) Xen-e820 RAM map:
(XEN)  [0000000000000000, 000000000009fbff] (usable)
(XEN)  [000000000009fc00, 000000000009ffff] (reserved)
(XEN)  [0000000000100000, 000000007ffdffff] (usable)
(XEN)  [000000007ffe0000, 000000007fffffff] (reserved)""",
    "xen-old": """(XEN) Xen-e820 RAM map:
(XEN)  0000000000000000 - 000000000009fc00 (usable)
(XEN)  000000000009fc00 - 00000000000a0000 (reserved)
(XEN)  0000000000100000 - 000000007ffe0000 (usable)
(XEN)  000000007ffe0000 - 0000000080000000 (reserved)""",
    "lsmmap": """grub> lsmmap
base_addr = 0x0, length = 0x9fc00, available RAM
base_addr = 0x9fc00, length = 0x400, reserved RAM
base_addr = 0x100000, length = 0x7ee0000, available RAM
base_addr = 0x7fe0000, length = 0x20000, reserved RAM""",
    "multiboot": """mmap_addr
size = 0x14, base_addr = 0x00, length = 0x09fc00, type = 0x1
size = 0x14, base_addr = 0x09fc00, length = 0x0400, type = 0x2
size = 0x14, base_addr = 0x0100000, length = 0x06f0000, type = 0x1
size = 0x14, base_addr = 0x07f0000, length = 0x010000, type = 0x3""",
    "limine": """Memory
base: 0x1000, type: 5, length: 0x51000
base: 0x52000, type: 0, length: 0x4d000
base: 0x9fc00, type: 1, length: 0x400
base: 0x100000, type: 0, length: 0x7fe1b000""",
    "uefi-shell": """Type       Start            End              # Pages          Attributes
BS_Code    0000000000000000-0000000000007FFF 0000000000000008 000000000000000F
Available  0000000000008000-000000000005DFFF 0000000000000056 000000000000000F
LoaderData 0000000001000000-00000000010FFFFF 0000000000000100 000000000000000F
Available  0000000001100000-000000001FFFFFFF 000000000001EF00 000000000000000F""",
    "efi": """efi: EFI v2.31 by EDK II
efi: mem00: type=7, attr=0xf, range=[0x0000000000000000-0x0000000000100000) (1MB)
efi: mem01: type=2, attr=0xf, range=[0x0000000000100000-0x0000000000200000) (1MB)
efi: mem02: type=7, attr=0xf, range=[0x0000000000200000-0x0000000001000000) (14MB)
efi: mem03: type=4, attr=0xf, range=[0x0000000001000000-0x0000000001100000) (1MB)""",
    "efi, newer": """[    0.000000] efi: EFI v2.7 by EDK II
[    0.000000] efi: mem00: [Conventional|   |WB|WT|WC|UC] range=[0x0000000000000000-0x00000000000fffff] (1MB)
[    0.000000] efi: mem01: [Boot Code   |   |WB|WT|WC|UC] range=[0x0000000000100000-0x00000000001fffff] (1MB)
[    0.000000] efi: mem02: [Conventional|   |WB|WT|WC|UC] range=[0x0000000000200000-0x0000000000ffffff] (14MB)
[    0.000000] efi: mem03: [Loader Data |   |WB|WT|WC|UC] range=[0x0000000001000000-0x00000000010fffff] (1MB)""",
    "seabios": """e820 map has 4 items:
  0: 0000000000000000 - 000000000009fc00 = 1 RAM
  1: 000000000009fc00 - 00000000000a0000 = 2 RESERVED
  2: 0000000000100000 - 000000007f7ff000 = 1 RAM
  3: 000000007f7ff000 - 000000007f800000 = 2 RESERVED""",
    "smap": """FreeBSD
SMAP type=01 base=0000000000000000 len=000000000009fc00
SMAP type=02 base=000000000009fc00 len=0000000000000400
SMAP type=01 base=0000000000100000 len=000000007fedb000
SMAP type=02 base=00000000fffc0000 len=0000000000040000""",
    "memblock": """MEMBLOCK configuration:
 memory[0x0]\t[0x0000000000001000-0x000000000009efff], 0x000000000009e000 bytes on node 0 flags: 0x0
 memory[0x1]\t[0x0000000000100000-0x00000000001fffff], 0x0000000000100000 bytes on node 0 flags: 0x0
 memory[0x2]\t[0x0000000000300000-0x00000000003fffff], 0x0000000000100000 bytes on node 0 flags: 0x0
 memory[0x3]\t[0x0000000000500000-0x00000000005fffff], 0x0000000000100000 bytes on node 0 flags: 0x0""",
    "iomem": """$ sudo cat /proc/iomem
00000000-00000fff : Reserved
00001000-0009fbff : System RAM
00100000-3ffdefff : ACPI Tables
40000000-5ffdefff : System RAM""",
    "loongarch": """[    0.000000] loongson
[    0.000000] Node0: mem_type:4, mem_start:0x0, mem_size:0x1000 Bytes
[    0.000000] Node0: mem_type:7, mem_start:0x1000, mem_size:0xf000 Bytes
[    0.000000] Node0: mem_type:4, mem_start:0x10000, mem_size:0x30000 Bytes
[    0.000000] Node0: mem_type:7, mem_start:0x40000, mem_size:0x1c0000 Bytes""",
}
THIRD = 3  # the line of the damaged record, where the heading has number 0


def read(lines: list[str]) -> list[MemoryMap]:
    return read_maps("boot.log", ("\n".join(lines) + "\n").encode().splitlines(keepends=True))


def records(maps: list[MemoryMap]) -> list[Record]:
    return [record for each in maps for record in each.records]


def is_noticed(lines: list[str], damaged: str) -> bool:
    """Whether a map with this line in the place of its third record is refused in that line, or warned of."""
    try:
        found = read([*lines[:THIRD], damaged, *lines[THIRD + 1 :]])
    except InputError as fault:
        return fault.line == THIRD + 1
    return any(each.warnings for each in found)


def unnoticed(name: str, damaged: list[str]) -> list[str]:
    """The damaged lines whose record is left out in silence."""
    lines = MAPS[name].splitlines()
    whole = records(read(lines))
    assert len(whole) == 4
    left_out = whole[: THIRD - 1] + whole[THIRD:]
    found = []
    for line in damaged:
        if is_noticed(lines, line):
            continue
        seen = records(read([*lines[:THIRD], line, *lines[THIRD + 1 :]]))
        if seen == left_out or len(seen) < len(whole):
            found.append(line)
    return found


@pytest.mark.parametrize("name", MAPS)
def test_a_record_that_was_cut_at_its_end(name: str) -> None:
    line = MAPS[name].splitlines()[THIRD]
    prefix = line.index("] ") + 2 if line.startswith("[ ") else 0
    least = prefix + len(line[prefix:]) - len(line[prefix:].lstrip()) + 2
    assert unnoticed(name, [line[:end] for end in range(least, len(line))]) == []


@pytest.mark.parametrize("name", MAPS)
def test_a_record_that_lost_its_front(name: str) -> None:
    line = MAPS[name].splitlines()[THIRD]
    end = max(found.end() for found in re.finditer(r"[0-9a-fA-F]{3,}", line))
    assert unnoticed(name, [line[start:] for start in range(1, min(end, len(line) - 2))]) == []


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("letter", ["", "?", "x", "~"])
def test_a_record_with_a_character_that_is_wrong(name: str, letter: str) -> None:
    line = MAPS[name].splitlines()[THIRD]
    assert unnoticed(name, [line[:at] + letter + line[at + 1 :] for at in range(len(line))]) == []


@pytest.mark.parametrize("name", [name for name in MAPS if re.search(r"\b[0-9a-fA-F]{16}\b", MAPS[name])])
def test_a_number_with_a_digit_too_many(name: str) -> None:
    line = MAPS[name].splitlines()[THIRD]
    for number in re.finditer(r"\b(?:0x)?([0-9a-fA-F]{16})\b", line):
        for at in range(number.start(1), number.end(1)):
            assert unnoticed(name, [line[:at] + line[at] + line[at:]]) == []


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("numbers", [{0, 2}, {0, 3}, {1, 3}, {0, 1}])
def test_what_the_text_itself_says_that_it_lacks(name: str, numbers: set[int]) -> None:
    """By the numbers of its records, or by a line that states how many there are."""
    count = {"limine": "Amount of entries: 4", "memblock": " memory.cnt  = 0x4"}.get(name)
    lines = MAPS[name].splitlines()
    heading = [lines[0]] + [count] * (count is not None)
    whole, lacking = (read(heading + [lines[1 + number] for number in kept]) for kept in (range(4), numbers))
    assert whole[0].warnings == []
    numbered = name in ("memblock", "seabios") or name.startswith("efi")
    said = " ".join(lacking[0].warnings)
    assert ("states 4 records" in said) == (count is not None or name == "seabios")
    missing = sorted(set(range(max(numbers))) - numbers)
    assert ("are missing: " + ", ".join(map(str, missing)) in said) == (numbered and missing != [])


@pytest.mark.parametrize("name", MAPS)
def test_other_lines_between_records_are_no_damage(name: str) -> None:
    lines = MAPS[name].splitlines()
    for other in ("NX (Execute Disable) protection: active", "$ ", "[    0.000000] ACPI: RSDP 0x00000000000F0490 24"):
        found = read([*lines[:THIRD], other, *lines[THIRD:]])
        assert records(found) == records(read(lines))
        assert [each.warnings for each in found] == [[]]
