"""What reports for CI servers say of proofs: only what is proved is success."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ci_reports import valid
from rich.console import Console

from memoracle.console.exit_status import Status
from memoracle.proofs.obligations.discharge import Result
from memoracle.report.ci import github, junit, sarif
from memoracle.report.ci.findings import findings_of
from memoracle.report.destinations import Draft
from memoracle.report.proof_report import ProofRun, Stated

PROVED = Result("a.holds", "a", "theorem", "it holds", "unbounded", "proved", "z3", 0.5, 1, False, "spec/a.py:1", None)
RUN = ProofRun(
    "x64-2m",
    [
        PROVED,
        replace(PROVED, name="a.fails", verdict="refuted", counterexample="frame = 1\n::error::x"),
        replace(PROVED, name="b.open", component="b", verdict="unknown", counterexample="timed out"),
        replace(PROVED, name="b.empty", component="b", verdict="vacuous"),
    ],
    {"a": "how to replay it"},
    [],
    1.0,
    {"a.fails": [Stated("bitmap.allocates-only-free", "only a free frame is allocated", "spec/bitmap.py:150")]},
)


def test_only_proved_is_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(github.SUMMARY, str(tmp_path / "summary.md"))
    texts = {}
    for name, module in (("junit", junit), ("sarif", sarif), ("github", github)):
        draft = Draft(None)
        module.write(RUN, draft)
        texts[name] = draft.getvalue()
    found = valid(1, texts, RUN.document(), (tmp_path / "summary.md").read_text(encoding="utf-8"))
    assert {each.attrib["name"]: each[0].tag for each in found.suites.iter("testcase")} == {
        "a.holds": "system-out",
        "a.fails": "failure",
        "b.open": "error",
        "b.empty": "error",
    }
    assert "how to replay it" in (found.faults[0].text or "")
    assert [each["ruleId"] for each in found.results] == ["a.fails", "b.open", "b.empty"]
    first = found.results[0]
    assert first["message"]["text"].splitlines()[0] == "refuted: it holds [a.fails]"
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "spec/bitmap.py", "uriBaseId": "MEMORACLE"},
        "region": {"startLine": 150},
    }
    assert first["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "spec/a.py"
    assert len(found.commands) == 3
    assert "%0A::error" in found.commands[0]
    assert found.github[-1].startswith("refuted: 4 obligations (1 proved, 1 refuted, 1 unknown, 1 vacuous")
    assert "1 of 2 obligations proved" in found.summary
    assert found.document["obligations"][1]["law"][0]["source"] == "spec/bitmap.py:150"


def test_nothing_to_prove_is_no_success() -> None:
    found = findings_of(replace(RUN, results=[]))
    assert [each.kind for each in found.problems] == ["nothing"]


class OverBudget:
    """Something that `prove` was asked to do besides, and that fails though all is proved."""

    key, status = "budgets", Status.BROKEN

    def document(self) -> dict[str, Any]:
        return {}

    def tell(self, console: Console) -> None:
        console.print("a.holds cost 5 times its budget")


def test_what_prove_does_besides_fails_too() -> None:
    found = findings_of(replace(RUN, results=[PROVED], parts=[OverBudget()]))
    assert [(each.kind, each.detail) for each in found.problems] == [("broken", "a.holds cost 5 times its budget")]


def test_a_summary_keeps_below_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub takes none that is larger, so what others wrote before it would be lost, too."""
    path = tmp_path / "summary.md"
    path.write_bytes(b"x" * ((1 << 20) - 300))
    monkeypatch.setenv(github.SUMMARY, str(path))
    github.write(RUN, Draft(None))
    assert path.stat().st_size <= 1 << 20
    path.write_text("of another command\n", encoding="utf-8")
    github.write(RUN, Draft(None))
    text = path.read_text(encoding="utf-8")
    assert text.startswith("of another command\n")
    assert "how to replay it" in text
