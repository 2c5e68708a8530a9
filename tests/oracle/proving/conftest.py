"""Runs `prove` of a component that takes a moment, and keeps what was proved for the next test."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from memoracle.cli import main


@dataclass(frozen=True)
class Proved:
    """What one run answered."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.out)
        return content


Prove = Callable[..., Proved]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def prove(cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Prove:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))

    def run(*arguments: str) -> Proved:
        status = main(["prove", *arguments, "--quiet"])
        captured = capfd.readouterr()
        return Proved(status, captured.out, captured.err)

    return run
