"""A run as calls of a library's own functions, in expressions that every language can write."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from memoracle.drive import binding as bindings
from memoracle.drive.binding import Binding, Bound, Given, Memory, Read
from memoracle.drive.expressions import Expression, ExpressionError
from memoracle.drive.library import ERRNO, OUT, VALUE, remembered_of
from memoracle.drive.native.remembered import OLD, RETURNED, Remembered, family_of, givers_of
from memoracle.drive.starting import ASSIGNED, rows_of
from memoracle.reproducers.callbacks import Callback, callbacks_of
from memoracle.reproducers.due import Due
from memoracle.reproducers.failing_run import FailingRun, ReproducerError, refused
from memoracle.reproducers.signatures import POINTER, VOID, CType, Declared, declared
from memoracle.reproducers.substitution import fits, name_of, parsed, substituted
from memoracle.trace.memory_types import NUMBERS
from memoracle.trace.operations import CACHE, UNSAID, ZONE, arguments_of, meant_by

# Functions of ours that expressions may call, besides the library's.
OF_MEMORY = ("sbrk", "take_pages", "return_pages")
HELPERS = (
    *("log2", "order_of", "storage", *OF_MEMORY),
    *(f"{does}{bits}" for does in ("load", "store") for bits in (8, 16, 32, 64)),
)
KNOWN: dict[type[msgspec.Struct], set[str]] = {
    Read: {"library", "declarations", "geometry", "private_frames", "memory_map", "memory", "constants", "zones"}
    | {"start", "operations", "callbacks", "panics", "thread_safe"}
    # A test calls one instance, freshly started: what needs others, or what a reset leaves, does not fail there.
    | {"instances", "reset"},
    # What pages show, and what is written into blocks, is read: without that a test still makes the same calls.
    Bound: {"call", "fails", "result", "misuse", "defaults", "frames", "contents"},
    Memory: {"bytes", "at", "alignment", "fill"},
}
WHY = {
    "symbols": "a linker script gives these addresses, which a program that is linked with the library cannot",
    "panic": "a panic that is a refusal ends the call half-way, after which a program cannot go on",
}


@dataclass(frozen=True)
class Start:
    """A statement of the start. name: of what has its value.  fails: whether it failed, of this value."""

    name: str | None
    call: ast.expr
    fails: ast.expr | None


@dataclass(frozen=True)
class Step:
    """One call.  place: of it, from 0.  said: in the words of a trace.  call: the expression that makes it.

    value: the variable that has what the function returned, None if it returns nothing.  out: the variable in which it
    stores something, and its type.  errno: the variable that has this.  fails, result: expressions of these.
    gives: the variable that has the result.  refused: what came of it in the run.
    """

    place: int
    said: str
    call: ast.expr
    value: str | None
    out: tuple[str, CType] | None
    errno: str | None
    fails: ast.expr | None
    result: ast.expr | None
    gives: str
    refused: bool


@dataclass(frozen=True)
class Program:
    """used: functions that are called or named.  callbacks: those that the library calls.

    conditions, given: those of what is due.
    """

    binding: Binding
    declared: Declared
    used: tuple[str, ...]
    memory: Given | None
    start: tuple[Start, ...]
    steps: tuple[Step, ...]
    due: Due
    conditions: tuple[ast.expr, ...]
    given: tuple[ast.expr, ...]
    callbacks: tuple[Callback, ...] = ()

    def type_of(self, call: ast.expr) -> CType | None:
        """What a call of a function returns; None of any other expression."""
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            found = self.declared.functions.get(call.func.id)
            return None if found is None else found.result
        return None


def program(binding: Binding, run: FailingRun, due: Due, has_callbacks: bool = False) -> Program:
    """has_callbacks: whether these can be written.

    Raises ReproducerError, and InputError for a binding that cannot be read.
    """
    if (binding.says.callbacks or binding.says.panics) and not has_callbacks:
        raise ReproducerError(f"{binding.path}: `callbacks` and `panics` can be written in C and C++ alone")
    return _Writer(binding, run).program(due)


class _Writer:
    def __init__(self, binding: Binding, run: FailingRun) -> None:
        says = binding.says
        for part in (says, *([says.memory] if says.memory else []), *says.operations.values()):
            for each in msgspec.structs.fields(part):
                value = getattr(part, each.name)
                if each.name not in KNOWN[type(part)] and value and value != each.default:
                    raise ReproducerError(
                        f"{binding.path}: `{each.name}` cannot be written in a test: {WHY[each.name]}"
                    )
        self.binding, self.run, self.declared = binding, run, declared(binding)
        self.memory = binding.memory
        sizes = {"NULL": 0, **binding.sizes, "records": len(says.memory_map), "instance": 0}
        self.constants: dict[str, int] = {**sizes, **self.declared.constants, **binding.constants}
        if self.memory is not None:
            self.constants["memory_bytes"] = self.memory.bytes
        self.callbacks = callbacks_of(binding, self.constants, frozenset(HELPERS))
        functions = {**self.declared.functions, **{each.name: each.signature for each in self.callbacks}}
        self.declared = replace(self.declared, functions=functions)
        self.variables = {*self.declared.variables, *self.declared.functions}
        if self.memory is not None:
            self.variables.add("memory")
        self.remembered: dict[str, Remembered] = {}
        called = (
            node.func
            for each in self.callbacks
            if each.body
            for node in ast.walk(each.body)
            if isinstance(node, ast.Call)
        )
        self.used: dict[str, None] = {each.id: None for each in called if isinstance(each, ast.Name)}

    def program(self, due: Due) -> Program:
        start = tuple(self._start())
        steps = tuple(each for place in range(len(self.run.events)) if (each := self._step(place)) is not None)
        if not steps or steps[-1].place != len(self.run.events) - 1:
            raise ReproducerError("the last call names what the types of the function's arguments cannot hold")
        conditions, given = (tuple(map(parsed, some)) for some in (due.conditions, due.given))
        used = tuple(self.used)
        says = self.binding, self.declared, used, self.memory
        return Program(*says, start, steps, due, conditions, given, self.callbacks)

    def _start(self) -> Iterator[Start]:
        for place, statement in enumerate(self.binding.says.start):
            step = bindings.Step(statement) if isinstance(statement, str) else statement
            found = ASSIGNED.fullmatch(step.call)
            name, text = (None, step.call) if found is None else (found[1], found[2])
            for times, row in enumerate(rows_of(self.binding, step.each)):
                values: dict[str, ast.expr | None] = {key: ast.Constant(value) for key, value in row.items()}
                call = self._expression(f"start[{place}]", text, values)
                fails, given = None, name
                if step.fails is not None:
                    given = name or f"started{place}_{times}"
                    names = {**values, VALUE: name_of(given)}
                    fails = self._expression(f"start[{place}].fails", step.fails, names)
                if given is not None and given not in self.declared.variables:
                    self.variables.add(given)
                yield Start(given, call, fails)

    def _step(self, place: int) -> Step | None:
        """None of a call that was never made, since the types of the function's arguments cannot hold its own."""
        run, event, number_ = self.run, self.run.events[place], place + 1
        operation = event["op"]
        bound = self.binding.says.operations.get(operation)
        if bound is None:
            raise ReproducerError(f"{self.binding.path}: it does not say how `{operation}` is called")
        name, values = f"operations.{operation}", self._values(place, bound)
        out = name_of(f"{OUT}{number_}")
        call = self._expression(f"{name}.call", bound.call, {**values, OUT: ast.Starred(out)})
        if not fits(call, self.declared):
            return None
        kind = self._out(call)
        is_void = isinstance(call, ast.Call) and self._returns_nothing(call)
        value = None if is_void else f"{VALUE}{number_}"
        after = {**values, OUT: out, VALUE: name_of(value) if value else None, ERRNO: name_of(f"{ERRNO}{number_}")}
        fails, result = (
            None if text is None else self._expression(f"{name}.{key}", text, after)
            for key, text in (("fails", bound.fails), ("result", bound.result))
        )
        reads = {node.id for each in (fails, result) if each for node in ast.walk(each) if isinstance(node, ast.Name)}
        errno = f"{ERRNO}{number_}"
        self._remember(place, value)
        return Step(
            place,
            run.said(place),
            call,
            value,
            None if kind is None else (f"{OUT}{number_}", kind),
            errno if errno in reads else None,
            fails,
            result,
            run.variable(place),
            refused(event),
        )

    def _values(self, place: int, bound: Bound) -> dict[str, ast.expr | None]:
        """What each name of an operation's expressions stands for."""
        event = self.run.events[place]
        defaults = meant_by(event["op"], bound.defaults)
        found: dict[str, ast.expr | None] = {}
        for key in arguments_of(event["op"]):
            name = "from_" if key == "from" else key
            if key not in self.run.requests[place].arguments:
                found[name] = ast.Constant(defaults[key]) if key in defaults else None
            elif key == CACHE and isinstance(event[key], str):
                found[name] = ast.Constant(NUMBERS[event[key]])
            elif key == ZONE:
                found[name] = self._zone(event[key])
            else:
                found[name] = parsed(self.run.argument(place, key))
        block = self._block(place)
        for name in remembered_of(event["op"]):
            key = name.removeprefix(OLD)
            value = block.get(key, UNSAID.get(key, 0))
            if key == RETURNED:
                found[name] = name_of(value) if isinstance(value, str) else ast.Constant(0)
            else:
                found[name] = self._zone(value) if key == ZONE else ast.Constant(value)
        own = {*self.constants, *self.variables}  # the binding's names, which an argument may have, too
        return {name: value for name, value in found.items() if name not in own}

    def _zone(self, zone: Any) -> ast.expr | None:
        value = self.binding.says.zones.get(zone) if isinstance(zone, str) else None
        return None if value is None else self._expression(f"zones.{zone}", str(value), {})

    def _block(self, place: int) -> Mapping[str, Any]:
        """What is remembered of the block that a call is about."""
        event = self.run.events[place]
        return self.remembered.setdefault(family_of(event["op"]), Remembered()).of(event)

    def _remember(self, place: int, value: str | None) -> None:
        event, asked = self.run.events[place], self.run.requests[place].arguments
        if event["op"] in givers_of(event["op"]) and not refused(event):
            given = event.get("result", event.get("address"))
            self.remembered.setdefault(family_of(event["op"]), Remembered()).note(asked, given, value)

    def _expression(self, name: str, text: str, values: Mapping[str, ast.expr | None]) -> ast.expr:
        """An expression of a binding, with values in the place of names, as far as it can be computed now."""
        known = {*self.constants, *self.variables, *values}
        try:
            tree = Expression(text, known, {*self.declared.functions, *HELPERS}).tree
        except ExpressionError as fault:
            raise self.binding.fault(name, str(fault)) from None
        found = substituted(tree.body, self.constants, values)
        for node in ast.walk(found):
            if isinstance(node, ast.Name) and node.id in {*self.declared.functions, *HELPERS}:
                self.used[node.id] = None
        return found

    def _returns_nothing(self, call: ast.Call) -> bool:
        found = self.declared.functions.get(call.func.id) if isinstance(call.func, ast.Name) else None
        return found is not None and found.result.kind == VOID

    def _out(self, call: ast.expr) -> CType | None:
        """The type of what a function stores through the pointer that the binding calls `out`."""
        for node in ast.walk(call):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id not in HELPERS:
                parameters = self.declared.functions[node.func.id].parameters
                for argument, kind in zip(node.args, parameters, strict=False):
                    if isinstance(argument, ast.Starred):
                        if kind.kind != POINTER or kind.target is None:
                            raise ReproducerError(f"{node.func.id}: `out` is no pointer to what it stores")
                        return kind.target
        return None


def names_in(trees: list[ast.expr]) -> set[str]:
    """The variables that expressions have."""
    found = (node for tree in trees for node in ast.walk(tree))
    return {node.id for node in found if isinstance(node, ast.Name)}
