"""What `drive --threads` does with a library: one short run after another, each of it as it is after its start."""

from __future__ import annotations

import time

from memoracle.console.counted import counted
from memoracle.drive.failures import Failures
from memoracle.drive.sessions.threads import Threads, run
from memoracle.drive.trial import Trial


class Threaded:
    """Runs until something fails, so many calls were made, or so much time has gone.

    seed: of the choice of calls.  calls: that were answered.  said: what to say at the end.
    fewer: what threads do is not shrunk.
    """

    fewer = None

    def __init__(
        self, threads: Threads, failures: Failures, seed: int, most: int | None, seconds: float | None
    ) -> None:
        self.threads, self.failures, self.seed = threads, failures, seed
        self.most, self.seconds = most, seconds
        self.calls = 0
        self.said = ""

    def found(self) -> Trial:
        """The run that failed, or one that could not be decided; or the last. Raises InputError."""
        began, runs = time.monotonic(), 0
        undecided: Trial | None = None
        until = None if self.seconds is None else began + self.seconds
        while True:
            recorded = run(self.threads, self.seed + runs, until)
            runs += 1
            self.calls += recorded.calls
            seconds = time.monotonic() - began
            if runs == 1 or recorded.calls:  # the time may end before the first call of a run
                trial = Trial(recorded.result, recorded.lines, self.calls, seconds)
            undecided = undecided or (trial if recorded.result.unknown else None)
            is_over = (self.most is not None and self.calls >= self.most) or (
                self.seconds is not None and seconds >= self.seconds
            )
            if trial.result.divergences or trial.result.fault is not None or is_over:
                break
        made = f"{counted(self.calls, 'call')} of {counted(self.threads.count, 'thread')} in {counted(runs, 'run')}"
        self.said = f"seed {self.seed}: {made}, {self.calls / max(seconds, 1e-9):,.0f} a second"
        if trial.result.divergences:
            self.said += f"\n{self.failures.keep(trial.lines)}"
            return trial
        return undecided or trial
