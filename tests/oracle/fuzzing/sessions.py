"""Whole sessions of `drive` with a program that is nearly right, and now and then says or does what it must not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

from fuzzing import guard
from fuzzing.corpora import ANSWERS, HELLO
from fuzzing.mutation import mutated
from fuzzing.readers import Case, form
from fuzzing.texts import argument, event
from memoracle.cover.reference_frames import frames_of
from memoracle.drive import nursery, program
from memoracle.drive.nursery import Nursery
from memoracle.drive.sessions import session
from memoracle.drive.trial import MakeSource, Plan
from memoracle.report.check_report import TraceResult
from memoracle.trace.geometry import geometry_from
from memoracle.trace.inputs import InputError

MACHINE = {"preset": "x64-4k", "frames": 16, "kernel_image_frames": 2}
KINDS: list[dict[str, Any]] = [{}, {"frame_allocator": "runs"}, {"frame_allocator": "buddy", "frame_max_order": 2}]
FAILED = (
    json.dumps({"memoracle": 1, "geometry": MACHINE}).encode()
    + b"""
{"op":"frame.allocate","result":"0x2000"}
{"op":"frame.free","address":"0x2000"}
{"op":"frame.free","address":"0x2000"}
"""
)
NOISE = [b"booting\n", b"\n", b"\x1b[2J\n", b"{", b'{"result": 1}\n', b"\xff\xfe\0\n", b"x" * 5000 + b"\n"]


class Script(NamedTuple):
    """What a program says. hello: first.  odd: by the number of a call, what takes the place of the right answer.

    noise: by the number of a call, what it says besides; the number is negative where it says so after its answer.
    ends: the call after which it is no more.  kept: what failed before.
    """

    case: Case
    machine: Mapping[str, Any]
    hello: bytes
    odd: dict[int, bytes]
    noise: dict[int, bytes]
    ends: int
    kept: bytes


def scripted(random: Random) -> Script:
    machine = MACHINE | random.choice(KINDS)
    calls = random.randrange(1, 9)
    options = (f"--ops={calls}", f"--seed={random.randrange(1, 99)}", *random.choice([(), (), ("--no-misuse",)]))
    told = ("--quiet",) if random.randrange(8) else form(random)
    level = random.choice([(), (), ("--level=exact",), ("--level=safe",), ("--cover",)])
    case = Case(("drive", *options, *level, *told, "--geometry=@geometry", "@program"), {"geometry": toml(machine)})
    odd = {random.randrange(calls): odd_answer(random) for _ in range(random.randrange(3))}
    noise = {random.randrange(-calls, calls): random.choice(NOISE) for _ in range(not random.randrange(4))}
    hello = mutated(random, [HELLO]) if not random.randrange(8) else b""
    ends = random.randrange(calls) if not random.randrange(8) else 1 << 30
    kept = mutated(random, [FAILED]) if not random.randrange(8) else b""
    return Script(case, machine, hello, odd, noise, ends, kept)


def toml(machine: Mapping[str, Any]) -> bytes:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in machine.items()).encode()


def odd_answer(random: Random) -> bytes:
    kind = random.randrange(4)
    if kind == 0:
        return mutated(random, ANSWERS)
    if kind == 1:
        return json.dumps({"result": argument(random, "result")}).encode() + b"\n"
    if kind == 2:
        return json.dumps({key: value for key, value in event(random).items() if key != "op"}).encode() + b"\n"
    return random.choice([b'{"error": "\\u001b[2J::error::"}\n', b'{"result": "0x2000"}\n', b'{"result": 0}\n'])


class Pretender:
    """In the place of a process: the reference's frames, which are asked and answer as a program does."""

    def __init__(self, script: Script) -> None:
        self.script, self.asked, self.said = script, -1, script.hello
        self.stdin, self.stdout = self, SimpleNamespace(fileno=int)
        self.frames: Any = frames_of(geometry_from(dict(script.machine)))
        if not self.said:
            self.said = json.dumps(
                {"operations": {op: [*keys] for op, keys in self.frames.operations.items()}}
            ).encode()
            self.said += b"\n"

    def write(self, line: bytes) -> None:
        script, number = self.script, self.asked
        self.asked += 1
        if number < 0:  # it is the header
            return
        if number >= script.ends:
            raise BrokenPipeError
        answer = script.odd.get(number)
        self.said += script.noise.get(number, b"")
        self.said += self.right(json.loads(line)) if answer is None else answer
        self.said += script.noise.get(-number, b"")

    def right(self, call: dict[str, Any]) -> bytes:
        answer = self.frames.call(call.pop("op"), call)
        return (
            json.dumps({"result": answer.result} if answer.error is None else {"error": answer.error}).encode() + b"\n"
        )

    def flush(self) -> None:
        pass

    def select(self, *_: object) -> tuple[list[int], list[int], list[int]]:
        return ([1] if self.said else []), [], []

    def read(self, *_: object) -> bytes:
        said, self.said = self.said, b""
        return said

    def wait(self, *_: object) -> int:
        return -11


