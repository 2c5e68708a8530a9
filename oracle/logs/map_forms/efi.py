"""The map of UEFI firmware, as its own shell prints it and as Linux does.

Available  0000000000100000-0000000000FFFFFF 0000000000000F00 000000000000000F         `memmap`: the last byte, pages
efi: mem00: type=7, attr=0xf, range=[0x0000000000100000-0x0000000001000000) (15MB)     the end where a `)` closes it
efi: mem00: [Conventional Memory|   |WB|WT|WC|UC] range=[0x0000000000100000-0x0000000000ffffff] (15MB)
efi:   0x000040000000-0x00004000ffff [Conventional Memory|   |WB|WT|WC|UC]             on ARM
"""

from __future__ import annotations

import re

from memoracle.impl.boot import USABLE
from memoracle.logs.map_forms.form import (
    RESERVED,
    Entry,
    Form,
    IncompleteError,
    RecordError,
    by_end,
    by_last_byte,
    check_size,
    padded,
    whole_number,
)

PAGE = 4096  # bytes: what UEFI counts in, whatever the machine
CONVENTIONAL = 7
OTHERS = {9: 3, 10: 4, 8: 5, 14: 12}  # ACPI's types for those of UEFI; any other is reserved
SOFT_RESERVED = 0xEFFFFFFF
SHELL_TYPES = {
    **dict.fromkeys(["available"], USABLE),
    **dict.fromkeys(["reserved", "loadercode", "loaderdata", "bs_code", "bs_data", "rt_code", "rt_data"], RESERVED),
    **dict.fromkeys(["mmio", "mmio_port", "mmioport", "palcode", "unaccepted"], RESERVED),
    **dict.fromkeys(["memmapio", "memportio", "pal_code"], RESERVED),  # of the first shells
    **dict.fromkeys(["acpi_recl"], 3),
    **dict.fromkeys(["acpi_nvs"], 4),
    **dict.fromkeys(["unusable"], 5),
    **dict.fromkeys(["persistent"], 12),
    **dict.fromkeys(["conv-mem"], USABLE),  # here and below: as GRUB's lsefimmap has them
    **dict.fromkeys(["ldr-code", "ldr-data", "bs-code", "bs-data", "rt-code", "rt-data"], RESERVED),
    **dict.fromkeys(["io-ports", "pal-code"], RESERVED),
    **dict.fromkeys(["acpi-rec"], 3),
    **dict.fromkeys(["acpi-nvs"], 4),
    **dict.fromkeys(["persist"], 12),
}
LINUX_TYPES = {
    **dict.fromkeys(["conventional", "conventional memory"], USABLE),
    **dict.fromkeys(["reserved", "loader code", "loader data", "boot code", "boot data"], RESERVED),
    **dict.fromkeys(["runtime code", "runtime data", "memory mapped i/o", "mmio", "mmio port"], RESERVED),
    **dict.fromkeys(["pal code", "unaccepted", "mem mapped i/o", "i/o port space"], RESERVED),
    **dict.fromkeys(["acpi reclaim", "acpi reclaim memory"], 3),
    **dict.fromkeys(["acpi mem nvs", "acpi memory nvs"], 4),
    **dict.fromkeys(["unusable", "unusable memory"], 5),
    **dict.fromkeys(["persistent", "persistent memory"], 12),
}
SHELL = re.compile(
    r"(?<![\w-])([\w-]+)\s+([0-9a-f]{8,16})-([0-9a-f]{8,16})\s+([0-9a-f]+)(?:\s+[0-9a-f]+)?(?![\w-])", re.I
)
SHELL_BEGINS = re.compile(rf"(?<![\w-])(?:{'|'.join(SHELL_TYPES)})\s+[0-9a-f]{{2,16}}(?:-|\s*$)", re.IGNORECASE)
OEM_TYPE = re.compile(r"[0-9a-f]{8}", re.IGNORECASE)
RANGE = r"\[0x([0-9a-f]{1,16})-\s*0x([0-9a-f]{1,16})([\])])(?:\s*\(\s*(\d+)([KMGT]?B)\))?"
MEM = re.compile(
    rf"\befi: mem(\d+): (?:type=(\d+)[^\[]{{0,60}}|\[([^\]|]{{0,40}})([^\]]{{0,160}})\]\s*)range=\s*{RANGE}",
    re.IGNORECASE,
)
MEM_BEGINS = re.compile(r"\befi: mem\d+:", re.IGNORECASE)
ARM = re.compile(r"\befi:\s+0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\s+\[([^\]|]{0,40})([^\]]{0,160})\]", re.IGNORECASE)
ARM_BEGINS = re.compile(r"\befi:\s+0x[0-9a-f]{8,16}-", re.IGNORECASE)
SPECIFIC_PURPOSE = re.compile(r"\|\s*SP\s*[|\]]")


