"""What answers on a socket may be no QEMU, or stop to answer."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

import pytest
from page_tables import PageTables
from snapshot_command import Report, Snapshots

from memoracle.snapshot import qmp

GREETING = b'{"QMP": {"version": {}, "capabilities": []}}\n'
REGISTERS = "RIP=0 RFL=0\nCR0=80050033 CR2=0 CR3={:016x} CR4=20\nEFER=0000000000000d00\n"


class Machine:
    """Answers each command as a machine with these words of memory does; what was asked of it is kept."""

    def __init__(self, words: dict[int, int], cr3: int, running: bool = True) -> None:
        self.words = words
        self.cr3 = cr3
        self.running = running
        self.asked: list[str] = []

    def answer(self, line: bytes) -> list[object]:
        request = json.loads(line)
        self.asked.append(request["execute"])
        if request["execute"] == "query-status":
            return [{"return": {"running": self.running}}]
        if request["execute"] != "human-monitor-command":
            return [{"event": "STOP"}, {"return": {}}]
        return [{"return": self.says(request["arguments"]["command-line"])}]

    def says(self, line: str) -> str:
        if line == "info registers -a":
            return REGISTERS.format(self.cr3)
        address = int(line.split()[-1], 16)
        if address >= 0x100000:
            return "Cannot access memory\r\n"
        words = [f"0x{self.words.get(address + 8 * place, 0):016x}" for place in range(512)]
        return "".join(f"{address:016x}: {' '.join(words[i : i + 2])}\r\n" for i in range(0, 512, 2))


def asked(snapshots: Snapshots, machine: Machine | Sequence[bytes], *arguments: str) -> Report:
    """What the command says of a machine, or of what sends just these lines, one for each of its own."""
    path = str(snapshots.folder / "qmp")

    def serve() -> None:
        link, _ = server.accept()
        with link, link.makefile("rb") as lines:
            if not isinstance(machine, Machine):
                with suppress(OSError):  # the command hangs up
                    for each in machine:
                        link.sendall(each)
                        lines.readline()
                return
            link.sendall(GREETING)
            for line in lines:
                link.sendall(b"".join(json.dumps(each).encode() + b"\r\n" for each in machine.answer(line)))

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        report = snapshots.run("--qmp", path, *arguments)
        thread.join()
    return report


def test_a_machine_is_stopped_while_it_is_read_and_goes_on(snapshots: Snapshots, machine: PageTables) -> None:
    talks = Machine(machine.words, machine.first)
    report = asked(snapshots, talks, f"--cr3={machine.second:#x}")
    assert (report.status, report.document["pages"]) == (0, 21)
    assert [each["cr3"] for each in report.document["spaces"]] == [hex(machine.second), hex(machine.first)]
    assert talks.asked[:3] == ["qmp_capabilities", "query-status", "stop"]
    assert talks.asked[-1] == "cont"
    assert talks.asked.count("human-monitor-command") == 1 + report.document["tables"]


def test_a_machine_that_is_stopped_stays_so(snapshots: Snapshots, machine: PageTables) -> None:
    talks = Machine(machine.words, machine.first, running=False)
    assert asked(snapshots, talks).status == 0
    assert not {"stop", "cont"} & {*talks.asked}


def test_memory_that_a_machine_has_not_is_listed(snapshots: Snapshots, machine: PageTables) -> None:
    machine.words[machine.first + 8] = 0x7000000 | 7
    report = asked(snapshots, Machine(machine.words, machine.first))
    assert (report.status, [each["table"] for each in report.document["unreadable"]]) == (3, ["0x7000000"])


def test_a_machine_goes_on_after_a_fault(snapshots: Snapshots, machine: PageTables) -> None:
    talks = Machine(machine.words, 1 << 60)
    report = asked(snapshots, talks)
    assert report.status == 2
    assert "0x1000000000000000 is no CR3" in report.errors
    assert talks.asked[-1] == "cont"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([b"SSH-2.0-OpenSSH\r\n"], "it does not speak QMP: 'SSH-2.0-OpenSSH"),
        ([b"{}\n"], "it does not speak QMP: it does not greet"),
        ([b"[" * 100_000 + b"\n"], "it does not speak QMP"),
        ([b"x" * (3 << 19)], "it sends no whole message of QMP"),
        ([b""], "no answer within"),
        ([], "the connection was closed"),
        ([GREETING, b'{"error": {"desc": "no\\u001b[31m"}}\n'], "qmp_capabilities is refused: "),
    ],
)
def test_what_is_no_qemu_is_refused_by_name(
    snapshots: Snapshots, lines: list[bytes], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qmp, "SECONDS", 0.3)
    report = asked(snapshots, lines)
    assert (report.status, report.document) == (2, {})
    assert f"{snapshots.folder / 'qmp'}: {words}" in report.errors
    assert "\x1b" not in report.errors


def test_a_file_is_no_socket(snapshots: Snapshots) -> None:
    path = snapshots.folder / "file"
    path.write_text("", encoding="utf-8")
    assert f"{path}: cannot connect: Connection refused" in snapshots.run("--qmp", str(path)).errors
    assert "cannot connect" in snapshots.run("--qmp", "/" + "long" * 50).errors
