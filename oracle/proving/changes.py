"""`prove --changed-since REV`: proves what a change since a revision of git could affect; says what is left out."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

OPTION = "--changed-since"
SHORT = 12  # digits of a commit that are shown


def add_change_option(parser: argparse.ArgumentParser) -> None:
    """Adds --changed-since, read as `changed_since`."""
    words = "prove only what changes since a revision of git could affect, those that are not committed among them"
    parser.add_argument(OPTION, metavar="REV", type=named, help=words)


def chosen(revision: str, pieces: Sequence[Piece]) -> tuple[list[Piece], ChangeReport]:
    """The claims that what changed since a revision could affect, and what there is to say; raises InputError."""
    from memoracle.proofs import changes

    try:
        changed = changes.changed_since(revision)
    except changes.GitError as fault:
        raise InputError(OPTION, None, str(fault)) from None
    affected: list[Piece] = []
    left, causes = Counter[str](), dict[str, Counter[str]]()
    for piece in pieces:
        component, reasons = piece.unsettled.component, changed.reasons(piece)
        if reasons or piece.modules is None:
            affected.append(piece)
        else:
            left[component] += 1
        for path in reasons:
            causes.setdefault(path, Counter())[component] += 1
    return affected, ChangeReport(revision, changed.commit, causes, left, sorted({*changed.paths} - {*causes}))


@dataclass(frozen=True)
class ChangeReport:
    """Why claims are proved, or left out.

    causes: by changed file, how many claims of each component it could affect.  left_out: how many of each component
    are not proved, since they depend on nothing that changed.  others: the changed files that affect none.
    """

    revision: str
    commit: str
    causes: Mapping[str, Mapping[str, int]]
    left_out: Mapping[str, int]
    others: Sequence[str]
    key: str = "changed_since"

    @property
    def status(self) -> Status:
        return Status.HOLDS

    def document(self) -> dict[str, Any]:
        return {
            "revision": self.revision,
            "commit": self.commit,
            "causes": {path: dict(claims) for path, claims in self.causes.items()},
            "left_out": dict(self.left_out),
            "others": list(self.others),
        }

    def tell(self, console: Console) -> None:
        console.print(Text(escaped(f"Changed since {self.revision} ({self.commit[:SHORT]})"), "bold"))
        for path, claims in self.causes.items():
            console.print(Text(f"  - {escaped(path)}: could affect {told(claims)}"))
        if self.others:
            some = counted(len(self.others), "other file")
            console.print(Text(f"  - {some}: no verdict depends on {'it' if len(self.others) == 1 else 'them'}"))
        if self.left_out:
            console.print(Text(f"Left out, since they depend on nothing that changed: {told(self.left_out)}"))
        if not self.causes:
            console.print("Nothing that changed could affect a verdict, so nothing is proved.")


def told(claims: Mapping[str, int]) -> str:
    """How many claims, and of which components."""
    each = ", ".join(f"{count:,} of {name}" for name, count in claims.items())
    return f"{counted(sum(claims.values()), 'claim')} ({each})"
