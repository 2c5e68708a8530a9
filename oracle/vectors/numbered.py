"""Vectors as tables of numbers of 64 bits, for languages in which every call has the same form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from memoracle.cover import entries, heap, pages, ranges
from memoracle.cover.boots import BOOT, KEYS
from memoracle.trace.memory_types import NUMBERS
from memoracle.vectors.vector import NULLABLE, REFUSAL, SUCCESS, Given, Step, Vector, Vectors

LEFT_OUT = {ranges.LIST}  # its answer has no fixed number of numbers
NOT_NAMED = -1
NO_ALIGNMENT = 1  # byte, of a block that names none
EVERYWHERE = (0, (1 << 64) - 1)
FIELDS = ("physical", "present", "writable", "user", "leaf", "cache")  # of the answer of `pte.decode`, in this order
ATTRIBUTES = ("cache", "writable", "user", "executable", "global")  # of the answer of `page.attributes`, likewise
WIDTHS = {entries.READ: len(FIELDS), pages.TRANSLATE: 2, pages.ATTRIBUTES: 1 + len(ATTRIBUTES)}
ANSWERLESS = ("free", "reserve", "exit", "write", "map", "unmap", "get", "put", "delete", "boot")
RECORDS = ("records", "count")  # the arguments of `boot`: where three numbers of each begin, and how many there are
ARGUMENTS = {entries.ENCODE: (*FIELDS, "level"), BOOT: RECORDS, heap.NEW: ("bytes", "alignment")}
ARGUMENTS[heap.RESIZE] = ("address", *ARGUMENTS[heap.NEW])
OF_TYPES: Mapping[str, int] = {str(name): number for name, number in NUMBERS.items()}
KINDS = {None: 0, SUCCESS: 1, REFUSAL: 2}


@dataclass(frozen=True)
class Function:
    """One operation. arguments: their names, in order.  results: how many numbers it answers."""

    operation: str
    arguments: tuple[str, ...]
    results: int

    @property
    def name(self) -> str:
        return f"memoracle_{self.operation.replace('.', '_')}"


@dataclass
class Row:
    """One step. arguments: numbers, and for each the step that it is added to, or NOT_NAMED.

    requires: as in KINDS.  legal: where answers begin, and how many there are; reference: where that of the reference
    begins; NOT_NAMED if there is none.  exactly: as `requires`, of a target that answers as the reference does.
    released: where pairs begin of a step and the bytes that it gave, and how many there are.
    within: the first and the last byte that it may have.  alignment: as a step has it.
    """

    function: int
    arguments: list[tuple[int, int]]
    requires: int
    exactly: int
    legal: tuple[int, int]
    reference: int
    bytes: int
    released: tuple[int, int]
    gives: bool
    within: tuple[int, int]
    alignment: int
    clause: str


@dataclass
class Numbered:
    """functions: by number.  answers: all that rows point to.  vectors: their names and rows."""

    functions: list[Function] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    vectors: list[tuple[str, list[Row]]] = field(default_factory=list)

    def number_of(self, step: Step) -> int:
        named = sorted(step.arguments, key=lambda name: name != "process")  # that comes first, as in a trace
        arguments = ARGUMENTS.get(step.operation, tuple(named))
        results = WIDTHS.get(step.operation, int(_answers(step)))
        function = Function(step.operation, arguments, results)
        if function not in self.functions:
            self.functions.append(function)
        return self.functions.index(function)

    def answer(self, values: Iterable[int]) -> int:
        """Notes answers; where the next ones will stand."""
        self.answers.extend(values)
        return len(self.answers)


def _answers(step: Step) -> bool:
    return step.operation.partition(".")[2] not in ANSWERLESS


def numbered(vectors: Vectors) -> Numbered:
    found = Numbered()
    for vector in vectors.vectors:
        found.vectors.append((vector.name, list(_rows(vector, found))))
    return found


def _rows(vector: Vector, found: Numbered) -> Iterator[Row]:
    places: dict[int, int] = {}
    for place, step in enumerate(vector.steps):
        if step.operation in LEFT_OUT:
            continue
        places[place] = len(places)
        number = found.number_of(step)
        if step.operation == BOOT:
            records = [each[key] for each in step.arguments["memory_map"] for key in KEYS]
            arguments = [(found.answer(records) - len(records), NOT_NAMED), (len(records) // len(KEYS), NOT_NAMED)]
        else:
            named = found.functions[number].arguments
            arguments = [_argument(step.arguments.get(name, NO_ALIGNMENT), places) for name in named]
        legal = [flat for each in step.legal or () for flat in numbers(each, step.operation)]
        width = found.functions[number].results or 1
        at = found.answer(legal) - len(legal)
        refused = step.reference.error is not None
        is_free = refused or step.gives or step.anywhere
        reference = [] if is_free else numbers(step.reference.result, step.operation)
        first = found.answer(reference) - len(reference) if reference else NOT_NAMED
        released = [number for of, size in step.released for number in (places[of], size)]
        begin = found.answer(released) - len(released) if released else 0
        yield Row(
            number,
            arguments,
            KINDS[step.requires],
            KINDS[REFUSAL if refused else SUCCESS],
            (at, len(legal) // width) if legal else (0, 0),
            first,
            step.bytes,
            (begin, len(step.released)),
            step.gives,
            EVERYWHERE if step.within is None else (step.within[0], step.within[1] - 1),
            step.alignment,
            ", ".join(step.clauses),
        )


def _argument(value: Any, places: dict[int, int]) -> tuple[int, int]:
    if isinstance(value, Given):
        return value.added, places[value.step]
    return numbers(value)[0], NOT_NAMED


def numbers(value: Any, operation: str = "") -> Sequence[int]:
    """A value as numbers: a truth is 0 or 1, a memory type its number, an entry its fields.

    operation: whose answer it is; one that may be that there is nothing begins with a truth.
    """
    if operation in NULLABLE:
        if value is None:
            return [0] * WIDTHS[operation]
        return [
            1,
            *([number for name in ATTRIBUTES for number in numbers(value[name])] if type(value) is dict else [value]),
        ]
    if value is None:
        return []
    if isinstance(value, dict):
        return [number for name in FIELDS for number in numbers(value[name])]
    return [OF_TYPES[value] if isinstance(value, str) else int(value)]
