"""Calls are steered to rules that chance alone seldom puts to the test, on a target that is the reference's manager."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memoracle.cli import main

TARGET = """
from memoracle.impl.boot import Record
from memoracle.impl.manager import Machine, Manager
from memoracle.impl.paging import Leaf
from memoracle.impl.pte import Layout
from memoracle.trace.memory_types import NUMBERS

PAGE, KERNEL = 1 << 21, 0xFFFFFFFF00000000


class Tables:
    def __init__(self):
        self.next = 1000

    def allocate(self):
        self.next += 1
        return self.next

    def free(self, frame):
        return True


def page(address, start=0):
    if (address - start) % PAGE:
        raise ValueError("no page begins there")
    return (address - start) // PAGE


def checked(answer):
    if answer is None or answer is False:
        raise ValueError("refused")
    return answer


class Kernel:
    def __init__(self):
        layout = Layout(52, 0x0005040600010406)
        machine = Machine(64, ((0, 2),), 2, layout, KERNEL, 4, 4, ((0, 2),))
        self.manager = Manager(machine, [Record(0, 64 * PAGE, 1)])
        self.manager.paging.frames = Tables()

    def process_create(self):
        process = next(each for each in range(1, 99) if each not in self.manager.spaces.spaces)
        checked(self.manager.create(process))
        return process

    def process_exit(self, process):
        checked(self.manager.exit(process))

    def range_allocate(self, process, pages):
        return checked(self.manager.allocate_range(process, pages)) * PAGE + (0 if process else KERNEL)

    def range_free(self, process, address, pages):
        checked(self.manager.free_range(process, page(address, 0 if process else KERNEL), pages))

    def page_map(self, process, virtual, physical, cache, global_):
        checked(self.manager.map(process, virtual, Leaf(physical, NUMBERS[cache], True, True, global_)))

    def page_unmap(self, process, virtual):
        checked(self.manager.unmap(process, virtual))

    def kernel_pages_allocate(self, pages):
        return checked(self.manager.allocate_pages(pages))

    def kernel_pages_free(self, address, pages):
        checked(self.manager.free_pages(address, pages))
"""
GEOMETRY = """
preset = "x64-2m"
frames = 64
kernel_range = {start = "0xffffffff00000000", pages = 16}
kernel_reserved = [{page = 0, pages = 2}]
process_range = {start = 0, pages = 16}
"""


def test_every_rule_is_put_to_the_test(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a block that is taken at start, kernel pages, and addresses between the halves, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "steered_kernel.py").write_text(TARGET)
    (tmp_path / "small.toml").write_text(GEOMETRY)
    options = ["--geometry", "small.toml", "--seed", "1", "--ops", "8000", "--format", "json", "--quiet"]
    assert main(["drive", "steered_kernel:Kernel", *options]) == 0
    coverage = json.loads(capsys.readouterr().out)["coverage"]
    asked = coverage["operations"].keys()
    assert asked >= {"page.map", "page.unmap", "range.free", "kernel_pages.free", "process.exit"}
    assert {operation: rules for operation, rules in coverage["untested"].items() if operation in asked} == {}
