"""Where the program starts. Until a command can make something of an interrupt, it ends the program, without a word."""

from __future__ import annotations

import os
import sys
from itertools import islice

LOOKED_AT = 3  # lines: the header, perhaps a `boot`, and a call
TIMES = b'"_call"', b'"_return"'


def main() -> int:
    """Runs the command line, and returns its exit status."""
    try:
        import signal

        # Python's own handler would end an import with a traceback.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    except KeyboardInterrupt:
        return 130  # as memoracle.console.exit_status has it
    try:
        choose_modules(sys.argv[1:])
    except KeyboardInterrupt:
        return 130
    from memoracle import cli

    return cli.main()


def choose_modules(argv: list[str]) -> None:
    """Where some are compiled, too: `check` uses those, but for operations that overlap."""
    from memoracle import compiled

    if not compiled.is_built():
        return
    if argv[:1] == ["check"] and not any(map(may_overlap, argv[1:])):
        compiled.use_compiled()
    else:
        compiled.use_sources()


def may_overlap(path: str) -> bool:
    """Whether this is a file that begins like a trace of which operations overlap.

    That is asked before anything is imported that may be compiled, so no line is decoded.
    """
    from memoracle.trace.inputs import InputError, open_lines

    if not os.path.isfile(path):  # noqa: PTH113 (of any text)
        return False
    try:
        return any(key in line for line in islice(open_lines(path), LOOKED_AT) for key in TIMES)
    except InputError:
        return False  # whoever checks it says why
