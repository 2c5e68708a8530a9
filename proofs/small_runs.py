"""Exhaustive runs of the reference at small sizes, each step held to the law.

Breadth first from the constructors, every call in every state that can be reached: it must succeed exactly if the law
allows some choice, make the choice of its policy, leave the state that the law's effect describes, and keep every
clause, at all points of the small domain. The first call that does not is the end of a shortest failing sequence,
which is written out as a test to paste and run.
"""

from __future__ import annotations

import signal
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from sortedcontainers import SortedSet

from memoracle.proofs.small_world import Domain, Values, after, broken, choices, reason, seen, settled
from memoracle.spec.clauses import Clause, Operation

SECONDS = 2.0  # that one call may take


@dataclass(frozen=True)
class Part:
    """What (part of) an object stands for: a state of the law, the clauses that hold of it, and how to show it.

    words: the state for people.  shows: assertions on the object's own answers that tell this state from others.
    """

    state: Any
    domain: Domain
    clauses: Sequence[Clause]
    words: Callable[[Any], str]
    shows: Callable[[Any], list[str]]
    fresh: Any = None  # what the state is when the part comes into being


@dataclass(frozen=True)
class Call:
    """A call that the law has an operation for.

    answers: the choice that the call returns, "" if it returns only whether it succeeded.
    prefers: what the policy makes as small as possible, of a state and a choice.
    """

    said: str
    run: Callable[[Any], object]
    operation: Operation
    given: Values
    part: str = ""
    answers: str = ""
    prefers: Callable[[Any, Values], Any] | None = None


@dataclass(frozen=True)
class Question:
    """A call that changes nothing: each clause must hold of the answer, its last point; or else None is due.

    guard: the operation that says when there is an answer.
    """

    said: str
    run: Callable[[Any], object]
    clause: Clause
    given: Values
    answers: Sequence[Any]  # every answer there may be
    part: str = ""
    guard: Sequence[Clause] = ()


@dataclass(frozen=True)
class System:
    """An object of the reference to run: its constructors, by the text that calls them, and its calls in each state."""

    component: str
    scope: str
    imports: str
    variable: str
    starts: Mapping[str, Callable[[], Any]]
    parts: Callable[[Any], dict[str, Part]]
    calls: Callable[[Any], Sequence[Call | Question]]


@dataclass
class Outcome:
    """What an exhaustive run found: which operations happened, how many states, and the first failure as a test."""

    states: int = 0
    steps: int = 0
    happened: dict[str, str] = field(default_factory=dict)  # by operation, a call that succeeded
    declined: dict[str, str] = field(default_factory=dict)  # and one that was refused
    failure: str | None = None


@dataclass(frozen=True)
class Wrong:
    """What a call did that the law does not: why, and the assertions that say what is due."""

    why: str
    due: list[str]
    lawful: str = ""  # the state that is due, in words


class Endless(Exception):
    """A call did not return."""


