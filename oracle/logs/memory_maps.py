"""The memory maps that a text holds: where each begins and ends, of which boot it is, and which of them is meant."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import NamedTuple

from memoracle.impl.boot import USABLE, Record
from memoracle.logs.cleaning import cleaned, continued, without_terminal_codes
from memoracle.logs.cut_text import TextEnd, shape
from memoracle.logs.map_forms.form import SHOWN, Entry, Form, IncompleteError, RecordError
from memoracle.logs.map_forms.linux import Linux, is_firmware
from memoracle.logs.map_forms.proc_iomem import ProcIomem
from memoracle.logs.map_forms.table import FORMS, HINT, NUMBER, WORDS
from memoracle.trace.inputs import InputError
from memoracle.trace.quoting import quoted

MOST_LINES = 3  # that one record may be spread over
LONGEST = 16384  # characters of a line that may be a record's
SHAPE = re.compile(
    r"\[mem 0x[0-9a-f]{16}-|[0-9a-f]{16} [-@] [0-9a-f]{16}|\[[0-9a-f]{16}, [0-9a-f]{16}\]", re.IGNORECASE
)
MOST_SHAPES = 256
LEAST = 3  # records that a map must have before a repetition of its first begins another
PREFIX = re.compile(r".*[\s:\]>]")
STAMP = re.compile(r"^\s*(?:\[\s*\d[\d:./TZ+ -]*\]\s*)+(?:\[\s*\w+\]\s*)?")


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


class Line(NamedTuple):
    """A line's number, counted from 1, and what it says; a line written into another has the other's number."""

    number: int
    text: str


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
    maps = reader.finished()
    if maps:
        names_are_known = maps[-1].form != ProcIomem.name or maps[-1].records[-1].type == USABLE
        warning = source.end.warning(reader.last_line, reader.shapes, names_are_known)
        maps[-1].warnings += [warning] if warning else []
    return maps


class Lookahead:
    """The lines of a text that may concern a map, and those that follow any of them."""

    def __init__(self, path: str, lines: Iterable[bytes]) -> None:
        self.path = path
        self.lines = enumerate(lines, 1)
        self.ahead: deque[tuple[Line, bool]] = deque()
        self.end = TextEnd()

    def __iter__(self) -> Iterator[Line]:
        while self.fill(1):
            line, may_concern = self.ahead.popleft()
            if may_concern:
                yield self.without_soft_breaks(line)

    def without_soft_breaks(self, line: Line) -> Line:
        """A line of quoted-printable text, with the next ones as far as it goes on in them."""
        for _ in range(MOST_LINES):
            said = continued(line.text)
            if said is None or not self.fill(1):
                break
            line = Line(line.number, said + " ".join(cleaned(self.ahead.popleft()[0].text.encode())))
        return line

    def fill(self, count: int) -> bool:
        """Reads on until so many lines are ahead, if the text has them; empty lines are left out."""
        while len(self.ahead) < count:
            numbered = next(self.lines, None)
            if numbered is None:
                return False
            number, line = numbered
            self.end.see(number, line)
            if may_concern_maps(line):
                for part in cleaned(line):
                    if len(part) <= LONGEST:
                        self.ahead.append((Line(number, part), HINT.search(part) is not None))
                    elif SHAPE.search(part):
                        raise InputError(self.path, number, f"a line of {len(part):,} characters has a record in it")
            elif line.strip() and len(line) <= LONGEST:
                self.ahead.append((Line(number, line.decode("utf-8", "replace")), False))
        return True

    def following(self, line: str, count: int) -> list[str]:
        """The next lines, without what stands around them, and before the line as well."""
        self.fill(count)
        texts = [" ".join(cleaned(next_line.text.encode())) for next_line, _ in list(self.ahead)[:count]]
        return [STAMP.sub("", text[common_prefix(line, text) :]).strip() for text in texts]

    def skip(self, count: int) -> None:
        for _ in range(count):
            self.ahead.popleft()


class MapReader:
    """Puts the records of a text together to maps."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.forms = [form() for form in FORMS]
        self.maps: list[MemoryMap] = []
        self.source = ""
        self.last_line = 0  # of a record
        self.shapes: set[str] = set()  # of lines with records
        self.headed = False  # whether a heading stands before the map that is read
        self.ended = True  # whether the next record begins another map
        self.ascending = True  # whether the records of the map go upwards
        self.boot = self.stage = 0
        self.labels: set[str] = set()  # of the maps of this boot

    def take(self, line: Line, following: Lookahead) -> None:
        """Reads one line, and those after it which complete it; raises InputError."""
        for form in self.forms:
            if form.heading is not None and form.heading.search(line.text):
                self.ended = self.headed = True
            try:
                entries = self.entries(form, line, following)
            except RecordError as fault:
                words = f"{form.called(line.text)} record: {fault}: {quoted(line.text.strip(), SHOWN)}"
                raise InputError(self.path, line.number, words) from None
            for entry in entries:
                self.add(form, entry, line)
            if entries:
                return

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
            if len(texts) <= count:
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

    def add(self, form: Form, entry: Entry, line: Line) -> None:
        """Adds a record to the map that it belongs to."""
        if self.begins(entry):
            self.begin(form, entry, line)
        else:
            self.ascending &= self.maps[-1].records[-1].start <= entry.record.start
        self.maps[-1].records.append(entry.record)
        self.last_line = line.number
        if len(self.shapes) < MOST_SHAPES:
            self.shapes.add(shape(line.text))
        if entry.warning:
            self.maps[-1].warnings.append(f"line {line.number}: {entry.warning}")

    def begins(self, entry: Entry) -> bool:
        """Whether a record is the first of another map.

        Where no heading says so, it is if it lies where the map before it began: maps are printed from the lowest
        address on. A record may be printed twice.
        """
        if self.ended or self.maps[-1].label != entry.label or self.source != entry.source:
            return True
        if entry.first is not None:
            return entry.first
        records, record = self.maps[-1].records, entry.record
        if record == records[-1] or not record.length:
            return False
        if record == records[0]:
            return len(records) >= LEAST or not self.headed
        return not self.headed and self.ascending and len(records) > 1 and record.start <= records[0].start

    def begin(self, form: Form, entry: Entry, line: Line) -> None:
        """Begins a map. Each stage of a boot prints its maps after the stages before; else it is another boot."""
        reached = stage(form, entry.label)
        if not self.maps or entry.source != self.source or entry.label in self.labels or reached < self.stage:
            self.boot += 1
            self.labels.clear()
        self.labels.add(entry.label)
        self.headed, self.ended, self.ascending = self.headed and self.ended, False, True
        self.source, self.stage = entry.source, reached
        self.maps.append(MemoryMap(entry.label, [], form.name, line.number, self.boot))

    def finished(self) -> list[MemoryMap]:
        """All maps, once the text is read; raises InputError."""
        for form in self.forms:
            if missing := form.unfinished():
                raise InputError(self.path, missing[0], f"{form.name} record: {missing[1]}")
        forms = {form.name: form for form in self.forms}
        for found in self.maps:
            found.flaw = forms[found.form].flaw(found.records)
        return self.maps


def may_concern_maps(line: bytes) -> bool:
    """Whether a line may have to do with a memory map: a quick look at it, and then a closer one.

    A label at its end may have its record in the next line.
    """
    text = line.lower()
    if not (any(word in text for word in WORDS) or NUMBER.search(text) or text.rstrip().endswith(b":")):
        return False
    return HINT.search(without_terminal_codes(line.decode("utf-8", "replace"))) is not None


def common_prefix(line: str, other: str) -> int:
    """How many characters two lines have in common before the record of the first: a time, a host, a file."""
    record = HINT.search(line)
    pairs = zip(line[: record.start() if record else 0], other, strict=False)
    alike = takewhile(lambda pair: pair[0] == pair[1] or all(map(str.isdigit, pair)), pairs)
    found = PREFIX.match(other[: sum(1 for _ in alike)])
    return found.end() if found else 0


def stage(form: Form, label: str) -> int:
    """At which stage of a boot a map is printed; what Linux makes of the firmware's map comes after that."""
    return form.stage + (form.name == Linux.name and not is_firmware(label))
