"""The obligations of exhaustive runs: at small sizes the reference obeys the law in every state that it reaches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import product

from memoracle.proofs.exhaustive import boot as small_boot
from memoracle.proofs.exhaustive import entries as small_entries
from memoracle.proofs.exhaustive import hazards, manager_hazards, places
from memoracle.proofs.exhaustive import paging as small_paging
from memoracle.proofs.exhaustive.explore import Exploration, System, run
from memoracle.proofs.exhaustive.finite_states import Domain, choices, refused
from memoracle.proofs.exhaustive.heap import heap_system, reserve_variant
from memoracle.proofs.exhaustive.law_search import Variant, reached
from memoracle.proofs.exhaustive.manager import COMPOSED, manager_system, two_processes_system, uses_system
from memoracle.proofs.exhaustive.systems import (
    ADDING,
    bitmap_system,
    buddy_domain,
    buddy_system,
    half_system,
    spaces_system,
)
from memoracle.proofs.obligations.obligation import Computation
from memoracle.spec import added_blocks, bitmap, blocks, buddy, heap, kernel_half, manager_law, runs
from memoracle.spec.clauses import Operation

SYSTEMS: dict[str, dict[str, Callable[[], System]]] = {
    "bitmap": {"bitmap": bitmap_system},
    "buddy": {
        "small-ranges": lambda: buddy_system((0, 1, 2), ends=True),
        "spaces": spaces_system,
        "depth-3": lambda: buddy_system((3,), ends=False),
    },
    "kernel_half": {"tables": half_system},
    "heap": {"small": heap_system},
    "runs": {"small": places.runs_system},
    "paging": {
        "small-tables": small_paging.paging_system,
        "two-processes": small_paging.two_processes_system,
    },
    "manager": {"small-machine": manager_system, "two-processes": two_processes_system, "uses": uses_system},
}
# The operations of the law that a call of the reference is. (To carve is what allocate and reserve have in common.)
CALLED: dict[str, Sequence[Operation]] = {
    "bitmap": (bitmap.add, bitmap.allocate, bitmap.free, bitmap.free_trusting),
    "buddy": (buddy.allocate, buddy.reserve, buddy.fix, buddy.free, ADDING),
    "kernel_half": kernel_half.OPERATIONS,
    "heap": (heap.new, heap.delete, heap.resize),
    "runs": (runs.add, runs.add_never_free, runs.allocate, runs.reserve, runs.free),
    "paging": small_paging.CALLED,
    "manager": COMPOSED,
}
# Those that are part of a call, or a question: they are run by themselves, on the law's own states.
STEPS: dict[str, dict[Operation, Callable[[], Variant]]] = {
    "bitmap": {bitmap.is_free: lambda: hazards.spurious(bitmap.CHECKED, bitmap.free)},
    "buddy": {
        step: lambda: Variant(blocks.empty(1, 1), blocks.STEPS, blocks.INVARIANTS, buddy_domain(1))
        for step in (*blocks.STEPS, buddy.carve, added_blocks.add_block)
    },
    "manager": {
        step: manager_hazards.whole
        for step in manager_law.OPERATIONS
        if step.name not in [called.name for called in COMPOSED]
    },
    "runs": {runs.is_free: places.asked_variant},
    "heap": {heap.get_pages: reserve_variant, heap.get_notes: reserve_variant},
}


@cache
def outcome(component: str, system: str) -> Exploration:
    """The result of an exhaustive run, which is made once."""
    return run(SYSTEMS[component][system]())


def replay(component: str) -> str | None:
    """The shortest sequence of calls found in which the reference fails its law, as a test; None if it conforms."""
    if component == "boot":
        return small_boot.replay()
    if small_entries.replay(component) is not None:
        return small_entries.replay(component)
    failures = (outcome(component, system).failure for system in SYSTEMS.get(component, ()))
    return next((failure for failure in failures if failure is not None), None)


def computations(component: str) -> list[Computation]:
    """The exhaustive runs of a component, and that each of its operations happens in one, and is refused in one."""
    if component == "boot":
        claim = "every small memory map is read as the law says, and its usable pages become free frames"
        return [Computation("boot.small-maps", "boot", "refinement", claim, small_boot.replay, small_boot.SCOPE)]
    runs = [_exhaustive(component, system, make()) for system, make in SYSTEMS.get(component, {}).items()]
    reached = [_reached(component, operation) for operation in CALLED.get(component, ())]
    happen = [_happens(component, operation) for operation in STEPS.get(component, {})]
    return runs + reached + happen + small_entries.computations(component)


def _exhaustive(component: str, name: str, system: System) -> Computation:
    claim = "every call in every reachable state does what the law says, and keeps its clauses"
    return Computation(
        f"{component}.{name}.run",
        component,
        "refinement",
        claim,
        lambda: outcome(component, name).failure,
        system.scope,
    )


def _reached(component: str, operation: Operation) -> Computation:
    """That an operation's guard is neither always false nor always true."""

    def run() -> str | None:
        if not any(operation.name in outcome(component, system).happened for system in SYSTEMS[component]):
            return f"no call in any state that was reached is {operation.name}"
        declined = any(operation.name in outcome(component, system).declined for system in SYSTEMS[component])
        if declined or any(_refuses(operation, make()) for make in SYSTEMS[component].values()):
            return None
        return f"{operation.name} is refused in no state that was reached"

    claim = f"{operation.name} happens in some run of the reference, and is refused in some"
    scopes = {system().scope.removeprefix("bounded: ") for system in SYSTEMS[component].values()}
    return _vacuity(component, operation, claim, run, f"bounded: {'; '.join(sorted(scopes))}")


def _happens(component: str, operation: Operation) -> Computation:
    """The same of a step, in runs of the law itself."""

    def run() -> str | None:
        domain, states = _law_states(STEPS[component][operation])
        possible = any(choices(operation, state, {}, domain) for state in states)
        refusable = any(_refused_at(operation, state, domain) for state in states)
        if not possible:
            return f"{operation.name} happens in no state that was reached"
        return None if refusable else f"{operation.name} is refused in no state that was reached"

    claim = f"{operation.name} happens in some run of the law, and is refused in some"
    return _vacuity(component, operation, claim, run, "bounded: two pages, or three frames")


@cache
def _law_states(make: Callable[[], Variant]) -> tuple[Domain, list[object]]:
    """Every state of a law that can be reached. They are found once."""
    variant = make()
    return variant.domain, [found.state for found in reached(variant)]


def _vacuity(
    component: str, operation: Operation, claim: str, run: Callable[[], str | None], scope: str
) -> Computation:
    name = operation.name.split(".", 1)[1].replace(" ", "-").replace("(", "").replace(")", "").replace("_", "-")
    return Computation(f"{component}.{name}.is-reachable", component, "vacuity", claim, run, scope)


def _refuses(operation: Operation, system: System) -> bool:
    """Whether the law refuses an operation at the start, where callers of the reference have to know better."""
    for make in system.starts.values():
        for part in system.parts(make()).values():
            known = set(operation.points) <= set(part.domain.points)
            if known and _refused_at(operation, part.state, part.domain):
                return True
    return False


def _refused_at(operation: Operation, state: object, domain: Domain) -> bool:
    """Whether a guard does not hold at some points."""
    each_way = product(*(domain.points[point] for point in operation.points))  # of which one of the first will do
    named = (dict(zip(operation.points, each, strict=True)) for each in each_way)
    return any(refused(operation, state, each, domain) is not None for each in named)
