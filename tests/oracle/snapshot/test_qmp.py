"""What answers on a socket may be no QEMU, or stop to answer."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from types import SimpleNamespace

import pytest
from page_tables import PageTables
from qemu_machine import GREETING, REGISTERS, Machine
from snapshot_command import Report, Snapshots

from memoracle.snapshot import qmp


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
    if words.startswith("no answer within"):
        monkeypatch.setattr(qmp, "SECONDS", 0.3)
    report = asked(snapshots, lines)
    assert (report.status, report.document) == (2, {})
    assert f"{snapshots.folder / 'qmp'}: {words}" in report.errors
    assert "\x1b" not in report.errors


def test_events_without_end_are_no_answer(snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = count()
    monkeypatch.setattr(qmp, "SECONDS", 10)
    monkeypatch.setattr(qmp, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    report = asked(snapshots, [GREETING, b'{"event": "RESUME"}\n' * 100])
    assert (report.status, report.document) == (2, {})
    assert f"{snapshots.folder / 'qmp'}: qmp_capabilities is not answered within 10 seconds" in report.errors


def test_what_a_machine_says_may_be_no_text(snapshots: Snapshots, machine: PageTables) -> None:
    talks = Machine(machine.words, machine.first)
    said = REGISTERS.format(machine.first) + "\ud800\x1b[2J"
    talks.says = lambda line, says=talks.says: said if line == "info registers -a" else says(line)  # type: ignore[method-assign,misc]
    assert asked(snapshots, talks).status == 0


def test_words_of_memory_stand_apart(snapshots: Snapshots, machine: PageTables) -> None:
    talks = Machine(machine.words, machine.first)
    says = talks.says
    talks.says = lambda line: says(line).replace(" 0x0000000000000000\r", "0x0000000000000000\r", 1)  # type: ignore[method-assign]
    report = asked(snapshots, talks)
    assert (report.status, report.document) == (2, {})
    assert "`xp` is answered by" in report.errors


def test_a_file_is_no_socket(snapshots: Snapshots) -> None:
    path = snapshots.folder / "file"
    path.write_text("", encoding="utf-8")
    assert f"{path}: cannot connect: Connection refused" in snapshots.run("--qmp", str(path)).errors
    assert "cannot connect" in snapshots.run("--qmp", "/" + "long" * 50).errors
