"""A program that prints noise: what is no answer is what it died of, at the call that it was asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memoracle.cli import main
from memoracle.drive.program import MOST_NOISE, Program
from memoracle.drive.target import Answer, DiedError
from memoracle.trace.inputs import InputError

SERVES = """
import os, sys, time
out = sys.stdout.buffer

def say(text):
    out.write(text)
    out.flush()

sys.stdin.readline()
say(b'booting\\n{"operations": {"frame.allocate": [], "frame.free": ["address"], "frame.is_free": ["address"]}}\\n')
sys.stdin.readline()
say(b'{"result": 4096}\\n')
"""


@contextmanager
def asked_once(tmp_path: Path, then: str) -> Iterator[Program]:
    """A program that has answered one call, and does this at the next."""
    path = tmp_path / "program.py"
    path.write_text(SERVES + then)
    target = Program([sys.executable, "-S", "-E", str(path)], {"memoracle": 1})
    try:
        assert target.call("frame.allocate", {}) == Answer(4096)
        yield target
    finally:
        target.process.kill()
        target.process.communicate()


NEXT = "sys.stdin.readline()\n"
NOISE = {
    "a line that begins as one": (r"""say(b'{0x1000} is not mapped\n')""", "this is no answer (JSON is malformed"),
    "an answer that is cut": (r"""say(b'{"result": 1'); os._exit(3)""", "this is no answer ("),
    "an answer that is none": (r"""say(b'{"result": [1]}\n')""", "this is no answer (result: "),
    "a fraction": (r"""say(b'{"result": 1.5}\n')""", "this is no answer (result: "),
    "no number": (r"""say(b'{"result": "0xzz"}\n')""", "this is no answer ("),
    "an endless number": (r"""say(b'{"result": 1' + b'0' * 5000 + b'}\n')""", "this is no answer ("),
    "nothing, where a result is due": (r"""say(b'{}\n')""", "this is no answer (result: "),
    "both": (r"""say(b'{"result": 8192, "error": "no"}\n')""", "it has both `result` and `error`"),
    "an error that is no text": (r"""say(b'{"error": 5}\n')""", "this is no answer ("),
    "nested": (r"""say(b'{"result": ' + b'[' * 100000 + b'\n')""", "this is no answer ("),
    "no UTF-8": (r"""say(b'{"error": "\xff\xfe"}\n')""", "this is no answer ("),
    "many lines": (r"""say(b'tick\n' * 20000)""", f"{MOST_NOISE:,} lines without an answer"),
    "an endless line": (r"""say(b'x' * (1 << 25))""", "16,777,216 bytes without an answer"),
    "an endless answer": (r"""say(b'{"error": "' + b'x' * (1 << 25))""", "16,777,216 bytes without an answer"),
    "its end": ("sys.exit(7)", "it ended with status 7"),
    "output and its end": (r"""say(b'panic\n\xff {\n'); sys.exit(0)""", "it ended with status 0"),
    "a signal": ("os.kill(os.getpid(), 9)", "signal 9 (SIGKILL)"),
    "a signal without a name": ("os.kill(os.getpid(), 40)", "signal 40"),
    "no output any more": ("os.close(1); time.sleep(600)", "it closed its standard output"),
}


@pytest.mark.parametrize(("then", "says"), NOISE.values(), ids=NOISE.keys())
def test_what_is_no_answer_is_what_it_died_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str, says: str
) -> None:
    if says == "it closed its standard output":
        monkeypatch.setattr("memoracle.drive.program.PATIENCE", 0.3)
    with asked_once(tmp_path, NEXT + then) as target:
        with pytest.raises(DiedError) as died:
            target.call("frame.allocate", {})
        assert says in str(died.value)
        assert str(died.value).isprintable()
        assert len(str(died.value)) < 1000


@pytest.mark.parametrize(
    "then",
    [
        r"""say(b'\xff\xfe\x00 [noise] " {\n\n}\n  \n{"result": 8192}\n')""",
        r"""say(b'x' * 100000 + b'\n' + b'y\n' * 9000 + b'{"result": "0x2000"}\r\n')""",
        r"""say(b'{"res'); time.sleep(0.05); say(b'ult": 8192, "op": "frame.allocate"}\n')""",
        r"""say(b'{"result": 8192}'); os.close(1)""",
        r"""say(b'{"result": 8192, "error": null}\ntick\nti')""",
    ],
)
def test_noise_around_an_answer_is_passed_over(tmp_path: Path, then: str) -> None:
    with asked_once(tmp_path, NEXT + then) as target:
        assert target.call("frame.allocate", {}) == Answer(8192)


def test_what_was_said_before_it_was_asked_is_no_answer(tmp_path: Path) -> None:
    then = NEXT + r"""say(b'{"result": 8192}\n{"result": 12288}\n')""" + "\n" + NEXT
    with asked_once(tmp_path, then) as target:
        assert target.call("frame.allocate", {}) == Answer(8192)
        with pytest.raises(DiedError, match="it said this before it was asked: ") as died:
            target.call("frame.allocate", {})
        assert "12288" in str(died.value)


def test_a_free_that_answers_with_a_result_is_no_answer(tmp_path: Path) -> None:
    with asked_once(tmp_path, NEXT + r"""say(b'{"result": 1}\n')""") as target, pytest.raises(DiedError):
        target.call("frame.free", {"address": 4096})


@pytest.mark.parametrize("text", [b"{\xff}\n", b"noise\n" * 20000, b"x" * (1 << 25), b"{" * 100_000 + b"\n", b""])
def test_a_program_that_begins_with_noise_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "noise").write_bytes(text)
    with pytest.raises(InputError, match="was expected first") as fault:
        Program(["/bin/cat", str(tmp_path / "noise")], {"memoracle": 1})
    assert len(str(fault.value)) < 1000


def test_the_sequence_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.py").write_text(SERVES + NEXT + r"""say(b'{"\x1b[31m": panic\n')""")
    (tmp_path / "geometry.toml").write_text('preset = "x64-4k"\nframes = 16\nnever_free = []\n')
    target = f"{sys.executable} -S -E program.py"
    status = main(["drive", target, "--geometry", "geometry.toml", "--quiet", "--seed", "1", "--no-misuse"])
    shown = capsys.readouterr().out
    assert status == 1
    assert "must-not-crash" in shown
    assert "this is no answer" in shown
    assert "\x1b" not in shown
    assert '"result":"0x1000"}\n' in shown
