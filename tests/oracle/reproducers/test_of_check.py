"""Which traces can be written as tests, and what is said of the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from blocks_binding import BINDING

from memoracle.cli import main
from memoracle.diagnostics.divergence import Finding
from memoracle.report.check_report import TraceResult
from memoracle.reproducers import words
from memoracle.reproducers.failing_run import failing_run
from memoracle.reproducers.live_blocks import size_of
from memoracle.trace.geometry import geometry_from

SIZES = {"frames": 16, "kernel_image_frames": 1}
HEADER = {"memoracle": 1, "geometry": {"preset": "x64-4k", **SIZES}}
TAKE, GIVE = "frame.allocate", "frame.free"
MAP = [{"start": 0, "length": 0x10000, "type": 1}]
TWICE = [
    {"op": TAKE, "result": "0x1000"},
    {"op": TAKE, "result": "0x2000", "_cpu": 3},
    {"op": "frame.free_count", "result": 13},
    {"op": TAKE, "result": "0x2000"},
]


def written(folder: Path, events: list[dict[str, Any]], *more: str, header: dict[str, Any] | None = None) -> str:
    lines = [json.dumps(each) for each in (header or HEADER, *events)]
    path = folder / "trace.jsonl"
    path.write_text("\n".join([*lines, *more]))
    return str(path)


def test_a_trace_is_left_with_what_its_divergence_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--emit", "trace", "--level", "safe", written(tmp_path, TWICE)]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [HEADER, {"op": TAKE, "result": "0x2000"}, {"op": TAKE, "result": "0x2000"}]


def test_it_is_of_the_machine_that_was_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "boot.log").write_text("BIOS-e820: [mem 0x0000000000000000-0x0000000000002fff] usable\n")
    (tmp_path / "sizes.toml").write_text('preset = "x64-4k"\nframes = 8\nkernel_image_frames = 1\n')
    options = ["--memory-map", str(tmp_path / "boot.log"), "--geometry", str(tmp_path / "sizes.toml"), "--quiet"]
    trace = written(tmp_path, [{"op": TAKE, "result": 0x3000}])
    assert main(["check", "--emit", "trace", *options, trace]) == 1
    header, boot, _ = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert header["geometry"]["frames"] == 8
    assert boot["memory_map"] == [{"start": 0, "length": 0x3000, "type": 1}]


def test_it_begins_with_the_last_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = [
        {"op": "boot", "memory_map": []},
        {"op": GIVE, "address": 1, "crash": "oops"},
        {"op": "boot", "memory_map": MAP},
        *TWICE,
    ]
    misuse = {"memoracle": 1, "geometry": {"preset": "x64-4k", **SIZES, "misuse": {GIVE: "undefined"}}}
    assert main(["check", "--emit", "trace", written(tmp_path, events, header=misuse)]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == events[2]
    assert [each["op"] for each in lines[2:]] == [TAKE, TAKE]


def test_the_test_goes_to_a_file_and_the_report_has_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace, output = written(tmp_path, TWICE), tmp_path / "least.jsonl"
    assert main(["check", "--emit", "trace", "--emit-output", str(output), trace]) == 1
    assert "already allocated" in capsys.readouterr().out
    assert main(["check", "--emit", "trace", "--format", "json", trace]) == 1
    found = json.loads(capsys.readouterr().out)["reproducer"]
    assert found == {"form": "trace", "text": output.read_text(), "said": "it was checked, and diverges"}


@pytest.mark.parametrize(
    ("events", "more", "says"),
    [
        ([{**each, "_call": 2 * n, "_return": 2 * n + 1, "_cpu": 1} for n, each in enumerate(TWICE)], "", "overlap"),
        ([{"op": TAKE, "result": 0x1000}, {"op": "boot", "memory_map": MAP}], "", "how a memory map was read"),
    ],
)
def test_what_cannot_be_a_trace_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], events: list[dict[str, Any]], more: str, says: str
) -> None:
    assert main(["check", "--emit", "trace", written(tmp_path, events, more)]) == 1
    found = capsys.readouterr()
    assert found.out == ""
    assert says in found.err


def test_a_log_has_no_calls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = "perf 1 [000] 22.1: kmem:mm_page_alloc: page=0x1 pfn=64 order=0 migratetype=0 gfp_flags=GFP_KERNEL\n"
    (tmp_path / "kmem.log").write_text(line + line.replace("22.1", "22.2"))
    assert main(["check", "--emit", "trace", str(tmp_path / "kmem.log")]) == 1
    assert "a log has no calls" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--emit", "c"], "--binding FILE.toml says which"),
        (["--emit-output", "out"], "it needs --emit"),
        (["--binding", "blocks.toml"], "it needs --emit"),
        (["--emit", "trace", "--follow"], "--follow"),
        (["--emit", "c", "--binding", "none.toml"], "none.toml"),
        (["--emit", "trace", "--emit-output", "trace.jsonl"], "overwrite"),
        (["--emit", "trace", "--output", "out", "--emit-output", "out"], "the report goes there"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, TWICE)
    assert main(["check", *options, "trace.jsonl"]) == 2
    assert says in capsys.readouterr().err


def test_a_binding_must_have_the_calls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    binding = tmp_path / "blocks.toml"
    binding.write_text(BINDING)
    (tmp_path / "blocks.so").write_text("")
    trace = written(tmp_path, TWICE)
    assert main(["check", "--emit", "c", "--binding", str(binding), trace]) == 1
    assert "it does not say how `frame.free_count` is called" in capsys.readouterr().err


def test_nothing_of_a_trace_becomes_a_part_of_the_program(tmp_path: Path) -> None:
    hostile = "*/ int x; // \\\n#include <a>\u2028??/"
    head = words.head(
        failing_run(
            [json.dumps(HEADER).encode()],
            [json.dumps({"op": TAKE, "zone": hostile, "error": hostile}).encode()],
            Finding("bitmap.x", "it is so", hostile, hostile),
            lambda events: TraceResult("", "legal"),
        ),
        [hostile],
    )
    lines = words.remarks(head)
    assert all(line.startswith("//") and line.isascii() and not line.endswith("\\") for line in lines)
    assert not any("*/" in line or "??/" in line or "\n" in line for line in lines)
    assert words.literal('"; exit(0); "\n') == r'"\"; exit(0); \"\\n"'


def test_a_size_that_no_machine_has_is_no_number_of_ours(tmp_path: Path) -> None:
    geometry = geometry_from({"preset": "x64-4k", "frame_allocator": "buddy"})
    assert size_of({"op": TAKE, "order": 10**15, "result": 0}, geometry) == 4096 << 64
    assert size_of({"op": TAKE, "order": -1, "result": 0}, geometry) == 4096
