"""A failure of a Python object or a program, as a test that calls it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from memoracle.cli import main
from memoracle.drive.sessions import session
from memoracle.reproducers.running import FAILED, PASSED, run_pytest

GEOMETRY = 'preset = "x64-4k"\nframes = 16\nkernel_image_frames = 2\n'
FRAMES = '''
class Frames:
    """Frames 2 to 15."""

    def __init__(self):
        self.free, self.used = list(range(2, 16)), set()

    def frame_allocate(self, alignment, from_=0):
        if alignment & alignment - 1 or not alignment:
            raise ValueError("no alignment")
        fits = [frame for frame in self.free if frame << 12 >= from_ and (frame << 12) % alignment == 0]
        if not fits:
            raise MemoryError("none left")
        if FAULT == "overlap" and len(self.used) == 2:
            return max(self.used) << 12
        self.free.remove(fits[0])
        self.used.add(fits[0])
        return fits[0] << 12

    def frame_free(self, address):
        if FAULT == "hangs" and len(self.used) == 2:
            import os
            os._exit(3)
        if address % 4096 or (address >> 12 not in self.used and FAULT != "twice"):
            raise ValueError("not allocated")
        self.used.discard(address >> 12)
        self.free.append(address >> 12)

    def frame_free_count(self):
        return len(self.free) - (FAULT == "count" and len(self.used) == 2)
'''
PROGRAM = """
import json, sys
json.loads(sys.stdin.readline())
frames = Frames()
print("booting")
operations = {"frame.allocate": ["alignment", "from"], "frame.free": ["address"], "frame.free_count": []}
print(json.dumps({"operations": operations}), flush=True)
for line in sys.stdin:
    event = json.loads(line)
    call = getattr(frames, event.pop("op").replace(".", "_"))
    given = {"from_" if key == "from" else key: value for key, value in event.items()}
    try:
        result = call(**given)
        answer = {"result": hex(result) if call.__name__ == "frame_allocate" else result}
    except (MemoryError, ValueError) as refusal:
        answer = {"error": str(refusal)}
    print("...", json.dumps(answer), sep="\\n", flush=True)
"""


def emitted(capsys: pytest.CaptureFixture[str], target: str, form: str = "pytest") -> tuple[int, str, str]:
    options = ["--geometry", "sizes.toml", "--seed", "1", "--ops", "3000", "--emit", form]
    status = main(["drive", *options, target])
    found = capsys.readouterr()
    return status, found.out, found.err


@pytest.mark.parametrize(
    ("kind", "fault", "asserts"),
    [
        ("object", "overlap", "frame3 + 4096 <= frame"),
        ("object", "hangs", "no call crashes"),
        ("program", "twice", "it must be refused"),
        ("program", "count", "answer3 == 12"),
        ("program", "hangs", "call("),
    ],
)
def test_it_fails_on_the_faulty_one_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    fault: str,
    asserts: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "SHRINKING", 60.0)  # it ends sooner, whatever else the machine does
    name = f"emitted_{fault}"
    source = Path(f"{name}.py")
    text = FRAMES + (PROGRAM if kind == "program" else "")
    Path("sizes.toml").write_text(GEOMETRY)
    source.write_text(f"FAULT = {fault!r}\n{text}")
    target = f"{name}:Frames" if kind == "object" else f"{sys.executable} {source}"
    status, test, said = emitted(capsys, target)
    assert (status, "it was run, and fails" in said) == (1, True), said
    assert asserts in test
    source.write_text(f"FAULT = ''\n{text}")
    assert run_pytest(test).outcome == PASSED
    source.write_text(f"FAULT = {fault!r}\n{text}")
    assert run_pytest(test).outcome == FAILED


@pytest.mark.parametrize("form", ["c", "rust", "kunit", "cpp-gtest"])
def test_other_languages_need_a_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sizes.toml").write_text(GEOMETRY)
    Path("emitted_whole.py").write_text(f"FAULT = ''\n{FRAMES}")
    status, test, said = emitted(capsys, "emitted_whole:Frames", form)
    assert (status, test) == (2, "")
    assert "it needs a shared library" in said


def test_nothing_is_written_where_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sizes.toml").write_text(GEOMETRY)
    Path("emitted_right.py").write_text(f"FAULT = ''\n{FRAMES}")
    status, test, said = emitted(capsys, "emitted_right:Frames", "trace")
    assert (status, test) == (0, "")
    assert "nothing failed" in said


def test_a_trace_is_what_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sizes.toml").write_text(GEOMETRY)
    Path("emitted_traced.py").write_text(f"FAULT = 'count'\n{FRAMES}")
    status, trace, said = emitted(capsys, "emitted_traced:Frames", "trace")
    assert (status, "it was checked, and diverges" in said) == (1, True)
    Path("trace.jsonl").write_text(trace)
    assert main(["check", "--format", "json", "trace.jsonl"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["divergences"][0]["clause"] == "bitmap.tells-the-count"
    assert document["divergences"][0]["line"] == len(trace.splitlines())
