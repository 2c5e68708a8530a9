"""Writes a run as a program: the expressions of a binding, with what each name stands for in each call."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import msgspec

from memoracle.drive import binding as bindings
from memoracle.drive.binding import Binding, Bound, Memory, Read
from memoracle.drive.expressions import Expression, ExpressionError
from memoracle.drive.library import ERRNO, OUT, VALUE, remembered_of
from memoracle.drive.native.remembered import OLD, RETURNED, Remembered, family_of, givers_of
from memoracle.drive.requests import RESET
from memoracle.drive.starting import ASSIGNED, rows_of
from memoracle.reproducers.callbacks import callbacks_of
from memoracle.reproducers.due import Due
from memoracle.reproducers.failing_run import Event, FailingRun, ReproducerError, refused
from memoracle.reproducers.program import Program, Start, Step
from memoracle.reproducers.signatures import POINTER, VOID, CType, declared
from memoracle.reproducers.substitution import fits, name_of, parsed, substituted
from memoracle.reproducers.symbols import needs_a_place, placed, symbols_of
from memoracle.trace.memory_types import NUMBERS
from memoracle.trace.operations import CACHE, UNSAID, ZONE, arguments_of, meant_by

# Functions of ours that expressions may call, besides the library's.
OF_MEMORY = ("sbrk", "take_pages", "return_pages")
HELPERS = (
    *("log2", "order_of", "storage", *OF_MEMORY),
    *(f"{does}{bits}" for does in ("load", "store") for bits in (8, 16, 32, 64)),
)
MEMORY, PANICKED = "memory", "panicked"
# What some languages can write, and others cannot.
CALLBACKS, SYMBOLS, REFUSALS = "callbacks", "symbols", "panic"
KNOWN: dict[type[msgspec.Struct], set[str]] = {
    Read: {"library", "declarations", "geometry", "private_frames", "memory_map", "memory", "constants", "zones"}
    | {"start", "operations", "callbacks", "panics", "thread_safe", "instances", "reset"},
    # What pages show, and what is written into blocks, is read: without that a test still makes the same calls.
    Bound: {"call", "fails", "result", "misuse", "defaults", "frames", "contents"},
    Memory: {"bytes", "at", "alignment", "fill"},
}
WHY = {
    SYMBOLS: "it is linked, or loaded, by others, who would have to give these addresses",
    REFUSALS: "a panic that is a refusal ends the call half-way, after which only C and C++ can go on",
}


@dataclass
class _Instance:
    """number: of it.  names: what those that its start has given stand for.  remembered: of its blocks, by family."""

    number: int
    names: dict[str, ast.expr | None] = field(default_factory=dict)
    remembered: dict[str, Remembered] = field(default_factory=dict)


@dataclass(frozen=True)
class _Call:
    """One call that is to be written. number: which it is, for a reader.  suffix: how its variables' names end.

    event: the call, and what came of it.  asked: the arguments that it named.  argument: one as an expression.
    gives: the variable that has the result.
    """

    number: str
    suffix: str
    said: str
    instance: _Instance
    event: Event
    asked: Mapping[str, Any]
    argument: Callable[[str], str]
    gives: str


def program(binding: Binding, run: FailingRun, due: Due, can: Collection[str] = ()) -> Program:
    """can: of what not every language can write, that which this one can.

    Raises ReproducerError, and InputError for a binding that cannot be read.
    """
    if (binding.says.callbacks or binding.says.panics) and CALLBACKS not in can:
        raise ReproducerError(f"{binding.path}: `callbacks` and `panics` can be written in C, C++ and Rust alone")
    return _Writer(binding, run, can).program(due)


class _Writer:
    def __init__(self, binding: Binding, run: FailingRun, can: Collection[str]) -> None:
        says = binding.says
        for part in (says, *([says.memory] if says.memory else []), *says.operations.values()):
            for each in msgspec.structs.fields(part):
                value = getattr(part, each.name)
                if each.name not in {*KNOWN[type(part)], *can} and value and value != each.default:
                    raise ReproducerError(
                        f"{binding.path}: `{each.name}` cannot be written in a test: {WHY[each.name]}"
                    )
        self.binding, self.run, self.declared = binding, run, declared(binding)
        self.memory = binding.memory
        if self.memory is not None and needs_a_place(binding):
            self.memory = placed(self.memory)
        sizes = {"NULL": 0, **binding.sizes, "records": len(says.memory_map)}
        self.constants: dict[str, int] = {**sizes, **self.declared.constants, **binding.constants}
        if self.memory is not None:
            self.constants["memory_bytes"] = self.memory.bytes
        catches = any(each.panic == "refuse" for each in says.operations.values())
        self.callbacks = callbacks_of(binding, {**self.constants, "instance": 0}, frozenset(HELPERS), catches)
        functions = {**self.declared.functions, **{each.name: each.signature for each in self.callbacks}}
        self.declared = replace(self.declared, functions=functions)
        self.taken = {*self.declared.variables, *self.declared.functions, *self.constants, *HELPERS}
        # Without what others were asked one instance is enough, whichever it was.
        self.instances = [_Instance(number) for number in range(says.instances if run.asides else 1)]
        self.own = self.instances[run.instance if run.asides else 0]
        self.memories = [] if self.memory is None else [self._fresh(MEMORY, each) for each in self.instances]
        for instance, memory in zip(self.instances, self.memories, strict=False):
            instance.names[MEMORY] = name_of(memory)
        called = (
            node.func
            for each in self.callbacks
            if each.body
            for node in ast.walk(each.body)
            if isinstance(node, ast.Call)
        )
        self.used: dict[str, None] = {each.id: None for each in called if isinstance(each, ast.Name)}

    def program(self, due: Due) -> Program:
        start = tuple(each for instance in self.instances for each in self._made("start", instance))
        steps = tuple(self._steps())
        if not steps or not isinstance(steps[-1], Step) or steps[-1].number != str(len(self.run.events)):
            raise ReproducerError("the last call names what the types of the function's arguments cannot hold")
        conditions, given = (tuple(map(parsed, some)) for some in (due.conditions, due.given))
        return Program(
            self.binding,
            self.declared,
            tuple(self.used),
            self.memory,
            start,
            steps,
            due,
            conditions,
            given,
            self.callbacks,
            tuple(self.memories),
            symbols_of(self.binding, self.constants, self.memory),
        )

    def _fresh(self, name: str, instance: _Instance) -> str:
        """A name of a variable that no other has: that of the first instance is what the binding calls it."""
        found = f"{name}_{instance.number}" if instance.number else name
        while found in self.taken:
            found += "_"
        self.taken.add(found)
        return found

    def _made(self, key: str, instance: _Instance) -> Iterator[Start]:
        """The statements of the start, or of a reset, of one instance."""
        statements: Sequence[str | bindings.Step] = getattr(self.binding.says, key)
        for place, statement in enumerate(statements):
            step = bindings.Step(statement) if isinstance(statement, str) else statement
            found = ASSIGNED.fullmatch(step.call)
            name, text = (None, step.call) if found is None else (found[1], found[2])
            if step.once and instance.number:
                if name is not None and name in self.instances[0].names:
                    instance.names[name] = self.instances[0].names[name]
                continue
            for row in rows_of(self.binding, step.each):
                values: dict[str, ast.expr | None] = {each: ast.Constant(value) for each, value in row.items()}
                call = self._expression(f"{key}[{place}]", text, values, instance)
                fails, given = None, name
                if name is not None and name not in self.declared.variables:
                    given = self._fresh(name, instance)
                    instance.names[name] = name_of(given)
                if step.fails is not None:
                    given = given or self._fresh(f"started{place}", instance)
                    names = {**values, VALUE: name_of(given)}
                    fails = self._expression(f"{key}[{place}].fails", step.fails, names, instance)
                yield Start(given, call, fails)

    def _steps(self) -> Iterator[Step | Start]:
        run, aside = self.run, 0
        for place, event in enumerate(run.events):
            while aside < len(run.asides) and run.asides[aside].before == place:
                yield from self._aside(aside)
                aside += 1
            number, asked = str(place + 1), run.requests[place].arguments
            step = self._step(
                _Call(
                    *(number, number, run.said(place), self.own, event, asked),
                    partial(run.argument, place),
                    run.variable(place),
                )
            )
            if step is not None:
                yield step

    def _aside(self, place: int) -> Iterator[Step | Start]:
        """What was asked of another instance, or a reset."""
        run, aside = self.run, self.run.asides[place]
        instance = self.instances[aside.request.instance]
        if aside.request.operation == RESET:
            instance.remembered.clear()
            yield from self._made("reset", instance)
            return
        number, asked = f"aside {place + 1}", aside.request.arguments
        step = self._step(
            _Call(
                *(number, f"_aside{place + 1}", run.aside_said(place), instance, aside.event, asked),
                lambda name: run.aside_argument(place, name),
                run.aside_variable(place),
            )
        )
        if step is not None:
            yield step

    def _step(self, asked: _Call) -> Step | None:
        """None of a call that was never made, since the types of the function's arguments cannot hold its own."""
        event, suffix, operation = asked.event, asked.suffix, asked.event["op"]
        bound = self.binding.says.operations.get(operation)
        if bound is None:
            raise ReproducerError(f"{self.binding.path}: it does not say how `{operation}` is called")
        name, values = f"operations.{operation}", self._values(asked, bound)
        out, errno = name_of(f"{OUT}{suffix}"), f"{ERRNO}{suffix}"
        call = self._expression(f"{name}.call", bound.call, {**values, OUT: ast.Starred(out)}, asked.instance)
        if not fits(call, self.declared):
            return None
        kind = self._out(call)
        is_void = isinstance(call, ast.Call) and self._returns_nothing(call)
        value = None if is_void else f"{VALUE}{suffix}"
        after = {**values, OUT: out, VALUE: name_of(value) if value else None, ERRNO: name_of(errno)}
        fails, result = (
            None if text is None else self._expression(f"{name}.{key}", text, after, asked.instance)
            for key, text in (("fails", bound.fails), ("result", bound.result))
        )
        reads = {node.id for each in (fails, result) if each for node in ast.walk(each) if isinstance(node, ast.Name)}
        panicked = f"{PANICKED}{suffix}" if bound.panic == "refuse" else None
        if panicked is not None:
            fails = ast.BoolOp(ast.Or(), [name_of(panicked), *([] if fails is None else [fails])])
        self._remember(asked, value)
        return Step(
            asked.number,
            asked.said,
            call,
            value,
            None if kind is None else (f"{OUT}{suffix}", kind),
            errno if errno in reads else None,
            panicked,
            fails,
            result,
            asked.gives,
            refused(event),
        )

    def _values(self, asked: _Call, bound: Bound) -> dict[str, ast.expr | None]:
        """What each name of an operation's expressions stands for."""
        event, operation, instance = asked.event, asked.event["op"], asked.instance
        defaults = meant_by(operation, bound.defaults)
        found: dict[str, ast.expr | None] = {}
        for key in arguments_of(operation):
            name = "from_" if key == "from" else key
            if key not in asked.asked:
                found[name] = ast.Constant(defaults[key]) if key in defaults else None
            elif key == CACHE and isinstance(event[key], str):
                found[name] = ast.Constant(NUMBERS[event[key]])
            elif key == ZONE:
                found[name] = self._zone(event[key], instance)
            else:
                found[name] = parsed(asked.argument(key))
        block = instance.remembered.setdefault(family_of(operation), Remembered()).of(event)
        for name in remembered_of(operation):
            key = name.removeprefix(OLD)
            value = block.get(key, UNSAID.get(key, 0))
            if key == RETURNED:
                found[name] = name_of(value) if isinstance(value, str) else ast.Constant(0)
            else:
                found[name] = self._zone(value, instance) if key == ZONE else ast.Constant(value)
        own = {*self.constants, *self._known(instance)}  # the binding's names, which an argument may have, too
        return {name: value for name, value in found.items() if name not in own}

    def _zone(self, zone: Any, instance: _Instance) -> ast.expr | None:
        value = self.binding.says.zones.get(zone) if isinstance(zone, str) else None
        return None if value is None else self._expression(f"zones.{zone}", str(value), {}, instance)

    def _remember(self, asked: _Call, value: str | None) -> None:
        event = asked.event
        if event["op"] in givers_of(event["op"]) and not refused(event):
            given = event.get("result", event.get("address"))
            family = asked.instance.remembered.setdefault(family_of(event["op"]), Remembered())
            family.note(asked.asked, given, value)

    def _known(self, instance: _Instance) -> set[str]:
        """The variables that expressions may name."""
        return {*self.declared.variables, *self.declared.functions, *instance.names}

    def _expression(self, name: str, text: str, values: Mapping[str, ast.expr | None], instance: _Instance) -> ast.expr:
        """An expression of a binding, with values in the place of names, as far as it can be computed now."""
        constants = {**self.constants, "instance": instance.number}
        known = {*constants, *self._known(instance), *values}
        try:
            tree = Expression(text, known, {*self.declared.functions, *HELPERS}).tree
        except ExpressionError as fault:
            raise self.binding.fault(name, str(fault)) from None
        found = substituted(tree.body, constants, {**instance.names, **values})
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
