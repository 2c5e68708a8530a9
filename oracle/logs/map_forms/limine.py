"""The map that the boot loader Limine hands over, as kernels print it: `base: 0x1000, type: 0, length: 0x51000`.

In its protocol type 0 is usable memory and 1 is reserved, which Multiboot and e820 have otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from memoracle.impl.boot import USABLE, Record
from memoracle.logs.map_forms.form import (
    RESERVED,
    Entry,
    Form,
    IncompleteError,
    RecordError,
    checked,
    whole_number,
)

FIELD = re.compile(r"(?<![\w.])(base|length|len|type)\s*[:=]\s*\"?((?:0x)?[\w-]+)", re.IGNORECASE)
NUMBER = re.compile(r"0x[0-9a-f]{1,16}|[0-9]{1,20}")
TYPES = {
    **dict.fromkeys(["0", "usable"], USABLE),
    **dict.fromkeys(["1", "reserved"], RESERVED),
    **dict.fromkeys(["2", "acpi_reclaimable"], 3),
    **dict.fromkeys(["3", "acpi_nvs"], 4),
    **dict.fromkeys(["4", "bad_memory"], 5),
    **dict.fromkeys(["5", "bootloader_reclaimable", "6", "kernel_and_modules", "executable_and_modules"], RESERVED),
    **dict.fromkeys(["7", "framebuffer", "8", "acpi_tables", "reserved_mapped"], RESERVED),
}


class Limine(Form):
    name = "limine"
    example = "base: 0x100000, type: 0, length: 0x7fe1b000"
    hint = r"base\s*[:=]|\bentries\s*[:=]"
    stage = 1
    count = re.compile(r"\b(?:amount|number|count) of entries\s*[:=]\s*(?P<count>0x[0-9a-f]+|\d+)(?!\w)", re.IGNORECASE)

    def __init__(self) -> None:
        self.seen = False

    def read(self, text: str, line: int) -> list[Entry]:
        fields = {key.lower().replace("length", "len"): value.lower() for key, value in FIELD.findall(text)}
        if "base" not in fields or not fields["base"].startswith("0x") or len(fields) == 1:
            return []
        if fields.keys() != {"base", "len", "type"}:
            raise IncompleteError("no base, length and type", certain=self.seen)
        kind = TYPES.get(fields["type"].replace("-", "_").removeprefix("limine_memmap_"))
        if kind is None:
            raise RecordError(f"unknown type {fields['type']!r}")
        self.seen = True
        return [Entry(self.name, checked(number(fields["base"]), number(fields["len"]), kind))]

    def flaw(self, records: Sequence[Record]) -> str | None:
        if not any(record.type == USABLE for record in records):
            return "none of its records is of type 0, so that it is not clear that these are the types of Limine"
        return None


def number(text: str) -> int:
    """A number, decimal or `0x`; raises RecordError."""
    if not NUMBER.fullmatch(text):
        raise RecordError(f"no number: {text!r}")
    return whole_number(text, 10)
