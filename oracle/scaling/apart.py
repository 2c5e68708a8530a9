"""`python -m memoracle.scaling.apart PARENT`: does one unit of work that is read from standard input.

It has a process of its own, and ends with the thread that started it: a worker that is killed leaves none behind.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys

from memoracle.scaling.carrying import done_here

PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    """Writes what came of the unit to standard output."""
    end_with(int(sys.argv[1]))
    asked = sys.stdin.buffer
    sys.path[:] = pickle.load(asked)  # whoever asks may have a module that names what is to be done
    answers = os.dup(1)
    os.dup2(2, 1)  # what is printed meanwhile is no answer
    done = done_here(*pickle.load(asked))
    with os.fdopen(answers, "wb") as stream:
        stream.write(done)


def end_with(parent: int) -> None:
    """Has the system end this process when the thread that started it ends. parent: the process of that thread."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before
            os._exit(1)


if __name__ == "__main__":
    main()
