"""`prove --emit-smt DIR`: writes what the solver is asked, as files that any solver can read."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from memoracle.console.counted import counted
from memoracle.console.exit_status import Status
from memoracle.console.options import named
from memoracle.trace.inputs import InputError
from memoracle.trace.quoting import escaped

if TYPE_CHECKING:
    from memoracle.proofs.evidence import Piece
    from memoracle.proofs.smtlib_files import Written

OPTION = "--emit-smt"


def add_smt_option(parser: argparse.ArgumentParser) -> None:
    """Adds --emit-smt, read as `emit_smt`."""
    words = "write what the solver is asked into DIR, too: a file of SMT-LIB 2 for each obligation, to be unsat"
    parser.add_argument(OPTION, metavar="DIR", type=named, help=words)


def folder_of(args: argparse.Namespace) -> Path | None:
    """Makes the folder to write into, if one is wanted; raises InputError."""
    if args.emit_smt is None:
        return None
    folder = Path(args.emit_smt)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise InputError(args.emit_smt, None, f"cannot be made: {fault.strerror or fault}") from None
    return folder


def written(folder: Path, pieces: Sequence[Piece]) -> SmtReport:
    """Writes what the solver is asked of these claims."""
    from memoracle.proofs import smtlib_files

    asked = [piece.proof for piece in pieces if piece.proof is not None]
    return SmtReport(str(folder), [*smtlib_files.write_each(asked, folder)], len(pieces) - len(asked))


@dataclass(frozen=True)
class SmtReport:
    """What was written where. others: the claims that are settled by running something, which no formula says."""

    folder: str
    files: Sequence[Written]
    others: int
    key: str = "emit_smt"

    @property
    def status(self) -> Status:
        return Status.UNUSABLE if self.faults() else Status.HOLDS

    def faults(self) -> list[Written]:
        """Of what there is no file."""
        return [each for each in self.files if each.fault is not None]

    def document(self) -> dict[str, Any]:
        return {
            "directory": self.folder,
            "files": len(self.files) - len(self.faults()),
            "questions": sum(each.questions for each in self.files),
            "without_formula": self.others,
            "faults": {each.name: each.fault for each in self.faults()},
        }

    def tell(self, console: Console) -> None:
        said = self.document()
        told = f"{counted(said['files'], 'file')} with {counted(said['questions'], 'question')}, each to be unsat"
        console.print(Text(f"Written to {escaped(self.folder)}: {told}"), soft_wrap=True)
        if self.others:
            console.print(f"  of {counted(self.others, 'claim')} there is none: they are settled by running something")
        for each in self.faults():
            console.print(Text(f"  not written: {each.name}: {escaped(str(each.fault))}", "red"), soft_wrap=True)
