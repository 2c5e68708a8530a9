"""Exhaustive runs of the reference at small sizes, each step held to the law.

Breadth first from the constructors, every call in every state that can be reached: it must succeed exactly if the law
allows some choice, make the choice of its policy, leave the state that the law's effect describes, and keep every
clause, at all points of the small domain. The first call that does not is the end of a shortest failing sequence,
which is written out as a test to paste and run.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

from memoracle.proofs.exhaustive.finite_states import Domain, Values, broken, choices, reason, seen, settled
from memoracle.proofs.exhaustive.snapshots import Trial, frozen
from memoracle.proofs.processor_time import SECONDS, EndlessError, limits_of_calls
from memoracle.spec.clauses import Clause, Operation, Point


@dataclass(frozen=True)
class Part:
    """What (part of) an object stands for: a state of the law, the clauses that hold of it, and how to show it.

    words: the state for people.  shows: assertions on the object's own answers that tell this state from others.
    """

    state: object
    domain: Domain
    clauses: Sequence[Clause]
    words: Callable[[Any], str]
    shows: Callable[[Any], list[str]]
    fresh: object = None  # what the state is when the part comes into being


@dataclass(frozen=True)
class Call:
    """A call that the law has an operation for.

    answers: the choice that the call returns, "" if it returns only whether it succeeded.
    policy: which choice the reference makes; prefers: what that makes as small as possible, of a state and a choice.
    silent: the call returns nothing, because it cannot be refused.
    """

    said: str
    run: Callable[[Any], object]
    operation: Operation
    given: Values
    part: str = ""
    answers: str = ""
    policy: str = ""
    prefers: Callable[[Any, Values], Any] | None = None
    silent: bool = False


@dataclass(frozen=True)
class Question:
    """A call that changes nothing: the clause must hold of the answer, its last point, and of no other; or None is due.

    guard: the operation that says when there is an answer.
    """

    said: str
    run: Callable[[Any], object]
    clause: Clause
    given: Values
    answers: Sequence[Point]  # every answer there may be
    part: str = ""
    guard: Sequence[Clause] = ()


@dataclass(frozen=True)
class System:
    """An object of the reference to run: its constructors, by the text that calls them, and its calls in each state."""

    component: str
    scope: str
    imports: str
    variable: str
    starts: Mapping[str, Callable[[], object]]
    parts: Callable[[Any], dict[str, Part]]
    calls: Callable[[Any], Sequence[Call | Question]]


@dataclass
class Exploration:
    """What an exhaustive run found: which operations happened, how many states, and the first failure as a test."""

    states: int = 0
    steps: int = 0
    happened: dict[str, str] = field(default_factory=dict)  # by operation, a call that succeeded
    declined: dict[str, str] = field(default_factory=dict)  # and one that was refused
    failure: str | None = None


class View:
    """An object, which must not change any more, as the law sees it."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self.parts = {name: replace(part, state=settled(part.state)) for name, part in parts.items()}

    @cached_property
    def tables(self) -> dict[str, dict[tuple[object, ...], object]]:
        """Of each part, everything that it is at every point."""
        return {name: seen(part.state, part.domain) for name, part in self.parts.items()}

    @cached_property
    def lost(self) -> str | None:
        """The clause that a part does not keep, in words."""
        for part in self.parts.values():
            found = broken(part.clauses, part.state, part.domain)
            if found is not None:
                return f"{found[0].name}: {found[0].says}{_at(found[1])}"
        return None

    @property
    def words(self) -> str:
        said = ((name, part.words(part.state)) for name, part in self.parts.items())
        return "; ".join(f"{name}: {words}" if name else words for name, words in said)


class Made(NamedTuple):
    """A call that was made, and what it answered; its text is written only where it is read."""

    call: Call | Question
    variable: str
    answer: object

    @property
    def line(self) -> str:
        return self.call.said.replace("@", self.variable)

    @property
    def answered(self) -> str:
        return _answered(self.call, self.line, self.answer)


