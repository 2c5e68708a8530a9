"""Keeps the verdict on each fault, under the text that it depends on: an interrupted run goes on where it ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec

from memoracle.proofs import dependencies
from memoracle.proofs.mutation.operators.mutants import Key
from memoracle.proofs.mutation.seeding import Verdict
from memoracle.proofs.obligations import solver
from memoracle.proofs.obligations.process_pool import Failure, run_each
from memoracle.proofs.parts import BUILT_ON

UNREAD = ("proofs.mutation", "proofs.second_opinion", "proofs.find_unsat_cores", "proofs.emulator")


@cache
def text_of(component: str) -> str:
    """A hash of all text that a verdict on one of the component's faults may depend on."""
    due = {None, component, *BUILT_ON.get(component, ())}
    read = [name for name in dependencies.SOURCES if dependencies.owner(name) in due and not name.startswith(UNREAD)]
    return hashed(solver.VERSION, *(f"{name} {dependencies.SOURCES[name].text}" for name in sorted(read)))


def hashed(*parts: object) -> str:
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()


def name_of(component: str, key: Key) -> str:
    """The name of the file that a verdict is kept in."""
    return hashed(text_of(component), *key)


def settle(
    tasks: Mapping[str, Callable[[], Verdict]], again: bool, jobs: int | None = None
) -> Iterator[tuple[str, Verdict]]:
    """The verdict of each task by its name, kept from before or found now; jobs: how many are tried at once."""
    left = {}
    for name, task in tasks.items():
        found = kept(name)
        if found is None or (again and found.outcome != "refuted"):
            left[name] = task
        else:
            yield name, found
    names = list(left)
    for place, result in run_each(list(left.values()), jobs):
        verdict = Verdict("unknown", result.reason) if isinstance(result, Failure) else result
        with suppress(OSError, RuntimeError):
            solver.keep(_file(names[place]), msgspec.json.encode(verdict).decode())
        yield names[place], verdict


def kept(name: str) -> Verdict | None:
    """What an earlier run found, if its file is whole."""
    return solver.kept(lambda: _file(name), Verdict)


def _file(name: str) -> Path:
    return _folder() / f"{name}.json"


def _folder() -> Path:
    return solver.cache_directory() / "mutants"


# Which claim refuted a fault when it was last tried, whatever the text was then


def killers(component: str) -> dict[str, str]:
    """By a fault's key, in one line, the name of the claim."""
    return solver.kept(lambda: _killers_file(component), dict[str, str]) or {}


def keep_killers(component: str, known: dict[str, str]) -> None:
    with suppress(OSError, RuntimeError):
        solver.keep(_killers_file(component), json.dumps(known))


def _killers_file(component: str) -> Path:
    return _folder() / f"killers-{component}.json"
