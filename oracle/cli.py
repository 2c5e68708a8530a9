"""The command line: chooses the command, and turns whatever goes wrong into one line and an exit status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import metadata

from memoracle.commands import boot, check, explain, prove
from memoracle.console.exit_status import Status
from memoracle.spec.geometry import GeometryError
from memoracle.trace.inputs import InputError

# Each is a module with add_parser(subparsers) and run(args); a solver is imported in run only, since others need none.
COMMANDS = (prove, check, boot, explain)
INTERRUPTED = 130  # what shells report of a program that SIGINT ended


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status; argv is without the program's name (default: sys.argv's)."""
    try:
        args = parser().parse_args(argv)
        status = int(args.run(args))
        sys.stdout.flush()
    except SystemExit as leaving:  # argparse: 0 after --help, 2 after a usage error; rich: 1 when its reader is gone
        return Status.HOLDS if leaving.code == 0 else Status.UNUSABLE
    except (InputError, GeometryError) as fault:
        return complain(str(fault))
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except OSError as fault:  # of the output: an input's fault is an InputError
        # What is left in the buffer can never be written, and Python would complain of it while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        gone = isinstance(fault, BrokenPipeError)  # nobody reads any more, so nobody wants to be told
        return Status.UNUSABLE if gone else complain(f"cannot write: {fault.strerror or fault}")
    except Exception as fault:
        return complain(f"internal error: {type(fault).__name__}: {fault}")
    return status


def parser() -> argparse.ArgumentParser:
    """The whole command line; --help shows what is built, and nothing else."""
    whole = argparse.ArgumentParser(prog="memoracle", description="Is this memory manager right?")
    whole.add_argument("--version", action="version", version=f"memoracle {metadata.version('memoracle')}")
    subparsers = whole.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    return whole


def complain(message: str) -> int:
    """Says on one line of standard error why there is no verdict."""
    sys.stderr.write(f"memoracle: {' '.join(message.split())}\n")
    return Status.UNUSABLE
