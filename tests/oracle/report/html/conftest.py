from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, DRIVER, Browser, begun

from memoracle.cli import main

Shown = Callable[..., Path]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One for all tests of pages."""
    if not (CHROMIUM.exists() and DRIVER.exists()):
        pytest.skip("chromium and chromium-driver are not installed")
    with begun() as browser:
        yield browser


@pytest.fixture
def shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shown:
    """The page of a command's report."""

    def run(*arguments: str, status: int = 1) -> Path:
        assert main([*arguments, "--quiet", "--report", f"html={tmp_path / 'page'}"]) == status
        capsys.readouterr()
        return tmp_path / "page" / "index.html"

    return run
