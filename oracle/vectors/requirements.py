"""What the law requires of each call of a sequence, whatever was chosen before.

A target may choose otherwise than the reference, so after some calls it is in one of several states. All of them are
followed: a call must succeed if it does in each, and must be refused if it is in each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from memoracle.cover import heap
from memoracle.cover.graph import Reference
from memoracle.proofs.exhaustive.snapshots import duplicate, frozen
from memoracle.replay.heap.live_blocks import number_of
from memoracle.spec import heap as heap_law
from memoracle.spec import heap_room
from memoracle.vectors.vector import NULLABLE, REFUSAL, SUCCESS, Given, Step

MOST_STATES = 400  # that a target may be in: where there are more, the rest of a vector is for level `exact` alone


class Block(NamedTuple):
    """A live block in an arena.

    size: in bytes.  room: the bytes that it may take: one that becomes smaller may keep what it had.
    alignment: that divides its address.
    """

    size: int
    room: int
    alignment: int


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
    skipped, live = set[int](), dict[int, Block]()  # and by the step that gave them, the blocks of an arena
    for place, step in enumerate(steps):
        if len(possible) > MOST_STATES or any(given.step in skipped for given in names(step)):
            skipped.add(place)
            continue
        resized = _resized(step, live)
        if room is not None and (step.operation == heap.NEW or resized is not None):
            is_refused = step.reference.error is not None
            due = in_arena(room, step, list(live.values()), None if resized is None else live[resized])
            # The reference was asked for more, and may have another answer where the blocks lie otherwise.
            step.requires = None if (due == REFUSAL) != is_refused else due
            if step.requires is None:
                skipped.add(place)
            if step.requires != SUCCESS:
                continue
            before = 0 if resized is None else live.pop(resized).room
            taken = max(before, number_of(heap_room.taken(room, step.bytes)))
            live[place] = Block(step.bytes, taken, step.alignment)
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


def _resized(step: Step, live: Mapping[int, Block]) -> int | None:
    """The step that gave the block which this one resizes, if it names one that is live."""
    block = step.arguments.get("address") if step.operation == heap.RESIZE else None
    return block.step if isinstance(block, Given) and block.added == 0 and block.step in live else None


def in_arena(room: heap_room.Room, step: Step, live: Sequence[Block], resized: Block | None = None) -> str | None:
    """What becomes of a request, wherever the live blocks lie. room: of no block.  resized: which of these is resized.

    These leave so many gaps between them that one is as large as an equal part of what they leave.
    """
    size, whole = step.arguments["bytes"], number_of(room.heap.end) - number_of(room.heap.start)
    if size > whole - sum(each.size for each in live) + (0 if resized is None else resized.size):
        return REFUSAL
    if resized is not None and _may_stay(room, resized, size, step.alignment):
        return SUCCESS
    left = whole - sum(each.room for each in live)
    largest = -(-left // (len(live) + 1))
    holds = heap_room.gap_holds_it(room, size, step.alignment, 0, largest)
    holds |= not live and heap_room.arena_holds_it(room, size, step.alignment)
    return SUCCESS if holds else None


def _may_stay(room: heap_room.Room, block: Block, size: int, alignment: int) -> bool:
    """Whether the law has a block stay, of whose address no more is known than its alignment."""
    place = block.alignment
    known = replace(room.heap, is_live=lambda other: other == place, size=lambda other: block.size)
    return bool(heap_law.may_stay(known, place, size, alignment))


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
