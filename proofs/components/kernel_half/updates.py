"""The proof of a write to the kernel half, between whose steps others act."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from memoracle.proofs.abstraction.objects import halves_of
from memoracle.proofs.components.kernel_half.law import proved
from memoracle.proofs.components.kernel_half.symbolic_kernel_half import (
    SymbolicHalves,
    contents,
    is_the_laws,
    succeeds,
    unknown_code,
)
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.loops import Measure, Members, cut
from memoracle.proofs.symbolic.witnesses import Points
from memoracle.spec import kernel_half as law
from memoracle.spec.clauses import Number, Truth, implies, neg


class Steps:
    """The steps of a write of an upper entry. Before each of them, others may do anything that the law allows them.

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
        def step(*arguments: object) -> bool:
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
            # Its lock is this write's, so nobody ends it or begins another; nor does it wait for anyone new
            # (`waits_for_nobody_else`).
            run.suppose(in_flight(now, self.code.index, self.code.value))
            run.assume_for_all(("process",), lambda process: implies(state.pending(process), was(process)))
        self.code.__dict__.update(now.__dict__)
        return state


def in_flight(code: SymbolicHalves, index: Number, value: Number) -> Truth:
    """Whether an update of this entry to this value is in flight."""
    return code.updating & (code.index == index) & (code.value == value)


class Broadcast:
    """The loop that copies an update to all. At its head, others may have done anything except touch the update."""

    points: ClassVar[Points] = {"has": ("process",), "entry": ("process", "index"), "_at": ("slot",)}

    def __init__(self, steps: Steps, index: Number, value: Number) -> None:
        self.steps, self.code, self.index, self.value = steps, steps.code, index, value

    def on_entry(self, run: Run, arguments: tuple[object, ...]) -> Measure:
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

    def on_back_edge(self, run: Run, result: object) -> Measure:
        self._holds(run)
        pending, process = self.code.pending, run.point("process")
        run.assert_goal("it says whether it was copied to one", result is True or result is False)
        run.assert_goal("if it was not, nobody is waited for", implies(neg(bool(result)), neg(pending.has(process))))
        return Members(pending.has, "process", pending.popped if result else self.waited_for)

    def witnesses(self, result: Truth) -> list[object]:
        code = self.code
        functions = code.master.at, code.tables.entry, code.live.has, code.pending.has
        return [*functions, code.updating, code.index, code.value, result]

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
