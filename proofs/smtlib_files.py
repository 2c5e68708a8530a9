"""Writes obligations as SMT-LIB 2, one file each, for any solver to read.

Each file asks, for every path through the code and each group of its goals, whether one of these can fail, given what
the proof rests on; every answer must be `unsat`. Clauses that are taken as given stand written out at each point where
the proof has them, so nothing is left to find. It is what Z3 is asked in the proof: where it is noted which
hypotheses suffice (`unsat_cores.py`), those alone. Where several obligations are proved at once, each file has its own
goals.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from memoracle.proofs.obligations import solver, unsat_cores
from memoracle.proofs.obligations.obligation import Obligation
from memoracle.proofs.obligations.process_pool import Failure, run_each
from memoracle.proofs.obligations.queries import question
from memoracle.proofs.obligations.unsat_cores import Group
from memoracle.proofs.symbolic.execution import ExplorationError, Run, explore

ENDING = ".smt2"
WIDTH = 110  # of a comment
ASSERTION, STATUS, CHECK = "(assert", "(set-info :status unsat)", "(check-sat)"


@dataclass(frozen=True)
class Written:
    """What was written of an obligation. questions: how many, each to be `unsat`.  fault: why there is no file."""

    name: str
    questions: int
    fault: str | None = None


def write_each(every: Sequence[Obligation], folder: Path) -> Iterator[Written]:
    """Writes a file for each obligation; what is proved at once is built once."""
    groups: dict[object, list[Obligation]] = {}
    for each in every:
        groups.setdefault(id(each.part_of) if each.part_of else each.name, []).append(each)
    listed = [*groups.values()]
    solver.prepare()
    for place, found in run_each([partial(_write, members, folder) for members in listed]):
        if isinstance(found, Failure):
            yield from (Written(each.name, 0, found.reason) for each in listed[place])
        else:
            yield from found


def _write(members: Sequence[Obligation], folder: Path) -> list[Written]:
    whole = members[0].part_of or members[0]
    try:
        runs = explore(whole.sorts, whole.body, whole.integers)
    except ExplorationError as error:
        return [Written(each.name, 0, str(error)) for each in members]
    found = []
    for each in members:
        questions = [*_questions(whole, each, runs)]
        if not questions:
            found.append(Written(each.name, 0, "no path claims anything"))
            continue
        try:
            (folder / f"{each.name}{ENDING}").write_text(_file(each, whole, questions), encoding="ascii")
        except OSError as error:
            found.append(Written(each.name, 0, error.strerror or str(error)))
            continue
        found.append(Written(each.name, len(questions)))
    return found


def _questions(whole: Obligation, of: Obligation, runs: Sequence[Run]) -> Iterator[str]:
    """What is asked for an obligation, of each path and group of its goals: declarations and assertions, commented."""
    for run in runs:
        mine = range(len(run.goals)) if of is whole else run.claimed.get(of.name, range(0))
        given = run.hypotheses(whole.rounds)
        groups = unsat_cores.noted(whole.name, run, len(given))
        if groups is None:
            groups = [Group([*range(len(run.goals))], [*range(len(given))])]
        for group in groups:
            goals = [goal for goal in group.goals if goal in mine]
            if goals:
                yield _question(whole, run, group._replace(goals=goals))


def _question(whole: Obligation, run: Run, group: Group) -> str:
    given = run.hypotheses(whole.rounds)
    conditions = dict.fromkeys(group.goals, group.conditions)
    text = question(whole, run, [given[place] for place in group.hypotheses], group.goals, conditions)
    head, *assertions = text.removesuffix(f"{CHECK}\n").split(f"\n{ASSERTION}")
    declared = [line for line in head.splitlines() if not line.startswith(("(set-", ";"))]
    goals = (f"goal: {run.goals[goal].says}" for goal in group.goals)
    said = [*(_given(run, whole, place) for place in group.hypotheses), *goals, "some goal fails"]
    path = unsat_cores.path_of(run)
    lines = [_comment(f"The path {path}" if path else "The only path"), *declared]
    last = None
    for words, assertion in zip(said, assertions, strict=True):
        lines += [_comment(words)] if words != last else []
        lines.append(f"{ASSERTION}{assertion.rstrip()}")
        last = words
    return "\n".join(lines)


def _given(run: Run, whole: Obligation, place: int) -> str:
    """In words, what is taken as given at a place."""
    clause = run.hypotheses(whole.rounds).clause(place)
    return "given: what is known of these values" if clause is None else f"given: {clause.says} [{clause.name}]"


def _file(of: Obligation, whole: Obligation, questions: Sequence[str]) -> str:
    told = [
        f"obligation: {of.name} ({of.kind}, {of.scope})",
        f"claim: {of.claim}",
        f"source: {of.source}",
        "Each check asks whether what is claimed can fail on a path, given what stands above it.",
        f"expected: {'unsat' if len(questions) == 1 else f'unsat, {len(questions)} times'}",
    ]
    logic = solver.logic_of(whole.integers)
    lines = [*map(_comment, told), "(set-info :smt-lib-version 2.6)", f"(set-logic {logic})"]
    if len(questions) == 1:
        return "\n".join([*lines, STATUS, *questions, CHECK, "(exit)", ""])
    each = (f"(push 1)\n{STATUS}\n{asked}\n{CHECK}\n(pop 1)" for asked in questions)
    return "\n".join([*lines, *each, "(exit)", ""])


def _comment(words: str) -> str:
    """Words as comments of SMT-LIB: of ASCII alone, and no line too long."""
    plain = words.encode("ascii", "backslashreplace").decode()
    return "\n".join(textwrap.wrap(plain, WIDTH, initial_indent="; ", subsequent_indent=";   ", break_on_hyphens=False))