@dataclass(frozen=True)
class Wrong:
    """What a call did that the law does not: why, and the assertions that say what is due."""

    why: str
    due: list[str]
    lawful: str = ""  # the state that is due, in words


def run(system: System) -> Exploration:
    """Runs every call in every state until one fails or none is left."""
    with limits_of_calls() as limit:
        return _run(system, limit)


def _run(system: System, limit: Callable[[float], None]) -> Exploration:
    known: dict[object, View] = {}  # every state met, by what its object keeps
    queue: list[tuple[object, View, tuple[str, ...]]] = []
    outcome = Exploration()
    for said, make in system.starts.items():
        instance = make()
        history: tuple[str, ...] = (f"{system.variable} = {said}",)
        view = known[frozen(instance)] = View(system.parts(instance))
        queue.append((instance, view, history))
        if view.lost is not None:
            outcome.failure = _test(system, history, "", Wrong(view.lost, []), view, view)
            return outcome
    for instance, view, history in queue:
        trial = Trial(instance)
        for call in system.calls(instance):
            outcome.steps += 1
            result = trial.object
            answer, raised = answer_of(call.run, result, limit)
            is_same = trial.is_unchanged()
            key = None if is_same else frozen(result)
            met = view if is_same else known.get(key)
            new = met or View(system.parts(result))
            made = Made(call, system.variable, answer)
            wrong = _judge(made, view, new, outcome) if not raised else Wrong(raised, [_due(made, view)])
            if wrong is not None:
                outcome.failure = _test(system, history, made.line, wrong, view, new)
                return outcome
            if is_same:
                continue
            if met is not None:
                trial.put_back()
            else:
                known[key] = new
                queue.append((result, new, (*history, made.answered)))
                trial = Trial(instance)
    outcome.states = len(queue)
    return outcome


def answer_of(run: Callable[[Any], object], instance: object, limit: Callable[[float], None]) -> tuple[object, str]:
    """What a call returns, or how it fails to return anything."""
    try:
        try:
            limit(SECONDS)
            return run(instance), ""
        finally:
            limit(0)
    except EndlessError as endless:
        return None, str(endless)
    except Exception as raised:
        return None, f"it raises {type(raised).__name__}: {raised}"


def _judge(made: Made, before: View, now: View, outcome: Exploration) -> Wrong | None:
    call, answer = made.call, made.answer
    part = before.parts[call.part]
    if isinstance(call, Question):
        legal = _true_answers(call, part)
        if answer not in legal:
            return Wrong(f"{call.clause.name}: {call.clause.says}", [_due(made, before)])
        if len(legal) > 1:
            return Wrong(f"{call.clause.name}: the law allows more than one answer: {legal}", [made.line])
        return _stays(before, now, now.parts, made)
    operation = call.operation
    allowed = choices(operation, part.state, call.given, part.domain)
    succeeded = call.silent or (answer is not None and answer is not False)
    if allowed and not succeeded:
        why = f"the law allows {operation.name}{_at(call.given)}: {operation.says}"
        return Wrong(why, [_due(made, before)])
    if not allowed:
        if operation.name not in outcome.declined:
            outcome.declined[operation.name] = made.line
        if succeeded:
            clause = reason(operation, part.state, call.given, part.domain)
            return Wrong(f"{clause.name}: {clause.says}", [_due(made, before)])
        return _stays(before, now, now.parts, made)
    if operation.name not in outcome.happened:
        outcome.happened[operation.name] = made.line
    best = _best(call, part, allowed)
    taken = [choice for choice in best if not call.answers or choice[call.answers] == answer]
    if not taken:
        lawful = [choice for choice in allowed if choice[call.answers] == answer]
        why = f"the policy: {call.policy}" if lawful else f"{operation.name}: {operation.says}"
        return Wrong(why, [_due(made, before)])
    return _leaves(call, taken, before, now, made)


