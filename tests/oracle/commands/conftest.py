from __future__ import annotations

from pathlib import Path

import pytest
from check_command import TEXTS


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    for name, text in TEXTS.items():
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return {name: str(tmp_path / f"{name}.jsonl") for name in TEXTS} | {"none": str(tmp_path / "none.jsonl")}
