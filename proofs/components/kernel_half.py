"""Proofs of the kernel half: the law keeps its invariants, and the code of `impl/kernel_half.py` is the law's."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from memoracle.impl.kernel_half import ENTRIES, LOWER, KernelHalf
from memoracle.proofs.abstraction.objects import halves_of
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Obligation, claimed
from memoracle.proofs.symbolic.containers import Set, Tables, Words
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HypothesisPool, Sort
from memoracle.proofs.symbolic.loops import cut
from memoracle.spec import kernel_half as law
from memoracle.spec.clauses import Clause, Operation, implies, neg

PROCESS, INDEX = Sort("process"), Sort("index")
SORTS = {
    "process": PROCESS,
    "other": PROCESS,
    "anyone": PROCESS,
    "index": INDEX,
    "value": Sort("value"),
    "slot": Sort("slot"),
}
FUNCTIONS = {
    "master": law_obligations.any_point("index"),
    "entry": law_obligations.any_point("process", "index"),
    "lives": law_obligations.any_point("process"),
    "pending": law_obligations.any_point("process"),
}


def unknown(run: HypothesisPool) -> law.Halves:
    """Any number of processes, whatever is in their tables, with an update in flight or without."""
    index = run.number("index")
    run.touch(("index",), (index,))
    return law.Halves(
        master=run.function("master", "index"),
        entry=run.function("entry", "process", "index"),
        lives=run.relation("lives", "process"),
        updating=run.truth("updating"),
        index=index,
        value=run.number("value"),
        pending=run.relation("pending", "process"),
    )


LAW = law_obligations.Law(
    "kernel_half",
    SORTS,
    FUNCTIONS,
    unknown,
    lambda run: law.blank(),
    law.INVARIANTS,
    law.OPERATIONS,
    law.THEOREMS,
    integers=True,
)


def proved(name: str, kind: str, claim: str) -> Callable[[Callable[[Run], None]], Obligation]:
    return claimed(f"kernel_half.{name}", kind, claim, SORTS, integers=True)


def leaves(operation: Operation, clause: Clause) -> Obligation:
    """That a clause about the operation's own process holds of what it leaves."""

    @proved(f"{law_obligations.short(operation)}.leaves-{law_obligations.short(clause)}", "theorem", clause.says)
    def body(run: Run) -> None:
        _, after, values = law_obligations.happens(run, LAW, operation)
        points = {**run.point_of_each(clause.points), **values}
        run.claim(clause.says, clause(after, *(points[point] for point in clause.points)))

    return body


def changes(operation: Operation, relation: Callable[..., Any]) -> Obligation:
    """That a relation between the states before and after an operation holds."""

    @proved(
        f"{law_obligations.short(operation)}.{relation.__name__.replace('_', '-')}",
        "theorem",
        law_obligations.prose(relation),
    )
    def body(run: Run) -> None:
        before, after, _ = law_obligations.happens(run, LAW, operation)
        points = tuple(inspect.signature(relation).parameters)[2:]
        run.claim(law_obligations.prose(relation), relation(before, after, *run.point_of_each(points).values()))

    return body


THEOREMS = (
    leaves(law.create, law.half_is_complete),
    leaves(law.end_update, law.update_is_seen_by_all),
    *(changes(each, law.keeps_the_master) for each in law.OPERATIONS if each is not law.begin_update),
    *(changes(each, law.keeps_lower_halves) for each in law.OPERATIONS if each not in (law.create, law.write_lower)),
    *(changes(each, law.waits_for_nobody_else) for each in law.OPERATIONS if each is not law.begin_update),
)


# The code


def unknown_code(run: Run, name: str = "") -> tuple[Any, law.Halves]:
    """The reference on unknown containers, and the state that it stands for before anything is run."""
    master = run.function(f"master{name}", "slot")
    entry = run.function(f"entry{name}", "process", "index")
    lives = run.relation(f"lives{name}", "process")
    pending = run.relation(f"pending{name}", "process")
    updating, index, value = run.truth(f"updating{name}"), run.number(f"index{name}"), run.number(f"value{name}")
    run.touch(("index",), (index,))

    def reference() -> Any:
        tables = object.__new__(KernelHalf)
        tables.__dict__.update(
            master=Words(run, master, ENTRIES - LOWER),
            tables=Tables(run, lives, entry, ENTRIES),
            live=Set(run, lives, "process"),
            updating=updating,
            index=index,
            value=value,
            pending=Set(run, pending, "process"),
        )
        return tables

    state = halves_of(reference())
    run.assume_all(law.INVARIANTS, state)
    return reference(), state


def is_the_laws(run: Run, code: Any, state: law.Halves) -> None:
    """Claims that the reference stands for this state, and has a table for each live process."""
    law_obligations.same_state(run, LAW, halves_of(code), state)
    process = run.point("process")
    run.claim("there is a table for each live process", code.tables.has(process) == code.live.has(process))


