"""`memoracle boot LOG`: what a firmware's memory map makes of physical memory."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple, TextIO

from msgspec import UNSET
from rich.filesize import pick_unit_and_suffix
from rich.table import Table

from memoracle.commands.stated_geometry import stated_geometry
from memoracle.console.console import console_on
from memoracle.console.counted import counted
from memoracle.console.exit_status import Status
from memoracle.console.options import (
    JSON,
    add_common_options,
    add_input_options,
    add_map_options,
    chosen_geometry,
    named,
    note,
)
from memoracle.console.output import report_to, write_document
from memoracle.impl.boot import Interval, Record, boot, extent, usable_pages
from memoracle.logs.choice import chosen
from memoracle.logs.json_messages import messages
from memoracle.logs.map_forms.type_words import type_name
from memoracle.logs.memory_maps import MemoryMap, read_maps
from memoracle.logs.recognise import NO_MAP, NO_MAP_IN_TEXT
from memoracle.replay.common.host_memory import BITMAP, refuse_more_than_memory
from memoracle.spec.boot import record_has_64_bits, unread
from memoracle.spec.geometry import DEFAULT, Geometry, preset
from memoracle.spec.geometry_keys import TRUSTING
from memoracle.trace.decoding import MalformedLine, UnknownOperation, decode_event, misread, own_keys
from memoracle.trace.events import Boot
from memoracle.trace.formats import looks_like_trace, read_header
from memoracle.trace.inputs import InputError, open_lines, shown
from memoracle.trace.numbers import BadNumber
from memoracle.trace.quoting import escaped

PAGE_SIZES = (1 << 12, 1 << 21)  # bytes: of the pages that a report counts, whatever the geometry
MOST_MAPS = 40  # that are listed for people
USER = "user"  # the map that a command line makes, in place of the firmware's
UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]


class Source(NamedTuple):
    """What an input holds.

    maps: in its order.  geometry: what the trace that the map is from states, if it does.  kind: of a log in JSON,
    which.  lacking: what is said if it has no map.
    """

    maps: Sequence[MemoryMap]
    geometry: Geometry | None = None
    kind: str | None = None
    lacking: str = NO_MAP


class Findings(NamedTuple):
    """What a memory map makes of a machine: bytes and pages of any, frames of one geometry.

    source: all that the text has.
    """

    memory_map: MemoryMap
    source: Source
    geometry: Geometry
    usable: list[Interval]
    existing_frames: int
    free_frames: int


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    words = "say what a firmware's memory map makes of physical memory"
    parser = subparsers.add_parser("boot", help=words, description=f"Reads a boot log to {words}.")
    source = "a log with a memory map, or a `boot` event; - is standard input"
    parser.add_argument("log", metavar="LOG", type=named, help=source)
    add_map_options(parser)
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
        if source.kind is not None:
            note(args, f"memoracle: {shown(args.log)} is {source.kind}: the messages in it are read")
        memory_map = chosen(args.log, source.maps, args.boot, args.map)
        findings = examine(memory_map, source, asked or source.geometry or preset(DEFAULT))
        if args.format == JSON:
            write_document(document(findings), out)
        else:
            write_text(args.log, findings, out)
    return Status.HOLDS if findings.memory_map.records else Status.NOTHING


def read_source(path: str, max_line: int) -> Source:
    """Reads a log or an event, whichever the first line says; raises InputError."""
    lines = open_lines(path, max_line)
    kind, lines = messages(path, lines)
    first = next(lines, b"")
    if kind is None and looks_like_trace(first):
        return read_trace(path, chain([first], lines))
    return Source(read_maps(path, chain([first], lines)), None, kind, NO_MAP_IN_TEXT if first else NO_MAP)


def read_trace(path: str, lines: Iterator[bytes]) -> Source:
    """The `boot` event that opens a trace, or that stands alone; no records where another event comes first."""
    line, text, geometry = 1, next(lines), None
    try:
        if "memoracle" in own_keys(text):
            header = read_header(path, text)
            geometry = None if header.geometry is UNSET else stated_geometry(path, header)
            line, text = 2, next(lines, b"")
        records = read_event(text) if text else []
        return Source([MemoryMap("boot event", records, line=line)] if records else [], geometry)
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


def examine(memory_map: MemoryMap, source: Source, geometry: Geometry) -> Findings:
    """Runs the reference's own boot over a memory map; raises GeometryError."""
    refuse_more_than_memory(geometry, BITMAP)
    records = memory_map.records
    bitmap = boot(
        records,
        geometry.page_shift,
        geometry.frames,
        geometry.never_free_frames,
        geometry.frame_free == TRUSTING,
    )
    return Findings(
        memory_map,
        source,
        geometry,
        usable_pages(records, 0),
        sum(word.bit_count() for word in bitmap.existing),
        bitmap.count(),
    )


