"""Linux's resources as /proc/iomem has them: `00100000-3ffdefff : System RAM`; what is inside of one is indented."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memoracle.impl.boot import USABLE, Record
from memoracle.logs.map_forms.form import (
    RESERVED,
    Entry,
    Form,
    RecordError,
    by_last_byte,
    whole_number,
)

WHOLE = re.compile(r"(?<![\w-])([0-9a-f]{8,16})-([0-9a-f]{8,16}) : *(.*)", re.IGNORECASE)
RAM = "system ram"
SHORTEST = 6  # letters of a `System RAM` that was cut
OTHERS = {"acpi tables": 3, "acpi non-volatile storage": 4, "unusable memory": 5, "persistent memory": 7}


class ProcIomem(Form):
    """Only outermost resources are records: inside of memory lie the kernel's own, which are memory like the rest."""

    name = "iomem"
    example = "00100000-3ffdefff : System RAM"
    hint = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{8,16} :"
    stage = 4
    beside = re.compile(  # what lies inside of another, and a line of /proc/ioports
        r"(?<![\w-])(?:[0-9a-f]{8,16}-[0-9a-f]{8,16}|[0-9a-f]{4}-[0-9a-f]{4}) : ", re.IGNORECASE
    )

    def __init__(self) -> None:
        self.indentation: int | None = None
        self.outer: Record | None = None

    def read(self, text: str, line: int) -> list[Entry]:
        found = WHOLE.search(text)
        if found is None:
            return []
        words = " ".join(found[3].split()).lower()
        warning, kind = "", OTHERS.get(words, RESERVED)
        if words.startswith(RAM):
            kind = USABLE
        elif SHORTEST <= len(words.rstrip(">=")) and RAM.startswith(words.rstrip(">=")):
            warning, kind = f"its type, {words!r}, was cut, and is taken as System RAM", USABLE
        record = by_last_byte(whole_number(found[1]), whole_number(found[2]), kind)
        before = text[: found.start()]
        if self.lies_inside(record, len(before) - len(before.rstrip())):
            return []
        if self.outer is not None and 0 < record.start - self.outer.start < self.outer.length:
            raise RecordError("it overlaps the one before it")
        self.outer = record
        return [Entry(self.name, record, None, warning)]

    def lies_inside(self, record: Record, indentation: int) -> bool:
        """Whether a resource is part of an earlier one: by its indentation, or where that is lost, by its place."""
        if self.indentation is None or indentation < self.indentation:
            self.indentation = indentation
        if indentation > self.indentation:
            return True
        outer = self.outer
        return (
            outer is not None
            and outer.start <= record.start
            and record.start + record.length <= outer.start + outer.length
        )

    def flaw(self, records: Sequence[Record]) -> str | None:
        if all(record.start == 0 and record.length <= 1 for record in records):
            return "its addresses are all zero, as /proc/iomem has them for users other than root"
        if not any(record.type == USABLE for record in records):
            return "none of its resources is System RAM"
        return None