class UefiShell(Form):
    name = "uefi-shell"
    example = "Available  0000000000100000-0000000000FFFFFF 0000000000000F00 000000000000000F"
    hint = r"\w\s+[0-9a-f]{2,16}(?:-|\s*$)|#\s?Pages"
    words = SHELL_TYPES.keys()
    heading = re.compile(r"Type\s+(?:Start|Physical start)\s+-?\s*(?:End|end)\s+# ?Pages")

    def __init__(self) -> None:
        self.seen = False

    def read(self, text: str, line: int) -> list[Entry]:
        self.seen = self.seen or self.heading.search(text) is not None
        found = SHELL.search(text)
        if found is None:
            if SHELL_BEGINS.search(text):
                raise IncompleteError("no range of addresses with its pages", certain=self.seen)
            return []
        kind = SHELL_TYPES.get(found[1].lower(), RESERVED if OEM_TYPE.fullmatch(found[1]) else None)
        if kind is None:
            if self.seen:
                raise RecordError(f"unknown type {found[1]!r}")
            return []
        self.seen = True
        record = by_last_byte(*padded(found[2], found[3]), kind)
        pages = whole_number(found[4])
        if record.length != pages * PAGE:
            raise RecordError(f"its range is not of {pages:,} pages")
        return [Entry(self.name, record)]


class Efi(Form):
    name = "efi"
    example = "efi: mem00: [Conventional Memory|   |WB|WT|WC|UC] range=[0x0000000000100000-0x0000000000ffffff] (15MB)"
    hint = r"efi:"
    stage = 4
    in_kernel_log = True

    def read(self, text: str, line: int) -> list[Entry]:
        if found := MEM.search(text):
            kind = numbered(whole_number(found[2], 10)) if found[2] else named(found[3], found[4])
            start, end = padded(found[5], found[6])
            record = by_last_byte(start, end, kind) if found[7] == "]" else by_end(start, end, kind)
            if found[8]:
                check_size(record, found[8], None, found[9])
            number = whole_number(found[1], 10)
            return [Entry(self.name, record, number == 0, number=number)]
        if found := ARM.search(text):
            record = by_last_byte(whole_number(found[1]), whole_number(found[2]), named(found[3], found[4]))
            return [Entry(self.name, record)]
        if MEM_BEGINS.search(text) or ARM_BEGINS.search(text):
            raise IncompleteError("no range of addresses with its type")
        return []


def numbered(number: int) -> int:
    """ACPI's type for one of UEFI's."""
    return USABLE if number == CONVENTIONAL else OTHERS.get(number, RESERVED)


def named(name: str, attributes: str) -> int:
    """ACPI's type for a word of Linux for one of UEFI's; raises RecordError."""
    kind = LINUX_TYPES.get(" ".join(name.split()).lower())
    if kind is None:
        raise RecordError(f"unknown type {name.strip()!r}")
    return SOFT_RESERVED if kind == USABLE and SPECIFIC_PURPOSE.search(attributes + "]") else kind
