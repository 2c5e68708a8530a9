"""The options that every command shares, and what follows from them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from memoracle.spec.geometry import Geometry
from memoracle.trace.geometry import load_geometry
from memoracle.trace.inputs import InputError

TEXT, JSON = "text", "json"


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Adds --geometry, --format, --output and --quiet, read as `geometry`, `format`, `output`, `quiet`."""
    group = parser.add_argument_group("common options")
    group.add_argument(
        "--geometry",
        metavar="PRESET|FILE.toml",
        help="the sizes of the machine (default: x64-2m, or what the trace says)",
    )
    group.add_argument("--format", choices=(TEXT, JSON), default=TEXT, help="how to report (default: text)")
    group.add_argument("--output", metavar="FILE", help="write the report to FILE instead of standard output")
    group.add_argument("--quiet", action="store_true", help="no progress and no notes on standard error")


def chosen_geometry(args: argparse.Namespace) -> Geometry | None:
    """The geometry that the user asked for, or None; raises GeometryError."""
    return None if args.geometry is None else load_geometry(args.geometry)


@contextmanager
def report_to(args: argparse.Namespace) -> Iterator[TextIO]:
    """Where the report goes: --output's file, or standard output; raises InputError if that cannot be written."""
    if args.output is None:
        yield sys.stdout
        return
    try:
        with Path(args.output).open("w", encoding="utf-8") as file:
            yield file
    except OSError as fault:
        raise InputError(args.output, None, f"cannot write: {fault.strerror or fault}") from None


def note(args: argparse.Namespace, message: str) -> None:
    """Tells the user something that is no part of the report, on standard error; --quiet silences it."""
    if not args.quiet:
        sys.stderr.write(f"{message}\n")
