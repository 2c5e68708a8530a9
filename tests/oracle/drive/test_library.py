"""A shared library is driven: what is right conforms, and each fault is found, shrunk, and found again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from blocks_binding import blocks

from memoracle import check
from memoracle.cli import main
from memoracle.drive.binding_file import load_binding
from memoracle.drive.sessions import session


def driven(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    status = main(["drive", "--format", "json", "--quiet", "--seed", "7", *arguments])
    return status, json.loads(capsys.readouterr().out)


def test_what_is_right_conforms(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, document = driven(capsys, "--ops", "3000", str(blocks(tmp_path, "NOTHING")))
    assert (status, document["verdict"], document["calls"], document["divergences"]) == (0, "conforms", 3000, [])
    assert set(document["coverage"]["operations"]) == {"frame.allocate", "frame.free"}
    assert document["coverage"]["operations"]["frame.allocate"]["failed"] > 0


@pytest.mark.parametrize(
    ("fault", "clause", "most"),
    [
        ("LOSES_A_HALF", "frame.allocate.must-succeed", 60),
        ("CRASHES", "frame.free.must-not-crash", 1),
        ("HANDS_OUT_TWICE", "runs.run-is-free", 60),
    ],
)
def test_a_fault_is_found_and_shrunk(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, fault: str, clause: str, most: int
) -> None:
    binding = blocks(tmp_path, fault)
    status, document = driven(capsys, "--ops", "20000", str(binding))
    assert (status, document["verdict"]) == (1, "diverges")
    [divergence] = document["divergences"]
    assert divergence["clause"] == clause
    assert len(document["trace"]) - 1 <= most
    # What is printed is a trace that `check` finds the same in.
    again = check(document["trace"])
    assert [each.finding.clause for each in again.divergences] == [divergence["clause"]]
    # It is kept, and tried first the next time, until it is mended.
    [kept] = binding.with_suffix(".failures").glob("*.jsonl")
    assert kept.read_text().splitlines() == document["trace"]
    assert driven(capsys, "--ops", "1", str(binding))[1]["divergences"] == document["divergences"]
    blocks(tmp_path, "NOTHING")
    assert driven(capsys, "--ops", "1", str(binding))[0] == 0


def test_a_call_without_an_answer_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """How short the calls become is another test's: each that hangs is waited for."""
    monkeypatch.setattr(session, "SHRINKING", 0.5)
    status, document = driven(capsys, "--ops", "2000", "--call-time", "1", str(blocks(tmp_path, "HANGS")))
    assert status == 1
    assert "no answer within 1 second" in document["divergences"][0]["message"]


def test_the_same_seed_asks_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    binding = str(blocks(tmp_path, "NOTHING"))
    one, two = (driven(capsys, "--ops", "500", binding)[1]["coverage"] for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    ("wrong", "right", "says"),
    [
        ('library = "blocks.so"', 'library = "none.so"', "library"),
        ("blocks_alloc(order)", "blocks_get(order)", "unknown function blocks_get"),
        ("blocks_alloc(order)", "blocks_alloc(size)", "unknown name size"),
        ("blocks_alloc(order)", "blocks_alloc(order", "it is no expression"),
        ("blocks_alloc(order)", "__import__('os')", "unknown function __import__"),
        ("frame.free", "frame.release", "unknown operation"),
        ("frames = 256", "frames = 0", "frames"),
        ("start =", "begin =", "begin"),
    ],
)
def test_a_binding_that_does_not_fit_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, wrong: str, right: str, says: str
) -> None:
    binding: Path = blocks(tmp_path, "NOTHING")
    binding.write_text(binding.read_text().replace(wrong, right))
    assert main(["drive", str(binding)]) == 2
    message = capsys.readouterr().err
    assert says in message
    assert str(binding) in message
    assert "internal error" not in message


POOL = """
library = "pool.so"
declarations = '''
struct pool;
struct pool *pool_create(void *memory, size_t bytes, int which);
int pool_take(size_t bytes, void **block, struct pool *pool);
'''
memory = {bytes = 65536}
constants = {second = 1, enomem = 12}
start = ["pool_create(memory, memory_bytes, 0)", "pool = pool_create(memory, memory_bytes, second)"]
private_frames = true

[geometry]
preset = "x64-4k"
heap_alignment = 16

[operations."heap.new"]
call = "pool_take(bytes, out, pool)"
fails = "value == enomem"
result = "out"
"""


