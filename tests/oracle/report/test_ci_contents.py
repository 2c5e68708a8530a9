"""JUnit XML, SARIF and GitHub's commands: what each says of what is wrong, and where it says it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from memoracle.diagnostics.divergence import Divergence, Finding
from memoracle.proofs.obligations.discharge import Result
from memoracle.report.check_report import CheckRun, TraceResult
from memoracle.report.ci import github, junit, sarif, step_summary
from memoracle.report.ci.findings import findings_of
from memoracle.report.destinations import Draft
from memoracle.report.proof_report import ProofRun, Stated
from memoracle.report.run import Run
from memoracle.trace.inputs import InputError

FINDING = Finding("bitmap.allocates-only-free", "only a free frame is allocated", "100% seen", "any other")
BREAKS = Divergence("a.jsonl", 2, {"op": "frame.allocate", "result": "0x0"}, FINDING)
HOLDS = TraceResult("a.jsonl", "legal", events=2, checked=2)
DIVERGES = CheckRun([replace(HOLDS, divergences=[BREAKS])])
PROVED = Result("a.holds", "a", "theorem", "it holds", "unbounded", "proved", "z3", 0.5, 1, False, "spec/a.py:1", None)
REFUTED = replace(PROVED, name="a.fails", verdict="refuted", counterexample="frame = 1")
LAW = {"a.fails": [Stated("bitmap.a", "a frame is free", "spec/bitmap.py:150")]}
PROOFS = ProofRun("x64-2m", [PROVED, REFUTED], {"a": "how to replay it"}, [], 1.0, LAW)


def text_of(module: Any, run: Run) -> str:
    module.write(run, draft := Draft(None))
    return draft.getvalue()


def log_of(run: Run) -> Any:
    return json.loads(text_of(sarif, run))["runs"][0]


def test_sarif_says_what_is_legal_and_where_a_rule_stands() -> None:
    log = log_of(DIVERGES)
    assert log["automationDetails"]["id"] == "memoracle/check/"
    (found,) = log["results"]
    event = "frame.allocate -> 0x0"
    assert found["message"]["text"] == f"{event}: 100% seen [bitmap.allocates-only-free]; legal: any other"
    assert found["locations"][0]["logicalLocations"] == [{"fullyQualifiedName": event}]
    log = log_of(PROOFS)
    assert log["automationDetails"]["id"] == "memoracle/prove/"
    (found,), (rule,) = log["results"], log["tool"]["driver"]["rules"]
    assert found["message"]["text"] == "refuted: it holds [a.fails]\nframe = 1"
    assert rule["shortDescription"]["text"] == "It holds."
    assert rule["fullDescription"]["text"] == "It holds (spec/a.py:1)."
    assert rule["help"]["text"] == "`memoracle explain a.fails` says more of it."
    assert [each["id"] for each in found["relatedLocations"]] == [1]
    assert found["relatedLocations"][0]["message"]["text"] == "a.fails is claimed"
    (rule,) = log_of(CheckRun([replace(HOLDS, fault=InputError("a.jsonl", 3, "broken"))]))["tool"]["driver"]["rules"]
    assert rule["help"]["text"] == "Every input can be read to its end.", "`explain` knows nothing of it"


def test_junit_says_how_long_it_took_and_what_a_verdict_rests_on() -> None:
    (suite,) = ElementTree.fromstring(text_of(junit, DIVERGES))
    assert (suite.attrib["file"], suite[0].attrib["classname"]) == ("a.jsonl", "memoracle.check")
    assert suite[0][0].attrib["type"] == "bitmap.allocates-only-free"
    (suite,) = ElementTree.fromstring(text_of(junit, PROOFS))
    assert [each.attrib["time"] for each in (suite, *suite)] == ["1.000", "0.500", "0.500"]
    assert {each.attrib["classname"] for each in suite} == {"memoracle.prove.a"}
    assert (suite[0].findtext("system-out") or "").splitlines() == ["proved: it holds", "unbounded"]


def test_an_annotation_says_the_rule_and_what_is_legal() -> None:
    assert text_of(github, DIVERGES).splitlines()[0] == (
        "::error file=a.jsonl,line=2,title=only a free frame is allocated [bitmap.allocates-only-free]"
        "::frame.allocate -> 0x0: 100%25 seen%0Alegal: any other"
    )


def test_a_summary_counts_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_summary, "MOST_CASES", 2)
    run = CheckRun([replace(HOLDS, path=f"{place}.jsonl") for place in range(5)])
    text = step_summary.summary(findings_of(run))
    assert (text.count("<tr>"), "\nand 3 more\n" in text) == (2, True)
    assert "1 of 2 obligations proved" in step_summary.summary(findings_of(PROOFS))