def document(findings: Findings) -> dict[str, Any]:
    """The machine-readable report, keys and values as the public contract has them."""
    memory_map = findings.memory_map
    report = {
        "memoracle": 1,
        "command": "boot",
        **totals(memory_map.records),
        "frames": {"exist": findings.existing_frames, "free": findings.free_frames},
        "map": memory_map.name or None,
        "boot": memory_map.boot if memory_map.records else None,
        "maps_in_text": [[each.name, len(each.records)] for each in findings.source.maps],
        "maps": [map_entry(each) for each in findings.source.maps],
        "warnings": memory_map.warnings,
    }
    if not memory_map.records:
        report["reason"] = findings.source.lacking
    if user := next(
        (each for each in findings.source.maps if each.boot == memory_map.boot and each.name == USER), None
    ):
        report["user_map"] = totals(user.records)
    return report


def totals(records: list[Record]) -> dict[str, Any]:
    """What records make of any machine, whatever the geometry."""
    usable = usable_pages(records, 0)
    pages = {size: usable_pages(records, size.bit_length() - 1) for size in PAGE_SIZES}
    return {
        "records": len(records),
        "usable_bytes": sum(run.end - run.start for run in usable),
        "highest_usable_byte": f"{usable[-1].end - 1:#x}" if usable else None,
        "usable_pages": {str(size): sum(run.end - run.start for run in runs) for size, runs in pages.items()},
    }


def map_entry(each: MemoryMap) -> dict[str, Any]:
    return {"map": each.name, "boot": each.boot, "line": each.line, "records": len(each.records), "form": each.form}


def write_text(path: str, findings: Findings, out: TextIO) -> None:
    console = console_on(out)
    if not findings.memory_map.records:
        console.print(f"{escaped(shown(path))}: nothing: {findings.source.lacking}", soft_wrap=True)
        return
    for warning in findings.memory_map.warnings:
        console.print(escaped(f"warning: {warning}"), soft_wrap=True)
    if len(findings.source.maps) > 1:
        console.print(maps_table(findings))
    console.print(records_table(findings.memory_map))
    if findings.usable:
        console.print(usable_table(findings.usable))
    console.print(totals_table(findings))


def maps_table(findings: Findings) -> Table:
    """Every map of the text, and which of them the report is about."""
    boots = max(each.boot for each in findings.source.maps)
    words = f"{len(findings.source.maps)} memory maps of {counted(boots, 'boot')}; --map and --boot choose another"
    drawn = Table("map", title=words, title_justify="left")
    for column in ("boot", "line", "records"):
        drawn.add_column(column, justify="right")
    drawn.add_column()
    for each in findings.source.maps[:MOST_MAPS]:
        taken = "this one" if each is findings.memory_map else ""
        drawn.add_row(escaped(each.name), str(each.boot), f"{each.line:,}", f"{len(each.records):,}", taken)
    if len(findings.source.maps) > MOST_MAPS:
        drawn.add_row("...")
    return drawn


def records_table(memory_map: MemoryMap) -> Table:
    """Every record, in the order of the log."""
    drawn = Table("first byte", "last byte", title=f"Records ({escaped(memory_map.label)})", title_justify="left")
    drawn.add_column("size", justify="right")
    drawn.add_column("type")
    for record in memory_map.records:
        start, end = extent(record)
        last = f"{end - 1:#x}" if end > start else "(empty)"
        drawn.add_row(f"{start:#x}", last, size(end - start), type_name(record.type))
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
    for page_size, pages in report["usable_pages"].items():
        drawn.add_row(f"usable pages of {size(int(page_size))}", f"{pages:,}")
    frames = f"frames of {size(findings.geometry.page_size)}"
    drawn.add_row(f"{frames} that exist", f"{findings.existing_frames:,}")
    drawn.add_row(f"{frames} that are free", f"{findings.free_frames:,}")
    return drawn


def size(count: int) -> str:
    unit, suffix = pick_unit_and_suffix(count, UNITS, 1024)
    return f"{count / unit:,.{0 if count % unit == 0 else 1}f} {suffix}"
