"""What `prove` and `explain` read: geometries, names, budgets, what git says, and what is kept of earlier runs.

Nothing is proved: each claim has the verdict that is made up for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

from fuzzing import guard
from fuzzing.corpora import BUDGETS, GEOMETRIES, SCORES, VERDICT
from fuzzing.mutation import mutated
from fuzzing.readers import FORMS, JSON, Case, plain
from fuzzing.texts import as_text, text
from memoracle.explain import index as explain_index
from memoracle.proofs import budgets, changes, evidence, kept
from memoracle.proofs.evidence import Piece
from memoracle.proofs.mutation import score_file
from memoracle.proofs.obligations import solver
from memoracle.proofs.obligations.discharge import Result
from memoracle.report.html import proof_page

FEW = ("pat", "heap", "boot", "kernel_half")  # components, which have few claims
WHOLE = b"""preset = "x64-4k"
frames = 4096
kernel_image_frames = 16
kernel_range = { start = "0xffffffff80000000", pages = 4096 }
process_range = { start = 0, pages = 8 }
kernel_reserved = [{ page = 0, pages = 16 }]
frame_allocator = "runs"
range_allocator = "runs"
range_free = "partial"
heap_classes = [8, 16, 32, 64, 128, 256, 512, 1024, 2048]
heap_alignment = 16
pat_register = "0x0007040600070406"
physical_address_bits = 40
leaf_level = 1
never_free = [{ start = 0, end = 1 }]
zones = [{ name = "dma", start = 0, bytes = 65536 }]
misuse = { "frame.free" = "undefined" }
"""
GIT = [b"0123456789abcdef0123456789abcdef01234567\n", b"proofs/pat.py\0spec/pat.py\0constraints.txt\0oracle/a b.py\0"]
PINS = b"z3-solver==4.13.0\nmsgspec==0.19.0\n"
EXPLAINED = explain_index.Index
VERDICTS = (*["proved"] * 20, "unknown", "vacuous")


@cache
def index() -> explain_index.Index:
    """All that has a name, which is the same for every input."""
    return EXPLAINED()


@cache
def names() -> list[str]:
    index_ = index()
    return [*index_.names, *(f"[{name}]" for name in index_.names[:9]), "frame.allocate.must-succeed"]


class Proving(NamedTuple):
    """A run of `prove`. case: how it is called.  seed: of the verdicts.  git, pins: what git says."""

    case: Case
    seed: int
    git: tuple[bytes, ...] = ()
    pins: bytes = b""


def prove(random: Random) -> tuple[str, ...]:
    """How it is reported: a page takes long."""
    found = random.choice([(), (), (JSON,), (random.choice(FORMS),), ("--summary",), ("--verbose",)])
    page = ("--report=html=@html",) if not random.randrange(300) else ()
    return (*found, *page)


def components(random: Random) -> tuple[str, ...]:
    if not random.randrange(12):
        return (as_text(random, FEW) or "-",)
    return (random.choice(FEW if not random.randrange(8) else FEW[:1]),)


def of_geometry(random: Random) -> Proving:
    """`prove --geometry FILE`."""
    kind = random.randrange(8)
    found = mutated(random, [WHOLE] if kind < 5 else GEOMETRIES)
    if kind == 7:
        found = b"frames = 16\n" + text(random, 200).encode("utf-8", "replace")
    arguments = ("prove", *prove(random), "--geometry=@geometry", *components(random))
    return Proving(Case(arguments, {"geometry": found}), random.getrandbits(32))


def with_budgets(random: Random) -> Proving:
    """`prove --budgets check`; in some the solver is the one that there is."""
    found = BUDGETS if random.randrange(4) else BUDGETS.replace(b"z3 4.13.0", solver.VERSION.encode())
    found = mutated(random, [found.replace(b"z3 4.13.0", solver.VERSION.encode())] if random.randrange(2) else [found])
    action = "check" if random.randrange(8) else "update"
    arguments = ("prove", *prove(random), f"--budgets={action}", *components(random))
    return Proving(Case(arguments, {"budgets": found}), random.getrandbits(32))


def since(random: Random) -> Proving:
    """`prove --changed-since REV`, and what git says of it."""
    revision = as_text(random, ["HEAD~3", "main", "v1.0"])
    found = tuple(mutated(random, [each]) if random.randrange(3) else each for each in (GIT[0], GIT[1], GIT[1]))
    arguments = ("prove", *prove(random), f"--changed-since={revision}", *components(random))
    files = {changes.PINS: mutated(random, [PINS])}
    return Proving(Case(arguments, files), random.getrandbits(32), found, mutated(random, [PINS]))


def made_up(seed: int, pieces: Sequence[Piece], settle: object) -> Iterator[tuple[int, Result]]:
    """A verdict on each claim, in the place of the solver's."""
    random = Random(seed)
    for place, piece in enumerate(pieces):
        yield place, replace(piece.unsettled, verdict=random.choice(VERDICTS), rlimit=random.choice([0, 9, 10**6]))


