"""`prove --emit-smt`: what the solver is asked is written beside the verdicts."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from memoracle.proofs.smtlib_files import Written
from memoracle.proving.smt_files import SmtReport

Prove = Callable[..., Any]


def test_the_files_are_written_and_told(prove: Prove, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "smt"
    told = prove("pat", "--emit-smt", str(folder), "--format", "json")
    assert (told.status, told.document["verdict"]) == (0, "proved")
    names = sorted(path.name for path in folder.iterdir())
    solved = [each["name"] for each in told.document["obligations"] if each["solver"].startswith("z3")]
    assert names == sorted(f"{name}.smt2" for name in solved)
    questions = sum(path.read_text().count("(check-sat)") for path in folder.iterdir())
    due = {"directory": str(folder), "files": len(names), "questions": questions, "without_formula": 7, "faults": {}}
    assert told.document["emit_smt"] == due
    text = prove("pat", "--emit-smt", str(folder)).out
    assert f"Written to {folder}: {len(names)} files with {questions} questions, each to be unsat" in text
    assert "of 7 claims there is none" in text


def test_what_cannot_be_written_is_an_error(prove: Prove, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = prove("pat", "--emit-smt", str(tmp_path / "file"))
    assert (told.status, told.out) == (2, "")
    assert told.err == f"memoracle: {tmp_path / 'file'}: cannot be made: File exists\n"
    (tmp_path / "smt" / "pat.select.refines.smt2").mkdir(parents=True)
    told = prove("pat", "--emit-smt", str(tmp_path / "smt"))
    assert told.status == 2
    assert "not written: pat.select.refines: Is a directory" in told.out


def test_what_a_folder_is_called_is_not_obeyed() -> None:
    name = "a\n::error::b\x1b[2J"
    out = io.StringIO()
    SmtReport(name, [Written("pat.a", 0, name)], 0).tell(Console(file=out, width=200))
    assert out.getvalue().splitlines() == [
        "Written to a\\n::error::b\\x1b[2J: 0 files with 0 questions, each to be unsat",
        "  not written: pat.a: a\\n::error::b\\x1b[2J",
    ]
