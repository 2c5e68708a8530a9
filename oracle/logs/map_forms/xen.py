"""The firmware's map as the hypervisor Xen prints it.

(XEN)  [0000000000100000, 000000007ffdffff] (usable)          the last byte; since 4.16
(XEN)  0000000000100000 - 000000007ffe0000 (usable)           the end; before
"""

from __future__ import annotations

import re

from memoracle.logs.map_forms.form import Entry, Form, IncompleteError, by_end, by_last_byte, padded
from memoracle.logs.map_forms.type_words import LINUX, with_type

NUMBER = r"([0-9a-f]{8,16})"
NEW = re.compile(rf"\[{NUMBER},\s*{NUMBER}\](.*)", re.IGNORECASE)
NEW_BEGINS = re.compile(r"\(XEN\).*\[[0-9a-f]{8,16},|\[[0-9a-f]{16},", re.IGNORECASE)
CUT = re.compile(r"\(XEN\).*?[\s\[][0-9a-f]{2,16}\s*$", re.IGNORECASE)
PREFIX = r"\(XEN\)(?:\s*\[[^\]\[]{0,40}\]){0,3}\s+"
OLD = re.compile(rf"{PREFIX}{NUMBER} -\s+{NUMBER}(?![0-9a-f])(.*)", re.IGNORECASE)
OLD_BEGINS = re.compile(rf"{PREFIX}[0-9a-f]{{8,16}} -", re.IGNORECASE)
BARE = re.compile(rf"\s*{NUMBER} -\s+{NUMBER}\s*(\(.*)", re.IGNORECASE)


class Xen(Form):
    """A line of the older shape without `(XEN)` counts below a heading only: others print the like."""

    name = "xen"
    example = "(XEN)  [0000000000100000, 000000007ffdffff] (usable)"
    hint = r"\(XEN\)|RAM map:|\[[0-9a-f]{8,16},|^[>|\s]*[0-9a-f]{8,16} - "
    heading = re.compile(r"(?:Xen-\w+|Multiboot-\w+|\(XEN\).*EFI) RAM map:", re.IGNORECASE)
    stage = 2

    def __init__(self) -> None:
        self.below_heading = False
        self.read_last = False  # whether the line before this one was a heading or a record

    def read(self, text: str, line: int) -> list[Entry]:
        heads = self.heading.search(text) is not None
        self.below_heading |= heads
        self.read_last |= heads
        if found := NEW.search(text):
            self.read_last = True
            return [with_type("xen-new", by_last_byte(*padded(found[1], found[2]), 0), found[3], LINUX)]
        if found := OLD.search(text) or (BARE.fullmatch(text) if self.below_heading else None):
            self.read_last = True
            return [with_type("xen-old", by_end(*padded(found[1], found[2]), 0), found[3], LINUX)]
        if NEW_BEGINS.search(text) or OLD_BEGINS.search(text):
            raise IncompleteError("no range of addresses")
        if self.below_heading and self.read_last and CUT.search(text):
            raise IncompleteError("no range of addresses")
        self.read_last = heads
        return []
