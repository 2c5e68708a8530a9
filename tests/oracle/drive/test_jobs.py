"""Several processes call at once: what comes of each counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from blocks_binding import blocks

from memoracle.cli import main

# Of two processes that are forked one after another, the one that comes to an end first answers nonsense at its end.
TARGET = """
import os
from pathlib import Path
from memoracle import Bitmap


class Frames:
    def __init__(self):
        self.bitmap = Bitmap(16, [(0, 2)])
        self.bitmap.add(2, 16)
        self.made = 0
        self.first = None

    def frame_allocate(self):
        if self.first is None:
            try:
                Path("first").touch(exist_ok=False)
                self.first = True
            except FileExistsError:
                self.first = False
        self.made += 1
        if self.first and self.made == 40:
            return "no number"
        frame = self.bitmap.allocate()
        if frame is None:
            raise MemoryError
        return frame << 12
"""
GEOMETRY = 'preset = "x64-4k"\nframes = 16\nkernel_image_frames = 2\n'


def driven(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    status = main(["drive", "--format", "json", "--quiet", "--seed", "3", "--jobs", "2", *arguments])
    return status, json.loads(capsys.readouterr().out)


def test_all_calls_are_counted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, document = driven(capsys, "--ops", "1001", str(blocks(tmp_path, "NOTHING")))
    assert (status, document["verdict"], document["events"], document["calls"]) == (0, "conforms", 1001, 1001)
    operations = document["coverage"]["operations"]
    assert sum(each["events"] for each in operations.values()) == 1001


def test_a_fault_that_one_process_finds_is_found(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, document = driven(capsys, "--ops", "20000", str(blocks(tmp_path, "LOSES_A_HALF")))
    assert (status, document["verdict"]) == (1, "diverges")


def test_what_is_no_answer_of_one_process_is_not_lost(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "nonsense_at_last.py").write_text(TARGET)
    (tmp_path / "small.toml").write_text(GEOMETRY)
    status, document = driven(capsys, "--ops", "2000", "--geometry", "small.toml", "nonsense_at_last:Frames")
    assert (status, document["verdict"]) == (1, "diverges")
    assert "is no answer" in document["divergences"][0]["message"]
