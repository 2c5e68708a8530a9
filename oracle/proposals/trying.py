"""Tries a proposed binding: what the functions return says what a header does not.

Each attempt has a process of its own, which may crash or hang.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

from memoracle.drive.binding import Binding
from memoracle.drive.library import Library
from memoracle.drive.native.not_asked import NotAskedError
from memoracle.drive.target import DiedError
from memoracle.proofs.obligations.process_pool import held_interrupts
from memoracle.trace.inputs import InputError

MOST_CALLS = 1 << 16
SETTLED = 3  # answers on end that are the same
PATIENCE = 3.0  # seconds
SIZES = (1, 2, 3, 8, 13, 24, 40, 100, 300, 5, 64)  # bytes, for a heap
MOST_ORDER = 40

Notes = dict[str, Any]
Attempt = Callable[[Library], Iterator[tuple[str, Any]]]


def watched(binding: Binding, attempt: Attempt) -> Notes:
    """What an attempt notes, up to where it died; `died` says of what."""
    library = Library(binding, raw=True)
    reading, writing = os.pipe()
    child, status, text, hangs = 0, 0, b"", True
    try:
        with held_interrupts():  # until it is known whom to end; the child ignores them
            child = os.fork()
            if child == 0:
                _run_child(library, attempt, writing)
        os.close(writing)
        end = time.monotonic() + PATIENCE
        while (left := end - time.monotonic()) > 0 and select.select([reading], [], [], left)[0]:
            more = os.read(reading, 1 << 16)
            if not more:
                hangs = False
                break
            text += more
    finally:
        os.close(reading)
        if child:
            if hangs:
                os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
    notes: Notes = {}
    for line in text.splitlines():
        with suppress(ValueError):
            name, value = json.loads(line)
            notes[name] = value
    if hangs:
        notes["died"] = f"no answer within {PATIENCE:g} seconds"
    elif os.WIFSIGNALED(status):
        notes["died"] = signal.Signals(os.WTERMSIG(status)).name
    elif os.WEXITSTATUS(status):
        notes["died"] = f"status {os.WEXITSTATUS(status)}"
    return notes


def _run_child(library: Library, attempt: Attempt, writing: int) -> None:
    """What the child does; it never returns."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        for each in _notes(library, attempt):
            os.write(writing, json.dumps(each).encode() + b"\n")
        status = 0
    finally:
        os._exit(status)


def _notes(library: Library, attempt: Attempt) -> Iterator[tuple[str, Any]]:
    try:
        library.start()
        yield "started", True
        yield from attempt(library)
    except (InputError, DiedError) as fault:
        yield "fault", fault.message if isinstance(fault, InputError) else str(fault)
    except Exception as fault:  # of what is called: an argument that does not fit, say
        yield "fault", f"{type(fault).__name__}: {fault}"


def exhausting(take: str, give: str | None, asked: dict[str, Any], returned: dict[str, Any]) -> Attempt:
    """Takes until the answers do not change any more; before, gives one back, and that one again.

    asked: of a request.  returned: what a free names besides the address.
    """

    def attempt(library: Library) -> Iterator[tuple[str, Any]]:
        settled, distinct = _taken(library, take, asked)
        if settled is not None:
            yield "settled", settled
        yield "taken", distinct
        if give is None or not distinct:
            return
        yield "given", _outcome(library, give, {"address": distinct[0], **returned})
        yield "given again", _outcome(library, give, {"address": distinct[0], **returned})

    return attempt


def _taken(library: Library, take: str, asked: dict[str, Any]) -> tuple[Any, list[int]]:
    """The answer that came again and again, None if none did, and those before it."""
    found: list[Any] = []
    for _ in range(MOST_CALLS):
        found.append(_outcome(library, take, asked))
        if len(found) > SETTLED and len({*map(str, found[-SETTLED:])}) == 1:
            break
    settled = found[-1] if len(found) < MOST_CALLS else None
    return settled, list(dict.fromkeys(each for each in found if isinstance(each, int) and each != settled))


def taking(take: str, operation: str, asked: dict[str, Any], run: dict[str, Any], *, first: bool) -> Attempt:
    """What is left to be taken after an operation on frames in a row, which is called twice.

    asked: of a request.  run: the arguments of the operation.  first: whether all is taken before, too.
    """

    def attempt(library: Library) -> Iterator[tuple[str, Any]]:
        if first:
            yield "before", _taken(library, take, asked)[1]
        yield "given", _outcome(library, operation, run)
        yield "given again", _outcome(library, operation, run)
        yield "taken", _taken(library, take, asked)[1]

    return attempt


def sharing(take: tuple[str, dict[str, Any]], other: tuple[str, dict[str, Any]]) -> Attempt:
    """Whether two operations, each with what it is asked for, hand out blocks of the same memory.

    One block of the other is taken, then all of the first. `shared` says that the other gives no more then, and that
    its block lies beside those of the first and is none of them.
    """

    def attempt(library: Library) -> Iterator[tuple[str, Any]]:
        block = _outcome(library, *other)
        notes = dict(exhausting(take[0], None, take[1], {})(library))
        taken = sorted(notes.get("taken", ()))
        if "settled" not in notes or not isinstance(block, int) or len(taken) < 2 or block in taken:
            return
        apart = min(abs(each - block) for each in taken)
        is_beside = apart <= min(after - before for before, after in pairwise(taken))
        yield "shared", is_beside and _outcome(library, *other) == _outcome(library, *other)

    return attempt


def in_process(create: str, take: str) -> Attempt:
    """Takes pages of a new process until the answers do not change any more."""

    def attempt(library: Library) -> Iterator[tuple[str, Any]]:
        process = _outcome(library, create, {})
        if isinstance(process, int):
            yield from exhausting(take, None, {"process": process, "pages": 1}, {})(library)

    return attempt


def sized(take: str) -> Attempt:
    """Takes blocks of some sizes, of a heap."""

    def attempt(library: Library) -> Iterator[tuple[str, Any]]:
        yield "sized", [_outcome(library, take, {"bytes": size, "alignment": 1}) for size in SIZES]

    return attempt


def ordered(take: str, give: str, refusal: Any) -> Attempt:
    """Takes a block of each order and gives it back, up to the first that is refused."""

    def attempt(library: Library) -> Iterator[tuple[str, Any]]:
        for order in range(MOST_ORDER):
            found = _outcome(library, take, {"order": order})
            if found == refusal or not isinstance(found, int):
                yield "refused order", order
                return
            yield "highest", order
            _outcome(library, give, {"address": found, "order": order})

    return attempt


def _outcome(library: Library, operation: str, arguments: dict[str, Any]) -> Any:
    """What an operation returned; a text says how it refused."""
    try:
        answer = library.call(operation, arguments)
    except NotAskedError as fault:
        return f"! {fault}"
    return answer.result if answer.error is None else f"! {answer.error}"
