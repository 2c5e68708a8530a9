from __future__ import annotations

from pathlib import Path

import pytest
from page_tables import HIGH, LINK, PageTables
from snapshot_command import Snapshots

from memoracle.impl import pte


@pytest.fixture
def snapshots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Snapshots:
    return Snapshots(tmp_path, capsys)


class Machine(PageTables):
    """Two spaces with one kernel half, and pages of each."""

    def __init__(self) -> None:
        super().__init__()
        self.first = self.space()
        for page in range(16):
            self.map(self.first, HIGH + (page << 12), 0x80000 + (page << 12))
        self.map(self.first, HIGH + (1 << 30), 0x40000000, level=3)
        self.second = self.space(self.first)
        for number, root in enumerate((self.first, self.second)):
            self.map(root, 0x400000, 0xA0000 + (number << 12), LINK | pte.USER)
            self.map(root, 0x800000, 0x200000 + (number << 21), LINK | pte.USER, level=2)


@pytest.fixture
def machine() -> Machine:
    return Machine()
