"""Cuts a loop of the code at its invariant. Its body is a function of its own, the step.

When the loop calls the step for the first time, the invariant must hold; then two runs go on. One takes a real step
from there, which must keep the invariant and lower the measure, and ends. The other goes on from any state that
satisfies the invariant, as after any number of turns: where the loop then calls the step again, the real step must keep
the invariant and lower the measure once more, and the run ends; where the loop is left, what comes after it is run.

What the invariant does not describe must be as it was after each turn, and so must the local variables of the function
that has the loop, but those that are given the step's result at once, and those of a `for` loop. A loop is known by its
call of the step, the frame and the instruction: another call is another loop.

How far a `for` loop has come is in no variable. So only a loop whose measure says so (`Iterates`) may be one, and no
other `for` loop may be around the call: a proof sees two of its turns, and not where it ends.
"""

from __future__ import annotations

import ctypes
import dis
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from types import CodeType, FrameType
from typing import Any, NoReturn, Protocol, TypeAlias

from memoracle.proofs.symbolic.execution import EndOfRunError, Run
from memoracle.proofs.symbolic.exits import Exit, is_reference
from memoracle.proofs.symbolic.footprint import Footprint, changed, footprint, replaced, withhold
from memoracle.proofs.symbolic.values import Property
from memoracle.proofs.symbolic.witnesses import claim_same, witnessing
from memoracle.spec.clauses import Number, Term, implies, neg


@dataclass(frozen=True)
class Members:
    """A measure: a finite set, of which each turn takes away a member, and to which it adds none.

    parameter: what its members are.  lost: after a turn, a member that it took away.
    """

    has: Property
    parameter: str
    lost: Number | None = None


@dataclass(frozen=True)
class Iterates:
    """A measure: the loop is a `for` loop, which goes through what it is given once."""


@dataclass(frozen=True)
class Rises:
    """A measure: how far a number is below a limit, which stays as it is. Each turn makes the number larger."""

    number: Number
    limit: Number


Measure: TypeAlias = "Members | Iterates | Rises | Number | None"  # None: the loop has none


class Loop(Protocol):
    """A loop's invariant, as a state that one or more unknown numbers describe.

    It may also have `changes(run)`: new values of local variables of the function that has the loop, by their names.
    After a turn `havoc` is held against what the turn left (see `witnesses.py`). For this it may have
    `witnesses(result)`: what the unknowns of `havoc` then are, in their order (default: the numbers that the step
    returned); `points`: at which parameters a function is compared, by its name; `as_stand_in(value)`: what stands in
    for a real list; `look_at(*points)`: what a proof needs to know of the points of a claim; `counts`: the numbers,
    by their names, of which no bound is claimed, since they count things of which there are no more.
    """

    def on_entry(self, run: Run, arguments: tuple[Any, ...]) -> Measure:
        """Claims that the invariant holds of the state and of the step's arguments; the measure there."""

    def havoc(self, run: Run) -> object:
        """Puts any state that satisfies the invariant in place; what the step then returned."""

    def on_back_edge(self, run: Run, result: Any) -> Measure:
        """Claims that the invariant holds after a step that returned this; the measure there."""


