"""A file of the cache that is damaged is as good as none."""

from __future__ import annotations

from pathlib import Path

import pytest

from memoracle.proofs.evidence import durations
from memoracle.proofs.obligations import solver

ANSWER = b'{"verdict": "unsat", "rlimit": 12, "seconds": 0.5, "cached": false, "model": {}}'
DAMAGED = [b"", ANSWER[:-1], ANSWER.replace(b"unsat", b"uns\xff"), ANSWER.replace(b"{}", b"[" * 9999), b"[1]", b'"a"']


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(solver, "cache_directory", lambda: tmp_path)
    return tmp_path


def test_what_is_whole_is_read(cache: Path) -> None:
    (cache / "whole.json").write_bytes(ANSWER)
    assert solver.kept(lambda: cache / "whole.json", solver.Answer) == solver.Answer("unsat", 12, 0.5, False, {})


@pytest.mark.parametrize("text", DAMAGED)
def test_what_is_damaged_is_not(cache: Path, text: bytes) -> None:
    (cache / "damaged.json").write_bytes(text)
    assert solver.kept(lambda: cache / "damaged.json", solver.Answer) is None


def test_neither_is_what_is_nowhere(cache: Path) -> None:
    def nowhere() -> Path:
        raise RuntimeError

    assert solver.kept(lambda: cache / "none.json", solver.Answer) is None
    assert solver.kept(nowhere, solver.Answer) is None


@pytest.mark.parametrize(
    ("text", "known"),
    [(b'{"pat.one": 2, "pat.two": 0.5}', {"pat.one": 2.0, "pat.two": 0.5}), (b'{"pat.one": 1%s}' % (b"0" * 400), {})],
)
def test_how_long_claims_took_is_known_or_not(cache: Path, text: bytes, known: dict[str, float]) -> None:
    (cache / "durations.json").write_bytes(text)
    assert durations() == known
