"""SARIF 2.1.0, the OASIS standard for what static analysis finds, as code hosts and editors read it.

A result is whatever keeps the run from success. A rule is described by the sentence of the clause that it is.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Any, TextIO

from memoracle.console.counted import counted
from memoracle.console.output import write_document
from memoracle.report.ci.cases import INTERRUPTED, UNREADABLE, Findings, Place, Problem, Rule
from memoracle.report.ci.files import absolute, inside, is_named, uri
from memoracle.report.ci.findings import findings_of
from memoracle.report.run import FaultRun, Run
from memoracle.trace.files import is_file
from memoracle.trace.inputs import shown
from memoracle.trace.quoting import MOST_KEPT, escaped, escaped_lines, shortened

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
HERE, LAW = "%SRCROOT%", "MEMORACLE"  # what paths are relative to
BASES = {
    HERE: "the checkout of the job, or else the folder in which memoracle ran",
    LAW: "the folder with the source of memoracle, whose law and proofs these are",
}
MOST = 25_000  # results: GitHub refuses a file with more
FINGERPRINT = "memoracle/v1"


def write(run: Run | FaultRun, out: TextIO) -> None:
    """Writes the report."""
    write_document(document(findings_of(run)), out)


def document(found: Findings) -> dict[str, Any]:
    problems = found.problems[:MOST]
    rules: dict[str, Rule] = {}
    for problem in problems:  # a rule has one sentence, though it may be said of frames here and of pages there
        rules.setdefault(problem.rule.name, problem.rule)
    number = {name: place for place, name in enumerate(rules)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver([*rules.values()])},
                "automationDetails": {"id": f"memoracle/{found.command}/"},
                "invocations": [invocation(found)],
                "originalUriBaseIds": {base: {"description": message(words)} for base, words in BASES.items()},
                "artifacts": [
                    {"location": artifact(suite.file), "roles": ["analysisTarget"]}
                    for suite in found.suites
                    if suite.file is not None and is_named(suite.file)
                ],
                "results": [
                    result(problem, number[problem.rule.name], print_)
                    for problem, print_ in zip(problems, fingerprints(problems), strict=True)
                ],
                "columnKind": "unicodeCodePoints",
            }
        ],
    }


def driver(rules: Sequence[Rule]) -> dict[str, Any]:
    version = metadata.version("memoracle")
    return {
        "name": "memoracle",
        "version": version,
        "semanticVersion": version,
        "rules": list(map(descriptor, rules)),
    }


def descriptor(rule: Rule) -> dict[str, Any]:
    sentence = f"{rule.says[:1].upper()}{rule.says[1:].rstrip('.')}."
    whole = sentence if rule.source is None else f"{sentence[:-1]} ({rule.source})."
    return {
        "id": rule.name,
        "shortDescription": message(sentence),
        "fullDescription": message(whole),
        "help": message(f"`memoracle explain {rule.name}` says more of it." if rule.is_of_law else whole),
        "defaultConfiguration": {"level": "error"},
    }


def invocation(found: Findings) -> dict[str, Any]:
    """Whether the program could do what it was asked; what it says besides, which is no result."""
    failed = any(problem.kind in (UNREADABLE, INTERRUPTED) for problem in found.problems)
    left = len(found.problems) - MOST
    cut = [f"{counted(len(found.problems), 'problem')}: the first {MOST:,} are here"] if left > 0 else []
    return {
        "executionSuccessful": not failed,
        "toolExecutionNotifications": [
            *({"level": "warning", "message": message(each)} for each in cut),
            *map(notification, found.warnings),
        ],
    }


def notification(warning: Place) -> dict[str, Any]:
    """What is worth knowing, and where that stands."""
    where = {} if warning.file is None else {"locations": [location(warning)]}
    return {"level": "warning", "message": message(warning.told), **where}


def result(problem: Problem, rule: int, fingerprint: str) -> dict[str, Any]:
    legal = f"; legal: {problem.legal}" if problem.legal else ""
    detail = f"\n{shortened(problem.detail, MOST_KEPT)}" if problem.detail else ""
    found: dict[str, Any] = {
        "ruleId": problem.rule.name,
        "ruleIndex": rule,
        "level": "error",
        "message": message(f"{problem.headline}{legal}{detail}"),
        "locations": [location(problem.place, problem.subject)],
        "partialFingerprints": {FINGERPRINT: fingerprint},
        "properties": {"kind": problem.kind},
    }
    if problem.related:
        found["relatedLocations"] = [
            {"id": number, "message": message(place.says), **location(place)}
            for number, place in enumerate(problem.related, 1)
        ]
    return found


def location(place: Place, subject: str = "") -> dict[str, Any]:
    """A file and a line; of what is in none, a name."""
    names = {"logicalLocations": [{"fullyQualifiedName": escaped(subject)}]} if subject else {}
    if place.file is None or not is_named(place.file):
        return names or {"logicalLocations": [{"fullyQualifiedName": shown(place.file or "-")}]}
    region = {"startLine": place.line or 1}  # GitHub takes no file without one
    return {"physicalLocation": {"artifactLocation": artifact(place.file, place.of_package), "region": region}, **names}


def artifact(file: str, of_package: bool = False) -> dict[str, Any]:
    """Where a file is: from here, if it is inside, or else absolute; of this package, from its own folder."""
    if of_package and not is_file(file):
        return {"uri": uri(file), "uriBaseId": LAW}
    here = inside(file)
    return {"uri": uri(absolute(file))} if here is None else {"uri": uri(here), "uriBaseId": HERE}


def fingerprints(problems: Sequence[Problem]) -> Iterator[str]:
    """What tells a problem from others, and is the same in the next run; of several that are alike, each its number."""
    seen: Counter[str] = Counter()
    for problem in problems:
        text = json.dumps([problem.kind, problem.rule.name, *problem.identity])
        yield f"{hashlib.sha256(text.encode()).hexdigest()[:32]}:{seen[text]}"
        seen[text] += 1


def message(text: str) -> dict[str, str]:
    """A plain text. What looks like a link in it is none (section 3.11.6)."""
    return {"text": escaped_lines(text).replace("](", "] (")}
