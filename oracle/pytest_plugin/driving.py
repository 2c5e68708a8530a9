"""One target driven on one machine: once for all tests that are about it."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from memoracle.console.output import OutputError
from memoracle.pytest_plugin.settings import Suite
from memoracle.pytest_plugin.targets import made_for
from memoracle.replay.coverage import Coverage
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace.inputs import InputError

if TYPE_CHECKING:
    from memoracle.drive.trial import Trial

Rule = tuple[str, str]  # an operation, and the clause of it that broke


@dataclass
class Outcome:
    """What came of it.

    fault: why there is no verdict, if there is none.  broken: what `drive` says of each rule that broke.
    coverage: what was put to the test.  ended: what ended the run before all calls were made.
    """

    fault: str = ""
    broken: dict[Rule, str] = field(default_factory=dict)
    coverage: Coverage = field(default_factory=Coverage)
    calls: int = 0
    ended: str = ""


class Driving:
    """Driven when the first test asks what came of it. geometry: of Suite.geometries, or None: the target's own."""

    def __init__(self, suite: Suite, geometry: str | None) -> None:
        self.suite, self.geometry = suite, geometry

    @cached_property
    def outcome(self) -> Outcome:
        outcome = Outcome()
        with warnings.catch_warnings():
            # Of forks beside threads, such as pytest-xdist has: the child uses none of what they lock. Of files without
            # a name: they are closed as their traces go.
            for category in (DeprecationWarning, ResourceWarning):
                warnings.simplefilter("ignore", category)
            try:
                self.drive(outcome)
            except (InputError, GeometryError, OutputError) as fault:
                outcome.fault = str(fault)
        return outcome

    def drive(self, outcome: Outcome) -> None:
        # These load much that runs do not need in which no test asks.
        from memoracle import cli
        from memoracle.commands.drive import session_of

        args = cli.parser().parse_args(self.suite.arguments(self.geometry))
        with session_of(args, made_for(self.suite, self.geometry)) as drive:
            for path, trial in drive.kept():
                if trial.result.fault is not None:
                    raise trial.result.fault
                if trial.result.divergences:
                    outcome.broken.setdefault(rule_of(trial), report(trial, f"{path} fails still"))
            trial = drive.tried({clause for _, clause in outcome.broken})
        if trial.result.fault is not None:
            raise trial.result.fault
        if trial.result.divergences:
            outcome.ended = trial.clause
            outcome.broken.setdefault(rule_of(trial), report(trial, drive.said))
        outcome.calls = drive.calls
        if drive.whole is not None and drive.whole.result.coverage is not None:
            outcome.coverage = drive.whole.result.coverage


def rule_of(trial: Trial) -> Rule:
    first = trial.result.divergences[0]
    return first.event["op"], first.finding.clause


def report(trial: Trial, said: str) -> str:
    """What `drive` prints."""
    from memoracle.report.drive_report import write_text

    out = io.StringIO()
    write_text(trial.result, trial.lines, said, out, quiet=True)
    return out.getvalue()
