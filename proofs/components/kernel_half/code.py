"""Proofs of the code of `impl/kernel_half.py`: each function does what the law says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from memoracle.impl.kernel_half import ENTRIES, LOWER, KernelHalf
from memoracle.proofs.abstraction.objects import halves_of
from memoracle.proofs.components.kernel_half.law import proved
from memoracle.proofs.components.kernel_half.symbolic_kernel_half import (
    SymbolicHalves,
    attributes,
    is_the_laws,
    succeeds,
    unknown_code,
)
from memoracle.proofs.components.kernel_half.updates import write_refines
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.rules.containers import doubled
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import kernel_half as law
from memoracle.spec.clauses import Number, Operation, implies, neg


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
