"""A shared library as a target, called as its binding says, without a compiler (cffi's ABI mode)."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeAlias

import cffi

from memoracle.drive.binding import Binding, Bound
from memoracle.drive.expressions import Expression, key_of
from memoracle.drive.extents import FREES, named_in_calls
from memoracle.drive.native.filling import DamagedError, Filling
from memoracle.drive.native.functions import Stored
from memoracle.drive.native.inputs import Inputs
from memoracle.drive.native.not_asked import NotAskedError
from memoracle.drive.native.remembered import OLD, RETURNED, Remembered, family_of, givers_of
from memoracle.drive.starting import Starting
from memoracle.drive.target import Answer, DiedError
from memoracle.trace.geometry import shown
from memoracle.trace.inputs import InputError
from memoracle.trace.memory_types import NAMES
from memoracle.trace.operations import (
    MEMORY_TYPE,
    QUESTIONS,
    TRUTH,
    ZONE,
    answer_of,
    arguments_of,
    may_be_null,
    meant_by,
)
from memoracle.trace.quoting import quoted

VALUE, OUT, ERRNO = "value", "out", "errno"
RESULT, PLACE = "result", "place"  # of kernel pages: their address, and which page it is
REFUSED = Answer(error="refused")
Call: TypeAlias = Callable[[Mapping[str, Any]], Answer]
UNPUNISHED = frozenset({"ignore", "either"})  # what becomes of misuse that need not be refused


def remembered_of(operation: str) -> set[str]:
    """What may be asked, of a block that an operation is about, about the allocation that gave it."""
    own, givers = arguments_of(operation), givers_of(operation)
    if "address" not in own or not givers:
        return set()
    asked = {key for giver in givers for key in arguments_of(giver)} - {"address", "process"}
    return {RETURNED, *(OLD + key for key in asked), *(asked - own.keys())}


@dataclass(frozen=True)
class Spoken:
    """The expressions of one operation. keys: by name in an expression, the argument of the event."""

    bound: Bound
    keys: Mapping[str, str]
    call: Expression
    fails: Expression | None
    result: Expression | None

    @property
    def after(self) -> list[str]:
        """The names that are read once the function has returned."""
        return sorted({name for each in (self.fails, self.result) if each is not None for name in each.names})

    @property
    def names(self) -> set[str]:
        return {*self.call.names, *self.after}


class Library:
    """A library, which is loaded and started by `start`.

    operations: that it has; of each, the arguments that a call may name.
    refusing: those that may be misused: they can say that they refuse, or ignore what they should refuse.
    """

    def __init__(self, binding: Binding, fills: bool = False, raw: bool = False, threads: bool = False) -> None:
        """fills: whether blocks are written, and read again.  raw: whether an answer may be what no answer is.

        threads: whether several call it at once.

        Raises InputError for a binding that does not fit.
        """
        self.binding, self.raw = binding, raw
        if fills and not any(bound.contents for bound in binding.says.operations.values()):
            raise binding.fault("operations", "--fill: none says where the `contents` are of what it hands out")
        self.fills = fills
        self.ffi = cffi.FFI()
        try:
            with warnings.catch_warnings(action="ignore"):  # of variables without `extern`
                self.ffi.cdef(binding.says.declarations)
        except Exception as fault:  # cffi has no common class for what is wrong with a declaration
            raise binding.fault_in_declarations(str(fault)) from None
        self.starting = Starting(binding, self.ffi, threads)

    def start(self) -> Library:
        """Loads it and starts it; raises InputError.

        instances: this one, and others of the same library.  resets: whether they can be reset.
        """
        self.loaded, *others = self.starting.start()
        self._bind()
        self.resets = bool(self.binding.says.reset)
        self.instances = [self]
        for loaded in others:
            other = copy(self)
            other.loaded = loaded
            other._bind()
            self.instances.append(other)
        return self

    def reset(self, instance: int) -> None:
        """Makes an instance as it was when it was started; raises InputError."""
        other = self.instances[instance]
        self.starting.make(other.loaded, "reset", self.binding.says.reset)
        other._bind()

    def _bind(self) -> None:
        """Reads the expressions, with the names that the start has given."""
        self.zones = {
            name: self.loaded.value(f"zones.{name}", str(value)) for name, value in self.binding.says.zones.items()
        }
        spoken = {name: self._spoken(name, bound) for name, bound in self.binding.says.operations.items()}
        self._refuse_zones(spoken)
        families = {family_of(name) for name, each in spoken.items() if each.names & remembered_of(name)}
        self.remembered = {family: Remembered() for family in families}
        self.operations: dict[str, frozenset[str]] = {
            name: named_in_calls(name, {each.keys[key] for key in _asked(name, each) & each.keys.keys()})
            for name, each in spoken.items()
        }
        misuse = dict(self.binding.geometry.misuse)
        self.refusing = frozenset(
            name
            for name, each in spoken.items()
            if each.fails is not None or each.bound.panic == "refuse" or misuse.get(name) in UNPUNISHED
        )
        self.spoken = spoken
        self.calls = {name: self._bound(name, each) for name, each in spoken.items()}
        if self.fills:
            self._fill()

    def _refuse_zones(self, spoken: Mapping[str, Spoken]) -> None:
        """Raises InputError where calls say the zone, and there are none, or one that has no number."""
        zones = [zone.name for zone in self.binding.geometry.zones]
        saying = [name for name, each in spoken.items() if ZONE in each.keys.values() and ZONE in each.names]
        if saying and not zones:
            raise self.binding.fault(f"operations.{saying[0]}.call", "it names `zone`, and the geometry has no zones")
        missing = [zone for zone in zones if zone not in self.zones]
        if saying and missing:
            raise self.binding.fault("zones", f"{quoted(missing[0])} has no number")

    def for_thread(self) -> Library:
        """The same library for another thread: what its functions store, they store in room of its own."""
        other = copy(self)
        other.calls = {name: other._bound(name, each) for name, each in self.spoken.items()}
        return other

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        try:
            return self.calls[operation](arguments)
        except NotAskedError as fault:
            if is_of_answer(key_of(fault)):
                raise DiedError(f"its answer cannot be read: {fault}") from None
            raise
        except (DiedError, InputError):
            raise
        except Exception as fault:  # of what the binding computes, or passes
            raise self.loaded.blamed(f"operations.{operation}", fault) from None

    def _spoken(self, operation: str, bound: Bound) -> Spoken:
        keys = {"from_" if key == "from" else key: key for key in arguments_of(operation)}
        named = {*keys, *remembered_of(operation)}
        keys = {
            name: key for name, key in keys.items() if name not in self.loaded.names
        }  # the binding's names come first
        name, expression = f"operations.{operation}", self.loaded.expression
        after = (
            None if text is None else expression(f"{name}.{key}", text, VALUE, OUT, ERRNO, *named)
            for key, text in (("fails", bound.fails), ("result", bound.result))
        )
        spoken = Spoken(bound, keys, expression(f"{name}.call", bound.call, OUT, *named), *after)
        self._refuse_nothing(name, spoken)
        return spoken

    def _refuse_nothing(self, name: str, spoken: Spoken) -> None:
        """Raises InputError where nothing is called, or what a function returns is read that returns nothing.

        What is stored nowhere cannot be read either. To read the library's memory, or a variable of it, is enough for a
        question; what changes something calls a function of it, or stores something.
        """
        does = {each.rstrip("0123456789") for each, _ in spoken.call.calls if each not in self.loaded.types}
        calls = any(each in self.loaded.types for each, _ in spoken.call.calls) or "store" in does
        reads = "load" in does or bool(spoken.call.names & self.loaded.variables.names)
        if not calls and not (reads and name.removeprefix("operations.") in QUESTIONS):
            words = "it calls no function of the library" + ("" if reads else " and reads none of its variables")
            raise self.binding.fault(f"{name}.call", f"{words}: {quoted(spoken.bound.call)}")
        returned = [self.loaded.types.get(each) for each in functions_returned(spoken.call.tree.body)]
        for key, each in (("fails", spoken.fails), ("result", spoken.result)):
            if each is None:
                continue
            if VALUE in each.names and any(kind is not None and kind.result.kind == "void" for kind in returned):
                raise self.binding.fault(f"{name}.{key}", "`value` is nothing: the function returns none")
            if OUT in each.names and OUT not in spoken.call.names:
                raise self.binding.fault(f"{name}.{key}", "`out` is stored by nothing: the call does not name it")

    def _bound(self, operation: str, spoken: Spoken) -> Call:
        loaded, bound = self.loaded, spoken.bound
        remembered = self.remembered.get(family_of(operation))
        out = self._out(operation, spoken.call) if OUT in spoken.call.names else None

        meant, answered = meant_by(operation, bound.defaults), self._answer(operation)

        def inputs(names: set[str], *others: str) -> Inputs:
            own = names - {OUT, *others} - loaded.names.keys()
            return Inputs(sorted(own), spoken.keys, meant, remembered, self.zones, loaded.variables, self.binding.fault)

        # An event may have a `value`: the call's is that, and what is read after it is what it returned.
        before, after = inputs(spoken.call.names), inputs(set(spoken.after), VALUE, ERRNO)
        values = {**loaded.names, OUT: None if out is None else out.address}
        call = spoken.call.compiled(before.names, values, loaded.functions)
        fails, result = (
            None if each is None else each.compiled((VALUE, OUT, ERRNO, *after.names), loaded.names, loaded.functions)
            for each in (spoken.fails, spoken.result)
        )
        reads_errno, ffi = ERRNO in spoken.after, self.ffi
        is_watched = loaded.panics is not None or bool(loaded.callbacks.kinds)
        remembers = remembered is not None and operation in givers_of(operation)

        def run(arguments: Mapping[str, Any]) -> Answer:
            if out is not None:
                out.clear()
            if reads_errno:
                ffi.errno = 0
            try:
                value = call(*before(arguments))
            except OverflowError as fault:  # it cannot be asked for what its arguments' types do not hold
                raise NotAskedError(str(fault)) from None
            if is_watched:
                panic = loaded.panic()
                if panic is not None:
                    if bound.panic == "refuse":
                        return Answer(error=panic)
                    raise DiedError(panic)
            stored, number = None if out is None else out.read(), ffi.errno if reads_errno else 0
            given = after(arguments)
            if fails is not None and fails(value, stored, number, *given):
                return REFUSED
            answer = None if result is None else answered(result(value, stored, number, *given))
            if remembers and remembered is not None:
                remembered.note(arguments, arguments.get("address") if answer is None else answer, value)
            return Answer(answer)

        if bound.frames is not None:
            return self._naming_frames(operation, bound.frames, run)
        is_plain = not (is_watched or remembers or before.is_special or after.is_special)
        return self._plain(spoken, run, answered) if is_plain and out is None and not reads_errno else run

    def _fill(self) -> None:
        """Every call reads the block that it is about, and writes what it hands out."""
        loaded, contents = self.loaded, dict[str, Callable[[Any], int]]()
        for operation, bound in self.binding.says.operations.items():
            if bound.contents is None:
                continue
            name = f"operations.{operation}.contents"
            expression = loaded.expression(name, bound.contents, RESULT)
            contents[operation] = self._place(operation, expression.compiled((RESULT,), loaded.names, loaded.functions))
        filling = Filling(contents, self.binding.geometry.page_size)
        self.calls = {name: _filled(name, call, filling) for name, call in self.calls.items()}

    def _place(self, operation: str, place: Callable[[Any], Any]) -> Callable[[Any], int]:
        """An expression that is the address of a block, as one that cannot be anything else."""
        answered = self._answer(operation, "contents")
        return lambda result: int(answered(place(result)))

    def _naming_frames(self, operation: str, text: str, call: Call) -> Call:
        """A call that says of each page which frame it shows."""
        loaded, name = self.loaded, f"operations.{operation}.frames"
        expression = loaded.expression(name, text, RESULT, PLACE)
        frame, answered = (
            expression.compiled((RESULT, PLACE), loaded.names, loaded.functions),
            self._answer(operation, "frames"),
        )

        def run(arguments: Mapping[str, Any]) -> Answer:
            answer = call(arguments)
            if answer.error is not None:
                return answer
            return answer._replace(
                frames=[answered(frame(answer.result, place)) for place in range(arguments["pages"])]
            )

        return run

    def _answer(self, operation: str, said: str = "result") -> Callable[[Any], Any]:
        """Makes an answer of what an expression is. That raises DiedError for a number that is no answer."""
        kind, key = answer_of(operation), f"operations.{operation}.{said}"

        def number(found: Any) -> Any:
            if type(found) is int:
                if 0 <= found < 1 << 64:
                    return found
                raise DiedError(f"it answers {found}, which is no number of 64 bits")
            if found is None and may_be_null(operation):
                return None
            raise self.binding.fault(key, f"an integer was expected, not {in_words(found)}")

        def memory_type(found: Any) -> Any:
            name = NAMES.get(number(found))
            if name is None:
                raise DiedError(f"it answers {found}, which is the number of no memory type")
            return name

        if self.raw:
            return lambda found: found
        return bool if kind == TRUTH else memory_type if kind == MEMORY_TYPE else number

    def _plain(self, spoken: Spoken, otherwise: Call, answered: Callable[[Any], Any]) -> Call:
        """The same call where only its arguments and its value are of account: most are, and this takes less time.

        otherwise: for an event that leaves an argument out.  answered: makes an answer of a result.
        """
        values, functions = self.loaded.names, self.loaded.functions
        call = spoken.call.compiled((), values, functions, spoken.keys)
        after = {name: key for name, key in spoken.keys.items() if name != VALUE}
        fails, result = (
            None if each is None else each.compiled((VALUE,), values, functions, after)
            for each in (spoken.fails, spoken.result)
        )

        def run(arguments: Mapping[str, Any]) -> Answer:
            if not asked <= arguments.keys():
                return otherwise(arguments)
            try:
                value = call(arguments)
            except OverflowError as fault:
                raise NotAskedError(str(fault)) from None
            if fails is not None and fails(value, arguments):
                return REFUSED
            return Answer(None if result is None else answered(result(value, arguments)))

        asked = {spoken.keys[name] for name in spoken.names & spoken.keys.keys()}
        return run

    def _out(self, operation: str, call: Expression) -> Stored:
        """Room for what the function stores through the pointer that the binding calls `out`."""
        for node in ast.walk(call.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                for place, argument in enumerate(node.args):
                    if isinstance(argument, ast.Name) and argument.id == OUT:
                        kind = self.loaded.type_of_argument(node.func.id, place)
                        if kind is not None and kind.kind == "pointer":
                            return Stored(self.ffi, kind)
        raise self.binding.fault(f"operations.{operation}.call", "`out` is no pointer that a function takes")


def _asked(operation: str, spoken: Spoken) -> set[str]:
    """The names of what is asked for: of a free only those that its function is told."""
    return {*spoken.call.names} if operation in FREES else spoken.names


def in_words(found: Any) -> str:
    """What is no integer, in words of whoever wrote a binding."""
    if found is None or isinstance(found, bool):
        return shown(found)
    return "a number with a fraction" if isinstance(found, float) else "a structure"


def is_of_answer(key: str | None) -> bool:
    """Whether a key's expression is computed once the function has returned."""
    return key is not None and key.endswith((".fails", ".result", ".frames"))


def functions_returned(tree: ast.expr) -> list[str]:
    """The functions of which one makes the value of a call."""
    if isinstance(tree, ast.IfExp):
        return [*functions_returned(tree.body), *functions_returned(tree.orelse)]
    return [tree.func.id] if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) else []


def _filled(operation: str, call: Call, filling: Filling) -> Call:
    def run(arguments: Mapping[str, Any]) -> Answer:
        try:
            filling.before(operation, arguments)
        except DamagedError as damage:
            raise DiedError(f"its memory was damaged: {damage}") from None
        answer = call(arguments)
        filling.after(operation, arguments, answer)
        return answer

    return run
