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
    from memoracle.drive.sessions.thorough import Rule
    from memoracle.drive.trial import Trial


@dataclass
class Outcome:
    """What came of it.

    fault: why there is no verdict, if there is none.  broken: what `drive` says of each rule that broke.
    after: of each that broke only after others had, so that it may be their fault, what was seen.
    coverage: what was put to the test.  ended: what ended the run before all calls were made.
    cut: of a target that was to be covered, what of it was not walked.
    """

    fault: str = ""
    broken: dict[Rule, str] = field(default_factory=dict)
    after: dict[Rule, str] = field(default_factory=dict)
    coverage: Coverage = field(default_factory=Coverage)
    calls: int = 0
    ended: str = ""
    cut: str = ""


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
        from memoracle.commands.drive import Judge, session_of
        from memoracle.cover.session import CoverSession
        from memoracle.drive.sessions.thorough import first_of, thorough

        arguments = self.suite.arguments(self.geometry)
        args = cli.parser(arguments).parse_args(arguments)
        with session_of(args, made_for(self.suite, self.geometry)) as drive:
            for path, trial in drive.kept():
                if trial.result.fault is not None:
                    raise trial.result.fault
                if (rule := first_of(trial)) is not None:
                    outcome.broken.setdefault(rule, report(trial, f"{path} fails still"))
            if isinstance(drive, CoverSession):
                found = drive.all_tried(outcome.broken)
            else:
                found = thorough(drive, Judge(args.level, keep_going=True), outcome.broken)
        for rule, (trial, said) in found.broken.items():
            outcome.broken[rule] = report(trial, said)
        outcome.after, outcome.calls, outcome.ended = found.after, found.calls, found.ended
        if found.whole is not None and found.whole.result.coverage is not None:
            outcome.coverage = found.whole.result.coverage
            outcome.cut = found.whole.result.cut


def report(trial: Trial, said: str) -> str:
    """What `drive` prints."""
    from memoracle.report.drive_report import write_text

    out = io.StringIO()
    write_text(trial.result, trial.lines, said, out, quiet=True)
    return out.getvalue()
