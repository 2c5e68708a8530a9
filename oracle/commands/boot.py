"""`memoracle boot LOG`: what a firmware's memory map makes of physical memory."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple, TextIO

from msgspec import UNSET
from rich.filesize import pick_unit_and_suffix
from rich.table import Table

from memoracle.console.console import console_on
from memoracle.console.exit_status import Status
from memoracle.console.options import JSON, add_common_options, add_input_options, chosen_geometry, note
from memoracle.console.output import report_to, write_document
from memoracle.impl.boot import Interval, Record, boot, extent, usable_pages
from memoracle.replay.host_memory import BITMAP, refuse_more_than_memory
from memoracle.spec.boot import record_has_64_bits, unread
from memoracle.spec.geometry import DEFAULT, TRUSTING, Geometry, preset
from memoracle.trace import e820
from memoracle.trace.decoding import MalformedLine, UnknownOperation, decode_event, misread, own_keys
from memoracle.trace.e820 import MemoryMap
from memoracle.trace.events import BadNumber, Boot
from memoracle.trace.formats import geometry_of, looks_like_trace, read_header
from memoracle.trace.inputs import InputError, open_lines, shown
from memoracle.trace.quoting import escaped

PAGE_SHIFTS = (12, 21)  # the page sizes that a report counts, whatever the geometry
UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]


class Source(NamedTuple):
    """What an input holds: a memory map, and the geometry that the trace that the map is from states, if it does."""

    memory_map: MemoryMap
    geometry: Geometry | None = None


class Findings(NamedTuple):
    """What a memory map makes of a machine: bytes and pages of any, frames of one geometry."""

    memory_map: MemoryMap
    geometry: Geometry
    usable: list[Interval]
    usable_pages: dict[int, int]  # by the page size in bytes
    existing_frames: int
    free_frames: int


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    words = "say what a firmware's memory map makes of physical memory"
    parser = subparsers.add_parser("boot", help=words, description=f"Reads a boot log to {words}.")
    parser.add_argument("log", metavar="LOG", help="a boot log with e820 lines, or a `boot` event; - is standard input")
    add_input_options(parser)
    add_common_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Reads the log, writes the report, and returns the exit status; raises InputError and GeometryError."""
    with report_to(args, args.log) as out:
        asked = chosen_geometry(args)
        source = read_source(args.log, args.max_line)
        if asked is not None and source.geometry is not None:
            note(args, f"memoracle: {args.geometry} replaces the geometry of {shown(args.log)}")
        findings = examine(source.memory_map, asked or source.geometry or preset(DEFAULT))
        if args.format == JSON:
            write_document(document(findings), out)
        else:
            write_text(args.log, findings, out)
    return Status.HOLDS if findings.memory_map.records else Status.NOTHING


def read_source(path: str, max_line: int) -> Source:
    """Reads a log or an event, whichever the first line says; raises InputError."""
    lines = open_lines(path, max_line)
    first = next(lines, b"")
    if looks_like_trace(first):
        return read_trace(path, chain([first], lines))
    return Source(e820.read_e820(path, chain([first], lines)))


def read_trace(path: str, lines: Iterator[bytes]) -> Source:
    """The `boot` event that opens a trace, or that stands alone; no records where another event comes first."""
    line, text, geometry = 1, next(lines), None
    try:
        if "memoracle" in own_keys(text):
            header = read_header(path, text)
            geometry = None if header.geometry is UNSET else geometry_of(path, header)
            line, text = 2, next(lines, b"")
        return Source(MemoryMap("boot event", read_event(text)) if text else MemoryMap("", []), geometry)
    except MalformedLine as fault:
        raise InputError(path, line, str(fault)) from None


