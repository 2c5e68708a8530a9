"""What Linux's allocator of early memory knows (`memblock=debug`), and the like of U-Boot's `bdinfo`.

memory[0x0]     [0x0000000000001000-0x000000000009efff], 0x000000000009e000 bytes on node 0 flags: 0x0
reserved[0x0]   [0x0000000000000000-0x0000000000000fff], 0x0000000000001000 bytes flags: 0x0
"""

from __future__ import annotations

import re

from memoracle.impl.boot import USABLE
from memoracle.logs.map_forms.form import RESERVED, Entry, Form, IncompleteError, RecordError, by_last_byte

NO_MAP = 4  # a flag: memory that the kernel must not touch
WHOLE = re.compile(
    r"\b(memory|reserved)\[(?:0x)?([0-9a-f]+)\]\s*\[0x([0-9a-f]{1,16})-\s*0x([0-9a-f]{1,16})\],\s*0x([0-9a-f]{1,16})\s+bytes"
    r"(?:\s+on node \d+)?(?:\s+flags:\s*(?:0x)?([0-9a-f]+))?",
    re.IGNORECASE,
)
BEGINS = re.compile(r"\b(?:memory|reserved)\[(?:0x)?[0-9a-f]+\]\s*\[0x", re.IGNORECASE)


class Memblock(Form):
    name = "memblock"
    example = " memory[0x0]\t[0x0000000000001000-0x000000000009efff], 0x000000000009e000 bytes flags: 0x0"
    hint = r"memory\[|reserved\[|MEMBLOCK configuration|lmb_dump_all"
    heading = re.compile(r"MEMBLOCK configuration:|lmb_dump_all:")
    stage = 4

    def read(self, text: str, line: int) -> list[Entry]:
        found = WHOLE.search(text)
        if found is None:
            if BEGINS.search(text):
                raise IncompleteError("no range of addresses with its bytes")
            return []
        usable = found[1].lower() == "memory" and not int(found[6] or "0", 16) & NO_MAP
        record = by_last_byte(int(found[3], 16), int(found[4], 16), USABLE if usable else RESERVED)
        if record.length != int(found[5], 16):
            raise RecordError(f"its range is not of 0x{found[5]} bytes")
        return [Entry(self.name, record, found[1].lower() == "memory" and int(found[2], 16) == 0)]
