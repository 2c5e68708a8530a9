"""A Python object as a target: its methods are named as operations are, with `_` for the dot."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from typing import Any

from memoracle.drive.target import Answer
from memoracle.trace.events import OPERATIONS
from memoracle.trace.inputs import InputError


class PythonObject:
    """What a module offers under a name: an object, or what makes one.

    A method returns the result as a trace has it; it refuses by any exception.
    operations: that it has; of each, the arguments that a call may name.  refusing: all of these.
    """

    def __init__(self, name: str, made: object = None) -> None:
        """name: `module:attribute`.  made: what that is, if it is known."""
        found = imported(name) if made is None else made
        self.target = found() if callable(found) else found
        self.methods = operations_in(self.target)
        self.operations = {
            operation: frozenset(each.removesuffix("_") for each in inspect.signature(method).parameters)
            for operation, method in self.methods.items()
        }
        self.refusing = frozenset(self.operations)

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        given = {"from_" if key == "from" else key: value for key, value in arguments.items()}
        try:
            return Answer(self.methods[operation](**given))
        except Exception as refusal:
            return Answer(error=f"{type(refusal).__name__}: {refusal}")


def operations_in(target: object) -> dict[str, Any]:
    """The operations that an object has, or a class for its objects, and the methods that these are."""
    return {
        operation: method
        for operation in OPERATIONS
        if (method := getattr(target, operation.replace(".", "_"), None)) is not None
    }


def imported(name: str) -> object:
    """What a module offers; raises InputError."""
    module, _, attribute = name.partition(":")
    sys.path.insert(0, "")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as fault:
        raise InputError(name, None, str(fault)) from None
