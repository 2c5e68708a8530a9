"""The states of one frame that pages show, and that has uses besides: it is released when the last of both is gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from memoracle.cover.family import NOBODY, Asks, Call, call
from memoracle.cover.frames import ALLOCATE, FREE, IS_FREE
from memoracle.cover.pages import CREATE, EXIT, MAP, UNMAP
from memoracle.cover.uses import GET, PUT
from memoracle.drive.calls import Wish
from memoracle.drive.target import Answer
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import UPPER_HALF_START

RELEASE = "release"


class Held(NamedTuple):
    """frame: its address, or None while it is free.  process: a number, or None while there is none.

    shown: by which of the two pages: that of all processes (0), and that of the process (1).  gets: other uses.
    """

    frame: int | None = None
    process: int | None = None
    shown: frozenset[int] = frozenset()
    gets: int = 0

    def without(self, shown: frozenset[int], gets: int, release: bool) -> Held:
        """With fewer uses; if none is left, the frame may be released."""
        is_left = shown or gets or not release
        return self._replace(frame=self.frame if is_left else None, shown=shown, gets=gets)


class ReleaseStates:
    """Calls on one frame, one page of the kernel, and one of a process."""

    name = "a frame that is shown and used"
    start = Held()

    def __init__(self, asks: Asks, geometry: Geometry) -> None:
        self.asks, self.size = asks, geometry.page_size
        self.virtual = (UPPER_HALF_START, geometry.page_size)

    def state(self, situation: Held) -> tuple[bool, bool, frozenset[int], int]:
        return situation.frame is not None, situation.process is not None, situation.shown, situation.gets

    def words(self, state: tuple[bool, bool, frozenset[int], int]) -> str:
        is_taken, is_process, shown, gets = state
        pages = [name for place, name in enumerate(("a kernel page", "a page of the process")) if place in shown]
        used = [*pages, *(["a get"] if gets else [])]
        frame = f"a frame in use by {' and '.join(used) or 'nothing'}" if is_taken else "no frame is in use"
        return f"{frame}; {'one process' if is_process else 'no process'}"

    def calls(self, situation: Held) -> Sequence[Call]:
        return list(self._all_calls(situation))

    def questions(self, situation: Held) -> Sequence[Call]:
        return self._questions(situation)

    def wish(self, situation: Held, call: Call) -> Wish:
        arguments = dict(call.arguments)
        if call.process is not None:
            numbers = {0: 0, 1: situation.process}
            number = numbers[call.process]
            arguments["process"] = NOBODY if number is None else number
        if call.block is not None:
            key = "physical" if call.operation == MAP else "address"
            arguments[key] += situation.frame
        return call.operation, arguments

    def after(self, situation: Held, operation: str, arguments: Mapping[str, Any], answer: Answer) -> Held:
        if answer.error is not None:
            return situation
        shown, gets, release = situation.shown, situation.gets, bool(arguments.get(RELEASE, operation == EXIT))
        place = int(arguments.get("process", 0) != 0)
        if operation == ALLOCATE and answer.result is not None:
            return situation._replace(frame=answer.result)
        if operation == CREATE:
            return situation._replace(process=answer.result)
        if operation == FREE:
            return situation._replace(frame=None)
        if operation == GET:
            return situation._replace(gets=gets + 1)
        if operation == MAP:
            return situation._replace(shown=shown | {place})
        if operation == PUT:
            return situation.without(shown, gets - 1, release)
        if operation == UNMAP:
            return situation.without(shown - {place}, gets, release)
        if operation == EXIT:
            gone = situation._replace(process=None)
            return gone.without(shown - {1}, gets, release) if 1 in shown else gone
        return situation

    def _questions(self, situation: Held) -> list[Call]:
        is_asked = situation.frame is not None and IS_FREE in self.asks
        return [call(IS_FREE, address=0)._replace(block=0)] if is_asked else []

    def _releases(self, operation: str) -> list[dict[str, bool]]:
        return [{RELEASE: each} for each in (False, True)] if RELEASE in self.asks.get(operation, ()) else [{}]

    def _all_calls(self, situation: Held) -> Iterator[Call]:
        """What is refused comes first, then the question, and then the rest."""
        moves = list[Call]()
        places = range(2 if CREATE in self.asks else 1)
        for place in places:
            is_shown, is_there = place in situation.shown, place == 0 or situation.process is not None
            page = {"virtual": self.virtual[place]}
            unmaps = (
                [call(UNMAP, place, **page, **each) for each in self._releases(UNMAP)] if UNMAP in self.asks else []
            )
            if situation.frame is not None:
                shows = call(MAP, place, **page, physical=0)._replace(block=0)
                if is_shown or not is_there:
                    yield shows
                else:
                    moves.append(shows)
            if is_shown:
                moves += unmaps
            else:
                yield from unmaps
        if situation.frame is not None:
            for operation in (each for each in (GET, PUT) if each in self.asks):
                yield call(operation, address=self.size // 2, **self._releases(operation)[0])._replace(block=0)
            puts = [call(PUT, address=0, **each)._replace(block=0) for each in self._releases(PUT)]
            if PUT in self.asks and situation.gets:
                moves += puts
            elif PUT in self.asks:
                yield from puts
            if GET in self.asks and not situation.gets:
                moves.append(call(GET, address=0)._replace(block=0))
            if FREE in self.asks and not situation.gets and not situation.shown:
                moves.append(call(FREE, address=0)._replace(block=0))
        else:
            moves.append(call(ALLOCATE))
        yield from self._questions(situation)
        yield from moves
        if CREATE in self.asks and situation.process is None:
            yield call(CREATE)
        if EXIT in self.asks:
            yield from (call(EXIT, 1, **each) for each in self._releases(EXIT))
