"""Memory maps in `memoracle check`: of logs that are checked, and of logs for traces that have none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from check_command import DATA, HEADER, QEMU, ROOT, checked

from memoracle.cli import main

KMEM = str(DATA / "kmem" / "ftrace-2.6.33-free-direct.txt")
CONFORMING_EXAMPLE = str(ROOT / "examples" / "conforming.jsonl")


class TestMemoryMap:
    events = HEADER + '{"op": "frame.free_count", "result": %d}\n'

    def free_frames(self, capsys: pytest.CaptureFixture[str]) -> int:
        assert main(["boot", "--format", "json", QEMU]) == 0
        free = json.loads(capsys.readouterr().out)["frames"]["free"]
        assert isinstance(free, int)
        return free

    def test_stands_for_a_boot_event(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        (tmp_path / "t.jsonl").write_text(self.events % self.free_frames(capsys))
        assert checked(capsys, "--memory-map", QEMU, str(tmp_path / "t.jsonl"))[0] == 0
        assert checked(capsys, str(tmp_path / "t.jsonl"))[0] == 1

    def test_gives_way_to_the_traces_own(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        trace = HEADER + '{"op": "boot", "memory_map": []}\n{"op": "frame.free_count", "result": 0}\n'
        (tmp_path / "t.jsonl").write_text(trace)
        status, _, errors = checked(capsys, "--memory-map", QEMU, str(tmp_path / "t.jsonl"))
        assert status == 0
        assert "has a memory map of its own" in errors

    def test_is_no_event(self, capsys: pytest.CaptureFixture[str], files: dict[str, str]) -> None:
        assert checked(capsys, "--memory-map", QEMU, files["header"])[0] == 4
        assert checked(capsys, "--memory-map", QEMU, files["broken"])[0] == 1

    def test_must_have_records(self, capsys: pytest.CaptureFixture[str], files: dict[str, str]) -> None:
        assert main(["check", "--memory-map", files["empty"], files["conforming"]]) == 2
        assert "no record of a memory map" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted((DATA / "e820").glob("*.txt")), ids=lambda path: path.stem)
def test_boot_log_is_a_boot_event(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    status, document, _ = checked(capsys, str(path))
    assert (status, document["events"], document["verdict"]) == (0, 1, "conforms")


@pytest.mark.parametrize(
    ("log", "options", "status"),
    [
        # The frame at 16 MiB is usable in the map that the kernel ran with, and is not in the firmware's, or reversed.
        ("exactmap-2.4.20.txt", [], 0),
        ("exactmap-2.4.20.txt", ["--map", "bios-e820"], 1),
        ("kdump-2.6.29.txt", [], 1),
        ("kdump-2.6.29.txt", ["--map", "bios-e820"], 0),
    ],
)
def test_memory_map_is_the_one_that_the_kernel_ran_with(
    capsys: pytest.CaptureFixture[str], log: str, options: list[str], status: int
) -> None:
    trace, log = str(DATA / "e820" / "probe-frame-16m.jsonl"), str(DATA / "e820" / log)
    found, _, errors = checked(capsys, "--memory-map", log, *options, trace)
    assert found == status
    assert (f"{log} has 2 memory maps: the map user of boot 1" in errors) == (not options)
    assert ("which its kernel ran with, is taken" in errors) == (not options)
    found, _, errors = checked(capsys, *options, log)  # a boot log that is checked itself
    assert (found, "is taken" in errors) == (0, True)


def test_a_log_in_json_is_said_to_be_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log = tmp_path / "journal.json"
    entries = [{"__CURSOR": "1", "MESSAGE": line} for line in Path(QEMU).read_text().splitlines()]
    log.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    trace = str(DATA / "e820" / "probe-frame-16m.jsonl")
    for arguments in ([str(log)], ["--memory-map", str(log), trace]):
        status, _, errors = checked(capsys, *arguments)
        assert status == 0
        assert "is the journal's JSON: the messages in it are read" in errors


def test_a_map_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--memory-map", QEMU, "--boot", "2", QEMU]) == 2
    assert "no memory map fits --boot 2: it has bios-e820 of boot 1 (line 2)" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--boot", "2"], ["--map", "user"], ["--boot", "1", "--map", "bios-e820"]])
@pytest.mark.parametrize(("path", "status"), [(CONFORMING_EXAMPLE, 0), (KMEM, 1)], ids=["trace", "log"])
def test_a_choice_among_no_maps_is_said_to_be_one(
    capsys: pytest.CaptureFixture[str], path: str, status: int, options: list[str]
) -> None:
    found, _, errors = checked(capsys, *options, path)
    assert found == status
    for option, value in zip(options[::2], options[1::2], strict=True):
        assert f"{path}: there are no memory maps to choose from: {option} {value} is not used\n" in errors
    assert "to choose from" not in checked(capsys, "--quiet", *options, path)[2]


def test_a_choice_among_maps_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--memory-map", QEMU, CONFORMING_EXAMPLE], [QEMU]):
        status, _, errors = checked(capsys, "--boot", "1", "--map", "bios-e820", *arguments)
        assert (status, "is not used" in errors) == (0, QEMU not in arguments[-1])
        assert "to choose from" not in errors


def test_boot_log_is_its_own_memory_map(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, errors = checked(capsys, "--memory-map", QEMU, QEMU)
    assert status == 2
    assert "--memory-map is not for it" in errors