def hold(folder: Path, proving: Proving) -> None:
    """`prove` says what it makes of it, and ends as it may."""
    replaced = patch.multiple(evidence, results=lambda *given, settle: made_up(proving.seed, *given, settle))
    git = patch.multiple(changes, ROOT=folder, subprocess=SimpleNamespace(run=saying(folder, proving)))
    files = proving.case.files | {"scores": SCORES if proving.seed % 2 else mutated(Random(proving.seed), [SCORES])}
    scores = patch.object(score_file, "FILE", folder / "scores")
    with replaced, git, patch.object(budgets, "FILE", folder / "budgets"), scores, known_names():
        guard.run(folder, proving.case._replace(files=files))


def saying(root: Path, proving: Proving) -> Callable[..., Any]:
    """In the place of git: the project's folder, a commit, and what changed since."""
    said = [os.fsencode(root) + b"\n", *proving.git, proving.pins]
    left = iter(said)

    def run(command: Sequence[str], **_: object) -> SimpleNamespace:
        out = next(left, b"")
        return SimpleNamespace(returncode=not out, stdout=out, stderr=b"fatal: \x1b[2J\xff no\n::error::x")

    return run


@contextmanager
def known_names() -> Iterator[None]:
    """What has a name is looked for once."""
    with patch.object(explain_index, "Index", index), patch.object(proof_page, "Index", index):
        yield


def explained(random: Random) -> Case:
    """`explain NAME`."""
    kind = random.randrange(3)
    name = as_text(random, [random.choice(names())]) if kind else text(random, 20).replace("\0", "")
    return Case(("explain", *plain(random), *(["--"] if random.randrange(3) else []), name), {})


def explain(folder: Path, case: Case) -> None:
    with known_names():
        guard.run(folder, case)


class Spoilt(NamedTuple):
    """What is kept in a file, by its kind."""

    kind: str
    text: bytes


KEPT = {
    "verdict": VERDICT,
    "answer": b'{"verdict": "unsat", "rlimit": 12, "seconds": 0.5, "cached": false, "model": {"a": 3, "b": true}}',
    "durations": b'{"pat.one": 0.25, "buddy.split": 12, "heap.new": 1e-3}',
    "scores": SCORES,
}


def spoilt(random: Random) -> Spoilt:
    kind = random.choice([*KEPT])
    return Spoilt(kind, mutated(random, [KEPT[kind]]))


def read_spoilt(folder: Path, spoilt: Spoilt) -> None:
    """What is damaged is as good as nothing; what is no damage has what such a file has."""
    path = folder / "kept.json"
    path.write_bytes(spoilt.text)
    cache_is_here = patch.object(solver, "cache_directory", lambda: folder)
    with cache_is_here, guard.watched(str(path)):
        if spoilt.kind == "verdict":
            with patch.object(kept.Kept, "_path", lambda _: path):
                found = kept.Kept("", frozenset()).verdict()
            assert found is None or found.verdict == "proved"
        elif spoilt.kind == "answer":
            with patch.object(solver, "_answers", lambda: folder):
                answer = solver._kept("kept")
            assert answer is None or answer.verdict in ("sat", "unsat")
        elif spoilt.kind == "durations":
            with patch.object(evidence, "_durations_file", lambda: path):
                times = sorted(evidence.durations().values())
            assert all(each == each for each in times)
        else:
            read_scores(path)


def read_scores(path: Path) -> None:
    with patch.object(score_file, "FILE", path), suppress(score_file.ScoresError):  # it says what is wrong
        found = score_file.read()
        score_file.updated(path.read_text(encoding="utf-8"), {"pat": {"by_run": 1}}, "0" * 40)
        json.dumps([proof_page.scored(each) for each in found.values()])


PROVING: dict[str, tuple[Callable[[Random], Any], Callable[[Path, Any], None]]] = {
    "geometries of proofs": (of_geometry, hold),
    "budgets": (with_budgets, hold),
    "what git says": (since, hold),
    "names to explain": (explained, explain),
    "what is kept of proofs": (spoilt, read_spoilt),
}
