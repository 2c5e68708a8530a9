"""A suite goes on after a failure: each rule that is broken by itself fails, and what follows from another does not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from memoracle.drive.sessions import thorough
from memoracle.pytest_plugin.claims import claims
from memoracle.pytest_plugin.driving import Driving
from memoracle.pytest_plugin.settings import Settings, Suite
from memoracle.pytest_plugin.targets import geometry_of, operations_of


@pytest.fixture(autouse=True)
def _shrunk_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thorough, "SHRINKING", 0.5)


SMALL = 'preset = "x64-4k"\nframes = 8\nkernel_image_frames = 2\n'


class Frames:
    """Frames 2 to 7."""

    def __init__(self) -> None:
        self.free = list(range(2, 8))

    def frame_allocate(self) -> int:
        return self.free.pop() * 4096

    def frame_free(self, address: int) -> None:
        if address % 4096 or not 2 <= address // 4096 < 8 or self.is_twice(address // 4096):
            raise ValueError
        self.free.append(address // 4096)

    def is_twice(self, frame: int) -> bool:
        return frame in self.free

    def frame_free_count(self) -> int:
        return len(self.free)


class Unguarded(Frames):
    """Takes a frame back twice."""

    def is_twice(self, frame: int) -> bool:
        return False


class Miscounting(Unguarded):
    """And counts one too many where all are free but two."""

    def frame_free_count(self) -> int:
        return len(self.free) + (len(self.free) == 4)


class Frail(Miscounting):
    """And dies when an address is given back that is no frame's."""

    def frame_free(self, address: int) -> None:
        if not 2 <= address // 4096 < 8:
            os._exit(1)
        super().frame_free(address)


class Undecided(Unguarded):
    """And knows one memory type alone."""

    def pat_decode(self, index: int) -> str:
        if not 0 <= index < 8:
            raise ValueError
        return "write-back"


def outcomes(folder: Path, target: type, **settings: Any) -> dict[str, str]:
    """What fails, and what is skipped: by the name of the test, how it ends."""
    (folder / "small.toml").write_text(SMALL)
    suite = Suite("suite", folder, Settings(geometries=("small.toml",), **settings), target)
    driving, found = Driving(suite, "small.toml"), {}
    for claim in claims(driving, operations_of(suite, "small.toml"), geometry_of(suite, "small.toml")):
        try:
            claim.judge()
        except (pytest.fail.Exception, pytest.skip.Exception) as end:
            found[claim.name] = f"{type(end).__name__}: {end}"
    return found


def failed(found: dict[str, str]) -> set[str]:
    return {name for name, end in found.items() if end.startswith("Failed")}


TWICE, COUNT = "frame.free-bitmap.frees-only-allocated", "frame.free_count-bitmap.tells-the-count"


def test_what_follows_from_another_fault_does_not_fail(tmp_path: Path) -> None:
    found = outcomes(tmp_path, Unguarded, ops=600)
    assert failed(found) == {TWICE}
    # Handed out twice is only what was taken back twice: without misuse it is not, and that was tried.
    assert "frame.allocate-bitmap.allocates-only-free" not in found


def test_two_faults_fail_by_name_and_the_rest_passes(tmp_path: Path) -> None:
    found = outcomes(tmp_path, Miscounting, ops=600)
    assert failed(found) == {TWICE, COUNT}
    assert all("shrunk from" in found[name] for name in (TWICE, COUNT))
    assert len([*(tmp_path / "suite.failures").iterdir()]) == 2
    # What failed once is tried first, and known.
    again = outcomes(tmp_path, Miscounting, ops=600)
    assert failed(again) == {TWICE, COUNT}
    assert all("fails still" in again[name] for name in (TWICE, COUNT))


def test_a_death_ends_a_run_and_others_are_made(tmp_path: Path) -> None:
    found = outcomes(tmp_path, Frail, ops=600)
    assert failed(found) == {TWICE, COUNT, "frame.free.must-not-crash"}


def test_a_suite_may_cover_its_target(tmp_path: Path) -> None:
    assert failed(outcomes(tmp_path, Frames, cover=True)) == set()
    found = outcomes(tmp_path, Unguarded, cover=True)
    assert failed(found) == {TWICE}
    assert "frames: " in found[TWICE]
    cut = outcomes(tmp_path, Frames, cover=True, ops=40)
    assert failed(cut) == set()
    assert "it holds as far as 40 calls go, but not all was walked: of frames" in cut["frame.free.must-not-crash"]
    (tmp_path / "more").mkdir()
    assert failed(outcomes(tmp_path / "more", Undecided, cover=True)) == {TWICE, "pat.decode-pat.tells-the-type"}
    assert Settings(cover=True, ops=5).said() == "every state, at most 5 calls, level legal"
