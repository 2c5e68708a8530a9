"""Limits the processor time of a piece of work. Time on the clock would let a busy machine change a verdict."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import current_thread, main_thread
from types import FrameType

TIMERS = {signal.ITIMER_VIRTUAL: signal.SIGVTALRM, signal.ITIMER_PROF: signal.SIGPROF}
SECONDS = 2.0  # of a processor, that one call of the reference's code may take


class EndlessError(Exception):
    """A call did not return."""


def limits_of_calls() -> AbstractContextManager[Callable[[float], None]]:
    """How to cut calls of the reference's code short that do not return, each after SECONDS."""
    endless = EndlessError(f"it does not return within {SECONDS:g} seconds of a processor")
    return limits(endless, signal.ITIMER_VIRTUAL)


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
    """The same for several pieces of work in turn: yields a function that sets the limit of the next; 0 ends it.

    Outside the main thread, where no signal can be had, nothing is limited.
    """
    if current_thread() is not main_thread():
        yield lambda seconds: None
        return

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