class KeptLog:
    """In the place of a log that processes share."""

    def __init__(self) -> None:
        self.text, self.calls = b"", 0

    def header(self, *events: dict[str, object]) -> list[bytes]:
        lines = [json.dumps(each).encode() for each in events]
        self.text += b"\n".join(lines) + b"\n"
        return lines

    def asked(self, operation: str, arguments: dict[str, Any]) -> bytes:
        text = json.dumps({"op": operation, **arguments}).encode()[:-1]
        self.text += text
        return text

    def answered(self, text: bytes) -> None:
        self.calls += 1
        self.text += text + b"\n"

    def ended(self) -> None:
        pass

    def progress(self) -> tuple[int, int]:
        return len(self.text), self.calls

    def lines(self, _: str | None = None) -> list[bytes]:
        return self.text.split(b"\n")[:-1]


class Here(Nursery):
    """Runs of a target in this process, which no run ends."""

    def __init__(self, plan: Plan, _: object = None) -> None:
        self.plan, self.death, self.began = plan, "", 0.0
        self.log: Any = KeptLog()
        self.outcome: TraceResult | InputError

    def begin(self, make: MakeSource, patience: float | None = None) -> None:
        self.log = KeptLog()
        target = self._started()
        self.outcome = target if isinstance(target, InputError) else self._outcome(target, make)

    def is_over(self, seconds: float) -> bool:
        return True

    def _found(self) -> TraceResult | InputError | None:
        return self.outcome

    def end(self) -> None:
        pass


@contextmanager
def in_process() -> Iterator[None]:
    """Where nothing is forked."""
    with patch.object(session, "Nursery", Here), patch.object(nursery, "Nursery", Here):
        yield


def drive(folder: Path, script: Script) -> None:
    """A session ends as it may, whatever the program says."""
    failures = folder / "program.failures"
    if script.kept:
        failures.mkdir()
        (failures / "kept.jsonl").write_bytes(script.kept)
    last: list[Pretender] = []

    def started(*_: object, **__: object) -> Pretender:
        last[:] = [Pretender(script)]
        return last[0]

    waiting = SimpleNamespace(select=lambda *_: last[0].select())
    reading = SimpleNamespace(read=lambda *_: last[0].read())
    processes = SimpleNamespace(Popen=started, PIPE=None)
    replaced = patch.multiple(program, subprocess=processes, select=waiting, os=reading)
    try:
        with replaced, in_process(), patch.object(session, "SHRINKING", 0.05):
            guard.run(folder, script.case._replace(files={**script.case.files, "program": b""}), keeps=True)
    finally:
        shutil.rmtree(failures, ignore_errors=True)


SESSIONS: dict[str, tuple[Callable[[Random], Any], Callable[[Path, Any], None]]] = {
    "sessions of a program": (scripted, drive),
}
