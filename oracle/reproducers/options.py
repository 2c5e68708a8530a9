"""The options of commands whose failures can be written as tests, and where the test goes."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from memoracle.console.options import JSON, TEXT, file_or_stdout, note
from memoracle.console.output import (
    emits_to_standard_output,
    goes_where,
    refuse_to_overwrite,
    write_file,
    write_out,
)
from memoracle.console.streams import say
from memoracle.reproducers.forms import FORMS, PYTEST, TRACE
from memoracle.reproducers.reproducer import Reproducer
from memoracle.trace.inputs import STDIN, InputError


def add_emit_options(parser: argparse.ArgumentParser) -> None:
    """Adds --emit and --emit-output, read as `emit`, `emit_output`."""
    words = "write what fails as a test, to standard output; a report in text then goes to standard error"
    parser.add_argument("--emit", choices=FORMS, help=words)
    parser.add_argument("--emit-output", metavar="FILE", type=file_or_stdout, help="write the test to FILE instead")


def refuse_outputs(args: argparse.Namespace, *inputs: str | None) -> None:
    """Raises OutputError where a test could not be written; InputError for a file without a test."""
    if args.emit_output is None:
        if args.emit is not None and args.format not in (TEXT, JSON) and args.output is None:
            words = f"the {args.format} report goes to standard output: --emit-output FILE, or --output FILE"
            raise InputError("--emit", None, words)
        return
    if args.emit is None:
        raise InputError("--emit-output", None, "it needs --emit")
    if goes_where(args.emit_output, args.output):
        raise InputError("--emit-output", None, "the report goes there")
    refuse_to_overwrite(args.emit_output, [each for each in inputs if each is not None])


def refuse_of_check(args: argparse.Namespace) -> None:
    """Raises InputError for options of `check` that do not go together."""
    if args.emit is None:
        if args.binding is not None:
            raise InputError("--binding", None, "it needs --emit")
        return
    if STDIN in args.traces or args.follow:
        raise InputError("--emit", None, "it reads a trace twice: neither - nor --follow is for it")
    if args.emit != TRACE and args.binding is None:
        raise InputError("--emit", None, f"a {args.emit} test calls functions: --binding FILE.toml says which")


def refuse_of_prove(args: argparse.Namespace) -> None:
    """Raises InputError for forms that are no tests of the reference, which is in Python."""
    if args.emit not in (None, PYTEST, TRACE):
        raise InputError("--emit", None, f"{args.emit}: what proofs are about is written in Python: pytest or trace")


def in_document(found: Reproducer | None) -> dict[str, Any]:
    """What a report for programs has of a test: nothing, unless one was wanted and something failed."""
    return {} if found is None else {"reproducer": asdict(found)}


def write_test(args: argparse.Namespace, found: Reproducer | None) -> None:
    """Writes a test to where it was wanted, and says on standard error whether it was run, or why there is none."""
    if args.emit is None:
        return
    if found is None:
        note(args, "memoracle: nothing failed: there is no test to write")
        return
    if found.text is None:
        say(f"memoracle: {found.said}")
        return
    note(args, f"memoracle: {found.said}")
    if args.emit_output is not None:
        write_file(args.emit_output, found.text)
    elif emits_to_standard_output(args):
        write_out(found.text)
