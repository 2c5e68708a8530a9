"""Holds what an implementation says of the page attribute table and of page-table entries against the law.

None of these operations changes anything, so what each answers is judged by itself, whatever came before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from memoracle.diagnostics import entries as entry_words
from memoracle.diagnostics.divergence import PREFERS, REFUSAL, Finding, wrongly_failed
from memoracle.diagnostics.entries import EntryFields
from memoracle.diagnostics.levels import EXACT, Handlers, Misuses, Rules
from memoracle.impl import pat as pat_code
from memoracle.impl import pte as code
from memoracle.spec import pat as pat_law
from memoracle.spec import pte as law
from memoracle.spec.clauses import Clause
from memoracle.trace import events
from memoracle.trace.memory_types import NUMBERS
from memoracle.trace.numbers import number

EntryQuestion: TypeAlias = (
    events.PatRegister | events.PatSelect | events.PatDecode | events.PteEncode | events.PteDecode
)


class EntryReplay:
    """What is asked of the page attribute table and of entries in one trace."""

    def __init__(self, rules: Rules) -> None:
        geometry = rules.geometry
        self.rules = rules
        self.layout = code.Layout(geometry.physical_address_bits, geometry.pat_register)
        self.table = pat_law.Pat(geometry.pat_register)
        self.processor = law.Entries(geometry.physical_address_bits, geometry.pat_register)
        self.state = {
            "pat_register": f"{geometry.pat_register:#018x}",
            "physical_address_bits": geometry.physical_address_bits,
        }

    def handlers(self) -> Handlers:
        """What replays each of these operations."""
        return {
            events.PatRegister: self.register,
            events.PatSelect: self.select,
            events.PatDecode: self.decode_index,
            events.PteEncode: self.encode,
            events.PteDecode: self.decode,
        }

    def misuses(self) -> Misuses:
        """What of the law each of these questions breaks as it was asked."""
        return {
            events.PatSelect: self.violated_by_select,
            events.PatDecode: lambda event, line: pat_law.decode.broken(self.table, index=number(event.index)),
            events.PteEncode: lambda event, line: law.encode.broken(self.processor, **asked_for(event)._asdict()),
            events.PteDecode: lambda event, line: law.decode.broken(
                self.processor, value=number(event.value), level=number(event.level)
            ),
        }

    def violated_by_select(self, event: events.PatSelect, line: int) -> Clause | None:
        """A type that no index has which may be named."""
        return None if self.indexes(NUMBERS[event.cache], event.low_half) else pat_law.index_has_the_type

    def found(self, clause: Clause, message: str, legal: str) -> Finding:
        return Finding(clause.name, clause.says, message, legal, self.state, self.state)

    def preferred(self, op: str, says: str, message: str, legal: str) -> Finding:
        return Finding(f"{op}.{PREFERS}", says, message, legal, self.state, self.state)

    def failed(self, event: EntryQuestion, legal: str, says: str) -> Finding | None:
        """What is found where an operation fails that must succeed."""
        return wrongly_failed(events.operation_of(event), event.error, legal, says, self.state)

    # The page attribute table

    def register(self, event: events.PatRegister, line: int) -> Finding | None:
        value, due = None if event.result is None else number(event.result), f"{self.layout.pat_register:#018x}"
        if self.rules.safe:
            return None
        if value is None:
            return self.failed(event, due, "the register can always be read")
        clause = pat_law.reads_the_register
        if clause(self.table, value):
            return None
        return self.found(clause, f"{value:#x} was read, but the geometry says {due}", due)

    def select(self, event: events.PatSelect, line: int) -> Finding | None:
        index, kind = None if event.result is None else number(event.result), NUMBERS[event.cache]
        if self.rules.safe:
            return None
        lowest = pat_code.select(self.layout.pat_register, kind, event.low_half)
        if index == lowest:
            return None
        legal = entry_words.any_of(self.due(lowest, self.indexes(kind, event.low_half), str))
        if index is None:
            return self.failed(event, legal, pat_law.select.says)
        clause = pat_law.select.broken(self.table, kind=kind, low_half=event.low_half, index=index)
        if clause is not None:
            return self.found(clause, entry_words.of_index(clause, self.table, event, index), legal)
        if self.rules.level == EXACT and index != lowest:
            message = f"index {index} was selected, but index {lowest} has the type, too, and is lower"
            says = "the reference selects the lowest index"
            return self.preferred(pat_law.select.name, says, message, legal)
        return None

    def due(self, reference: int | None, lawful: Sequence[int], said: Callable[[int], str]) -> list[str]:
        """What may be answered at this level, said so."""
        if self.rules.level == EXACT:
            return [] if reference is None else [said(reference)]
        return [said(each) for each in lawful]

    def indexes(self, kind: int, low_half: bool) -> list[int]:
        """Every index that may be selected."""
        allows = pat_law.select.allows
        return [i for i in pat_law.INDEXES if allows(self.table, kind=kind, low_half=low_half, index=i)]

    def decode_index(self, event: events.PatDecode, line: int) -> Finding | None:
        index = number(event.index)
        if self.rules.safe:
            return None
        due = pat_code.decode(self.layout.pat_register, index)
        if event.result is None:
            says = "each of the eight indexes has a type"
            return None if due is None else self.failed(event, entry_words.kind(due), says)
        if due is None:
            return self.found(pat_law.index_exists, f"index {index} was decoded", REFUSAL)
        clause = pat_law.tells_the_type
        if clause(self.table, index, NUMBERS[event.result]):
            return None
        message = f"index {index} is said to be {event.result}, but it is {entry_words.kind(due)}"
        return self.found(clause, message, entry_words.kind(due))

    # Entries

    def encode(self, event: events.PteEncode, line: int) -> Finding | None:
        asked = asked_for(event)
        value = None if event.result is None else number(event.result)
        if self.rules.safe:
            return None
        due = code.encode(self.layout, code.Fields(*asked[:-1]), asked.level)
        if value == due:
            return None
        legal = entry_words.any_of(self.due(due, self.entries(asked), hex))
        if value is None:
            return self.failed(event, legal, law.encode.says)
        clause = law.encode.broken(self.processor, **asked._asdict(), value=value)
        if clause is not None:
            return self.found(clause, entry_words.of_encoded(clause, self.layout, asked, value), legal)
        return self.not_as_encoded(due, value) if self.rules.level == EXACT else None

    def entries(self, asked: EntryFields) -> list[int]:
        """Every entry that may be encoded: one for each index that has the type."""
        leaf = bool(law.becomes_leaf(asked.leaf, asked.level))
        fields = code.Fields(*asked[:-1])._replace(leaf=leaf)
        layouts = [self.layout._replace(pat_register=entry_words.only(asked.cache, i)) for i in pat_law.INDEXES]
        made = [code.encode(layout, fields, asked.level) for layout in layouts]
        named = self.indexes(asked.cache, not leaf)
        return [value for index, value in enumerate(made) if index in named and value is not None]

    def not_as_encoded(self, due: int | None, value: int) -> Finding:
        """What is found where an entry is legal, but not the reference's."""
        if due is None:
            says = "the reference refuses to encode what is not a leaf at level 1"
            return self.preferred(law.encode.name, says, f"{value:#x} was encoded, which is a leaf", REFUSAL)
        says = "the reference encodes the lowest index that has the memory type"
        message = f"{value:#x} was encoded, but {due:#x} names a lower index of the same type"
        return self.preferred(law.encode.name, says, message, f"{due:#x}")

    def decode(self, event: events.PteDecode, line: int) -> Finding | None:
        value, level, told = number(event.value), number(event.level), event.result
        physical = None if told is None else number(told.physical)
        if self.rules.safe:
            return None
        due = code.decode(self.layout, value, level)
        if told is None or physical is None:
            says = "an entry without a reserved bit can be decoded"
            return None if due is None else self.failed(event, entry_words.said(due), says)
        answer = code.Fields(physical, told.present, told.writable, told.user, told.leaf, NUMBERS[told.cache])
        if answer == due:
            return None
        clause = law.decode.broken(self.processor, value=value, level=level)
        if clause is not None:
            return self.found(clause, entry_words.of_decoded(clause, self.layout, value, level), REFUSAL)
        clause = self.misread(answer, value, level)
        if clause is not None:
            read = entry_words.read(self.processor, value, level)
            message = f"it says that {value:#x} is {entry_words.said(answer)}, but it is {entry_words.said(read)}"
            return self.found(clause, message, entry_words.said(read))
        if self.rules.level == EXACT and due is None:
            says = "the reference refuses a reserved bit, in an entry that is not present, too"
            message = f"{value:#x} was decoded, in which {entry_words.reserved(self.layout, value, level)}"
            return self.preferred(law.decode.name, says, message, REFUSAL)
        return None

    def misread(self, answer: code.Fields, value: int, level: int) -> Clause | None:
        """The first clause about what an entry says that the answer breaks."""
        known: dict[str, Any] = answer._asdict() | {"value": value, "level": level}
        rules = [(clause, [known[point] for point in clause.points]) for clause in law.READ]
        return next((clause for clause, points in rules if not clause(self.processor, *points)), None)


def asked_for(event: events.PteEncode) -> EntryFields:
    """What is to be encoded."""
    return EntryFields(
        physical=number(event.physical),
        present=event.present,
        writable=event.writable,
        user=event.user,
        leaf=event.leaf,
        cache=NUMBERS[event.cache],
        level=number(event.level),
    )
