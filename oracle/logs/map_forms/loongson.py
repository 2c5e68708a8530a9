"""The memory that the firmware of Loongson's machines reports, as Linux prints it; what the kernel reserves is besides.

Node0: mem_type:7, mem_start:0x1000, mem_size:0xf000 Bytes             LoongArch: UEFI's types
Node0: mem_type:1, mem_start:0x200000, mem_size:0xee MB                MIPS: types of its own, addresses in the node
Node 0, mem_type:2      [0x0000000090000000], 0x0000000070000000 bytes usable           since 6.4
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from memoracle.impl.boot import USABLE, Record
from memoracle.logs.map_forms.efi import numbered
from memoracle.logs.map_forms.form import RESERVED, Entry, OneLineForm, RecordError, checked, whole_number

NODE_SHIFT = 44  # bits of an address in a node
MEMORY = (1, 2)  # low and high: these types are memory, all others are reserved
MEGABYTE = 1 << 20


class LoongArch(OneLineForm):
    name = "loongarch"
    example = "Node0: mem_type:7, mem_start:0x1000, mem_size:0xf000 Bytes"
    hint = r"(?:Node\s*\d+: )?mem_type"
    stage = 4
    in_kernel_log = True
    whole = re.compile(
        r"\bNode\s*(\d+): mem_type:(\d+),\s*mem_start:0x([0-9a-f]{1,16}),\s*mem_size:0x([0-9a-f]{1,16})\s+Bytes", re.I
    )
    begins = re.compile(r"\bNode\s*\d+: mem_type(?!.* MB\b)", re.IGNORECASE)
    beside = re.compile(r"\bResvd: mem_type", re.IGNORECASE)
    missing = "no start and size in bytes"

    def entry(self, found: re.Match[str]) -> Entry:
        kind = numbered(whole_number(found[2], 10))
        return Entry(self.name, checked(whole_number(found[3]), whole_number(found[4]), kind))

    def flaw(self, records: Sequence[Record]) -> str | None:
        """Some firmware before UEFI had types of its own, with 1 for memory."""
        if not any(record.type == USABLE for record in records):
            return "none of its records is of type 7, so that it is not clear that these are the types of UEFI"
        return None


class Loongson(OneLineForm):
    name = "loongson"
    example = "Node0: mem_type:1, mem_start:0x200000, mem_size:0xee MB"
    hint = r"Node\s*\d+[:,] mem_type"
    stage = 4
    in_kernel_log = True
    whole = re.compile(
        r"\bNode\s*(\d+)(?:: mem_type:(\d+),\s*mem_start:0x([0-9a-f]{1,16}),\s*mem_size:0x([0-9a-f]{1,16})\s+MB\b"
        r"|, mem_type:(\d+)\s*\[0x([0-9a-f]{16})\],\s*0x([0-9a-f]{16})\s+bytes (usable|reserved))",
        re.IGNORECASE,
    )
    begins = re.compile(r"\bNode\s*\d+(?:: mem_type.* MB\b|, mem_type)", re.IGNORECASE)
    missing = "no start and size"

    def entry(self, found: re.Match[str]) -> Entry:
        if found[8]:
            kind = USABLE if found[8].lower() == "usable" else RESERVED
            return Entry(self.name, checked(whole_number(found[6]), whole_number(found[7]), kind))
        node, kind = whole_number(found[1], 10), whole_number(found[2], 10)
        start = whole_number(found[3])
        if start >> NODE_SHIFT:
            raise RecordError(f"its start lies beyond the addresses of a node, of {NODE_SHIFT} bits")
        size = whole_number(found[4]) * MEGABYTE
        return Entry(self.name, checked((node << NODE_SHIFT) + start, size, USABLE if kind in MEMORY else RESERVED))
