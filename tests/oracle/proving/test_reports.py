"""`prove` and its reports: one that cannot be made leaves no half of another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from memoracle.proofs.mutation import score_file

Prove = Callable[..., Any]


def test_a_report_that_cannot_be_made_is_told_once(
    prove: Prove, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt = tmp_path / "scores.toml"
    spoilt.write_text("[pat]\n")
    monkeypatch.setattr(score_file, "FILE", spoilt)
    told = prove("pat", "--format", "junit", "--report", f"html={tmp_path / 'page'}")
    (error,) = ElementTree.fromstring(told.out).iter("error")
    assert told.status == 2
    assert "missing required field" in (error.text or "")
    assert not (tmp_path / "page").exists()
