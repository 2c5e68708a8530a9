"""Applies faults that were made by hand, one at a time, and asks whether the proof that each names refutes it.

`make faults` (`python -m memoracle.proofs.mutation.faults [COMPONENT ...]`). Each stands in a file of its own, in
`faults/COMPONENT/`, in TOML:

    file = "impl/buddy.py"
    says = "what is broken, in a sentence"
    function = "Buddy.free"  # where `old` is looked for; if it is left out, in the whole file
    old = '''...'''  # text that stands there once
    new = '''...'''  # what is put in its place
    refuted_by = "buddy.free.refines"  # the obligation that refutes it
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from memoracle.proofs.mutation.seeding import ROOT, SECONDS, Verdict, tried
from memoracle.proofs.obligations.process_pool import Failure, run_each

FOLDER = Path(__file__).parent / "faults"
REFUTED = "refuted"


class FaultError(Exception):
    """A fault that cannot be read or applied; the text names its file, and what is wrong."""


class Patch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fault as it is written."""

    file: str
    says: str
    old: str
    new: str
    refuted_by: str
    function: str = ""


@dataclass(frozen=True)
class MadeFault:
    """name: as `buddy/forgets-to-merge`."""

    name: str
    patch: Patch

    @property
    def module(self) -> str:
        return self.patch.file

    @property
    def component(self) -> str:
        """The component whose obligation refutes it."""
        return self.patch.refuted_by.partition(".")[0]

    def applied(self) -> ast.Module:
        """The whole module with the fault. Raises FaultError."""
        try:
            text = (ROOT / self.module).read_text(encoding="utf-8")
        except OSError as error:
            raise FaultError(f"{self.name}: {error.strerror}: {self.module}") from None
        first, last = _extent(ast.parse(text), self.patch.function, self.name)
        lines = text.splitlines(keepends=True)
        inside, after = "".join(lines[first:last]), [] if last is None else lines[last:]
        if inside.count(self.patch.old) != 1:
            raise FaultError(
                f"{self.name}: `old` stands {inside.count(self.patch.old)} times in {self.module}, not once"
            )
        broken = "".join(lines[:first]) + inside.replace(self.patch.old, self.patch.new) + "".join(after)
        try:
            return ast.parse(broken)
        except SyntaxError as error:
            raise FaultError(f"{self.name}: {self.module} with `new`, line {error.lineno}: {error.msg}") from None


def _extent(tree: ast.Module, function: str, name: str) -> tuple[int, int | None]:
    """The lines of a function, or of the whole module: the first, and the one after the last."""
    nodes: list[ast.stmt] = tree.body
    extent: tuple[int, int | None] = (0, None)
    for part in function.split(".") if function else []:
        found = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == part]
        if not found:
            raise FaultError(f"{name}: there is no function {function}")
        extent, nodes = (found[0].lineno - 1, found[0].end_lineno), found[0].body
    return extent


def faults(components: Sequence[str] = (), folder: Path = FOLDER) -> list[MadeFault]:
    """Those of the named components, or all. Raises FaultError."""
    found = []
    for path in sorted(folder.glob("*/*.toml")):
        name = f"{path.parent.name}/{path.stem}"
        try:
            patch = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Patch)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise FaultError(f"{name}: {error}") from None
        if not components or path.parent.name in components:
            found.append(MadeFault(name, patch))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what became of each fault that its proof does not refute; 0 if there is none."""
    parser = argparse.ArgumentParser(
        prog="python -m memoracle.proofs.mutation.faults", description=__doc__.split("\n")[0]
    )
    parser.add_argument("component", metavar="COMPONENT", nargs="*", help="of which component (default: of all)")
    parser.add_argument(
        "--seconds", type=int, default=SECONDS, metavar="N", help="of a processor's time for each fault"
    )
    where = "where the components' folders with faults are (default: those of the project)"
    parser.add_argument("--folder", type=Path, default=FOLDER, metavar="DIR", help=where)
    args = parser.parse_args(arguments)
    try:
        made = faults(args.component, args.folder)
        for fault in made:
            fault.applied()
    except FaultError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    count: Counter[str] = Counter()
    tasks = [
        partial(tried, fault, fault.component, partial(list, [fault.patch.refuted_by]), args.seconds) for fault in made
    ]
    for place, outcome in run_each(tasks):
        verdict = Verdict("unknown", outcome.reason) if isinstance(outcome, Failure) else outcome
        count[verdict.outcome] += 1
        if verdict.outcome != REFUTED:
            fault = made[place]
            sys.stdout.write(f"{verdict.outcome}: {fault.name} ({fault.patch.says}): {verdict.by}\n")
    sys.stdout.write(f"{count[REFUTED]} of {len(made)} faults refuted by the obligation that they name\n")
    return 0 if made and count[REFUTED] == len(made) else 1


if __name__ == "__main__":
    sys.exit(main())
