"""The peak memory of `memoracle check` while a trace is piped into it."""

from __future__ import annotations

import os
import sys
from subprocess import DEVNULL, PIPE, Popen

from benchmarks.workloads import WORKLOADS, Workload

UNIT = 1 if sys.platform == "darwin" else 1 << 10  # bytes: getrusage(2)


def peak(workload: Workload, events: int) -> tuple[int, int]:
    """The exit status, and the bytes of memory, of a check of so many events at the first level of the workload.

    A process starts with the peak of the one that made it, so the trace comes from a process of its own, and this is
    asked while little memory is in use here.
    """
    recording = [sys.executable, "-m", "benchmarks.record", str(WORKLOADS.index(workload)), str(events)]
    checking = [sys.executable, "-m", "memoracle", "check", "--quiet", "--level", workload.levels[0], "-"]
    with Popen(recording, stdout=PIPE) as recorder, Popen(checking, stdin=recorder.stdout, stdout=DEVNULL) as checker:
        assert recorder.stdout is not None, "a pipe was asked for"
        recorder.stdout.close()  # so that the recorder learns of it if the checker stops
        _, status, usage = os.wait4(checker.pid, 0)
        checker.returncode = os.waitstatus_to_exitcode(status)
    return checker.returncode, usage.ru_maxrss * UNIT
