"""`drive --cover`: every call in every state of a small target, whichever blocks it chooses."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from blocks_binding import BINDING, SOURCE
from cover_command import covered

from memoracle import check
from memoracle.cli import main
from memoracle.cover.kernel_pages import KernelPageStates
from memoracle.cover.told import Told
from memoracle.cover.uses import UseStates
from memoracle.cover.walk import Steps
from memoracle.trace.geometry import geometry_from

TARGETS = Path(__file__).parents[3] / "examples" / "targets"
FRAMES = 'preset = "x64-4k"\nframes = 8\nkernel_image_frames = 2\n'
RANGES = """
preset = "x64-4k"
kernel_range = {start = "0xFFFFFFFF00000000", pages = 4}
kernel_reserved = []
process_range = {start = 0, pages = 2}
"""


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(Path(__file__).parent / "cover_targets.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frames.toml").write_text(FRAMES)
    (tmp_path / "ranges.toml").write_text(RANGES)


def of_frames(capsys: pytest.CaptureFixture[str], name: str, *more: str) -> tuple[int, dict[str, Any]]:
    return covered(capsys, f"cover_targets:{name}", "--geometry", "frames.toml", *more)


def test_where_it_is_not_told_what_was_walked_nothing_is_covered(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Told.write
    monkeypatch.setattr(Told, "write", lambda told, value: None if isinstance(value, Steps) else write(told, value))
    status, document = of_frames(capsys, "Lowest")
    assert (status, document["verdict"], document["cover"]["complete"]) == (3, "unknown", False)


@pytest.mark.parametrize("name", ["Lowest", "Highest", "Latest", "Hexadecimal"])
def test_every_call_is_made_once_in_every_state_whatever_is_chosen(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    status, document = of_frames(capsys, name)
    [frames] = document["cover"]["families"]
    # 6 frames are free or not. In each state: one allocation, 9 frees, 10 questions, and a free inside of each frame
    # in use, of which one frame in two is; where none is, it is tried all the same.
    assert (status, frames["states"], frames["transitions"]) == (0, 2**6, 2**6 * (1 + 9 + 10 + 3) + 1)
    assert (frames["taken"], frames["never_taken"], frames["starts"]) == (frames["transitions"], 0, 1)
    # After each of the 6 calls that lead to another state, 10 questions tell where it led; ways cost a few calls more.
    assert frames["taken"] + 2**6 * 6 * 5 < frames["calls"] < frames["taken"] + 2**6 * 6 * 10
    assert frames["calls"] == document["events"] == document["calls"]


def test_a_fault_of_one_state_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    status, document = of_frames(capsys, "Deaf")
    assert (status, document["verdict"]) == (1, "diverges")
    # All six are taken, three given back, and the last of these is missed.
    assert len(document["trace"]) - 1 <= 10
    again = check(document["trace"])
    assert [each.finding.clause for each in again.divergences] == [document["divergences"][0]["clause"]]


def test_what_is_no_answer_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drive", "--cover", "--quiet", "cover_targets:Babbling", "--geometry", "frames.toml"]) == 1
    captured = capsys.readouterr()
    assert "'anywhere' is no answer" in " ".join(captured.out.split())
    assert "shrunk from 1 call to 1" in captured.out


def test_where_nothing_is_given_back_the_target_is_started_again(capsys: pytest.CaptureFixture[str]) -> None:
    status, document = of_frames(capsys, "Permanent")
    [frames] = document["cover"]["families"]
    # Nothing leads anywhere but onwards: all calls of the 7 states are made on one way.
    assert (status, frames["states"], frames["never_taken"], frames["starts"]) == (0, 7, 0, 1)


def test_misuse_is_left_out_where_it_is_not_to_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    _, document = of_frames(capsys, "Lowest", "--no-misuse")
    [frames] = document["cover"]["families"]
    assert document["coverage"]["operations"]["frame.free"]["failed"] == 0
    assert frames["misuse_not_made"] > 0
    assert frames["never_taken"] == 0


def test_the_states_of_ranges_and_tables(capsys: pytest.CaptureFixture[str]) -> None:
    status, document = covered(capsys, "cover_targets:Ranges", "--geometry", "ranges.toml")
    states = {each["name"]: each["states"] for each in document["cover"]["families"]}
    assert status == 0
    # Of 4 pages there are 26 states, of 2 there are 5; a process is there or not. Of two the order is no matter.
    # Tables: 2 shared entries, and one of each process's own, each of them set or not.
    assert states == {
        "the kernel's range": 26,
        "a process's range": 1 + 5,
        "ranges of 2 processes": 1 + 5 + 5 * 6 // 2,
        "PML4 entries of the kernel and 3 processes": 2**2 * 2 * (1 + 2 + 3 + 4),
    }
    assert not any(each["never_taken"] for each in document["cover"]["families"])


def test_the_states_of_pages(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "pages.toml").write_text('preset = "x64-4k"\nframes = 64\nkernel_image_frames = 4\n')
    status, document = covered(capsys, "cover_targets:Pages", "--geometry", "pages.toml", "--ops", "3000")
    [pages] = document["cover"]["families"]
    assert (status, pages["name"], pages["calls"]) == (3, "mapped pages of the kernel and 2 processes", 3000)
    # The shared page shows nothing or one of two frames; so do two of each process. (All 165 take half a minute.)
    assert 30 < pages["states"] <= 3 * (1 + 3**2 + 3**2 * (3**2 + 1) // 2)
    assert len(pages["never_taken_calls"]) == 100
    assert pages["never_taken_calls"][0].keys() == {"state", "call"}


def test_a_fault_between_processes_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    Path("tables.toml").write_text(RANGES.replace("pages = 4", "pages = 1"))
    status, document = covered(capsys, "cover_targets:Stale", "--geometry", "tables.toml")
    assert status == 1
    assert [json.loads(line)["op"] for line in document["trace"][1:]] == [
        "pml4.write",
        "process.create",
        "process.create",
        "pml4.read",
    ]


def test_what_is_too_large_is_refused_and_what_would_do_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drive", "--cover", "cover_targets:Lowest", "--geometry", "x64-4k"]) == 2
    message = capsys.readouterr().err
    assert "cover_targets:Lowest" in message
    assert "frames = 67,108,864, of which 67,107,840 may be free: at most 64 and 10 are covered" in message


def test_a_binding_hands_its_size_to_the_library(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source = "static int n, used[8]; void init(int frames) { n = frames; } "
    source += "int get(void) { for (int i = 0; i < n; i++) if (!used[i]) return used[i] = 1, i; return -1; } "
    source += "int put(int i) { if (i < 0 || i >= n || !used[i]) return -1; return used[i] = 0; }"
    subprocess.run(["cc", "-shared", "-fPIC", "-xc", "-", "-o", "any.so"], input=source.encode(), check=True)
    (tmp_path / "any.toml").write_text(
        'library = "any.so"\nstart = ["init(frames)"]\n'
        'declarations = "void init(int); int get(void); int put(int);"\n'
        '[geometry]\npreset = "x64-4k"\nframes = 100000\nnever_free = []\n'
        '[operations."frame.allocate"]\ncall = "get()"\nfails = "value < 0"\nresult = "value * page_size"\n'
        '[operations."frame.free"]\ncall = "put(address / page_size)"\nfails = "value < 0"\n'
    )
    (tmp_path / "small.toml").write_text('preset = "x64-4k"\nframes = 4\nnever_free = []\n')
    assert main(["drive", "--cover", "any.toml"]) == 2
    capsys.readouterr()
    status, document = covered(capsys, "any.toml", "--geometry", "small.toml")
    assert (status, document["cover"]["families"][0]["states"]) == (0, 2**4)


def test_it_ends_when_it_is_asked_to(capsys: pytest.CaptureFixture[str]) -> None:
    status, document = of_frames(capsys, "Lowest", "--ops", "100")
    [frames] = document["cover"]["families"]
    assert (status, document["verdict"], frames["calls"]) == (3, "unknown", 100)
    assert frames["never_taken"] > 0
    assert not document["cover"]["complete"]
    status = main(["drive", "--cover", "--ops", "100", "--quiet", "cover_targets:Lowest", "--geometry", "frames.toml"])
    text, known = capsys.readouterr().out, frames["transitions"]
    assert status == 3
    assert f"{frames['never_taken']:,} never taken (for example frame." in text
    left = f"of frames {frames['never_taken']:,} of {known:,} known transitions"
    assert f"unknown: 100 events, at level legal; not all was walked: {left}" in text


def test_what_was_not_begun_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    status, document = of_frames(capsys, "Used")
    assert (status, document["cover"]["complete"], document["cover"]["not_begun"]) == (0, True, [])
    first, second = document["cover"]["families"]
    status, document = of_frames(capsys, "Used", "--ops", str(first["calls"]))
    assert (status, document["verdict"]) == (3, "unknown")
    assert document["cover"]["not_begun"] == [second["name"]]
    assert [each["never_taken"] for each in document["cover"]["families"]] == [0]
    status, document = of_frames(capsys, "Used", "--ops", str(first["calls"] + second["calls"]))
    assert (status, document["verdict"], document["cover"]["complete"]) == (0, "conforms", True)


def test_a_divergence_is_one_however_much_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    status, document = of_frames(capsys, "Forgetful", "--ops", "100000")
    assert (status, document["verdict"], document["cover"]["not_begun"]) == (1, "diverges", [])


def test_the_states_of_uses_of_frames(capsys: pytest.CaptureFixture[str]) -> None:
    status, document = of_frames(capsys, "Used")
    uses = document["cover"]["families"][1]
    # Up to two frames, each with none, one or two uses; which frames they are is no matter.
    assert (status, uses["states"], uses["never_taken"]) == (0, 1 + 3 + 3 * 4 // 2, 0)
    status, document = of_frames(capsys, "Forgetful")
    assert (status, document["divergences"][0]["clause"]) == (1, "bitmap.tells-whether-free")
    assert len(document["trace"]) - 1 <= 8


def test_uses_are_given_back_where_there_are_none() -> None:
    asks = {"frame.allocate": frozenset[str](), "frame.get": frozenset[str](), "frame.put": frozenset({"release"})}
    family = UseStates(asks, geometry_from(tomllib.loads(FRAMES)), 2)
    made = [each for each in family.calls(((0, 0x2000), (1, 0x3000))) if each.operation == "frame.put"]
    puts = [(each.block, dict(each.arguments)) for each in made]
    assert {(place, asked["release"]) for place, asked in puts if "release" in asked and asked["address"] == 0} == {
        (place, release) for place in (0, 1) for release in (False, True)
    }


def test_what_is_inside_of_a_frame_is_freed_in_every_state(capsys: pytest.CaptureFixture[str]) -> None:
    status, document = of_frames(capsys, "Rounding")
    assert (status, document["divergences"][0]["clause"]) == (1, "addresses.address-is-aligned")
    assert len(document["trace"]) - 1 == 2


@pytest.mark.parametrize(
    ("fault", "clause", "most"),
    [
        ("NOTHING", None, 0),
        ("LOSES_A_HALF", "frame.allocate.must-succeed", 7),
        ("CRASHES", "frame.free.must-not-crash", 1),
        ("HANDS_OUT_TWICE", "runs.run-is-free", 9),
    ],
)
def test_a_buddy_system_of_8_frames_in_c(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, fault: str, clause: str | None, most: int
) -> None:
    text = SOURCE.read_text()
    for wide, small in (
        ("ORDERS = 6, PAGES = 256", "ORDERS = 4, PAGES = 8"),
        ("page == 64", "page == 6"),
        ("larger != 3 || page != 128", "larger != 1 || page != 4"),
    ):
        assert wide in text
        text = text.replace(wide, small)
    (tmp_path / "small.c").write_text(text)
    subprocess.run(
        ["cc", "-O1", "-shared", "-fPIC", f"-DFAULT={fault}", "small.c", "-o", "blocks.so"], check=True, cwd=tmp_path
    )
    binding = tmp_path / "blocks.toml"
    binding.write_text(BINDING.replace("frames = 256", "frames = 8").replace("max_order = 5", "max_order = 3"))
    status, document = covered(capsys, str(binding))
    if clause is None:
        [frames] = document["cover"]["families"]
        assert (status, frames["states"], frames["never_taken"]) == (0, 677, 0)
        return
    assert status == 1
    assert [each["clause"] for each in document["divergences"]] == [clause]
    assert len(document["trace"]) - 1 <= most


@pytest.mark.parametrize(
    ("target", "fault", "clause"),
    [
        ("kernel", "NOTHING", None),
        ("kernel", "LOST_UPDATE", "kernel_half.reads-the-entry"),
        ("kernel", "STALE_TABLE", "kernel_half.reads-the-entry"),
        ("kernel", "LEAKS_WHEN_SHORT", "bitmap.tells-the-count"),
    ],
)
def test_the_shipped_allocators(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, target: str, fault: str, clause: str | None
) -> None:
    source = TARGETS / f"{target}.c"
    command = ["cc", "-O1", "-shared", "-fPIC", f"-DFAULT={fault}", source, "-o", tmp_path / f"{target}.so"]
    subprocess.run(command, check=True)
    shutil.copy(TARGETS / f"{target}.toml", tmp_path)
    status, document = covered(capsys, f"{target}.toml")
    assert [each["clause"] for each in document["divergences"]] == ([] if clause is None else [clause])
    assert status == (clause is not None)
    # A part that is too large is left out, and said.
    assert any("frames = 256" in each for each in document["cover"]["not_covered"]) == (target == "kernel")


def test_kernel_pages_run_out_of_frames_half_way() -> None:
    asks = {"kernel_pages.allocate": frozenset[str]()}
    family = KernelPageStates(asks, geometry_from(tomllib.loads(FRAMES)), 2)
    asked = {dict(each.arguments)["pages"] for each in family.calls(())}
    assert {8, 8 + 1} <= asked
