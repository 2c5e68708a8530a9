"""A failing run of the reference, which is written as a test, as the trace that a kernel like it would record."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from memoracle.reproducers.failing_run import Event, ReproducerError
from memoracle.spec.geometry import preset

PRESET = "x64-4k"
PAGE = preset(PRESET).page_size
RANGE = preset(PRESET).kernel_range.start
Translated: TypeAlias = Callable[..., Event]


def trace_of(component: str, test: str) -> list[Event]:
    """The lines of the trace: the test's calls, made of the reference, and what it answers. Raises ReproducerError."""
    if component not in HEADS:
        raise ReproducerError(f"the calls of `{component}` are no operations of a trace")
    module = ast.parse(test)
    names: dict[str, Any] = {}
    imports = [each for each in module.body if isinstance(each, ast.ImportFrom)]
    exec(compile(ast.Module(list(imports), []), "<replay>", "exec"), names)
    function = next(each for each in module.body if isinstance(each, ast.FunctionDef))
    start, *calls = _calls(function)
    subject = eval(_compiled(start), names)
    lines = HEADS[component](*(ast.literal_eval(each) for each in start.args))
    for call in calls:
        if not isinstance(call.func, ast.Attribute) or not isinstance(call.func.value, ast.Name):
            raise ReproducerError(f"`{ast.unparse(call)}` is no operation of a trace")
        name, arguments = call.func.attr, [ast.literal_eval(each) for each in call.args]
        answer = getattr(subject, name)(*arguments)
        lines.append(_event(component, name, arguments, answer))
    return lines


def _calls(function: ast.FunctionDef) -> Iterator[ast.Call]:
    """What makes the object, and each call of it; the assertions about its state at the end are left out."""
    for statement in function.body:
        value = statement.value if isinstance(statement, ast.Assign | ast.Expr) else None
        if isinstance(statement, ast.Assert) and isinstance(statement.test, ast.Compare):
            value = statement.test.left
        if isinstance(value, ast.Call):
            yield value


def _compiled(node: ast.expr) -> Any:
    return compile(ast.Expression(node), "<replay>", "eval")


def _event(component: str, name: str, arguments: list[int], answer: Any) -> Event:
    translated = OPERATIONS[component].get(name)
    if translated is None or any(each < 0 for each in arguments):
        said = ", ".join(map(str, arguments))
        raise ReproducerError(f"`{name}({said})` is no operation of a trace")
    return translated(answer, *arguments)


def _of_bitmap(frames: int, never_free: Any, trusting: bool = False) -> list[Event]:
    pieces = [{"start": first * PAGE, "bytes": (end - first) * PAGE} for first, end in never_free]
    sizes = {"preset": PRESET, "frames": frames, "never_free": pieces}
    geometry = {**sizes, "frame_free": "trusting" if trusting else "checked"}
    return [{"memoracle": 1, "geometry": geometry}, {"op": "boot", "memory_map": []}]


def _of_buddy(depth: int, highest: int | None = None, whole: bool = True) -> list[Event]:
    if not whole:
        raise ReproducerError("a range that has no pages is not in a trace")
    geometry = {"preset": PRESET, "kernel_range": {"start": RANGE, "pages": 1 << depth}, "kernel_reserved": []}
    largest = {} if highest is None else {"range_max_order": highest}
    return [{"memoracle": 1, "geometry": {**geometry, **largest}}]


def _outcome(answer: Any, result: Any = None) -> Event:
    """What an operation answers that fails by None or False."""
    if answer is None or answer is False:
        return {"error": "refused"}
    return {} if result is None else {"result": result}


def _limits(answer: Any, alignment: int, first: int, last: int) -> Event:
    asked = {"alignment": alignment * PAGE, "from": first * PAGE, "below": last * PAGE}
    return {"op": "frame.allocate", **asked, **_frame(answer)}


def _frame(answer: Any) -> Event:
    return _outcome(answer, None if answer is None else answer * PAGE)


def _adds(answer: Any, first: int, last: int) -> Event:
    piece = {"start": first * PAGE, "length": max(0, last - first) * PAGE}
    return {"op": "memory.add", **piece, **({} if answer is None else _outcome(answer))}


def _block(operation: str) -> Translated:
    def translated(answer: Any, page: int, pages: int) -> Event:
        return {"op": operation, "address": RANGE + page * PAGE, "pages": pages, **_outcome(answer)}

    return translated


HEADS: dict[str, Callable[..., list[Event]]] = {"bitmap": _of_bitmap, "buddy": _of_buddy}
OPERATIONS: dict[str, dict[str, Translated]] = {
    "bitmap": {
        "add": _adds,
        "hotplug": _adds,
        "allocate": lambda answer: {"op": "frame.allocate", **_frame(answer)},
        "allocate_within": _limits,
        "take": lambda answer, frame: {"op": "frame.reserve", "address": frame * PAGE, "count": 1, **_outcome(answer)},
        "free": lambda answer, frame: {"op": "frame.free", "address": frame * PAGE, **_outcome(answer)},
        "is_free": lambda answer, frame: {
            "op": "frame.is_free",
            "address": frame * PAGE,
            **({"error": "refused"} if answer is None else {"result": answer}),
        },
        "count": lambda answer: {"op": "frame.free_count", "result": answer},
    },
    "buddy": {
        "allocate": lambda answer, pages: {
            "op": "range.allocate",
            "pages": pages,
            **_outcome(answer, None if answer is None else RANGE + answer * PAGE),
        },
        "free": _block("range.free"),
        "reserve": _block("range.reserve"),
        "blocks": lambda answer: {
            "op": "range.list",
            "result": [[RANGE + page * PAGE, pages, taken] for page, pages, taken in answer],
        },
        "size": lambda answer, page: {"op": "range.size", "address": RANGE + page * PAGE, "result": answer},
    },
}
