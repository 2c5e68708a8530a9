"""Frames of page tables, where a trace names them: which it takes for them, and which it gives back.

The replay's own tables (`impl/paging.py`) are as few as can be, so they tell which tables something is mapped by. Those
of a mapping that were not there before it are the lowest on the way to its page; a kernel may have had some of these
already, empty. Which frame has which of them no trace tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from msgspec import UNSET

from memoracle.diagnostics.divergence import REFUSAL, Finding
from memoracle.diagnostics.levels import Handler, Handlers, Rules
from memoracle.impl.paging import TOP
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.pages.mapped_pages import MappedPages
from memoracle.spec import manager, manager_tables
from memoracle.spec.kernel_half import ENTRIES
from memoracle.spec.manager_tables import TakenTogether
from memoracle.spec.paging import HALF
from memoracle.trace import events
from memoracle.trace.numbers import number

ROOT = TOP
Table: TypeAlias = tuple[int, int, int]  # a space, a level, and the first address that it maps


@dataclass
class Taken:
    """What one operation took.  line: its own.  space: of which.  tables: those that its frames are of, as far as is
    known.  left: how many of the frames were not given back.  more: how many frames are of tables that are not known.
    """

    line: int
    space: int
    tables: set[Table]
    left: int
    more: int
    given_back: int = field(default=0)


class NamedTables:
    """The named tables of one trace.  taken: by frame, what it was taken with."""

    def __init__(self, rules: Rules, frames: FrameReplay, pages: MappedPages) -> None:
        self.rules = rules
        self.frames = frames
        self.pages = pages
        self.paging = pages.paging
        self.taken = frames.table_frames
        self.of_table: dict[Table, Taken] = {}

    def with_tables(self, handlers: Handlers) -> Handlers:
        """What replays the operations that may name tables."""
        takes = (events.ProcessCreate, events.PageMap, events.KernelPagesAllocate)
        gives = (events.PageUnmap, events.ProcessExit, events.KernelPagesFree)
        return {
            **{kind: self.taking(handlers[kind]) for kind in takes},
            **{kind: self.giving(handlers[kind]) for kind in gives},
        }

    # Taking

    def taking(self, handler: Handler) -> Handler:
        """What replays an operation that may take frames for tables."""

        def replay(event: Any, line: int) -> Finding | None:
            if event.tables is UNSET or event.error is not UNSET:
                return handler(event, line)
            missing = [] if isinstance(event, events.ProcessCreate) else self.missing(*self.place_of(event))
            found = [self.take(number(address), line, event) for address in event.tables]
            finding = handler(event, line)
            frames = {self.rules.geometry.frame_at(number(address)) for address in event.tables} - {None}
            self.note(event, line, [frame for frame in frames if frame is not None], missing)
            return finding or next((each for each in found if each is not None), None)

        return replay

    def take(self, address: int, line: int, event: object) -> Finding | None:
        """A frame becomes a table's; the reference takes the lowest, but for those of kernel pages, amid their own."""
        if isinstance(event, events.KernelPagesAllocate):
            return self.frames.allocate_this(address, line)
        return self.frames.allocate(events.FrameAllocate(result=address), line)

    def missing(self, space: int, pages: Iterable[int]) -> list[Table]:
        """The tables below the PML4 on the ways to these pages by which nothing is mapped, the lowest first."""
        found: dict[Table, None] = {}
        for page in pages:
            for table in self.way(space, page):
                if not self.is_used(table):
                    found[table] = None
        return sorted(found, key=lambda table: table[1])

    def way(self, space: int, page: int) -> Iterator[Table]:
        """The tables below the PML4 on the way to a page."""
        for level in range(self.rules.geometry.leaf_level, TOP):
            shift = 9 * level + 12
            yield space, level, page >> shift << shift

    def is_used(self, table: Table) -> bool:
        """Whether anything is mapped by a table; by a process's PML4, as long as it lives."""
        space, level, address = table
        if level == ROOT:
            return space in self.pages.tables.live
        return space in self.paging.roots and len(self.paging._tables(space, address)) >= TOP - level

    def note(self, event: Any, line: int, frames: list[int], missing: list[Table]) -> None:
        """These frames were taken for tables, as far as there are as many for the lowest of those missing."""
        tables, are_known = missing, True
        if isinstance(event, events.ProcessCreate):
            space = number(event.result or 0)
            tables = [(space, ROOT, 0)]
        elif isinstance(event, events.PageMap):
            space, tables = self.place_of(event)[0], missing[: len(frames)]
        else:
            space, are_known = 0, len(missing) <= len(frames)
        taken = Taken(line, space, set(tables), len(frames), max(0, len(frames) - len(tables)))
        for table in tables:
            self.was_missing(table, are_known)
        if are_known:
            self.of_table.update(dict.fromkeys(tables, taken))
        for frame in frames:
            self.taken[frame] = taken
            self.frames.kernel_page_frames[frame] = line

    def was_missing(self, table: Table, is_known: bool) -> None:
        """A table that was taken once before has been given back since, or may have been."""
        earlier = self.of_table.get(table)
        if earlier is None:
            return
        if not is_known:
            earlier.more += 1
            return
        del self.of_table[table]
        earlier.tables.discard(table)
        if earlier.given_back:
            earlier.given_back -= 1
        else:
            earlier.more += 1  # what became of its frame is not known

    def place_of(self, event: events.PageMap | events.KernelPagesAllocate) -> tuple[int, list[int]]:
        """The space of an operation, and a page of each table of the lowest level on the ways to its pages."""
        if isinstance(event, events.PageMap):
            virtual = number(event.virtual)
            return number(event.process) if virtual < HALF else 0, [virtual]
        geometry, first = self.rules.geometry, number(event.result or 0)
        reach = geometry.page_size * ENTRIES
        end = first + min(number(event.pages), geometry.frames) * geometry.page_size
        return 0, [first, *range(first // reach * reach + reach, end, reach)]

    # Giving back

    def giving(self, handler: Handler) -> Handler:
        """What replays an operation that may give frames of tables back."""

        def replay(event: Any, line: int) -> Finding | None:
            if event.error is not UNSET or not (self.taken or event.tables is not UNSET):
                return handler(event, line)
            finding = handler(event, line)
            named = [] if event.tables is UNSET else [number(address) for address in event.tables]
            found = [self.give(address, line) for address in named]
            if isinstance(event, events.ProcessExit):
                self.forget(number(event.process), line)
            return finding or next((each for each in found if each is not None), None)

        return replay

    def give(self, address: int, line: int) -> Finding | None:
        """The frame of a table is free."""
        frame, before = self.rules.geometry.frame_at(address), self.frames.around(address)
        if frame is None or frame not in self.taken:
            return self.gave_no_table(address, frame, line)
        taken = self.let_go(frame, line)
        taken.given_back += 1
        empty = sum(not self.is_used(table) for table in taken.tables)
        clause = manager_tables.gives_back_only_empty_tables
        if self.rules.safe or clause(TakenTogether(taken.given_back, empty + taken.more)):
            return None
        taken.given_back -= 1  # it is named, and the next is judged by itself
        used = next(table for table in sorted(taken.tables) if self.is_used(table))
        message = f"frame {frame}, taken for a table by line {taken.line}, was given back, but {self.by(used)}"
        return Finding(clause.name, clause.says, message, REFUSAL, before, self.frames.around(address))

    def by(self, table: Table) -> str:
        """What a table is needed for."""
        space, level, address = table
        if level == ROOT:
            return f"process {space} lives"
        whose = f"process {space}" if space else "the kernel"
        return f"{whose} still maps pages by its table of level {level} from {address:#x}"

    def let_go(self, frame: int, line: int) -> Taken:
        """A frame is no table's any more, and free."""
        taken: Taken = self.taken.pop(frame)
        self.frames.kernel_page_frames.pop(frame, None)
        self.frames.release(frame, line)
        taken.left -= 1
        if not taken.left:
            for table in taken.tables:
                self.of_table.pop(table, None)
        return taken

    def gave_no_table(self, address: int, frame: int | None, line: int) -> Finding | None:
        """A frame was given back that no operation took for a table: perhaps one that did not say so."""
        frames, clause, state = self.frames, manager.holds_a_table, self.frames.around(address)
        if frame is not None and frames.bitmap.is_free(frame) and self.rules.hides_frames:
            return None
        misaligned = frames.misaligned(address)
        number_of = address >> self.rules.geometry.page_shift
        message = (
            frames.describe(address) if misaligned else f"{frames.describe_frame(number_of, '')}, for no page table"
        )
        if frame is not None:
            frames.release(frame, line)
        clause = misaligned or clause
        return Finding(clause.name, clause.says, message, REFUSAL, state, frames.around(address))

    def forget(self, space: int, line: int) -> None:
        """A process is gone, and with it each of its tables, whether or not it was named."""
        for frame in [frame for frame, taken in self.taken.items() if taken.space == space]:
            self.let_go(frame, line)
