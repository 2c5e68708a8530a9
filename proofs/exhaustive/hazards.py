"""Known hazards: flawed variants of the law, with the shortest interleaving in which each goes wrong.

A variant differs from the law in as little as possible. Breadth first over the law's own steps on Python's values, the
search looks for a state that breaks a clause of the law, or from which an update can never end. Each hazard is a
claim that must fail; the same search must find nothing wrong with the law itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from memoracle.proofs.exhaustive import heap as small_heap
from memoracle.proofs.exhaustive import manager_hazards
from memoracle.proofs.exhaustive.finite_states import Domain
from memoracle.proofs.exhaustive.law_search import Variant, search
from memoracle.proofs.obligations.obligation import Computation
from memoracle.spec import bitmap, heap, kernel_half
from memoracle.spec.clauses import Clause, Number, Operation, Truth, clause, neg


@dataclass(frozen=True)
class Hazard:
    """A flaw of a variant, and the claim that fails because of it."""

    name: str
    component: str
    claim: str
    scope: str
    variant: Callable[[], Variant]


# The kernel half


SCOPE = "bounded: a kernel and two processes, one upper entry, values 0 and 1"
PROCESSES, INDEX = (0, 1, 2), 256
DOMAIN = Domain(
    dict.fromkeys(("process", "other", "anyone"), PROCESSES) | {"index": (INDEX,), "value": (0, 1)},
    {
        "master": ("index",),
        "entry": ("process", "index"),
        "lives": ("process",),
        "pending": ("process",),
        "is_filled": ("process",),
    },
    {"entry": lambda state, points: state.lives(points[0])},
)
STEPS = (
    kernel_half.create,
    kernel_half.exit,
    kernel_half.begin_update,
    kernel_half.copy_to_one,
    kernel_half.end_update,
)


@clause("no update is in flight")
def at_rest(s: kernel_half.Halves) -> Truth:
    return neg(s.updating)


def kernel_variant(operations: Sequence[Operation] = STEPS, start: object = None, **more: object) -> Variant:
    ends = (kernel_half.copy_to_one.name, kernel_half.end_update.name)
    awaited = [operation for operation in operations if operation.name in ends]
    chosen: dict[str, Any] = {"clauses": kernel_half.THEOREMS, "rests": at_rest, "awaited": awaited, **more}
    return Variant(start or kernel_half.blank(), operations, domain=DOMAIN, **chosen)


def instead(**flawed: Operation) -> tuple[Operation, ...]:
    """The law's operations, with some replaced, by the name of their function."""
    named = {operation.effect.__name__: operation for operation in STEPS} | flawed
    return tuple(named.values())


def writing_one_master() -> Variant:
    def effect(s: kernel_half.Halves, index: Number, value: Number) -> kernel_half.Halves:
        one = kernel_half.copy_to_one(kernel_half.begin_update(s, index, value), 0)
        return replace(kernel_half.end_update(one), pending=lambda process: False)

    says = "The entry is written to the master and the kernel's own table only; whoever is created later copies it."
    flawed = replace(kernel_half.begin_update, name="kernel_half.write-one-master", says=says, effect=effect)
    return kernel_variant(instead(begin_update=flawed))


@dataclass(frozen=True)
class Linked(kernel_half.Halves):
    """Processes that are in the list before their half is filled."""

    is_filled: Callable[[Number], Truth]


@clause("the process is in the list, and its half is not filled yet")
def is_unfilled(s: Linked, process: Number) -> Truth:
    return s.lives(process) & neg(s.is_filled(process))


def linking_before_filling() -> Variant:
    def link(s: Linked, process: Number) -> Linked:
        created = kernel_half.create(s, process)
        blank = kernel_half.blank().entry
        return replace(
            created,
            entry=lambda other, index: blank(other, index) if other == process else s.entry(other, index),
            is_filled=lambda other: s.is_filled(other) & (other != process),
        )

    def fill(s: Linked, process: Number) -> Linked:
        return replace(kernel_half.create(s, process), is_filled=lambda other: s.is_filled(other) | (other == process))

    linking = replace(kernel_half.create, name="process.link", says="A process is put in the list, blank.", effect=link)
    says = "Its upper half is filled from the master."
    filling = Operation("process.fill", says, (is_unfilled,), ("process",), fill, ("process",))
    start = Linked(**vars(kernel_half.blank()), is_filled=lambda process: True)
    return kernel_variant((*instead(create=linking), filling), start)


