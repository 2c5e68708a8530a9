"""A library that hangs while it is started is left alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from memoracle.cli import main
from memoracle.proposals import trying


def test_a_library_that_hangs_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "PATIENCE", 0.3)
    source = "void pmm_init(void) { for (;;); } unsigned long pmm_alloc(void) { return 0; } void pmm_free(long f) {}"
    (tmp_path / "hang.c").write_text(source)
    library = tmp_path / "hang.so"
    subprocess.run(["cc", "-shared", "-fPIC", "hang.c", "-o", str(library)], cwd=tmp_path, check=True)
    assert main(["init", str(library), "--output", str(tmp_path / "hang.toml")]) == 0
    assert "no answer within" in (tmp_path / "hang.toml").read_text()
