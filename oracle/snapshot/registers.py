"""The control registers that say whether and how a processor pages, as `info registers` or a core's notes have them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from memoracle.diagnostics.warned import Warned
from memoracle.snapshot.levels import FIVE, FOUR, Levels
from memoracle.trace.inputs import InputError

PAGING = 1 << 31  # of CR0 (Intel SDM volume 3, 2.5)
FIVE_LEVELS = 1 << 12  # of CR4: LA57
LONG_MODE = 1 << 10  # of EFER: LMA
EXECUTE_DISABLE = 1 << 11  # of EFER: NXE
NAMED = re.compile(rb"\b(CR0|CR3|CR4|EFER|RIP|EIP) ?=(?:0x)?([0-9a-fA-F]{1,16})(?![0-9a-zA-Z])")


class Registers(NamedTuple):
    """Of one processor, as a file says at a line, or in a note; None of what it does not say."""

    path: str
    line: int | None
    cr3: int
    cr0: int | None = None
    cr4: int | None = None
    efer: int | None = None
    is_32_bit: bool = False

    @property
    def is_64_bit(self) -> bool:
        """Whether the text says that the processor is in 64-bit mode."""
        return self.efer is not None and self.efer & LONG_MODE != 0


def read_registers(path: str, lines: Iterable[bytes]) -> list[Registers]:
    """Those of each processor that a text shows."""
    found: list[Registers] = []
    known: dict[str, int] = {}
    place = 1

    def finish() -> None:
        if "CR3" in known:
            cr0, cr4, efer = (known.get(name) for name in ("CR0", "CR4", "EFER"))
            found.append(Registers(path, place, known["CR3"], cr0, cr4, efer, "EIP" in known))
        known.clear()

    for line, text in enumerate(lines, 1):
        for name, digits in NAMED.findall(text):
            key = name.decode()
            if key in known or (key in ("RIP", "EIP") and "CR3" in known):  # the next processor's begin
                finish()
            known[key] = int(digits, 16)
            if key == "CR3":
                place = line
    finish()
    return found


def paging(processors: Sequence[Registers]) -> tuple[list[Registers], list[Warned]]:
    """Those that page in 64-bit mode, and a warning for each that does not page; raises InputError for other paging."""
    kept, warnings = list[Registers](), list[Warned]()
    for each in processors:
        if each.cr0 is not None and not each.cr0 & PAGING:
            words = f"a processor does not page (CR0.PG is 0): its CR3, {each.cr3:#x}, is not used"
            warnings.append(Warned(each.path, each.line, words))
            continue
        if each.is_32_bit or (each.efer is not None and not each.efer & LONG_MODE):
            raise InputError(each.path, each.line, "a processor is not in 64-bit mode: its tables are not read")
        kept.append(each)
    return kept, warnings


def have_execute_disable(processors: Sequence[Registers]) -> bool:
    """Whether bit 63 of an entry is not reserved: it is where every processor whose EFER is known has NXE clear."""
    known = [each.efer for each in processors if each.efer is not None]
    return not known or any(efer & EXECUTE_DISABLE for efer in known)


def levels_of(processors: Sequence[Registers], five: bool) -> Levels:
    """How many levels tables have: four where nobody says anything. five: whether the user says that there are five.

    Raises InputError where they say different things.
    """
    known = [each for each in processors if each.cr4 is not None]
    has_five = [each.cr4 & FIVE_LEVELS != 0 for each in known if each.cr4 is not None]
    other = next((each for each, its in zip(known, has_five, strict=True) if its != (five or has_five[0])), None)
    if other is not None:
        words = (
            f"CR4 of a processor is {other.cr4:#x}, by which tables have {FOUR if five or has_five[0] else FIVE} levels"
        )
        raise InputError(
            other.path, other.line, f"{words}, but {'--la57' if five else 'another processor'} says otherwise"
        )
    return Levels(FIVE if five or any(has_five) else FOUR)
