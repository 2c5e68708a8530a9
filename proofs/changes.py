"""Which claims a change since a revision of git could affect.

A claim is affected by every module that its verdict depends on (`dependencies.py`), and besides by what is noted of its
proof, by what lists the claims and says what they depend on, and by the pinned versions of what proves them. What
is not committed counts as changed, too.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from memoracle.proofs import dependencies
from memoracle.proofs.kept import PACKAGES

if TYPE_CHECKING:  # which imports every component
    from memoracle.proofs.evidence import Piece

ROOT = Path(__file__).resolve().parents[1]
PINS = "constraints.txt"
PROVES = (*PACKAGES, "unicorn")  # of an emulated processor no verdict is kept
NOTED = "proofs/obligations/noted_cores/"  # by component: `buddy.json`
# What lists the claims, and what says which verdicts are still good: a change of these may affect any claim.
LISTS = tuple(f"proofs/{name}.py" for name in ("changes", "dependencies", "evidence", "kept", "parts", "registry"))


class GitError(Exception):
    """What changed cannot be known; the text says why."""


@dataclass(frozen=True)
class Changed:
    """What differs from a commit. paths: of the project's files, sorted.  pins: whether a version that proves does."""

    commit: str
    paths: tuple[str, ...]
    pins: bool

    def reasons(self, piece: Piece) -> list[str]:
        """The changed files that could affect the verdict on a claim."""
        return [path for path in self.paths if self._affects(path, piece)]

    def _affects(self, path: str, piece: Piece) -> bool:
        component = piece.unsettled.component
        if path in LISTS or (path == PINS and self.pins):
            return True
        if path == f"{NOTED}{component}.json":
            return True
        name = self._modules.get(path)
        if name is None:
            return False
        if piece.modules is None or name in piece.modules:
            return True
        # Who imported a module that is gone has changed, too, unless it is found by its place.
        whole = {each for each in dependencies.SOURCES if each.startswith(f"{name.partition('.')[0]}.")}
        is_gone = name not in dependencies.SOURCES
        return is_gone and (dependencies.owner(name) == component or whole <= piece.modules)

    @cached_property
    def _modules(self) -> dict[str, str]:
        """By their paths, the modules of the law, the reference and the proofs that changed."""
        return dict(_named(self.paths))


def _named(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    for path in paths:
        file = Path(path)
        name = dependencies.name_of(file) if file.suffix == ".py" else ""
        if name.partition(".")[0] in dependencies.WINGS:
            yield path, name


def changed_since(revision: str) -> Changed:
    """What changed in this checkout since a revision; raises GitError."""
    top = _git("no checkout of the project with git", "rev-parse", "--show-toplevel").strip()
    if Path(top).resolve() != ROOT:
        raise GitError(f"{ROOT} is no checkout of the project with git")
    verified = "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
    commit = _git(f"there is no revision {revision!r}", *verified).strip()
    changed = _git("what changed", "diff", "--name-only", "--no-renames", "-z", commit, "--")
    new = _git("what is new", "ls-files", "--others", "--exclude-standard", "-z")
    paths = sorted({path for path in (changed + new).split("\0") if path})
    return Changed(commit, tuple(paths), PINS in paths and _pins(commit) != _pins_here())


def _pins_here() -> list[str]:
    try:
        return _pinned((ROOT / PINS).read_text(encoding="utf-8", errors="replace"))
    except OSError:  # there are none any more
        return []


def _pins(commit: str) -> list[str]:
    try:
        return _pinned(_git("", "show", f"{commit}:{PINS}"))
    except GitError:  # there were none
        return []


def _pinned(text: str) -> list[str]:
    """The lines that pin what proves."""
    return sorted(line for line in text.splitlines() if line.partition("==")[0].strip() in PROVES)


def _git(fault: str, *arguments: str) -> str:
    """What git says of this checkout; raises GitError, with what is at fault."""
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False, env=os.environ | {"LC_ALL": "C"})
    except OSError as error:
        raise GitError(f"git cannot be run: {error.strerror or error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise GitError(f"{fault}: {said}" if said else fault)
    return done.stdout.decode(errors="surrogateescape")
