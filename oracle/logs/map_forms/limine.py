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

FIELD = re.compile(r"(?<![\w.])(base|length|len|size|type)\s*[:=]\s*\"?((?:0x)?[\w-]+)", re.IGNORECASE)
NUMBER = re.compile(r"0x[0-9a-f]{1,16}|[0-9]{1,20}")
NUMBERED = dict(enumerate((USABLE, RESERVED, 3, 4, 5, *[RESERVED] * 4)))
NAMED = {  # a blank, a hyphen or nothing may stand for the underscore
    "usable": USABLE,
    **dict.fromkeys(["reserved", "reserved_mapped", "framebuffer", "acpi_tables"], RESERVED),
    **dict.fromkeys(["bootloader_reclaimable", "kernel_and_modules", "executable_and_modules"], RESERVED),
    "acpi_reclaimable": 3,
    **dict.fromkeys(["acpi_nvs", "acpi_non_volatile_storage"], 4),
    **dict.fromkeys(["bad", "bad_memory"], 5),
}
NAMES = "|".join(name.replace("_", "[-_ ]?") for name in sorted(NAMED, key=len, reverse=True))
TYPE = re.compile(
    rf"(?<![\w.])type\s*[:=]\s*[\"'(\[]?(?:limine_mem(?:ory_)?map_)?(?:(0x[0-9a-f]+|\d+)|({NAMES}))(?![\w-])",
    re.IGNORECASE,
)
LENGTHS = ("length", "len", "size")


class Limine(Form):
    name = "limine"
    example = "base: 0x100000, type: 0, length: 0x7fe1b000"
    hint = r"base\s*[:=]|\bentries\s*[:=]"
    stage = 1
    count = re.compile(r"\b(?:amount|number|count) of entries\s*[:=]\s*(?P<count>0x[0-9a-f]+|\d+)(?!\w)", re.IGNORECASE)

    def __init__(self) -> None:
        self.seen = False

    def read(self, text: str, line: int) -> list[Entry]:
        found = ((key.lower(), value.lower()) for key, value in FIELD.findall(text))
        fields = {LENGTHS[0] if key in LENGTHS else key: value for key, value in found}
        if "base" not in fields or not fields["base"].startswith("0x") or len(fields) == 1:
            return []
        if fields.keys() != {"base", LENGTHS[0], "type"}:
            raise IncompleteError("no base, length and type", certain=self.seen)
        kind = type_in(text)
        if kind is None:
            raise RecordError(f"unknown type {fields['type']!r}")
        self.seen = True
        return [Entry(self.name, checked(number(fields["base"]), number(fields[LENGTHS[0]]), kind))]

    def flaw(self, records: Sequence[Record]) -> str | None:
        if not any(record.type == USABLE for record in records):
            return "none of its records is of type 0, so that it is not clear that these are the types of Limine"
        return None


def type_in(text: str) -> int | None:
    """The type that a record has; None if it has none that is known. Raises RecordError."""
    found = TYPE.search(text)
    if found is None:
        return None
    if found[1]:
        return NUMBERED.get(whole_number(found[1], 10))
    return next(kind for name, kind in NAMED.items() if plain(name) == plain(found[2]))


def plain(name: str) -> str:
    return re.sub("[-_ ]", "", name).lower()


def number(text: str) -> int:
    """A number, decimal or `0x`; raises RecordError."""
    if not NUMBER.fullmatch(text):
        raise RecordError(f"no number: {text!r}")
    return whole_number(text, 10)
