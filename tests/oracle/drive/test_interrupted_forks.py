"""An interrupt that comes just when the process of a target was forked ends that process, too."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from interrupted_forks import interrupted_forks, left_behind

from memoracle.cli import main

TARGETS = Path(__file__).parents[3] / "examples" / "targets"
MANAGER = "unsigned long pmm_alloc(void) { return 0; } void pmm_free(unsigned long frame) {}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("interrupted")
    shutil.copy(TARGETS / "shared.toml", found)
    (found / "pmm.c").write_text(MANAGER)
    for source in (TARGETS / "shared.c", found / "pmm.c"):
        library = found / f"{source.stem}.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-pthread", source, "-o", library], check=True)
    return found


@pytest.mark.parametrize(
    "arguments",
    [["drive", "shared.toml"], ["drive", "shared.toml", "--threads", "2"], ["init", "pmm.so", "--output", "pmm.toml"]],
    ids=["drive", "threads", "init"],
)
def test_none_is_left_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.chdir(folder)
    with interrupted_forks(monkeypatch) as forked:
        assert main(arguments) == 130
    assert capsys.readouterr().err.endswith("memoracle: interrupted\n")
    assert left_behind(forked) == []
    assert len(forked) == 1
