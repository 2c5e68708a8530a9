"""Golden vectors of a library, which is called as a binding says."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from blocks_binding import BINDING, SOURCE

from memoracle.cli import main

RUSTC = shutil.which("rustc")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A buddy system of 4 frames, which can be started only once, each fault of it, and its binding."""
    folder = tmp_path_factory.mktemp("library")
    text = SOURCE.read_text()
    for wide, small in (
        ("ORDERS = 6, PAGES = 256", "ORDERS = 3, PAGES = 4"),
        ("page == 64", "page == 2"),
        ("larger != 3 || page != 128", "larger != 0 || page != 2"),
    ):
        assert wide in text
        text = text.replace(wide, small)
    (folder / "small.c").write_text(text)
    for fault in ("NOTHING", "LOSES_A_HALF", "CRASHES"):
        shared = ["cc", "-O1", "-shared", "-fPIC", f"-DFAULT={fault}", "small.c", "-o", f"{fault}.so"]
        subprocess.run(shared, check=True, cwd=folder)
    shutil.copy(folder / "NOTHING.so", folder / "blocks.so")
    small = BINDING.replace("frames = 256", "frames = 4").replace("max_order = 5", "max_order = 2")
    (folder / "blocks.toml").write_text(small)
    return folder


def of_library(folder: Path, form: str) -> None:
    output = ["--output", str(folder / f"vectors.{form}")]
    asked = ["vectors", "--component", "frame_buddy", "--format", form, "--binding", str(folder / "blocks.toml")]
    assert main([*asked, *output]) == 0


def ran_with(folder: Path, fault: str, program: str) -> str:
    shutil.copy(folder / f"{fault}.so", folder / "blocks.so")
    ran = subprocess.run([f"./{program}"], capture_output=True, text=True, check=False, cwd=folder)
    assert (ran.returncode == 0) == (fault == "NOTHING")
    return ran.stdout + ran.stderr


def test_in_c_a_bound_library_is_called(library: Path) -> None:
    of_library(library, "c")
    command = ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "vectors.c", "./blocks.so", "-o", "in_c"]
    subprocess.run(command, check=True, cwd=library)
    assert "0 of 7 vectors fail" in ran_with(library, "NOTHING", "in_c")
    assert "frame.allocate: it must succeed" in ran_with(library, "LOSES_A_HALF", "in_c")
    assert "it died of signal 11" in ran_with(library, "CRASHES", "in_c")


@pytest.mark.skipif(RUSTC is None, reason="there is no rustc here")
def test_in_rust_a_bound_library_is_called(library: Path) -> None:
    of_library(library, "rust")
    command = ["rustc", "--edition", "2021", "-D", "warnings", "--test", "vectors.rust", "-C", "link-arg=./blocks.so"]
    subprocess.run([*command, "-o", "in_rust"], check=True, cwd=library)
    assert "7 passed" in ran_with(library, "NOTHING", "in_rust")
    assert "2 failed" in ran_with(library, "LOSES_A_HALF", "in_rust")
    assert "it died of signal 11" in ran_with(library, "CRASHES", "in_rust")


@pytest.mark.parametrize("form", ["c", "rust"])
def test_how_files_are_named_ends_no_remark(
    library: Path, capsys: pytest.CaptureFixture[str], form: str, tmp_path: Path
) -> None:
    folder = tmp_path / "odd*"
    folder.mkdir()
    shutil.copy(library / "NOTHING.so", folder / "bl\nocks.so")
    binding = folder / "bl\nocks.toml"
    binding.write_text((library / "blocks.toml").read_text().replace('"blocks.so"', '"bl\\nocks.so"'))
    assert main(["vectors", "--component", "frame_buddy", "--format", form, "--binding", str(binding)]) == 0
    out = capsys.readouterr().out
    assert not any(line.startswith("ocks") for line in out.splitlines())
    assert out.count("bl\\nocks.toml") == out.count("* /bl\\nocks.so") == 1


ARENA = """library = "heap.so"
declarations = "void *take(size_t bytes, size_t alignment); int give(void *at);"
start = []
geometry = {preset = "x64-4k", heap_arena = {start = 0x10000000, bytes = 0x4000, overhead = 32, minimum = 32}}
[operations."heap.new"]
call = "take(bytes, ALIGNMENT)"
result = "value"
[operations."heap.delete"]
call = "give(address)"
fails = "value != 0"
"""


@pytest.mark.parametrize(("passed", "is_asked"), [("alignment", True), ("16", False)])
def test_what_a_binding_does_not_pass_on_is_not_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, passed: str, is_asked: bool
) -> None:
    """A heap that is not told of an alignment was failed for not having it."""
    (tmp_path / "heap.so").touch()
    binding = tmp_path / "heap.toml"
    binding.write_text(ARENA.replace("ALIGNMENT", passed))
    assert main(["vectors", "--component", "heap_arena", "--binding", str(binding)]) == 0
    steps = [step for vector in json.loads(capsys.readouterr().out)["vectors"] for step in vector["steps"]]
    assert any(step["op"] == "heap.new" for step in steps)
    assert any("alignment" in step["arguments"] for step in steps) == is_asked


def test_only_what_a_binding_has_is_called(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    binding = library / "fewer.toml"
    binding.write_text((library / "blocks.toml").read_text().replace('fails = "value != 0"', ""))
    assert main(["vectors", "--component", "frame_buddy", "--binding", str(binding)]) == 0
    steps = [step for vector in json.loads(capsys.readouterr().out)["vectors"] for step in vector["steps"]]
    assert {step["op"] for step in steps} == {"frame.allocate", "frame.free"}
    # A free that cannot say that it refuses is not misused.
    assert not any("refuses" in step["reference"] for step in steps if step["op"] == "frame.free")


@pytest.mark.parametrize(
    ("wrong", "right", "form", "says"),
    [
        ("order, out)", "asked_order, out)", "c", "unknown name asked_order"),
        ("blocks_free(address ", "blocks_free(returned + address ", "c", "`returned` is remembered of an allocation"),
        (
            "frames = 4",
            "frames = 256",
            "c",
            "frames: at most 6 can be covered, not 256: name another machine with --geometry",
        ),
        ('"frame.', '"heap.', "c", "operations.heap."),
        ("never_free = []", 'never_free = []\nframe_free_parts = "partial"', "c", "frame_free_parts: these are of"),
        ("never_free = []", 'never_free = []\nframe_free = "trusting"', "c", "frame_free: these are of 'checked'"),
        ("start =", "private_frames = true\nstart =", "c", "private_frames: vectors are of machines"),
        ("frame_max_order = 2", "", "pytest", "--binding: it is for c and rust"),
    ],
)
def test_a_binding_that_does_not_do_is_refused(
    library: Path, capsys: pytest.CaptureFixture[str], wrong: str, right: str, form: str, says: str
) -> None:
    binding = library / "wrong.toml"
    text = (library / "blocks.toml").read_text()
    assert wrong in text
    binding.write_text(text.replace(wrong, right))
    assert main(["vectors", "--component", "frame_buddy", "--format", form, "--binding", str(binding)]) == 2
    message = capsys.readouterr().err
    assert says in message
    assert "internal error" not in message
