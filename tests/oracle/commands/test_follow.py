"""`check --follow`: what diverges is reported when its line arrives, before whoever writes the trace goes on."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import pytest
from processes import COMMAND, SAYS_IMPORTS, wait_until_waiting, without_imports

from memoracle.cli import main

HEADER = '{"memoracle": 1}\n'
RIGHT = '{"op": "frame.free_count", "result": 2046}\n'
WRONG = '{"op": "heap.delete", "address": %d}\n'
PAGE = "  sh-1 [000] .... 1.0: mm_page_alloc: page=0x1 pfn=0x10 order=0 migratetype=0 gfp_flags=0xc\n"
PATIENCE = 120  # seconds
SOON = 0.5


class Following:
    """`check --follow` of an input, as it runs."""

    def __init__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        pipe, command = subprocess.PIPE, [COMMAND, "check", "--follow", *arguments]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, env=environment)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.input: IO[bytes] = self.process.stdin
        self.out: IO[bytes] = self.process.stdout
        self.errors: IO[bytes] = self.process.stderr

    def write(self, text: str) -> None:
        self.input.write(text.encode())

    def end(self, *, interrupt: bool = False) -> tuple[int, str, str]:
        """The exit status, and what is left of the output."""
        if interrupt:
            self.process.send_signal(signal.SIGINT)
        out, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out.decode(), errors.decode()


def read_until(stream: IO[bytes], end: str, patience: float = PATIENCE) -> str:
    """What arrives up to an end; fails where nothing more does."""
    text = ""
    while end not in text:
        assert select.select([stream], [], [], patience)[0], f"it says no more than {text!r}"
        some = os.read(stream.fileno(), 1 << 16).decode()
        assert some, f"it ended with {text!r}"
        text += some
    return text


def test_each_divergence_of_a_pipe_is_printed_before_its_writer_goes_on() -> None:
    running = Following("--keep-going", "-")
    running.write(HEADER + RIGHT + WRONG % 3)
    first = read_until(running.out, "\n\n")
    assert first.startswith("<stdin>:3: heap.delete address=0x3\n")
    assert "legal  only a refusal" in first
    half = len(WRONG) // 2
    running.write(RIGHT + (WRONG % 4)[:half])
    assert not select.select([running.out], [], [], SOON)[0]  # what is no whole line yet is not read
    running.write((WRONG % 4)[half:])
    assert read_until(running.out, "\n\n").startswith("<stdin>:5: heap.delete address=0x4\n")
    running.write(WRONG.rstrip("\n") % 5)
    status, out, _ = running.end()
    assert status == 1
    assert out.startswith("<stdin>:6: heap.delete address=0x5\n")
    assert out.count("heap.delete address=") == 1
    assert "<stdin>: diverges: 3 divergences in 5 events, at level legal" in out


def test_the_first_divergence_ends_it() -> None:
    running = Following("-")
    running.write(HEADER + WRONG % 3)
    text = read_until(running.out, "at level legal\n")  # although the pipe is open still
    assert text.count("heap.delete address=0x3") == 1
    assert running.end()[0] == 1


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_document_is_whole_and_each_divergence_is_a_line_of_standard_error(tmp_path: Path, elsewhere: bool) -> None:
    report = tmp_path / "report.json"
    running = Following("--keep-going", "--format", "json", *(["--output", str(report)] if elsewhere else []), "-")
    running.write(HEADER + WRONG % 3)
    line = read_until(running.errors, "\n")
    said = "no block was made at 0x3 [heap.deletes-a-live-block]"
    assert line == f"memoracle: <stdin>:2: heap.delete address=0x3: {said}\n"
    assert not select.select([running.out], [], [], 0)[0]
    running.write(WRONG % 4)
    status, out, errors = running.end()
    assert errors.startswith("memoracle: <stdin>:3: heap.delete address=0x4: ")
    document = json.loads(report.read_text() if elsewhere else out)
    assert (status, document["verdict"], len(document["divergences"])) == (1, "diverges", 2)


def test_a_named_pipe(tmp_path: Path) -> None:
    path = tmp_path / "serial"
    os.mkfifo(path)
    running = Following("--quiet", str(path))
    with path.open("w") as writer:  # each waits for the other
        writer.write(HEADER + WRONG % 3)
        writer.flush()
        assert f"{path}:2: heap.delete address=0x3" in read_until(running.out, "at level legal\n")
    assert running.end()[0] == 1


def test_who_waits_for_the_writer_of_a_named_pipe_can_be_interrupted(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "serial")
    running = Following(str(tmp_path / "serial"), environment=SAYS_IMPORTS)
    read_until(running.errors, " memoracle.start\n")
    wait_until_waiting(running.process)
    status, out, errors = running.end(interrupt=True)
    assert (status, without_imports(errors)) in [(130, "memoracle: interrupted\n"), (-signal.SIGINT, "")]
    assert "Traceback" not in out


def test_a_file_that_grows_is_followed_until_an_interrupt(tmp_path: Path) -> None:
    path = tmp_path / "serial.log"
    path.write_text(HEADER + RIGHT)
    running = Following("--keep-going", str(path))
    with path.open("a") as log:
        log.write(WRONG % 3)
        log.flush()
        assert f"{path}:3: " in read_until(running.out, "\n\n")
        log.write(WRONG % 4)
        log.flush()
        assert f"{path}:4: " in read_until(running.out, "\n\n")
    status, out, _ = running.end(interrupt=True)
    assert status == 130
    assert out == f"{path}: diverges: 2 divergences in 3 events, at level legal; interrupted\n"


def test_a_file_that_became_shorter_is_named(tmp_path: Path) -> None:
    path = tmp_path / "serial.log"
    path.write_text(HEADER + WRONG % 3)
    running = Following("--keep-going", str(path))
    read_until(running.out, "\n\n")
    path.write_text(HEADER)
    status, out, errors = running.end()
    assert status == 2
    assert "diverges: 1 divergence" in out
    assert errors == f"memoracle: {path}: cannot read: it became shorter while it was followed\n"


def test_a_kmem_log_is_known_by_its_first_line() -> None:
    running = Following("-")
    running.write(PAGE + PAGE)
    assert "<stdin>:2: mm_page_alloc pfn=16 (0x10) order=0" in read_until(running.out, "at level safe\n")
    assert running.end()[0] == 1


def test_who_reads_no_more_ends_it() -> None:
    running = Following("--keep-going", "-")
    running.write(HEADER + WRONG % 3)
    read_until(running.out, "\n\n")
    running.out.close()
    running.write(WRONG % 4)
    assert running.process.wait(PATIENCE) == 1
    assert running.errors.read() == b""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["one", "two"], "--follow: one input can be followed at a time"),
        (
            [str(Path(__file__).parents[2] / "data" / "e820" / "qemu-4g.txt"), "--input", "e820"],
            "--follow is not for it",
        ),
    ],
)
def test_what_cannot_be_followed_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memoracle.trace.inputs._is_regular", lambda file: False)  # which would have no end
    assert main(["check", "--follow", *arguments]) == 2
    assert says in capsys.readouterr().err
