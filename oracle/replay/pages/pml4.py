"""Replays `process.*` and `pml4.*` on the reference's top-level tables, and names the clause that broke.

The reference accepts exactly what the law does (that is proved), so as long as it accepts what is recorded, nothing
else is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from memoracle.diagnostics.divergence import REFUSAL, Finding, broken, since, wrongly_failed
from memoracle.diagnostics.levels import Handlers, Misuses, Rules
from memoracle.proofs.abstraction.objects import halves_of
from memoracle.replay.frames.frames import FrameReplay
from memoracle.replay.pages.doubted_processes import DoubtedProcesses, Exit
from memoracle.replay.pages.mapped_pages import MappedPages
from memoracle.replay.pages.private_pml4_entries import Reading
from memoracle.replay.ranges.exhaustion import exhausted, seem_exhausted
from memoracle.replay.ranges.process_ranges import AnyRanges
from memoracle.spec import kernel_half as law
from memoracle.spec.clauses import Clause
from memoracle.trace import events
from memoracle.trace.events import operation_of
from memoracle.trace.numbers import number

EntryEvent: TypeAlias = events.Pml4Write | events.Pml4Read | events.Pml4Dump


class TableReplay:
    """The processes of one trace and their top-level tables.

    born: the line that created each process.  written: by process (0 for the upper half of all) and index, the line
    that last set an entry."""

    def __init__(
        self,
        rules: Rules,
        frames: FrameReplay,
        ranges: AnyRanges,
        pages: MappedPages,
        processes: DoubtedProcesses,
    ) -> None:
        self.rules = rules
        self.safe = rules.safe
        self.tables = processes.tables
        self.processes = processes
        self.frames = frames
        self.ranges = ranges
        self.pages = pages
        self.born: dict[int, int] = {}
        self.written: dict[int, dict[int, int]] = {0: {}}
        self.own = pages.own

    def handlers(self) -> Handlers:
        """What replays each of these operations."""
        return {
            events.ProcessCreate: self.create,
            events.ProcessExit: self.exit,
            events.Pml4Write: self.write,
            events.Pml4Read: self.read,
            events.Pml4Dump: self.dump,
        }

    # process.create and process.exit

    def create(self, event: events.ProcessCreate, line: int) -> Finding | None:
        if event.result is None:
            return self.create_failed(event)
        process = number(event.result)
        self.own.seen.clear()
        self.suppose_no_more(process, line)
        if self.tables.create(process):
            self.processes.created(process)
            self.born[process] = line
            return None
        return self.created_wrongly(process, line)

    def misuses(self) -> Misuses:
        """What of the law each of these operations breaks as it was called."""
        return {
            events.ProcessExit: lambda event, line: law.exit.broken(
                halves_of(self.tables), process=number(event.process)
            ),
            events.Pml4Write: lambda event, line: self.refused(
                number(event.process), number(event.index), number(event.value)
            ),
            events.Pml4Read: lambda event, line: self.refused(number(event.process), number(event.index), 0),
            events.Pml4Dump: lambda event, line: self.refused(number(event.process), 0, 0),
        }

    def create_failed(self, event: events.ProcessCreate) -> Finding | None:
        """A process needs a frame for its table, and kernel range to reach it by."""
        if self.rules.lacking_passes or exhausted(self.frames, self.ranges):
            return None
        state = self.frames.totals() | {"processes": len(self.tables.live)}
        seem_exhausted(self.frames, self.ranges)
        says = "a process is created as long as frames and kernel range are left"
        return wrongly_failed(law.create.name, event.error, "success", says, state)

    def created_wrongly(self, process: int, line: int) -> Finding | None:
        """A number that lives is taken to have exited before, or to have what it had; the kernel's own can't have."""
        state = halves_of(self.tables)
        clause = broken(law.create.broken(state, process=process))
        before = self.around(process)
        message = f"process {process} lives{since(self.born.get(process, 0), 'created by')}"
        if clause is law.process_has_64_bits:
            message = f"{process} is not a process's number"
        elif process in self.tables.live and process != 0:
            entries, doubts = self.tables.tables[process], self.pages.doubts
            seeming = {key: shown for key, shown in doubts.shown.items() if key[0] == process and shown is not None}
            self.tables.exit(process)
            gone = self.forget(process, line, entries)
            self.tables.create(process)
            self.processes.revive(gone)
            for key, shown in seeming.items():
                doubts.shown.setdefault(key, shown)
            self.born[process] = line
        if self.safe:
            return None
        legal = "any number that no live process has"
        return Finding(clause.name, clause.says, message, legal, before, self.around(process))

    def exit(self, event: events.ProcessExit, line: int) -> Finding | None:
        process = number(event.process)
        state = halves_of(self.tables)
        if event.succeeded:
            self.own.seen.clear()
            self.processes.supposed.discard(process)
            entries = self.tables.tables.get(process, ())
            if self.tables.exit(process):
                self.processes.exited(self.forget(process, line, entries, event.release))
                return None
            if self.safe or self.processes.exited_again(process, event.release):
                return None
            clause = broken(law.exit.broken(state, process=process))
            message = "the kernel's own process exited" if process == 0 else f"process {process} does not exist"
            return Finding(clause.name, clause.says, message, REFUSAL, self.around(process), self.around(process))
        if self.safe:
            return None
        return wrongly_failed(law.exit.name, event.error, "success", law.exit.says, self.around(process))

    def forget(self, process: int, line: int, entries: Sequence[int] = (), release: bool = True) -> Exit:
        """What a process had goes with it; entries: its top-level table."""
        own = self.own.lower.get(process, set())
        shown, freed = self.pages.forget(process, line, release)
        space = self.ranges.forget(process)
        self.born.pop(process, None)
        self.written.pop(process, None)
        return Exit(process, line, self.frames, freed, shown, entries, own, space)

    def suppose_no_more(self, process: int, line: int) -> None:
        """The implementation does not know this process, so that the trace was right that it does not live."""
        supposed = self.processes.supposed
        if process in supposed and self.tables.exit(process):
            supposed.discard(process)
            self.forget(process, line, release=False)

    # pml4.write

    def write(self, event: events.Pml4Write, line: int) -> Finding | None:
        process, index, value = number(event.process), number(event.index), number(event.value)
        if event.succeeded:
            self.own.seen.clear()
            if self.tables.write(process, index, value):
                self.written.setdefault(0 if index >= law.FIRST else process, {})[index] = line
                return None
        return self.judge(event, process, index, line, value)

    # pml4.read and pml4.dump

    def read(self, event: events.Pml4Read, line: int) -> Finding | None:
        process, index = number(event.process), number(event.index)
        value = None if event.result is None else number(event.result)
        if value is not None and not self.own.has(process, index) and self.tables.read(process, index) == value:
            if self.processes.told:
                self.processes.told.pop((process, index), None)
            return None
        found = self.judge(event, process, index, line)
        return found if found is not None or value is None else self.compare(process, {index: value}, line)

    def dump(self, event: events.Pml4Dump, line: int) -> Finding | None:
        process = number(event.process)
        values = [number(value) for value in event.result or ()]
        found = self.judge(event, process, 0, line)
        if found is not None or event.result is None or self.safe:
            return found
        whole = law.table_is_whole
        if not whole(halves_of(self.tables), len(values)):
            around, legal = self.around(process), f"{law.ENTRIES} entries"
            return Finding(whole.name, whole.says, f"{len(values)} entries were read", legal, around, around)
        pairs = enumerate(zip(values, self.tables.tables[process], strict=True))
        if self.processes.told:
            for index, (value, due) in enumerate(zip(values, self.tables.tables[process], strict=True)):
                if value == due:
                    self.processes.told.pop((process, index), None)
        doubtful = {index: value for index, (value, due) in pairs if value != due or self.own.has(process, index)}
        return self.compare(process, doubtful, line)

    # What is not simply as the reference has it

    def judge(self, event: EntryEvent, process: int, index: int, line: int, value: int = 0) -> Finding | None:
        """What is wrong with the success of an operation, or its failure."""
        if self.safe:
            return None
        clause = self.refused(process, index, value)
        if not event.succeeded:
            op = operation_of(event)
            says = "an entry of a live process can always be read and written"
            return wrongly_failed(op, event.error, "success", says, self.around(process, index))
        if clause is law.process_lives:
            is_question = isinstance(event, events.QUERIES)
            found = self.processes.of_unknown_process(process, is_question)
            if is_question or process not in self.tables.live:
                return found
            self.handlers()[type(event)](event, line)
            return found
        if clause is None:
            return None
        message = f"index {index}" if clause is law.entry_exists else f"{value:#x}"
        around = self.around(process)
        return Finding(clause.name, clause.says, f"{message} was accepted", REFUSAL, around, around)

    def compare(self, process: int, values: Mapping[int, int], line: int) -> Finding | None:
        """The first of the entries read, by their index, that is not as written, unless it was named before."""
        if self.safe:
            return None
        found = [self.entry_reads(process, index, value, line) for index, value in values.items()]
        return next((finding for finding in found if finding is not None), None)

    def refused(self, process: int, index: int, value: int) -> Clause | None:
        """The first clause that refuses to read or write this; None if it is accepted."""
        state = halves_of(self.tables)
        if not law.process_lives(state, process):
            return law.process_lives
        if not law.entry_exists(state, process, index):
            return law.entry_exists
        return None if law.value_is_an_entry(state, value) else law.value_is_an_entry

    def entry_reads(self, process: int, index: int, value: int, line: int) -> Finding | None:
        """Holds one entry that was read against the one written, unless that was named before."""
        if not law.value_is_an_entry(halves_of(self.tables), value):
            clause, due = law.value_is_an_entry, self.tables.read(process, index)
            message = f"entry {index} of process {process} reads {value:#x}"
        elif index in self.own.upper:
            return self.own_entry_reads(process, index, value, line)
        elif self.own.has(process, index):
            return self.absent(process, index, value)
        else:
            clause, due = law.reads_the_entry, self.tables.read(process, index)
            writer = self.written.get(0 if index >= law.FIRST else process, {}).get(index, 0)
            written = since(writer, "written by")
            message = f"entry {index} of process {process} reads {value:#x}, but holds {due:#x}{written}"
        if value == due:
            return None
        if self.processes.told.get((process, index)) == (value, due):
            return None
        self.processes.told[process, index] = value, due
        state = self.around(process, index)
        return Finding(clause.name, clause.says, message, f"{due:#x}", state, state)

    def own_entry_reads(self, process: int, index: int, value: int, line: int) -> Finding | None:
        """Holds an entry that all processes share, and that may read as any value, against how it read before."""
        reading = Reading(process, value, line)
        first = self.own.seen.setdefault(index, reading)
        clause, differ = law.equal_at_rest, (index, frozenset((first.value, value)))
        if value == first.value or differ in self.own.named:
            return self.absent(process, index, value)
        self.own.named.add(differ)
        message = f"entry {index} differs: it read {first} and reads {reading}"
        state = {"index": index, "read": [first.as_state(), reading.as_state()]}
        return Finding(clause.name, clause.says, message, "the same value in every process", state, state)

    def absent(self, process: int, index: int, value: int) -> Finding | None:
        """What is found where an entry by which pages are mapped reads as one that is not present."""
        clause, used = law.is_present_where_used, self.pages.maps_by(process, index)
        if clause(halves_of(self.tables), used, value):
            return None
        self.pages.doubt_pages_by(process, index)
        message, state = f"entry {index} of process {process} reads {value:#x}, which is not present", {"index": index}
        return Finding(clause.name, clause.says, message, "a value with bit 0 set", state, state)

    def around(self, process: int, index: int | None = None) -> dict[str, Any]:
        """The state around an entry: in this process, and in the master where it is an upper one."""
        told: dict[str, Any] = {"process": process, "lives": process in self.tables.live}
        if process in self.born:
            told["line"] = self.born[process]
        if index is not None:
            told |= {"index": index, "entry": f"{self.tables.tables[process][index]:#x}"}
            if index >= law.FIRST:
                told["master"] = f"{self.tables.master[index - law.FIRST]:#x}"
        return told
