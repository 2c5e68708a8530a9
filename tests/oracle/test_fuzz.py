"""Whatever a file holds, every command ends with one of its statuses, and nothing in it is an internal error.

`make fuzz` tries a million inputs of the same kinds.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fuzzing import __main__ as long_run
from fuzzing import guard
from fuzzing.properties import properties
from fuzzing.readers import Case
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HERE = Path(__file__).parent
FUZZ = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@FUZZ
@given(data=st.data())
@pytest.mark.parametrize("reader", properties(HERE))
def test_each_reader(tmp_path: Path, reader: str, data: st.DataObject) -> None:
    cases, hold = properties(tmp_path)[reader]
    hold(data.draw(cases))


def test_many_inputs_within_bounds_of_memory() -> None:
    command = [sys.executable, "-m", "fuzzing", "--inputs", "40", "--jobs", "1"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert " 0 readers failed" in done.stdout


def test_what_fails_is_made_small_and_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def hold(case: int) -> None:
        assert case < 10, "too large"

    monkeypatch.setattr(long_run, "FAILED", tmp_path)
    tried, said = long_run.one_round((st.integers(), hold), 1, 200)
    assert 0 < tried
    assert said.startswith("AssertionError: too large")
    assert (tmp_path / "1.txt").read_text() == "10\n"


@pytest.mark.parametrize("does", ["open('/etc/passwd')", "exec('1')", "__import__('subprocess').run(['true'])"])
def test_what_is_opened_or_run_is_found(does: str) -> None:
    code = compile(does, "does", "eval")
    with pytest.raises(guard.BrokenPromiseError), guard.watched():
        eval(code)


def run(folder: Path, text: bytes, *arguments: str, **files: bytes) -> int:
    return guard.run(folder, Case((*arguments, "@input"), {"input": text, **files}))


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("depth", [10, 100, 900, 1100, 20_000])
def test_deep_nesting(tmp_path: Path, opening: str, depth: int) -> None:
    closing = opening.translate(str.maketrans("[{", "]}", '"a:'))[::-1]
    value = opening * depth + "1" + closing * depth
    for line in (
        f'{{"op": "frame.free_count", "result": 3, "_x": {value}}}',
        f'{{"op": "boot", "memory_map": {value}}}',
        f'{{"op": "frame.fly", "x": {value}, "y": 1, "y": 2}}',
    ):
        for options in ((), ("--format=json", "--ignore-unknown", "--keep-going")):
            assert run(tmp_path, f'{{"memoracle": 1}}\n{line}\n'.encode(), "check", *options) in (1, 2)
    run(tmp_path, f'{{"memoracle": 1, "geometry": {value}}}\n'.encode(), "check")
    deep = b"frames = " + b"[" * depth + b"]" * depth
    run(tmp_path, b'{"memoracle": 1}\n', "check", "--geometry", "@geometry", geometry=deep)
