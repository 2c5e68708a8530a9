"""An interrupt that comes just when a process was forked, before anybody knows of it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

PATIENCE = 60  # seconds


@contextmanager
def interrupted_forks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Within it each fork is interrupted. Yields the processes that were forked, as they come."""
    forked: list[int] = []
    fork = os.fork

    def interrupted() -> int:
        process = fork()
        if process:
            forked.append(process)
            os.kill(os.getpid(), signal.SIGINT)
        return process

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(os, "fork", interrupted)
    try:
        yield forked
    finally:
        monkeypatch.setattr(os, "fork", fork)
        signal.signal(signal.SIGINT, before)


def left_behind(forked: Sequence[int]) -> list[int]:
    """Which of these processes are still there, though one waited for their end; they are ended then."""
    left = [*forked]
    for _ in range(10 * PATIENCE):
        multiprocessing.active_children()  # buries those that are known
        left = [each for each in left if exists(each)]
        if not left:
            break
        time.sleep(0.1)
    for each in left:
        os.kill(each, signal.SIGKILL)
        os.waitpid(each, 0)
    return left


def exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
