"""What QEMU's monitor says of one address space, in `info mem` and `info tlb`, or GEF's `vmmap`; of x86-64."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from memoracle.logs.cleaning import plain
from memoracle.spec.addresses import is_canonical
from memoracle.spec.geometry_keys import PAGE_SHIFTS
from memoracle.trace.inputs import InputError
from memoracle.trace.quoting import quoted

MEM, TLB, GEF = "info mem", "info tlb", "vmmap"
RANGE = re.compile(rb"([0-9a-f]{16})-([0-9a-f]{16}) ([0-9a-f]{16}) ([u-])r([w-])")
PAGE = re.compile(rb"([0-9a-f]{16}): ([0-9a-f]{16}) ([X-][G-][P-][D-][A-][C-][T-][U-][W-])")
# Of GEF for kernels, https://github.com/bata24/gef: pages that follow one another, of one size and with the same flags.
PAGES = re.compile(
    rb"(?:0x)?([0-9a-f]{16})-(?:0x)?([0-9a-f]{16}) +(?:0x)?([0-9a-f]{16})-(?:0x)?([0-9a-f]{16}) +"
    rb"0x([0-9a-f]{1,16}) +0x([0-9a-f]{1,16}) +([0-9]{1,16}) +\[([R-])([W-])([X-]) (KERN|USER)((?: [A-Z_]+)*)\]"
)
OF_GEF = re.compile(rb"(?:0x)?[0-9a-f]{16}-(?:0x)?[0-9a-f]{16} +(?:0x)?[0-9a-f]{16}-(?:0x)?[0-9a-f]{16} ")
LEGEND = re.compile(rb"Virtual address start-end +Physical address start-end|-+ Memory map -+$")
LEVELS = {1 << shift: level for level, shift in PAGE_SHIFTS.items()}  # by the size of a page
LIKE_ONE = re.compile(rb"[0-9a-f]{8,16}(-[0-9a-f]|: [0-9a-f])")
REGISTERS = re.compile(rb"[A-Z][A-Z0-9]{0,4} *=|CPU#[0-9]")  # lines of `info registers`
COMMAND = re.compile(rb"(?:\(qemu\) *)?info (mem|tlb)\b|(?:gef(?:>|\xe2\x9e\xa4) *)?(?:vmmap|pagewalk)\b")
OTHERS = (
    (re.compile(rb"vaddr +paddr +size +attr"), "`info mem` of a RISC-V machine"),
    (re.compile(rb"[0-9a-f]{8,16} [0-9a-f]{16} [0-9a-f]{8,16} [r-][w-][x-][u-][g-][a-][d-]$"), "RISC-V's `info mem`"),
    (re.compile(rb"[0-9a-f]{8}-[0-9a-f]{8} [0-9a-f]{8} [u-]r[w-]$"), "`info mem` of an i386 machine"),
    (re.compile(rb"[0-9a-f]{8}: [0-9a-f]{8,16} [XGPDACTUW-]{8,9}$"), "`info tlb` of an i386 machine"),
    (re.compile(rb"TLB[01]:|Effective +Physical +Size"), "`info tlb` of a PowerPC machine"),
    (re.compile(rb"VPN range +Entry +Flags"), "`info pg` of a patched QEMU"),
    (re.compile(rb"0x[0-9a-fA-F]+-0x[0-9a-fA-F]+ -> 0x[0-9a-fA-F]+-0x[0-9a-fA-F]+$"), "`info tab` of Bochs"),
    (re.compile(rb"linear page 0x[0-9a-f]+ maps to physical page"), "`page` of Bochs"),
    (re.compile(rb"---\[ .* \]---$|0x[0-9a-f]{16}-0x[0-9a-f]{16} +[0-9]+[KMGTPE] "), "a page table dump of Linux"),
)
TIME = re.compile(rb"^\[ *[0-9.]+\] ")  # of a kernel's log
ESCAPE = b"\x1b"  # begins what a terminal obeys
SPACE_END = 1 << 48  # of the addresses as tables number them: bits 47 to 0


class Row(NamedTuple):
    """A line of a text. physical: None where it does not say.  flags: the letters.  start, end: bits 47 to 0.

    level: of the tables that have the entries, where it is known.
    """

    line: int
    start: int
    end: int
    physical: int | None
    flags: str
    level: int | None = None


@dataclass
class Block:
    """What one command printed. line: of its first row."""

    path: str
    kind: str
    line: int
    rows: list[Row]


class Text(NamedTuple):
    """passed_over: the lines that are none of a block, nor of registers, nor a prompt."""

    blocks: list[Block]
    passed_over: list[int]


def looks_like_text(head: bytes) -> bool:
    """Whether a file that begins so is text: memory has zeros."""
    return head != b"" and b"\0" not in head


def read_text(path: str, lines: Iterable[bytes]) -> Text:
    """All blocks of a text; raises InputError for other machines' texts, and for a row that is damaged."""
    blocks: list[Block] = []
    passed_over: list[int] = []
    again = True  # the next row begins a block
    for number, raw in enumerate(lines, 1):
        line = (plain(raw).encode() if ESCAPE in raw else raw).strip()
        if not line:
            continue
        row = read_row(path, number, line)
        if row is not None:
            kind, found = row
            if again or blocks[-1].kind != kind or found.start < blocks[-1].rows[-1].end:
                blocks.append(Block(path, kind, number, []))
                again = False
            blocks[-1].rows.append(found)
        elif COMMAND.match(line) or LEGEND.match(line):
            again = True
        elif not REGISTERS.match(line) and not line.startswith(b"(qemu)"):
            passed_over.append(number)
    return Text(blocks, passed_over)