@contextmanager
def alarmed() -> Iterator[None]:
    """Lets the calls within be cut short, where a signal can be had (in the main thread)."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Endless(f"it does not return within {SECONDS:g} seconds")

    try:
        old = signal.signal(signal.SIGALRM, ring)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def run(system: System) -> Outcome:
    """Runs every call in every state until one fails or none is left."""
    found, outcome = {}, Outcome()
    queue: list[tuple[Any, tuple[str, ...]]] = []
    with alarmed():
        for said, make in system.starts.items():
            queue.append((make(), (f"{system.variable} = {said}",)))
            found[frozen(queue[-1][0])] = True
            wrong = _keeps(system.parts(queue[-1][0]))
            if wrong is not None:
                outcome.failure = _test(system, queue[-1][1], "", wrong, {}, system.parts(queue[-1][0]))
                return outcome
        for instance, history in queue:
            parts = {name: _settled(part) for name, part in system.parts(instance).items()}
            for call in system.calls(instance):
                outcome.steps += 1
                result = duplicate(instance)
                answer, wrong = _answer(call, result)
                line = f"{call.said.replace('@', system.variable)}"
                wrong = wrong or _judge(system, call, parts, answer, result, outcome, line)
                if wrong is not None:
                    outcome.failure = _test(system, history, line, wrong, parts, system.parts(result))
                    return outcome
                key = frozen(result)
                if key not in found:
                    found[key] = True
                    queue.append((result, (*history, f"assert {line} {_equals(answer)}")))
    outcome.states = len(queue)
    return outcome


def _answer(call: Call | Question, instance: Any) -> tuple[object, Wrong | None]:
    """What a call on the object returns, or how it fails to return anything."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        return call.run(instance), None
    except Exception as raised:
        return None, Wrong(f"it raises {type(raised).__name__}: {raised}", [])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _judge(
    system: System,
    call: Call | Question,
    before: dict[str, Part],
    answer: object,
    instance: Any,
    outcome: Outcome,
    line: str,
) -> Wrong | None:
    part = before[call.part]
    if isinstance(call, Question):
        return _answers(call, part, answer, line) or _stays(before, system.parts(instance), line, answer)
    allowed = choices(call.operation, part.state, call.given, part.domain)
    succeeded = answer is not None and answer is not False
    if allowed and not succeeded:
        name, given = call.operation, _at(call.given)
        return Wrong(f"the law allows {name.name}{given}: {name.says}", [f"assert {line} {_due(call, part, allowed)}"])
    if not allowed:
        outcome.declined.setdefault(call.operation.name, line)
        if succeeded:
            clause = reason(call.operation, part.state, call.given, part.domain)
            return Wrong(f"{clause.name}: {clause.says}", [f"assert not {line}" if answer is True else f"assert {line} is None"])
        return _stays(before, system.parts(instance), line, answer)
    outcome.happened.setdefault(call.operation.name, line)
    best = _best(call, part, allowed)
    if call.answers and answer not in {choice[call.answers] for choice in best}:
        why = "it is not the choice of the policy" if best != allowed else call.operation.guard[-1].says
        return Wrong(why, [f"assert {line} {_due(call, part, allowed)}"])
    taken = [choice for choice in best if not call.answers or choice[call.answers] == answer]
    return _leaves(call, taken, before, system.parts(instance), line, answer)


def _leaves(
    call: Call, taken: list[Values], before: dict[str, Part], now: dict[str, Part], line: str, answer: object
) -> Wrong | None:
    """Whether the call left the state that the law describes, with every clause kept."""
    part = before[call.part]
    lawful = [after(call.operation, part.state, choice) for choice in taken]
    actual = seen(now[call.part].state, part.domain) if call.part in now else {}
    fits = [state for state in lawful if seen(state, part.domain) == actual]
    due = (fits or lawful)[0]
    called = f"assert {line} {_equals(answer)}"
    shown = [called, *part.shows(due)]
    lost = _keeps(now)
    if lost is not None:
        return Wrong(lost.why, shown, part.words(due))
    if not fits:
        differ = [key for key, value in seen(due, part.domain).items() if actual.get(key) != value]
        why = f"{call.operation.name}: {call.operation.says} But {_shown(differ[0], actual, seen(due, part.domain))}"
        return Wrong(why, shown, part.words(due))
    return _stays({name: other for name, other in before.items() if name != call.part}, now, line, answer)


def _keeps(parts: dict[str, Part]) -> Wrong | None:
    """Whether every clause holds of every part."""
    for part in parts.values():
        try:
            lost = broken(part.clauses, settled(part.state), part.domain)
        except ValueError as raised:  # a page that is in no block has no order
            return Wrong(f"the state is none that the law knows of ({raised})", [])
        if lost is not None:
            return Wrong(f"{lost[0].name}: {lost[0].says}{_at(lost[1])}", [])
    return None


