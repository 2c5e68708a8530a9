"""What a proof refutes as a test: a run of the reference that fails, found at small sizes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from types import FrameType

from memoracle.drive.log import ENCODE
from memoracle.report.check_report import TraceResult
from memoracle.reproducers.failing_run import ReproducerError
from memoracle.reproducers.forms import TRACE
from memoracle.reproducers.reference_trace import trace_of
from memoracle.reproducers.reproducer import Reproducer
from memoracle.reproducers.running import FAILED, NOT_RUN, run_pytest

SECONDS = 10.0  # for finding a run
TEST = "def test_replay("


class _TooLongError(BaseException):
    """The time is over. No code that is searched may take it for a failure of its own."""


def found_within(seconds: float, search: Callable[[], str | None]) -> str | None:
    """What a search finds, in the main thread of a process; or the words that it found nothing in time."""

    def ends(number: int, frame: FrameType | None) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGALRM, ends)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        return search()
    except _TooLongError:
        return f"No run of the reference that fails was found within {seconds:g} seconds."
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def of_refuted(
    form: str, replays: Mapping[str, str], check: Callable[[Iterator[bytes]], TraceResult]
) -> Reproducer | None:
    """The first run that was found, as a test; None if nothing was refuted.

    replays: by component, the run as a test, or why there is none.  check: what `check` says of a trace.
    """
    if not replays:
        return None
    component = next((name for name, text in replays.items() if TEST in text), None)
    if component is None:
        said = " ".join(f"{name}: {text}" for name, text in replays.items())
        return Reproducer(form, None, f"no {form} test can be written: {said}")
    if form == TRACE:
        return _as_trace(component, replays[component], check)
    found = run_pytest(replays[component])
    if found.outcome in (FAILED, NOT_RUN):
        said = "it was run, and fails" if found.outcome == FAILED else f"it was not run ({found.why})"
        return Reproducer(form, replays[component], said)
    return Reproducer(form, None, f"the test of {component} {found.outcome}, so that it is not printed")


def _as_trace(component: str, test: str, check: Callable[[Iterator[bytes]], TraceResult]) -> Reproducer:
    try:
        lines = [ENCODE(each) for each in trace_of(component, test)]
    except ReproducerError as fault:
        return Reproducer(TRACE, None, f"no trace can be written: {fault}")
    found = check(iter(lines))
    said = "it was checked, and diverges"
    if not found.divergences:
        said = "it was checked, and conforms here: `check` replays it with the reference that is at fault"
    return Reproducer(TRACE, "".join(f"{line.decode()}\n" for line in lines), said)
