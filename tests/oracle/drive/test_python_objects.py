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
    (lambda address: 1.5, "is no answer: no value of a trace is a float"),
]


@pytest.mark.parametrize(("method", "words"), ANSWERS)
def test_what_is_no_answer_is_a_crash(method: Callable[[int], object], words: str) -> None:
    with pytest.raises(DiedError, match=re.escape(words)):
        PythonObject(NAME, having(staticmethod(method))).call("frame.free", {"address": 0})
