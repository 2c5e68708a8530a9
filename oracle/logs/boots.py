"""Signs in a log that a machine was started again: what a kernel prints first, marks of the journal, its clock."""

from __future__ import annotations

import re

FIRST_LINE = b"Linux version "
JOURNAL_MARK = re.compile(rb"^\s*-- (?:Boot [0-9a-f]{32}|Reboot) --")
TIME = re.compile(rb"\[\s{0,8}(\d{1,9})\.\d{6}\]")
SEARCHED = 120  # bytes of a line in which its time stands
OTHER_CLOCK = b"(XEN)"  # the hypervisor's own, in a line among those of a kernel


def journal_mark(boot: str) -> bytes:
    """The line that stands between two boots in the journal's text."""
    return f"-- Boot {boot} --".encode()


class BootSigns:
    """Counts the signs in a text, line by line."""

    def __init__(self) -> None:
        self.count = 0
        self.latest = 0  # seconds

    def see(self, line: bytes) -> int:
        """How many signs stand in the text up to and including this line."""
        if FIRST_LINE in line or JOURNAL_MARK.match(line):
            self.count += 1
            self.latest = 0
        elif (found := TIME.search(line, 0, SEARCHED)) and OTHER_CLOCK not in line:
            seconds = int(found[1])
            if seconds == 0 < self.latest:
                self.count += 1
            self.latest = seconds
        return self.count
