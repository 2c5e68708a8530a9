"""A program, and a Python object, are driven."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from memoracle.cli import main

PROGRAM = """
import json, sys
free = set(range(2, 16))
json.loads(sys.stdin.readline())
print("[    0.000000] booting")
print(json.dumps({"operations": {"frame.allocate": [], "frame.free": ["address"]}}), flush=True)
used = set()
for line in sys.stdin:
    event = json.loads(line)
    if event["op"] == "frame.allocate":
        answer = {"error": "none left"}
        if free:
            frame = free.pop()
            used.add(frame)
            answer = {"result": hex(frame << 12)}
    elif event["address"] % 4096 == 0 and event["address"] >> 12 in used:
        used.discard(event["address"] >> 12)
        free.add(event["address"] >> 12)
        if not WORKS and not MODE:
            used.add(event["address"] >> 12)
        answer = {}
    else:
        answer = {"error": "not allocated"}
    if not WORKS and len(used) == 9 and MODE == "dies":
        sys.exit(7)
    if not WORKS and len(used) == 9 and MODE == "babbles":
        answer = {"result": [1], "error": 5}
    print(json.dumps(answer), flush=True)
"""
GEOMETRY = 'preset = "x64-4k"\nframes = 16\nkernel_image_frames = 2\n'
OBJECT = '''
from memoracle import Bitmap


class Frames:
    """The reference, which frees nothing above ABOVE."""

    def __init__(self):
        self.bitmap = Bitmap(16, [(0, 2)])
        self.bitmap.add(2, 16)

    def frame_allocate(self):
        frame = self.bitmap.allocate()
        if frame is None:
            raise MemoryError("none left")
        return frame << 12

    def frame_free(self, address):
        if address >> 12 < ABOVE and not self.bitmap.free(address >> 12):
            raise ValueError("not allocated")

    def frame_free_count(self):
        return self.bitmap.free_frames
'''


def driven(
    capsys: pytest.CaptureFixture[str], folder: Path, target: str, geometry: str = GEOMETRY
) -> tuple[int, dict[str, object]]:
    (folder / "sizes.toml").write_text(geometry)
    options = ["--quiet", "--format", "json", "--seed", "1", "--ops", "400", "--geometry", str(folder / "sizes.toml")]
    status = main(["drive", *options, target])
    return status, json.loads(capsys.readouterr().out)


def program(folder: Path, works: bool, mode: str = "") -> str:
    path = folder / "frames.py"
    path.write_text(f"WORKS, MODE = {works}, {mode!r}\n{PROGRAM}")
    return f"{sys.executable} {path}"


def test_a_program_that_is_right_conforms(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, document = driven(capsys, tmp_path, program(tmp_path, True))
    assert (status, document["verdict"], document["calls"]) == (0, "conforms", 400)


@pytest.mark.parametrize(
    ("mode", "says"),
    [("", "already free"), ("dies", "it ended with status 7"), ("babbles", "this is no answer")],
)
def test_what_is_wrong_with_a_program_is_found(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, document = driven(capsys, tmp_path, program(tmp_path, False, mode))
    assert status == 1
    assert isinstance(document["divergences"], list)
    assert says in document["divergences"][0]["message"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import sys; sys.exit(3)", "a line"),
        ("print('{\"op\": 1}')", "a line"),
        ('print(\'{"operations": {"a": []}}\')', "unknown"),
    ],
)
def test_a_program_that_does_not_say_what_it_has_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, says: str
) -> None:
    path = tmp_path / "silent.py"
    path.write_text(text)
    assert main(["drive", f"{sys.executable} {path}"]) == 2
    message = capsys.readouterr().err
    assert says in message
    assert "internal error" not in message


@pytest.mark.parametrize(("above", "status"), [(1 << 64, 0), (9, 1)])
def test_a_python_object_is_driven(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, above: int, status: int
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"frames_{above}"
    (tmp_path / f"{name}.py").write_text(f"ABOVE = {above}\n{OBJECT}")
    found, document = driven(capsys, tmp_path, f"{name}:Frames")
    assert found == status
    assert bool(document["divergences"]) == bool(status)


RANGES = """
from memoracle import Buddy