def _stays(before: dict[str, Part], now: dict[str, Part], line: str, answer: object) -> Wrong | None:
    """Whether the parts that nothing was to happen to are as they were, and new ones are fresh."""
    for name, part in now.items():
        was = before[name].state if name in before else part.fresh
        if was is None:
            continue
        old, new = seen(was, part.domain), seen(part.state, part.domain)
        differ = [key for key, value in old.items() if new.get(key) != value]
        if differ:
            due = [f"assert {line} {_equals(answer)}", *part.shows(was)]
            return Wrong(f"nothing may change here, but {_shown(differ[0], new, old)}", due, part.words(was))
    return None


def _answers(call: Question, part: Part, answer: object, line: str) -> Wrong | None:
    given = list(call.given.values())
    exists = all(clause(part.state, *given) for clause in call.guard)
    due = [known for known in call.answers if call.clause(part.state, *given, known)] if exists else [None]
    if answer in due:
        return None
    return Wrong(f"{call.clause.name}: {call.clause.says}", [f"assert {line} {_equals(due[0])}"])


def _best(call: Call, part: Part, allowed: list[Values]) -> list[Values]:
    if call.prefers is None:
        return allowed
    prefers = call.prefers
    least = min(prefers(part.state, choice) for choice in allowed)
    return [choice for choice in allowed if prefers(part.state, choice) == least]


def _due(call: Call, part: Part, allowed: list[Values]) -> str:
    if not call.answers:
        return "is True"
    due = sorted({choice[call.answers] for choice in _best(call, part, allowed)})
    return f"== {due[0]}" if len(due) == 1 else f"in {set(due)}"


def _equals(answer: object) -> str:
    return f"is {answer}" if answer is None or isinstance(answer, bool) else f"== {answer}"


def _at(values: Values) -> str:
    return f" ({', '.join(f'{name} {value}' for name, value in values.items())})" if values else ""


def _shown(key: tuple[Any, ...], actual: Mapping[Any, Any], due: Mapping[Any, Any]) -> str:
    name, *points = key
    called = f"{name}({', '.join(map(str, points))})" if points else name
    return f"{called} is {actual.get(key)}, and {due[key]} is due"


def _settled(part: Part) -> Part:
    return Part(settled(part.state), part.domain, part.clauses, part.words, part.shows, part.fresh)


def _words(parts: dict[str, Part]) -> str:
    return "; ".join(f"{name}: {part.words(part.state)}" if name else part.words(part.state) for name, part in parts.items())


def _test(
    system: System, history: Sequence[str], line: str, wrong: Wrong, before: dict[str, Part], now: dict[str, Part]
) -> str:
    """The failing sequence as a test."""
    body = [f"# {wrong.why}", *history]
    if line:
        body += [f"# before: {_words(before)}"]
    body += [f"# after:  {_words(now)}"]
    body += [f"# due:    {wrong.lawful}"] if wrong.lawful else []
    body += wrong.due or [line]
    return f"{system.imports}\n\n\ndef test_replay() -> None:\n" + "".join(f"    {text}\n" for text in body if text)


def duplicate(value: Any) -> Any:
    """An object of the reference, or what it is made of, once more."""
    if isinstance(value, SortedSet):
        return SortedSet(value)
    if isinstance(value, dict):
        return {key: duplicate(item) for key, item in value.items()}
    if isinstance(value, set):
        return value.copy()
    if isinstance(value, array) or _is_plain(value):
        return value[:]
    if isinstance(value, list):
        return [duplicate(item) for item in value]
    if hasattr(value, "__dict__"):
        copy = object.__new__(type(value))
        vars(copy).update(duplicate(vars(value)))
        return copy
    return value


def frozen(value: Any) -> Any:
    """What an object is, to be told apart from others: everything that it keeps, whatever order it came in."""
    if isinstance(value, AbstractSet):
        return frozenset(value)
    if isinstance(value, Mapping):
        return frozenset((key, frozen(item)) for key, item in value.items())
    if isinstance(value, array) or _is_plain(value):
        return tuple(value)
    if isinstance(value, list):
        return tuple(map(frozen, value))
    return frozen(vars(value)) if hasattr(value, "__dict__") else value


def _is_plain(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], int)