def read_row(path: str, number: int, line: bytes) -> tuple[str, Row] | None:
    if found := RANGE.fullmatch(line):
        return MEM, of_range(path, number, found)
    if found := PAGE.fullmatch(line):
        return TLB, of_page(path, number, found)
    if found := PAGES.fullmatch(line):
        return GEF, of_pages(path, number, found)
    if OF_GEF.match(line):
        raise InputError(path, number, f"a line of `vmmap` that is damaged, or of another machine: {quoted(line)}")
    untimed = TIME.sub(b"", line)
    for form, words in OTHERS:
        if form.match(untimed):
            raise InputError(
                path, number, f"this is {words}; only x86-64's `info mem`, `info tlb` and `vmmap` are read"
            )
    if LIKE_ONE.match(line):
        raise InputError(path, number, f"a line of `info mem` or `info tlb` that is damaged: {quoted(line)}")
    return None


def of_range(path: str, number: int, found: re.Match[bytes]) -> Row:
    """The end and the size are printed sign-extended from bit 47; the end of the highest range is 2^48."""
    start, end, size = (int(each, 16) & SPACE_END - 1 for each in found.groups()[:3])
    last = end or SPACE_END
    refuse_other_addresses(path, number, int(found[1], 16))
    if start >= last or size != (last - start) & SPACE_END - 1 or start % (1 << PAGE_SHIFTS[1]):
        raise InputError(path, number, f"a range that has not the size it states: {quoted(found[0])}")
    return Row(number, start, last, None, (found[4] + found[5]).decode())


def of_page(path: str, number: int, found: re.Match[bytes]) -> Row:
    """A large page may have 2 MiB or 1 GiB, which is not said: of its bytes the first 2 MiB are sure."""
    virtual, physical, flags = int(found[1], 16), int(found[2], 16), found[3].decode()
    refuse_other_addresses(path, number, virtual)
    size = 1 << PAGE_SHIFTS[2 if "P" in flags else 1]
    if virtual % size or physical % size:
        raise InputError(path, number, f"a page that is not aligned to its size: {quoted(found[0])}")
    start = virtual & SPACE_END - 1
    return Row(number, start, start + size, physical, flags, None if "P" in flags else 1)


def of_pages(path: str, number: int, found: re.Match[bytes]) -> Row:
    """Flags are given the letters of `info tlb`. Of memory types it says nothing."""
    virtual, end, physical, last, size, page = (int(each, 16) for each in found.groups()[:6])
    refuse_other_addresses(path, number, virtual)
    level, whole = LEVELS.get(page), int(found[7]) * page
    if (
        level is None
        or {end - virtual, last - physical, size} != {whole}
        or not whole
        or virtual % page
        or physical % page
    ):
        raise InputError(path, number, f"pages that have not the size they state: {quoted(found[0])}")
    said = {*found[12].decode().split(), *(each.decode() for each in found.groups()[8:11])}
    letters = {
        "X": "X" not in said,
        "G": "GLOBAL" in said,
        "P": level > 1,
        "D": "DIRTY" in said,
        "A": "ACCESSED" in said,
    }
    letters |= {"C": False, "T": False, "U": "USER" in said, "W": "W" in said}
    flags = "".join(letter if is_set else "-" for letter, is_set in letters.items())
    start = virtual & SPACE_END - 1
    return Row(number, start, start + whole, physical, flags, level)


def refuse_other_addresses(path: str, number: int, virtual: int) -> None:
    if not is_canonical(virtual):
        raise InputError(path, number, f"{virtual:#x} is no address of 4-level paging: tables of 5 levels are not read")


def refuse_narrow(path: str, blocks: list[Block]) -> None:
    """Raises InputError if every address has 32 bits, so that the text may be of an i386 machine."""
    if all(row.end <= 1 << 32 and block.kind != GEF for block in blocks for row in block.rows):
        words = "every address has 32 bits, as of an i386 machine, which is not read"
        raise InputError(path, blocks[0].line, f"{words}; of a machine in 64-bit mode, add what `info registers` says")


def canonical(address: int) -> int:
    """An address of bits 47 to 0, as programs have it."""
    return address | -(address >> 47) << 47 & (1 << 64) - 1


def upper(block: Block) -> Iterator[Row]:
    """The rows of the upper half; a range that lies in both is cut."""
    half = SPACE_END >> 1
    for row in block.rows:
        if row.end > half:
            yield row._replace(start=max(row.start, half)) if row.physical is None else row