def read_event(text: bytes) -> list[Record]:
    """The records of a `boot` event, and none of any other; raises MalformedLine."""
    try:
        event = decode_event(text)
        records = event.records() if isinstance(event, Boot) else []
    except UnknownOperation:
        return []
    except BadNumber as fault:
        raise misread(text, fault) from None
    for index, record in enumerate(records):
        if not record_has_64_bits(unread(0), *record):
            raise MalformedLine(f"memory_map[{index}]: it is refused, since {record_has_64_bits.says}")
    return records


def examine(memory_map: MemoryMap, geometry: Geometry) -> Findings:
    """Runs the reference's own boot over a memory map; raises GeometryError."""
    refuse_more_than_memory(geometry, BITMAP)
    records = memory_map.records
    bitmap = boot(
        records,
        geometry.page_shift,
        geometry.frames,
        geometry.kernel_image_frames,
        geometry.frame_free == TRUSTING,
    )
    return Findings(
        memory_map,
        geometry,
        usable_pages(records, 0),
        {1 << shift: sum(run.end - run.start for run in usable_pages(records, shift)) for shift in PAGE_SHIFTS},
        sum(word.bit_count() for word in bitmap.existing),
        bitmap.count(),
    )


def document(findings: Findings) -> dict[str, Any]:
    """The machine-readable report, keys and values as the public contract has them."""
    return {
        "memoracle": 1,
        "command": "boot",
        "records": len(findings.memory_map.records),
        "usable_bytes": sum(run.end - run.start for run in findings.usable),
        "highest_usable_byte": f"{findings.usable[-1].end - 1:#x}" if findings.usable else None,
        "usable_pages": {str(size): pages for size, pages in findings.usable_pages.items()},
        "frames": {"exist": findings.existing_frames, "free": findings.free_frames},
    }


def write_text(path: str, findings: Findings, out: TextIO) -> None:
    console = console_on(out)
    if not findings.memory_map.records:
        console.print(f"{escaped(shown(path))}: nothing: no record of a memory map", soft_wrap=True)
        return
    console.print(records_table(findings.memory_map))
    if findings.usable:
        console.print(usable_table(findings.usable))
    console.print(totals_table(findings))


def records_table(memory_map: MemoryMap) -> Table:
    """Every record, in the order of the log."""
    drawn = Table("first byte", "last byte", title=f"Records ({escaped(memory_map.label)})", title_justify="left")
    drawn.add_column("size", justify="right")
    drawn.add_column("type")
    for record in memory_map.records:
        start, end = extent(record)
        last = f"{end - 1:#x}" if end > start else "(empty)"
        drawn.add_row(f"{start:#x}", last, size(end - start), e820.type_name(record.type))
    return drawn


def usable_table(usable: list[Interval]) -> Table:
    """What is usable in the end, overlaps settled and neighbours joined."""
    drawn = Table("first byte", "last byte", title="Usable memory", title_justify="left")
    drawn.add_column("size", justify="right")
    for run in usable:
        drawn.add_row(f"{run.start:#x}", f"{run.end - 1:#x}", size(run.end - run.start))
    return drawn


def totals_table(findings: Findings) -> Table:
    report = document(findings)
    drawn = Table(title="Totals", title_justify="left", show_header=False)
    drawn.add_column()
    drawn.add_column(justify="right")
    drawn.add_row("records", f"{report['records']:,}")
    drawn.add_row("usable bytes", f"{report['usable_bytes']:,}")
    drawn.add_row("highest usable byte", report["highest_usable_byte"] or "none")
    for page_size, pages in findings.usable_pages.items():
        drawn.add_row(f"usable pages of {size(page_size)}", f"{pages:,}")
    frames = f"frames of {size(findings.geometry.page_size)}"
    drawn.add_row(f"{frames} that exist", f"{findings.existing_frames:,}")
    drawn.add_row(f"{frames} that are free", f"{findings.free_frames:,}")
    return drawn


def size(count: int) -> str:
    unit, suffix = pick_unit_and_suffix(count, UNITS, 1024)
    return f"{count / unit:,.{0 if count % unit == 0 else 1}f} {suffix}"
