"""The maps that Linux prints while booting, from kernel 2.2 to today.

    [    0.000000] BIOS-e820: [mem 0x0000000000100000-0x000000007ffdbfff] usable      the last byte; since 3.5
     BIOS-e820: 0000000000100000 - 000000007ffdc000 (usable)                          the end; 2.4 to 3.4
     BIOS-e820: 000000007fedc000 @ 0000000000100000 (usable)                          the size; 2.2 and early 2.4

A log may hold several: the firmware's, and what the kernel or its command line made of it.
"""

from __future__ import annotations

import re

from memoracle.logs.map_forms.form import (
    Entry,
    Form,
    IncompleteError,
    by_end,
    by_last_byte,
    check_size,
    checked,
    padded,
)
from memoracle.logs.map_forms.type_words import LINUX, with_type

LABEL = re.compile(
    r"(?<![\w-])(BIOS-\w{1,20}|Xen|user|modified|extended|lguest|reserve setup_data)\s*:[ \t]*", re.IGNORECASE
)
# What `grep` puts before a line of one of several files; a time and a date have their colons elsewhere. The kernel's
# name in a log is none, nor is what stands before a heading.
FILE_NAME = re.compile(
    r"[\s\"']*(?!\d{4}-\d\d-\d\dT|[a-z]{0,6}: |(?:\S{1,40} ){1,3}RAM map:)"
    r"([^\s:\[\]<>\"']*[A-Za-z/][^\s:\[\]<>\"']*)[:-]"
)
FIRMWARE = ("bios-", "xen", "lguest")  # what the labels of a firmware's own map begin with
ADDRESS = r"(?:0x)?([0-9a-f]{1,16})"
LAST_BYTE_FORM = re.compile(rf"\[\s*mem\s+{ADDRESS}\s*-\s*{ADDRESS}\s*\](.*)", re.IGNORECASE)
END_FORM = re.compile(rf"{ADDRESS}\s+-\s+{ADDRESS}(?![0-9a-f])(.*)", re.IGNORECASE)
SIZE_FORM = re.compile(rf"{ADDRESS}\s+@\s+{ADDRESS}(?![0-9a-f])(.*)", re.IGNORECASE)
SIZE_COLUMN = re.compile(r"\s*(\d+)(?:\.(\d))?\s+([KMGTPE]?B)\s")
STAMP = re.compile(
    r"\[\s{0,8}\d{1,9}\.\d{1,9}\](?:\[\s{0,8}\w{1,9}\])?\s{0,8}$"
)  # of the next line, where two were joined
# What a record leaves behind when it is damaged; after a label that is a word of English, more than that.
REMAINS = re.compile(r"0x|\[\s*mem|[0-9a-f]{5}|^\W*(?=[a-f]*\d)[0-9a-f]{2}|\busable\b|\breserved\b", re.IGNORECASE)
NOTHING_MORE = re.compile(r"\s*[0-9a-f]{0,16}\s*", re.IGNORECASE)  # than the beginning of a number
BEGINNING = re.compile(r"\[\s*mem\b|[0-9a-f]{16}\b|[0-9a-f]{8,16}\s+[-@]\s", re.IGNORECASE)


class Linux(Form):
    name = "e820"
    example = "BIOS-e820: [mem 0x0000000000100000-0x000000007ffdbfff] usable"
    hint = r"BIOS-|RAM map:|(?:Xen|user|modified|extended|lguest|setup_data)\s*:\s*(?:[\[<\"&]|[0-9a-f]{8}|$)"
    heading = re.compile(r"physical RAM map:", re.IGNORECASE)
    stage = 3
    in_kernel_log = True
    beside = re.compile(r"\[\s*gap\b", re.IGNORECASE)  # the lack of a record

    def read(self, text: str, line: int) -> list[Entry]:
        labels = list(LABEL.finditer(text))
        if not labels:
            return []
        ends = [label.start() for label in labels[1:]] + [len(text)]
        found = [entry(label[1], text[label.end() : end]) for label, end in zip(labels, ends, strict=True)]
        file = FILE_NAME.match(text[: labels[0].start()])
        return [each._replace(source=file[1] if file else "") for each in found if each is not None]

    def called(self, text: str) -> str:
        found = LABEL.search(text)
        return found[1] if found else self.name


def is_firmware(label: str) -> bool:
    """Whether a map that is called so is the firmware's own."""
    return label.lower().startswith(FIRMWARE)


def entry(label: str, text: str) -> Entry | None:
    """The record that follows a label; None where something else does. Raises IncompleteError and RecordError."""
    if Linux.beside.match(text):
        return None
    if found := LAST_BYTE_FORM.match(text):
        record = by_last_byte(*padded(found[1], found[2]), 0)
    elif found := END_FORM.match(text):
        record = by_end(*padded(found[1], found[2]), 0)
    elif found := SIZE_FORM.match(text):
        record = checked(*padded(found[2], found[1]), 0)
    else:
        certain = (REMAINS.search if label.lower().startswith("bios-") else BEGINNING.match)(text) is not None
        if certain or NOTHING_MORE.fullmatch(text):
            raise IncompleteError("no range of addresses", certain=certain)
        return None
    words = found[3]
    if size := SIZE_COLUMN.match(words):
        check_size(record, size[1], size[2], size[3])
        words = words[size.end() :]
    return with_type(label, record, STAMP.sub("", words), LINUX)
