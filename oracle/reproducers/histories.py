"""Whether what is due of the last call is due in every lawful run of the calls, or only after the recorded answers.

Another allocator may hand out other addresses. Some such runs are made up: each call is given an answer that `check`
accepts, tried in another order than the recorded ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from memoracle.drive.requests import GIVERS
from memoracle.reproducers.due import REFUSES, RETURNS, SUCCEEDS, Due
from memoracle.reproducers.failing_run import Event, FailingRun, refused, refuses, succeeds_with
from memoracle.reproducers.live_blocks import size_of
from memoracle.spec.geometry import Geometry

RUNS = 6  # that are made up
MOST_EVENTS = 60  # of a run that is made up; a longer one is held to the recorded answers
MOST_PLACES = 8  # that are tried for one answer


def depends_on_answers(run: FailingRun, due: Due, geometry: Geometry) -> bool:
    """Whether there is a lawful run in which this is not due, as far as is found."""
    if due.kind == RETURNS or due.is_of_places:
        return False
    if len(run.events) > MOST_EVENTS:
        return True
    return any(not _is_due(run, due, made) for made in _other_runs(run, geometry))


def _is_due(run: FailingRun, due: Due, before: list[Event]) -> bool:
    last = _asked_after(run, before, len(before))
    if due.kind == SUCCEEDS:
        return not run.conforms(*before, refuses(last))
    if due.kind == REFUSES:
        return not run.conforms(*before, succeeds_with(last, last.get("result")))
    return run.conforms(*before, succeeds_with(last, due.answer))


def _other_runs(run: FailingRun, geometry: Geometry) -> Iterator[list[Event]]:
    """Lawful runs of all calls but the last, with the outcomes that were recorded but other addresses."""
    for seed in range(RUNS):
        random, made = Random(seed), list[Event]()
        for place in range(len(run.events) - 1):
            event = _answered(run, made, place, random, geometry)
            if event is None:
                break
            made.append(event)
        else:
            yield made


def _answered(run: FailingRun, made: list[Event], place: int, random: Random, geometry: Geometry) -> Event | None:
    """A call with a lawful answer; None where it cannot have the outcome that was recorded."""
    event = _asked_after(run, made, place)
    answers: list[object] = [event.get("result")]
    if event["op"] in GIVERS and not refused(event):
        given = {
            each["result"] for each in run.events if each["op"] == event["op"] and isinstance(each.get("result"), int)
        }
        size, beside = size_of(event, geometry), (-2, -1, 0, 1, 2) if random.random() < 0.5 else (0,)
        places = sorted({each + size * by for each in given for by in beside if each + size * by >= 0})
        random.shuffle(places)
        answers = [*places[:MOST_PLACES], *answers]
    tried = ({**event, "result": answer} if answer is not None else event for answer in answers)
    return next((each for each in tried if run.conforms(*made, each)), None)


def _asked_after(run: FailingRun, made: list[Event], place: int) -> Event:
    """A call with the addresses that others gave in a run that is made up."""
    event = dict(run.events[place])
    for name, (giver, added) in run.requests[place].needs.items():
        event[name] = made[giver]["result"] + added
    return event
