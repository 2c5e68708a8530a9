"""Proofs of the spaces of all processes: each has its own, from when it is created until it exits."""

from __future__ import annotations

from typing import Any

from memoracle.impl import buddy as code
from memoracle.impl.buddy import Spaces
from memoracle.proofs.components.buddy.law import DEEPEST, proved
from memoracle.proofs.symbolic.execution import Run
from memoracle.spec.clauses import Truth, neg


class Objects:
    """Stands in for the dictionary from processes to spaces; it notes what is put into it and taken out."""

    def __init__(self, run: Run) -> None:
        self.run, self.has = run, run.relation("lives", "process")
        self.found: list[Any] = []
        self.put: list[tuple[Any, Any]] = []
        self.taken: list[Any] = []

    def __contains__(self, process: Any) -> bool:
        return bool(self.has(process))

    def get(self, process: Any) -> Any:
        if not self.has(process):
            return None
        self.found.append(process)
        return self

    def __setitem__(self, process: Any, space: Any) -> None:
        self.put.append((process, space))

    def __delitem__(self, process: Any) -> None:
        self.run.must("a dictionary has the key that is deleted", self.has(process))
        self.taken.append(process)


def unknown_spaces(run: Run) -> tuple[Any, Objects, Any]:
    """The spaces of any processes, and a process, which may be one of them."""
    objects, depth = Objects(run), run.number("process_depth", 0, DEEPEST)
    run.assume(objects.has(0))
    run.replace(code, "Buddy", lambda depth: ("a new space", depth))
    spaces = object.__new__(Spaces)
    spaces.__dict__.update(process_depth=depth, spaces=objects)
    return spaces, objects, run.point("process")


@proved(
    "spaces.create.refines", "refinement", "a new process gets a space of its own, all of it free; no other is touched"
)
def create_refines(run: Run) -> None:
    spaces, objects, process = unknown_spaces(run)
    done = run.call(lambda: bool(spaces.create(process)))
    run.claim("it fails only if the process exists", objects.has(process) if not done else neg(objects.has(process)))
    run.claim("nothing is taken away", not objects.taken)
    run.claim("one space is made, or none", len(objects.put) == done)
    for of, (what, depth) in objects.put:
        own: Truth = (of == process) & (depth == spaces.process_depth)
        run.claim("it is the process's own, and new", own & (what == "a new space"))


@proved(
    "spaces.exit.refines", "refinement", "a process's space goes with it, but never the kernel's; no other is touched"
)
def exit_refines(run: Run) -> None:
    spaces, objects, process = unknown_spaces(run)
    done = run.call(lambda: bool(spaces.exit(process)))
    may = objects.has(process) & (process != 0)
    run.claim("it fails only if there is no such process, or it is the kernel", may if done else neg(may))
    run.claim("nothing is put in its place", not objects.put)
    run.claim("one space goes, or none", len(objects.taken) == done)
    for of in objects.taken:
        run.claim("it is the process's own", of == process)


@proved("spaces.of.refines", "refinement", "the space of a process is its own")
def of_refines(run: Run) -> None:
    spaces, objects, process = unknown_spaces(run)
    space = run.call(spaces.of, process)
    run.claim("a process has one if it lives", objects.has(process) if space is not None else neg(objects.has(process)))
    run.claim(
        "it is its own", all(bool(of is process) for of in objects.found) and (space is None) == (not objects.found)
    )
    run.claim("nothing changes", not objects.put and not objects.taken)


CODE = (create_refines, exit_refines, of_refines)
