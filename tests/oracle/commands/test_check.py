from __future__ import annotations

import gzip
import io
import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from check_command import DATA, DIVERGING, HEADER, QEMU, ROOT, checked
from rich.console import Console

from memoracle.cli import main
from memoracle.console import progress
from memoracle.replay.common import host_memory
from memoracle.spec import bitmap

TRACES = {"frames": 5969, "ranges": 6006, "kernel-half": 1143}
PAGE = 1 << 21


def standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize("level", ["safe", "legal", "exact"])
@pytest.mark.parametrize(("name", "events"), TRACES.items())
def test_recordings_of_a_real_kernel_conform(
    capsys: pytest.CaptureFixture[str], name: str, events: int, level: str
) -> None:
    path = str(DATA / "traces" / f"{name}.jsonl.gz")
    status, document, errors = checked(capsys, "--level", level, path)
    assert (status, errors) == (0, "")
    assert sum(counted["events"] for counted in document.pop("coverage")["operations"].values()) == events
    assert document == {
        "memoracle": 1,
        "command": "check",
        "verdict": "conforms",
        "level": level,
        "events": events,
        "warnings": [],
        "warned": [],
        "divergences": [],
        "results": [
            {
                "file": path,
                "first_line": 1,
                "verdict": "conforms",
                "status": 0,
                "level": level,
                "events": events,
                "checked": events,
                "divergences": 0,
                "unreadable": None,
                "interrupted": False,
                "warnings": [],
            }
        ],
        "unreadable": [],
    }


def test_recording_diverges_under_another_geometry(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(DATA / "traces" / "ranges.jsonl.gz")
    status, document, errors = checked(capsys, "--geometry", "x64-2m", path)
    assert (status, errors) == (1, f"memoracle: x64-2m replaces the geometry of {path}\n")
    (found,) = document["divergences"]
    assert found["event"]["op"] == "range.list"
    assert (found["event"]["process"], found["clause"]) == (2, "buddy.lists-in-address-order")


def test_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(ROOT / "examples" / "conforming.jsonl")]) == 0
    assert "conforms: 15 events, at level legal" in capsys.readouterr().out
    assert main(["check", str(ROOT / "examples" / "diverging.jsonl")]) == 1
    text = capsys.readouterr().out
    for words in (
        "diverging.jsonl:10: range.allocate process=1 pages=2 -> 0xc00000 (_cpu=1)",
        "all of the block is free [buddy.block-is-free]",
        "2 pages at 0xc00000 overlap the block of 8 pages at 0x0, allocated (by line 8)",
        "any aligned 2 pages in 24 free blocks large enough",
        "├── 8 pages at 0x0: allocated by line 8",
        "diverges: 1 divergence in 9 events, at level legal",
    ):
        assert words in text


def test_text_draws_the_bitmap(capsys: pytest.CaptureFixture[str], files: dict[str, str]) -> None:
    assert main(["check", "--keep-going", files["diverging"]]) == 1
    lines = capsys.readouterr().out.splitlines()
    (drawn,) = [number for number, line in enumerate(lines) if "frame  0: 00111111 11111111" in line]
    assert lines[drawn + 1].index("^") == lines[drawn].index("00111111")
    assert any("frame 0 is the kernel image's" in line for line in lines)


def test_lines_of_a_file_end_with_their_text(
    capsys: pytest.CaptureFixture[str], files: dict[str, str], tmp_path: Path
) -> None:
    assert main(["check", "--keep-going", files["diverging"], "--output", str(tmp_path / "report")]) == 1
    assert main(["check", "--keep-going", files["diverging"]]) == 1
    text = capsys.readouterr().out
    assert text == (tmp_path / "report").read_text()
    assert "rule" in text
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


def test_an_event_is_told_as_a_trace_has_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    events = (
        '{"op": "pat.select", "cache": "write-back", "low_half": true, "result": 7}\n'
        '{"op": "kernel_pages.allocate", "pages": 1, "frames": ["0x0"], "result": 0, "_cpu": [1, null]}\n'
    )
    (tmp_path / "t.jsonl").write_text(HEADER + events)
    assert main(["check", "--keep-going", str(tmp_path / "t.jsonl")]) == 1
    told = capsys.readouterr().out
    assert ":2: pat.select cache=write-back low_half=true -> 7\n" in told
    assert ':3: kernel_pages.allocate pages=1 frames=["0x0"] -> 0x0 (_cpu=[1, null])\n' in told


def test_document_has_the_keys_of_the_contract(capsys: pytest.CaptureFixture[str], files: dict[str, str]) -> None:
    status, document, _ = checked(capsys, "--keep-going", files["diverging"])
    assert (status, document["verdict"], document["events"]) == (1, "diverges", 2)
    assert document["divergences"][0] == {
        "file": files["diverging"],
        "line": 2,
        "event": {"op": "frame.free_count", "result": 3},
        "clause": "bitmap.tells-the-count",
        "says": bitmap.tells_the_count.says,
        "message": "it says that 3 frames are free, but 2,046 are",
        "legal": "2,046",
        "before": {"free_frames": 2046},
        "after": {"free_frames": 2046},
    }