class _Cut:
    """A loop that is cut: where it calls its step, and what there was then."""

    def __init__(self, run: Run, frame: FrameType, owner: object, loop: Loop) -> None:
        self.run, self.frame, self.at, self.owner, self.loop = run, frame, frame.f_lasti, owner, loop
        self.site = Exit(frame.f_code, frame.f_lasti)
        self.answers = stored_after(frame.f_code, frame.f_lasti)
        around = loops_around(frame.f_code, frame.f_lasti)
        # A `for` loop gives its own variables new values before it does anything else in a turn.
        self.varies = stored_after(frame.f_code, around[-1][0]) if around and around[-1][1] else set()
        run.cut.add(self.site)
        if is_reference(frame.f_code):
            run.exits.watched.add(frame.f_code)
        self.result: object = None

    def is_called_from(self, frame: FrameType) -> bool:
        return frame is self.frame and frame.f_lasti == self.at

    def first(self, step: Callable[..., object], arguments: tuple[object, ...]) -> object:
        """What the step returned after any number of turns; or one turn, which ends the run."""
        run, goals = self.run, list(self.run.goals)
        with run.reading_law():
            if getattr(self.loop, "on_back_edge", None) is None:  # this proof is about what comes before the loop only
                self.loop.on_entry(run, arguments)
                return self.loop.havoc(run)
            if run.fork():
                entered = self.parts()
                self.turn(step, arguments)
                after = self.left
                self.described = self.havoc(after)
                self.keeps(entered, after)
                raise EndOfRunError
            self.loop.on_entry(run, arguments)  # which the other run claims
            run.goals = goals
            self.described = self.havoc(self.parts())
            self.before = self.parts()
            return self.result

    def again(self, step: Callable[..., object], arguments: tuple[object, ...]) -> NoReturn:
        """One more turn, which ends the run."""
        with self.run.reading_law():
            self.run.turned.add(self.site)
            self.keeps(self.before, self.parts())
            self.turn(step, arguments, again=True)
            self.keeps(self.before, self.left)
        raise EndOfRunError

    def turn(self, step: Callable[..., object], arguments: tuple[object, ...], again: bool = False) -> None:
        run = self.run
        before = self.loop.on_entry(run, arguments)
        result = run.call(step, *arguments)
        after = self.loop.on_back_edge(run, result)
        falls(run, before, after, self.site)
        self.left = self.parts()
        self.is_one_of_havocs(result, self.described if again else set())

    def is_one_of_havocs(self, result: object, described: set[str]) -> None:
        """Claims that what a turn left is one of the states that `havoc` puts in place (see `witnesses.py`).

        described: the parts that it puts in place. It cannot read them, or they would be compared with themselves.
        """
        loop, run = self.loop, self.run
        witnesses = getattr(loop, "witnesses", witnesses_in)(result)
        stand_in = getattr(loop, "as_stand_in", lambda value: value)
        result, parts, values = stand_in(result), dict(self.left), self.frame.f_locals
        changes = getattr(loop, "changes", None)
        local = {name: footprint({name: stand_in(value)}) for name, value in values.items()} if changes else {}
        withheld = withhold({**values, "the owner": self.owner}, described)
        with witnessing(run, witnesses, getattr(loop, "look_at", None), getattr(loop, "counts", ())) as claims:
            supposed, points = loop.havoc(run), getattr(loop, "points", {})
            due: dict[str, object] = dict(changes(run)) if changes else {}
        if claims:  # which compare the state whole
            withheld.put_back()
        for claim in claims:
            claim()
        now = self.parts()
        for all_parts in (parts, now):
            for path in list(all_parts):
                if root_of(path) in due:
                    del all_parts[path]
        pairs = [(parts, now), *((local.get(name, {}), footprint({name: each})) for name, each in due.items())]
        pairs.append((footprint({"the result": result}), footprint({"the result": supposed})))
        for one, other in pairs:
            claim_same(run, points, one, other)

    def havoc(self, before: Footprint) -> set[str]:
        """Puts any state in place that satisfies the invariant; the parts that it describes."""
        self.result = self.loop.havoc(self.run)
        changes = getattr(self.loop, "changes", None)
        if changes is not None:
            assign(self.frame, changes(self.run))
        return replaced(before, self.parts())

    def keeps(self, before: Footprint, after: Footprint) -> None:
        """Claims that nothing but what the invariant describes has changed, and what the step's result became."""
        results = (*self.result, self.result) if isinstance(self.result, tuple) else (self.result,)
        values = self.frame.f_locals
        for path in changed(before, after):
            local = root_of(path)
            if path in self.described or local in self.varies:
                continue
            if local in self.answers and any(values.get(local) is each for each in results):
                continue  # what the step answered, and all that belongs to it
            self.run.assert_goal(f"a turn leaves {path} as it was, of which the loop's invariant says nothing", False)

    def parts(self) -> Footprint:
        return footprint({**self.frame.f_locals, "the owner": self.owner})


