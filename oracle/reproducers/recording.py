"""A recording that diverges as a test: asked again of the library, or only what it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from memoracle.diagnostics.divergence import Finding
from memoracle.drive.binding import Binding
from memoracle.drive.log import ENCODE
from memoracle.drive.nursery import Nursery
from memoracle.drive.requests import RESET, Repeated, Request, requests_of
from memoracle.drive.shrinking import shortest
from memoracle.drive.trial import Plan, Trial
from memoracle.reproducers.failing_run import Event, FailingRun, ReproducerError, failing_run

SECONDS = 10.0  # for leaving calls out
PLACE = "_place"  # of a call in the recording, while calls are left out


def from_trial(plan: Plan, trial: Trial) -> FailingRun:
    """What failed of a target. Raises ReproducerError."""
    divergence = trial.result.divergences[0]
    heads, lines = trial.lines[: len(plan.head)], trial.lines[len(plan.head) : divergence.line]
    return failing_run(heads, lines, divergence.finding, lambda events: plan.check(map(ENCODE, events)))


def asked_again(plan: Plan, recorded: FailingRun, calls: Sequence[Request] | None = None) -> FailingRun:
    """The shortest run of a library that fails as the recording does. Raises ReproducerError where none does.

    calls: what is asked, with what other instances were asked in between; None: what the recording has.
    """
    calls = recorded.requests if calls is None else calls
    operations = {each.operation for each in calls} - {RESET}
    if isinstance(plan.called, Binding) and (unbound := operations - plan.called.says.operations.keys()):
        raise ReproducerError(f"{plan.name}: it does not say how `{min(unbound)}` is called")
    clause = recorded.finding.clause
    with Nursery(plan) as nursery:

        def repeated(requests: Sequence[Request]) -> Trial:
            return nursery.run(partial(Repeated, requests))

        trial = repeated(calls)
        if trial.clause != clause:
            words = f"breaks {trial.clause} instead" if trial.clause else "answers as the law has it"
            raise ReproducerError(f"the library, asked what was recorded, {words}")
        least = shortest(calls, lambda some: repeated(some).clause == clause, SECONDS)
        return from_trial(plan, repeated(least))


def least(recorded: FailingRun) -> FailingRun:
    """The recording without the calls that its divergence does not need."""
    marked = [each._replace(arguments={**each.arguments, PLACE: place}) for place, each in enumerate(recorded.requests)]

    def kept(requests: Sequence[Request]) -> list[Event]:
        return [recorded.events[each.arguments[PLACE]] for each in requests]

    def finding(events: Sequence[Event]) -> Finding | None:
        found = recorded.check([*recorded.head, *events]).divergences
        is_last = bool(found) and found[0].line == len(recorded.head) + len(events)
        return found[0].finding if is_last and found[0].finding.clause == recorded.finding.clause else None

    def fails(requests: Sequence[Request]) -> bool:
        return finding(kept(requests)) is not None

    events = tuple(kept(shortest(marked, fails, SECONDS, recorded=True)))
    found = finding(events)
    if found is None:
        return recorded
    return replace(
        recorded, events=events, requests=tuple(requests_of([ENCODE(each) for each in events])), finding=found
    )
