"""`memoracle snapshot DUMP --cr3 ADDRESS`: are the page tables of a machine, as they stand, what the law allows?"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from itertools import islice

from memoracle.console.counted import counted
from memoracle.console.options import add_input_options, chosen_geometry, named, note
from memoracle.diagnostics.warned import Warned
from memoracle.impl import pat, pte
from memoracle.report.destinations import add_report_options, reports_to
from memoracle.report.snapshot_report import SnapshotResult, SnapshotRun, SpaceRow
from memoracle.snapshot import flattened, kdump
from memoracle.snapshot.elf_core import read_core
from memoracle.snapshot.findings import Findings
from memoracle.snapshot.judge import judge
from memoracle.snapshot.judge_text import judge_texts
from memoracle.snapshot.levels import FOUR
from memoracle.snapshot.memory import Memory, head, mapped, raw
from memoracle.snapshot.monitor_text import TLB, looks_like_text, read_text, refuse_narrow
from memoracle.snapshot.pat_texts import of_names, stated_in
from memoracle.snapshot.qmp import connected
from memoracle.snapshot.registers import Registers, have_execute_disable, levels_of, paging, read_registers
from memoracle.snapshot.walk import Walk
from memoracle.spec.geometry import DEFAULT, preset
from memoracle.trace.compression import is_compressed
from memoracle.trace.inputs import STDIN, InputError, open_lines, shown
from memoracle.trace.interrupts import raised_interrupts

HEAD = 1 << 12  # bytes by which it is known what a file is
MOST_LINES = 2_000_000  # of a text, which is kept whole: as many pages, of which each has its own line
ELF = b"\x7fELF"
ROOT_BITS = (
    pte.ADDRESS | 0xFFF | 3 << 61
)  # of CR3: the PML4, a PCID or two memory type bits, LAM (Intel SDM vol. 3, 4.5)
FIVE_LEVELS = "tables have five levels (CR4.LA57): these are read of a dump, or from a running QEMU"
NO_CR3 = "it does not say where page tables begin: --cr3 ADDRESS does, or --registers FILE"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    words = "hold the page tables of a machine, as they stand, against the law"
    parser = subparsers.add_parser("snapshot", help=words, description=f"Reads a dump of memory to {words}.")
    source = "a dump of physical memory (raw, an ELF core, or kdump's), or texts of QEMU's `info mem` or `info tlb`"
    source += ", or of GEF's `vmmap`"
    parser.add_argument("dumps", metavar="DUMP", nargs="*", type=named, help=source)
    words = "the CR3 of an address space; may be given several times"
    parser.add_argument("--cr3", metavar="ADDRESS", action="append", type=number, default=[], help=words)
    words = "a text with what QEMU's `info registers` says, or what Linux says of its page attribute table"
    parser.add_argument("--registers", metavar="FILE", type=named, help=words)
    words = "the physical address at which a raw dump begins (default: 0)"
    parser.add_argument("--base", metavar="ADDRESS", type=number, help=words)
    words = "the value of IA32_PAT, a number or eight of WB, WT, WC, WP, UC, UC- (default: the geometry's)"
    parser.add_argument("--pat", metavar="VALUE", type=pat_value, help=words)
    words = "asks a running QEMU on its QMP socket, a file or HOST:PORT, in place of a dump"
    parser.add_argument("--qmp", metavar="SOCKET", type=named, help=words)
    words = "tables have five levels (CR4.LA57), where no registers say so"
    parser.add_argument("--la57", action="store_true", help=words)
    add_input_options(parser)
    add_report_options(parser)
    parser.set_defaults(run=run)


def number(text: str) -> int:
    """A number of 64 bits, in hexadecimal or decimal digits; argparse names the option where it is none."""
    if re.fullmatch("0x[0-9a-f]{1,16}|[0-9]{1,20}", text.lower(), re.ASCII):
        value = int(text, 16 if text.lower().startswith("0x") else 10)
        if value >> 64 == 0:
            return value
    raise argparse.ArgumentTypeError("a number of 64 bits was expected, such as 0x1000")


def pat_value(text: str) -> int:
    """A value that the processor takes for IA32_PAT."""
    value = of_names(text)
    value = number(text) if value is None else value
    if pat.accepts(value):
        return value
    raise argparse.ArgumentTypeError(f"{value:#x} is no value of IA32_PAT: some byte is no memory type")


def run(args: argparse.Namespace) -> int:
    """Reads the snapshot, writes the report, and returns the exit status; raises InputError and GeometryError."""
    inputs = [*args.dumps, args.registers]
    with reports_to(args, "snapshot", *inputs) as report, raised_interrupts():
        result = Snapshot(args).result()
        report(SnapshotRun(result, args.quiet))
    return result.status


class Snapshot:
    """What one run asks."""

    def __init__(self, args: argparse.Namespace) -> None:
        """Raises InputError and GeometryError."""
        self.args = args
        geometry = chosen_geometry(args) or preset(DEFAULT)
        self.registers, self.pat = self.stated()
        register = geometry.pat_register if self.pat is None else self.pat
        self.layout = pte.Layout(geometry.physical_address_bits, register)
        self.findings = Findings()
        if (args.qmp is None) == (not args.dumps):
            raise InputError("snapshot", None, "a DUMP was expected, or --qmp SOCKET, and not both")
        if args.qmp is not None and args.base is not None:
            raise InputError("--base", None, "it is for a raw dump, not for --qmp")

    def result(self) -> SnapshotResult:
        args = self.args
        if args.qmp is not None:
            with connected(args.qmp) as monitor:
                return self.walked(args.qmp, monitor, read_registers(args.qmp, monitor.registers()))
        if args.base is None and all(map(is_text, args.dumps)):
            return self.texts()
        if len(args.dumps) > 1:
            raise InputError(args.dumps[1], None, "one dump is read at a time; only texts may be several")
        return self.dump(args.dumps[0])

    def dump(self, path: str) -> SnapshotResult:
        """A raw dump, an ELF core, or one in kdump's format; --base says that it is raw."""
        if path == STDIN:
            raise InputError(path, None, "a dump cannot be read from standard input")
        first = head(path, HEAD) if self.args.base is None else b""
        with mapped(path) as file:
            if first.startswith((kdump.MAGIC, flattened.MAGIC)):
                pages, processors, warnings = kdump.read_kdump(path, file, first.startswith(flattened.MAGIC))
                self.findings.warnings += warnings
                result = self.walked(path, pages, processors)
                if pages.damaged:
                    words = f"{counted(pages.damaged, 'page')} of it cannot be expanded: the file is damaged or cut"
                    self.findings.warnings.append(Warned(path, None, words))
                return result
            if first.startswith(ELF):
                memory, processors, warnings = read_core(path, file)
                self.findings.warnings += warnings
                return self.walked(path, memory, processors)
            return self.walked(path, raw(file, self.args.base or 0), [])

    def walked(self, path: str, memory: Memory, processors: Sequence[Registers]) -> SnapshotResult:
        """The tables of all address spaces that are named."""
        kept, warnings = paging([*processors, *self.registers])
        self.findings.warnings += warnings
        roots = dict.fromkeys(
            [*map(self.root, self.args.cr3), *(self.root(each.cr3, each.path, each.line) for each in kept)]
        )
        if not roots:
            raise InputError(path, None, NO_CR3)
        levels = levels_of(kept, self.args.la57)
        walk = Walk(memory, list(roots), self.layout, self.findings, have_execute_disable(kept), levels)
        judge(walk, self.findings)
        self.note_types()
        return SnapshotResult(
            name=shown(path),
            spaces=[SpaceRow(each.number, each.root, entries=each.entries) for each in walk.spaces],
            mappings=walk.mappings,
            findings=self.findings,
            pat_register=self.layout.pat_register,
            tables=walk.read_tables,
            unreadable=walk.unreadable,
            unreadable_tables=walk.unreadable_tables,
            checked=any(any(each.entries or ()) for each in walk.spaces),
            whole=walk.whole and walk.mappings.whole,
            file=path if self.args.qmp is None else None,
        )

    def note_types(self) -> None:
        """Says by which register memory types are known, unless the user gave it."""
        if self.pat is None:
            register = f"{self.layout.pat_register:#018x}"
            note(self.args, f"memoracle: memory types are by the geometry's IA32_PAT, {register}; --pat gives another")

    def stated(self) -> tuple[list[Registers], int | None]:
        """The registers of --registers, and the value of IA32_PAT stated there or by --pat; raises InputError."""
        path = self.args.registers
        if path is None:
            return [], self.args.pat
        lines = lines_of(path, self.args.max_line)
        found, register = read_registers(path, lines), stated_in(lines)
        if not found and register is None:
            raise InputError(path, None, "no CR3 in it: what `info registers` says was expected")
        if register is not None and not pat.accepts(register):
            raise InputError(path, None, f"{register:#x} is no value of IA32_PAT: some byte is no memory type")
        return found, register if self.args.pat is None else self.args.pat

    def root(self, cr3: int, path: str = "--cr3", line: int | None = None) -> int:
        """The physical address of a PML4; raises InputError."""
        address = cr3 & pte.ADDRESS
        if cr3 & ~ROOT_BITS or address >> self.layout.physical_address_bits:
            words = f"{cr3:#x} is no CR3 where physical addresses have {self.layout.physical_address_bits} bits"
            raise InputError(path, line, words)
        return address

    def texts(self) -> SnapshotResult:
        """Texts of QEMU's monitor or of GEF, each block of which is an address space."""
        args = self.args
        if args.cr3:
            raise InputError("--cr3", None, "it is for a dump; this is a text, which names no tables")
        blocks = []
        for path in args.dumps:
            lines = lines_of(path, args.max_line)
            registers = read_registers(path, lines)
            kept, warnings = paging([*registers, *self.registers])
            self.findings.warnings += warnings
            text = read_text(path, lines)
            if not text.blocks:
                words = "neither a dump of memory nor a text of QEMU's `info mem` or `info tlb`, or GEF's `vmmap`"
                if registers:
                    words += "; the registers in it are for --registers, beside a dump"
                raise InputError(path, None, words)
            if levels_of(kept, args.la57).root != FOUR:
                raise InputError(path, None, FIVE_LEVELS)
            if not any(each.is_64_bit for each in kept):
                refuse_narrow(path, text.blocks)
            if text.passed_over:
                words = f"{counted(len(text.passed_over), 'line')} passed over, the first is line {text.passed_over[0]}"
                self.findings.warnings.append(Warned(path, None, words))
            blocks += text.blocks
        mappings, checked = judge_texts(blocks, self.layout.pat_register, self.findings)
        if all(each.kind == TLB for each in blocks):
            self.note_types()
        return SnapshotResult(
            name=" and ".join(map(shown, args.dumps)),
            spaces=[SpaceRow(n, None, f"{shown(each.path)}:{each.line}") for n, each in enumerate(blocks)],
            mappings=mappings,
            findings=self.findings,
            pat_register=None,
            checked=checked,
            whole=mappings.whole,
            file=args.dumps[0],
        )


def lines_of(path: str, max_line: int) -> list[bytes]:
    """All lines of a text; raises InputError."""
    lines = list(islice(open_lines(path, max_line), MOST_LINES + 1))
    if len(lines) > MOST_LINES:
        raise InputError(path, MOST_LINES + 1, f"a text has {MOST_LINES:,} lines at the most")
    return lines


def is_text(path: str) -> bool:
    """Whether a file looks like a text, plain or compressed; raises InputError."""
    if path == STDIN:
        return True
    first = head(path, HEAD)
    if not is_compressed(first):
        return looks_like_text(first)
    try:
        is_dump = not looks_like_text(next(open_lines(path, HEAD), b""))
    except InputError:  # no line is as long
        is_dump = True
    if is_dump:
        words = "it is compressed, and no text: a dump must be expanded first; --base says that it is raw as it is"
        raise InputError(path, None, words)
    return True
