"""The memory maps that a text holds: where each begins and ends, of which boot it is, and which of them is meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

from memoracle.impl.boot import USABLE, Record
from memoracle.logs.cleaning import cleaned
from memoracle.logs.cut_text import shape
from memoracle.logs.damaged import Resemblance
from memoracle.logs.lookahead import (
    LONGEST,
    MOST_LINES,
    Line,
    Lookahead,
    common_prefix,
    may_concern_maps,
    without_stamp,
)
from memoracle.logs.map_forms.form import SHOWN, Entry, Form, IncompleteError, RecordError, whole_number
from memoracle.logs.map_forms.linux import Linux, is_firmware
from memoracle.logs.map_forms.proc_iomem import ProcIomem
from memoracle.logs.map_forms.table import FORMS
from memoracle.logs.numbering import Numbering, Stated
from memoracle.trace.inputs import InputError
from memoracle.trace.quoting import quoted

MOST_SHAPES = 256
NEAR = 10  # lines after a record: within so many, a line may be a damaged record of its map


@dataclass
class MemoryMap:
    """The records of one map, in the order of their lines.

    label: what the text calls it.  form: how it is printed.  line: of its first record.  boot: which
    boot of the text it belongs to, counted from 1.  warnings: what had to be assumed to read it.  flaw: why it
    cannot be believed, if so.
    """

    label: str
    records: list[Record] = field(default_factory=list)
    form: str = ""
    line: int = 1
    boot: int = 1
    warnings: list[str] = field(default_factory=list)
    flaw: str | None = None

    @property
    def name(self) -> str:
        """By which options and reports call it."""
        return self.label.lower()


NO_MAP = MemoryMap("")


def holds_maps(lines: Iterable[bytes]) -> bool:
    """Whether a record stands in these lines, or a heading of a map."""
    forms = [form() for form in FORMS]
    for number, line in enumerate(lines, 1):
        if b"Linux version " in line:
            return True
        for text in cleaned(line) if may_concern_maps(line) else []:
            for form in forms if len(text) <= LONGEST else []:
                if (form.heading is not None and form.heading.search(text)) or _looks_like(form, text, number):
                    return True
    return False


def _looks_like(form: Form, text: str, number: int) -> bool:
    try:
        return bool(form.read(text, number))
    except IncompleteError as cut:
        return cut.certain
    except RecordError:
        return True


def read_maps(path: str, lines: Iterable[bytes]) -> list[MemoryMap]:
    """Every map of a text, in the order of the text.

    path is for messages. Raises InputError for a record that cannot be read.
    """
    reader = MapReader(path)
    source = Lookahead(path, lines)
    for line in source:
        reader.take(line, source)
    suspect = reader.suspect.number if reader.suspect else 0
    if source.end.is_open and suspect == source.end.number:
        reader.suspect = None
    maps = reader.finished()
    if maps:
        names_are_known = maps[-1].form != ProcIomem.name or maps[-1].records[-1].type == USABLE
        warning = source.end.warning(reader.last_line, reader.shapes, names_are_known, suspect)
        maps[-1].warnings += [warning] if warning else []
    return maps


class MapReader:
    """Puts the records of a text together to maps."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.forms = [form() for form in FORMS]
        self.maps: list[MemoryMap] = []
        self.numbering: list[Numbering] = []  # of each map
        self.stated: dict[str, dict[str, Stated]] = {form.name: {} for form in FORMS}  # of maps that are to come
        self.form: Form | None = None  # of the last record
        self.source = ""
        self.last_line = 0  # of a record
        self.last_text = ""
        self.signs = 0  # of other boots, before the last record
        self.shapes: set[str] = set()  # of lines with records
        self.resemblance = Resemblance()
        self.suspect: Line | None = None  # since the last record, a line that looks like a damaged one
        self.headed = False  # whether a heading stands before the map that is read
        self.ended = True  # whether the next record begins another map
        self.ascending = True  # whether the records of the map go upwards
        self.boot = self.stage = 0
        self.labels: set[str] = set()  # of the maps of this boot
        self.logged = False  # whether one of them is in the log of its kernel

    def take(self, line: Line, following: Lookahead) -> None:
        """Reads one line, and those after it which complete it; raises InputError."""
        for form in self.forms if line.concerns else []:
            if form.heading is not None and form.heading.search(line.text):
                self.ended = self.headed = True
            try:
                self.read_count(form, line)
                entries = self.entries(form, line, following)
            except RecordError as fault:
                raise self.refused(form, line, str(fault)) from None
            for entry in entries:
                self.add(form, entry, line, following)
            if form is self.form and form.unfinished():
                self.resemblance.learn(self.without_prefix(line.text))
            if entries:
                following.near = line.number + NEAR
                return
        self.notice(line)

    def refused(self, form: Form, line: Line, why: str) -> InputError:
        words = f"{form.called(line.text)} record: {why}: {quoted(line.text.strip(), SHOWN)}"
        return InputError(self.path, line.number, words)

    def entries(self, form: Form, line: Line, following: Lookahead) -> Sequence[Entry]:
        try:
            return form.read(line.text, line.number)
        except IncompleteError as cut:
            completed = self.completed(form, line, following)
            if completed is not None:
                return completed
            if cut.entry is not None:
                return [cut.entry]
            if cut.certain:
                raise
            return []

    def completed(self, form: Form, line: Line, following: Lookahead) -> Sequence[Entry] | None:
        """The records of a line that goes on in the next one or two; None if it does not."""
        for count in range(1, MOST_LINES):
            texts = [line.text.rstrip(), *following.following(line.text, count)]
            if len(texts) <= count or _begins_record(form, texts[-1], line.number):
                break
            for glue in ("", " "):
                try:
                    entries = form.read(glue.join(texts), line.number)
                except RecordError:
                    continue
                if entries or form.in_parts:
                    following.skip(count)
                    return entries
        return None

    def read_count(self, form: Form, line: Line) -> None:
        """Notes how many records a line says that a list has, of the map that is read or of the next; a list's
        number stands before it.
        """
        found = form.count.search(line.text) if form.count is not None else None
        if found is None:
            return
        part = (found.groupdict().get("part") or "").lower()
        said = Stated(part, whole_number(found["count"], 10), line.number)
        if self.form is form and not self.ended and not self.numbering[-1].read[part]:
            self.numbering[-1].stated[part] = said
        else:
            self.ended |= self.form is form
            self.stated[form.name][part] = said

    def notice(self, line: Line) -> None:
        """Notes a line without a record that looks like a damaged one of the map before it."""
        form = self.form
        if form is None or self.suspect is not None or line.number > self.last_line + NEAR:
            return
        if not self.is_other(form, line) and self.resemblance.is_damaged(self.without_prefix(line.text)):
            self.suspect = line

    def is_other(self, form: Form, line: Line) -> bool:
        """Whether a line is known to be something else."""
        return (form.in_parts and line.concerns) or (
            form.beside is not None and form.beside.search(line.text) is not None
        )

    def without_prefix(self, text: str) -> str:
        """A line without what it has in common with the last record before that begins."""
        return without_stamp(text[common_prefix(self.last_text, text) :])

    def add(self, form: Form, entry: Entry, line: Line, following: Lookahead) -> None:
        """Adds a record to the map that it belongs to; raises InputError if one before it was damaged."""
        before = following.before if following.before.number > self.last_line else None
        if begins := self.begins(form, entry, line):
            self.warn_of_suspect()
            self.begin(form, entry, line)
        else:
            if self.suspect is not None:
                raise self.refused(form, self.suspect, "it is damaged")
            self.ascending &= self.maps[-1].records[-1].start <= entry.record.start
        self.maps[-1].records.append(entry.record)
        self.numbering[-1].add(entry)
        self.form, self.last_line, self.last_text, self.signs = form, line.number, line.text, line.signs
        self.resemblance.learn(self.without_prefix(line.text))
        if begins and before is not None and not self.is_other(form, before):
            self.warn_of(before)
        if len(self.shapes) < MOST_SHAPES:
            self.shapes.add(shape(line.text))
        if entry.warning:
            self.maps[-1].warnings.append(f"line {line.number}: {entry.warning}")

    def warn_of_suspect(self) -> None:
        """Warns of a line right after the last record of a map that looks like a damaged one."""
        line, self.suspect = self.suspect, None
        if line is not None and line.number <= self.last_line + 1:
            self.warn_of(line)

    def warn_of(self, line: Line) -> None:
        """Warns of a line beside a map, if it looks like a damaged record of it."""
        if self.resemblance.is_likely_damaged(self.without_prefix(line.text)):
            self.maps[-1].warnings.append(f"line {line.number}: it looks like a damaged record, and is left out")

    def begins(self, form: Form, entry: Entry, line: Line) -> bool:
        """Whether a record is the first of another map.

        Where no heading says so, it is if it lies where the map before it began: maps are printed from the lowest
        address on. A record may be printed twice on end. What stands below a heading need not go upwards, so there the
        record must have the first one's type.
        """
        if self.ended or self.maps[-1].label != entry.label or self.is_of_other_file(entry):
            return True
        if self.is_of_other_boot(form, line):
            return True
        if entry.first is not None:
            return entry.first
        records, record = self.maps[-1].records, entry.record
        if record == records[-1] or not record.length:
            return False
        if record == records[0]:
            return True
        if not self.ascending or len(records) == 1:
            return False
        if self.headed:
            return (record.start, record.type) == (records[0].start, records[0].type)
        return record.start <= records[0].start

    def is_of_other_file(self, entry: Entry) -> bool:
        """Whether a record is from another file than the last one.

        Of one file a line may have lost the beginning of its name, or all of it.
        """
        one, other = self.source, entry.source
        if not one or not other or one == other:
            return False
        goes_on = self.maps[-1].records[-1].start < entry.record.start
        return not (goes_on and (one.endswith(other) or other.endswith(one)))

    def is_of_other_boot(self, form: Form, line: Line) -> bool:
        """Whether a record in the log of a kernel is from another start of it than the last such map."""
        return self.logged and form.in_kernel_log and line.signs > self.signs

    def begin(self, form: Form, entry: Entry, line: Line) -> None:
        """Begins a map. Each stage of a boot prints its maps after the stages before; else it is another boot."""
        reached = stage(form, entry.label)
        if (
            not self.maps
            or self.is_of_other_file(entry)
            or entry.label in self.labels
            or reached < self.stage
            or self.is_of_other_boot(form, line)
        ):
            self.boot += 1
            self.labels.clear()
            self.logged = False
        self.labels.add(entry.label)
        self.logged |= form.in_kernel_log
        self.headed, self.ended, self.ascending = self.headed and self.ended, False, True
        self.source, self.stage = entry.source, reached
        self.maps.append(MemoryMap(entry.label, [], form.name, line.number, self.boot))
        self.numbering.append(Numbering())
        self.numbering[-1].stated, self.stated[form.name] = self.stated[form.name], {}
        self.resemblance.begin(form.words)

    def finished(self) -> list[MemoryMap]:
        """All maps, once the text is read; raises InputError."""
        for form in self.forms:
            if missing := form.unfinished():
                raise InputError(self.path, missing[0], f"{form.name} record: {missing[1]}")
        self.warn_of_suspect()
        forms = {form.name: form for form in self.forms}
        for found, numbering in zip(self.maps, self.numbering, strict=True):
            found.flaw = forms[found.form].flaw(found.records)
            found.warnings += numbering.warnings()
        return self.maps


def _begins_record(form: Form, text: str, line: int) -> bool:
    """Whether a record of this form begins in a line of its own."""
    try:
        return bool(deepcopy(form).read(text, line))
    except IncompleteError:
        return True
    except RecordError:
        return True


def stage(form: Form, label: str) -> int:
    """At which stage of a boot a map is printed; what Linux makes of the firmware's map comes after that."""
    return form.stage + (form.name == Linux.name and not is_firmware(label))
