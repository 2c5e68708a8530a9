"""Proofs of the page attribute table: `impl/pat.py` does what the law says, of every value of the register."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from memoracle.impl import pat as code
from memoracle.proofs.obligations.law_answers import one_answer
from memoracle.proofs.obligations.law_obligations import short
from memoracle.proofs.obligations.obligation import GEOMETRY, Claims, Obligation
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HIGHEST, HypothesisPool, Sort
from memoracle.spec import pat as law
from memoracle.spec.clauses import Clause, Number, Truth, implies, neg

SORTS = {"register": Sort("register"), "kind": Sort("kind"), "index": Sort("index")}


def legality(register: Number) -> list[Truth]:
    """What must be so of a value of the register for the processor to take it."""
    state = law.Pat(register)
    return [law.register_has_64_bits(state), *(law.entries_are_types(state, index) for index in law.INDEXES)]


def is_legal(register: Number) -> Truth:
    """Whether the processor takes this value of the register."""
    found: Truth = True
    for each in legality(register):
        found = found & each
    return found


def legal(run: HypothesisPool, register: Number) -> None:
    """Takes that as given."""
    run.assume(*legality(register))


def any_table(run: HypothesisPool) -> law.Pat:
    """Any value that the processor takes."""
    register = run.number("register")
    legal(run, register)
    return law.Pat(register)


proved = Claims("pat", SORTS)


def theorem(clause: Clause) -> Obligation:
    @proved(short(clause), "theorem", clause.says)
    def body(run: Run) -> None:
        run.assert_goal(clause.says, clause(any_table(run), *run.point_of_each(clause.points).values()))

    return body


@proved("decodes-as-at-reset", "theorem", "the value at reset is WB, WT, UC-, UC and these again, and is accepted")
def decodes_as_at_reset(run: Run) -> None:
    state = law.Pat(law.AT_RESET)
    due = (law.WRITE_BACK, law.WRITE_THROUGH, law.UNCACHED, law.UNCACHEABLE) * 2
    run.assert_goal("the law decodes it so", tuple(law.type_at(law.AT_RESET, index) for index in law.INDEXES) == due)
    run.assert_goal("the code decodes it so", tuple(code.decode(law.AT_RESET, index) for index in law.INDEXES) == due)
    every = all(law.entries_are_types(state, index) for index in law.INDEXES)
    run.assert_goal("it is accepted", every and bool(law.register_has_64_bits(state)) and code.accepts(law.AT_RESET))


# The code


@proved("accepts.refines", "refinement", "the code of accepts takes exactly the values whose entries are all types")
def accepts_refines(run: Run) -> None:
    register: Any = run.any_number("register")  # the code takes an int
    state = law.Pat(register)
    if run.answers(code.accepts, register):
        index = run.point("index")
        run.assert_goal("the register has 64 bits", law.register_has_64_bits(state))
        run.assert_goal("each entry is a type", law.entries_are_types(state, index))
        return
    run.assert_goal("something is wrong with it", neg(is_legal(register)))


@proved("decode.refines", "refinement", "the code of decode tells the type of each of the eight indexes")
def decode_refines(run: Run) -> None:
    state, index = any_table(run), run.any_number("index")
    kind = run.call(code.decode, state.register, index)
    exists = law.decode.allows(state, index=index)
    right = neg(exists) if kind is None else exists & law.tells_the_type(state, index, kind)
    run.assert_goal("it answers what the register holds, if there is such an index", right)
    run.assert_goal("the register stays as it is", law.decode(state, index) is state)


@proved("select.refines", "refinement", "the code of select does what the law allows, and takes the lowest index")
def select_refines(run: Run) -> None:
    state, kind, low_half = any_table(run), run.any_number("kind"), run.truth("low-half")
    index, other = run.call(code.select, state.register, kind, low_half), run.point("index")
    allowed = law.select.allows(state, kind=kind, low_half=low_half, index=other)
    if index is None:
        run.assert_goal("it fails only if no index has the type", neg(allowed))
        run.assert_goal("so none is available", neg(law.is_available(state.register, kind, low_half)))
        return
    run.assert_goal("the law allows it", law.select.allows(state, kind=kind, low_half=low_half, index=index))
    run.assert_goal("so one is available", law.is_available(state.register, kind, low_half))
    run.assert_goal("no index that the law allows is lower", implies(allowed, index <= other))
    run.assert_goal("the register stays as it is", law.select(state, kind, low_half, index) is state)


@proved("select-then-decode", "theorem", "whatever type is selected, decoding the index that is found gives it back")
def select_then_decode(run: Run) -> None:
    state, kind, low_half = any_table(run), run.any_number("kind"), run.truth("low-half")
    index = run.call(code.select, state.register, kind, low_half)
    if index is not None:
        run.assert_goal("it is the type that was asked for", run.call(code.decode, state.register, index) == kind)


def selecting(run: Run, owner: object) -> None:
    """Puts what `select_refines` shows in the place of `select`, an attribute of the module that calls it."""

    def stand_in(register: Number, kind: Number, low_half: Truth) -> Number | None:
        state, index = law.Pat(register), run.fresh("selected", 0, law.INDEXES[-1])

        def allows(which: Number) -> Truth:
            return law.select.allows(state, kind=kind, low_half=low_half, index=which)

        with run.reading_law():
            run.assert_goal("an index is looked for in a register that the processor takes", is_legal(register))
        if not law.is_available(register, kind, low_half):
            return None
        with run.reading_law():
            run.suppose(allows(index), *(implies(allows(other), index <= other) for other in law.INDEXES))
        return index

    run.replace(owner, "select", stand_in)


@proved("reads-the-register.is-what-it-holds", "theorem", "a value may be read if each byte of it is the register's")
def reads_what_it_holds(run: Run) -> None:
    state, value = any_table(run), run.fresh("value", -HIGHEST, 2 * HIGHEST)
    same: Truth = value >> 64 == 0  # a register has no more; of a negative number ones are left
    for index in law.INDEXES:
        same = same & (law.type_at(value, index) == law.type_at(state.register, index))
    run.assert_goal("it is read if it is the same in each entry", law.reads_the_register(state, value) == same)


def obligations() -> Iterator[Obligation]:
    yield from map(theorem, law.THEOREMS)
    yield one_answer(proved, any_table, law.tells_the_type, ["kind"])
    yield one_answer(proved, any_table, law.reads_the_register, ["value"])
    yield reads_what_it_holds
    yield decodes_as_at_reset
    yield from (accepts_refines, decode_refines, select_refines, select_then_decode)


# Of one value


def of_register(register: int) -> Iterator[Obligation]:
    """What holds of one value of the register: that the processor takes it, and each claim about any value."""
    declare = Claims("pat", SORTS, GEOMETRY)
    value = f"IA32_PAT = {register:#x}"

    def legal_here(clause: Clause) -> Obligation:
        @declare(f"geometry.{short(clause)}", "theorem", f"{clause.says}, of {value}")
        def body(run: Run) -> None:
            points = run.point_of_each(clause.points).values()
            run.assert_goal(clause.says, clause(law.Pat(register), *points))

        return body

    def at(claim: Obligation) -> Obligation:
        def body(run: Run) -> None:
            run.assume(any_table(run).register == register)
            claim.body(run)

        name = claim.name.replace("pat.", "pat.geometry.", 1)
        return replace(claim, name=name, claim=f"{claim.claim}, of {value}", scope=GEOMETRY, body=body)

    yield from map(legal_here, law.LEGAL)
    yield from map(at, (*map(theorem, law.THEOREMS), decode_refines, select_refines, select_then_decode))
