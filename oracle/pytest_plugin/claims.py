"""The claims of a suite: of each operation that a target has, each rule that the law has for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest

from memoracle.console.counted import counted
from memoracle.diagnostics.divergence import MUST_NOT_CRASH, MUST_SUCCEED, PREFERS
from memoracle.diagnostics.levels import EXACT, LEGAL, SAFE
from memoracle.pytest_plugin.driving import Driving, Outcome
from memoracle.replay.coverage import JUDGED_FOR_SAFETY, KINDS, AtStake, stakes_of
from memoracle.spec.geometry import Geometry
from memoracle.trace.events import operation_of_kind

OTHERS = "other-rules"  # in the place of a clause: those that are seldom broken by this operation


@dataclass(frozen=True)
class Claim:
    """That one rule is kept by one operation. kind: of its events.  clause: or what stands in its place."""

    driving: Driving
    kind: type
    clause: str
    named: frozenset[str]  # the clauses of this operation that have a claim of their own

    @property
    def operation(self) -> str:
        return operation_of_kind(self.kind)

    @property
    def name(self) -> str:
        return f"{self.operation}{'-' if '.' in self.clause else '.'}{self.clause}"

    def judge(self) -> None:
        """Fails with what `drive` says of it; a rule of which there is no verdict is skipped, and not passed."""
        __tracebackhide__ = True
        outcome = self.driving.outcome
        if outcome.fault:
            pytest.fail(outcome.fault, pytrace=False)
        for (operation, clause), report in outcome.broken.items():
            if operation == self.operation and self.is_about(clause):
                pytest.fail(report, pytrace=False)
        for (operation, clause), seen in outcome.after.items():
            if operation == self.operation and self.is_about(clause):
                words = ", ".join(sorted({f"[{each}]" for _, each in outcome.broken}))
                pytest.skip(f"it broke only after {words} had, from which that may follow: {seen}")
        if why := self.untested(outcome):
            ended = f"; the run ended with [{outcome.ended}]" if outcome.ended else ""
            pytest.skip(f"never put to the test in {counted(outcome.calls, 'call')}: {why}{ended}")
        if outcome.cut:
            pytest.skip(f"it holds as far as {counted(outcome.calls, 'call')} go, but {outcome.cut}")

    def is_about(self, clause: str) -> bool:
        if self.clause == OTHERS:
            return clause not in self.named
        return clause in (self.clause, f"{self.operation}.{self.clause}")

    def untested(self, outcome: Outcome) -> str:
        """Why nothing put it to the test; nothing if something did."""
        coverage, operation = outcome.coverage, self.operation
        events, failed = coverage.events[self.kind], coverage.failed[self.kind]
        if not events:
            return f"{operation} was never called"
        stake = coverage.stakes.get(self.kind, AtStake())
        if self.clause in coverage.untested(self.kind):
            is_of_calls = self.clause in {each.name for each in stake.calls}
            return f"no call of {operation} broke it" if is_of_calls else f"no {operation} succeeded"
        any_call = self.clause in (MUST_NOT_CRASH, *clauses_of(stake))
        return "" if any_call or events > failed else f"no {operation} succeeded"


def clauses_of(stake: AtStake) -> list[str]:
    return [*dict.fromkeys(each.name for each in (*stake.calls, *stake.answers))]


def claims(driving: Driving, operations: Iterable[str], geometry: Geometry) -> Iterator[Claim]:
    """Those of the operations that a target has; at level safe clauses only of those that are judged there."""
    level, has, stakes = driving.suite.settings.level, {*operations}, stakes_of(geometry)
    for kind in KINDS:
        operation = operation_of_kind(kind)
        if operation not in has:
            continue
        answers = {SAFE: [], LEGAL: [MUST_SUCCEED], EXACT: [MUST_SUCCEED, PREFERS]}[level]
        is_judged = level != SAFE or kind in JUDGED_FOR_SAFETY
        clauses = clauses_of(stakes.get(kind, AtStake())) if is_judged else []
        rules = [*answers, MUST_NOT_CRASH, *clauses, OTHERS]
        named = frozenset(each if "." in each else f"{operation}.{each}" for each in rules)
        for rule in rules:
            yield Claim(driving, kind, rule, named)
