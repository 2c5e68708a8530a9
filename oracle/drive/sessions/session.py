"""Calls until an answer is wrong, and then the fewest that show it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from memoracle.console.counted import counted
from memoracle.drive.failures import Failures, is_same_machine, read_kept
from memoracle.drive.nursery import Nursery
from memoracle.drive.requests import Repeated, Request, requests_of
from memoracle.drive.shrinking import shrunk
from memoracle.drive.silence import POLL
from memoracle.drive.trial import MakeSource, Plan, Source, Trial
from memoracle.spec.geometry import Geometry
from memoracle.trace.inputs import InputError

SHRINKING = 6.0  # seconds at the most
PATIENCE = 1.0  # seconds that a call may take while it is shrunk


@dataclass(frozen=True)
class Wanted:
    """What is to be tried. calls, seconds: how many, or for how long.  misuse: whether some must be refused.

    jobs: processes that call at once, each with calls of its own.
    """

    calls: int
    seconds: float | None = None
    misuse: bool = True
    jobs: int = 1


@dataclass(frozen=True)
class Share:
    """What one process is to call. seed: of the choice of calls.  calls: how many."""

    seed: int
    calls: int


@dataclass(frozen=True)
class Fewer:
    """How far calls were shrunk. before, after: how many.  is_cut_short: time was over before all was tried."""

    before: int
    after: int
    is_cut_short: bool

    @property
    def said(self) -> str:
        words = f"shrunk from {counted(self.before, 'call')} to {self.after:,}"
        return f"{words} in the time there was (fewer may do)" if self.is_cut_short else words

    def document(self) -> dict[str, int | bool]:
        return {"from": self.before, "to": self.after, "is_cut_short": self.is_cut_short}


# Has others make the calls of each share; yields its place and what came of it, as they come.
Spread: TypeAlias = Callable[[Sequence[Share]], Generator[tuple[int, Trial], None, None]]


class Session:
    """What `drive` does with one target.

    seed: of the choice of calls; of several processes each has one of its own, from this one on.
    source: makes new calls, of a target, its geometry, a seed, and what is wanted.  calls: that were answered.
    said: what to say at the end.  heed: is handed what is worth knowing meanwhile.
    spread: has others make new calls, if there are any.  fewer: how far what failed last was shrunk, if it was.
    Used in a `with`.
    """

    def __init__(
        self,
        plan: Plan,
        geometry: Geometry,
        failures: Failures,
        seed: int,
        wanted: Wanted,
        source: Callable[..., Source],
        heed: Callable[[str], None],
    ) -> None:
        self.plan, self.geometry, self.failures, self.seed = plan, geometry, failures, seed
        self.wanted, self.source, self.heed = wanted, source, heed
        self.calls = 0
        self.said = ""
        self.spread: Spread | None = None
        self.fewer: Fewer | None = None
        self.nursery = Nursery(plan)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: object, where: TracebackType | None) -> None:
        self.nursery.end()

    def found(self) -> Trial:
        """What failed before and still does, or what fails of new calls, shrunk; or the run in which nothing did."""
        for path, trial in self.kept():
            if trial.is_over:
                return self._shorter(path, trial)
            self.heed(f"{path} does not fail any more")
        return self.tried()

    def _shorter(self, path: Path, trial: Trial) -> Trial:
        """What was kept and fails still, in fewer calls if some are found now: then these are kept in its place."""
        self.said = f"{path} fails still; nothing new was tried"
        self.failures.last = path
        least = self._least(trial) if trial.clause else None
        if least is None or least[1].after >= least[1].before:
            return trial
        self._keep(*least)
        self.failures.leave_last(path)
        return least[0]

    def kept(self) -> Iterator[tuple[Path, Trial]]:
        """What failed before on this machine, run again. Raises InputError."""
        for path, lines in self.failures.kept():
            geometry, requests = read_kept(path, lines)
            if not is_same_machine(geometry, self.geometry):
                self.heed(f"{path} is of another geometry: not tried")
                continue
            yield path, self.nursery.run(partial(Repeated, requests))

    def tried(self) -> Trial:
        """New calls: what fails, shrunk; or the run in which nothing did. Raises InputError."""
        if self.spread is not None:
            return self.shrunk(self._first_elsewhere(self.spread))
        with ExitStack() as stack:
            others = [stack.enter_context(Nursery(self.plan)) for _ in range(self.wanted.jobs - 1)]
            trial = self._first([self.nursery, *others], [self._source(share) for share in self._shares()])
        return self.shrunk(trial)

    def once(self) -> Trial:
        """One run of new calls, which is not shrunk. Raises InputError."""
        return self.nursery.run(self._source(Share(self.seed, self.wanted.calls)))

    def _shares(self) -> list[Share]:
        """What each of the processes is to call."""
        calls, jobs = self.wanted.calls, self.wanted.jobs
        return [Share(self.seed + job, (calls + job) // jobs if calls >= jobs else calls) for job in range(jobs)]

    def _source(self, share: Share) -> MakeSource:
        wanted = self.wanted
        return partial(
            self.source,
            geometry=self.geometry,
            seconds=wanted.seconds,
            misuse=wanted.misuse,
            seed=share.seed,
            calls=share.calls,
        )

    def _first_elsewhere(self, spread: Spread) -> Trial:
        """The same as `_first`, of runs that others make."""
        began, seed, ended = time.monotonic(), self.seed, list[Trial]()
        with closing(spread(self._shares())) as coming:
            for job, trial in coming:
                ended.append(trial)
                if trial.is_over:
                    seed += job
                    break
        return self._told(ended, seed, sum(each.calls for each in ended), began)

    def _first(self, nurseries: Sequence[Nursery], sources: Sequence[MakeSource]) -> Trial:
        """The first run that fails, or the last to end."""
        began = time.monotonic()
        for nursery, source in zip(nurseries, sources, strict=True):
            nursery.begin(source)
        try:
            return self._first_of(nurseries, began)
        except KeyboardInterrupt:
            calls = sum(each.log.progress()[1] for each in nurseries)
            self.heed(f"seed {self.seed}: nothing had failed in {counted(calls, 'call')}")
            raise

    def _first_of(self, nurseries: Sequence[Nursery], began: float) -> Trial:
        running, ended = list(nurseries), list[Trial]()
        seed, over = self.seed, False
        while running and not over:
            for nursery in list(running):
                if nursery.is_over(POLL / len(running)):
                    running.remove(nursery)
                    ended.append(nursery.trial())
                    over = ended[-1].is_over
                    if over:
                        seed += list(nurseries).index(nursery)
                        break
        calls = sum(each.calls for each in ended) + sum(each.log.progress()[1] for each in running)
        for each in running:
            each.end()
        return self._told(ended, seed, calls, began)

    def _told(self, ended: Sequence[Trial], seed: int, calls: int, began: float) -> Trial:
        """The last of the runs that ended, with what the others count if nothing failed; and what is said of all."""
        *others, trial = ended
        self.calls = calls
        for other in others if not trial.is_over else ():
            trial.add(other)
        rate = self.calls / max(time.monotonic() - began, 1e-9)
        self.said = f"seed {seed}: {counted(self.calls, 'call')}, {rate:,.0f} a second"
        return trial

    def shrunk(self, trial: Trial) -> Trial:
        """The shortest run that was found to break the same clause, which is kept; the run itself if it breaks none."""
        if not trial.clause:
            return trial
        try:
            least = self._least(trial)
        except KeyboardInterrupt:
            made, where = counted(trial.calls, "call"), self.failures.keep(trial.lines)
            self.heed(f"seed {self.seed}: {trial.clause} failed, and was being shrunk from {made}: {where}")
            raise
        if least is None:
            where = self.failures.keep(trial.lines)
            self.said += f"\nasked the same again it does not fail: it depends on more than its calls; {where}"
            return trial
        self._keep(*least)
        return least[0]

    def _keep(self, trial: Trial, fewer: Fewer) -> None:
        self.fewer = fewer
        self.said += f"\n{fewer.said}, {self.failures.keep(trial.lines)}"

    def _least(self, trial: Trial) -> tuple[Trial, Fewer] | None:
        """The shortest run that was found to break the same clause; None if the same calls do not break it again."""
        clause, requests = trial.clause, requests_of(trial.lines[len(self.plan.head) :])
        patience = min(PATIENCE, self.plan.patience)
        if (self._again(requests, clause, patience) or self._again(requests, clause)) is None:
            return None
        shrinking = shrunk(requests, lambda some: self._again(some, clause, patience) is not None, SHRINKING)
        least, found = shrinking.kept, self._again(shrinking.kept, clause)
        if found is None:  # a call was slow once, and counted as one that never ends
            least, found = requests, trial
        made = len(least) if self.plan.in_turns else len(found.lines) - len(self.plan.head)
        return found, Fewer(len(requests), made, shrinking.is_cut_short)

    def _again(self, requests: Sequence[Request], clause: str, patience: float | None = None) -> Trial | None:
        """The same asked again, if it breaks the same clause. patience: as of a run."""
        try:
            found = self.nursery.run(partial(Repeated, requests), patience)
        except InputError:  # it did not start in time: whatever is wrong with it, it started before
            return None
        return found if found.clause == clause else None