@pytest.mark.parametrize(
    ("names", "status", "verdict"),
    [
        (["conforming"], 0, "conforms"),
        (["diverging"], 1, "diverges"),
        (["broken"], 2, "unknown"),
        (["none"], 2, "unknown"),
        (["both"], 1, "diverges"),
        (["header"], 4, "nothing"),
        (["empty"], 4, "nothing"),
        (["conforming", "conforming"], 0, "conforms"),
        (["conforming", "header"], 4, "nothing"),
        (["header", "diverging"], 1, "diverges"),
        (["diverging", "broken"], 2, "diverges"),
        (["none", "diverging"], 2, "diverges"),
        (["broken", "header"], 2, "unknown"),
    ],
)
def test_status_and_verdict(
    capsys: pytest.CaptureFixture[str], files: dict[str, str], names: list[str], status: int, verdict: str
) -> None:
    found, document, _ = checked(capsys, *(files[name] for name in names))
    assert (found, document["verdict"]) == (status, verdict)


def test_divergence_before_a_broken_line_is_reported(capsys: pytest.CaptureFixture[str], files: dict[str, str]) -> None:
    status, document, errors = checked(capsys, "--keep-going", files["both"])
    assert (status, document["verdict"], document["events"]) == (2, "diverges", 2)
    assert [found["line"] for found in document["divergences"]] == [2, 3]
    assert f"{files['both']}:4: the line is cut short" in errors
    assert main(["check", "--keep-going", files["both"]]) == 2
    captured = capsys.readouterr()
    assert "frame 0 is the kernel image's" in captured.out
    assert "both.jsonl:4: the line is cut short" in captured.err


def test_broken_line_after_the_end_of_a_check_is_not_read(
    capsys: pytest.CaptureFixture[str], files: dict[str, str]
) -> None:
    """A trace is read up to its first divergence; the others are read all the same."""
    status, document, errors = checked(capsys, files["both"])
    assert (status, document["events"], errors) == (1, 1, "")
    status, document, errors = checked(capsys, files["both"], files["broken"])
    assert (status, document["verdict"], document["events"]) == (2, "diverges", 2)
    assert [(found["file"], found["line"]) for found in document["divergences"]] == [(files["both"], 2)]
    assert f"{files['broken']}:3: the line is cut short" in errors


def test_each_file_starts_anew_and_stops_at_its_own_divergence(
    capsys: pytest.CaptureFixture[str], files: dict[str, str]
) -> None:
    status, document, _ = checked(capsys, files["diverging"], files["conforming"], files["diverging"])
    assert (status, document["events"]) == (1, 3)
    assert [(found["file"], found["line"]) for found in document["divergences"]] == [(files["diverging"], 2)] * 2


@pytest.mark.parametrize("compressed", [False, True])
def test_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, compressed: bool) -> None:
    content = DIVERGING.encode()
    standard_input(monkeypatch, gzip.compress(content) if compressed else content)
    status, document, _ = checked(capsys, "-")
    assert (status, document["divergences"][0]["file"]) == (1, "-")


def test_standard_input_can_be_read_only_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-", "-"]) == 2
    assert capsys.readouterr().err == "memoracle: <stdin>: standard input can be read only once\n"


def test_damaged_gzip_is_told_after_what_was_found(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(DIVERGING.encode())[:-6])
    status, document, errors = checked(capsys, "--keep-going", str(path))
    assert (status, document["verdict"]) == (2, "diverges")
    assert "the gzip stream ends before its end marker" in errors


