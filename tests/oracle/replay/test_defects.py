"""Kinds of defects that kernels have had: of each the line is named that shows it, and without it nothing is."""

from __future__ import annotations

from pathlib import Path

import pytest

from memoracle import check

DEFECTS = Path(__file__).parents[2] / "data" / "defects"


def listed() -> dict[str, tuple[int, str]]:
    """By case, the line that is named and the rule that it breaks, as the table of the folder's README has them."""
    rows = [line.split("|") for line in (DEFECTS / "README.md").read_text().splitlines() if line.startswith("| ")]
    return {case.strip(): (int(line), rule.strip(" `")) for _, case, line, rule, *_ in rows[2:]}


CASES = listed()


def test_every_case_is_listed() -> None:
    assert sorted(path.name for path in DEFECTS.glob("*.jsonl")) == sorted(
        f"{case}.{kind}.jsonl" for case in CASES for kind in ("bad", "good")
    )


@pytest.mark.parametrize("case", CASES)
def test_the_line_that_shows_the_defect_is_named(case: str) -> None:
    (found,) = check(DEFECTS / f"{case}.bad.jsonl").divergences
    assert (found.line, found.finding.clause) == CASES[case]


@pytest.mark.parametrize("case", CASES)
def test_without_the_defect_it_conforms(case: str) -> None:
    result = check(DEFECTS / f"{case}.good.jsonl")
    assert (result.verdict, result.warnings) == ("conforms", ())
