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
from memoracle.vectors import NAMES, c, pytest_file, rust
from memoracle.vectors.build import vectors_of
from memoracle.vectors.components import COMPONENTS
from memoracle.vectors.document import document
from memoracle.vectors.vector import Vectors

FRAMES = Path(__file__).parents[3] / "examples" / "vectors" / "frames.c"
RUSTC = shutil.which("rustc")
ALLOCATORS = {"runs": "runs", "frame_buddy": "buddy"}
FAULTS = ["FREES_TWICE", "FREES_THE_IMAGE", "LOSES_THE_LAST", "HANDS_OUT_TWICE", "MISCOUNTS"]


class AnyChoice:
    """The reference, which chooses any of what the law allows."""

    def __init__(self, component: str, random: Random | None, geometry: Geometry | None = None) -> None:
        self.geometry = geometry or geometry_from(COMPONENTS[component].geometry)
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
    family = COMPONENTS[component].family(reference.operations, geometry)
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


def test_each_component_has_a_row_and_no_other() -> None:
    text = (Path(__file__).parents[3] / "docs" / "vectors.md").read_text()
    assert tuple(COMPONENTS) == NAMES == tuple(re.findall(r"^\| `(\w+)` \| .* \| .* \|$", text, re.MULTILINE))


def test_what_is_said_of_a_step(made: dict[str, Vectors]) -> None:
    found = document(made["bitmap"])
    assert found["law"]["version"]
    assert re.fullmatch("[0-9a-f]{16}", found["law"]["digest"])
    steps = [step for vector in found["vectors"] for step in vector["steps"]]
    frees = [step for step in steps if step["op"] == "frame.free" and step["requires"] == "refusal"]
    assert {
        "addresses.address-is-aligned",
        "bitmap.frees-only-allocated",
        "bitmap.frees-only-what-may-be-free",
        "bitmap.frame-is-in-reach",
    } == {clause for step in frees for clause in step["clauses"]}
    takes = [step for step in steps if step["op"] == "frame.allocate" and step["requires"] == "success"]
    assert all(step["legal"] and step["reference"]["result"] in step["legal"] for step in takes)
    # The first frame may be any; when one is in use, any other.
    assert takes[0]["legal"] == [0x2000, 0x3000, 0x4000, 0x5000]
    # What a step names that another gave is so named: a target may choose another frame.
    assert {type(step["arguments"]["address"]) for step in steps if step["op"] == "frame.free"} == {int, dict}
    # What is answered otherwise after other choices is not required.
    questions = [step for step in steps if step["op"] == "frame.is_free" and step["requires"] != "refusal"]
    assert {len(step["legal"]) for step in questions if step["requires"] == "success"} == {1}
    assert None in {step["requires"] for step in questions}
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


OTHERS = [name for name in COMPONENTS if name not in ("bitmap", "runs", "frame_buddy")]


@pytest.mark.parametrize("component", OTHERS)
def test_in_c_the_others_compile_without_a_library(component: str, made: dict[str, Vectors], tmp_path: Path) -> None:
    (tmp_path / "vectors.c").write_text(c.written(made[component]))
    strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-DMEMORACLE_NO_MAIN"]
    subprocess.run(["cc", *strict, "-fsyntax-only", "vectors.c"], check=True, cwd=tmp_path)


@pytest.mark.skipif(RUSTC is None, reason="there is no rustc here")
def test_in_rust(made: dict[str, Vectors], tmp_path: Path) -> None:
    (tmp_path / "vectors.rs").write_text(rust.written(made["bitmap"]))
    subprocess.run(["cc", "-c", FRAMES, "-o", "frames.o"], check=True, cwd=tmp_path)
    subprocess.run(["ar", "rcs", "libframes.a", "frames.o"], check=True, cwd=tmp_path)
    command = ["rustc", "--test", "-D", "warnings", "vectors.rs", "-L", ".", "-l", "static=frames", "-o", "run"]
    subprocess.run(command, check=True, cwd=tmp_path)
    ran = subprocess.run(["./run"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "4 passed; 0 failed" in ran.stdout


@pytest.mark.parametrize("component", ["bitmap", *OTHERS])
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


@pytest.mark.parametrize(
    ("component", "stated"),
    [
        ("bitmap", {"frames": 5, "never_free": [{"start": "0x2000", "bytes": 4096}]}),
        ("bitmap", {"frames": 4, "kernel_image_frames": 1, "misuse": {"frame.free": "ignore"}}),
        ("runs", {"frames": 4, "kernel_image_frames": 1, "frame_free_parts": "whole"}),
        ("frame_buddy", {"frames": 5, "kernel_image_frames": 1, "frame_max_order": 1}),
        ("buddy", {"kernel_range": {"start": "0xFFFFFFFF00000000", "pages": 4}, "range_max_order": 1}),
        ("buddy", {"kernel_range": {"start": "0xFFFFFFFF00000000", "pages": 4}, "kernel_reserved": [(0, 1)]}),
        ("pte", {"physical_address_bits": 36, "frames": 8, "kernel_image_frames": 1}),
    ],
)
def test_any_legal_choice_passes_in_other_machines(component: str, stated: dict[str, Any]) -> None:
    if "kernel_range" in stated:
        pieces = [{"page": page, "pages": pages} for page, pages in stated.get("kernel_reserved", ())]
        stated = stated | {"kernel_reserved": pieces}
    stated = {"preset": "x64-4k", "frame_allocator": ALLOCATORS.get(component, "single"), **stated}
    geometry = geometry_from(stated)
    assert COMPONENTS[component].fits(geometry) is None
    vectors = vectors_of(component, geometry, stated)
    for seed in (1, 2):
        run_in_python(vectors, AnyChoice(component, Random(seed), geometry))


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
        (
            ["--component", "buddy", "--geometry", "x64-4k"],
            "kernel_range: at most 4 pages can be covered, not 1,048,576: name another machine",
        ),
        (["--component", "slab"], "invalid choice: 'slab'"),
        (["--component", "boot", "--geometry", "x64-4k"], "x64-4k: frames: 8 to 64 can be covered"),
        (["--component", "heap", "--geometry", "tiny.toml"], "tiny.toml: kernel_range: at least 32 pages"),
        ([], "--component"),
        (["--component", "pat", "--geometry", "none.toml"], "none.toml"),
    ],
)
def test_what_cannot_be_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(
        'preset = "x64-4k"\nkernel_range = {start = "0xFFFFFFFF00000000", pages = 8}\nkernel_reserved = []\n'
    )
    assert main(["vectors", *arguments]) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(("form", "head"), [("c", "memoracle_start() brings"), ("rust", "`memoracle_start` brings")])
def test_what_a_geometry_says_ends_no_remark(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, form: str, head: str
) -> None:
    path = tmp_path / "geometry.toml"
    path.write_text('preset = "x64-4k"\nzones = [{ name = "*/ x(); /* \\r\\n?", start = 0, bytes = 4096 }]\n')
    assert main(["vectors", "--component", "pat", "--geometry", str(path), "--format", form]) == 0
    out = capsys.readouterr().out
    zones = next(line for line in out.splitlines() if "zones = " in line)
    assert '"* / x(); /* ' in zones
    assert out.isascii()
    assert out.index(head) < out.index(zones)
