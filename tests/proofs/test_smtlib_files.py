"""Obligations as SMT-LIB 2: each file stands alone, other solvers read it, and find what Z3 finds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import bitwuzla
import cvc5
import pytest

from memoracle.proofs import smtlib_files
from memoracle.proofs.obligations.obligation import Claims, Obligation
from memoracle.proofs.registry import obligations
from memoracle.proofs.symbolic.execution import Run
from memoracle.proofs.symbolic.hypothesis_pool import Sort
from memoracle.spec import kernel_half as law

OF_BITS = ("pat.decode.refines", "pat.select.refines", "buddy.order-for.refines")
OF_INTEGERS = ("kernel_half.equal-at-rest", "kernel_half.differ-in-one-entry")
NAMES = (*OF_BITS, *OF_INTEGERS)
Files = dict[str, Path]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("smt")
    components = sorted({name.partition(".")[0] for name in NAMES})
    chosen = [each for each in obligations(components) if isinstance(each, Obligation) and each.name in NAMES]
    written = {each.name: each for each in smtlib_files.write_each(chosen, folder)}
    assert {name: each.fault for name, each in written.items()} == dict.fromkeys(NAMES)
    found = {name: folder / f"{name}.smt2" for name in NAMES}
    for name, path in found.items():
        assert path.read_text().count("(check-sat)") == written[name].questions > 0
    return found


def told_by_cvc5(path: Path) -> list[str]:
    """cvc5's answers; it refuses whatever the standard does not have."""
    solver = cvc5.Solver(cvc5.TermManager())
    for option in ("incremental", "strict-parsing"):
        solver.setOption(option, "true")
    parser = cvc5.InputParser(solver)
    parser.setFileInput(cvc5.InputLanguage.SMT_LIB_2_6, str(path))
    said = []
    while not (command := parser.nextCommand()).isNull():
        said.append(command.invoke(solver, parser.getSymbolManager()).strip())
    return [each for each in said if each]


def told_by_z3(path: Path) -> list[str]:
    """The answers of Z3's own program."""
    program = str(Path(sys.executable).with_name("z3"))
    return subprocess.run([program, str(path)], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("name", NAMES)
def test_all_is_unsatisfiable_to_the_solvers_that_read_it(
    files: Files, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    due = ["unsat"] * files[name].read_text().count("(check-sat)")
    assert told_by_z3(files[name]) == due
    if name in OF_INTEGERS:
        assert told_by_cvc5(files[name]) == due
    else:
        bitwuzla.Parser(bitwuzla.TermManager(), bitwuzla.Options()).parse(str(files[name]), False, True)
        assert capfd.readouterr().out.split() == due


def test_another_solver_reads_bits_too(files: Files) -> None:
    assert set(told_by_cvc5(files["pat.decode.refines"])) == {"unsat"}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_what_it_is_about(files: Files, name: str) -> None:
    text = files[name].read_text()
    assert text.isascii()
    assert max(map(len, re.findall("^;.*", text, re.MULTILINE))) <= 120
    assert text.startswith(f"; obligation: {name} (")
    assert f"(set-logic {'QF_UFLIA' if name in OF_INTEGERS else 'QF_UFBV'})" in text
    assert "; claim: " in text
    assert "; source: proofs/" in text
    assert text.count("(push 1)") == text.count("(pop 1)")
    assert text.count("(set-info :status unsat)") == text.count("(check-sat)")


def test_clauses_stand_in_their_words(files: Files) -> None:
    text = " ".join(files["kernel_half.equal-at-rest"].read_text().replace("\n;   ", "\n").split())
    assert f"; goal: {law.equal_at_rest.says} (assert" in text
    assert f"; given: {law.halves_are_equal.says} [kernel_half.halves-are-equal] (assert" in text
    assert f"goal: {law.differ_in_one_entry.says}" not in text  # it is proved with it, and has a file of its own


def test_without_what_is_given_it_is_satisfiable(files: Files, tmp_path: Path) -> None:
    text = files["kernel_half.equal-at-rest"].read_text()
    goals = text.index("; goal: ")
    declarations = [line for line in text[:goals].splitlines() if line.startswith("(declare-fun")]
    bare = tmp_path / "bare.smt2"
    bare.write_text("\n".join(["(set-logic QF_UFLIA)", *declarations, text[goals:]]))
    assert told_by_z3(bare) == ["sat"]


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    claims = Claims("test", {"page": Sort("page")})

    @claims("empty", "theorem", "nothing is claimed")
    def empty(run: Run) -> None:
        run.point("page")

    @claims("words", "theorem", "what is \u2264 7\n(check-sat)")
    def words(run: Run) -> None:
        run.assert_goal("a line\n(check-sat)", run.point("page") >= 0)

    faults = {each.name: each.fault for each in smtlib_files.write_each([empty, words], tmp_path)}
    assert faults == {"test.empty": "no path claims anything", "test.words": None}
    assert "; claim: what is \\u2264 7 (check-sat)\n" in (tmp_path / "test.words.smt2").read_text()
    assert told_by_z3(tmp_path / "test.words.smt2") == ["unsat"]
    [written] = smtlib_files.write_each([words], tmp_path / "missing")
    assert written.fault == "No such file or directory"