@pytest.mark.parametrize(("waste", "status"), [(0, 0), (1, 1)])
def test_a_handle_memory_and_what_is_stored(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, waste: int, status: int
) -> None:
    source = Path(__file__).parent / "pool.c"
    library = tmp_path / "pool.so"
    subprocess.run(["cc", "-shared", "-fPIC", f"-DWASTE={waste}", source, "-o", library], check=True)
    (tmp_path / "pool.toml").write_text(POOL)
    found, document = driven(capsys, "--ops", "200", str(tmp_path / "pool.toml"))
    assert found == status
    assert [each["clause"] for each in document["divergences"]] == ["heap.is-disjoint"] * status


@pytest.mark.parametrize(("fails", "status"), [("", 0), ('fails = "0 > 1"', 1)])
def test_what_cannot_say_that_it_refuses_is_not_misused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, fails: str, status: int
) -> None:
    source, library = Path(__file__).parent / "pool.c", tmp_path / "pool.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-DWASTE=0", source, "-o", library], check=True)
    declared = POOL.replace("struct pool;", "struct pool;\nvoid pool_return(void *block);", 1)
    binding = tmp_path / "pool.toml"
    binding.write_text(f'{declared}\n[operations."heap.delete"]\ncall = "pool_return(address)"\n{fails}\n')
    found, document = driven(capsys, "--ops", "2000", str(binding))
    assert (found, document["divergences"] == []) == (status, status == 0)
    # The geometry says so, too, of what could say it.
    binding.write_text(
        binding.read_text().replace(
            "heap_alignment = 16", 'heap_alignment = 16\nmisuse = {"heap.delete" = "undefined"}'
        )
    )
    assert driven(capsys, "--ops", "2000", str(binding))[0] == 0


def test_another_geometry_is_the_one_that_it_is_held_to(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    small = tmp_path / "small.toml"
    small.write_text(
        'preset = "x64-4k"\nframes = 64\nframe_allocator = "buddy"\nframe_max_order = 5\nnever_free = []\n'
    )
    status, document = driven(capsys, "--ops", "200", "--geometry", str(small), str(blocks(tmp_path)))
    # It hands out pages that this machine has not.
    assert (status, document["divergences"][0]["clause"]) == (1, "runs.run-lies-in-reach")
    assert '"frames":64' in document["trace"][0]


def test_what_failed_on_one_machine_neither_hides_nor_breaks_a_run_of_another(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    small = tmp_path / "small.toml"
    stated = 'preset = "x64-4k"\nframe_allocator = "buddy"\nframe_max_order = 5\nnever_free = []\n'
    small.write_text(f"frames = 64\n{stated}")
    binding = str(blocks(tmp_path))
    assert driven(capsys, "--ops", "200", "--geometry", str(small), binding)[0] == 1
    [kept] = (tmp_path / "blocks.failures").glob("*.jsonl")
    # The binding's own machine has no failure, though one is kept beside it; the small one has it still.
    assert main(["drive", "--ops", "200", "--seed", "1", binding]) == 0
    assert f"{kept} is of another geometry: not tried" in capsys.readouterr().err
    status, document = driven(capsys, "--ops", "1", "--geometry", str(small), binding)
    assert (status, document["calls"]) == (1, 0)
    # One with a memory map begins with a boot, which is no call.
    pieces = "memory_map = [{start = 0, length = 0x100000, type = 1}]\n[geometry]\n"
    text = (tmp_path / "blocks.toml").read_text()
    (tmp_path / "blocks.toml").write_text(text.replace("[geometry]\n", pieces))
    assert driven(capsys, "--ops", "200", binding)[0] == 0
    assert driven(capsys, "--ops", "1", "--geometry", str(small), binding)[0] == 1


def test_another_geometry_leaves_what_operations_say_of_misuse(tmp_path: Path) -> None:
    path = tmp_path / "frames.toml"
    path.write_text('[operations."frame.free"]\ncall = "free(address)"\nmisuse = "undefined"\n')
    other = load_binding(str(path)).with_geometry({"preset": "x64-4k", "misuse": {"frame.put": "ignore"}})
    assert dict(other.geometry.misuse) == {"frame.free": "undefined", "frame.put": "ignore"}
    [header] = other.head()
    assert header["geometry"] == {
        "preset": "x64-4k",
        "misuse": {"frame.free": "undefined", "frame.put": "ignore"},
    }


def test_expressions_know_the_size_of_the_machine(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    binding: Path = blocks(tmp_path)
    sized = binding.read_text().replace("value * page_size", "value * (page_size if frames == 256 else 1)")
    binding.write_text(sized)
    assert driven(capsys, "--ops", "200", str(binding))[0] == 0
