"""Proofs of page-table entries: `impl/pte.py` does what the law says, for every entry and every processor.

A processor is any number of physical address bits from 32 to 52 and any legal value of IA32_PAT. Entries have no state:
the code runs on unknown values, and its answers are compared with the law's. That the code finds an index of IA32_PAT
as the law says is proved of `pat`, and assumed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from memoracle.impl import pat as pat_code
from memoracle.impl import pte as code
from memoracle.proofs.components import pat
from memoracle.proofs.obligations.law_obligations import short
from memoracle.proofs.obligations.obligation import Claims, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST, Sort
from memoracle.proofs.symbolic.values import record_of
from memoracle.spec import addresses, pte_theorems
from memoracle.spec import pat as pat_law
from memoracle.spec import pte as law
from memoracle.spec.clauses import Clause, Number, Operation, Point, Truth, implies, neg
from memoracle.spec.geometry_keys import PHYSICAL_ADDRESS_BITS
from memoracle.spec.kernel_half import ENTRIES, is_present_where_used

ENTRY, ADDRESS = Sort("entry"), Sort("address")
SORTS = {
    "value": ENTRY,
    "other": ENTRY,
    "address": ADDRESS,
    "physical": ADDRESS,
    "level": Sort("level"),
    "cache": Sort("cache"),
    "index": Sort("index"),
}
LEVELS = range(law.LOWEST_LEVEL, law.ROOT + 1)


def is_a_processor(state: law.Entries) -> Truth:
    """Whether a processor may have so many physical address bits, and this value of IA32_PAT."""
    fewest, most = PHYSICAL_ADDRESS_BITS[0], PHYSICAL_ADDRESS_BITS[-1]
    return (fewest <= state.physical_bits) & (state.physical_bits <= most) & pat.is_legal(state.pat_register)


def any_processor(run: Run) -> law.Entries:
    """Any number of physical address bits, and any legal value of IA32_PAT; indexes are found as the law says."""
    pat.selecting(run, pat_code)
    bits = run.number("physical-bits", PHYSICAL_ADDRESS_BITS[0], PHYSICAL_ADDRESS_BITS[-1])
    register = run.number("register")
    pat.legal(run, register)
    return law.Entries(bits, register)


def any_level(run: Run) -> Number:
    """Any number: each of the four levels on a path of its own, and every other number on one more."""
    level = run.any_number("level")
    return next((each for each in LEVELS if run.call(lambda each=each: bool(level == each))), level)


def one_of_the_levels(run: Run) -> int:
    """Each of the four levels, on a path of its own."""
    upper, even = run.truth("level-is-3-or-4"), run.truth("level-is-even")
    return 1 + 2 * bool(run.call(lambda: bool(upper))) + bool(run.call(lambda: bool(even)))


def any_fields(run: Run) -> code.Fields:
    """Any fields that a caller may ask for, legal or not."""
    allowed = (run.truth(name) for name in ("present", "writable", "user"))
    return record_of(code.Fields, run.any_number("physical"), *allowed, run.truth("leaf"), run.any_number("cache"))


def layout(state: law.Entries) -> code.Layout:
    """The processor as the reference describes it."""
    return record_of(code.Layout, state.physical_bits, state.pat_register)


proved = Claims("paging", SORTS)


def theorem(clause: Clause) -> Obligation:
    """That a clause holds of every entry and every processor."""

    @proved(short(clause), "theorem", clause.says)
    def body(run: Run) -> None:
        state, points = any_processor(run), dict[str, Point](run.point_of_each(clause.points))
        if "level" in points:
            points["level"] = one_of_the_levels(run)
        run.assert_goal(clause.says, clause(state, *points.values()))

    return body


# The code


@proved("encode.refines", "refinement", "the code of encode does what the law allows, and names the lowest index")
def encode_refines(run: Run) -> None:
    state, fields, level = any_processor(run), any_fields(run), any_level(run)
    asked = fields._asdict() | {"level": level}
    value, other = run.call(code.encode, layout(state), fields, level), run.point("value")
    sure = must_succeed(law.encode, state, asked)
    if value is None:
        run.assert_goal("it fails only if the law says so", neg(sure & law.encode.allows(state, **asked)))
        run.assert_goal("so there is no such entry", neg(sure & law.encode.allows(state, **asked, value=other)))
        return
    run.assert_goal("the law allows it", law.encode.allows(state, **asked, value=value))
    run.assert_goal("the law says that what was encoded must succeed", sure)
    index = run.point("index")
    could_be = pat_law.select.allows(
        pat_law.Pat(state.pat_register), kind=fields.cache, low_half=neg(fields.leaf), index=index
    )
    run.assert_goal("no lower index would do", implies(could_be, law.pat_index(value, level) <= index))
    run.assert_goal("the processor stays as it is", law.encode(state, *asked.values(), value) is state)


def must_succeed(operation: Operation, state: law.Entries, values: Mapping[str, Point]) -> Truth:
    """Whether the law requires the operation to succeed if its guard allows it."""
    clause = law.MUST_SUCCEED_IF[operation]
    return clause(state, *(values[point] for point in clause.points))


def is_read(state: law.Entries, fields: code.Fields, value: Number, level: Number) -> Truth:
    """Whether these fields are what the processor reads of an entry."""
    values = fields._asdict() | {"value": value, "level": level}
    same: Truth = True
    for clause in law.READ:
        same = same & clause(state, *(values[point] for point in clause.points))
    return same


@proved("decode.refines", "refinement", "the code of decode answers what the processor reads, or fails as the law says")
def decode_refines(run: Run) -> None:
    state, value, level = any_processor(run), run.any_number("value"), any_level(run)
    fields = run.call(code.decode, layout(state), value, level)
    allowed = law.decode.allows(state, value=value, level=level)
    sure = must_succeed(law.decode, state, {"value": value, "level": level})
    if fields is None:
        run.assert_goal("it fails only if the law says so", neg(allowed & sure))
        return
    for flag in ("present", "writable", "user", "leaf"):
        run.assert_truth(getattr(fields, flag))
    run.assert_goal("the law allows it", allowed)
    run.assert_goal("each field is what the processor reads", is_read(state, fields, value, level))
    run.assert_goal("the law says that what was decoded must succeed", sure)
    run.assert_goal("the processor stays as it is", law.decode(state, value, level) is state)


@proved("encode-then-decode", "theorem", "decoding an entry gives back whatever it was encoded from")
def encode_then_decode(run: Run) -> None:
    state, fields, level = any_processor(run), any_fields(run), any_level(run)
    value = run.call(code.encode, layout(state), fields, level)
    if value is not None:
        fields_read = run.call(code.decode, layout(state), value, level)
        run.assert_goal("it can be decoded", fields_read is not None)
        for name, asked, read in zip(fields._fields, fields, fields_read or (), strict=True):
            run.assert_goal(f"{name} is what was asked for", asked == read)


@proved(
    "decode-then-encode",
    "theorem",
    "encoding what was decoded gives the same entry, if its index is the lowest",
)
def decode_then_encode(run: Run) -> None:
    state, value, level = any_processor(run), run.number("value"), one_of_the_levels(run)
    run.assume(pte_theorems.is_plain(state, value, level))
    fields = run.call(code.decode, layout(state), value, level)
    run.assert_goal("it can be decoded", fields is not None)
    again = run.call(code.encode, layout(state), fields, level)
    run.assert_goal("what was read can be encoded", again is not None)
    if again is not None:
        same = law.pat_index(again, level) == law.pat_index(value, level)
        run.assert_goal("it is the same entry, but for the index", implies(same, again == value))
        run.assert_goal("it has no higher index", law.pat_index(again, level) <= law.pat_index(value, level))


@proved("reserved-bits-are-refused", "theorem", "an entry with a reserved bit set is never encoded, and never decoded")
def reserved_bits_are_refused(run: Run) -> None:
    state, value, level = any_processor(run), run.number("value"), one_of_the_levels(run)
    run.assume(law.has_reserved_bits(state, value, level))
    run.assert_goal("it is refused", run.call(code.decode, layout(state), value, level) is None)
    made = run.call(code.encode, layout(state), any_fields(run), level)
    if made is not None:
        run.assert_goal("it is not what was encoded", made != value)
    allowed = law.decode.allows(state, value=value, level=level)
    run.assert_goal("the law allows it to be decoded only if it is not present", allowed == neg(law.is_present(value)))


@proved("is-leaf.refines", "refinement", "the code answers of every entry whether it is a leaf")
def is_leaf_refines(run: Run) -> None:
    value, level = run.number("value"), one_of_the_levels(run)
    answer = run.call(code.is_leaf, value, level)
    run.assert_truth(answer)
    run.assert_goal("it is one if the processor reads it as one", answer == law.is_leaf(value, level))


@proved("bits.refines", "refinement", "the code's numbers of bits and of entries are the processor's")
def bits_refine(run: Run) -> None:
    names = ("PRESENT", "WRITABLE", "USER", "ACCESSED", "DIRTY", "LARGE", "GLOBAL", "EXECUTE_DISABLE")
    for name in names:
        run.assert_goal(f"{name} is its bit", bool(getattr(code, name) == 1 << getattr(law, name)))
    run.assert_goal("a table has 512 entries", code.ENTRIES == ENTRIES)


@proved("entries-in-use-are-present", "theorem", "an entry that may be read where pages are mapped is present")
def present_where_used(run: Run) -> None:
    value, used = run.point("value"), run.truth("used")
    run.assume(is_present_where_used(None, used, value))
    run.assert_goal("the processor reads it as present", implies(used, law.present_is_read(None, True, value)))


@proved(
    "address-has-64-bits.just-these", "theorem", "an address is refused just if something is left beyond its 64 bits"
)
def address_has_64_bits(run: Run) -> None:
    address = run.fresh("address", -HIGHEST, 2 * HIGHEST)  # of a negative number ones are left
    run.assert_goal("it has as many", addresses.address_has_64_bits(None, address) == (address >> 64 == 0))


def obligations() -> Iterator[Obligation]:
    yield from map(theorem, (*pte_theorems.THEOREMS, *addresses.THEOREMS))
    yield from (encode_refines, decode_refines, encode_then_decode, decode_then_encode, reserved_bits_are_refused)
    yield from (is_leaf_refines, bits_refine, present_where_used, address_has_64_bits)
