"""Golden vectors: what they require holds of any legal choice, and a fault breaks it, in each language."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest

from memoracle.cli import main
from memoracle.cover.graph import explored
from memoracle.proofs.exhaustive.snapshots import duplicate
from memoracle.spec.geometry import Geometry
from memoracle.trace.geometry import geometry_from
from memoracle.vectors import c, pytest_file, rust
from memoracle.vectors.build import COMPONENTS, vectors_of
from memoracle.vectors.document import document
from memoracle.vectors.vector import Vectors

FRAMES = Path(__file__).parents[3] / "examples" / "vectors" / "frames.c"
RUSTC = shutil.which("rustc")
FAULTS = ["FREES_TWICE", "FREES_THE_IMAGE", "LOSES_THE_LAST", "HANDS_OUT_TWICE", "MISCOUNTS"]


@pytest.fixture(scope="module")
def made() -> dict[str, Vectors]:
    return {name: vectors_of(name) for name in COMPONENTS}


class AnyChoice:
    """The reference, which chooses any of what the law allows."""

    def __init__(self, component: str, random: Random | None) -> None:
        self.geometry: Geometry = geometry_from(COMPONENTS[component].geometry)
        self.reference = COMPONENTS[component].reference(self.geometry)
        self.random = random
        for operation in self.reference.operations:
            setattr(self, operation.replace(".", "_"), self.calling(operation))

    def calling(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            choices = self.reference.choices(operation, arguments)
            if self.random is None or not choices:
                answer = self.reference.call(operation, arguments)
                if answer.error is not None:
                    raise ValueError(answer.error)
                return answer.result
            result = self.random.choice(list(choices))
            assert self.reference.take(operation, arguments, result)
            return result

        return call


def run_in_python(vectors: Vectors, target: Any, exact: bool = False) -> None:
    """Runs each vector as the file for pytest does."""
    names: dict[str, Any] = {}
    exec(pytest_file.written(vectors), names)
    names["EXACT"] = exact
    for vector in names["VECTORS"]["vectors"]:
        names["test_vector"](vector, duplicate_of(target))


def duplicate_of(target: AnyChoice) -> AnyChoice:
    fresh = AnyChoice.__new__(AnyChoice)
    fresh.random, fresh.geometry = target.random, target.geometry
    fresh.reference = duplicate(target.reference)
    for operation in fresh.reference.operations:
        setattr(fresh, operation.replace(".", "_"), fresh.calling(operation))
    return fresh


@pytest.mark.parametrize("component", COMPONENTS)
def test_any_legal_choice_passes_and_at_exact_the_references(component: str, made: dict[str, Vectors]) -> None:
    for seed in (1, 2):
        run_in_python(made[component], AnyChoice(component, Random(seed)))
    run_in_python(made[component], AnyChoice(component, None), exact=True)


@pytest.mark.parametrize("component", ["bitmap", "buddy", "pat", "pte"])
def test_at_exact_another_choice_fails(component: str, made: dict[str, Vectors]) -> None:
    with pytest.raises(AssertionError, match="the reference answers otherwise"):
        run_in_python(made[component], AnyChoice(component, Random(3)), exact=True)


@pytest.mark.parametrize("component", ["bitmap", "buddy", "kernel_half"])
def test_they_take_every_transition_of_the_references_graph(component: str, made: dict[str, Vectors]) -> None:
    geometry = made[component].geometry
    reference = COMPONENTS[component].reference(geometry)
    family = COMPONENTS[component].family(reference, geometry)
    graph = explored(family, reference)
    taken = set()
    for calls in graph.sequences():
        now = family.start
        copy = duplicate(reference)
        for call in calls:
            operation, arguments = family.wish(now, call)
            taken.add((family.state(now), call))
            now = family.after(now, operation, arguments, copy.call(operation, arguments))
    loops = {(state, call) for state, calls in graph.loops.items() for call in calls}
    assert taken == loops | {(state, call) for state, call, _ in graph.edges}


def test_what_is_said_of_a_step(made: dict[str, Vectors]) -> None:
    found = document(made["bitmap"])
    assert found["law"]["version"]
    assert re.fullmatch("[0-9a-f]{16}", found["law"]["digest"])
    steps = [step for vector in found["vectors"] for step in vector["steps"]]
    frees = [step for step in steps if step["op"] == "frame.free" and step["requires"] == "refusal"]
    assert {"bitmap.frees-only-allocated", "bitmap.frees-only-what-may-be-free", "bitmap.frame-is-in-reach"} == {
        clause for step in frees for clause in step["clauses"]
    }
    takes = [step for step in steps if step["op"] == "frame.allocate" and step["requires"] == "success"]
    assert all(step["legal"] and step["reference"]["result"] in step["legal"] for step in takes)
    # The first frame may be any; when one is in use, any other.
    assert takes[0]["legal"] == [0x2000, 0x3000, 0x4000, 0x5000]
    # What a step names that another gave is so named: a target may choose another frame.
    assert {type(step["arguments"]["address"]) for step in steps if step["op"] == "frame.free"} == {int, dict}
    # Most requirements do not depend on choices.
    assert sum(step["requires"] is None for step in steps) < len(steps) / 5


@pytest.fixture(scope="module")
def in_c(made: dict[str, Vectors], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("c")
    (folder / "vectors.c").write_text(c.written(made["bitmap"]))
    strict = ["-O1", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-c"]
    subprocess.run(["cc", *strict, "vectors.c", "-o", "vectors.o"], check=True, cwd=folder)
    return folder


def program_in_c(folder: Path, *defined: str) -> str:
    subprocess.run(["cc", "-O1", *defined, FRAMES, "vectors.o", "-o", "run"], check=True, cwd=folder)
    return str(folder / "run")


@pytest.mark.parametrize("fault", ["NOTHING", *FAULTS])
def test_in_c_a_faulty_allocator_fails_and_a_right_one_passes(in_c: Path, fault: str) -> None:
    ran = subprocess.run([program_in_c(in_c, f"-DFAULT={fault}")], capture_output=True, text=True, check=False)
    assert ran.returncode == (fault != "NOTHING")
    assert re.search(r"^bitmap_\d+, step \d+, frame\.\w+: .* \[.+\]$", ran.stdout, re.MULTILINE) or fault == "NOTHING"


def test_in_c_another_choice_passes_but_not_at_exact(in_c: Path) -> None:
    program = program_in_c(in_c, "-DHIGHEST=1")
    assert subprocess.run([program], capture_output=True, check=False).returncode == 0
    exact = subprocess.run([program, "exact"], capture_output=True, text=True, check=False)
    assert exact.returncode == 1
    assert "frame.allocate: the reference answers otherwise" in exact.stdout


@pytest.mark.parametrize("component", ["buddy", "kernel_half", "pat", "pte"])
def test_in_c_the_others_compile_without_a_library(component: str, made: dict[str, Vectors], tmp_path: Path) -> None:
    (tmp_path / "vectors.c").write_text(c.written(made[component]))
    strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-DMEMORACLE_NO_MAIN"]
    subprocess.run(["cc", *strict, "-fsyntax-only", "vectors.c"], check=True, cwd=tmp_path)


@pytest.mark.skipif(RUSTC is None, reason="there is no rustc here")
@pytest.mark.parametrize(("fault", "failed"), [("NOTHING", 0), ("FREES_THE_IMAGE", 4)])
def test_in_rust(made: dict[str, Vectors], tmp_path: Path, fault: str, failed: int) -> None:
    (tmp_path / "vectors.rs").write_text(rust.written(made["bitmap"]))
    subprocess.run(["cc", "-c", f"-DFAULT={fault}", FRAMES, "-o", "frames.o"], check=True, cwd=tmp_path)
    subprocess.run(["ar", "rcs", "libframes.a", "frames.o"], check=True, cwd=tmp_path)
    command = ["rustc", "--test", "-D", "warnings", "vectors.rs", "-L", ".", "-l", "static=frames", "-o", "run"]
    subprocess.run(command, check=True, cwd=tmp_path)
    ran = subprocess.run(["./run"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert f"{failed} failed" in ran.stdout


@pytest.mark.parametrize("component", ["bitmap", "buddy", "kernel_half", "pat", "pte"])
def test_in_rust_there_are_the_same_steps_as_in_c(component: str, made: dict[str, Vectors]) -> None:
    in_c, in_rust = c.written(made[component]), rust.written(made[component])
    vectors = {vector.name for vector in made[component].vectors}
    assert {*re.findall(r"#\[test\]\nfn (\w+)\(\)", in_rust)} == vectors
    kept = [step for vector in made[component].vectors for step in vector.steps if step.operation != "range.list"]
    rows = re.findall(r"^    \{(\d+), (\d), (\d), ", in_c, re.MULTILINE)
    same = re.findall(r"Step \{ function: (\d+), requires: (\d), exactly: (\d),", in_rust)
    assert rows == same
    assert len(rows) == len(kept)
    # Brackets outside of texts come in pairs.
    bare = re.sub(r'"[^"]*"|//.*', "", in_rust)
    assert all(bare.count(one) == bare.count(other) for one, other in ("()", "[]", "{}"))


def test_the_command_writes_the_same_each_time(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["vectors", "--component", "pat"]) == 0
    first = capsys.readouterr().out
    assert main(["vectors", "--component", "pat", "--output", str(tmp_path / "vectors.json")]) == 0
    assert (tmp_path / "vectors.json").read_text() == first
    found = json.loads(first)
    assert (found["memoracle"], found["command"], found["component"]) == (1, "vectors", "pat")


def test_of_another_small_geometry(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    small = tmp_path / "small.toml"
    small.write_text('preset = "x64-2m"\nframes = 3\nkernel_image_frames = 1\n')
    assert main(["vectors", "--component", "bitmap", "--geometry", str(small)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["geometry"]["frames"] == 3
    assert found["vectors"][0]["steps"][0]["op"] == "frame.free_count"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--component", "bitmap", "--geometry", "x64-4k"], "x64-4k: frames: at most 8 can be covered"),
        (["--component", "runs", "--geometry", "x64-4k"], "frame_allocator: these are of 'runs'"),
        (["--component", "buddy", "--geometry", "x64-4k"], "kernel_range: at most 4 pages can be covered"),
        (["--component", "heap"], "invalid choice: 'heap'"),
        ([], "--component"),
        (["--component", "pat", "--geometry", "none.toml"], "none.toml"),
    ],
)
def test_what_cannot_be_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    assert main(["vectors", *arguments]) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.out == ""
