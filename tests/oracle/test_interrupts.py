"""Ctrl-C: what was found so far is reported, and no traceback is shown, whenever it comes."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from processes import COMMAND, SAYS_IMPORTS, wait_until_imported, wait_until_read, without_imports

from memoracle.cli import main

FIRST = "memoracle.start"  # nothing can be done about an interrupt while Python itself starts
PATIENCE = 120  # seconds
HEADER = '{"memoracle": 1}\n'
WRONG = '{"op": "frame.free_count", "result": 3}\n'
RIGHT = '{"op": "frame.free_count", "result": 2046}\n'


def started(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([COMMAND, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment)


def wait_until_it_proves(running: subprocess.Popen[str]) -> None:
    """Waits until a program has processes of its own, and had time to hear of some verdicts."""
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    while running.poll() is None and not children.read_text():
        time.sleep(0.1)
    time.sleep(2)


def interrupted(running: subprocess.Popen[str]) -> tuple[int, str, str]:
    """What is left of the output; standard input stays open."""
    assert running.stdout is not None
    assert running.stderr is not None
    running.send_signal(signal.SIGINT)
    out, errors = running.stdout.read(), running.stderr.read()
    return running.wait(PATIENCE), out, errors


@pytest.mark.parametrize(("event", "verdict", "found"), [(WRONG, "diverges", 1), (RIGHT, "unknown", 0)])
def test_what_was_found_is_reported(tmp_path: Path, event: str, verdict: str, found: int) -> None:
    ready = tmp_path / "ready"
    ready.write_text(HEADER + RIGHT)
    with started("check", "--keep-going", "--format", "json", str(ready), "-", str(ready)) as running:
        assert running.stdin is not None
        running.stdin.write(HEADER + event * 2)
        running.stdin.flush()
        wait_until_read(running, running.stdin)
        status, out, errors = interrupted(running)
    document = json.loads(out)
    assert (status, document["verdict"], len(document["divergences"])) == (130, verdict, found)
    assert document["events"] == 3
    assert document["warnings"] == ["interrupted: <stdin>"]
    assert errors == "memoracle: interrupted\n"


def test_while_it_reads_without_waiting() -> None:
    with started("check", "-") as running:
        assert running.stdin is not None
        running.stdin.write(HEADER)
        for _ in range(100):  # much more than a pipe holds, so that it reads by the end of it
            running.stdin.write(RIGHT * 1000)
        status, out, errors = interrupted(running)
    assert (status, errors) == (130, "memoracle: interrupted\n")
    assert out.endswith(", at level legal; interrupted\n")


def test_no_traceback_from_the_first_moment() -> None:
    """An interrupt either ends the program at once, as it does by default, or is reported."""
    for part in range(12):
        with started("check", "-", environment=SAYS_IMPORTS) as running:
            assert running.stderr is not None
            wait_until_imported(running.stderr, FIRST)
            time.sleep(part / 20)
            status, _, errors = interrupted(running)
        assert status in (-signal.SIGINT, 130)
        assert without_imports(errors) in ("", "memoracle: interrupted\n")


def test_who_ignores_interrupts_goes_on_ignoring_them() -> None:
    """A shell starts what runs in the background so."""
    line = f"trap '' INT; exec {COMMAND} check -"
    pipe = subprocess.PIPE
    with subprocess.Popen(["sh", "-c", line], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as running:
        assert running.stdin is not None
        running.stdin.write(HEADER)
        running.stdin.flush()
        wait_until_read(running, running.stdin)
        running.send_signal(signal.SIGINT)
        out, errors = running.communicate(RIGHT)
    assert (running.returncode, errors) == (0, "")
    assert "conforms: 1 event" in out


def test_handlers_are_as_they_were(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    assert main(["check", str(tmp_path / "none")]) == 2
    assert signal.getsignal(signal.SIGINT) is before


def test_what_was_proved_is_reported_and_the_rest_is_unknown() -> None:
    with started("prove", "heap", "--no-cache", "--format", "json") as running:  # which takes minutes
        wait_until_it_proves(running)
        status, out, errors = interrupted(running)
    assert (status, errors) == (130, "memoracle: interrupted\n")
    document = json.loads(out)
    assert document["verdict"] == "unknown"
    assert document["totals"]["unknown"] > 0
    assert sum(document["totals"].values()) == len(document["obligations"]) > 50
