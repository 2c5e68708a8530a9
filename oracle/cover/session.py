"""A session of `drive` that covers its target instead of asking at random."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from memoracle.cover.run import Cover, Covering
from memoracle.drive.requests import Repeated, requests_of
from memoracle.drive.sessions.session import Session
from memoracle.drive.sessions.thorough import Rule, Thorough, first_of
from memoracle.drive.trial import Trial


class CoverSession(Session):
    """cover: what is covered."""

    cover: Cover

    def tried(self) -> Trial:
        """Every call in every state: what fails, shrunk; or a run in which nothing did."""
        cover = self.cover
        cover.found()
        self.calls, self.said = cover.calls, cover.said
        return self.shortened(cover.coverings[-1])

    def all_tried(self, known: Collection[Rule]) -> Thorough:
        """The same of all that is covered, each with what fails there. known: what is not shrunk. Raises InputError."""
        cover, found = self.cover, Thorough()
        found.whole, found.calls = cover.found(keep_going=True), cover.calls
        for covering in cover.coverings:
            trial = covering.trials[-1]
            if trial.result.fault is not None:
                raise trial.result.fault
            rule = first_of(trial)
            found.ended = trial.clause or found.ended
            if rule is not None and rule not in known and rule not in found.broken:
                self.said = cover.said
                found.broken[rule] = self.shortened(covering), self.said
        return found

    def shortened(self, covering: Covering) -> Trial:
        """The last run of it, shrunk if something failed."""
        trial = covering.trials[-1]
        if not trial.clause:
            return trial
        shortcuts = self.cover.shortcuts(covering.family, trial.lines)
        shorter = (self.nursery.run(partial(Repeated, requests_of(lines))) for lines in shortcuts)
        return self.shrunk(next((short for short in shorter if short.clause == trial.clause), trial))
