"""`memoracle init [LIBRARY]`: writes a commented binding of a library, as far as it can be guessed; or a job for CI."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from memoracle.console.exit_status import Status
from memoracle.console.options import file_or_stdout, named, note
from memoracle.console.output import write_out
from memoracle.proposals.ci_job import ELSEWHERE, PLACES, checkout_above, installed_from, is_of_machine, job, write_new
from memoracle.trace.inputs import InputError

UNSAID = object()  # what --output is where it is not given: None is standard output


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    words = "write a commented binding of a shared library, as far as it can be guessed"
    parser = subparsers.add_parser("init", help=words, description=f"Reads a library's symbols and header to {words}.")
    words = "a shared library; without one, a binding to fill in is written"
    parser.add_argument("library", metavar="LIBRARY", nargs="?", type=named, help=words)
    words = "what declares its functions: a header, or its source"
    parser.add_argument("--header", metavar="FILE.h", type=named, help=words)
    words = f"write a job that checks traces instead, into {' or '.join(PLACES.values())}"
    parser.add_argument("--ci", choices=PLACES, help=words)
    words = "what the job of --ci has pip install: git+https://…, or a wheel or a folder of the repository"
    words += " (default: where pip had this memoracle from)"
    parser.add_argument("--from", dest="source", metavar="SOURCE", type=named, help=words)
    words = "write to FILE, which must not exist, instead of standard output; of --ci, of the file that it is for"
    parser.add_argument("--output", metavar="FILE", type=file_or_stdout, default=UNSAID, help=words)
    parser.add_argument("--quiet", action="store_true", help="do not say on standard error what comes next")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Writes a binding or a job; raises InputError and OutputError."""
    if args.ci is not None:
        return write_job(args)
    if args.source is not None:
        raise InputError("--from", None, "it says where the job of --ci has memoracle from; a binding has none")
    args.output = None if args.output is UNSAID else args.output
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
    write_new(args.output, text)
    note(args, f"memoracle: {args.output}: {text.count(CHOOSE)} to choose; then `memoracle drive {args.output}`")
    return Status.HOLDS


def write_job(args: argparse.Namespace) -> int:
    """Writes a job for a CI server, where that looks for it, or where it is wanted."""
    if args.library is not None or args.header is not None:
        raise InputError("--ci", None, "a job has no library: a binding is written by itself")
    place = PLACES[args.ci] if args.output is UNSAID else args.output
    source, is_found = installed_from() if args.source is None else (args.source, True)
    text = job(args.ci, source)
    if place is None:
        write_out(text)
    else:
        write_new(place, text, ELSEWHERE.get(args.ci, ""), makes_folders=args.output is UNSAID)
        note(args, f"memoracle: {place}: it checks traces/*.jsonl; change MEMORACLE_TRACES for others")
        if args.output is UNSAID and (root := checkout_above()) is not None:
            note(args, f"memoracle: {place}: a server looks for it in {root}, the root of the checkout, and not here")
    if not is_found:
        words = "which an index must have: this memoracle came from a folder. --from, or MEMORACLE_FROM in the file"
        note(args, f"memoracle: the job installs {source}, {words}, says where else CI has it from")
    elif is_of_machine(source):
        note(args, f"memoracle: the job installs {source}, which is on this machine: a CI server may not have it")
    return Status.HOLDS