def root_of(path: str) -> str:
    """The name that a path to a part begins with."""
    return path.split(".")[0].split("[")[0]


def witnesses_in(result: object) -> list[object]:
    """The numbers that a step returned, in their order: witnesses for a `havoc` whose unknowns are these."""
    return [] if result is None else list(result) if isinstance(result, tuple) else [result]


def cut(run: Run, owner: object, step: str, loop_of: Callable[..., Loop | None]) -> None:
    """Cuts each loop that calls this step, a function of a module or a method of an object.

    loop_of: the loop's invariant, given the arguments with which the step is called first; None to run every turn.
    """
    real: Callable[..., object] = getattr(owner, step)
    cuts: list[_Cut] = []

    def stand_in(*arguments: object) -> object:
        frame = sys._getframe(1)
        for known in cuts:
            if known.is_called_from(frame):
                known.again(real, arguments)
        with run.reading_law():
            loop = loop_of(*arguments)
        if loop is None:
            return real(*arguments)
        if any(known.loop is loop for known in cuts):
            raise TypeError(f"{step} is called from another place, in a loop of its own")
        cuts.append(_Cut(run, frame, owner, loop))
        return cuts[-1].first(real, arguments)

    run.replace(owner, step, stand_in)


def falls(run: Run, before: Measure, after: Measure, site: Exit) -> None:
    """Claims that a measure fell."""
    around = [iterates for _, iterates in loops_around(site.code, site.offset)]
    unseen = around[:-1] if isinstance(before, Iterates) else around
    if True in unseen:
        run.assert_goal("a loop that is cut is in no `for` loop, of whose turns its invariant says nothing", False)
    if isinstance(before, Members):
        member = run.point(before.parameter)
        assert isinstance(after, Members)
        assert after.lost is not None
        run.assert_goal("the loop comes to an end: no member comes", implies(after.has(member), before.has(member)))
        run.assert_goal("the loop comes to an end: one goes", before.has(after.lost) & neg(after.has(after.lost)))
    elif isinstance(before, Iterates):
        run.assert_goal("the loop comes to an end: it is a `for` loop", around[-1:] == [True])
    elif isinstance(before, Rises):
        assert isinstance(after, Rises)
        rises = (before.number < after.number) & (before.number <= before.limit)
        run.assert_goal("the loop comes to an end", rises & (before.limit == after.limit))
    elif before is None:
        run.assert_goal("the loop has a measure", False)
    else:
        assert isinstance(after, int | Term)
        run.assert_goal("the loop comes to an end", (after < before) & (before >= 0))


def loops_around(code: CodeType, offset: int) -> list[tuple[int, bool]]:
    """Of each loop around an instruction, the outermost first, where it begins, and whether it is a `for` loop."""
    steps = list(dis.get_instructions(code))
    iterates = {step.offset for step in steps if step.opname == "FOR_ITER"}
    begins = {
        step.argval
        for step in steps
        if "JUMP" in step.opname and isinstance(step.argval, int) and step.argval <= offset <= step.offset
    }
    return [(begin, begin in iterates) for begin in sorted(begins)]


def stored_after(code: CodeType, offset: int) -> set[str]:
    """The local variables that are given what an instruction leaves, before anything else is done."""
    after = [step for step in dis.get_instructions(code) if step.offset > offset]
    if after[0].opname == "UNPACK_SEQUENCE":
        after = after[1:]
    found: set[str] = set()
    for step in takewhile(lambda step: step.opname.startswith("STORE_FAST"), after):
        found |= {step.argval} if isinstance(step.argval, str) else {*step.argval}
    return found


def assign(frame: FrameType, values: Mapping[str, object]) -> None:
    """Gives local variables of a running function new values."""
    frame.f_locals.update(values)
    if sys.version_info < (3, 13):
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
