"""Frees that are not told how many pages a block has: an allocator that remembers it gives back all of the block."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from memoracle.cli import main
from memoracle.drive.generation.shared_misuse import SharedMisuse
from memoracle.trace.geometry import geometry_from

SOURCE = """
enum { PAGES = 4 };
struct space { unsigned used[PAGES], of[PAGES]; } spaces[2];
struct space *space(int place) { return &spaces[place]; }
long take(struct space *space, unsigned pages)
{
    unsigned size = 1;
    while (size < pages)
        size *= 2;
    if (!BUDDY)
        size = pages;
    for (unsigned at = 0, each; pages && at + size <= PAGES; at += BUDDY ? size : 1) {
        for (each = at; each < at + size && !space->used[each]; each++)
            ;
        if (each < at + size)
            continue;
        for (each = at; each < at + size; each++)
            space->used[each] = 1;
        space->of[at] = size;
        return at;
    }
    return -1;
}
int give(struct space *space, unsigned long at)
{
    if (at >= PAGES || !space->of[at])
        return -1;
    unsigned size = space->of[at], first = at + FROM;
    for (unsigned each = first; each < first + COUNT && each < PAGES; each++)
        space->used[each] = 0;
    space->of[at] = 0;
    return size;
}
"""
BINDING = """library = "ranges.so"
declarations = '''
struct space; struct space *space(int place);
long take(struct space *space, unsigned pages);
int give(struct space *space, unsigned long at);
'''
start = ["of = space(instance)"]
constants = {base = "0xffffffff00000000"}
[geometry]
preset = "x64-4k"
kernel_range = {start = "0xffffffff00000000", pages = 4}
kernel_reserved = []
range_allocator = "runs"
[operations."range.allocate"]
call = "take(of, pages)"
fails = "value < 0"
result = "base + value * page_size"
[operations."range.free"]
call = "give(of, (address - base) / page_size)"
fails = "value < 0"
"""
RIGHT = ("0", "size")
OBJECT = """
import json, sys

class Ranges:
    def __init__(self):
        self.of = {}

    def range_allocate(self, pages):
        used = {page for at, count in self.of.items() for page in range(at, at + count)}
        for at in range(5 - pages):
            if pages and used.isdisjoint(range(at, at + pages)):
                self.of[at] = pages
                return BASE + at * 4096
        raise MemoryError("none left")

    def range_free(self, address):
        at, rest = divmod(address - BASE, 4096)
        del self.of[at if rest == 0 else -1]
        if not WORKS and self.of:
            self.of.popitem()

BASE = 0xffffffff00000000
if __name__ == "__main__":
    ranges = Ranges()
    sys.stdin.readline()
    print(json.dumps({"operations": {"range.allocate": ["pages"], "range.free": ["address"]}}), flush=True)
    for line in sys.stdin:
        event = json.loads(line)
        try:
            key = "address" if event["op"] == "range.free" else "pages"
            print(json.dumps({"result": getattr(ranges, event["op"].replace(".", "_"))(event[key])}), flush=True)
        except Exception as refusal:
            print(json.dumps({"error": repr(refusal)}), flush=True)
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool, tuple[str, str]], Path]:
    """Compiles the allocator. buddy: whether it has a buddy's blocks.  freed: from which page on, and how many."""

    def built(buddy: bool, freed: tuple[str, str]) -> Path:
        folder = tmp_path_factory.mktemp("ranges")
        (folder / "ranges.c").write_text(SOURCE)
        macros = [f"-DBUDDY={int(buddy)}", f"-DFROM=({freed[0]})", f"-DCOUNT=({freed[1]})"]
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-O1", *macros, "-o", "ranges.so", "ranges.c"], check=True, cwd=folder
        )
        (folder / "ranges.toml").write_text(BINDING.replace("runs", "buddy") if buddy else BINDING)
        return folder / "ranges.toml"

    return built


def driven(capsys: pytest.CaptureFixture[str], target: str | Path, *options: str) -> tuple[int, dict[str, Any]]:
    status = main(["drive", str(target), "--format", "json", "--quiet", "--seed", "1", *options])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("buddy", [False, True])