class Ranges:
    def __init__(self):
        self.spaces = {0: Buddy(6)}

    def process_create(self):
        process = max(self.spaces) + 1
        self.spaces[process] = Buddy(6)
        return process

    def process_exit(self, process):
        if process == 0 or process not in self.spaces:
            raise ValueError("no such process")
        del self.spaces[process]

    def range_allocate(self, process, pages):
        page = self.spaces[process].allocate(pages)
        if page is None:
            raise MemoryError("none left")
        return self.start(process) + page * 4096

    def range_free(self, process, address, pages):
        page, rest = divmod(address - self.start(process), 4096)
        if rest or not self.spaces[process].free(page, PAGES):
            raise ValueError("not allocated")

    def range_size(self, process, address):
        return self.spaces[process].size((address - self.start(process)) // 4096)

    def range_list(self, process):
        blocks = self.spaces[process].blocks()
        return [(self.start(process) + page * 4096, pages, taken) for page, pages, taken in blocks]

    def start(self, process):
        return 0 if process else 0xFFFFFFFF00000000
"""
RANGE = """
preset = "x64-4k"
kernel_range = {start = "0xffffffff00000000", pages = 64}
kernel_reserved = []
process_range = {start = 0, pages = 64}
"""


@pytest.mark.parametrize(("pages", "clause"), [("pages", ""), ("1 << (pages - 1).bit_length() - 1", "refused")])
def test_ranges_of_processes_are_driven(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: str, clause: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"ranges_{clause}"
    (tmp_path / f"{name}.py").write_text(RANGES.replace("PAGES", pages))
    status, document = driven(capsys, tmp_path, f"{name}:Ranges", RANGE)
    assert status == bool(clause)
    coverage = document["coverage"]
    assert isinstance(coverage, dict)
    if not clause:
        assert {"process.create", "range.allocate", "range.free", "range.list"} <= coverage["operations"].keys()


def test_what_has_nothing_to_drive_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "idle.py").write_text("class Idle:\n    def frame_free_count(self):\n        return 0\n")
    assert main(["drive", "idle:Idle"]) == 2
    assert "there is nothing to drive" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["no_module:Frames", "json:nothing", "./no/such/program", " "])
def test_what_is_no_target_is_refused(capsys: pytest.CaptureFixture[str], target: str) -> None:
    assert main(["drive", target]) == 2
    message = capsys.readouterr().err
    assert message
    assert "internal error" not in message


OBJECTS = """
class Five:
    frame_allocate = 5
class Refuses:
    def __init__(self):
        raise RuntimeError("not today")
class Needs:
    def __init__(self, size):
        pass
class Answers:
    def frame_allocate(self):
        return object()
class Speaks:
    def frame_allocate(self):
        return "frame 3"
"""


@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        ("objects:Five", 2, "is no method whose arguments could be read"),
        ("objects:Refuses", 2, "objects.py:6: objects:Refuses: it cannot be made: RuntimeError: not today"),
        ("objects:Needs", 2, "objects:Needs: it cannot be made: it is called without arguments, and asks for `size`"),
        ("objects:Answer", 2, "objects:Answer: the module has no 'Answer'; did you mean Answers?"),
        ("nowhere:Answers", 2, "nowhere:Answers: there is no module 'nowhere'"),
        ("broken:Any", 2, "broken.py:2: broken:Any: its module cannot be imported: '(' was never closed"),
        ("fails:Any", 2, "fails.py:1: fails:Any: its module cannot be imported: ZeroDivisionError"),
        (":Any", 2, "MODULE:NAME was expected"),
        ("objects:Answers", 1, "is no answer: "),
        ("objects:Speaks", 1, "'frame 3' is no answer: "),
    ],
)
def test_what_is_wrong_with_an_object_is_said(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    status: int,
    says: str,
) -> None:
    for module, text in (("objects", OBJECTS), ("broken", "\nx = (\n"), ("fails", "1 // 0\n")):
        (tmp_path / f"{module}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["drive", "--ops", "5", "--quiet", name]) == status
    found = capsys.readouterr()
    assert says in (found.err if status == 2 else " ".join(found.out.split())), found
    sys.modules.pop("objects", None)
