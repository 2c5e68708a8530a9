"""The options that every command shares, and what follows from them."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

from memoracle.console.streams import say
from memoracle.spec.geometry import Geometry
from memoracle.trace.geometry import load_geometry
from memoracle.trace.inputs import LINE_BYTES
from memoracle.trace.quoting import quoted

TEXT, JSON = "text", "json"
STDOUT = "-"


def add_common_options(parser: argparse.ArgumentParser, formats: Sequence[str] = (TEXT, JSON)) -> None:
    """Adds --geometry, --format, --output and --quiet, read as `geometry`, `format`, `output`, `quiet`.

    formats: of the report; the first is the default.
    """
    group = parser.add_argument_group("common options")
    group.add_argument(
        "--geometry",
        metavar="PRESET|FILE.toml",
        type=named,
        help="the sizes of the machine (default: x64-2m, or what the trace says)",
    )
    group.add_argument("--format", choices=formats, default=formats[0], help=f"how to report (default: {formats[0]})")
    words = "write the report to FILE instead of standard output, which is -"
    group.add_argument("--output", metavar="FILE", type=file_or_stdout, help=words)
    quiet = "no progress and no notes on standard error; of check, no list of what a trace exercised"
    group.add_argument("--quiet", action="store_true", help=quiet)


def add_input_options(parser: argparse.ArgumentParser) -> None:
    """Adds --max-line, read as `max_line`: for commands that read traces or logs."""
    words = f"refuse a longer line (default: {LINE_BYTES})"
    parser.add_argument("--max-line", metavar="BYTES", type=positive, default=LINE_BYTES, help=words)


def add_map_options(parser: argparse.ArgumentParser) -> None:
    """Adds --boot and --map, read as `boot`, `map`: for commands that read logs with memory maps."""
    words = "in a log of several boots, read the memory maps of boot N (default: 1)"
    parser.add_argument("--boot", metavar="N", type=positive, help=words)
    words = "in a log of several memory maps, read the one of this name: bios-e820, user, ..."
    parser.add_argument("--map", metavar="NAME", type=named, help=words)


def positive(text: str) -> int:
    """A positive number of an option; argparse names the option where it is none."""
    if re.fullmatch("0*[0-9]{1,20}", text, re.ASCII) and 0 < int(text) < sys.maxsize:
        return int(text)
    if re.fullmatch("0*[1-9][0-9]*", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"a number below {sys.maxsize:,} was expected, not {quoted(text)}")
    raise argparse.ArgumentTypeError(f"a whole number from 1 on was expected, not {quoted(text)}")


def named(text: str) -> str:
    """The name of a file, or of anything else; argparse names the option where it is empty."""
    if text:
        return text
    raise argparse.ArgumentTypeError("a name was expected, not ''")


def file_or_stdout(text: str) -> str | None:
    """The name of a file that is written; None for `-`, standard output, as where the option is not given."""
    return None if text == STDOUT else named(text)


def chosen_geometry(args: argparse.Namespace) -> Geometry | None:
    """The geometry that the user asked for, or None; raises GeometryError."""
    return None if args.geometry is None else load_geometry(args.geometry)


def note(args: argparse.Namespace, message: str) -> None:
    """Tells the user something that is no part of the report, on standard error; --quiet silences it."""
    if not args.quiet:
        say(message)