@dataclass(frozen=True)
class Counted(kernel_half.Halves):
    """An update that counts the tables it has reached, up to the number of tables that are known."""

    known: Number
    waiting: Number  # how many tables the update in flight still waits for


@clause("as many tables as are known were reached")
def all_counted(s: Counted) -> Truth:
    return s.waiting == 0


def counting(forgets: bool) -> Variant:
    """An update that waits for a count; an exit decreases it, or forgets to."""

    def create(s: Counted, process: Number) -> Counted:
        return replace(kernel_half.create(s, process), known=s.known + 1)

    def leave(s: Counted, process: Number) -> Counted:
        gone = kernel_half.exit(s, process)
        waited_for = s.updating & s.pending(process)
        return gone if forgets else replace(gone, known=s.known - 1, waiting=s.waiting - (1 if waited_for else 0))

    def begin(s: Counted, index: Number, value: Number) -> Counted:
        return replace(kernel_half.begin_update(s, index, value), waiting=s.known)

    def copy(s: Counted, process: Number) -> Counted:
        return replace(kernel_half.copy_to_one(s, process), waiting=s.waiting - 1)

    leaving = replace(kernel_half.exit, effect=leave)
    if forgets:
        leaving = replace(leaving, says="A process exits, but its table is still counted.")
    end = kernel_half.end_update
    operations = instead(
        create=replace(kernel_half.create, effect=create, guard=(*kernel_half.create.guard, few_are_known)),
        exit=leaving,
        begin_update=replace(kernel_half.begin_update, effect=begin),
        copy_to_one=replace(kernel_half.copy_to_one, effect=copy),
        end_update=replace(end, guard=(kernel_half.update_is_in_flight, all_counted)),
    )
    return kernel_variant(operations, Counted(**vars(kernel_half.blank()), known=1, waiting=0))


@clause("fewer than four tables are known")
def few_are_known(s: Counted) -> Truth:
    return s.known < 4  # keeps the search finite


@dataclass(frozen=True)
class Locked(kernel_half.Halves):
    """A creation that holds the update lock from its beginning to its end, and has its mapping or not yet."""

    creating: Truth
    mapped: Truth


@clause("no creation holds the update lock")
def lock_is_not_held(s: Locked) -> Truth:
    return neg(s.creating)


@clause("a creation is under way, and has the kernel mapping that it needs")
def creation_is_mapped(s: Locked, process: Number) -> Truth:
    return s.creating & s.mapped


@clause("no update and no creation is under way")
def lock_is_free(s: Locked) -> Truth:
    return at_rest(s) & lock_is_not_held(s)


def locking(again: bool) -> Variant:
    """A creation that maps memory for its table while it holds the lock that an update takes, or before it takes it."""

    def hold(s: Locked, process: Number) -> Locked:
        return replace(s, creating=True)

    def create(s: Locked, process: Number) -> Locked:
        return replace(kernel_half.create(s, process), creating=False, mapped=False)

    def end(s: Locked) -> Locked:
        return replace(kernel_half.end_update(s), mapped=True)

    begin, new = kernel_half.begin_update, kernel_half.is_new
    needs = () if again else (is_mapped,)
    holding = replace(
        kernel_half.create,
        name="process.begin-creation",
        says="A creation takes the update lock; it needs a new kernel mapping, and so an update.",
        guard=(new, kernel_half.update_lock_is_free, lock_is_not_held, *needs),
        effect=hold,
    )
    finishing = replace(kernel_half.create, guard=(new, creation_is_mapped), effect=create)
    updating = replace(begin, guard=(lock_is_not_held, *begin.guard))
    ending = replace(kernel_half.end_update, effect=end)
    operations = instead(create=finishing, begin_update=updating, end_update=ending)
    start = Locked(**vars(kernel_half.blank()), creating=False, mapped=False)
    return kernel_variant((holding, *operations), start, rests=lock_is_free, awaited=(updating, finishing))


@clause("there is a kernel mapping to spare")
def is_mapped(s: Locked) -> Truth:
    return s.mapped


