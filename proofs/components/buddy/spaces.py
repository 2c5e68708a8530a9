"""Proofs of the spaces of all processes: each has its own, from when it is created until it exits.

A buddy system is a number here that no other has; of what depth it is made, is noted. `buddy.whole.refines` shows what
a new one is.
"""

from __future__ import annotations

from typing import Any

from memoracle.impl import buddy as code
from memoracle.impl.buddy import Spaces
from memoracle.proofs.abstraction.distinct import share
from memoracle.proofs.components.buddy.law import DEEPEST, proved
from memoracle.proofs.symbolic.containers import Map
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import Function, Property
from memoracle.spec.clauses import Number, implies, neg, when
from memoracle.spec.kernel_half import process_has_64_bits

ATTRIBUTES = frozenset({"process_depth", "spaces"})  # all of which `are` compares
KERNEL = 0


class Made:
    """Stands in for the class of buddy systems: each that is made is another than all that there are."""

    def __init__(self, run: Run, objects: Map | None = None) -> None:
        self.run, self.objects = run, objects
        self.made: list[tuple[Number, Number]] = []  # each, and its depth
        run.replace(code, "Buddy", self)

    def __call__(self, depth: Number) -> Any:
        run, objects = self.run, self.objects
        with run.reading_law():
            space = run.fresh("space", 1)  # an object is true
            run.suppose(*(space != each for each, _ in self.made))
            if objects is not None:
                has, at = objects.has, objects.at
                run.assume_for_all(("process",), lambda process: implies(has(process), at(process) != space))
        self.made.append((space, depth))
        return space


def unknown_spaces(run: Run) -> tuple[Any, Made, Any]:
    """The spaces of any processes, and any number of a process, which may be one of them."""
    objects = Map(run, run.relation("lives", "process"), run.function("space_of", "process", low=1))
    depth = run.number("process_depth", 0, DEEPEST)
    run.assume(objects.has(KERNEL))
    spaces = object.__new__(Spaces)
    spaces.__dict__.update(process_depth=depth, spaces=objects)
    return spaces, Made(run, objects), run.any_number("process")


def are(run: Run, spaces: Any, depth: Number, has: Property, at: Function) -> None:
    """Claims that every process's space is this one."""
    process = run.point("process")
    objects = spaces.spaces
    run.assert_goal("the same processes have spaces as are due", objects.has(process) == has(process))
    run.assert_goal("each has its own", implies(has(process), objects.at(process) == at(process)))
    run.assert_goal("spaces of new processes are as deep as ever", spaces.process_depth == depth)


@proved(
    "spaces.create.refines", "refinement", "a new process gets a space of its own, all of it free; no other is touched"
)
def create_refines(run: Run) -> None:
    spaces, made, process = unknown_spaces(run)
    depth, has, at = spaces.process_depth, spaces.spaces.has, spaces.spaces.at
    if not run.call(lambda: bool(spaces.create(process))):
        refused = has(process) | neg(process_has_64_bits(spaces, process))
        run.assert_goal("it fails only if the process exists, or its number does not have 64 bits", refused)
        run.assert_goal("no space is made", not made.made)
        are(run, spaces, depth, has, at)
        return
    allowed = neg(has(process)) & process_has_64_bits(spaces, process)
    run.assert_goal("it succeeds only if the process does not exist, and its number has 64 bits", allowed)
    run.assert_goal("one space is made", len(made.made) == 1)
    space, deep = made.made[0]
    run.assert_goal("it is as deep as a process's", deep == depth)
    are(
        run,
        spaces,
        depth,
        lambda each: has(each) | (each == process),
        lambda each: when(each == process, space, at(each)),
    )


@proved(
    "spaces.exit.refines", "refinement", "a process's space goes with it, but never the kernel's; no other is touched"
)
def exit_refines(run: Run) -> None:
    spaces, made, process = unknown_spaces(run)
    depth, has, at = spaces.process_depth, spaces.spaces.has, spaces.spaces.at
    done = run.call(lambda: bool(spaces.exit(process)))
    may = has(process) & (process != KERNEL)
    run.assert_goal("it fails only if there is no such process, or it is the kernel", may if done else neg(may))
    run.assert_goal("no space is made", not made.made)
    are(run, spaces, depth, (lambda each: has(each) & (each != process)) if done else has, at)


@proved("spaces.of.refines", "refinement", "the space of a process is its own, and nothing changes")
def of_refines(run: Run) -> None:
    spaces, made, process = unknown_spaces(run)
    depth, has, at = spaces.process_depth, spaces.spaces.has, spaces.spaces.at
    space = run.call(spaces.of, process)
    if space is None:
        run.assert_goal("only a process that does not exist has none", neg(has(process)))
    else:
        run.assert_goal("it is its own", has(process) & (space == at(process)))
    run.assert_goal("no space is made", not made.made)
    are(run, spaces, depth, has, at)


@proved("spaces.start.refines", "refinement", "at first only the kernel has a space, of any depth, and it is its own")
def start_refines(run: Run) -> None:
    depths = [(run.fresh("kernel_depth", 0, DEEPEST), run.fresh("process_depth", 0, DEEPEST)) for _ in range(2)]
    made = Made(run)
    both: list[Any] = [run.call(Spaces, *each) for each in depths]
    run.assert_goal("each made one space", len(made.made) == len(both))
    for spaces, (kernel_depth, process_depth), (space, deep) in zip(both, depths, made.made, strict=False):
        run.assert_goal("it has the attributes that proofs compare", vars(spaces).keys() == ATTRIBUTES)
        run.assert_goal("only the kernel has a space", spaces.spaces.keys() == {KERNEL})
        run.assert_goal("it is the one that was made", spaces.spaces[KERNEL] is space)
        run.assert_goal("it is as deep as the kernel's range", deep == kernel_depth)
        run.assert_goal(
            "spaces of new processes are as deep as a process's range", spaces.process_depth == process_depth
        )
    run.assert_goal("no two containers are one", not share(*both))


CODE = (create_refines, exit_refines, of_refines, start_refines)
