"""Several instances of a target are called in turns and reset, and each is held to a law of its own."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from memoracle import check
from memoracle.cli import main
from memoracle.drive.binding_file import load_binding
from memoracle.reproducers import running

BINDING = """
library = "pools.so"
declarations = '''
struct pool *pool_new(int first);
void pool_reset(struct pool *pool);
int pool_take(struct pool *pool);
int pool_give(struct pool *pool, int frame);
'''
start = [{call = "first = 1 + 0 * instance", once = true}, "pool = pool_new(first)"]
instances = 2
reset = ["pool_reset(pool)"]

[geometry]
preset = "x64-4k"
frames = 16
kernel_image_frames = 1

[operations."frame.allocate"]
call = "pool_take(pool)"
fails = "value == 0"
result = "value * page_size"

[operations."frame.free"]
call = "pool_give(pool, address / page_size)"
fails = "value != 0"
"""


def binding(folder: Path, fault: str, text: str = BINDING) -> Path:
    source, path = Path(__file__).parent / "instances.c", folder / "pools.toml"
    subprocess.run(["cc", "-shared", "-fPIC", f"-DFAULT={fault}", source, "-o", folder / "pools.so"], check=True)
    path.write_text(text)
    return path


def driven(
    capsys: pytest.CaptureFixture[str], path: Path, ops: int = 6000, form: str = "c"
) -> tuple[int, dict[str, Any]]:
    options = ["--format", "json", "--quiet", "--seed", "2", "--ops", str(ops), "--emit", form]
    status = main(["drive", *options, str(path)])
    return status, json.loads(capsys.readouterr().out)


def test_what_is_right_conforms(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, document = driven(capsys, binding(tmp_path, "NOTHING"))
    assert (status, document["verdict"], document["divergences"]) == (0, "conforms", [])
    assert 5000 < document["calls"] <= 6000
    assert document["events"] <= document["calls"]  # a reset is a call, and no event


@pytest.mark.parametrize(
    ("fault", "needed", "form"),
    [
        ("SHARED", {"_instance"}, "pytest"),
        ("KEEPS", {"reset"}, "c"),
        ("TWICE", set(), "pytest"),
    ],
)
def test_a_fault_is_found_with_what_it_needs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, fault: str, needed: set[str], form: str
) -> None:
    text = BINDING.replace("instances = 2", "instances = 2\nmemory = {bytes = 4096}")
    path = binding(tmp_path, fault, text.replace("pool_new(first)", "pool_new(first + 0 * memory)"))
    status, document = driven(capsys, path, form=form)
    assert (status, document["verdict"]) == (1, "diverges")
    [divergence], found = document["divergences"], document["reproducer"]
    events = [json.loads(line) for line in document["trace"][1:]]
    others = [other for event in events for other in event.get("_others", ())]
    own = divergence["event"]["_instance"]
    assert {event["_instance"] for event in events} == {own}
    # How much else is left depends on how far shrinking comes in its time.
    assert "reset" in {other["op"] for other in others} or "reset" not in needed
    assert any(other["_instance"] != own for other in others) or "_instance" not in needed
    # What is printed is a trace of the law, in which `check` finds the same.
    again = check(document["trace"])
    assert [each.finding.clause for each in again.divergences] == [divergence["clause"]]
    # It is kept, and found again with the calls of the others.
    status, document = driven(capsys, path, ops=1)
    assert (status, document["calls"]) == (1, 0)
    assert document["divergences"][0]["clause"] == divergence["clause"]
    assert driven(capsys, binding(tmp_path, "NOTHING"), ops=100)[0] == 0
    # So it is written as a test, of one instance where no others are needed.
    assert found["said"] == "it was run, and fails"
    again = (
        running.run_pytest(found["text"])
        if form == "pytest"
        else running.run_c(found["text"], load_binding(str(path)), False)
    )
    assert again.outcome == running.PASSED
    named = {"_instance": "pool_1 = ", "reset": "pool_reset((struct"}
    assert all(named[each] in found["text"] for each in needed)
    assert re.findall(r"\bfirst\w* = 1", found["text"]) == ["first = 1"]  # which is made once for all instances
    assert ("pool_1" in found["text"], "_aside1" in found["text"]) == (fault != "TWICE",) * 2
    assert (found["text"].count("* memory_1"), found["text"].count("* memory")) == (
        (0, 1) if fault == "TWICE" else (1, 2)
    )


def test_the_same_seed_asks_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = binding(tmp_path, "NOTHING")
    one, two = (driven(capsys, path, ops=600)[1]["coverage"] for _ in range(2))
    assert one == two


def test_one_fault_alone_needs_two_instances(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = binding(tmp_path, "SHARED", BINDING.replace('instances = 2\nreset = ["pool_reset(pool)"]\n', ""))
    assert driven(capsys, path, ops=2000)[0] == 0


@pytest.mark.parametrize(
    ("wrong", "right", "fault", "options", "says"),
    [
        ("instances = 2", "instances = 0", "NOTHING", [], "pools.toml:10: instances: 0 is not between 1 and 16"),
        (
            "instances = 2",
            "instances = 2\nmemory = {bytes = 1, at = 4096}",
            "NOTHING",
            [],
            "11: memory.at: each instance",
        ),
        ("pool_reset(pool)", "pool_rest(pool)", "NOTHING", [], "reset[0]: unknown function pool_rest; did you mean"),
        (
            "instances = 2",
            "thread_safe = true\ninstances = 2",
            "NOTHING",
            ["--threads", "2"],
            "11: instances: not with",
        ),
        ("", "", "DIES", [], "it does not survive its `reset`: signal 6 (SIGABRT)"),
    ],
)
def test_what_cannot_be_is_said(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    wrong: str,
    right: str,
    fault: str,
    options: list[str],
    says: str,
) -> None:
    path = binding(tmp_path, fault, BINDING.replace(wrong, right))
    assert main(["drive", "--seed", "2", "--ops", "6000", *options, str(path)]) == 2
    assert says in capsys.readouterr().err


TAKES = {"op": "frame.allocate", "_instance": 1, "_life": 0, "_cpu": 3}
BEFORE = [{**TAKES, "result": f"{frame * 4096:#x}"} for frame in range(1, 15)]
OWN = {"op": "frame.allocate", "_instance": 0, "_life": 0}


def kept(folder: Path, others: object) -> str:
    """The trace of the first instance, before whose calls the second was asked for these."""
    header = {"memoracle": 1, "geometry": {"preset": "x64-4k", "frames": 16, "kernel_image_frames": 1}}
    asked = {**OWN, "result": "0xe000", "_others": others}
    events = [asked, {**OWN, "result": "0xf000"}, {**OWN, "error": "refused"}]
    (folder / "kept.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in (header, *events)))
    return str(folder / "kept.jsonl")


def test_what_is_kept_of_an_instance_is_written_as_a_test_by_check(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = binding(tmp_path, "SHARED")
    options = ["--emit", "c", "--binding", str(path), "--format", "json", "--quiet"]
    assert main(["check", kept(tmp_path, BEFORE), *options]) == 1
    found = json.loads(capsys.readouterr().out)["reproducer"]
    assert found["said"] == "it was run, and fails"
    assert found["text"].count("= pool_take((struct pool *)(uintptr_t)pool_1);") == 14
    assert found["text"].count("= pool_take((struct pool *)(uintptr_t)pool);") == 3
    binding(tmp_path, "NOTHING")
    assert running.run_c(found["text"], load_binding(str(path)), False).outcome == running.PASSED


@pytest.mark.parametrize(
    ("others", "says"),
    [
        (3, "it is no list of events"),
        ([3], "it is no list of events"),
        ([{**TAKES, "_instance": -1}], "`_instance` is no number of an instance"),
        ([{**TAKES, "_instance": True}], "`_instance` is no number of an instance"),
        ([{"op": "frame.free", "address": []}], "address"),
        ([{"op": "nothing"}], "unknown operation 'nothing'"),
        ([{"result": 1}], "it is no list of events"),
        # Of an instance that there is not, none is asked.
        (
            [{**TAKES, "_instance": 1 << 70, "result": "0x1000"}],
            "the library, asked what was recorded, answers as the law has it",
        ),
    ],
)
def test_what_is_no_call_of_an_instance_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, others: object, says: str
) -> None:
    path = binding(tmp_path, "NOTHING")
    assert main(["check", kept(tmp_path, others), "--emit", "c", "--binding", str(path), "--quiet"]) == 1
    said = capsys.readouterr().err
    assert says in said
    assert "internal error" not in said
