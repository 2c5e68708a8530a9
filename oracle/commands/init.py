"""`memoracle init [LIBRARY]`: writes a commented binding of a library, as far as it can be guessed."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from memoracle.console.exit_status import Status
from memoracle.console.options import file_or_stdout, named
from memoracle.console.output import OutputError, write_out
from memoracle.console.streams import say
from memoracle.trace.inputs import InputError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    words = "write a commented binding of a shared library, as far as it can be guessed"
    parser = subparsers.add_parser("init", help=words, description=f"Reads a library's symbols and header to {words}.")
    words = "a shared library; without one, a binding to fill in is written"
    parser.add_argument("library", metavar="LIBRARY", nargs="?", type=named, help=words)
    words = "what declares its functions: a header, or its source"
    parser.add_argument("--header", metavar="FILE.h", type=named, help=words)
    words = "write to FILE.toml, which must not exist, instead of standard output"
    parser.add_argument("--output", metavar="FILE.toml", type=file_or_stdout, help=words)
    parser.add_argument("--quiet", action="store_true", help="do not say on standard error what comes next")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Writes a binding; raises InputError and OutputError."""
    from memoracle.proposals.binding_text import SKELETON, text_of
    from memoracle.proposals.guesses import CHOOSE
    from memoracle.proposals.proposal import propose

    if args.library is None:
        if args.header is not None:
            raise InputError(args.header, None, "a header says nothing without its library")
        text = SKELETON
    else:
        proposal = propose(args.library, args.header)
        folder = Path(args.output).parent if args.output is not None else Path()
        text = text_of(proposal, os.path.relpath(args.library, folder))
    if args.output is None:
        write_out(text)
        return Status.HOLDS
    try:
        with Path(args.output).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise OutputError(f"{args.output}: it exists; nothing was written") from None
    except OSError as fault:
        raise OutputError(f"{args.output}: {fault.strerror or fault}") from None
    if not args.quiet:
        count = text.count(CHOOSE)
        say(f"memoracle: {args.output}: {count} to choose; then `memoracle drive {args.output}`")
    return Status.HOLDS
