"""The value of IA32_PAT as users and Linux write it: a number, or the eight memory types by their short names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from memoracle.impl.pat import ENTRIES
from memoracle.spec import pat

SHORT: Final = {
    "UC": pat.UNCACHEABLE,
    "WC": pat.WRITE_COMBINING,
    "WT": pat.WRITE_THROUGH,
    "WP": pat.WRITE_PROTECTED,
    "WB": pat.WRITE_BACK,
    "UC-": pat.UNCACHED,
}
# Of Linux since 4.2, and before.
NAMED = re.compile(rb"x86/PAT: Configuration \[0-7\]: ((?:(?:WB|WC|WT|WP|UC-|UC) *){8})\s*$")
NUMBERED = re.compile(rb"x86 PAT enabled: cpu \d+, old 0x[0-9a-f]+, new 0x([0-9a-f]{1,16})\b")


def of_names(text: str) -> int | None:
    """The value in which the indexes from 0 on have these types; None if it is no list of eight."""
    names = text.split()
    if len(names) != ENTRIES or not all(each in SHORT for each in names):
        return None
    return sum(SHORT[each] << 8 * index for index, each in enumerate(names))


def stated_in(lines: Iterable[bytes]) -> int | None:
    """The value that a log of Linux says, the last if there are several; None if it says none."""
    found = None
    for line in lines:
        if named := NAMED.search(line):
            found = of_names(named[1].decode())
        elif numbered := NUMBERED.search(line):
            found = int(numbered[1], 16)
    return found
