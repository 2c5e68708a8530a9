"""Badges and three lines: what `prove` came to, where there is room for no more."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from memoracle.cli import main
from memoracle.console.exit_status import Status
from memoracle.proofs.obligations.discharge import Result
from memoracle.report.badge import GREEN, GREY, RED, drawn
from memoracle.report.proof_report import ProofRun

PROVED = Result("a.holds", "a", "theorem", "it holds", "unbounded", "proved", "z3", 0.5, 1, False, "spec/a.py:1", None)
BOUNDED = replace(PROVED, name="a.small", scope="bounded: 4 frames")
TRUST = ["z3 5: that a formula it calls unsatisfiable is", "the domain: 64 bits"]
RUN = ProofRun("x64-2m", [PROVED, BOUNDED], {}, TRUST, 1.0)
VERDICTS = {
    "proved": ("2 proved", GREEN),
    "refuted": ("1 refuted", RED),
    "unknown": ("1 unknown", GREY),
    "vacuous": ("1 vacuous", GREY),
    "nothing": ("nothing proved", GREY),
}


def run_of(verdict: str) -> ProofRun:
    results = {"proved": [PROVED, BOUNDED], "nothing": []}.get(verdict, [PROVED, replace(BOUNDED, verdict=verdict)])
    return replace(RUN, results=results)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_only_proved_is_green(verdict: str) -> None:
    message, (name, colour) = VERDICTS[verdict]
    run = run_of(verdict)
    assert json.loads(drawn(run, [], as_svg=False)) == {
        "schemaVersion": 1,
        "label": "memoracle",
        "message": message,
        "color": name,
    }
    svg = ElementTree.fromstring(drawn(run, ["pat", "heap"], as_svg=True))
    assert svg.attrib["aria-label"] == f"memoracle: pat, heap: {message}"
    assert [each.attrib["fill"] for each in svg.iter("{http://www.w3.org/2000/svg}path")] == [colour]
    assert [each.text for each in svg.iter("{http://www.w3.org/2000/svg}text")] == ["memoracle: pat, heap", message]
    (half,) = svg.iter("{http://www.w3.org/2000/svg}path")
    left = int(half.attrib["d"].removeprefix("M").split()[0])
    middles = [float(each.attrib["x"]) for each in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert middles == [left / 2, (left + int(svg.attrib["width"])) / 2], "each stands in the middle of its half"


def test_whatever_a_badge_says_is_text() -> None:
    svg = ElementTree.fromstring(drawn(RUN, ["<b>&"], as_svg=True))
    assert svg.attrib["aria-label"] == "memoracle: <b>&: 2 proved"


class Besides:
    """Something that `prove` was asked to do besides."""

    key = "emit_smt"

    def __init__(self, status: Status) -> None:
        self.status = status

    def document(self) -> dict[str, Any]:
        return {}

    def tell(self, console: Console) -> None:
        pass


@pytest.mark.parametrize("status", [each for each in Status if each is not Status.HOLDS])
def test_what_prove_does_besides_is_no_success(status: Status) -> None:
    badge = json.loads(drawn(replace(RUN, parts=[Besides(status)]), [], as_svg=False))
    assert (badge["message"], badge["color"]) == ("proved; emit-smt failed", RED[0])


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_white_letters_can_be_read() -> None:
    backgrounds = {"#4a4a4a", *(colour for _, colour in (GREEN, RED, GREY))}
    assert all(1.05 / (luminance(each) + 0.05) >= 4.5 for each in backgrounds)
    assert "#4a4a4a" in drawn(RUN, [], as_svg=True)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_three_lines(verdict: str) -> None:
    out = io.StringIO()
    replace(run_of(verdict), brief=True).write_text(out)
    first, second, third = out.getvalue().splitlines()
    assert re.match(rf"memoracle \S+: {verdict}: \d obligations", first)
    each = 0 if verdict == "nothing" else 1
    assert second == f"{each} for every size that 64-bit addresses admit, {each} within bounds that they name"
    assert third == "trusted: z3 5; the domain"


def test_what_is_of_the_geometry_alone_is_told_apart() -> None:
    out, run = io.StringIO(), run_of("proved")
    results = [replace(each, scope="geometry") for each in run.results]
    replace(run, brief=True, results=[*run.results, *results], geometry="a\x1b.toml").write_text(out)
    each = len(results)
    assert out.getvalue().splitlines()[1].split(", ")[1] == f"{each} of a\\x1b.toml"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--badge", "badge.png"], "--badge: badge.png: FILE.svg or FILE.json was expected"),
        (["--badge", "a.json", "--output", "./a.json"], "--badge: the report goes there"),
        (["--badge", "a.json", "--report", "json=./a.json"], "--report: './a.json': the badge goes there"),
        (
            ["--badge", "a.json", "--emit", "trace", "--emit-output", "./a.json"],
            "--badge: the test of --emit-output goes there",
        ),
        (["--badge", "nowhere/a.svg"], "nowhere/a.svg: cannot write: there is no directory"),
    ],
)
def test_a_badge_that_cannot_be_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["prove", "pat", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []
