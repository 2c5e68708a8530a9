"""The report of `snapshot`: as JSON, or as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar, TextIO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from memoracle.console.console import console_on
from memoracle.console.counted import counted
from memoracle.console.exit_status import Status
from memoracle.diagnostics.warned import Warned
from memoracle.report.check_report import CONFORMS, DIVERGES, NOTHING, UNKNOWN, warned
from memoracle.snapshot.findings import Entry, Finding, Findings, Line, Rule, hexadecimal
from memoracle.snapshot.mappings import Mapped, Mappings, Shared, joined, type_name, writable_in_several
from memoracle.snapshot.walk import Unreadable
from memoracle.trace.quoting import escaped

MOST_LISTED, MOST_DRAWN = 10_000, 40  # ranges in a report for programs, and in one for people
CUT = "there is more in it than is looked at: it is judged in part"
STATUSES = {CONFORMS: Status.HOLDS, DIVERGES: Status.BROKEN, UNKNOWN: Status.UNKNOWN, NOTHING: Status.NOTHING}


@dataclass
class SpaceRow:
    """What is said of one address space. source: a file, of a text of QEMU's monitor.

    entries: of its PML4, where that was read.
    """

    space: int
    cr3: int | None
    source: str | None = None
    entries: Sequence[int] | None = None


@dataclass
class SnapshotResult:
    """What came of a snapshot.

    checked: some rule was put to the test.  whole: all of it was looked at.  pat_register: None of a text, which does
    not name memory types.  file: that it was read from; of several texts the first; None of a running machine.
    """

    name: str
    spaces: list[SpaceRow]
    mappings: Mappings
    findings: Findings
    pat_register: int | None
    tables: int | None = None
    unreadable: list[Unreadable] = field(default_factory=list)
    unreadable_tables: int = 0
    checked: bool = True
    whole: bool = True
    file: str | None = None

    @property
    def verdict(self) -> str:
        if self.findings.kept:
            return DIVERGES
        if not self.checked:
            return NOTHING
        return CONFORMS if self.whole and not self.unreadable else UNKNOWN

    @property
    def status(self) -> Status:
        return STATUSES[self.verdict]

    @property
    def warnings(self) -> list[Warned]:
        cut = [] if self.whole else [Warned(None, None, CUT)]
        return [*self.findings.warnings, *self.findings.more, *cut]


@dataclass(frozen=True)
class SnapshotRun:
    """What came of `snapshot`. quiet: without the spaces and what is mapped."""

    command: ClassVar[str] = "snapshot"
    result: SnapshotResult
    quiet: bool = False

    def document(self) -> dict[str, Any]:
        return document(self.result)

    def write_text(self, out: TextIO) -> None:
        write_text(self.result, out, self.quiet)


def document(result: SnapshotResult) -> dict[str, Any]:
    """The machine-readable report, keys and values as the public contract has them."""
    shared = list(islice(writable_in_several(result.mappings), MOST_LISTED))
    return {
        "memoracle": 1,
        "command": "snapshot",
        "verdict": result.verdict,
        "spaces": [{"space": each.space, "cr3": hexadecimal(each.cr3), "file": each.source} for each in result.spaces],
        "pat_register": None if result.pat_register is None else f"{result.pat_register:#018x}",
        "tables": result.tables,
        "pages": result.mappings.pages,
        "ranges": len(result.mappings),
        "warnings": list(map(str, result.warnings)),
        "warned": list(map(warned, result.warnings)),
        "divergences": [entry(result.name, finding) for finding in result.findings.kept],
        "mappings": [mapping(each, result.mappings.has_frames) for each in islice(result.mappings, MOST_LISTED)],
        "writable_in_several": [
            {"physical": f"{each.physical:#x}", "bytes": each.bytes, "spaces": list(each.spaces)} for each in shared
        ],
        "unreadable": [unread(each) for each in result.unreadable],
    }


def entry(name: str, finding: Finding) -> dict[str, Any]:
    place, rule = finding.place, finding.rule
    return {
        "file": place.file if isinstance(place, Line) else name,
        "line": place.line if isinstance(place, Line) else None,
        "space": place.space,
        "virtual": f"{place.virtual:#x}",
        "level": place.level,
        "entry": f"{place.address:#x}" if isinstance(place, Entry) else None,
        "value": f"{place.value:#x}" if isinstance(place, Entry) else None,
        "clause": rule.name,
        "says": rule.says,
        "source": rule.source if isinstance(rule, Rule) else None,
        "message": finding.message,
        "legal": finding.legal,
    }


def mapping(each: Mapped, has_frames: bool) -> dict[str, Any]:
    kind = each.attributes
    return {
        "space": kind.space,
        "virtual": f"{each.virtual:#x}",
        "physical": f"{each.physical:#x}" if has_frames else None,
        "bytes": each.bytes,
        "level": kind.level,
        "writable": kind.writable,
        "user": kind.user,
        "executable": kind.executable,
        "global": kind.global_,
        "cache": type_name(each),
    }


def unread(each: Unreadable) -> dict[str, Any]:
    link = each.link
    return {
        "space": each.space,
        "table": f"{each.table:#x}",
        "virtual": None if link is None else f"{link.virtual:#x}",
        "level": None if link is None else link.level,
        "entry": None if link is None else f"{link.address:#x}",
    }


def write_text(result: SnapshotResult, out: TextIO, quiet: bool) -> None:
    console = console_on(out)
    for warning in result.warnings:
        console.print(escaped(f"warning: {warning}"), soft_wrap=True)
    for finding in result.findings.kept:
        show(result.name, finding, console)
    for each in result.unreadable:
        console.print(escaped(f"unreadable: {told_unread(each)}"), soft_wrap=True)
    if (more := result.unreadable_tables - len(result.unreadable)) > 0:
        console.print(f"unreadable: {more:,} more")
    colour = {CONFORMS: "green", DIVERGES: "red"}.get(result.verdict, "yellow")
    console.print(Text(escaped(summary(result)), colour), soft_wrap=True)
    if not quiet:
        console.print(spaces_table(result))
        console.print(mappings_table(result.mappings))
        shared = list(islice(writable_in_several(result.mappings), MOST_DRAWN + 1))
        if shared:
            console.print(shared_table(shared))


def summary(result: SnapshotResult) -> str:
    return f"{result.name}: {result.verdict}: {account(result)}"


def account(result: SnapshotResult) -> str:
    """What came of a snapshot, in a line without its name and its verdict."""
    found = result.findings.total
    divergences = f"{counted(found, 'divergence')} in " if found else ""
    parts = [counted(len(result.spaces), "address space")]
    if result.tables is not None:
        parts.append(counted(result.tables, "table"))
    parts.append(counted(result.mappings.pages, "page" if result.mappings.has_frames else "range"))
    unreadable = f"; {counted(result.unreadable_tables, 'table')} cannot be read" if result.unreadable_tables else ""
    return f"{divergences}{', '.join(parts)}{unreadable}"


def show(name: str, finding: Finding, console: Console) -> None:
    """One divergence: where, which rule, what was seen and expected."""
    rule = finding.rule
    console.print(Text(escaped(told(name, finding.place)), "bold red"), soft_wrap=True)
    facts = Table.grid(padding=(0, 2))
    facts.add_column()
    facts.add_column(overflow="fold")
    source = f" ({rule.source})" if isinstance(rule, Rule) else ""
    facts.add_row("rule", Text(escaped(f"{rule.says} [{rule.name}]{source}")))
    facts.add_row("seen", Text(escaped(finding.message), "bold"))
    facts.add_row("legal", Text(escaped(finding.legal)))
    console.print(Padding(facts, (0, 0, 1, 2)))


def told(name: str, place: Entry | Line) -> str:
    """Where something was found, in one line."""
    if isinstance(place, Entry):
        return f"{name}: {within(place)}"
    return f"{place.file}{'' if place.line is None else f':{place.line}'}: {within(place)}"


def within(place: Entry | Line) -> str:
    """Where in its snapshot."""
    level = "" if place.level is None else f", level {place.level}"
    where = f"space {place.space}, {place.virtual:#x}{level}"
    if isinstance(place, Entry):
        return f"{where}: the entry at {place.address:#x} is {place.value:#x}"
    return where


def told_unread(each: Unreadable) -> str:
    if each.link is None:
        return f"space {each.space}: its PML4 at {each.table:#x} is not in the snapshot"
    where = f"space {each.space}, {each.link.virtual:#x}, level {each.link.level}"
    return (
        f"{where}: the entry at {each.link.address:#x} links the table at {each.table:#x}, which is not in the snapshot"
    )


def spaces_table(result: SnapshotResult) -> Table:
    """The spaces, and what is mapped in each, by the half."""
    bytes_mapped: Counter[tuple[int, bool]] = Counter()
    executable: Counter[int] = Counter()
    for each in result.mappings:
        kind = each.attributes
        bytes_mapped[kind.space, kind.is_lower] += each.bytes
        executable[kind.space] += each.bytes if kind.writable and kind.executable else 0
    is_dump = result.tables is not None
    drawn = Table("space", "CR3" if is_dump else "text", title="Address spaces", title_justify="left")
    drawn.add_column("lower half", justify="right")
    drawn.add_column("upper half, first seen here" if is_dump else "upper half", justify="right")
    if result.mappings.has_frames:
        drawn.add_column("writable and executable", justify="right")
    for space in result.spaces:
        name = escaped(space.source or "") if space.cr3 is None else f"{space.cr3:#x}"
        counts = [bytes_mapped[space.space, True], bytes_mapped[space.space, False]]
        if result.mappings.has_frames:
            counts.append(executable[space.space])
        drawn.add_row(str(space.space), name, *(f"{each:#x} bytes" for each in counts))
    return drawn


def mappings_table(mappings: Mappings) -> Table:
    """The first ranges, in the order of the tables."""
    words = f"{counted(len(mappings), 'range')} mapped: r, w, x, u user, g global"
    drawn = Table("space", title=words, title_justify="left")
    for column in ("virtual", "physical", "bytes"):
        drawn.add_column(column, justify="right")
    drawn.add_column("level", justify="right")
    drawn.add_column("")
    drawn.add_column("memory type")
    for each in islice(mappings, MOST_DRAWN):
        kind = each.attributes
        physical = f"{each.physical:#x}" if mappings.has_frames else ""
        level = "" if kind.level is None else str(kind.level)
        drawn.add_row(
            str(kind.space), f"{each.virtual:#x}", physical, f"{each.bytes:#x}", level, letters(each), type_of(each)
        )
    if len(mappings) > MOST_DRAWN:
        drawn.add_row("...")
    return drawn


def letters(each: Mapped) -> str:
    kind = each.attributes
    executable = {None: "?", True: "x", False: "-"}[kind.executable]
    flags = [(kind.writable, "w"), (kind.user, "u"), (kind.global_, "g")]
    w, u, g = (letter if is_set else "-" for is_set, letter in flags)
    return f"r{w}{executable}{u}{g}"


def type_of(each: Mapped) -> str:
    """The memory type, or as much as is said of it."""
    kind = each.attributes
    if (name := type_name(each)) is not None:
        return name
    return "" if kind.low_index is None else f"index {kind.low_index} or {kind.low_index + 4}"


def shared_table(shared: Sequence[Shared]) -> Table:
    """The frames that lower halves of several spaces write."""
    drawn = Table("physical", title="Written by several spaces", title_justify="left")
    drawn.add_column("bytes", justify="right")
    drawn.add_column("spaces")
    for each in shared[:MOST_DRAWN]:
        drawn.add_row(f"{each.physical:#x}", f"{each.bytes:#x}", joined(each.spaces))
    if len(shared) > MOST_DRAWN:
        drawn.add_row("...")
    return drawn
