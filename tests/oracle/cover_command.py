"""Runs `drive --cover` in the tests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from memoracle.cli import main


def covered(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    status = main(["drive", "--cover", "--format", "json", "--quiet", *arguments])
    return status, json.loads(capsys.readouterr().out)
