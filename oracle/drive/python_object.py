"""A Python object as a target: its methods are named as operations are, with `_` for the dot."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Mapping
from keyword import iskeyword
from typing import Any

from memoracle.drive.binding_tables import listed
from memoracle.drive.calls import require_answer
from memoracle.drive.extents import PAGES, gives_all, named_in_calls
from memoracle.drive.target import Answer, DiedError
from memoracle.trace.decoding import FAULTS, MalformedLine
from memoracle.trace.events import OPERATIONS
from memoracle.trace.inputs import InputError
from memoracle.trace.numbers import BadNumber, number
from memoracle.trace.operations import NUMBER, answer_of, arguments_of
from memoracle.trace.quoting import quoted, said_by, shortened

VALUES = (
    int,
    str,
    list,
    tuple,
    dict,
    type(None),
)  # what a trace may have as an answer; a truth is a number of Python's
UNREADABLE = re.compile(r"Encoding objects of type (\w+) is unsupported")  # in msgspec's words
# What a module or an object may raise of its own; an interrupt may be the user's.
OWN_FAULTS = (Exception, SystemExit, GeneratorExit)
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class PythonObject:
    """What a module offers under a name: an object, or what makes one.

    A method returns the result as a trace has it; it refuses by any exception.
    operations: that it has; of each, the arguments that a call may name.  refusing: all of these.
    """

    def __init__(self, name: str, made: object = None) -> None:
        """name: `module:attribute`.  made: what that is, if it is known."""
        found = imported(name) if made is None else made
        try:
            self.target = made_of(found, name) if callable(found) else found
        except InputError:
            raise
        except OWN_FAULTS as fault:
            raise raised(name, "it cannot be made", fault) from None
        self.methods = operations_in(self.target, name)
        self.operations = {
            operation: arguments_in(name, operation, method) for operation, method in self.methods.items()
        }
        self.refusing = frozenset(self.operations)

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        untold = {PAGES} if gives_all(operation, self.operations[operation]) else ()
        given = {f"{key}_" if iskeyword(key) else key: arguments[key] for key in arguments if key not in untold}
        try:
            answer = Answer(self.methods[operation](**given))
        except Exception as refusal:
            return Answer(error=said_by(refusal))
        except BaseException as end:  # SystemExit, say
            raise DiedError(f"it ended: {said_by(end)}") from None
        if not isinstance(answer.result, VALUES):
            words = f"no value of a trace is a {type(answer.result).__name__}"
            raise DiedError(f"{shown_value(answer.result)} is no answer: {words}")
        try:
            require_answer(operation, arguments, answer)
            if isinstance(answer.result, str) and answer_of(operation) == NUMBER:
                number(answer.result)
        except (*FAULTS, MalformedLine, BadNumber, TypeError, ValueError, OverflowError) as fault:
            raise DiedError(f"{shown_value(answer.result)} is no answer: {why_none(answer.result, fault)}") from None
        return answer


def made_of(maker: Any, name: str) -> object:
    """What a class or a function makes; raises InputError for one that asks for arguments, and what it raises."""
    try:
        parameters = [*inspect.signature(maker).parameters.values()]
    except (ValueError, TypeError):  # of one that is not written in Python
        parameters = []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for each in parameters:
        if each.default is each.empty and each.kind not in optional:
            words = f"it cannot be made: it is called without arguments, and asks for `{each.name}`"
            raise InputError(name, None, words)
    return maker()


def shown_value(value: object) -> str:
    try:
        return shortened(repr(value))
    except Exception:  # its own, or of a number that has too many digits
        return "an endless number" if type(value) is int else f"what is a {type(value).__name__}"


def why_none(value: object, fault: Exception) -> str:
    """Why a value is no answer, where a decoder or an encoder says it in words of its own."""
    found = UNREADABLE.search(str(fault))
    if found is not None:
        return f"no value of a trace is a {found[1]}"
    if isinstance(fault, RecursionError):
        return "it is nested too deeply"
    if isinstance(fault, UnicodeEncodeError):
        return "its text has characters that no trace can have"
    if type(value) is int and not -(1 << 63) <= value < 1 << 64:
        return "this is no number of 64 bits"
    return str(fault)


def arguments_in(name: str, operation: str, method: Any) -> frozenset[str]:
    """The arguments of an operation that a method takes; raises InputError where it cannot be called with them."""
    called = f"`{attribute_of(operation)}`"
    try:
        parameters = [*inspect.signature(method).parameters.values()]
    except OWN_FAULTS:  # of what is no method, or says what no method does
        raise InputError(name, None, f"{called} is no method whose arguments could be read") from None
    known = arguments_of(operation)
    takes = {each.name.removesuffix("_") for each in parameters if each.kind in NAMED}
    for each in parameters:
        key = each.name.removesuffix("_")
        if each.default is each.empty and each.kind in (*NAMED, each.POSITIONAL_ONLY) and key not in known:
            raise InputError(name, None, f"{called} asks for `{each.name}`; {listed(each.name, known)}")
        if each.kind == each.POSITIONAL_ONLY and key in known:
            raise InputError(name, None, f"{called} takes `{each.name}` by its place, and arguments are given by name")
    if any(each.kind == each.VAR_KEYWORD for each in parameters):
        takes |= {key for key, is_due in known.items() if is_due}
    named = named_in_calls(operation, takes & known.keys())
    for key in sorted(named - takes):
        raise InputError(name, None, f"{called} does not take `{key}`, which each call has")
    return named


def attribute_of(operation: str) -> str:
    """By which name an object has an operation."""
    return operation.replace(".", "_")


def raised(name: str, what: str, fault: BaseException) -> InputError:
    """What went wrong in somebody's own module, where it did."""
    if isinstance(fault, SyntaxError):
        return InputError(fault.filename or name, fault.lineno, f"{name}: {what}: {fault.msg}")
    frames = [each for each in traceback.extract_tb(fault.__traceback__) if "importlib" not in each.filename]
    at = frames[-1] if len(frames) > 1 else None
    words = f"{what}: {said_by(fault)}"
    return InputError(name, None, words) if at is None else InputError(at.filename, at.lineno, f"{name}: {words}")


def operations_in(target: object, name: str) -> dict[str, Any]:
    """The operations that an object has, or a class for its objects, and the methods that these are.

    name: of the target, for messages. Raises InputError for an attribute that cannot be read.
    """
    found = {}
    for operation in sorted(OPERATIONS):
        try:
            method = getattr(target, attribute_of(operation), None)
        except OWN_FAULTS as fault:  # of a property
            raise raised(name, f"its `{attribute_of(operation)}` cannot be read", fault) from None
        if method is not None:
            found[operation] = method
    return found


def imported(name: str) -> object:
    """What a module offers; raises InputError."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise InputError(name, None, "MODULE:NAME was expected")
    sys.path.insert(0, "")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as fault:
        if fault.name in (module, module.partition(".")[0]):
            raise InputError(name, None, f"there is no module {quoted(fault.name)}") from None
        raise raised(name, "its module cannot be imported", fault) from None
    except OWN_FAULTS as fault:
        raise raised(name, "its module cannot be imported", fault) from None
    try:
        return getattr(found, attribute)
    except AttributeError:
        known = [each for each in vars(found) if not each.startswith("_")]
        raise InputError(name, None, f"the module has no {quoted(attribute)}; {listed(attribute, known)}") from None
    except OWN_FAULTS as fault:  # of a module's own `__getattr__`
        raise raised(name, f"its `{attribute}` cannot be read", fault) from None
