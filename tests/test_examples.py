"""The allocators in C that the documents show: what they record is what is shipped, and mended they conform."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from memoracle import cli

EXAMPLES = Path(__file__).parent.parent / "examples"

# By example: the line at which the fault shows, the clause, the faulty text, and the text in its place.
FAULTS = {
    "frames": (7, "bitmap.allocates-only-free", "    last_freed = (unsigned)(address >> 21);\n", ""),
    "pages": (
        10,
        "kernel_pages.allocate.must-succeed",
        "    unsigned page = (unsigned)((address - range) >> 21);\n",
        "    unsigned page = (unsigned)((address - range) >> 21);\n"
        "    free_pages |= ((UINT64_C(1) << (pages == 3 ? 4 : pages)) - 1) << page;\n",
    ),
    "regions": (8, "runs.run-is-aligned", "*first = gap; /*", "*first = aligned(gap, alignment); /*"),
    "blocks": (9, "runs.run-is-free", "in_use = bits(0, 1) | bits(2, 0);", "in_use = ~UINT64_C(0);"),
}


def recorded(code: str, folder: Path) -> str:
    """What a program in C writes."""
    source, program = folder / "example.c", folder / "example"
    source.write_text(code, encoding="utf-8")
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", source, "-o", program], check=True)
    return subprocess.run([program], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_is_found_at_its_line_and_named_once(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    line, clause, *_ = FAULTS[name]
    trace = str(EXAMPLES / f"{name}.jsonl")
    assert cli.main(["check", trace, "--keep-going", "--quiet", "--format", "json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)["divergences"]
    assert (found["line"], found["clause"]) == (line, clause)


@pytest.mark.parametrize("name", FAULTS)
def test_the_trace_shipped_is_what_the_program_records(name: str, tmp_path: Path) -> None:
    code = (EXAMPLES / f"{name}.c").read_text(encoding="utf-8")
    assert recorded(code, tmp_path) == (EXAMPLES / f"{name}.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FAULTS)
def test_the_mended_program_conforms(name: str, tmp_path: Path) -> None:
    *_, faulty, mended = FAULTS[name]
    code = (EXAMPLES / f"{name}.c").read_text(encoding="utf-8")
    assert code.count(faulty) == 1
    trace = tmp_path / "mended.jsonl"
    trace.write_text(recorded(code.replace(faulty, mended), tmp_path), encoding="utf-8")
    assert cli.main(["check", str(trace), "--quiet"]) == 0
