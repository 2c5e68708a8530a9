"""The reference of the kernel half on unknown containers, and the comparison with the state that it stands for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Protocol, cast

from memoracle.impl.kernel_half import ENTRIES, LOWER, KernelHalf
from memoracle.proofs.abstraction.objects import halves_of
from memoracle.proofs.components.kernel_half.law import LAW
from memoracle.proofs.obligations import law_obligations
from memoracle.proofs.symbolic.constructed import constructed
from memoracle.proofs.symbolic.containers import Set, Tables, Words
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec import kernel_half as law
from memoracle.spec.clauses import Number, Truth


class SymbolicHalves(Protocol):
    """The reference with stand-ins in the place of its attributes."""

    master: Words
    tables: Tables
    live: Set
    updating: Truth
    index: Number
    value: Number
    pending: Set

    def create(self, process: Number) -> bool: ...
    def exit(self, process: Number) -> bool: ...
    def read(self, process: Number, index: Number) -> Number | None: ...
    def dump(self, process: Number) -> Words | None: ...
    def write(self, process: Number, index: Number, value: Number) -> bool: ...
    def begin_update(self, index: Number, value: Number) -> bool: ...
    def copy_to_one(self) -> bool: ...
    def end_update(self) -> bool: ...


def unknown_code(run: Run, name: str = "") -> tuple[SymbolicHalves, law.Halves]:
    """The reference on unknown containers, and the state that it stands for before anything is run."""
    master = run.function(f"master{name}", "slot")
    entry = run.function(f"entry{name}", "process", "index")
    lives = run.relation(f"lives{name}", "process")
    pending = run.relation(f"pending{name}", "process")
    updating, index, value = run.truth(f"updating{name}"), run.number(f"index{name}"), run.number(f"value{name}")
    run.touch(("index",), (index,))

    def reference() -> SymbolicHalves:
        made = constructed(
            KernelHalf,
            master=Words(run, master, ENTRIES - LOWER),
            tables=Tables(run, lives, entry, ENTRIES),
            live=Set(run, lives, "process"),
            updating=updating,
            index=index,
            value=value,
            pending=Set(run, pending, "process"),
        )
        return cast("SymbolicHalves", made)

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
    """Everything that the reference holds: of containers, the functions that a write replaces."""
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


def succeeds(run: Run, method: Callable[..., object], *arguments: object) -> bool:
    """Calls a method that answers whether it did what was asked."""
    answer = run.call(method, *arguments)
    run.assert_goal("the answer is a truth", answer is True or answer is False)
    return answer is True
