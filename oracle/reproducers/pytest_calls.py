"""A failure of a Python object or a program as a test of pytest, which calls it as it is driven."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memoracle.reproducers.actions import OTHER_COURSE
from memoracle.reproducers.c import SECONDS
from memoracle.reproducers.due import HOLDS, REFUSES, RETURNS, SUCCEEDS, Due
from memoracle.reproducers.failing_run import FailingRun, refused
from memoracle.reproducers.pytest_library import ends_of, test_of
from memoracle.reproducers.words import harmless, head, literal, remarks

OBJECT = """\
import importlib
import inspect
import multiprocessing
import sys
from keyword import iskeyword

import pytest

sys.path.insert(0, "")
found = getattr(importlib.import_module({module}), {name})
TARGET = found() if callable(found) else found


def call(operation, arguments):
    \"\"\"What it answers, and why it refuses.\"\"\"
    method = getattr(TARGET, operation.replace(".", "_"))
    takes = inspect.signature(method).parameters
    given = {{f"{{key}}_" if iskeyword(key) else key: value for key, value in arguments.items()}}
    if all(each.kind != each.VAR_KEYWORD for each in takes.values()):
        given = {{key: value for key, value in given.items() if key in takes}}
    try:
        return method(**given), None
    except Exception as refusal:
        return None, refusal
"""
PROGRAM = """\
import json
import signal
import subprocess

import pytest

PROGRAM = subprocess.Popen({command}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def hangs(*_):
    PROGRAM.kill()
    pytest.fail("no answer within {seconds} seconds")


signal.signal(signal.SIGALRM, hangs)


def line():
    \"\"\"The next that is an object.\"\"\"
    signal.alarm({seconds})
    for text in PROGRAM.stdout:
        if text.lstrip().startswith(b"{{"):
            signal.alarm(0)
            return json.loads(text)
    pytest.fail("it ended")


def write(content):
    PROGRAM.stdin.write(json.dumps(content).encode() + b"\\n")
    PROGRAM.stdin.flush()


def call(operation, arguments):
    \"\"\"What it answers, and why it refuses.\"\"\"
    write({{"op": operation, **arguments}})
    answer = line()
    result = answer.get("result")
    number = isinstance(result, str) and result.startswith("0x")
    return int(result, 16) if number else result, answer.get("error")


write({header})
line()
"""
TEXT = """\
{head}
{calls}

def calls():
{body}


{test}
"""


def of_object(name: str, run: FailingRun, due: Due) -> str:
    """name: `module:attribute`."""
    module, _, attribute = name.partition(":")
    return _text(OBJECT.format(module=ascii(module), name=ascii(attribute)), run, due, due.kind == RETURNS)


def of_program(command: Sequence[str], run: FailingRun, due: Due) -> str:
    words = f"[{', '.join(ascii(each) for each in command)}]"
    return _text(PROGRAM.format(command=words, seconds=SECONDS, header=ascii(run.head[0])), run, due, False)


def _text(calls: str, run: FailingRun, due: Due, apart: bool) -> str:
    """apart: whether the calls are made in another process, which the target may end."""
    return TEXT.format(
        head="\n".join(remarks(head(run, ["Run it:", "  pytest test_reproducer.py"]), "#")),
        calls=calls,
        test=test_of(run, apart),
        body="\n".join(f"    {line}" for line in _body(run, due, apart)),
    )


def _body(run: FailingRun, due: Due, apart: bool) -> Iterator[str]:
    last, ends = len(run.events) - 1, ends_of(apart)[OTHER_COURSE]
    for place in range(last):
        event = run.events[place]
        yield f"{run.variable(place)}, refusal = {_call(run, place)}"
        yield f"if refusal is {'' if refused(event) else 'not '}None:"
        words = f"call {place + 1} was {'not ' if refused(event) else ''}refused here"
        yield f"    {ends.format(words=literal(words))}"
    for given in due.given:
        yield f"if not ({given}):"
        yield f"    {ends.format(words=literal('the calls gave other addresses here'))}"
    yield f"# {harmless(run.finding.says)}"
    yield f"{run.variable(last)}, refusal = {_call(run, last)}"
    says = literal(due.must)
    if due.kind == SUCCEEDS or (due.kind == HOLDS and not due.may_refuse):
        yield f"assert refusal is None, {says}"
    if due.kind == REFUSES:
        yield f"assert refusal is not None, {says}"
    if due.kind == HOLDS:
        yield from (f"assert refusal or ({condition}), {says}" for condition in due.conditions)


def _call(run: FailingRun, place: int) -> str:
    request = run.requests[place]
    given = (f"{literal(name)}: {run.argument(place, name)}" for name in request.arguments)
    return f"call({literal(request.operation)}, {{{', '.join(given)}}})"