# The bitmap


FRAMES_SCOPE = "bounded: three frames, of which the last does not exist"


def spurious(broken_first: Sequence[Clause], freeing: Operation = bitmap.free_trusting) -> Variant:
    """Frame 0 is never free, frame 1 is memory, frame 2 does not exist; each may be freed at any time."""
    frames = range(-1, 4)
    functions = dict.fromkeys(("exists", "is_free", "in_use", "free_below"), ("frame",))
    start = bitmap.add(bitmap.empty(3, lambda frame: frame == 0), 1)
    domain = Domain({"frame": frames, "later": frames}, functions)
    return Variant(start, (bitmap.allocate, freeing), broken_first, domain, then=bitmap.allocate)


HAZARDS = (
    Hazard(
        "kernel_half.hazard.one-master-table",
        "kernel_half",
        "writing an entry to one master table is enough, because processes created later copy it",
        SCOPE,
        writing_one_master,
    ),
    Hazard(
        "kernel_half.hazard.linked-before-filled",
        "kernel_half",
        "a new process may be put in the list before its half is filled",
        SCOPE,
        linking_before_filling,
    ),
    Hazard(
        "kernel_half.hazard.count-not-decreased",
        "kernel_half",
        "an exit need not decrease the count of tables that an update waits for",
        SCOPE,
        lambda: counting(forgets=True),
    ),
    Hazard(
        "kernel_half.hazard.lock-taken-again",
        "kernel_half",
        "a creation may map kernel memory while it holds the update lock, which cannot be taken twice",
        SCOPE,
        lambda: locking(again=True),
    ),
    Hazard(
        "bitmap.hazard.frame-that-never-existed",
        "bitmap",
        "under trusting, only a frame that exists is handed out",
        FRAMES_SCOPE,
        lambda: spurious((bitmap.hands_out_only_memory,)),
    ),
    Hazard(
        "bitmap.hazard.frame-in-use",
        "bitmap",
        "under trusting, a frame that was handed out is not handed out again before it is freed",
        FRAMES_SCOPE,
        lambda: spurious((bitmap.hands_out_once,)),
    ),
    Hazard(
        "manager.hazard.freed-while-mapped",
        "manager",
        "if only allocated frames are mapped, no frame that is mapped is handed out",
        manager_hazards.SCOPE,
        manager_hazards.mapping_allocated,
    ),
    Hazard(
        "manager.hazard.mapped-while-free",
        "manager",
        "if no frame is freed while it is mapped, no frame that is mapped is handed out",
        manager_hazards.SCOPE,
        manager_hazards.freeing_unmapped,
    ),
    Hazard(
        "heap.hazard.no-reserve",
        "heap",
        "a heap may get pages with its last note, since it can get a page of notes when it needs one",
        "bounded: at most two notes to spare",
        small_heap.without_reserve,
    ),
)
# The same searches without the flaw.
SOUND: Mapping[str, Callable[[], Variant]] = {
    "kernel_half": lambda: kernel_variant(clauses=(*kernel_half.INVARIANTS, *kernel_half.THEOREMS)),
    "kernel_half, counting": lambda: counting(forgets=False),
    "kernel_half, locking": lambda: locking(again=False),
    "bitmap": lambda: spurious((*bitmap.CHECKED, *bitmap.THEOREMS), bitmap.free),
    "manager": manager_hazards.whole,
    "heap": lambda: small_heap.reserve_variant(clauses=heap.RESERVE),
}


@cache
def interleaving(name: str) -> str | None:
    """The shortest interleaving in which a hazard does its harm, for people; None if the search finds none."""
    return search(next(hazard for hazard in HAZARDS if hazard.name == name).variant())


def computations(component: str) -> list[Computation]:
    """That the claim of each of a component's hazards fails: `interleaving` tells how."""
    return [_refuted(hazard) for hazard in HAZARDS if hazard.component == component]


def _refuted(hazard: Hazard) -> Computation:
    def run() -> str | None:
        return None if interleaving(hazard.name) else "no interleaving was found in which this fails"

    def shows() -> str | None:
        return interleaving(hazard.name)

    return Computation(hazard.name, hazard.component, "expected-refutation", hazard.claim, run, hazard.scope, shows)
