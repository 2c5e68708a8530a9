"""Proofs of the kernel half: the law keeps its invariants, and the code of `impl/kernel_half.py` is the law's."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Protocol

from memoracle.impl.kernel_half import ENTRIES, LOWER, KernelHalf
from memoracle.proofs.abstraction.objects import halves_of
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Claims, Obligation
from memoracle.proofs.rules.containers import doubled
from memoracle.proofs.symbolic.containers import Set, Tables, Words
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import HypothesisPool, Sort
from memoracle.proofs.symbolic.loops import Measure, Members, cut
from memoracle.spec import kernel_half as law
from memoracle.spec.clauses import Number, Operation, Truth, implies, neg

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


proved = Claims("kernel_half", SORTS, integers=True)


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
        run.assert_goal(law_obligations.prose(relation), relation(before, after, *run.point_of_each(points).values()))

    return body


THEOREMS = (
    law_obligations.leaves(LAW, law.create, law.half_is_complete),
    law_obligations.leaves(LAW, law.end_update, law.update_is_seen_by_all),
    *(changes(each, law.keeps_the_master) for each in law.OPERATIONS if each is not law.begin_update),
    *(changes(each, law.keeps_lower_halves) for each in law.OPERATIONS if each not in (law.create, law.write_lower)),
    *(changes(each, law.waits_for_nobody_else) for each in law.OPERATIONS if each is not law.begin_update),
)


# The code


class SymbolicHalves(Protocol):
    """The reference with these in the place of its attributes."""

    master: Words
    tables: Tables
    live: Set
    updating: Truth
    index: Number
    value: Number
    pending: Set

    create: Callable[..., Any]
    exit: Callable[..., Any]
    read: Callable[..., Any]
    dump: Callable[..., Any]
    write: Callable[..., Any]
    begin_update: Callable[..., Any]
    copy_to_one: Callable[..., Any]
    end_update: Callable[..., Any]


def unknown_code(run: Run, name: str = "") -> tuple[SymbolicHalves, law.Halves]:
    """The reference on unknown containers, and the state that it stands for before anything is run."""
    master = run.function(f"master{name}", "slot")
    entry = run.function(f"entry{name}", "process", "index")
    lives = run.relation(f"lives{name}", "process")
    pending = run.relation(f"pending{name}", "process")
    updating, index, value = run.truth(f"updating{name}"), run.number(f"index{name}"), run.number(f"value{name}")
    run.touch(("index",), (index,))

    def reference() -> SymbolicHalves:
        tables: Any = object.__new__(KernelHalf)
        tables.__dict__.update(
            master=Words(run, master, ENTRIES - LOWER),
            tables=Tables(run, lives, entry, ENTRIES),
            live=Set(run, lives, "process"),
            updating=updating,
            index=index,
            value=value,
            pending=Set(run, pending, "process"),
        )
        made: SymbolicHalves = tables
        return made

    state = halves_of(reference())
    run.assume_all(law.INVARIANTS, state)
    return reference(), state


@cache
def attributes() -> frozenset[str]:
    """What the reference keeps, as its constructor makes it: each is compared after each operation."""
    return frozenset(vars(KernelHalf()))


def containers(code: SymbolicHalves) -> dict[str, object]:
    """The attributes that are containers, by their names."""
    return {name: getattr(code, name) for name, value in vars(KernelHalf()).items() if not isinstance(value, int)}


def contents(code: SymbolicHalves) -> tuple[object, ...]:
    """Whatever the reference holds: of containers the functions that are replaced when they are written."""
    held = (code.master.at, code.tables.has, code.tables.entry, code.live.has, code.pending.has)
    return (*held, code.updating, code.index, code.value, *containers(code).values())


def is_the_laws(run: Run, code: SymbolicHalves, state: law.Halves) -> None:
    """Claims that the reference stands for this state, in containers of its own, and has nothing else."""
    law_obligations.same_state(run, LAW, halves_of(code), state)
    process = run.point("process")
    run.assert_goal("there is a table for each live process", code.tables.has(process) == code.live.has(process))
    run.assert_goal("the master is whole", code.master.length == ENTRIES - LOWER)
    kept = {name for name in vars(code) if not callable(getattr(KernelHalf, name, None))}
    run.assert_goal("it has the attributes that its constructor makes", kept == attributes())
    own = containers(code)
    run.assert_goal("no container of it is another", len(set(map(id, own.values()))) == len(own))
    kinds = {"master": Words, "tables": Tables, "live": Set, "pending": Set}
    run.assert_goal("each is a container still", {name: type(each) for name, each in own.items()} == kinds)


def succeeds(run: Run, method: Callable[..., Any], *arguments: Any) -> bool:
    """Calls a method that answers whether it did what was asked."""
    answer = run.call(method, *arguments)
    run.assert_goal("the answer is a truth", answer is True or answer is False)
    return answer is True


def refines(
    method: str,
    operation: Operation,
    takes: Sequence[str],
    choice: Callable[[SymbolicHalves], dict[str, Number]] = lambda code: {},
) -> Obligation:
    """That a method, which takes these of the operation's values, does what the operation says, or else nothing.

    choice: the values that the code chose itself.
    """

    @proved(
        f"{law_obligations.short(operation)}.refines",
        "refinement",
        f"the code of {method} does what the law says, and changes nothing else that the object holds",
    )
    def body(run: Run) -> None:
        code, state = unknown_code(run)
        arguments = {parameter: run.any_number(parameter) for parameter in takes}
        if succeeds(run, getattr(code, method), *arguments.values()):
            values = {**arguments, **choice(code)}
            anyone = run.point_of_each(p for clause in operation.guard for p in clause.points if p not in values)
            run.assert_goal("the law allows it", operation.allows(state, **values, **anyone))
            is_the_laws(run, code, operation(state, *values.values()))
            return
        someone = {"anyone": code.pending.witnesses[-1]} if code.pending.witnesses else {}
        unknown = run.point_of_each(point for point in operation.points if point not in arguments)
        run.assert_goal(
            "it fails only if the law says so", neg(operation.allows(state, **arguments, **unknown, **someone))
        )
        is_the_laws(run, code, state)

    return body


@proved("read.refines", "refinement", "the code of read answers what the law says, and changes nothing")
def read_refines(run: Run) -> None:
    code, state = unknown_code(run)
    process, index = run.any_number("process"), run.any_number("index")
    value = run.call(code.read, process, index)
    exists = law.entry_exists(state, process, index)
    answer = neg(exists) if value is None else exists & law.reads_the_entry(state, process, index, value)
    run.assert_goal("it answers with the entry, if there is one", answer)
    is_the_laws(run, code, state)


@proved(
    "dump.refines", "refinement", "the code of dump answers with every entry, in a list of its own, and changes nothing"
)
def dump_refines(run: Run) -> None:
    code, state = unknown_code(run)
    process, index = run.any_number("process"), run.point("index")
    table = run.call(code.dump, process)
    if table is None:
        run.assert_goal("it fails only if there is no such process", neg(law.process_lives(state, process)))
    else:
        exists = law.entry_exists(state, process, index)
        right = law.reads_the_entry(state, process, index, table.at(index))
        run.assert_goal("the process lives, and each entry is right", state.lives(process) & implies(exists, right))
        run.assert_goal("there are 512 entries", law.table_is_whole(state, table.length))
        run.assert_goal("nobody else has the list", not table.is_held)
    is_the_laws(run, code, state)


class Steps:
    """The steps of a write of an upper entry. Before each of them, others may do whatever they may.

    left: what the last step left.  began, ended: the states in which the first step was taken, and the last.
    """

    def __init__(self, run: Run, code: SymbolicHalves) -> None:
        self.run, self.code = run, code
        self.left = contents(code)
        self.began: law.Halves | None = None
        self.ended: law.Halves | None = None

    def are_taken(self) -> None:
        """Lets the code take its steps among those of others."""
        for name in ("begin_update", "copy_to_one", "end_update"):
            setattr(self.code, name, self._step(name, getattr(self.code, name)))

    def _step(self, name: str, real: Callable[..., bool]) -> Callable[..., bool]:
        def step(*arguments: Any) -> bool:
            with self.run.reading_law():
                self.nothing_is_done_between()
                before = self.others_act(name)
                if name == "begin_update":
                    self.began = before
                elif name == "end_update":
                    self.ended = before
            done = real(*arguments)
            self.left = contents(self.code)
            return done

        return step

    def nothing_is_done_between(self) -> None:
        """Claims that between two steps the write changes nothing."""
        same = all(now is then for now, then in zip(contents(self.code), self.left, strict=True))
        self.run.assert_goal("between two steps nothing is written", same)

    def others_act(self, before: str) -> law.Halves:
        """Others create processes, exit them, write lower halves, and, as long as they may, begin and end updates."""
        run, was = self.run, self.code.pending.has
        now, state = unknown_code(run, f"-{before}")
        if before != "begin_update":
            run.suppose(in_flight(now, self.code.index, self.code.value))
            run.assume_for_all(("process",), lambda process: implies(state.pending(process), was(process)))
        self.code.__dict__.update(now.__dict__)
        return state


def in_flight(code: SymbolicHalves, index: Number, value: Number) -> Truth:
    """Whether an update of this entry to this value is in flight."""
    return code.updating & (code.index == index) & (code.value == value)


class Broadcast:
    """The loop that copies an update to all. At its head, others may have done anything but touch the update."""

    def __init__(self, steps: Steps, index: Number, value: Number) -> None:
        self.steps, self.code, self.index, self.value = steps, steps.code, index, value

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Measure:
        self._holds(run)
        self.waited_for = [*self.code.pending.witnesses, run.point("process")][0]
        return Members(self.code.pending.has, "process")

    def havoc(self, run: Run) -> Truth:
        now, _ = unknown_code(run, "-later")
        copied = run.fresh_truth("it was copied to one")
        run.suppose(in_flight(now, self.index, self.value))
        is_pending = now.pending.has
        run.assume_for_all(("process",), lambda process: implies(neg(copied), neg(is_pending(process))))
        self.code.__dict__.update(now.__dict__)
        self.steps.left = contents(self.code)
        return copied

    def on_back_edge(self, run: Run, result: Any) -> Measure:
        self._holds(run)
        pending, process = self.code.pending, run.point("process")
        run.assert_goal("it says whether it was copied to one", result is True or result is False)
        run.assert_goal("if it was not, nobody is waited for", implies(neg(bool(result)), neg(pending.has(process))))
        return Members(pending.has, "process", pending.popped if result else self.waited_for)

    def _holds(self, run: Run) -> None:
        state = halves_of(self.code)
        for clause in law.INVARIANTS:
            run.assert_goal(clause.says, clause(state, *run.point_of_each(clause.points).values()))
        run.assert_goal("the update stays in flight", in_flight(self.code, self.index, self.value))


@proved(
    "write.refines",
    "refinement",
    "the code of write, while others come and go between its steps, leaves the value in every live process, "
    "and fails only where the law says so or another update is in flight; it does nothing but its steps",
)
def write_refines(run: Run) -> None:
    code, state = unknown_code(run)
    process, index, value = (run.any_number(parameter) for parameter in ("process", "index", "value"))
    steps = Steps(run, code)
    steps.are_taken()
    cut(run, code, "copy_to_one", lambda: Broadcast(steps, index, value))
    done = succeeds(run, code.write, process, index, value)
    lower = law.write_lower.allows(state, process=process, index=index, value=value)
    upper = law.process_lives(state, process) & law.index_is_upper(state, index) & law.value_is_an_entry(state, value)
    if steps.began is None:
        run.assert_goal("a lower entry is written at once, if the law allows it", lower if done else neg(lower))
        run.assert_goal("an upper entry is written in steps, if the law allows it", neg(upper))
        is_the_laws(run, code, law.write_lower(state, process, index, value) if done else state)
        return
    run.assert_goal("only what the law allows is begun", upper)
    steps.nothing_is_done_between()
    if not done:
        run.assert_goal("it fails only if another update is in flight", steps.began.updating)
        is_the_laws(run, code, steps.began)
        return
    run.assert_goal("no other update was in flight", neg(steps.began.updating))
    run.assert_goal("the update has ended", steps.ended is not None)
    if steps.ended is not None:
        after, anyone = halves_of(code), run.point("process")
        run.assert_goal("it is seen by all", implies(after.lives(anyone), after.entry(anyone, index) == value))
        run.assert_goal("it is in the master", after.master(index) == value)
        is_the_laws(run, code, law.end_update(steps.ended))


@proved("blank.refines", "refinement", "the reference starts as the law says, in containers that nobody shares")
def blank_refines(run: Run) -> None:
    code, blank = run.call(KernelHalf), law.blank()
    start = halves_of(code)
    lower, upper, processes = range(LOWER), range(LOWER, ENTRIES), range(8)
    run.assert_goal("the master is blank", all(start.master(index) == blank.master(index) for index in upper))
    run.assert_goal("so is the kernel's table", all(start.entry(0, i) == blank.entry(0, i) for i in (*lower, *upper)))
    run.assert_goal("only the kernel lives", all(start.lives(each) == blank.lives(each) for each in processes))
    run.assert_goal("it alone has a table", list(code.tables) == [0] == list(code.live))
    run.assert_goal("nobody is waited for", not code.pending and start.updating == blank.updating)
    run.assert_goal("no entry is being updated", start.index == blank.index and start.value == blank.value)
    run.assert_goal("the tables are whole", len(code.master) == len(upper) and len(code.tables[0]) == ENTRIES)
    compared = {"master", "tables", "live", "updating", "index", "value", "pending"}
    run.assert_goal("every attribute is compared", attributes() == compared)
    shared = doubled((code, run.call(KernelHalf)), "two of them", lambda of: frozenset())
    run.assert_goal(f"no container is in two places, nor in another object: {shared}", shared is None)


CODE = (
    refines("create", law.create, ["process"]),
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
