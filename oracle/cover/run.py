"""Covers a target: each of its families in a process of its own, held to the law as it goes."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

import msgspec

from memoracle.console.counted import counted
from memoracle.cover.family import Asks, Call, Family, State, left_by
from memoracle.cover.small import MOST_REACHED, covered
from memoracle.cover.stretches import Stretch
from memoracle.cover.told import Told
from memoracle.cover.walk import Steps, Walk
from memoracle.diagnostics.levels import Rules
from memoracle.drive.calls import Wish
from memoracle.drive.nursery import run_once
from memoracle.drive.target import Answer, Target, misusable
from memoracle.drive.trial import Begun, Plan, Trial, unwatched
from memoracle.replay.dispatch import Replay
from memoracle.replay.frames.frame_runs import FrameRuns
from memoracle.report.check_report import TraceResult
from memoracle.spec.geometry import Geometry
from memoracle.trace.inputs import InputError
from memoracle.trace.quoting import escaped

TRACE = "<run>"  # what messages call the trace of a run
MOST_NAMED = 100  # calls that were never made
MOST_STARTS = 256  # of one family: a target that reaches few states after each start is not started for ever


@dataclass
class Covering:
    """What came of one family. starts: how often the target was started.  trials: what came of these.

    is_cut: whether what is missing is so since no more calls, time or starts were left.
    """

    family: Family
    steps: Steps = field(default_factory=Steps)
    trials: list[Trial] = field(default_factory=list)
    starts: int = 0
    is_cut: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the last run found a divergence, or could not be read to its end."""
        return self.trials[-1].is_over

    @property
    def never_taken(self) -> Iterator[tuple[State, Call]]:
        return ((state, call) for state, calls in self.steps.left.items() for call in calls)

    @property
    def left_in_words(self) -> str:
        steps = self.steps
        if steps.died:
            return "nobody knows what is left, since it did not say where it had been"
        return f"{steps.missing:,} of {counted(steps.transitions + steps.missing, 'known transition')}"

    @property
    def words(self) -> str:
        steps = self.steps
        if steps.died:
            return f"{self.family.name}: it died in call {steps.calls:,}, in one of {counted(len(steps.left), 'state')}"
        said = f"{self.family.name}: {counted(len(steps.left), 'state')}, "
        said += f"{counted(steps.transitions + steps.missing, 'transition')}: "
        said += f"{steps.transitions:,} taken in {counted(steps.calls, 'call')}"
        if self.starts > 1:
            said += f" from {self.starts:,} starts"
        said += f", {steps.missing:,} never taken" if steps.missing else ", none left"
        if steps.missing:
            state, call = next(self.never_taken)
            said += f" (for example {_called(call)}, with {self.family.words(state)})"
        if steps.unmade:
            said += f" ({steps.unmade:,} more are misuse, which it does not say that it refuses)"
        return said

    @property
    def document(self) -> dict[str, Any]:
        steps = self.steps
        return {
            "name": self.family.name,
            "states": len(steps.left),
            "transitions": steps.transitions + steps.missing,
            "taken": steps.transitions,
            "never_taken": steps.missing,
            "never_taken_calls": [
                {"state": self.family.words(state), "call": _called(call)}
                for state, call in islice(self.never_taken, MOST_NAMED)
            ],
            "misuse_not_made": steps.unmade,
            "calls": steps.calls,
            "starts": self.starts,
        }


def _called(call: Call) -> str:
    """A call for people; of processes and blocks it names places, since a target numbers them as it likes."""
    said = ((key, f"{value:#x}" if type(value) is int else escaped(str(value))) for key, value in call.arguments)
    named = [f"{key}={value}" for key, value in said]
    places = [f"{what} {place}" for what, place in (("process", call.process), ("block", call.block)) if place]
    return " ".join([call.operation, *named, *(f"({place})" for place in places)])


