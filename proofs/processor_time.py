"""A limit to the processor's time that something takes, so that a busy machine changes no verdict."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

TIMERS = {signal.ITIMER_VIRTUAL: signal.SIGVTALRM, signal.ITIMER_PROF: signal.SIGPROF}


@contextmanager
def limited(seconds: float, error: Exception, timer: int) -> Iterator[None]:
    """Raises an error in the main thread once this process has worked so long.

    timer: `signal.ITIMER_VIRTUAL` or `signal.ITIMER_PROF`; a limit within another needs the one that is not in use.
    """
    with limits(error, timer) as limit:
        limit(seconds)
        yield


@contextmanager
def limits(error: Exception, timer: int) -> Iterator[Callable[[float], None]]:
    """The same for one piece of work after another: a function that sets how long the next may take, or 0 after it."""

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
