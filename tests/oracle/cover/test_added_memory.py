"""`drive --cover`: every state of memory that is added after boot."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cover_command import covered

from memoracle.cover import run
from memoracle.cover.memory import ADD, MemoryStates
from memoracle.cover.stretches import pieces_of
from memoracle.trace.geometry import geometry_from

GROWING = """
enum { FRAMES = 8 };
static int exists[FRAMES], used[FRAMES];
void grow_init(void) { exists[2] = exists[3] = 1; }
int grow_allocate(void)
{
    for (int frame = 0; frame < FRAMES; frame++)
        if (exists[frame] && !used[frame])
            return used[frame] = 1, frame;
    return -1;
}
int grow_free(unsigned frame) { return frame < FRAMES && used[frame] ? used[frame] = 0 : -1; }
int grow_count(void)
{
    int count = 0;
    for (int frame = 0; frame < FRAMES; frame++)
        count += exists[frame] && !used[frame];
    return count;
}
int grow_add(unsigned first, unsigned count)
{
    if (first >= FRAMES || count > FRAMES - first)
        return -1;
    for (unsigned frame = first; frame < first + count; frame++)
        if ((exists[frame] || frame < 2) && !FAULT)
            return -1;
    for (unsigned frame = first; frame < first + count; frame++)
        exists[frame] = 1;
    return 0;
}
"""
GROWS = """
library = "grow.so"
start = ["grow_init()"]
declarations = '''
void grow_init(void); int grow_allocate(void); int grow_free(unsigned); int grow_count(void);
int grow_add(unsigned, unsigned);
'''
memory_map = [{start = 0, length = "0x4000", type = 1}]
[geometry]
preset = "x64-4k"
frames = 6
kernel_image_frames = 2
[operations."frame.allocate"]
call = "grow_allocate()"
fails = "value < 0"
result = "value * page_size"
[operations."frame.free"]
call = "grow_free(address / page_size)"
fails = "value != 0"
[operations."frame.free_count"]
call = "grow_count()"
result = "value"
[operations."memory.add"]
call = "grow_add(start / page_size, length / page_size)"
fails = "value != 0"
"""


def grown(folder: Path, fault: int, source: str = GROWING, binding: str = GROWS) -> str:
    """The binding of a library that was compiled with a fault, or with none."""
    command = ["cc", "-shared", "-fPIC", f"-DFAULT={fault}", "-xc", "-", "-o", str(folder / "grow.so")]
    subprocess.run(command, input=source.encode(), check=True)
    (folder / "grow.toml").write_text(binding)
    return str(folder / "grow.toml")


@pytest.mark.parametrize("fault", [0, 1])
def test_the_states_of_memory_that_is_added(capsys: pytest.CaptureFixture[str], tmp_path: Path, fault: int) -> None:
    status, document = covered(capsys, grown(tmp_path, fault))
    if fault:
        assert [each["clause"] for each in document["divergences"]] == ["bitmap.adds-only-what-is-missing"]
        assert len(document["trace"]) == 3
        return
    # Frames 2 and 3 are free or not; 4 and 5 may be missing besides.
    states = {each["name"]: (each["states"], each["never_taken"]) for each in document["cover"]["families"]}
    assert (status, states) == (0, {"frames": (2**2, 0), "frames, and memory that is added": (2**2 * 3**2, 0)})


def test_where_more_starts_are_due_than_are_made_all_is_not_covered(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "MOST_STARTS", 3)
    status, document = covered(capsys, grown(tmp_path, 0))
    assert (status, document["verdict"], document["cover"]["complete"]) == (3, "unknown", False)
    assert document["cover"]["families"][1]["never_taken"] > 0


@pytest.mark.parametrize("fault", [0, 1])
def test_where_no_frame_is_missing_none_is_added(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, fault: int
) -> None:
    source = GROWING.replace("{ exists[2] =", "{ exists[4] = exists[5] = exists[2] =")
    binding = "\n".join(each for each in GROWS.split("\n") if "memory_map" not in each)
    status, document = covered(capsys, grown(tmp_path, fault, source, binding))
    if fault:
        assert [each["clause"] for each in document["divergences"]] == ["bitmap.adds-only-what-is-missing"]
        return
    found = [(each["name"], each["states"], each["never_taken"]) for each in document["cover"]["families"]]
    assert (status, found) == (0, [("frames, and memory that is there already", 2**4, 0)])
    assert document["cover"]["not_covered"] == []


@pytest.mark.parametrize(
    ("missing", "pages"),
    [((), [(0, 1), (1, 1), (2, 1), (3, 1), (0, 4), (3, 2)]), ((2, 3), [(0, 1), (2, 2), (2, 1), (3, 1)])],
)
def test_memory_is_added_that_is_there_that_is_missing_and_that_no_address_has(
    missing: tuple[int, ...], pages: list[tuple[int, int]]
) -> None:
    page, asks = 4096, {"frame.allocate": set[str](), "frame.free": {"address"}, ADD: {"start", "length"}}
    geometry = geometry_from({"preset": "x64-4k", "frames": 4, "never_free": []})
    states = MemoryStates({name: frozenset(named) for name, named in asks.items()}, geometry, missing)
    found = [dict(each.arguments) for each in states.calls(states.start) if each.operation == ADD]
    odd = [((1 << 64) - page, 2 * page), *([(2 * page + 8, page)] if missing else [])]
    due = {*odd, *((first * page, count * page) for first, count in pages)}
    assert ({(each["start"], each["length"]) for each in found}, len(found)) == (due, len(due))


# Of this machine all states of the frames would be too many.
AT_START = "for (int frame = 2; frame < 1024; frame++) exists[frame] = 1;"
LARGE = GROWING.replace("FRAMES = 8", "FRAMES = 4096").replace("exists[2] = exists[3] = 1;", AT_START)
LARGE_GROWS = GROWS.replace("0x4000", "0x400000").replace("frames = 6", "frames = 4096")


@pytest.mark.parametrize(
    ("wrong", "right", "clause"),
    [
        ("exists[frame] = 1;\n    return", "exists[frame] = 1;\n    return", None),
        ("(exists[frame] ||", "((exists[frame] && count < 9) ||", "bitmap.adds-only-what-is-missing"),
        (
            "exists[frame] = 1;\n    return",
            "exists[frame] = frame < 4095;\n    return",
            "bitmap.tells-the-count",
        ),
    ],
)
def test_of_a_large_machine_few_pieces_are_added_in_any_order(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, wrong: str, right: str, clause: str | None
) -> None:
    assert wrong in LARGE
    status, document = covered(capsys, grown(tmp_path, 0, LARGE.replace(wrong, right), LARGE_GROWS))
    found = [each["clause"] for each in document["divergences"]]
    assert found == ([] if clause is None else [clause])
    if clause is None:
        # Of three pieces each is there or not, and a frame is in use or none is.
        families = [(each["name"], each["states"], each["never_taken"]) for each in document["cover"]["families"]]
        assert (status, families) == (0, [("memory that is added in 3 pieces", 2**3 * 2, 0)])
        assert [each.partition(",")[0] for each in document["cover"]["not_covered"]] == ["frames = 4"]


@pytest.mark.parametrize("fault", [0, 1])
def test_a_large_machine_of_which_no_frame_is_missing_refuses_all(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, fault: int
) -> None:
    binding = "\n".join(each for each in LARGE_GROWS.split("\n") if "memory_map" not in each)
    status, document = covered(capsys, grown(tmp_path, fault, LARGE.replace("< 1024", "< FRAMES"), binding))
    clauses = [each["clause"] for each in document["divergences"]]
    assert (status, clauses) == (fault, ["bitmap.adds-only-what-is-missing"] * fault)


def test_pieces_are_few() -> None:
    assert pieces_of([]) == []
    assert pieces_of([(3, 5)]) == [(3, 5)]
    assert pieces_of([(3, 9)]) == [(3, 4), (4, 8), (8, 9)]
    assert pieces_of([(1, 2), (4, 8), (9, 30), (40, 50)]) == [(1, 2), (4, 5), (5, 7), (7, 8)]
