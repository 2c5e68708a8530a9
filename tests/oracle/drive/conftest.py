"""A library with functions of every form."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found, source = tmp_path_factory.mktemp("forms") / "forms.so", Path(__file__).parent / "forms.c"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", source, "-o", found], check=True)
    return found


@pytest.fixture
def folder(library: Path, tmp_path: Path) -> Path:
    (tmp_path / "forms.so").symlink_to(library)
    return tmp_path
