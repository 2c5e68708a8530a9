"""Processes that may live although the trace says that they have exited, or that they never were.

Where an operation of such a process succeeds, it is taken to live from then on, until one is refused. What it had when
it exited may be there still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from memoracle.diagnostics.divergence import Finding, of_unknown_process
from memoracle.impl.kernel_half import KernelHalf
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.frames.linked_doubts import WHOLE, handed_out_since
from memoracle.replay.pages.mapped_pages import MappedPages
from memoracle.replay.ranges.address_space import AddressSpace
from memoracle.replay.ranges.process_ranges import AnyRanges
from memoracle.spec.kernel_half import FIRST

MOST_EXITS = 16  # that are remembered


@dataclass
class Exit:
    """A process that exited, by a line, and what it had (see `linked_doubts`).

    frames: those that were freed with it.  pages: by address, the frame that each mapped.  own: its PML4 entries that
    are the implementation's.  is_doubted: whether one of its frames seems not to be free; then it may live.
    """

    process: int
    line: int
    replay: FrameReplay
    frames: list[int]
    pages: dict[int, int]
    entries: Sequence[int]
    own: set[int]
    space: AddressSpace | None
    unknown: int = 0
    is_doubted: bool = False

    def is_in_doubt(self) -> bool:
        return not self.replay.doubts.frames.isdisjoint(self.frames)

    def concerns(self, space: int, page: int) -> bool:
        return (space, page) == (self.process, WHOLE)

    def doubt(self) -> None:
        self.is_doubted = True
        self.replay.doubts.lose(self.frames)


class DoubtedProcesses:
    """supposed: those that are taken to live just because an operation of theirs succeeded.  exits: by process, the
    latest.  told: by process and index, an entry of a PML4 that was read wrongly: what it reads as, and what it holds.
    spread: links what is in doubt to the doubts of other components.
    """

    def __init__(self, tables: KernelHalf, frames: FrameReplay, ranges: AnyRanges, pages: MappedPages) -> None:
        self.tables = tables
        self.frames = frames
        self.ranges = ranges
        self.pages = pages
        self.supposed: set[int] = set()
        self.told: dict[tuple[int, int], tuple[int, int | None]] = {}
        self.exits: dict[int, Exit] = {}
        self.spread: Callable[[int, int], None] = lambda space, page: None
        ranges.of_unknown_process = pages.of_unknown_process = self.of_unknown_process

    def accepted(self) -> Iterator[Exit]:
        """The processes that exited and may live still, the latest first."""
        for exit_ in [*reversed(self.exits.values())]:
            if not exit_.is_doubted and not handed_out_since(self.frames, exit_.frames, exit_.line):
                yield exit_

    def exited(self, exit_: Exit) -> None:
        """A process exited."""
        self.exits.pop(exit_.process, None)
        self.exits[exit_.process] = exit_
        if len(self.exits) > MOST_EXITS:
            del self.exits[next(iter(self.exits))]

    def created(self, process: int) -> None:
        """A process was created, so that it did not live."""
        self.exits.pop(process, None)
        self.supposed.discard(process)

    def of_unknown_process(self, process: int, is_question: bool) -> Finding | None:
        """What is found where an operation of a process that does not exist succeeds; it may live from now on.

        A question makes only such a process live that has exited.
        """
        self.spread(process, WHOLE)
        exit_ = self.exits.get(process)
        finding: Finding | None = of_unknown_process(self.tables, process)
        if exit_ is not None and exit_.is_doubted:
            finding = None
        if (exit_ is not None or not is_question) and self.tables.create(process):
            self.supposed.add(process)
            if exit_ is not None:
                del self.exits[process]
                self.revive(exit_)
        return finding

    def exited_again(self, process: int, release: bool) -> bool:
        """A process exited that does not exist: whether it is known to have lived after its last exit."""
        self.spread(process, WHOLE)
        exit_ = self.exits.pop(process, None)
        if exit_ is None:
            return False
        if release:
            self.frames.doubts.add(frame for frame in exit_.pages.values() if frame not in self.pages.paging.uses)
        return exit_.is_doubted

    def revive(self, exit_: Exit) -> None:
        """A process lives that has exited: it may have what it had."""
        process, pages = exit_.process, self.pages
        exit_.doubt()
        pages.lives(process)
        for virtual, frame in exit_.pages.items():
            pages.doubts.was_not_unmapped((process, virtual), frame)
        pages.own.lower[process] = exit_.own
        for index, value in enumerate(exit_.entries[:FIRST]):
            if value:
                self.told[process, index] = value, 0
        space = self.ranges.space(process)
        if space is not None and exit_.space is not None:
            space.may_have(exit_.space)
