"""Bindings of tests/oracle/drive/forms.c, which the tests of bindings drive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from memoracle.cli import main

ALLOCATE, FREE = '[operations."frame.allocate"]\n', '[operations."frame.free"]\n'
STATUS = (
    "enum status { DONE, NO_MEMORY, NOT_YOURS }; enum status by_status(uint64_t *at); int free_status(uint64_t at);",
    'call = "by_status(out)"\nfails = "value == NO_MEMORY"\nresult = "out"',
    'call = "free_status(address)"\nfails = "value == NOT_YOURS"',
)


def binding(
    folder: Path, operations: str, declared: str, given: str = "", geometry: str = "", calls: str = "", frames: int = 32
) -> Path:
    """Writes one of the library, with what it needs whatever is called. calls: callbacks that are of account."""
    needed = [each for each in ("more_pages", "spin_lock", "kprintf", "entry_of") if each not in calls]
    needed += [] if "panics" in given else ["panic"]
    callbacks = "\n".join([calls, *(f'{each} = "0"' for each in needed)])
    symbols = 'symbols = {image_end = "0x40000"}'
    text = f'library = \'forms.so\'\ndeclarations = """{declared}"""\n{symbols}\n{given}\n[callbacks]\n{callbacks}\n'
    path = folder / "forms.toml"
    path.write_text(
        f'{text}[geometry]\npreset = "x64-4k"\nframes = {frames}\nkernel_image_frames = 1\n{geometry}\n{operations}'
    )
    return path


def driven(
    capsys: pytest.CaptureFixture[str], binding: Path, *options: str, ops: int = 400
) -> tuple[int, dict[str, Any]]:
    command = ["drive", "--format", "json", "--quiet", "--seed", "5", "--ops", str(ops), *options, str(binding)]
    status = main(command)
    found = capsys.readouterr()
    return status, json.loads(found.out) if status != 2 else {"message": found.err}