def test_output_and_quiet(capsys: pytest.CaptureFixture[str], files: dict[str, str], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    geometry = ["--geometry", "x64-4k", "--quiet", "--output", str(report)]
    trace = tmp_path / "stated.jsonl"
    trace.write_text('{"memoracle": 1, "geometry": "x64-2m"}\n{"op": "frame.free_count", "result": 67107840}\n')
    assert main(["check", "--format", "json", *geometry, str(trace)]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert json.loads(report.read_text())["verdict"] == "conforms"


def test_geometry_from_a_file(capsys: pytest.CaptureFixture[str], files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text("frames = 5\n")
    assert checked(capsys, "--geometry", str(tmp_path / "small.toml"), files["diverging"])[1]["divergences"] != []
    (tmp_path / "small.toml").write_text("frames = 0\n")
    assert main(["check", "--geometry", str(tmp_path / "small.toml"), files["conforming"]]) == 2
    assert "small.toml:1: frames: 0 is not positive" in capsys.readouterr().err


@pytest.mark.parametrize("frames", [1 << 40, 1 << 36])
def test_geometry_of_more_frames_than_memory_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, frames: int
) -> None:
    monkeypatch.setattr("os.sysconf", lambda name: {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1 << 22}[name])
    sizes = f'{{"preset": "x64-4k", "frames": {frames}}}'
    (tmp_path / "t.jsonl").write_text(f'{{"memoracle": 1, "geometry": {sizes}}}\n')
    status, document, errors = checked(capsys, str(tmp_path / "t.jsonl"), str(ROOT / "examples" / "conforming.jsonl"))
    assert (status, document["verdict"], document["events"]) == (2, "unknown", 15)
    assert f"t.jsonl:1: geometry: frames: {frames:,} take " in errors
    assert "and a trace may ask for 300 MB: --geometry FILE.toml may for more" in errors
    (tmp_path / "g.toml").write_text(f'preset = "x64-4k"\nframes = {frames}\n')
    status, _, errors = checked(capsys, "--geometry", str(tmp_path / "g.toml"), QEMU)
    assert status == 2
    assert "MB, and there are 17,179 MB of memory" in errors


def test_a_trace_may_not_take_much_memory(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    for kind, frames in (("single", 600_000_100), ("runs", 100_000_100)):
        sizes = f'{{"preset": "x64-4k", "frames": {frames}, "frame_allocator": "{kind}"}}'
        trace.write_text(f'{{"memoracle": 1, "geometry": {sizes}}}\n{{"op": "boot", "memory_map": []}}\n')
        assert checked(capsys, str(trace))[0] == 2
        assert main(["boot", str(trace)]) == 2
        assert (
            f"t.jsonl:1: geometry: frames: {frames:,} take 300 MB, and a trace may ask for" in capsys.readouterr().err
        )


def test_the_limits_of_a_process_count_as_its_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("300\n")
    monkeypatch.setattr(host_memory, "GROUP_LIMITS", [tmp_path / "memory.max", tmp_path / "none"])
    assert host_memory.memory_there() == 300
    (tmp_path / "memory.max").write_text("max\n")
    monkeypatch.setattr("resource.getrlimit", lambda which: (200, 200) if which == resource.RLIMIT_DATA else (-1, -1))
    assert host_memory.memory_there() == 200


def test_form_can_be_stated(capsys: pytest.CaptureFixture[str], files: dict[str, str]) -> None:
    assert checked(capsys, "--input", "jsonl", files["conforming"])[0] == 0
    assert checked(capsys, "--input", "kmem", files["conforming"])[0] == 4
    assert checked(capsys, "--input", "e820", files["conforming"])[0] == 4
    assert checked(capsys, "--input", "jsonl", QEMU)[0] == 2


@pytest.mark.parametrize("arguments", [[], ["--level", "lax", "x"], ["--input", "xml", "x"], ["--fast", "x"]])
def test_usage_error(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["check", *arguments]) == 2
    assert "usage: memoracle" in capsys.readouterr().err


def test_no_solver_is_imported() -> None:
    program = (
        "import sys; from memoracle.cli import main;"
        f"status = main(['check', {str(ROOT / 'examples' / 'diverging.jsonl')!r}]);"
        "solvers = {'z3', 'crosshair', 'bitwuzla'} & set(sys.modules); sys.exit(f'{status} {solvers}')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == "1 set()\n"


class TestProgress:
    def test_bar_on_a_terminal(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, files: dict[str, str]
    ) -> None:
        terminal = io.StringIO()
        monkeypatch.setattr(terminal, "isatty", lambda: True)
        monkeypatch.setattr(progress, "STEP", 1)
        shown = {"file": terminal, "force_terminal": True}
        monkeypatch.setattr(
            "rich.console.Console", lambda **given: Console(**shown) if "stderr" in given else Console(**given)
        )
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.chdir(Path(files["conforming"]).parent)
        assert main(["check", "conforming.jsonl"]) == 0
        assert "conforming.jsonl" in terminal.getvalue()

    def test_nothing_when_piped(self, files: dict[str, str]) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "memoracle", "check", files["conforming"]], capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")

    def test_size_is_known_of_plain_files_alone(self, files: dict[str, str], tmp_path: Path) -> None:
        (tmp_path / "packed").write_bytes(gzip.compress(b"x"))
        assert progress.plain_size(files["header"]) == len(HEADER)
        assert progress.plain_size(str(tmp_path / "packed")) is None
        assert progress.plain_size(files["none"]) is None
        assert progress.plain_size("-") is None


def test_memory_does_not_grow_with_the_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred times the events of the same live state, in no more memory."""
    program = (
        "from pathlib import Path; from memoracle.cli import main; status = main(['check', '-']);"
        # Not getrusage's maximum: a program inherits that from the process that started it.
        "print(status, *(line.split()[1] for line in Path('/proc/self/status').open() if line.startswith('VmHWM')))"
    )
    pair = '{"op": "frame.allocate", "result": "0x400000"}\n{"op": "frame.free", "address": "0x400000"}\n'
    peaks = []
    for count in (1_000, 100_000):
        done = subprocess.run(
            [sys.executable, "-c", program], input=HEADER + pair * count, capture_output=True, text=True, check=True
        )
        status, peak = done.stdout.splitlines()[-1].split()
        assert status == "0"
        peaks.append(int(peak))
    assert peaks[1] < peaks[0] + 4096  # KiB; the trace itself has 9 MB
