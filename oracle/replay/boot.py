"""Replays `boot`: the memory map by which frames exist."""

from __future__ import annotations

from memoracle.diagnostics.divergence import REFUSAL, Finding, wrongly_failed
from memoracle.diagnostics.levels import Handlers, Misuses, Rules
from memoracle.replay.frames.frames import FrameReplay
from memoracle.spec import boot as law
from memoracle.spec.clauses import Clause
from memoracle.trace import events


class BootReplay:
    """The start of one trace's machine."""

    def __init__(self, rules: Rules, frames: FrameReplay) -> None:
        self.rules = rules
        self.frames = frames

    def handlers(self) -> Handlers:
        """What replays each of these operations."""
        return {events.Boot: self.boot}

    def misuses(self) -> Misuses:
        """What of the law each of these operations breaks as it was called."""
        return {events.Boot: self.violated_by_boot}

    def boot(self, event: events.Boot, line: int) -> Finding | None:
        frames = self.frames
        if not event.succeeded:
            if self.rules.safe:
                return None
            says = "a memory map that comes first is accepted, whatever its records cover"
            return wrongly_failed("boot", event.error, "success", says, frames.totals())
        clause, before = self.violated_by_boot(event, line), frames.totals()
        records, misfit, message = event.records(), self.misfit(event), "the memory map was accepted"
        if misfit is None:
            frames.start(records)
        else:
            start, length, _ = records[misfit]
            message += f", with memory_map[{misfit}], of {length:#x} bytes from {start:#x}"
        if clause is None or self.rules.safe:
            return None
        return Finding(clause.name, clause.says, message, REFUSAL, before, frames.totals())

    def violated_by_boot(self, event: events.Boot, line: int) -> Clause | None:
        first = law.boot_comes_first
        if not first(law.unread(self.rules.geometry.page_shift), line - self.rules.first_event):
            return first
        return None if self.misfit(event) is None else law.record_has_64_bits

    def misfit(self, event: events.Boot) -> int | None:
        """The number of the first record that no memory map may have."""
        state = law.unread(self.rules.geometry.page_shift)
        fits = law.record_has_64_bits
        return next((n for n, each in enumerate(event.records()) if not fits(state, *each)), None)
