"""The first call of a run may be made up by what the law says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from memoracle.cli import main


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_target_without_blocks_is_driven_from_its_first_call_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "only_the_pat"
    Path(f"{name}.py").write_text("class Pat:\n    def pat_register(self):\n        return 0x0005040600010406\n")
    assert main(["drive", f"{name}:Pat", "--ops", "5", "--seed", str(seed)]) == 0, capsys.readouterr().err
