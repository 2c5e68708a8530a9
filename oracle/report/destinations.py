"""Where the reports of one run go: one to --output or standard output, others where --report says."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from memoracle.console.options import STDOUT, TEXT, add_common_options
from memoracle.console.output import (
    Draft,
    OutputError,
    emits_to_standard_output,
    refuse_to_overwrite,
    report_to,
    resolved,
    write_file,
    write_out,
)
from memoracle.report.formats import DRAWN, FOLDERS, FOR_CI, FORMATS, GITHUB, HTML, write
from memoracle.report.run import FaultRun, Run
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace.inputs import InputError
from memoracle.trace.quoting import quoted

FOR_BROWSERS = f"{HTML} is a page for a browser, and no terminal: --output FILE.html, or --report {HTML}=DIR"


class Destination(NamedTuple):
    """What one --report asks for. path: a file, a folder, or - for standard output."""

    form: str
    path: str


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Adds the common options, with all formats, and --report, read as `report`: a list of destinations."""
    add_common_options(parser, FORMATS)
    words = f"write a report to FILE besides, or to standard output for -; formats: {', '.join(FORMATS)}"
    parser.add_argument(
        "--report", metavar="FORMAT=FILE", action="append", type=destination, default=[], help=f"{words} (repeatable)"
    )


def destination(text: str) -> Destination:
    """What one --report asks for; argparse names the option where it is none."""
    form, equals, path = text.partition("=")
    if form not in FORMATS or not equals or not path:
        words = f"FORMAT=FILE was expected, with one of {', '.join(FORMATS)}"
        raise argparse.ArgumentTypeError(f"{words}, not {quoted(text)}")
    return Destination(form, path)


def draws_what_led(args: argparse.Namespace) -> bool:
    """Whether a report is asked for that draws what led to a failure: then an input is read once more."""
    return args.format in DRAWN or any(each.form in DRAWN for each in args.report)


@contextmanager
def reports_to(args: argparse.Namespace, command: str, *inputs: str | None) -> Iterator[Callable[[Run], None]]:
    """What is handed the run that all reports are made of. They are written when the block is left, each to its place.

    command: its name.  inputs: the files that it reads, beside --geometry; None for one that was not given.
    An interrupt that the block does not report itself is a run that came to nothing, too.

    Raises OutputError and InputError, before the block where that can be known.
    """
    read = [each for each in (*inputs, args.geometry) if each is not None]
    refuse_destinations(args, read)
    drafts: list[tuple[str, str]] = []
    unwritten: list[OutputError] = []
    ended: InputError | GeometryError | KeyboardInterrupt | None = None
    with report_to(args, *inputs) as out:

        def report(run: Run | FaultRun) -> None:
            # First, so that nothing was written yet where one cannot be made.
            made = [file for form, path in args.report for file in files_of(form, path, run, unwritten)]
            with kept_for_the_end(unwritten):
                write(args.format, run, out)
            drafts.extend(made)

        try:
            yield report
        except (InputError, GeometryError, KeyboardInterrupt) as fault:
            if args.format not in FOR_CI and not any(each.form in FOR_CI for each in args.report):
                raise
            report(FaultRun(command, fault))
            ended = fault
        for path, text in drafts:
            with kept_for_the_end(unwritten):
                written(path, text, read)
    if ended or unwritten:
        raise ended or unwritten[0]


@contextmanager
def kept_for_the_end(faults: list[OutputError]) -> Iterator[None]:
    """What cannot be written keeps no other report from being written."""
    try:
        yield
    except OutputError as fault:
        faults.append(fault)


def refuse_destinations(args: argparse.Namespace, read: list[str]) -> None:
    """Raises InputError for destinations that do not go together, OutputError for one that cannot be written."""
    taken = {resolved(Path(each)): name for each, name in others(args) if each is not None}
    to_standard_output = [each for each in args.report if each.path == STDOUT]
    if to_standard_output[1:]:
        raise InputError("--report", None, "two reports would go to standard output")
    if [args.format, *(each.form for each in args.report)].count(GITHUB) > 1:
        raise InputError("--report", None, f"{GITHUB} is asked for twice, which would add to the step's summary twice")
    if to_standard_output and args.output is None and args.format != TEXT:
        raise InputError("--report", None, f"the {args.format} report goes to standard output: --output FILE")
    written = [each.form for each in to_standard_output] or [args.format][: args.output is None]
    if HTML in written and sys.stdout is not None and sys.stdout.isatty():
        raise InputError("--report" if to_standard_output else "--format", None, FOR_BROWSERS)
    if to_standard_output and getattr(args, "emit", None) is not None and emits_to_standard_output(args):
        raise InputError("--report", None, "the test goes to standard output: --emit-output FILE")
    for form, path in args.report:
        if path == STDOUT:
            refuse_to_overwrite(None, read)
            continue
        place = resolved(Path(path))
        for each in {place, resolved(Path(file_of(form, path)))}:
            if each in taken:
                raise InputError("--report", None, f"{quoted(path)}: {taken[each]} goes there")
            taken[each] = "another report"
        if form in FOLDERS:
            refuse_folder(path, place)
        else:
            refuse_to_overwrite(path, read)


def others(args: argparse.Namespace) -> Iterator[tuple[str | None, str]]:
    """What else is written: where, and its name."""
    yield args.output, "the report of --output"
    yield getattr(args, "emit_output", None), "the test of --emit-output"
    yield getattr(args, "badge", None), "the badge"


def refuse_folder(path: str, place: Path) -> None:
    """Raises OutputError where there can be no folder for a report."""
    try:
        if place.exists() and not place.is_dir():
            raise OutputError(f"{path}: cannot write: it is no directory")
        if not place.parent.is_dir():
            raise OutputError(f"{path}: cannot write: there is no directory {place.parent}")
    except OSError as fault:
        raise OutputError(f"{path}: cannot write: {fault.strerror or fault}") from None


def files_of(form: str, path: str, run: Run | FaultRun, faults: list[OutputError]) -> Iterator[tuple[str, str]]:
    """A report: where it goes, and its text. Of a run that came to nothing, only one for CI.

    faults: is told what could not be written besides.
    """
    if isinstance(run, FaultRun) and form not in FOR_CI:
        return
    draft = Draft(sys.stdout if path == STDOUT else None)
    with kept_for_the_end(faults):
        write(form, run, draft)
    yield file_of(form, path), draft.getvalue()


def file_of(form: str, path: str) -> str:
    """The file in which a report is; path: as --report has it, which may be a folder."""
    return path if path == STDOUT or form not in FOLDERS else str(Path(path) / FOLDERS[form])


def written(path: str, text: str, read: list[str]) -> None:
    """Writes a file, whose folder is made if it is not there; raises OutputError."""
    if path == STDOUT:
        write_out(text)
        return
    try:
        resolved(Path(path)).parent.mkdir(exist_ok=True)
    except OSError as fault:
        raise OutputError(f"{path}: cannot write: {fault.strerror or fault}") from None
    refuse_to_overwrite(path, read)
    write_file(path, text)
