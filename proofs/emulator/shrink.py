"""Shrinks a run on which the reference and an emulated processor disagree, and writes it as a test."""

from __future__ import annotations

from typing import NamedTuple

from memoracle.proofs.emulator.events import LAYOUT, REACH, Call, Event, Probe, Site, Wrong
from memoracle.proofs.emulator.processor import Processor
from memoracle.proofs.emulator.trial import Trial

TRIES = 600

HEADER = """\
from memoracle.impl.bitmap import Bitmap
from memoracle.impl.kernel_half import KernelHalf
from memoracle.impl.paging import Attributes, Leaf, Paging
from memoracle.impl.pte import Layout
from memoracle.proofs.emulator.processor import Access, look
from memoracle.proofs.emulator.trial import give_back


def test_replay() -> None:
"""


class Failed(NamedTuple):
    """How the reference failed.

    frames, own: of the trial.  events: what led there; the last of them shows it, or else the end does.
    """

    site: Site
    frames: tuple[int, ...]
    own: int
    events: list[Event]
    wrong: Wrong


class Replay:
    """Repeats the events of a run, or some of them."""

    def __init__(self, failed: Failed) -> None:
        self.failed = failed
        self.processor = Processor(failed.site.page_shift, failed.site.windows)
        self.frames = failed.frames  # those that are left
        self.tries = 0

    def run(self, events: list[Event]) -> tuple[Trial, int, Wrong] | None:
        """The trial, how many events it took, and what is wrong; None if all agree, to the end."""
        self.tries += 1
        trial = Trial(self.failed.site, self.processor, self.frames, self.failed.own)
        for place, event in enumerate(events):
            wrong = self._happen(trial, event)
            if wrong is not None:
                return trial, place + 1, wrong
        wrong = trial.end()
        return None if wrong is None else (trial, len(events), wrong)

    def _happen(self, trial: Trial, event: Event) -> Wrong | None:
        if isinstance(event, Call):
            return trial.call(event) if trial.possible(event) else None
        wrong = trial.answers(event.process, event.virtual)
        if wrong is not None or event.process not in trial.lower:
            return wrong
        trial.enter(event.process, event.access.user)
        return trial.probe(event) or trial.walked(event)

    def shortest(self) -> list[Event]:
        """Leaves out what it can: frames; half of the events, a quarter of them, and so on down to each one."""
        events = self.failed.events
        calls = [event for event in events[:-1] if isinstance(event, Call)] + events[-1:]
        events = self._with_few_frames(self._shorter(calls) or self._shorter(events) or events)
        size = len(events) // 2
        while size and self.tries < TRIES:
            place, shrunk = 0, False
            while place < len(events) and self.tries < TRIES:
                left = self._shorter(events[:place] + events[place + size :])
                if left is None:
                    place += size
                else:
                    events, shrunk = left, True
            size = size if shrunk and size == 1 else size // 2
        return self._with_few_frames(events)

    def _with_few_frames(self, events: list[Event]) -> list[Event]:
        """As many of the events as fail with as few frames as do: those that are mapped, and some for tables."""
        every, shift = self.frames, self.failed.site.page_shift
        mapped = {event.leaf.physical >> shift for event in events if isinstance(event, Call) and event.leaf}
        for tables in (1, 2, 3, 4, 6, 8, 12, 16, 24):
            others = [frame for frame in every if frame not in mapped]
            self.frames = tuple(sorted({*others[:tables], *mapped.intersection(every)}))
            left = self._shorter(events)
            if left is not None:
                return left
        self.frames = every
        return events

    def _shorter(self, events: list[Event]) -> list[Event] | None:
        """As many of the events as fail; None if they don't."""
        found = self.run(events)
        return None if found is None else events[: found[1]]


def as_test(failed: Failed) -> str:
    """A test that fails as the reference did, as short as was found."""
    replay = Replay(failed)
    events = replay.shortest()
    found = replay.run(events)
    if found is None:
        return f"{failed.wrong.reason}\nIt could not be done again."
    trial, _, wrong = found
    reach, frames = REACH[failed.site.level], ", ".join(map(hex, replay.frames))
    lines = [
        f"bitmap = Bitmap({reach:#x}, [(0, 1)])",
        f"for frame in [{frames}]:",
        "    bitmap.add(frame, frame + 1)",
        f"layout = Layout({LAYOUT.physical_address_bits}, {LAYOUT.pat_register:#018x})",
        f"paging = Paging(bitmap, KernelHalf(), layout, {failed.site.level}, {reach:#x})",
        *trial.lines,
        f"# {wrong.reason}",
        *wrong.lines,
    ]
    looked = sum(isinstance(event, Probe) for event in events[:-1])
    note = f"# The processor looked {looked} times before that, which may be needed.\n" if looked else ""
    return note + HEADER + "".join(f"    {line}\n" for line in lines)