def _leaves(call: Call, taken: list[Values], before: View, now: View, made: Made) -> Wrong | None:
    """Whether the call left the state that the law describes, with every clause kept."""
    part = before.parts[call.part]
    operation = call.operation
    due = [operation(part.state, *(choice[point] for point in operation.points)) for choice in taken]
    actual = now.tables.get(call.part, {})
    fits = [state for state in due if seen(state, part.domain) == actual]
    if now.lost is not None or not fits:
        lawful = (fits or due)[0]
        differs = "" if fits else _difference(actual, seen(lawful, part.domain))
        why = now.lost or f"{call.operation.name}: {call.operation.says} But {differs}"
        return Wrong(why, [made.answered, *part.shows(lawful)], part.words(lawful))
    return _stays(before, now, [name for name in now.parts if name != call.part], made)


def _stays(before: View, now: View, names: Iterable[str], made: Made) -> Wrong | None:
    """Whether the parts that nothing was to happen to are as they were, and new ones are fresh."""
    if before is now:
        return None
    for name in names:
        part = now.parts[name]
        if name in before.parts:
            lawful, was = before.parts[name].state, before.tables[name]
        else:
            lawful, was = part.fresh, seen(part.fresh, part.domain)
        if was != now.tables[name]:
            why = f"this may not change: {_difference(now.tables[name], was)}"
            return Wrong(why, [made.answered, *part.shows(lawful)], part.words(lawful))
    return None


def _true_answers(call: Question, part: Part) -> list[object]:
    given = list(call.given.values())
    if not all(clause(part.state, *given) for clause in call.guard):
        return [None]
    return [answer for answer in call.answers if call.clause(part.state, *given, answer)]


def _best(call: Call, part: Part, allowed: list[Values]) -> list[Values]:
    """The choices that the policy makes, out of those that the law allows."""
    if call.prefers is None or not allowed:
        return allowed
    prefers = call.prefers
    least = min(prefers(part.state, choice) for choice in allowed)
    return [choice for choice in allowed if prefers(part.state, choice) == least]


def _due(made: Made, before: View) -> str:
    """The call, and the answer that the law expects."""
    call, line = made.call, made.line
    part = before.parts[call.part]
    if isinstance(call, Question):
        return f"assert {line} {_equals(_true_answers(call, part)[0])}"
    best = _best(call, part, choices(call.operation, part.state, call.given, part.domain))
    if call.answers and best:
        due = sorted({choice[call.answers] for choice in best})
        return f"assert {line} == {due[0]}" if len(due) == 1 else f"assert {line} in {due}"
    return _answered(call, line, bool(best) or (None if call.answers else False))


def _answered(call: Call | Question, line: str, answer: object) -> str:
    return line if isinstance(call, Call) and call.silent else f"assert {line} {_equals(answer)}"


def _equals(answer: object) -> str:
    return f"is {answer}" if answer is None or isinstance(answer, bool) else f"== {answer}"


def _at(values: Values) -> str:
    return f" ({', '.join(f'{name} {value}' for name, value in values.items())})" if values else ""


def _difference(actual: Mapping[tuple[object, ...], object], due: Mapping[tuple[object, ...], object]) -> str:
    name, *points = key = next(key for key, value in due.items() if actual.get(key) != value)
    called = f"{name}({', '.join(map(str, points))})" if points else name
    return f"{called} is {actual.get(key)}, and {due[key]} is due"


def _test(system: System, history: Sequence[str], line: str, wrong: Wrong, before: View, now: View) -> str:
    """The failing sequence as a test."""
    body = [*remark(wrong.why), *history]
    body += remark(f"before: {before.words}") if line else []
    body += remark(f"after:  {now.words}")
    body += remark(f"due:    {wrong.lawful}") if wrong.lawful else []
    body += wrong.due
    return f"{system.imports}\n\n\ndef test_replay() -> None:\n" + "".join(f"    {text}\n" for text in body)


def remark(text: str) -> list[str]:
    """A comment, on lines that fit."""
    return textwrap.wrap(text, 112, initial_indent="# ", subsequent_indent="#   ")
