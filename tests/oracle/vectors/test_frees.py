"""Vectors of a library whose frees are told less, or otherwise, how much they give back."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from memoracle.cli import main

RUNS = """
enum { FRAMES = 5 };
static unsigned long of[FRAMES];
static int used[FRAMES] = {1};
long fr_alloc(unsigned long count)
{
    for (unsigned long at = 1, each; count && at + count <= FRAMES; at++) {
        for (each = at; each < at + count && !used[each]; each++)
            ;
        if (each < at + count)
            continue;
        for (each = at; each < at + count; each++)
            used[each] = 1;
        of[at] = count;
        return at;
    }
    return -1;
}
int fr_free(unsigned long at)
{
    if (at >= FRAMES || !of[at])
        return -1;
    for (unsigned long each = at; each < at + of[at] - (of[at] > 1 && FAULT); each++)
        used[each] = 0;
    return of[at] = 0;
}
"""
BINDING = """library = "frames.so"
declarations = '''
long fr_alloc(unsigned long count);
int fr_free(unsigned long at);
int fr_free_order(unsigned long at, unsigned order);
'''
start = []
geometry = GEOMETRY
[operations."frame.allocate"]
call = "fr_alloc(count)"
fails = "value < 0"
result = "value * page_size"
[operations."frame.free"]
call = "FREE"
fails = "value != 0"
"""
SMALL = 'preset = "x64-4k", frames = 5, kernel_image_frames = 1'
OF_RUNS = f'{{{SMALL}, frame_allocator = "runs", frame_free_parts = "PARTS"}}'
OF_BLOCKS = '{preset = "x64-4k", frames = 4, never_free = [], frame_allocator = "buddy"}'
RANGES = """library = "ranges.so"
declarations = "uint64_t take(unsigned pages); int give(uint64_t at);"
start = []
geometry = {preset = "x64-4k", kernel_range = {start = "0xFFFFFFFF00000000", pages = 4}, kernel_reserved = []}
[operations."range.allocate"]
call = "take(pages)"
fails = "value == 0"
result = "value"
[operations."range.free"]
call = "give(address)"
fails = "value != 0"
"""
WHOLE = OF_RUNS.replace("PARTS", "whole")


def bound(folder: Path, geometry: str, free: str) -> str:
    path = folder / "frames.toml"
    path.write_text(BINDING.replace("GEOMETRY", geometry).replace("FREE", free))
    return str(path)


def steps_of(capsys: pytest.CaptureFixture[str], component: str, binding: str, operation: str) -> list[dict[str, Any]]:
    assert main(["vectors", "--component", component, "--binding", binding]) == 0
    steps = [step for vector in json.loads(capsys.readouterr().out)["vectors"] for step in vector["steps"]]
    return [step for step in steps if step["op"] == operation]


@pytest.mark.parametrize(
    ("component", "geometry", "free", "named", "given"),
    [
        ("runs", WHOLE, "fr_free(address / page_size)", set(), {1, 2, 3, 4}),
        ("runs", OF_RUNS.replace("PARTS", "partial"), "fr_free(address / page_size)", set(), {1}),
        ("runs", WHOLE, "fr_free_order(address / page_size, order)", {"order"}, {1, 2, 4}),
        ("frame_buddy", OF_BLOCKS, "fr_free(address / page_size)", set(), {1, 2, 4}),
        ("frame_buddy", OF_BLOCKS, "fr_free_order(address / page_size, log2(count))", {"count"}, {1, 2, 4}),
    ],
)
def test_a_free_is_told_what_its_call_takes(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    component: str,
    geometry: str,
    free: str,
    named: set[str],
    given: set[int],
) -> None:
    (tmp_path / "frames.so").touch()
    frees = steps_of(capsys, component, bound(tmp_path, geometry, free), "frame.free")
    assert frees
    assert all(step["arguments"].keys() == {"address"} | named for step in frees)
    sizes = {step.get("bytes") for step in frees if step["requires"] == "success"}
    assert sizes == {each * 4096 for each in given}


def test_a_library_that_remembers_how_much_it_gave_passes_and_its_fault_is_found(tmp_path: Path) -> None:
    """It was failed for giving back all of a run where the vectors named a part of it, which it was never told."""
    binding = bound(tmp_path, WHOLE, "fr_free(address / page_size)")
    (tmp_path / "frames.so").touch()
    asked = ["vectors", "--component", "runs", "--format", "c", "--binding", binding]
    assert main([*asked, "--output", str(tmp_path / "v.c")]) == 0
    (tmp_path / "frames.c").write_text(RUNS)
    for fault in (0, 1):
        command = ["cc", "-O1", f"-DFAULT={fault}", "v.c", "frames.c", "-o", "vectors"]
        subprocess.run(command, check=True, cwd=tmp_path)
        ran = subprocess.run(["./vectors"], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert ran.returncode == fault
        assert ("frame.allocate: it must succeed" in ran.stdout + ran.stderr) == bool(fault)


def test_a_free_of_a_range_that_is_not_told_its_pages_is_not_misused_by_these(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "ranges.so").touch()
    binding = tmp_path / "ranges.toml"
    binding.write_text(RANGES)
    untold = steps_of(capsys, "buddy", str(binding), "range.free")
    binding.write_text(RANGES.replace("at);", "at, unsigned pages);").replace("give(address)", "give(address, pages)"))
    told = steps_of(capsys, "buddy", str(binding), "range.free")
    assert untold
    assert len(untold) < len(told)
    live = {step["arguments"]["pages"] for step in untold if step["requires"] == "success"}
    assert live == {1, 2, 3, 4}