class Cover:
    """One run of `drive --cover`. most, seconds: how many calls it makes, and for how long, at the most."""

    def __init__(self, plan: Plan, geometry: Geometry, misuse: bool, most: int, seconds: float | None) -> None:
        self.check = plan.check
        self.plan, self.geometry, self.misuse = replace(plan, check=self.checked), geometry, misuse
        self.at_end: Callable[[], None] = lambda: None
        self.most, self.end = most, None if seconds is None else time.monotonic() + seconds
        self.coverings: list[Covering] = []
        self.unbegun: Sequence[Family] = ()
        self.too_large: Sequence[str] = ()

    def found(self, keep_going: bool = False) -> Trial:
        """The first run in which something diverges, or the last one. Raises InputError if nothing is small enough.

        keep_going: after a divergence with what else is covered; then it is the last run.
        """
        asks, refusing = self.operations()
        refuses = misusable(refusing, self.geometry) if self.misuse else frozenset[str]()
        what = covered(asks, self.geometry, *self.frames_at_start())
        self.too_large = what.too_large
        if not what.families:
            why = "; ".join(what.too_large) or "it has no operation of which states are covered"
            raise InputError(self.plan.name, None, f"nothing is small enough to be covered: {why}")
        for begun, family in enumerate(what.families, 1):
            self.unbegun = what.families[begun:]
            if (self.cover(family, refuses).is_over and not keep_going) or not self.is_left():
                break
        *others, last = (trial for each in self.coverings for trial in each.trials)
        for trial in others:
            last.add(trial)
        last.result.cut = self.cut
        return last

    @property
    def cut(self) -> str:
        """What was not walked since no calls, time or starts were left; nothing if that is nothing."""
        left = [f"of {each.family.name} {each.left_in_words}" for each in self.coverings if each.is_cut]
        left += [f"{each.name} not begun" for each in self.unbegun]
        return f"not all was walked: {', '.join(left)}" if left else ""

    def checked(self, lines: Iterator[bytes], begun: Begun = unwatched) -> TraceResult:
        found = self.check(lines, begun)
        self.at_end()
        return found

    @property
    def calls(self) -> int:
        return sum(each.steps.calls for each in self.coverings)

    @property
    def said(self) -> str:
        """What was covered, a line for each family, and what was not."""
        lines = [each.words for each in self.coverings]
        return "\n".join([*lines, *(f"not covered: {each}" for each in self.too_large)])

    @property
    def document(self) -> dict[str, Any]:
        return {
            "families": [each.document for each in self.coverings],
            "not_begun": [each.name for each in self.unbegun],
            "not_covered": [*self.too_large],
            "complete": not self.cut,
        }

    def is_left(self) -> bool:
        return self.calls < self.most and (self.end is None or time.monotonic() < self.end)

    def operations(self) -> tuple[Asks, frozenset[str]]:
        """Which the target has, with the arguments of each, and which of them can say that they refuse."""
        with closing(Told()) as told:
            run_once(self.plan, lambda target: Idle(target, told))
            found = told.read()
        if found is None:
            raise InputError(self.plan.name, None, "it does not say which operations it has")
        asks, refusing = found
        return asks, refusing

    def frames_at_start(self) -> tuple[int, Sequence[Stretch]]:
        """How many frames are free once the target was started, and the first stretches that are not there then."""
        header, *events = self.plan.head
        replay = Replay(Rules(self.geometry, private_frames=bool(header.get("private_frames"))), TRACE)
        for _ in replay.divergences(map(msgspec.json.encode, events)):
            pass
        runs, reach = FrameRuns(replay.rules, replay.frames), self.geometry.frames
        found: list[Stretch] = []
        end: int | None = 0
        while end is not None and (first := runs.missing(end, reach)) < reach and len(found) < MOST_REACHED:
            end = runs.existing(first, reach)
            found.append((first, reach if end is None else end))
        return replay.frames.free_frames, found

    def cover(self, family: Family, refuses: frozenset[str]) -> Covering:
        """Starts the target until no call is left, or none can be reached, or something diverges."""
        covering = Covering(family)
        self.coverings.append(covering)
        with closing(Told()) as told:
            for covering.starts in range(1, MOST_STARTS + 1):
                before = covering.steps.transitions
                trial = run_once(self.plan, partial(self.walk, covering, refuses, told))
                found = told.read()
                covering.steps = self.retraced(family, trial.lines) if found is None else found
                covering.trials.append(trial)
                steps = covering.steps
                if covering.is_over:
                    break
                if found is None:
                    covering.is_cut = True
                    break
                if not self.is_left():
                    covering.is_cut = bool(steps.missing or not steps.left)
                    break
                if not steps.missing or steps.transitions == before:
                    break
            else:
                covering.is_cut = True
        return covering

    def walk(self, covering: Covering, refuses: frozenset[str], told: Told, target: Target) -> Walk:
        """What a child does with a target; at its end it tells its parent where it has been."""
        most = self.most - self.calls + covering.steps.calls
        walk = Walk(covering.family, covering.steps, refuses, most, self.end)
        self.at_end = lambda: told.write(walk.steps)
        return walk

    def shortcuts(self, family: Family, lines: Sequence[bytes]) -> Iterator[list[bytes]]:
        """Shorter traces than one of a family that failed, that may fail: its last call, after calls to its state.

        First those that lead there at once, as far as they do there what they did; then those that led there, of which
        more may be needed, from the last time on that nothing was in use.
        """
        events = lines[len(self.plan.head) :]
        start = end = family.state(family.start)
        led: dict[State, dict[State, bytes]] = {}
        taken: list[bytes] = []
        for line, before, end in _states(family, events[:-1]):
            if end != before:
                led.setdefault(before, {})[end] = line
                taken = [] if end == start else [*taken, line]
        reached: dict[State, list[bytes]] = {start: []}
        queue = deque([start])
        while queue and end not in reached:
            here = queue.popleft()
            for there, line in led.get(here, {}).items():
                if there not in reached:
                    reached[there] = [*reached[here], line]
                    queue.append(there)
        yield [*reached.get(end, []), *events[-1:]]
        yield [*taken, *events[-1:]]

    def retraced(self, family: Family, lines: Sequence[bytes]) -> Steps:
        """What a child walked through that did not live to tell."""
        steps = Steps(died=True)
        for line, before, end in _states(family, lines[len(self.plan.head) :]):
            steps.taken.setdefault(before, {})[Call("", (("line", line),))] = end
            steps.left[before] = steps.left[end] = {}
            steps.calls += 1
        return steps


def _states(family: Family, events: Sequence[bytes]) -> Iterator[tuple[bytes, State, State]]:
    """Each event, with the states before it and after it."""
    now = family.start
    before = family.state(now)
    for line in events:
        event = json.loads(line)
        if "crash" not in event:
            answer = Answer(event.pop("result", None), event.pop("error", None))
            now = left_by(family, now, event.pop("op"), event, answer)
        end = family.state(now)
        yield line, before, end
        before = end


class Idle:
    """Asks nothing of a target: it tells what may be asked."""

    def __init__(self, target: Target, told: Told) -> None:
        told.write(({name: frozenset(keys) for name, keys in target.operations.items()}, frozenset(target.refusing)))

    def judged_by(self, replay: Replay) -> None:
        """There is nothing to judge."""

    def wishes(self) -> Iterator[Wish]:
        return iter(())

    def learn(self, operation: str, arguments: Any, answer: Answer) -> None:
        raise AssertionError("nothing was asked")
