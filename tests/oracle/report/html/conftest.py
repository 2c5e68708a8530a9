from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from browser import needed

from memoracle.cli import main

Shown = Callable[..., Path]


browser = pytest.fixture(needed, scope="package")


@pytest.fixture
def shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shown:
    """The page of a command's report."""

    def run(*arguments: str, status: int = 1) -> Path:
        assert main([*arguments, "--quiet", "--report", f"html={tmp_path / 'page'}"]) == status
        capsys.readouterr()
        return tmp_path / "page" / "index.html"

    return run
