"""The package as a library: its names, and that its functions do what the commands do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import memoracle
from memoracle.cli import main
from memoracle.proofs import registry
from memoracle.spec.geometry import preset

ROOT = Path(__file__).parent.parent.parent
DIVERGING = ROOT / "examples" / "diverging.jsonl"
HEADER = {"memoracle": 1, "geometry": {"frames": 8, "kernel_image_frames": 2}}
ALLOCATED = {"op": "frame.allocate", "result": "0x400000"}


def test_every_name_is_there_and_no_other() -> None:
    for name in memoracle.__all__:
        assert getattr(memoracle, name).__name__ == name
    assert set(memoracle.__all__) <= set(dir(memoracle))
    with pytest.raises(AttributeError, match="no attribute 'Slab'"):
        memoracle.Slab  # noqa: B018


@pytest.mark.parametrize("use", ["", "memoracle.Buddy(3)", "memoracle.check([])"])
def test_a_solver_is_loaded_only_to_prove(use: str) -> None:
    code = f"import sys, memoracle\n{use}\nprint([name for name in sys.modules if name.split('.')[0] == 'z3'])"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout == "[]\n"


def test_check_finds_what_the_command_finds(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, keep_going in (([], False), (["--keep-going"], True)):
        found = memoracle.check(DIVERGING, keep_going=keep_going)
        assert main(["check", str(DIVERGING), *arguments, "--format", "json"]) == 1
        document = json.loads(capsys.readouterr().out)
        assert (found.verdict, found.level, found.events) == ("diverges", "legal", document["events"])
        assert [each.line for each in found.divergences] == [each["line"] for each in document["divergences"]]
        assert found.fault is None
        main(["check", "--quiet", str(DIVERGING), *arguments])
        assert str(found) == capsys.readouterr().out


def test_a_trace_may_be_lines_or_events() -> None:
    events = [HEADER, ALLOCATED, ALLOCATED]
    for lines in (events, map(json.dumps, events), [json.dumps(event).encode() for event in events]):
        found = memoracle.check(lines)
        assert [(each.file, each.line) for each in found.divergences] == [("<trace>", 3)]
    assert memoracle.check(events[:2]).verdict == "conforms"
    assert memoracle.check([]).verdict == memoracle.check([HEADER]).verdict == "nothing"


def test_a_level_a_geometry_and_a_memory_map_are_what_they_are_to_the_command(tmp_path: Path) -> None:
    higher = [{"memoracle": 1}, ALLOCATED | {"result": "0x600000"}]
    assert memoracle.check(higher, level="legal").verdict == "conforms"
    assert memoracle.check(higher, level="exact").verdict == "diverges"
    toml = tmp_path / "machine.toml"
    toml.write_text("frames = 2\n")
    for geometry in ({"frames": 2}, str(toml)):
        assert memoracle.check(higher, geometry=geometry).verdict == "diverges"
    for same in ("x64-2m", preset("x64-2m")):
        assert memoracle.check(higher, geometry=same).verdict == "conforms"
    log = tmp_path / "boot.txt"
    log.write_text("BIOS-e820: [mem 0x0000000000000000-0x00000000005fffff] usable\n")
    assert memoracle.check(higher, memory_map=log).verdict == "diverges"


def test_a_fault_is_no_verdict() -> None:
    found = memoracle.check([HEADER, ALLOCATED, {"op": "x"}])
    assert (found.verdict, found.fault) == ("unknown", "<trace>:3: op: unknown operation 'x'")
    assert str(found).endswith(f"{found.fault}\n")
    assert memoracle.check("no such file").verdict == "unknown"
    assert memoracle.check([HEADER, ALLOCATED, {"op": "x"}], ignore_unknown=True).verdict == "conforms"


def test_wrong_arguments_are_exceptions(tmp_path: Path) -> None:
    unknown: Any = "lawful"
    with pytest.raises(ValueError, match="level: 'lawful' is none of safe, legal, exact"):
        memoracle.check([HEADER], level=unknown)
    with pytest.raises(memoracle.GeometryError, match="frames"):
        memoracle.check([HEADER], geometry={"frames": 0})
    with pytest.raises(memoracle.InputError, match="none"):
        memoracle.check([HEADER], memory_map=tmp_path / "none")
    with pytest.raises(ValueError, match="no component 'bitmaps'"):
        memoracle.prove(["bitmaps"])


def test_check_of_a_log_that_begins_with_the_machine() -> None:
    log, memory_map = ROOT / "examples" / "boot-kmem.txt", ROOT / "tests" / "data" / "e820" / "qemu-4g.txt"
    mid_run = memoracle.check(log)
    assert (mid_run.verdict, mid_run.level) == ("conforms", "safe")
    for trace in (log, log.read_text().splitlines()):
        found = memoracle.check(trace, from_boot=True, memory_map=memory_map)
        assert (found.verdict, found.level, [each.line for each in found.divergences]) == ("diverges", "legal", [11])
    with pytest.raises(ValueError, match=r"^from_boot: it needs a memory_map$"):
        memoracle.check(log, from_boot=True)


@pytest.mark.parametrize("line", [1, None, 1.5, ["op"], (b"{}",)])
@pytest.mark.parametrize("before", [[], [HEADER], [HEADER, ALLOCATED]])
def test_what_is_no_line_is_an_exception(before: list[Any], line: object) -> None:
    trace: Any = [*before, line]
    words = rf"trace\[{len(before)}\]: a line \(str or bytes\) or an event .*, not {type(line).__name__}$"
    with pytest.raises(TypeError, match=words):
        memoracle.check(trace)


@pytest.mark.parametrize("trace", [5, None, 1.5, object()])
def test_what_is_no_trace_is_an_exception(trace: Any) -> None:
    with pytest.raises(TypeError, match=rf"^trace: a path or lines were expected, not {type(trace).__name__}$"):
        memoracle.check(trace)


def test_prove_proves_what_it_is_asked_for() -> None:
    found = memoracle.prove(["pat"])
    assert found.verdict == "proved"
    assert [each.name for each in found.obligations] == [each.name for each in registry.obligations(["pat"])]
    assert {each.verdict for each in found.obligations} == {"proved"}
    assert any("z3" in each for each in found.trust)
