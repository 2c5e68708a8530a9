"""What the tests of `memoracle check` share: where their inputs are, and how they run it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from memoracle.cli import main

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
QEMU = str(DATA / "e820" / "qemu-4g.txt")
HEADER = '{"memoracle": 1}\n'
CONFORMING = HEADER + '{"op": "frame.free_count", "result": 2046}\n'
DIVERGING = HEADER + '{"op": "frame.free_count", "result": 3}\n' + '{"op": "frame.allocate", "result": 0}\n'
BROKEN = HEADER + '{"op": "frame.free_count", "result": 2046}\n{"op"\n'
DIVERGING_THEN_BROKEN = DIVERGING + "{\n"
TEXTS = {
    "conforming": CONFORMING,
    "diverging": DIVERGING,
    "broken": BROKEN,
    "both": DIVERGING_THEN_BROKEN,
    "header": HEADER,
    "empty": "",
}


def checked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any], str]:
    status = main(["check", "--format", "json", *arguments])
    captured = capsys.readouterr()
    return status, json.loads(captured.out), captured.err
