"""Limits the processor time of a piece of work. Time on the clock would let a busy machine change a verdict."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

TIMERS = {signal.ITIMER_VIRTUAL: signal.SIGVTALRM, signal.ITIMER_PROF: signal.SIGPROF}


@contextmanager
def limited(seconds: float, error: Exception, timer: int) -> Iterator[None]:
    """Raises an error in the main thread once this process has used this much processor time.

    timer: `signal.ITIMER_VIRTUAL` or `signal.ITIMER_PROF`; of two nested limits each needs another timer.
    """
    with limits(error, timer) as limit:
        limit(seconds)
        yield


@contextmanager
def limits(error: Exception, timer: int) -> Iterator[Callable[[float], None]]:
    """The same for several pieces of work in turn: yields a function that sets the limit of the next; 0 ends it."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise error

    def limit(seconds: float) -> None:
        signal.setitimer(timer, seconds)

    old = signal.signal(TIMERS[timer], ring)
    try:
        yield limit
    finally:
        limit(0)
        signal.signal(TIMERS[timer], old)