def test_an_allocator_that_remembers_how_much_it_gave_conforms(
    capsys: pytest.CaptureFixture[str], build: Callable[[bool, tuple[str, str]], Path], buddy: bool
) -> None:
    """It was failed for freeing two pages where one was named, which nobody had told it."""
    path = build(buddy, RIGHT)
    for options in (["--ops", "400"], ["--cover"]):
        status, document = driven(capsys, path, *options)
        assert (status, document["verdict"]) == (0, "conforms")
        counted = document["coverage"]["operations"]["range.free"]
        assert counted["events"] > counted["failed"] > 0  # second frees, and of what was never handed out
    [family] = document["cover"]["families"]
    assert (family["never_taken"], family["misuse_not_made"]) == (0, 0)


@pytest.mark.parametrize(
    ("freed", "clause", "options"),
    [
        (("0", "(size + 1) / 2"), "range.allocate.must-succeed", ["--cover"]),  # a part
        (("0", "0"), "range.allocate.must-succeed", ["--ops", "400"]),  # nothing
        (("size", "size"), "range.allocate.must-succeed", ["--ops", "400"]),  # the neighbour
        (("0", "size + 1"), "runs.run-is-free", ["--ops", "400"]),  # and a page of the neighbour's
    ],
)
def test_one_that_gives_back_something_else_diverges(
    capsys: pytest.CaptureFixture[str],
    build: Callable[[bool, tuple[str, str]], Path],
    freed: tuple[str, str],
    clause: str,
    options: list[str],
) -> None:
    status, document = driven(capsys, build(False, freed), *options)
    [divergence] = document["divergences"]
    assert (status, divergence["clause"]) == (1, clause)
    assert divergence["event"]["op"] == "range.allocate"
    events = [json.loads(line) for line in document["trace"][1:]]
    given: dict[str, int] = {}
    for event in events:
        if "result" in event:
            given[event["result"]] = event["pages"]
        assert event["op"] != "range.free" or event["pages"] == given[event["address"]]


def test_each_of_several_instances_is_known_by_itself(
    capsys: pytest.CaptureFixture[str], build: Callable[[bool, tuple[str, str]], Path]
) -> None:
    """What is asked again of two of them names the extents that blocks have in that one which has them."""
    path = build(False, ("0", "size - (size == 3)"))
    path.write_text(f"instances = 2\n{BINDING}")
    status, document = driven(capsys, path, "--ops", "400")
    assert (status, document["divergences"][0]["clause"]) == (1, "range.allocate.must-succeed")
    first, second = (json.loads(line) for line in document["trace"][1:3])
    assert (first["pages"], second["op"], second["pages"]) == (3, "range.free", 3)


@pytest.mark.parametrize("is_program", [False, True])
def test_programs_and_python_objects_need_not_be_told_either(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_program: bool
) -> None:
    """A program whose free reads the address alone ended the run as a line without pages."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "small.toml").write_text(BINDING.partition("[geometry]\n")[2].partition("[operations")[0])
    for works in (True, False):
        name = f"untold_{works}_{is_program}".lower()
        (tmp_path / f"{name}.py").write_text(f"WORKS = {works}\n{OBJECT}")
        target = f"{sys.executable} {name}.py" if is_program else f"{name}:Ranges"
        options = ["--geometry", "small.toml", "--ops", "100", *([] if works or is_program else ["--emit", "pytest"])]
        status, document = driven(capsys, target, *options)
        assert (status, document["verdict"]) == ((0, "conforms") if works else (1, "diverges"))
    assert is_program or document["reproducer"]["said"] == "it was run, and fails"


def test_a_block_that_another_thread_may_have_by_now_is_not_freed_where_it_would_go_whole() -> None:
    geometry, frees = geometry_from("x64-4k"), {"range.allocate": frozenset({"pages"})}
    for named, may in ((["address"], False), (["address", "pages"], True)):
        asks = {**frees, "range.free": frozenset(named)}
        assert SharedMisuse(asks, {"range.free"}, geometry, Random(1)).may_be_late("range.allocate") is may
