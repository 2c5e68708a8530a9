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
FRAME_BUDDY = "buddy of frames"  # one whose pages need not exist: in a trace they are frames
QUESTIONS = ("blocks", "size", "is_free", "count")  # calls that change nothing
CLIPPED = ("add", "hotplug", "allocate_within")  # what lies below the first frame is as if it were not named
Translated: TypeAlias = Callable[..., Event | list[Event] | None]


def trace_of(component: str, test: str) -> list[Event]:
    """The lines of the trace: the test's calls, made of the reference, and what it answers. Raises ReproducerError."""
    if component not in HEADS:
        words = f"the calls of `{component}` are no operations of a trace; there is a pytest test"
        raise ReproducerError(words)
    module = ast.parse(test)
    names: dict[str, Any] = {}
    imports = [each for each in module.body if isinstance(each, ast.ImportFrom)]
    exec(compile(ast.Module(list(imports), []), "<replay>", "exec"), names)
    function = next(each for each in module.body if isinstance(each, ast.FunctionDef))
    start, *calls = [*_calls(function)]
    subject = eval(_compiled(start), names)
    given = [ast.literal_eval(each) for each in start.args]
    lines = HEADS[component](*given)
    kind = FRAME_BUDDY if component == "buddy" and False in given[2:] else component
    for call in calls:
        if not isinstance(call.func, ast.Attribute) or not isinstance(call.func.value, ast.Name):
            raise ReproducerError(f"`{ast.unparse(call)}` is no operation of a trace")
        name, arguments = call.func.attr, [ast.literal_eval(each) for each in call.args]
        answer = getattr(subject, name)(*arguments)
        if name == "fix" and len(lines) == 1 and answer:
            page, pages = arguments
            lines[0]["geometry"]["kernel_reserved"].append({"page": page, "pages": pages})
            continue
        events = _events(kind, name, arguments, answer)
        if events is not None:
            lines += events
        elif call is calls[-1] or (answer is not None and answer is not False and name not in QUESTIONS):
            said = ", ".join(map(str, arguments))
            raise ReproducerError(f"`{name}({said})` is no operation of a trace")
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


def _events(kind: str, name: str, arguments: list[int], answer: Any) -> list[Event] | None:
    """The lines of a call; None if it is no operation of a trace."""
    translated = OPERATIONS[kind].get(name)
    if translated is None or (name not in CLIPPED and any(each < 0 for each in arguments)):
        return None
    found = translated(answer, *arguments)
    return found if found is None or isinstance(found, list) else [found]


def _of_bitmap(frames: int, never_free: Any, trusting: bool = False) -> list[Event]:
    pieces = [{"start": first * PAGE, "bytes": (end - first) * PAGE} for first, end in never_free]
    sizes = {"preset": PRESET, "frames": frames, "never_free": pieces}
    geometry = {**sizes, "frame_free": "trusting" if trusting else "checked"}
    return [{"memoracle": 1, "geometry": geometry}, {"op": "boot", "memory_map": []}]


def _of_buddy(depth: int, highest: int | None = None, whole: bool = True) -> list[Event]:
    if not whole:
        largest = {} if highest is None else {"frame_max_order": highest}
        sizes = {"preset": PRESET, "frames": 1 << depth, "never_free": [], "frame_allocator": "buddy"}
        return [{"memoracle": 1, "geometry": {**sizes, **largest}}, {"op": "boot", "memory_map": []}]
    geometry = {"preset": PRESET, "kernel_range": {"start": RANGE, "pages": 1 << depth}, "kernel_reserved": []}
    largest = {} if highest is None else {"range_max_order": highest}
    return [{"memoracle": 1, "geometry": {**geometry, **largest}}]


def _outcome(answer: Any, result: Any = None) -> Event:
    """What an operation answers that fails by None or False."""
    if answer is None or answer is False:
        return {"error": "refused"}
    return {} if result is None else {"result": result}


def _limits(answer: Any, alignment: int, first: int, last: int) -> Event:
    asked = {"alignment": alignment * PAGE, "from": max(0, first) * PAGE, "below": max(0, last) * PAGE}
    return {"op": "frame.allocate", **asked, **_frame(answer)}


def _frame(answer: Any) -> Event:
    return _outcome(answer, None if answer is None else answer * PAGE)


def _adds(answer: Any, first: int, last: int) -> Event:
    first, last = max(0, first), max(0, last)
    piece = {"start": first * PAGE, "length": max(0, last - first) * PAGE}
    return {"op": "memory.add", **piece, **({} if answer is None else _outcome(answer))}


def _order(pages: int) -> dict[str, int]:
    """Of a block that holds so many frames."""
    return {"order": (pages - 1).bit_length()}


def _reserved(answer: Any, page: int, pages: int) -> Event | None:
    """None where the law of ranges refuses what that of frames need not: what is no block."""
    if pages < 1 or pages & pages - 1 or page % pages:
        return None
    return _row(page, pages, answer)


def _row(first: int, count: int, answer: Any) -> Event:
    return {"op": "frame.reserve", "address": first * PAGE, "count": count, **_outcome(answer)}


def _free_frames(answer: Any) -> list[Event]:
    """Of each frame, whether a free block has it."""
    pages = max((page + pages for page, pages, _ in answer), default=0)
    free = {page + each for page, pages, taken in answer if not taken for each in range(pages)}
    return [{"op": "frame.is_free", "address": page * PAGE, "result": page in free} for page in range(pages)]


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
        "take": lambda answer, frame: _row(frame, 1, answer),
        "reserve": lambda answer, first, last: _row(first, last - first, answer),
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
    FRAME_BUDDY: {
        # Past the last frame there is nothing to be refused, so what was refused is not told.
        "add": lambda answer, page, pages: _adds(answer, page, page + pages) if answer else None,
        "allocate": lambda answer, pages: (
            {"op": "frame.allocate", **_order(pages), **_frame(answer)} if pages > 0 else None
        ),
        "free": lambda answer, page, pages: (
            {"op": "frame.free", "address": page * PAGE, **_order(pages), **_outcome(answer)} if pages > 0 else None
        ),
        "reserve": _reserved,
        "blocks": _free_frames,
    },
}
