"""Decides whether a recording of overlapping operations conforms: whether some order of these does.

That one does is shown by one: all operations in one order are replayed once more, as `check` replays a trace, and
what that finds is what is reported. That none does is shown by a window (`windows`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from memoracle.compiled import refuse_compiled
from memoracle.concurrent.parts import mark_sensitive, merged, parts_of
from memoracle.concurrent.recording import Operation, Recording
from memoracle.concurrent.search import Search, queued
from memoracle.concurrent.touches import Touches
from memoracle.concurrent.trail import Budget, Node, OutOfBudgetError, step
from memoracle.concurrent.windows import Refuter, Window
from memoracle.diagnostics.divergence import Divergence
from memoracle.diagnostics.levels import EXACT, Rules
from memoracle.replay.dispatch import Replay
from memoracle.trace import events
from memoracle.trace.decoding import ANYTHING, misread
from memoracle.trace.inputs import InputError
from memoracle.trace.numbers import BadNumber
from memoracle.trace.quoting import abridged

Known = TypeVar("Known")
Watch = Callable[[Replay, Iterable[Operation]], Iterator[Operation]]
STEPS = 20_000_000
MOST_WRONG = 16  # answers without which an order is looked for once more


@dataclass
class Decision:
    """What came of a recording.

    replay: of the order that was found, as far as it is legal.  divergences: what was found.  order: the lines of
    what was replayed, in this order.
    unknown: whether the budget ran out before it was known whether there is an order.
    """

    replay: Replay
    divergences: list[Divergence] = field(default_factory=list)
    unknown: bool = False
    order: list[int] = field(default_factory=list)


@dataclass
class Ordered:
    """The order that was found of one part. windows: by line, those that show that an operation has no place."""

    order: list[Node]
    windows: dict[int, Window]
    unknown: bool = False


def decide(
    path: str, recording: Recording, fresh: Callable[[], Replay], steps: int = STEPS, keep_going: bool = False
) -> Decision:
    """fresh: makes a replay of no event. Raises InputError for an event that cannot be read, and CompiledError."""
    refuse_compiled("operations that overlap are tried on copies of what replays them, which sources alone have")
    start, operations = begun(recording)
    budget = Budget(steps)
    rules = fresh().rules
    nodes = nodes_of(path, rules, operations)

    def begin() -> Replay:
        replay = fresh()
        for each in start:
            step(replay, each)
        return replay

    by_address = rules.level == EXACT
    parts = parts_of(nodes)
    for some in (parts, [nodes]):
        ordered = [order_of(each, begin, budget, by_address, keep_going) for each in some]
        decision = judged(start, ordered, fresh(), keep_going)
        windows = {line for each in ordered for line in each.windows}
        if len(some) == 1 or all(each.line in windows for each in decision.divergences):
            return decision
    return decision


def nodes_of(path: str, rules: Rules, operations: list[Operation]) -> list[Node]:
    """The operations, and what each is about; raises InputError for a number that is none."""
    touches = Touches(rules, operations)
    for each in operations:
        read(path, touches.note, each)
    for each in operations:
        read(path, touches.note_blocks, each)
    touches.note_proper_ones()
    nodes = [Node(each, read(path, touches.of, each)) for each in operations]
    mark_sensitive(nodes)
    return nodes


def read(path: str, reader: Callable[[Operation], Known], operation: Operation) -> Known:
    """What a reader makes of an operation; raises InputError, which names its line, for a number that is none."""
    try:
        return reader(operation)
    except BadNumber as fault:
        raise InputError(path, operation.line, str(misread(operation.text, fault))) from None


def begun(recording: Recording) -> tuple[list[Operation], list[Operation]]:
    """What comes before all else: a `boot` that says no times, or that returned before any other call. And the rest."""
    start, rest = list(recording.start), sorted(recording.operations, key=lambda each: (each.call, each.line))
    while len(rest) > 1 and isinstance(rest[0].event, events.Boot) and rest[0].returned < rest[1].call:
        start.append(rest.pop(0))
    return start, rest


def order_of(
    nodes: list[Node], begin: Callable[[], Replay], budget: Budget, by_address: bool, keep_going: bool
) -> Ordered:
    """The legal order of a part; where there is none, the longest, and then the operation that has no place in it."""
    search = Search(queued(nodes), begin, budget, by_address=by_address)
    refuter = Refuter(search, begin, budget, by_address)
    windows: dict[int, Window] = {}
    wrong: list[Node] = []
    try:
        while not search.run(refuter.gives_up):
            stuck = search.stuck
            windows[stuck.line] = refuter.found()
            if keep_going and not stuck.about.changes and not refuter.earliest and len(wrong) < MOST_WRONG:
                wrong.append(stuck)
                search = Search(
                    queued([each for each in nodes if each not in wrong]), begin, budget, by_address=by_address
                )
                refuter = Refuter(search, begin, budget, by_address)
                continue
            search.pass_over()
            if not keep_going:
                break
            refuter = Refuter(search, begin, budget, by_address)
            refuter.earliest = len(search.trail.order)
    except OutOfBudgetError:
        order = max(search.best, search.trail.order, key=len)
        return Ordered(with_wrong_ones(order, wrong), windows, unknown=True)
    return Ordered(with_wrong_ones(search.trail.order, wrong), windows)


def with_wrong_ones(order: list[Node], wrong: list[Node]) -> list[Node]:
    """The order, with answers that are wrong wherever they stand in it, each as early as it may."""
    for node in wrong:
        last = next((place for place in range(len(order), 0, -1) if order[place - 1].returned < node.call), 0)
        order = [*order[:last], node, *order[last:]]
    return order


def judged(start: list[Operation], ordered: list[Ordered], replay: Replay, keep_going: bool) -> Decision:
    """What a replay finds of all operations in one order."""
    decision = Decision(replay, unknown=any(each.unknown for each in ordered))
    windows = {line: window for each in ordered for line, window in each.windows.items()}
    order = start + [node.operation for node in merged(each.order for each in ordered)]
    for operation in order:
        finding = step(replay, operation)
        decision.order.append(operation.line)
        if finding is not None:
            found = replay.at(operation.line, operation.text, finding)
            window = windows.get(operation.line)
            if window is not None:
                found = replace(found, window=events_of(window), window_is_cut_short=window.is_cut_short)
            decision.divergences.append(found)
            if not keep_going:
                break
    replay.note_exhaustion()
    return decision


def replay_in_order(replay: Replay, recording: Recording, order: Sequence[int], watch: Watch) -> None:
    """Replays the operations of some lines, in this order. watch: hands each on."""
    of_line = {each.line: each for each in (*recording.start, *recording.operations)}
    for operation in watch(replay, (of_line[line] for line in order)):
        step(replay, operation)


def events_of(window: Window) -> tuple[tuple[int, object], ...]:
    """The lines and events of a window, in the order of calls."""
    operations = sorted((node.operation for node in window.nodes), key=lambda each: (each.call, each.line))
    return tuple((each.line, abridged(ANYTHING.decode(each.text))) for each in operations)
