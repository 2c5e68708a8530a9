"""Asks the solver whether a goal can fail.

What is asked is SMT-LIB text, read in a fresh context and metered by the solver's own count of resources, so that the
answer is the same on every machine. A definite answer is kept, under a hash of the text, the solver's version and
options, and the text of the modules that ask in some way: an answer is no older than the laws that it rests on, and
its cost is what this code counts.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import msgspec
import z3

from memoracle.proofs.obligations import goals_apart, instantiation, shift_lemmas
from memoracle.proofs.obligations.goals_apart import Needs
from memoracle.proofs.symbolic import z3_terms

RLIMIT = 400_000_000
SEED = 0
KEPT_AT_MOST = 20_000  # answers
ANSWERS = "answers"  # the folder of the cache that has them
CONTEXTS = 2  # made before others are started: most of these ask no more questions, and more make it dear to start them
SIMPLER = ("simplify", "propagate-values", "solve-eqs")
Kept = TypeVar("Kept")
VERSION = f"z3 {z3.get_version_string()}"


class Way(StrEnum):
    """How the solver is asked: all that is asserted at once; clauses at points by and by; or the goals one by one.

    All at once may be asked of bits alone, or once equations are solved.
    Shifts may be unknown (`shift_lemmas.py`): then all is asked at once, `unsat` is the only answer there is, and where
    few bits matter, a solver that spells none out before it must is quicker.
    """

    AT_ONCE = "at once"
    OF_BITS = "of bits"
    EQUATIONS_SOLVED = "equations solved"
    SHIFTS_UNKNOWN = "shifts unknown"
    SHIFTS_UNKNOWN_FEW_BITS = "shifts unknown, few bits"
    BY_AND_BY = "by and by"
    GOALS_APART = "goals apart"


AT_ONCE = (Way.AT_ONCE, Way.OF_BITS, Way.EQUATIONS_SOLVED)
SHIFTS_UNKNOWN = (Way.SHIFTS_UNKNOWN, Way.SHIFTS_UNKNOWN_FEW_BITS)


@dataclass(frozen=True)
class Answer:
    """verdict: `unsat`, `sat` or `unknown`; model, if sat: values of named constants, and of functions at points."""

    verdict: str
    rlimit: int
    seconds: float
    cached: bool
    model: dict[str, int | bool]


def text_of(assertions: list[z3.BoolRef], integers: bool) -> str:
    """The SMT-LIB text that asks whether all assertions can hold."""
    return f"(set-logic {logic_of(integers)})\n{z3_terms.smtlib(assertions)}"


def logic_of(integers: bool) -> str:
    """The logic of SMT-LIB in which a proof is asked."""
    return "QF_UFLIA" if integers else "QF_UFBV"


_contexts: list[z3.Context] = []  # that were prepared; kept when they were used, too: to let one go takes time
_unused: list[z3.Context] = []  # of these; one that was used counts what it has spent so far, whatever is asked next


def prepare() -> None:
    """Makes contexts that this process's children find: to make one takes longer than to answer an easy question."""
    made = [z3.Context() for _ in range(CONTEXTS - len(_unused))]
    _contexts.extend(made)
    _unused.extend(made)


def _fresh() -> z3.Context:
    try:
        return _unused.pop()
    except IndexError:
        return z3.Context()


def ask(
    text: str, use_cache: bool = True, rlimit: int = RLIMIT, way: Way = Way.AT_ONCE, needs: Needs | None = None
) -> Answer:
    """Whether the assertions of an SMT-LIB text can hold together.

    needs: where goals are asked apart, the hypotheses that each needs, by their places; all of them, if not said.
    """
    key = hashlib.sha256(json.dumps([text, VERSION, rlimit, SEED, way, needs, asks(way)]).encode()).hexdigest()
    if use_cache and (answer := _kept(key)) is not None:
        return answer
    answer = _solve(text, rlimit, way, needs)
    if answer.verdict != "unknown":
        with suppress(OSError, RuntimeError):  # no cache is as good, but slower
            keep(_answers() / f"{key}.json", json.dumps(asdict(answer)))
    return answer


@cache
def asks(way: Way) -> str:
    """The text of the modules that ask in this way: of this one alone where the solver does all the rest."""
    modules: dict[Way, ModuleType] = {Way.BY_AND_BY: instantiation, Way.GOALS_APART: goals_apart}
    module = modules.get(way, shift_lemmas if way in SHIFTS_UNKNOWN else None)
    return "".join(inspect.getsource(each) for each in (sys.modules[__name__], module) if each is not None)


