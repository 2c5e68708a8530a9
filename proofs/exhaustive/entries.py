"""The page attribute table and page-table entries, exhaustively at small sizes, each answer held to the law.

Nothing here has a state, so each call is tried by itself. The first answer that the law does not give is written out as
a test to paste and run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import product
from typing import Any

from memoracle.impl import pat as pat_code
from memoracle.impl import pte as code
from memoracle.proofs.exhaustive.explore import remark
from memoracle.proofs.obligations.obligation import Computation
from memoracle.proofs.processor_time import SECONDS, limits_of_calls
from memoracle.spec import pat as pat_law
from memoracle.spec import pte as law
from memoracle.spec.clauses import Operation

EVERY_BYTE = "bounded: every byte in each entry by itself, and every value whose entries are all types"
TABLES = "bounded: every pair of bytes in entries 0 and 5, every type in entries 0, 1, 4 and 7, the other entries 0"
ENTRIES = "bounded: levels 0 to 5, addresses on the bounds of pages and past 32, 36 and 52 bits, three registers"
# Physical address bits and IA32_PAT: at reset, as Linux has it, as the presets have it.
LAYOUTS = tuple(map(code.Layout._make, ((32, pat_law.AT_RESET), (36, 0x0407050600070106), (52, 0x0005040600010406))))
PAGE_STARTS = (0, 1 << 12, 3 << 12, 1 << 21, 3 << 30, (1 << 36) - (1 << 12), 1 << 36, 1 << 52, -(1 << 12), 8)
ALLOWED = ((False, False, False), (True, True, False), (True, False, True))  # present, writable, user
FREE_BITS = (law.WRITE_THROUGH, law.CACHE_DISABLE, law.PAT_OF_LOWEST, law.PAT_OF_LARGE)  # of what is encoded
OTHER_BITS = (0, 1 << law.ACCESSED | 1 << law.DIRTY, 1 << law.GLOBAL | 1 << law.EXECUTE_DISABLE, 1 << 64)


@dataclass
class Tally:
    """The result of all calls: the first that failed, as a test, and which operations happened and were refused.

    limit: interrupts a call that does not return.
    """

    limit: Callable[[float], None]
    failure: str | None = None
    happened: set[str] = field(default_factory=set)
    declined: set[str] = field(default_factory=set)

    def note(self, operation: Operation, happened: bool) -> None:
        (self.happened if happened else self.declined).add(operation.name)

    def answer(self, call: Callable[..., object], *arguments: object) -> object:
        """What a call of the reference returns; an exception that it raises, as text."""
        try:
            self.limit(SECONDS)
            return call(*arguments)
        except Exception as raised:
            return f"{type(raised).__name__}: {raised}"
        finally:
            self.limit(0)


def test_of(why: str, module: str, names: str, call: str, due: str) -> str:
    """A call that the law answers otherwise, as a test."""
    text = "".join(f"    {line}\n" for line in remark(why))
    same = "is" if due in ("None", "True", "False") else "=="
    return (
        f"from memoracle.impl.{module} import {names}\n\n\n"
        f"def test_replay() -> None:\n{text}    assert {call} {same} {due}\n"
    )


# The page attribute table


def registers() -> Iterator[int]:
    """Values of the register, whether or not they are legal."""
    yield from (low | high << 40 for low, high in product(range(256), range(256)))
    for kinds in product(pat_law.TYPES, repeat=4):
        yield sum(kind << 8 * index for kind, index in zip(kinds, (0, 1, 4, 7), strict=True))
    yield from (-1, 1 << 64)


@cache
def tables() -> Tally:
    """Every call about the page attribute table. It is made once."""
    with limits_of_calls() as limit:
        return _tables(Tally(limit))


def _tables(outcome: Tally) -> Tally:
    for register in registers():
        state = pat_law.Pat(register)
        legal = bool(pat_law.register_has_64_bits(state)) and all(
            pat_law.entries_are_types(state, index) for index in pat_law.INDEXES
        )
        said = outcome.answer(pat_code.accepts, register)
        if said is not legal:
            why = f"it says {said} of {register:#x}, whose entries are {'' if legal else 'not '}all types"
            outcome.failure = test_of(why, "pat", "accepts", f"accepts({register:#x})", str(legal))
            return outcome
        if legal:
            outcome.failure = _decoded(state, register, outcome) or _selected(state, register, outcome)
        if outcome.failure is not None:
            return outcome
    return outcome


def _decoded(state: pat_law.Pat, register: int, outcome: Tally) -> str | None:
    for index in range(-1, 10):
        exists = pat_law.decode.broken(state, index=index) is None
        outcome.note(pat_law.decode, exists)
        due = pat_law.type_at(register, index) if exists else None
        said = outcome.answer(pat_code.decode, register, index)
        if said != due:
            return test_of(f"it says {said}", "pat", "decode", f"decode({register:#x}, {index})", str(due))
    return None


def _selected(state: pat_law.Pat, register: int, outcome: Tally) -> str | None:
    for kind, low_half in product(range(-1, 9), (False, True)):
        refused = partial(pat_law.select.broken, state, kind=kind, low_half=low_half)
        fit = [each for each in range(-1, 10) if refused(index=each) is None]
        outcome.note(pat_law.select, bool(fit))
        said, due = outcome.answer(pat_code.select, register, kind, low_half), min(fit, default=None)
        if said != due:
            why = f"it says {said}; the law allows {fit or 'only a refusal'}, of which the reference takes the lowest"
            return test_of(why, "pat", "select", f"select({register:#x}, {kind}, {low_half})", str(due))
    return None


# Entries


def encodable(state: law.Entries, fields: code.Fields, level: int) -> list[int]:
    """Every entry that says this, by the law: all that the fields leave open is which of four bits are set."""
    base = fields.physical | fields.present | fields.writable << law.WRITABLE | fields.user << law.USER
    tried = [base ^ sum(each) for each in product(*((0, 1 << number) for number in FREE_BITS))]
    return [v for v in tried if law.encode.broken(state, **fields._asdict(), level=level, value=v) is None]


@cache
def entries() -> Tally:
    """Every call about entries. It is made once."""
    with limits_of_calls() as limit:
        return _entries(Tally(limit))


def _entries(outcome: Tally) -> Tally:
    for layout, level in product(LAYOUTS, range(6)):
        state = law.Entries(*layout)
        outcome.failure = _encoded(state, layout, level, outcome) or _read(state, layout, level, outcome)
        if outcome.failure is not None:
            break
    return outcome


def _encoded(state: law.Entries, layout: code.Layout, level: int, outcome: Tally) -> str | None:
    for physical, allowed, leaf, cache_type in product(PAGE_STARTS, ALLOWED, (False, True), range(8)):
        fields = code.Fields(physical, *allowed, leaf, cache_type)
        fit = encodable(state, fields, level)
        sure = law.MUST_SUCCEED_IF[law.encode](state, leaf, level)
        outcome.note(law.encode, bool(fit))

        def index(value: int) -> Any:
            return law.pat_index(value, level)

        due = min(fit, key=index) if fit and sure else None
        said = outcome.answer(code.encode, layout, fields, level)
        if said != due:
            why = f"it says {_hex(said)}; the law allows {', '.join(map(hex, fit)) or 'only a refusal'}"
            return test_of(why, "pte", "Fields, Layout, encode", f"encode({layout}, {fields}, {level})", _hex(due))
    return None


def values() -> Iterator[int]:
    """Entries, whether or not they are legal."""
    for low, other in product(range(32), OTHER_BITS):
        for address in (0, *(1 << number for number in range(law.LARGE, law.ADDRESS_BITS) if number != law.GLOBAL)):
            yield low | other | address | (address & 1 << 13 and 1 << law.LARGE)
    yield from (-1, -(1 << 64))


def _read(state: law.Entries, layout: code.Layout, level: int, outcome: Tally) -> str | None:
    for value in values():
        allowed = law.decode.broken(state, value=value, level=level) is None
        outcome.note(law.decode, allowed)
        sure = allowed and law.MUST_SUCCEED_IF[law.decode](state, value, level)
        due = _fields(state, value, level) if sure else None
        said = outcome.answer(code.decode, layout, value, level)
        if said != due:
            call = f"decode({layout}, {value:#x}, {level})"
            return test_of(f"it says {said}", "pte", "Fields, Layout, decode", call, str(due))
    return None


def _fields(state: law.Entries, value: int, level: int) -> tuple[object, ...]:
    may = law.is_present(value), law.is_writable(value), law.is_user(value), law.is_leaf(value, level)
    return code.Fields._make((law.address_of(value, level), *may, law.cache_of(state, value, level)))


def _hex(value: object) -> str:
    return hex(value) if isinstance(value, int) else str(value)


# Counts

VALUES_OF_THE_REGISTER = 6**8  # each of its eight entries has one of six types


def values_of_the_register() -> str | None:
    """How many values the processor takes: by the clauses entry by entry, by the reference one value after another."""
    due = VALUES_OF_THE_REGISTER
    by_law = 1
    for index in pat_law.INDEXES:
        alone = [pat_law.entries_are_types(pat_law.Pat(kind << 8 * index), index) for kind in range(256)]
        by_law *= sum(map(bool, alone))
    accepted = 0
    for kinds in product(pat_law.TYPES, repeat=len(pat_law.INDEXES)):
        accepted += pat_code.accepts(int.from_bytes(kinds, "little"))
    if (by_law, accepted) != (due, due):
        return f"{by_law:,} by the clauses and {accepted:,} by the reference, and {due:,} is due"
    return None


# Claims

OUTCOMES: dict[str, tuple[str, Callable[[], Tally], str, tuple[Operation, ...]]] = {
    "pat": ("small-tables", tables, TABLES, pat_law.OPERATIONS),
    "paging": ("small-entries", entries, ENTRIES, law.OPERATIONS),
}


def replay(component: str) -> str | None:
    """The first call that the law answers otherwise, as a test; None if there is none."""
    return OUTCOMES[component][1]().failure if component in OUTCOMES else None


def computations(component: str) -> list[Computation]:
    """The claims that every call answers as the law does, and that each operation happens and is refused in one."""
    if component not in OUTCOMES:
        return []
    name, outcome, scope, operations = OUTCOMES[component]
    claim = "every call answers as the law says, with the lowest index that it allows"
    run = Computation(f"{component}.{name}.run", component, "refinement", claim, lambda: outcome().failure, scope)
    found = [run, *(_happens(component, outcome, scope, operation) for operation in operations)]
    if component == "pat":
        says = f"the processor takes 6^8 = {VALUES_OF_THE_REGISTER:,} values of the register"
        found.append(Computation("pat.count.values", "pat", "theorem", says, values_of_the_register, EVERY_BYTE))
    return found


def _happens(component: str, outcome: Callable[[], Tally], scope: str, operation: Operation) -> Computation:
    def run() -> str | None:
        seen = outcome()
        if operation.name not in seen.happened:
            return f"no call is {operation.name}"
        return None if operation.name in seen.declined else f"{operation.name} is refused in no call"

    claim = f"{operation.name} happens in some call of the reference, and is refused in some"
    name = f"{component}.{operation.name.split('.')[1]}.is-reachable"
    return Computation(name, component, "vacuity", claim, run, scope)
