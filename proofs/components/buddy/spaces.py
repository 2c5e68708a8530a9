"""Proofs of the class `Spaces` of `impl/buddy.py`: each process has a buddy system of its own from creation to exit.

What a buddy system contains does not matter here, so each is only a number that differs from all others, and its depth
is recorded where it is constructed. `buddy.whole.refines` proves what a new buddy system contains.
"""

from __future__ import annotations

from typing import Any, Protocol

from memoracle.impl import buddy as code
from memoracle.impl.buddy import Spaces
from memoracle.proofs.abstraction.distinct import share
from memoracle.proofs.components.buddy.law import DEEPEST, proved
from memoracle.proofs.symbolic.containers import Map
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.values import Function, Property
from memoracle.spec.clauses import Number, implies, neg, when
from memoracle.spec.kernel_half import process_has_64_bits

ATTRIBUTES = frozenset({"process_depth", "spaces"})  # all of which `assert_spaces` compares
KERNEL = 0


class SymbolicSpaces(Protocol):
    """The reference with stand-ins in the place of its attributes."""

    process_depth: Number
    spaces: Map

    def create(self, process: Number) -> bool: ...
    def exit(self, process: Number) -> bool: ...
    def of(self, process: Number) -> Number | None: ...


class BuddyConstructor:
    """Stands in for the class `Buddy`: each object that it constructs differs from every other."""

    def __init__(self, run: Run, objects: Map | None = None) -> None:
        """objects: those that exist already, by their processes."""
        self.run, self.objects = run, objects
        self.constructed: list[tuple[Number, Number]] = []  # each object and its depth
        run.replace(code, "Buddy", self)

    def __call__(self, depth: Number) -> Number:
        run, objects = self.run, self.objects
        with run.reading_law():
            space: Number = run.fresh("space", 1)  # not 0, because an object is true
            run.suppose(*(space != each for each, _ in self.constructed))
            if objects is not None:
                has, at = objects.has, objects.at
                run.assume_for_all(("process",), lambda process: implies(has(process), at(process) != space))
        self.constructed.append((space, depth))
        return space


def unknown_spaces(run: Run) -> tuple[SymbolicSpaces, BuddyConstructor, Number]:
    """The spaces of any processes, the kernel among them; and any number, which may be that of a process or not."""
    objects = Map(run, run.relation("lives", "process"), run.function("space_of", "process", low=1))
    depth = run.number("process_depth", 0, DEEPEST)
    run.assume(objects.has(KERNEL))
    spaces: Any = object.__new__(Spaces)
    spaces.__dict__.update(process_depth=depth, spaces=objects)
    return spaces, BuddyConstructor(run, objects), run.any_number("process")


def assert_spaces(run: Run, spaces: SymbolicSpaces, depth: Number, has: Property, at: Function) -> None:
    """Claims that these processes have spaces, that each has this one, and that new ones get this depth."""
    process = run.point("process")
    objects = spaces.spaces
    run.assert_goal("the processes that should have spaces have them", objects.has(process) == has(process))
    run.assert_goal("each has its own", implies(has(process), objects.at(process) == at(process)))
    run.assert_goal("the depth of new processes' spaces does not change", spaces.process_depth == depth)


@proved(
    "spaces.create.refines", "refinement", "a new process gets a space of its own, all of it free; no other is touched"
)
def create_refines(run: Run) -> None:
    spaces, constructor, process = unknown_spaces(run)
    depth, has, at = spaces.process_depth, spaces.spaces.has, spaces.spaces.at
    if not run.answers(spaces.create, process):
        refused = has(process) | neg(process_has_64_bits(spaces, process))
        run.assert_goal("it fails only if the process exists, or its number does not have 64 bits", refused)
        run.assert_goal("no space is made", not constructor.constructed)
        assert_spaces(run, spaces, depth, has, at)
        return
    allowed = neg(has(process)) & process_has_64_bits(spaces, process)
    run.assert_goal("it succeeds only if the process does not exist, and its number has 64 bits", allowed)
    run.assert_goal("one space is made", len(constructor.constructed) == 1)
    space, its_depth = constructor.constructed[0]
    run.assert_goal("it has the depth of a process's range", its_depth == depth)
    assert_spaces(
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
    spaces, constructor, process = unknown_spaces(run)
    depth, has, at = spaces.process_depth, spaces.spaces.has, spaces.spaces.at
    done = run.answers(spaces.exit, process)
    may = has(process) & (process != KERNEL)
    run.assert_goal("it fails only if there is no such process, or it is the kernel", may if done else neg(may))
    run.assert_goal("no space is made", not constructor.constructed)
    assert_spaces(run, spaces, depth, (lambda each: has(each) & (each != process)) if done else has, at)


@proved("spaces.of.refines", "refinement", "the space of a process is its own, and nothing changes")
def of_refines(run: Run) -> None:
    spaces, constructor, process = unknown_spaces(run)
    depth, has, at = spaces.process_depth, spaces.spaces.has, spaces.spaces.at
    space = run.call(spaces.of, process)
    if space is None:
        run.assert_goal("only a process that does not exist has none", neg(has(process)))
    else:
        run.assert_goal("it is its own", has(process) & (space == at(process)))
    run.assert_goal("no space is made", not constructor.constructed)
    assert_spaces(run, spaces, depth, has, at)


@proved("spaces.start.refines", "refinement", "at first only the kernel has a space, of any depth, and it is its own")
def start_refines(run: Run) -> None:
    depths = [(run.fresh("kernel_depth", 0, DEEPEST), run.fresh("process_depth", 0, DEEPEST)) for _ in range(2)]
    constructor = BuddyConstructor(run)
    both: list[Any] = [run.call(Spaces, *each) for each in depths]
    run.assert_goal("each made one space", len(constructor.constructed) == len(both))
    made = zip(both, depths, constructor.constructed, strict=False)  # the claim before is that there are as many
    for spaces, (kernel_depth, process_depth), (space, its_depth) in made:
        run.assert_goal("it has the attributes that proofs compare", vars(spaces).keys() == ATTRIBUTES)
        run.assert_goal("only the kernel has a space", spaces.spaces.keys() == {KERNEL})
        run.assert_goal("it is the one that was made", spaces.spaces[KERNEL] is space)
        run.assert_goal("it has the depth of the kernel's range", its_depth == kernel_depth)
        run.assert_goal(
            "spaces of new processes get the depth of a process's range", spaces.process_depth == process_depth
        )
    run.assert_goal("no two containers are one", not share(*both))


CODE = (create_refines, exit_refines, of_refines, start_refines)