def _kept(key: str) -> Answer | None:
    """A definite answer that was kept, if it was, and its file is whole."""
    answer = kept(lambda: _answers() / f"{key}.json", Answer)
    return replace(answer, cached=True) if answer is not None and answer.verdict in ("sat", "unsat") else None


def kept(path: Callable[[], Path], kind: type[Kept]) -> Kept | None:
    """What a file of the cache has; None if there is no such file, or it is damaged.

    path: may raise RuntimeError, as `cache_directory` does.
    """
    try:
        return msgspec.json.decode(path().read_bytes(), type=kind)
    except (OSError, RuntimeError, ValueError, msgspec.DecodeError):  # of text that is no UTF-8, or nested too deeply
        return None


def keep(path: Path, text: str) -> None:
    """Writes a file of the cache, all of it or nothing; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_suffix(f".{os.getpid()}")
    whole.write_text(text)
    whole.replace(path)


def prune(folder: str = ANSWERS, most: int = KEPT_AT_MOST) -> None:
    """Deletes the oldest files of a folder of the cache beyond so many."""
    with suppress(OSError, RuntimeError):  # another process may be pruning, too
        files = sorted((cache_directory() / folder).iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in files[most:]:
            file.unlink(missing_ok=True)


def _solve(text: str, rlimit: int, way: Way, needs: Needs | None) -> Answer:
    started = time.perf_counter()
    context = _fresh()
    if way in AT_ONCE:
        solver = _seeded(_at_once(text, way, context))
        solver.set(rlimit=rlimit)
        solver.from_string(text)
        verdict = str(solver.check())
        model, spent = solver.model() if verdict == "sat" else None, instantiation.count(solver)
    elif way in SHIFTS_UNKNOWN:
        few = way is Way.SHIFTS_UNKNOWN_FEW_BITS
        solver = _simple(context) if few else _seeded(_at_once(text, Way.AT_ONCE, context))
        solver.set(rlimit=rlimit)
        solver.add(*shift_lemmas.abstracted(list(z3.parse_smt2_string(text, ctx=context))))
        verdict = "unsat" if solver.check() == z3.unsat else "unknown"
        model, spent = None, instantiation.count(solver)
    else:
        assertions = list(z3.parse_smt2_string(text, ctx=context))
        # Not solvers for the logic: they begin with each question from nothing.
        if way is Way.BY_AND_BY:
            found = instantiation.ask(_simple(context), assertions, rlimit)
        else:
            found = goals_apart.ask(lambda: _simple(context), assertions, rlimit, needs)
        verdict, model, spent = found.verdict, found.model, found.rlimit
    return Answer(verdict, spent, time.perf_counter() - started, False, {} if model is None else _values(model))


def _at_once(text: str, way: Way, context: z3.Context) -> z3.Solver:
    if way is Way.AT_ONCE:
        return z3.SolverFor(text[len("(set-logic ") : text.index(")")], ctx=context)
    steps = (*SIMPLER, "ackermannize_bv", "bit-blast", "smt") if way is Way.OF_BITS else (*SIMPLER, "smt")
    return z3.Then(*steps, ctx=context).solver()


def _simple(context: z3.Context) -> z3.Solver:
    return _seeded(z3.SimpleSolver(ctx=context))


def _seeded(solver: z3.Solver) -> z3.Solver:
    solver.set(random_seed=SEED)
    return solver


def _values(model: z3.ModelRef) -> dict[str, int | bool]:
    values: dict[str, int | bool] = {}
    functions: dict[str, int | bool] = {}
    for declaration in model.decls():
        found = model[declaration]
        if isinstance(found, z3.FuncInterp):
            name = declaration.name().rstrip("@")
            for entry in map(found.entry, range(found.num_entries())):
                points = ", ".join(str(_value(entry.arg_value(place))) for place in range(entry.num_args()))
                functions[f"{name}({points})"] = _value(entry.value())
            if z3.is_const(found.else_value()):
                functions[f"{name}(elsewhere)"] = _value(found.else_value())
        elif declaration.arity() == 0:
            values[declaration.name()] = _value(found)
    return values | functions


def _value(value: z3.ExprRef) -> int | bool:
    if z3.is_bool(value):
        return bool(z3.is_true(value))
    return int(value.as_long() if z3.is_int(value) else value.as_signed_long())


def cache_directory() -> Path:
    """Where what can be computed again is kept; raises RuntimeError where there is no home directory."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "memoracle"


def _answers() -> Path:
    return cache_directory() / ANSWERS
