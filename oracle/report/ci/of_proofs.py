"""What a run of `prove` comes to: a case for each obligation."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from memoracle.console.console import console_on
from memoracle.console.exit_status import Status
from memoracle.console.output import Draft
from memoracle.report.ci.cases import BROKEN, NOTHING, UNKNOWN, UNREADABLE, Case, Findings, Place, Problem, Rule, Suite
from memoracle.report.ci.of_check import CHECKED
from memoracle.report.proof_report import PROVED, REFUTED, VACUOUS, ProofRun, summary, tell_failures, verdict

if TYPE_CHECKING:
    from memoracle.proofs.obligations.discharge import Result
    from memoracle.proving.part import Part

KINDS_OF_STATUS = {Status.BROKEN: BROKEN, Status.UNUSABLE: UNREADABLE, Status.NOTHING: NOTHING}
KINDS = {REFUTED: BROKEN, VACUOUS: NOTHING}  # any other verdict than proved is no answer
SAID = {REFUTED: "refuted", VACUOUS: "vacuous: nothing can satisfy what it takes as given"}


def of_proofs(run: ProofRun) -> Findings:
    suites = [
        Suite(component, [case(run, each) for each in group])
        for component, group in groupby(run.results, key=lambda result: result.component)
    ]
    if not run.results:
        nothing = Problem(NOTHING, CHECKED, Place(None), "prove", "there is no obligation", identity=("prove",))
        suites = [Suite("prove", [Case("prove", summary(run), [nothing], summary(run))])]
    if run.parts:
        suites.append(Suite("besides", list(map(besides, run.parts))))
    return Findings(run.command, verdict(run.results), summary(run), suites)


def besides(part: Part) -> Case:
    """What it was asked to do besides proving."""
    draft = Draft(None)
    part.tell(console_on(draft))
    text, name = draft.getvalue().strip(), part.key.replace("_", "-")
    if part.status is Status.HOLDS:
        return Case(name, f"{name}: as it should be", tested=text)
    rule = Rule(f"memoracle.{name}", f"what is asked for by --{name} is as it should be")
    kind = KINDS_OF_STATUS.get(part.status, UNKNOWN)
    problem = Problem(kind, rule, Place(None), f"--{name}", "it is not as it should be", detail=text, identity=(name,))
    return Case(name, f"{name}: {problem.message}", [problem], text)


def case(run: ProofRun, result: Result) -> Case:
    said = f"{result.verdict}: {result.claim}"
    if result.verdict == PROVED:
        return Case(result.name, said, tested=result.scope, seconds=result.seconds)
    draft = Draft(None)
    tell_failures(replace(run, results=[result]), console_on(draft))
    return Case(result.name, said, [problem(run, result)], draft.getvalue().strip(), result.scope, result.seconds)


def problem(run: ProofRun, result: Result) -> Problem:
    """It stands where the clause of the law does that it is about, or else where it is claimed."""
    claimed = place(result.source, f"{result.name} is claimed")
    law = [place(each.source, each.says) for each in run.law.get(result.name, ())]
    where, *related = [*law, claimed]
    return Problem(
        KINDS.get(result.verdict, UNKNOWN),
        Rule(result.name, result.claim, result.source, is_of_law=result.name in run.law),
        where,
        result.name,
        SAID.get(result.verdict, result.verdict),
        detail=result.counterexample or "",
        identity=(result.name,),
        related=tuple(related),
    )


def place(source: str, says: str) -> Place:
    """source: `file.py:line`."""
    file, _, line = source.rpartition(":")
    return Place(file, int(line), says, of_package=True)
