"""Every rule that a target breaks, each by itself: a run goes on after a wrong answer, with the state that it shows."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

from memoracle.console.counted import counted
from memoracle.drive.nursery import Nursery
from memoracle.drive.requests import Repeated, Request, requests_of, without
from memoracle.drive.sessions.session import PATIENCE, Session
from memoracle.drive.shrinking import shortest
from memoracle.drive.trial import Check, Trial

Rule: TypeAlias = tuple[str, str]  # an operation, and the clause of it that broke
MOST_RUNS = 5  # of a target that dies in each
SHRINKING = 3.0  # seconds at the most, of a rule that breaks after others


@dataclass
class Thorough:
    """What came of it.

    broken: by rule, a run that breaks it before any other, and what is to be said of that.
    after: the rules that only broke after others had, from which that may follow; each with what is seen.
    whole: what all runs exercised.  ended: the clause of the death that ended them; nothing if they came to their end.
    """

    broken: dict[Rule, tuple[Trial, str]] = field(default_factory=dict)
    after: dict[Rule, str] = field(default_factory=dict)
    whole: Trial | None = None
    calls: int = 0
    ended: str = ""

    def add(self, trial: Trial) -> None:
        self.calls += trial.calls
        if self.whole is None:
            self.whole = trial
        else:
            self.whole.add(trial)


def rules_of(trial: Trial) -> dict[Rule, int]:
    """What a run breaks, and in which line of its trace it does so first."""
    found: dict[Rule, int] = {}
    for each in trial.result.divergences:
        found.setdefault((each.event["op"], each.finding.clause), each.line)
    return found


def first_of(trial: Trial) -> Rule | None:
    """What it breaks first."""
    return next(iter(rules_of(trial)), None)


def thorough(drive: Session, going_on: Check, known: Collection[Rule]) -> Thorough:
    """New calls, of which all that are wrong are found. Raises InputError.

    going_on: what `check` says of a trace that goes on after a wrong answer.  known: the rules that are not shrunk.
    """
    wanted = drive.wanted
    end = None if wanted.seconds is None else time.monotonic() + wanted.seconds
    with Nursery(replace(drive.plan, check=going_on)) as nursery:
        search = Search(drive, nursery, known)
        found = search.found
        for seed in range(drive.seed, drive.seed + MOST_RUNS):
            search.run(seed, wanted.calls - found.calls, None if end is None else end - time.monotonic())
            if not found.ended or found.calls >= wanted.calls or (end is not None and time.monotonic() > end):
                break
        if found.after and wanted.misuse:
            # They may follow from misuse that was not refused: what holds where there is none is not broken.
            trial = search.run(drive.seed, wanted.calls, wanted.seconds, misuse=False)
            found.after = {rule: seen for rule, seen in found.after.items() if found.ended or rule in rules_of(trial)}
    return found


class Search:
    """Looks for few calls that break one rule before any other.

    nursery: whose runs go on after a wrong answer.  known: the rules that are not looked for.
    """

    def __init__(self, drive: Session, nursery: Nursery, known: Collection[Rule]) -> None:
        self.drive, self.nursery, self.known = drive, nursery, known
        self.found, self.said = Thorough(), ""

    def run(self, seed: int, calls: int, seconds: float | None, misuse: bool | None = None) -> Trial:
        """One run, and what it breaks. misuse: whether there is some; as it is wanted, if it is not said."""
        drive, found = self.drive, self.found
        misuse = drive.wanted.misuse if misuse is None else misuse
        source = partial(drive.source, geometry=drive.geometry, seed=seed, misuse=misuse)
        trial = self.nursery.run(partial(source, calls=calls, seconds=seconds))
        if trial.result.fault is not None:
            raise trial.result.fault
        rate = trial.calls / max(trial.seconds, 1e-9)
        self.said = f"seed {seed}: {counted(trial.calls, 'call')}, {rate:,.0f} a second"
        for rule in rules_of(trial):
            if rule not in self.known and rule not in found.broken:
                self.look(rule, trial)
        found.add(trial)
        died = trial.lines and b',"crash":' in trial.lines[-1] and trial.result.divergences
        found.ended = trial.result.divergences[-1].finding.clause if died else ""
        return trial

    def look(self, rule: Rule, trial: Trial) -> None:
        """rule: that a run breaks."""
        drive, found, lines = self.drive, self.found, trial.lines
        rules, head = rules_of(trial), len(drive.plan.head)
        divergences, line = trial.result.divergences, rules[rule]
        if rule == first_of(trial):
            result = replace(trial.result, divergences=divergences[:1])
            self.note(rule, replace(trial, lines=lines[:line], result=result))
            return
        requests = requests_of(lines[head:line])
        wrong = {each.line - head - 1 for each in divergences if each.line < line}
        again = drive.nursery.run(partial(Repeated, without(requests, wrong)))
        if first_of(again) != rule:
            again = drive.nursery.run(partial(Repeated, self.least(rule, requests)))
        if first_of(again) == rule:
            self.note(rule, again)
            return
        seen = next(each.finding.message for each in divergences if each.line == line)
        found.after.setdefault(rule, seen)

    def note(self, rule: Rule, trial: Trial) -> None:
        """Shrinks a run that breaks this rule before any other."""
        self.drive.said = self.said
        self.found.broken[rule] = self.drive.shrunk(trial), self.drive.said
        self.found.after.pop(rule, None)

    def least(self, rule: Rule, requests: Sequence[Request]) -> list[Request]:
        """The fewest calls that break it at all."""
        patience = min(PATIENCE, self.drive.plan.patience)

        def breaks(some: Sequence[Request]) -> bool:
            return rule in rules_of(self.nursery.run(partial(Repeated, some), patience))

        return shortest(requests, breaks, SHRINKING)
