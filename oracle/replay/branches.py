"""Which branches of the reference a replay took, and how often: traces are replayed once more while it is watched.

A branch is an `if`, `while` or `for` of a function in `impl/`: it is taken where its body is entered, and not taken
where it is passed. Watching is slow, so it is done apart, after a run; and of a long one in part, which is said.
"""

from __future__ import annotations

import ast
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple, TypeAlias

from memoracle import compiled, impl

FOLDER = Path(impl.__path__[0])
CLOCK_EVERY = 64  # lines between two looks at the clock
LEFT = 0  # in the place of a line: the function was left

Arcs: TypeAlias = Counter[tuple[int, int]]  # from a line to the one that was run next
Tracer: TypeAlias = Callable[[FrameType, str, Any], Any]
Replayed: TypeAlias = Callable[[Iterator[bytes]], object]


class Branch(NamedTuple):
    """A statement that branches. test, body: the first and the last line of what it asks, and of what it may run."""

    file: str
    function: str
    line: int
    source: str
    test: tuple[int, int]
    body: tuple[int, int]

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    def counts(self, arcs: Arcs) -> tuple[int, int]:
        """How often it was taken, and how often not."""
        taken = passed = 0
        for (before, after), times in arcs.items():
            if not _within(before, self.test) or _within(after, self.test):
                continue
            if _within(after, self.body):
                taken += times
            else:
                passed += times
        return taken, passed


def _within(line: int, lines: tuple[int, int]) -> bool:
    return lines[0] <= line <= lines[1]


@dataclass
class Exercised:
    """calls, of: how many calls were watched, and how many there were.

    taken: of each branch in the modules that were called at all, how often it was taken, and how often not.
    called, uncalled: the functions of these modules, each with its file.
    """

    calls: int = 0
    of: int = 0
    taken: dict[Branch, tuple[int, int]] = field(default_factory=dict)
    called: list[tuple[str, str]] = field(default_factory=list)
    uncalled: list[tuple[str, str]] = field(default_factory=list)

    @property
    def in_called(self) -> dict[Branch, tuple[int, int]]:
        """Of the functions that were called."""
        called = {*self.called}
        return {each: counts for each, counts in self.taken.items() if (each.file, each.function) in called}


class Functions(ast.NodeVisitor):
    """The functions of a module by their qualified names, and the branches of each."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self.lines = file, text.splitlines()
        self.within: list[str] = []
        self.found: dict[str, list[Branch]] = {}
        self.visit(ast.parse(text))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.within.append(node.name)
        self.generic_visit(node)
        self.within.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.within.append(node.name)
        self.found[".".join(self.within)] = []
        self.within.append("<locals>")
        self.generic_visit(node)
        del self.within[-2:]

    def visit_If(self, node: ast.If) -> None:
        self._add(node, node.test, node.body)

    def visit_While(self, node: ast.While) -> None:
        self._add(node, node.test, node.body)

    def visit_For(self, node: ast.For) -> None:
        self._add(node, node.iter, node.body)

    def _add(self, node: ast.stmt, test: ast.expr, body: Sequence[ast.stmt]) -> None:
        function = ".".join(self.within[:-1])
        if function in self.found and not isinstance(test, ast.Constant):
            lines = node.lineno, test.end_lineno or node.lineno
            ran = body[0].lineno, body[-1].end_lineno or node.lineno
            source = self.lines[node.lineno - 1].strip()
            self.found[function].append(Branch(self.file, function, node.lineno, source, lines, ran))
        self.generic_visit(node)


@cache
def modules() -> dict[str, Functions]:
    """The modules of the reference, by the name of the file that their code has."""
    return {
        str(path): Functions(f"{FOLDER.name}/{path.name}", path.read_text(encoding="utf-8"))
        for path in sorted(FOLDER.glob("*.py"))
    }


class Watch:
    """What is run of the reference while it is on."""

    def __init__(self) -> None:
        self.arcs: dict[CodeType, Arcs | None] = {}
        self.before = sys.gettrace()

    def begin(self) -> None:
        """From now on whatever is called is watched; what runs already is not."""
        sys.settrace(self.called)

    def end(self) -> None:
        sys.settrace(self.before)

    def called(self, frame: FrameType, event: str, argument: Any) -> Tracer | None:
        """A function is called, or goes on; returns what watches its lines."""
        code = frame.f_code
        try:
            arcs = self.arcs[code]
        except KeyError:
            arcs = self.arcs[code] = Counter() if code.co_filename in modules() else None
        if arcs is None:
            return None
        before = frame.f_lineno

        def watched(frame: FrameType, event: str, argument: Any) -> Tracer:
            nonlocal before
            if event == "line":
                now = frame.f_lineno
                arcs[before, now] += 1
                before = now
            elif event == "return":
                arcs[before, LEFT] += 1
            return watched

        return watched

    def exercised(self) -> Exercised:
        by_function: defaultdict[tuple[str, str], Arcs] = defaultdict(Counter)
        for code, arcs in self.arcs.items():
            if arcs is not None:
                by_function[code.co_filename, code.co_qualname].update(arcs)
        used = {path for path, _ in by_function}
        found = Exercised()
        for path, module in modules().items():
            for name, branches in module.found.items() if path in used else ():
                arcs = by_function.get((path, name), Counter())
                (found.called if arcs else found.uncalled).append((module.file, name))
                found.taken.update((branch, branch.counts(arcs)) for branch in branches)
        return found


def exercised(
    replayed: Replayed,
    runs: Sequence[Sequence[bytes]],
    head: int,
    most: int | None = None,
    seconds: float | None = None,
) -> Exercised:
    """What replaying some traces exercises.

    replayed: replays one.  head: how many lines of each are no calls: these are not watched.
    most, seconds: how many calls are watched in all, and for how long; short traces whole, if that leaves as much for
    each of the others.  Raises CompiledError.
    """
    compiled.use_sources()
    watch, calls = Watch(), 0
    end = None if seconds is None else time.monotonic() + seconds
    for done, lines in enumerate(sorted(runs, key=len)):
        share = None if most is None else (most - calls) // (len(runs) - done)
        watched = Watched(lines, head, share, end, watch)
        try:
            replayed(iter(watched))
        finally:
            watch.end()
        calls += watched.calls
    found = watch.exercised()
    found.calls, found.of = calls, sum(max(0, len(lines) - head) for lines in runs)
    return found


class Watched:
    """The lines of a trace, the first of which are no calls; at most so many calls, until some time.

    calls: how many were read.
    """

    def __init__(self, lines: Sequence[bytes], head: int, most: int | None, end: float | None, watch: Watch) -> None:
        self.trace, self.head, self.most, self.end, self.watch = lines, head, most, end, watch
        self.calls = 0

    def __iter__(self) -> Iterator[bytes]:
        yield from self.trace[: self.head]
        self.watch.begin()
        for line in islice(self.trace, self.head, None if self.most is None else self.head + self.most):
            if self.end is not None and self.calls % CLOCK_EVERY == 0 and time.monotonic() > self.end:
                return
            self.calls += 1
            yield line
