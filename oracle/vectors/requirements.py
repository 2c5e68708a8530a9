"""What the law requires of each call of a sequence, whatever was chosen before.

A target may choose otherwise than the reference, so after some calls it is in one of several states. All of them are
followed: a call must succeed if it does in each, and must be refused if it is in each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from memoracle.cover import heap
from memoracle.cover.graph import Reference
from memoracle.proofs.exhaustive.snapshots import duplicate, frozen
from memoracle.replay.heap.live_blocks import number_of
from memoracle.spec import heap_room
from memoracle.vectors.vector import NULLABLE, REFUSAL, SUCCESS, Given, Step

MOST_STATES = 400  # that a target may be in: where there are more, the rest of a vector is for level `exact` alone


class Possible(NamedTuple):
    """A state that a target may be in, and what the steps gave that are named later."""

    state: Reference
    given: Mapping[int, Any]


def require(steps: Sequence[Step], start: Reference, room: heap_room.Room | None = None) -> None:
    """Fills in what each step requires, and which answers are legal.

    room: of a heap in an arena, in which it depends on where the blocks lie whether one more has room.
    """
    last = {given.step: place for place, step in enumerate(steps) for given in names(step)}
    possible = [Possible(start, {})]
    skipped, live = set[int](), dict[int, int]()  # and by step, the bytes of blocks in an arena
    for place, step in enumerate(steps):
        if len(possible) > MOST_STATES or any(given.step in skipped for given in names(step)):
            skipped.add(place)
            continue
        if room is not None and step.operation == heap.NEW:
            step.requires = in_arena(room, step, list(live.values()))
            if step.requires is None:
                skipped.add(place)
            if step.requires != SUCCESS:
                continue
            live[place] = step.bytes
        found = [list(outcomes(each, step)) for each in possible]
        is_refused = step.reference.error is not None
        if is_refused and not any(found):
            step.requires = REFUSAL
        elif not is_refused and all(found) and _is_one(step, found):
            step.requires = SUCCESS
            is_answer = step.reference.result is not None or step.operation in NULLABLE
            if is_answer and not step.gives and not step.anywhere:
                step.legal = _united([result for results in found for result, _ in results])
            kept = {each for each, used in last.items() if used > place}
            possible = _distinct(_after(possible, found, place, kept))
            if step.operation == heap.DELETE:
                for given in names(step):
                    live.pop(given.step, None)
        else:
            skipped.add(place)


def in_arena(room: heap_room.Room, step: Step, live: Sequence[int]) -> str | None:
    """What becomes of a request, wherever the live blocks lie. live: their sizes; room: of no block.

    These leave so many gaps between them that one is as large as an equal part of what they leave.
    """
    size, whole = step.arguments["bytes"], number_of(room.heap.end) - number_of(room.heap.start)
    if size > whole - sum(live):
        return REFUSAL
    left = whole - sum(number_of(heap_room.taken(room, each)) for each in live)
    largest = -(-left // (len(live) + 1))
    holds = heap_room.gap_holds_it(room, size, step.alignment, 0, largest)
    holds |= not live and heap_room.arena_holds_it(room, size, step.alignment)
    return SUCCESS if holds else None


def names(step: Step) -> list[Given]:
    return [value for value in step.arguments.values() if isinstance(value, Given)]


def concrete(step: Step, given: Mapping[int, Any]) -> dict[str, Any]:
    """The arguments of a step, with what the earlier ones gave."""
    return {
        key: given[value.step] + value.added if isinstance(value, Given) else value
        for key, value in step.arguments.items()
    }


def outcomes(possible: Possible, step: Step) -> Iterator[tuple[Any, Reference]]:
    """The answers that the law allows, each with the state that follows; none if it must be refused."""
    arguments = concrete(step, possible.given)
    choices = possible.state.choices(step.operation, arguments)
    if choices is None:
        state = duplicate(possible.state)
        answer = state.call(step.operation, arguments)
        if answer.error is None:
            yield answer.result, state
        return
    for result in choices:
        state = duplicate(possible.state)
        if not state.take(step.operation, arguments, result):
            raise AssertionError("the reference refuses what the law allows")
        yield result, state


def _is_one(step: Step, found: Sequence[Sequence[tuple[Any, Reference]]]) -> bool:
    """Whether a question has the same answer in all states; what is handed out may be anywhere."""
    if step.bytes or step.gives:  # of what gives back there is no answer
        return True
    first = [result for result, _ in found[0]]
    return all([result for result, _ in each] == first for each in found)


def _united(results: Sequence[Any]) -> list[Any]:
    united = list[Any]()
    for each in results:
        if each not in united:
            united.append(each)
    return sorted(united) if all(type(each) is int for each in united) else united


def _after(
    possible: Sequence[Possible], found: Sequence[Sequence[tuple[Any, Reference]]], place: int, kept: set[int]
) -> Iterator[Possible]:
    for each, results in zip(possible, found, strict=True):
        for result, state in results:
            given = {step: value for step, value in {**each.given, place: result}.items() if step in kept}
            yield Possible(state, given)


def _distinct(possible: Iterator[Possible]) -> list[Possible]:
    return list({(frozen(each.state), frozen(each.given)): each for each in possible}.values())
