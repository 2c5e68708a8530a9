"""Where the program starts. Until a command can make something of an interrupt, it ends the program, without a word."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import islice, pairwise
from stat import S_ISFIFO

LOOKED_AT = 3  # lines: the header, perhaps a `boot`, and a call
TIMES = b'"_call"', b'"_return"'
WRITTEN = "--o", "--emit-o"  # what the options begin with whose value is a file that is written


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
    if argv[:1] == ["check"] and not any(map(may_overlap, inputs_of(argv))):
        compiled.use_compiled()
    else:
        compiled.use_sources()


def inputs_of(argv: list[str]) -> Iterator[str]:
    """The words of a command line that may be inputs: all files, and of what can be read only once the first.

    A second pipe is not looked at: who writes into it may wait until the first is read.
    """
    begun = False
    for before, word in pairwise(argv):
        if os.path.isfile(word):  # noqa: PTH113 (of any text)
            yield word
        elif not begun and not before.startswith(WRITTEN) and (word == "-" or is_pipe(word)):
            begun = True
            yield word


def is_pipe(path: str) -> bool:
    try:
        return S_ISFIFO(os.stat(path).st_mode)  # noqa: PTH116 (of any text)
    except (OSError, ValueError):
        return False


def may_overlap(path: str) -> bool:
    """Whether an input begins like a trace of which operations overlap: all its calls say when they were made, or none.

    That is asked before anything is imported that may be compiled, so no line is decoded. A `boot` need not say it.
    """
    from memoracle.trace.inputs import InputError, begun

    try:
        with begun(path) as lines:
            for number, line in enumerate(islice(lines, LOOKED_AT)):
                if any(key in line for key in TIMES):
                    return True
                if number and b'"boot"' not in line:
                    return False
    except (InputError, OSError):
        pass  # whoever checks it says why
    return False
