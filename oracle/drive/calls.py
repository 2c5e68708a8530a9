"""A target's calls as the lines of a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from memoracle.drive.log import ENCODE, Log
from memoracle.drive.native.not_asked import NotAskedError
from memoracle.drive.target import Answer, DiedError, Target
from memoracle.trace.decoding import decode_event

Wish: TypeAlias = tuple[str, dict[str, Any]]
Learn: TypeAlias = Callable[[str, Mapping[str, Any], Answer], None]


def lines_of(target: Target, wishes: Iterable[Wish], learn: Learn, log: Log) -> Iterator[bytes]:
    """Makes the calls, and yields the line of each once it is answered."""
    call = target.call
    for operation, arguments in wishes:
        asked = log.asked(operation, arguments)
        try:
            answer = call(operation, arguments)
        except NotAskedError:
            log.not_asked(asked)
            continue
        except DiedError as death:
            text = b',"crash":' + ENCODE(str(death)) + b"}"
            log.answered(text)
            yield asked + text
            return
        text = text_of(answer)
        log.answered(text)
        learn(operation, arguments, answer)
        yield asked + text


def require_answer(operation: str, arguments: Mapping[str, Any], answer: Answer) -> None:
    """Raises MalformedLine, or one of FAULTS, for what no event of this operation could have answered."""
    decode_event(ENCODE({"op": operation, **arguments})[:-1] + text_of(answer))


def text_of(answer: Answer) -> bytes:
    """What an answer adds to the text of its call."""
    if answer.error is not None:
        return b',"error":' + ENCODE(answer.error) + b"}"
    result = answer.result
    frames = b"" if answer.frames is None else b',"frames":' + ENCODE(answer.frames)
    if result is None:
        return frames + b"}"
    return frames + b',"result":' + (b"%d" % result if type(result) is int else ENCODE(result)) + b"}"
