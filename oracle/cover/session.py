"""A session of `drive` that covers its target instead of asking at random."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from memoracle.cover.run import Cover
from memoracle.drive.requests import Repeated, requests_of
from memoracle.drive.sessions.session import Session
from memoracle.drive.trial import Trial


class CoverSession(Session):
    """cover: what is covered."""

    cover: Cover

    def tried(self, known: Collection[str] = ()) -> Trial:
        """Every call in every state: what fails, shrunk; or a run in which nothing did."""
        cover = self.cover
        trial = cover.found()
        self.calls, self.said = cover.calls, cover.said
        if not trial.clause or trial.clause in known:
            return trial
        shorter = (self.nursery.run(partial(Repeated, requests_of(lines))) for lines in cover.shortcuts(trial.lines))
        return self.shrunk(next((short for short in shorter if short.clause == trial.clause), trial))
