"""The allocators of examples/targets: what is right conforms, and every fault that is put into one is found."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from memoracle.cli import main
from memoracle.drive.sessions import session

TARGETS = Path(__file__).parents[3] / "examples" / "targets"
IN_C = ("frames", "buddy", "ranges", "heap", "slab", "kernel")
# What a fault breaks first, whatever the seed; several where it depends on it.
BREAKS = {
    "frames-PAST_THE_TOP": {"bitmap.tells-the-count", "bitmap.allocates-only-free", "bitmap.tells-whether-free"},
    "frames-TWICE_WHEN_FULL": {"bitmap.allocates-only-free", "bitmap.tells-the-count"},
    "frames-WRONG_WORD": {
        "bitmap.allocates-only-free",
        "bitmap.tells-the-count",
        "bitmap.tells-whether-free",
        "frame.allocate.must-succeed",
        "frame.free.must-succeed",
    },
    "buddy-MISSED_COALESCE": {"frame.allocate.must-succeed"},
    "buddy-PAST_THE_TOP": {"frame.allocate.must-succeed", "runs.run-lies-in-reach"},
    "buddy-BELIEVES_THE_SIZE": {"runs.frees-a-whole-run", "runs.run-lies-in-reach", "runs.frees-only-allocated"},
    "ranges-MISSED_COALESCE": {"range.allocate.must-succeed"},
    "ranges-EXACT_FIT": {"range.allocate.must-succeed"},
    "ranges-STALE_PROCESS": {"runs.frees-only-allocated", "runs.frees-a-whole-run"},
    "heap-MISSED_COALESCE": {"heap.new.must-succeed"},
    "heap-ROUNDS_DOWN": {"heap.new.must-not-crash", "heap.delete.must-not-crash", "heap.delete.must-succeed"},
    "heap-CLEARS_TOO_MUCH": {"heap.new.must-not-crash", "heap.delete.must-not-crash", "heap.delete.must-succeed"},
    "heap-FREES_TWICE": {"heap.deletes-a-live-block"},
    "slab-CLASS_EDGE": {"heap.is-disjoint"},
    "slab-TWICE_WHEN_FULL": {"heap.is-disjoint", "heap.address-is-unique"},
    "slab-KEEPS_EMPTY_SLABS": {"heap.new.must-succeed"},
    "kernel-LOST_UPDATE": {"kernel_half.equal-at-rest", "kernel_half.reads-the-entry"},
    "kernel-LEAKS_WHEN_SHORT": {"bitmap.tells-the-count", "frame.allocate.must-succeed"},
    "kernel-STALE_TABLE": {
        "kernel_half.equal-at-rest",
        "kernel_half.reads-the-entry",
        "kernel_half.is-present-where-used",
    },
    "runs-off_by_one_at_the_top": {"runs.run-lies-in-reach"},
    "runs-ignores_the_alignment": {"runs.run-is-aligned"},
    "runs-half_a_free": {
        "runs.run-is-free",
        "bitmap.tells-the-count",
        "frame.allocate.must-succeed",
        "frame.free.must-succeed",
    },
}
HANG = {"heap-ROUNDS_DOWN", "heap-CLEARS_TOO_MUCH"}  # whose lists of blocks go in circles


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """How short a sequence becomes is another test's."""
    monkeypatch.setattr(session, "SHRINKING", 0.2)
    monkeypatch.setattr(session, "PATIENCE", 0.2)


def built(folder: Path, name: str, fault: str | None) -> Path:
    """Compiles an allocator as its head says, and returns its binding."""
    if name == "runs":
        if shutil.which("rustc") is None:
            pytest.skip("rustc is not installed: the allocator in Rust is not built")
        command = ["rustc", "--crate-type", "cdylib", "-O", "--cfg", f'fault="{fault}"', str(TARGETS / "runs.rs")]
    else:
        command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", str(TARGETS / f"{name}.c")]
        command += [f"-DFAULT={fault}"] if fault else []
    subprocess.run([*command, "-o", str(folder / f"{name}.so")], check=True, capture_output=True)
    return Path(shutil.copy(TARGETS / f"{name}.toml", folder))


def driven(capsys: pytest.CaptureFixture[str], binding: Path, calls: int, *more: str) -> tuple[int, dict[str, Any]]:
    options = [*more, "--format", "json", "--quiet", "--seed", "1", "--ops", str(calls)]
    status = main(["drive", *options, str(binding)])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", [*IN_C, "runs"])
def test_what_is_right_conforms(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str) -> None:
    status, document = driven(capsys, built(tmp_path, name, None), 2000)
    assert (status, document["divergences"]) == (0, [])
    assert document["calls"] == 2000


@pytest.mark.parametrize("target", BREAKS)
def test_a_fault_is_found(capsys: pytest.CaptureFixture[str], tmp_path: Path, target: str) -> None:
    name, _, fault = target.partition("-")
    patience = ["--call-time", "3"] if target in HANG else []
    status, document = driven(capsys, built(tmp_path, name, fault), 200_000, *patience)
    assert status == 1
    assert document["divergences"][0]["clause"] in BREAKS[target]


@pytest.mark.parametrize(("name", "fault"), [("heap", None), ("slab", None), ("heap", "ROUNDS_DOWN")])
def test_blocks_are_written_and_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, fault: str | None
) -> None:
    status, _ = driven(capsys, built(tmp_path, name, fault), 3000, "--fill")
    assert status == bool(fault)


def test_what_is_written_into_a_block_is_found(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The heap clears 8 bytes behind a block: of a neighbour without a header they are its contents."""
    binding = built(tmp_path, "slab", None)
    source, frees = (TARGETS / "slab.c").read_text(), "    if (--slab->used"
    assert source.count(frees) == 1
    source = source.replace(frees, f"    ((char *)address)[size] ^= 1;\n{frees}")
    (tmp_path / "slab.c").write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "slab.c", "-o", "slab.so"], cwd=tmp_path, check=True)
    assert driven(capsys, binding, 500)[0] == 0
    status, document = driven(capsys, binding, 3000, "--fill")
    assert status == 1
    assert "its memory was damaged: byte 0 of the" in document["divergences"][0]["message"]


def test_where_the_contents_are_must_be_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["drive", "--fill", str(built(tmp_path, "frames", None))]) == 2
    assert "none says where the `contents` are" in capsys.readouterr().err


def test_every_fault_is_among_these() -> None:
    for name in IN_C:
        found = re.search(r"enum \{ NOTHING, (.*?) \};", (TARGETS / f"{name}.c").read_text())
        assert found is not None
        assert {f"{name}-{each}" for each in found[1].split(", ")} == {each for each in BREAKS if each.startswith(name)}
    in_rust = set(re.findall(r'fault = "(\w+)"', (TARGETS / "runs.rs").read_text()))
    assert {f"runs-{each}" for each in in_rust} == {each for each in BREAKS if each.startswith("runs")}
