"""Known hazards: flawed variants of the law, and the shortest interleaving in which each goes wrong.

A variant differs from the law in as little as possible. Breadth first over the law's own steps on Python's values, the
search looks for a state that breaks a clause of the law, or from which an update can never end. Each hazard is a
claim that must fail; the same search must find nothing wrong with the law itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from memoracle.proofs.obligations import Computation
from memoracle.proofs.small_world import Domain, Values, after, broken, choices, reason, seen, settled
from memoracle.spec import bitmap, kernel_half
from memoracle.spec.clauses import Clause, Number, Operation, Truth, clause, neg

UPDATER, OTHER, CALLER = "processor 1", "processor 2", "a caller"
UPDATES = ("begin-update", "copy-to-one", "end-update", "write-one-master")


@dataclass(frozen=True)
class Variant:
    """A law to search: where it starts, what may happen, what must hold, and what must always become possible again."""

    start: Any
    operations: Sequence[Operation]
    clauses: Sequence[Clause]
    domain: Domain
    rests: Clause | None = None  # holds when nobody is waiting; if it can never hold again, the search has found a flaw
    awaited: Sequence[Operation] = ()  # what is waited for when it can't
    then: Operation | None = None  # what may happen next, of which the broken clause speaks


@dataclass(frozen=True)
class Hazard:
    """A flaw, and the claim that it makes fail."""

    name: str
    component: str
    claim: str
    scope: str
    variant: Callable[[], Variant]


@dataclass(frozen=True)
class Move:
    """An operation that happened, and its arguments and choices."""

    operation: Operation
    values: Values


@dataclass(frozen=True)
class Found:
    """A state that was reached: by which moves, and what can happen next."""

    state: Any
    moves: tuple[Move, ...]


def reached(variant: Variant) -> Iterator[Found]:
    """Every state that can be reached, nearest first."""
    start = settled(variant.start)
    known, queue = {_key(start, variant)}, [Found(start, ())]
    for found in queue:
        yield found
        for move, state in _next(found.state, variant):
            key = _key(state, variant)
            if key not in known:
                known.add(key)
                queue.append(Found(state, (*found.moves, move)))


def _next(state: Any, variant: Variant) -> Iterator[tuple[Move, Any]]:
    for operation in variant.operations:
        for values in choices(operation, state, {}, variant.domain):
            yield Move(operation, values), after(operation, state, values)


def _key(state: Any, variant: Variant) -> tuple[Any, ...]:
    return tuple(seen(state, variant.domain).values())


def search(variant: Variant) -> str | None:
    """The shortest interleaving that goes wrong, numbered; None if none does."""
    states = []
    for found in reached(variant):
        lost = broken(variant.clauses, found.state, variant.domain)
        if lost is not None:
            return _told(found, [*_follows(found, variant, lost[1]), f"This breaks {_named(*lost)}"])
        states.append(found)
    stuck = _stuck(states, variant) if variant.rests is not None else None
    return None if stuck is None else _told(stuck, _waits(stuck, variant))


def _stuck(states: Sequence[Found], variant: Variant) -> Found | None:
    """The nearest state that waits in vain: nothing awaited can happen, and it never comes to rest again."""
    assert variant.rests is not None
    leads_to: dict[tuple[Any, ...], set[tuple[Any, ...]]] = {}  # backwards
    resting = []
    for found in states:
        here = _key(found.state, variant)
        if variant.rests(found.state):
            resting.append(here)
        for _, state in _next(found.state, variant):
            leads_to.setdefault(_key(state, variant), set()).add(here)
    able = set(resting)
    for key in resting:
        new = leads_to.get(key, set()) - able
        able |= new
        resting.extend(new)
    vain = (found for found in states if _key(found.state, variant) not in able)
    return next((found for found in vain if not any(_possible(found, variant))), None)


def _possible(found: Found, variant: Variant) -> Iterator[bool]:
    """Whether each awaited operation can happen."""
    return (bool(choices(operation, found.state, {}, variant.domain)) for operation in variant.awaited)


def _follows(found: Found, variant: Variant, at: Values) -> list[str]:
    """What may happen next, where the broken clause says that it must not."""
    if variant.then is None:
        return []
    given = {point: value for point, value in at.items() if point in variant.then.points}
    possible = choices(variant.then, found.state, given, variant.domain)
    return [f"Next, {_said(Move(variant.then, values))}" for values in possible[:1]]


def _waits(found: Found, variant: Variant) -> list[str]:
    """Why nothing that would end the wait can happen."""
    said = ["From here it can never come to rest, whatever anybody does:"]
    for operation in variant.awaited:
        clause = reason(operation, found.state, {}, variant.domain)
        said.append(f"- {operation.name} must wait, for it is not so that {clause.says} ({clause.name})")
    return said


def _told(found: Found, end: Sequence[str]) -> str:
    lines = [f"{number}. {_actor(move)}: {_said(move)}" for number, move in enumerate(found.moves, 1)]
    return "\n".join([*lines, *end])


def _actor(move: Move) -> str:
    subject, _, verb = move.operation.name.partition(".")
    return CALLER if subject == "frame" else UPDATER if verb in UPDATES else OTHER


def _said(move: Move) -> str:
    values = ", ".join(f"{name} {value}" for name, value in move.values.items())
    return f"{move.operation.name}{f' ({values})' if values else ''}. {move.operation.says}"


def _named(lost: Clause, at: Values) -> str:
    where = ", ".join(f"{name} {value}" for name, value in at.items())
    return f"{lost.name}: {lost.says}{f' ({where})' if where else ''}."


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
    lambda state, name, points: name != "entry" or bool(state.lives(points[0])),
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


def kernel_variant(operations: Sequence[Operation] = STEPS, start: Any = None, **more: Any) -> Variant:
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
        return replace(
            kernel_half.create(s, process), is_filled=lambda other: s.is_filled(other) | (other == process)
        )

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

    end = kernel_half.end_update
    operations = instead(
        create=replace(kernel_half.create, effect=create, guard=(*kernel_half.create.guard, few_are_known)),
        exit=replace(kernel_half.exit, effect=leave),
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
    """Frame 0 is the image's, frame 1 is memory, and frame 2 is not; any of them is freed by anyone."""
    frames = range(-1, 4)
    functions = dict.fromkeys(("exists", "is_free", "in_use", "free_below"), ("frame",))
    start = bitmap.add(bitmap.empty(3, 1), 1)
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
)
# The same searches without the flaw.
SOUND: Mapping[str, Callable[[], Variant]] = {
    "kernel_half": lambda: kernel_variant(clauses=(*kernel_half.INVARIANTS, *kernel_half.THEOREMS)),
    "kernel_half, counting": lambda: counting(forgets=False),
    "kernel_half, locking": lambda: locking(again=False),
    "bitmap": lambda: spurious((*bitmap.CHECKED, *bitmap.THEOREMS), bitmap.free),
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

    return Computation(hazard.name, hazard.component, "expected-refutation", hazard.claim, run, hazard.scope)
