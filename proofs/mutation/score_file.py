"""The scores that README and the pages of `prove` show: what became of each component's faults, and on which commit."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec

from memoracle.proofs import changes, dependencies
from memoracle.proofs.obligations.solver import keep

FILE = Path(__file__).resolve().with_name("scores.toml")
NAMES = f"{FILE.name} names the commit that faults were tried on"
COLUMNS = ("by_proof", "by_run", "fails_to_run", "equivalent", "unknown", "survived", "not_tried")
SHORT = 7  # digits of a commit
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
Found = TypeVar("Found")


class Score(msgspec.Struct):
    """What became of a component's faults, and the commit whose proofs they were tried on."""

    commit: str
    faults: Count
    by_proof: Count
    by_run: Count
    fails_to_run: Count
    equivalent: Count
    unknown: Count
    survived: Count
    not_tried: Count


class ScoresError(Exception):
    """The scores cannot be kept; the text says why."""


def committed(since: str = "HEAD") -> str:
    """The commit of this revision; raises ScoresError where what faults are tried on is not as it was then."""
    try:
        changed = changes.changed_since(since)
    except changes.GitError as fault:
        raise ScoresError(f"{NAMES}, but {fault}") from None
    wings = tuple(f"{wing}/" for wing in dependencies.WINGS)
    paths = [path for path in changed.paths if path.startswith(wings) and not path.endswith(f"/{FILE.name}")]
    paths += [changes.PINS] if changed.pins else []
    if paths:
        raise ScoresError(f"{NAMES}, but {paths[0]} is not as of {changed.commit[:SHORT]}: commit it first")
    return changed.commit


def read() -> dict[str, Score]:
    """The scores of each component; raises ScoresError."""
    try:
        return _scores_in(FILE.read_text(encoding="utf-8"), Score)
    except (OSError, UnicodeDecodeError) as fault:
        raise ScoresError(f"{FILE.name}: {fault}") from None


def _scores_in(text: str, kind: type[Found]) -> dict[str, Found]:
    """What a file says of each component; raises ScoresError."""
    try:
        return msgspec.convert(tomllib.loads(text), dict[str, kind])  # type: ignore[valid-type]  # which it is, a run knows
    except (ValueError, RecursionError, msgspec.ValidationError) as fault:
        raise ScoresError(f"{FILE.name}: {fault}") from None


def updated(text: str, found: Mapping[str, Mapping[str, int]], commit: str) -> str:
    """The file with these components' counts in the place of those that it had; raises ScoresError.

    text: the file as it is, whose first comment and whose other components stay.  commit: what these were tried on.
    """
    scores: dict[str, Any] = _scores_in(text, dict[str, int | str])
    scores |= {name: {"commit": commit[:SHORT], **counts} for name, counts in found.items()}
    head = "".join(takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))
    return head + "".join(map(_entry, scores, scores.values()))


def _entry(name: str, score: Mapping[str, Any]) -> str:
    lines = (f'{key} = "{value}"\n' if isinstance(value, str) else f"{key} = {value}\n" for key, value in score.items())
    return f"\n[{name}]\n{''.join(lines)}"


def update(found: Mapping[str, Mapping[str, int]], commit: str) -> None:
    """Keeps these counts; raises ScoresError and OSError, and then the file is as it was."""
    committed(commit)
    keep(FILE, updated(FILE.read_text(encoding="utf-8"), found, commit))
