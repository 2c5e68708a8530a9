"""A Python object whose attributes are no methods that an operation can be is said to be so, in a user's words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from memoracle.drive.python_object import PythonObject
from memoracle.drive.target import DiedError
from memoracle.trace.inputs import InputError

NAME = "module:it"


def fails(*given: Any, **named: Any) -> Any:
    raise ValueError("boom")


def ends(address: int) -> None:
    raise SystemExit(3)


class Lazy:
    @property
    def boot(self) -> Any:
        raise KeyError("boot")


class Silent(Exception):  # noqa: N818 (a kernel's own)
    def __str__(self) -> str:
        raise ValueError


def mute(self: object) -> None:
    raise Silent


class Signed:
    """It says what its arguments are in a way of its own."""

    def __call__(self) -> None: ...

    @property
    def __signature__(self) -> Any:
        raise SystemExit(4)


class Weird(int):
    pass


def endless(address: int) -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def interrupted(address: int) -> None:
    raise KeyboardInterrupt


def having(method: object) -> object:
    return type("Target", (), {"frame_free": method})()


REFUSED: list[tuple[object, str]] = [
    (having(property(fails)), "its `frame_free` cannot be read: ValueError: boom"),
    (Lazy(), "its `boot` cannot be read: KeyError: 'boot'"),
    (having(5), "`frame_free` is no method whose arguments could be read"),
    (having(int), "`frame_free` is no method whose arguments could be read"),
    (having(lambda self, adress: None), "`frame_free` asks for `adress`; did you mean address? there are address,"),
    (having(lambda self, address, extra: None), "`frame_free` asks for `extra`; there are address, count, order"),
    (having(lambda self, address, /: None), "`frame_free` takes `address` by its place, and arguments are given by"),
    (having(lambda self: None), "`frame_free` does not take `address`, which each call has"),
    (having(lambda self, *args: None), "`frame_free` does not take `address`, which each call has"),
    (having(property(ends)), "its `frame_free` cannot be read: SystemExit: 3"),
    (having(Signed()), "`frame_free` is no method whose arguments could be read"),
    (lambda frames, *more: None, "it cannot be made: it is called without arguments, and asks for `frames`"),
    (type("Mute", (), {"__init__": mute}), "it cannot be made: Silent"),
    (type("Exits", (), {"__init__": lambda self: ends(0)}), "it cannot be made: SystemExit: 3"),
]


@pytest.mark.parametrize(("target", "words"), REFUSED)
def test_what_is_no_operation_is_refused(target: object, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        PythonObject(NAME, target)


@pytest.mark.parametrize(
    ("method", "takes"),
    [
        (lambda self, address, order=0: None, {"address", "order"}),
        (lambda self, address, colour="red": None, {"address"}),
        (lambda self, **named: None, {"address"}),
        (lambda self, *, address: None, {"address"}),
    ],
)
def test_arguments_that_it_takes(method: object, takes: set[str]) -> None:
    target = PythonObject(NAME, having(method))
    assert target.operations == {"frame.free": takes}
    assert target.call("frame.free", {"address": 0}).error is None


ANSWERS: list[tuple[Callable[[int], object], str]] = [
    (ends, "it ended: SystemExit: 3"),
    (lambda address: (each for each in [address]), "is no answer: no value of a trace is a generator"),
    (lambda address: {1, 2}, "is no answer: no value of a trace is a set"),
    (interrupted, "it ended: KeyboardInterrupt"),
    (lambda address: Weird(5), "5 is no answer: no value of a trace is a Weird"),
    (lambda address: [Weird(5)], "[5] is no answer: no value of a trace is a Weird"),
    (endless, "[[...]] is no answer: it is nested too deeply"),
    (lambda address: "\ud800", "is no answer: its text has characters that no trace can have"),
    (lambda address: 10**5000, "an endless number is no answer: this is no number of 64 bits"),
    (lambda address: 1.5, "is no answer: no value of a trace is a float"),
]


@pytest.mark.parametrize(("method", "words"), ANSWERS)
def test_what_is_no_answer_is_a_crash(method: Callable[[int], object], words: str) -> None:
    with pytest.raises(DiedError, match=re.escape(words)):
        PythonObject(NAME, having(staticmethod(method))).call("frame.free", {"address": 0})
