"""The command line: chooses the command, and turns whatever goes wrong into one line and an exit status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from memoracle import compiled
from memoracle.console import streams
from memoracle.console.exit_status import INTERRUPTED, Status
from memoracle.console.extras import MissingExtraError
from memoracle.console.output import OutputError, write_out
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace.inputs import InputError
from memoracle.trace.quoting import escaped

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

VERSION = "--version"
# Each is a module of memoracle.commands with add_parser(subparsers) and run(args); a solver is imported in run only,
# since others need none.
COMMANDS = ("prove", "check", "drive", "init", "vectors", "snapshot", "boot", "explain")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status; argv is without the program's name (default: sys.argv's)."""
    streams.open_missing()
    return run(argv)


def run(argv: Sequence[str] | None) -> int:
    try:
        argv = sys.argv[1:] if argv is None else argv
        args = parser(argv).parse_args(argv)
        return int(args.run(args))
    except SystemExit as leaving:  # argparse: 0 after --help, 2 after a usage error
        return Status.HOLDS if leaving.code == 0 else Status.UNUSABLE
    except (InputError, GeometryError, OutputError, MissingExtraError, compiled.CompiledError) as fault:
        return complain(str(fault))
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except MemoryError:
        return complain("it needs more memory than there is: a geometry of fewer frames or pages needs less")
    except Exception as fault:
        return complain(f"internal error: {type(fault).__name__}: {fault}")


class Parser(argparse.ArgumentParser):
    """Shows what a user typed as any other text from outside: it may be the name of a file."""

    def error(self, message: str) -> NoReturn:
        super().error(escaped(message))

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Python 3.11 takes the value out of `--level=--`, and is left with an empty list."""
        if action.option_strings and arg_strings == ["--"]:
            raise argparse.ArgumentError(action, "expected one argument, not `--`")
        return super()._get_values(action, arg_strings)

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """Unlike the method that it overrides, says so where standard output is full."""
        if message and file is sys.stdout:
            write_out(message)
        elif message:
            streams.write_error(message)


class ShowVersion(argparse.Action):
    """Looks the version up when it is asked for, which takes a sixth of the time of starting a command."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib import metadata

        built = ", `check` compiled" if compiled.is_built() else ""
        parser._print_message(f"memoracle {metadata.version('memoracle')}{built}\n", sys.stdout)
        parser.exit()


def parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line; --help shows what is built, and nothing else.

    Where argv begins with a command, it has that command alone: the others' modules need not be imported.
    """
    whole = Parser(prog="memoracle", description="Is this memory manager right?")
    words = "show program's version number and exit"
    whole.add_argument(VERSION, action=ShowVersion, nargs=0, default=argparse.SUPPRESS, help=words)
    subparsers = whole.add_subparsers(metavar="COMMAND", required=True)
    called = [name for name in (*COMMANDS, VERSION) if name in argv[:1]] or COMMANDS
    for name in called if VERSION not in called else ():
        import_module(f"memoracle.commands.{name}").add_parser(subparsers)
    return whole


def complain(message: str) -> int:
    """Says on one line of standard error why there is no verdict."""
    streams.say(f"memoracle: {message}")
    return Status.UNUSABLE