def refines(
    method: str,
    operation: Operation,
    takes: Sequence[str],
    requires: Sequence[Clause] = (),
    choice: Callable[[Any], dict[str, Any]] = lambda code: {},
) -> Obligation:
    """That a method, which takes these of the operation's values, does what the operation says, or else nothing.

    requires: what the method's contract asks of its caller.  choice: the values that the code chose itself.
    """

    @proved(f"{law_obligations.short(operation)}.refines", "refinement", f"the code of {method} does what the law says")
    def body(run: Run) -> None:
        code, state = unknown_code(run)
        arguments = {parameter: run.any_number(parameter) for parameter in takes}
        run.assume(*(clause(state, *(arguments[point] for point in clause.points)) for clause in requires))
        if run.call(lambda: bool(getattr(code, method)(*arguments.values()))):
            values = {**arguments, **choice(code)}
            anyone = run.point_of_each(p for clause in operation.guard for p in clause.points if p not in values)
            run.claim("the law allows it", operation.allows(state, **values, **anyone))
            is_the_laws(run, code, operation(state, *values.values()))
            return
        someone = {"anyone": code.pending.witnesses[-1]} if code.pending.witnesses else {}
        unknown = run.point_of_each(point for point in operation.points if point not in arguments)
        run.claim("it fails only if the law says so", neg(operation.allows(state, **arguments, **unknown, **someone)))
        is_the_laws(run, code, state)

    return body


@proved("read.refines", "refinement", "the code of read answers what the law says, and changes nothing")
def read_refines(run: Run) -> None:
    code, state = unknown_code(run)
    process, index = run.any_number("process"), run.any_number("index")
    value = run.call(code.read, process, index)
    exists = law.entry_exists(state, process, index)
    answer = neg(exists) if value is None else exists & law.reads_the_entry(state, process, index, value)
    run.claim("it answers with the entry, if there is one", answer)
    is_the_laws(run, code, state)


@proved("dump.refines", "refinement", "the code of dump answers with every entry, and changes nothing")
def dump_refines(run: Run) -> None:
    code, state = unknown_code(run)
    process, index = run.point("process"), run.point("index")
    table = run.call(code.dump, process)
    if table is None:
        run.claim("it fails only if there is no such process", neg(law.process_lives(state, process)))
    else:
        exists = law.entry_exists(state, process, index)
        right = law.reads_the_entry(state, process, index, table.at(index))
        run.claim("the process lives, and each entry is right", state.lives(process) & implies(exists, right))
        run.claim("there are 512 entries", law.table_is_whole(state, table.length))
    is_the_laws(run, code, state)


class Broadcast:
    """The loop that copies an update to all. At its head, others may have done anything but touch the update."""

    def __init__(self, code: Any, index: Any, value: Any) -> None:
        self.code, self.index, self.value = code, index, value

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Any:
        self.on_back_edge(run, None)

    def havoc(self, run: Run) -> Any:
        now, _ = unknown_code(run, "-later")
        run.suppose(self._in_flight(now))
        self.code.__dict__.update(now.__dict__)
        return True

    def on_back_edge(self, run: Run, result: Any) -> Any:
        state = halves_of(self.code)
        for clause in law.INVARIANTS:
            run.claim(clause.says, clause(state, *run.point_of_each(clause.points).values()))
        run.claim("the update stays in flight", self._in_flight(self.code))

    def _in_flight(self, code: Any) -> Any:
        return code.updating & (code.index == self.index) & (code.value == self.value)


@proved(
    "write.refines", "refinement", "the code of write, while others come and go, leaves the value in every live process"
)
def write_refines(run: Run) -> None:
    code, state = unknown_code(run)
    process, index, value = (run.any_number(parameter) for parameter in ("process", "index", "value"))
    cut(run, code, "copy_to_one", lambda: Broadcast(code, index, value))
    done = run.call(lambda: bool(code.write(process, index, value)))
    lower = law.write_lower.allows(state, process=process, index=index, value=value)
    upper = law.process_lives(state, process) & law.begin_update.allows(state, index=index, value=value)
    if not done:
        run.claim("it fails only if the law says so", neg(lower) & neg(upper))
        is_the_laws(run, code, state)
        return
    run.claim("the law allows it", lower | upper)
    if run.call(lambda: bool(law.is_upper(index))):
        after, anyone = halves_of(code), run.point("process")
        run.claim("the update has ended", neg(after.updating))
        run.claim("it is seen by all", implies(after.lives(anyone), after.entry(anyone, index) == value))
        run.claim("it is in the master", after.master(index) == value)
    else:
        is_the_laws(run, code, law.write_lower(state, process, index, value))


@proved("blank.refines", "refinement", "the reference starts as the law says")
def blank_refines(run: Run) -> None:
    code, blank = KernelHalf(), law.blank()
    start = halves_of(code)
    lower, upper, processes = range(LOWER), range(LOWER, ENTRIES), range(8)
    run.claim("the master is blank", all(start.master(index) == blank.master(index) for index in upper))
    run.claim("so is the kernel's table", all(start.entry(0, i) == blank.entry(0, i) for i in (*lower, *upper)))
    run.claim("only the kernel lives", all(start.lives(each) == blank.lives(each) for each in processes))
    run.claim("it alone has a table", list(code.tables) == [0] == list(code.live))
    run.claim("nobody is waited for", not any(map(start.pending, processes)) and start.updating == blank.updating)
    run.claim("the tables are whole", len(code.master) == len(upper) and len(code.tables[0]) == ENTRIES)


CODE = (
    refines("create", law.create, ["process"], [law.process_has_64_bits]),
    refines("exit", law.exit, ["process"]),
    refines("begin_update", law.begin_update, ["index", "value"]),
    refines("copy_to_one", law.copy_to_one, [], choice=lambda code: {"process": code.pending.popped}),
    refines("end_update", law.end_update, []),
    read_refines,
    dump_refines,
    write_refines,
    blank_refines,
)


def obligations() -> Iterator[Obligation]:
    yield from law_obligations.obligations(LAW)
    yield from THEOREMS
    yield from CODE
