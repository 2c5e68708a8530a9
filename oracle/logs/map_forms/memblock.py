"""What Linux's allocator of early memory knows (`memblock=debug`), and the like of U-Boot's `bdinfo`.

memory[0x0]     [0x0000000000001000-0x000000000009efff], 0x000000000009e000 bytes on node 0 flags: 0x0
reserved[0x0]   [0x0000000000000000-0x0000000000000fff], 0x0000000000001000 bytes flags: 0x0
"""

from __future__ import annotations

import re

from memoracle.impl.boot import USABLE
from memoracle.logs.map_forms.form import (
    RESERVED,
    Entry,
    OneLineForm,
    RecordError,
    by_last_byte,
    whole_number,
)

NO_MAP = 4  # a flag: memory that the kernel must not touch


class Memblock(OneLineForm):
    name = "memblock"
    example = " memory[0x0]\t[0x0000000000001000-0x000000000009efff], 0x000000000009e000 bytes flags: 0x0"
    hint = r"(?:memory|reserved)(?:\[|\.c(?:nt|ount))|MEMBLOCK configuration|lmb_dump_all"
    heading = re.compile(r"MEMBLOCK configuration:|lmb_dump_all:")
    stage = 4
    count = re.compile(
        r"\b(?P<part>memory|reserved)\.(?:cnt|count)\s*=\s*(?P<count>0x[0-9a-f]+|\d+)(?![0-9a-z])", re.IGNORECASE
    )
    whole = re.compile(
        r"\b(memory|reserved)\[(0x[0-9a-f]+|\d+)\]"
        r"\s*\[0x([0-9a-f]{1,16})-\s*0x([0-9a-f]{1,16})\],\s*0x([0-9a-f]{1,16})\s+bytes"
        r"(?:\s+on node \d+)?(?:\s+flags:\s*(?:0x)?([0-9a-f]+))?",
        re.IGNORECASE,
    )
    begins = re.compile(r"\b(?:memory|reserved)\[(?:0x)?[0-9a-f]+\]\s*\[0x", re.IGNORECASE)
    missing = "no range of addresses with its bytes"

    def entry(self, found: re.Match[str]) -> Entry:
        usable = found[1].lower() == "memory" and not whole_number(found[6] or "0") & NO_MAP
        record = by_last_byte(whole_number(found[3]), whole_number(found[4]), USABLE if usable else RESERVED)
        if record.length != whole_number(found[5]):
            raise RecordError(f"its range is not of 0x{found[5]} bytes")
        part, number = found[1].lower(), whole_number(found[2], 10)
        return Entry(self.name, record, part == "memory" and number == 0, number=number, part=part)
