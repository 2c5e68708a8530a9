"""`check` of many files by many workers: each file is one worker's, and what is said of it is as it would be here."""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from contextlib import closing, redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from memoracle.commands.check_inputs import Check
from memoracle.console.options import note
from memoracle.console.streams import write_error
from memoracle.impl.boot import Record
from memoracle.report.check_report import TraceResult
from memoracle.scaling.workers import Lost, Workers
from memoracle.spec.geometry import Geometry
from memoracle.trace.inputs import STDIN, InputError, shown
from memoracle.trace.interrupts import INTERRUPTS

UNIT_BYTES, UNIT_FILES = 1 << 23, 64  # of the files that are one unit, about and at most
SHARES = 4  # units for each worker, at the least, so that none waits long for another at the end
HERE = ("run", "jobs", "executor")  # options that are of no use to a worker


@dataclass(frozen=True)
class Files:
    """A unit of work: files to check. options, geometry, memory_map: as `Check` has them."""

    options: dict[str, Any]
    geometry: Geometry | None
    memory_map: list[Record] | None
    paths: Sequence[str]


@dataclass
class Checked:
    """What came of one file. notes: what was said on standard error meanwhile."""

    outcomes: list[TraceResult] = field(default_factory=list)
    notes: str = ""


def checked_files(unit: Files) -> list[Checked]:
    """Checks the files of a unit. It is what a worker does."""
    check = checking(unit)
    found = []
    for path in unit.paths:
        with redirect_stderr(io.StringIO()) as notes:
            outcomes = check.outcomes_of(path)
        found.append(Checked(outcomes, notes.getvalue()))
    return found


def is_of_files(unit: Files, found: object) -> bool:
    """Whether it is what comes of the files of a unit."""
    if not isinstance(found, list) or len(found) != len(unit.paths):
        return False
    return all(
        isinstance(each, Checked)
        and isinstance(each.notes, str)
        and each.outcomes
        and all(isinstance(outcome, TraceResult) for outcome in each.outcomes)
        for each in found
    )


def checking(unit: Files) -> Check:
    """`check` with the options of a unit; a memory map is not read again."""
    plain = {"memory_map": None, "from_boot": False, "geometry": None, "traces": [*unit.paths]}
    check = Check(argparse.Namespace(**{**unit.options, **plain}))
    check.args = argparse.Namespace(**unit.options)
    check.geometry, check.memory_map = unit.geometry, unit.memory_map
    return check


def unit_of(check: Check, paths: Sequence[str]) -> Files:
    options = {name: value for name, value in vars(check.args).items() if name not in HERE}
    return Files(options, check.geometry, check.memory_map, paths)


def outcomes_of_all(check: Check, paths: Sequence[str], workers: Workers) -> list[TraceResult]:
    """What comes of each of these files, in their order; an interrupt ends the list with the file that it came in.

    Standard input is read here. Raises InputError where the workers are unfit.
    """
    if len(paths) == 1:
        from memoracle.commands.check_parts import in_parts

        try:
            joined = in_parts(check, paths[0], workers)
        except KeyboardInterrupt:
            joined = check.unchecked(paths[0])
            joined.interrupted = True
        if isinstance(joined, TraceResult):
            return [joined]
        note(check.args, f"memoracle: {shown(paths[0])} is checked in sequence: {joined}")
    groups = grouped(paths, workers.count)
    far = [place for place, group in enumerate(groups) if group != [STDIN]]
    units = [unit_of(check, groups[place]) for place in far]
    found: dict[int, list[Checked]] = {}
    try:
        with closing(workers.done(checked_files, units, is_of_files)) as coming:
            for turn, outcome in coming:
                found[far[turn]] = lost(check, groups[far[turn]], outcome) if isinstance(outcome, Lost) else outcome
        for place, group in enumerate(groups):
            if group == [STDIN]:
                with INTERRUPTS.stop_reading():
                    found[place] = [Checked(check.outcomes_of(STDIN))]
    except KeyboardInterrupt:
        pass
    outcomes: list[TraceResult] = []
    for place, group in enumerate(groups):
        if place not in found:
            outcomes.append(check.unchecked(group[0]))
            outcomes[-1].interrupted = True
            break
        for each in found[place]:
            write_error(each.notes)
            outcomes += each.outcomes
        if outcomes[-1].interrupted:
            break
    return outcomes


def lost(check: Check, paths: Sequence[str], why: Lost) -> list[Checked]:
    """What is said of files of which nothing is known."""
    found = []
    for path in paths:
        outcome = check.unchecked(path)
        outcome.fault = InputError(path, None, f"it was not checked: {why.reason}")
        found.append(Checked([outcome]))
    return found


def grouped(paths: Sequence[str], count: int) -> list[list[str]]:
    """Small files together, so that a unit is worth its way; standard input alone."""
    sizes = [size_of(path) for path in paths]
    most = min(UNIT_BYTES, sum(sizes) // (SHARES * count))
    groups: list[list[str]] = []
    room = 0
    for path, size in zip(paths, sizes, strict=True):
        if not groups or room < size or len(groups[-1]) == UNIT_FILES or STDIN in (path, groups[-1][-1]):
            groups.append([])
            room = most
        groups[-1].append(path)
        room -= size
    return groups


def size_of(path: str) -> int:
    try:
        return Path(path).stat().st_size or UNIT_BYTES  # a pipe has no size, and may have much to say
    except OSError:  # whoever reads it says what is wrong with it
        return 0
