"""What was proved, as a page: each component is a room, with its clauses and what proves them."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from memoracle.console.counted import counted
from memoracle.explain.index import Index, among, stated, text_of
from memoracle.explain.references import mentions
from memoracle.proofs.mutation import score_file
from memoracle.proofs.mutation.score_file import Score
from memoracle.proofs.parts import component_of
from memoracle.report.html.page import page
from memoracle.report.html.printed import printed
from memoracle.report.html.timeline_data import timeline_data
from memoracle.report.proof_report import (
    PROVED,
    UNBOUNDED,
    ProofRun,
    bound,
    bounds,
    summary,
    totals,
    tried_again,
    verdict,
)
from memoracle.spec.clauses import Clause, part_of
from memoracle.trace.inputs import InputError

if TYPE_CHECKING:
    from memoracle.proofs.obligations.discharge import Result


def proof_page(run: ProofRun) -> str:
    index, scores = Index(), known_scores()
    rooms = [
        room(index, component, [each for each in run.results if each.component == component], scores.get(component))
        for component in dict.fromkeys(each.component for each in run.results)
    ]
    shared = clauses(index, lambda part: part not in index.proved, {each.name: each for each in run.results})
    timelines = run.steps()
    places = list(timelines)
    content = {
        "command": run.command,
        "title": "The law and the reference",
        "verdict": verdict(run.results),
        "summary": summary(run),
        "warnings": tried_again(run.results),
        "numbers": list(numbers(run, rooms)),
        "bounds": bounds(run),
        "parts": [{"title": part.key.replace("_", " "), "text": printed(part.tell)} for part in run.parts],
        "rooms": rooms,
        "shared": [each for each in shared if each["proofs"] or each["beyond"]],
        "failures": [failure(each) for each in run.results if each.verdict != PROVED],
        "replays": [
            {
                "component": component,
                "text": text,
                "timeline": places.index(component) if component in timelines else None,
            }
            for component, text in run.replays.items()
        ],
        "trust": list(run.trust),
        "timelines": [timeline_data(each) for each in timelines.values()],
    }
    return page("prove.html", content)


def numbers(run: ProofRun, rooms: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What one sees first."""
    for number, noun in ((len(rooms), "component"), (sum(len(each["clauses"]) for each in rooms), "clause")):
        said, name = counted(number, noun).split()
        yield {"count": said, "name": name}
    for name, count in totals(run.results).items():
        if count or name == PROVED:
            yield {"count": f"{count:,}", "name": name}
    yield {"count": f"{run.seconds:,.1f} s", "name": "by the clock"}
    yield {"count": f"{sum(each.rlimit for each in run.results):,}", "name": "rlimit in all"}


def room(index: Index, component: str, results: Sequence[Result], score: Score | None) -> dict[str, Any]:
    by_name = {each.name: each for each in results}
    scopes = Counter(bound(each) for each in results)
    return {
        "name": component,
        "purpose": purpose_of(component),
        "verdict": verdict(results),
        "count": len(results),
        "proved": totals(results)[PROVED],
        "unbounded": scopes.pop(UNBOUNDED, 0),
        "scopes": [f"{count} {scope.removeprefix('bounded: ')}" for scope, count in scopes.most_common()],
        "seconds": f"{sum(each.seconds for each in results):,.1f}",
        "rlimit": f"{sum(each.rlimit for each in results):,}",
        "cached": sum(each.cached for each in results),
        "clauses": list(clauses(index, component.__eq__, by_name)),
        "obligations": [obligation(each) for each in results],
        "score": None if score is None else scored(score),
    }


def purpose_of(component: str) -> str:
    """The first sentence of a component's law."""
    try:
        text = importlib.import_module(f"memoracle.spec.{component}").__doc__ or ""
    except ModuleNotFoundError:
        return ""
    return " ".join(text.split("\n\n")[0].split())


def clauses(index: Index, is_wanted: Callable[[str], bool], results: Mapping[str, Result]) -> Iterator[dict[str, Any]]:
    """The clauses of a component, with the obligations of this run that state them, and how many come to them.

    is_wanted: whether those of this component, or part that several share, are.
    """
    stated_by = {each.name: stated(each) for each in index.obligations.values() if each.name in results}
    named, reached = among({name: mentions(body) for name, body in stated_by.items()})
    for name, clause in index.law.items():
        if isinstance(clause, Clause) and is_wanted(component_of(part_of(text_of(clause)))):
            beyond = [each for each in reached.get(clause, ()) if each in results]
            stating = [obligation(results[each]) for each in named.get(clause, ()) if each in results]
            said = f" · stated by {counted(len(stating), 'obligation')}" if stating else ""
            yield {
                "name": name,
                "says": clause.says,
                "said": said + (f" · {len(beyond):,} more come to it" if beyond else ""),
                "proofs": stating,
                "beyond": len(beyond),
                "example": beyond[0] if beyond else "",
            }


def obligation(result: Result) -> dict[str, str]:
    cost = f"{result.seconds:.2f} s" + (f", rlimit {result.rlimit:,}" if result.rlimit else "")
    scope, kept = bound(result), ", kept from an earlier run" if result.cached else ""
    return {"name": result.name, "verdict": result.verdict, "scope": scope, "cost": cost + kept}


def failure(result: Result) -> dict[str, Any]:
    keys = ("name", "verdict", "claim", "source", "scope", "counterexample")
    return {key: getattr(result, key) for key in keys}


def known_scores() -> dict[str, Score]:
    """Of each component; raises InputError where their file is damaged."""
    try:
        return score_file.read()
    except score_file.ScoresError as fault:
        raise InputError("--report", None, str(fault)) from None


def scored(score: Score) -> dict[str, Any]:
    """A component's seeded faults: how many of those that change something some claim found."""
    found = score.by_proof + score.by_run + score.fails_to_run
    due = score.faults - score.equivalent
    missed = {key: getattr(score, key) for key in ("unknown", "survived", "not_tried")}
    left = ", ".join(f"{count:,} {key.replace('_', ' ')}" for key, count in missed.items() if count)
    rest = f"{left or 'none survived'}; tried on the proofs of commit {score.commit}"
    widths = {"proof": score.by_proof, "run": found - score.by_proof, "missed": due - found}
    ends = list(accumulate(widths.values(), initial=0))
    return {
        "said": f"{found:,} of {due:,}",
        "by_proof": f"{score.by_proof:,}",
        "by_run": f"{score.by_run:,}",
        "rest": rest,
        "says": f"{found:,} of {due:,} seeded faults found; {rest}",
        "due": due,
        "parts": [
            {"kind": kind, "x": x, "width": width} for x, (kind, width) in zip(ends, widths.items(), strict=False)
        ],
    }
