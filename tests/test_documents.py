"""What the documents show is so: commands print what is shown, code runs, names and links lead somewhere."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import memoracle
from memoracle import cli
from memoracle.drive.binding import Bound, Memory, Read, Step
from memoracle.explain.index import Index
from memoracle.proofs import registry
from memoracle.proofs.components.bitmap import law as bitmap
from memoracle.proofs.obligations import law_obligations, vacuity
from memoracle.proofs.obligations.discharge import discharge
from memoracle.proofs.parts import PARTS
from memoracle.spec import bitmap as law
from memoracle.spec.geometry import PRESETS, Geometry
from memoracle.trace.decoding import decode_event
from memoracle.trace.events import OPERATIONS
from memoracle.trace.formats import read_header
from memoracle.trace.geometry import geometry_from

ROOT = Path(__file__).parent.parent
PATHS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
DOCUMENTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in PATHS}
WINGS = ("spec", "impl", "proofs", "oracle", "tests", "examples", "docs", "benchmarks")
ANYTHING = "…"  # in what is shown: alone in a line, any lines; within a line, any text
EXAMPLES = ("frames", "pages", "regions", "blocks")


def blocks(language: str, of: str | None = None) -> list[str]:
    """The contents of the fenced blocks of this language, of one document or of all."""
    texts = DOCUMENTS.values() if of is None else [DOCUMENTS[of]]
    return [
        each for text in texts for each in re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    ]


def commands() -> list[tuple[str, str]]:
    """Each command of a `console` block, and what is shown below it."""
    shown = [each for block in blocks("console") for each in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, output) for command, _, output in (each.partition("\n") for each in shown)]


def without_padding(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.rstrip().splitlines())


def pattern(shown: str) -> str:
    """A regular expression for what may be printed, where this is shown."""
    lines = without_padding(shown).splitlines()
    whole = ["(?:.*\n)*?" if line == ANYTHING else f"{re.escape(line)}\n" for line in lines]
    return "".join(whole).replace(re.escape(ANYTHING), ".*")


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The long options of the program and its commands."""
    for action in parser._actions:
        yield from (option for option in action.option_strings if option.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from options(command)


def rows(document: str, section: str) -> list[str]:
    """What the first column of a section's tables names."""
    text = f"\n{DOCUMENTS[document]}".split(f"\n{section}\n")[1].split(f"\n{section.split()[0]} ")[0]
    return re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)


def named_in(cells: list[str]) -> list[str]:
    return [name for cell in cells for name in re.findall(r"`(.*?)`", cell)]


# What is shown


@pytest.mark.parametrize(("command", "shown"), commands())
def test_a_command_prints_what_is_shown(
    command: str, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    program, *arguments = shlex.split(command)
    assert program == "memoracle"
    status = cli.main(arguments)
    printed = capsys.readouterr()
    assert printed.err == ""
    assert re.fullmatch(pattern(shown), without_padding(printed.out)), printed.out
    assert status == (1 if ": diverges: " in shown or "<failure " in shown else 0)


def test_what_is_shown_is_all_of_what_is_printed_unless_it_says_otherwise() -> None:
    assert re.fullmatch(pattern("a\n…\nc … e\n"), "a\nb\nb\nc d e\n")
    assert re.fullmatch(pattern("a\n…\nc\n"), "a\nc\n")
    assert not re.fullmatch(pattern("a\nc\n"), "a\nb\nc\n")
    assert not re.fullmatch(pattern("a.\n"), "ab\n")


def test_every_command_is_shown() -> None:
    assert {shlex.split(command)[1] for command, _ in commands()} == {
        "check",
        "drive",
        "snapshot",
        "boot",
        "prove",
        "explain",
        "vectors",
    }


def test_the_traces_of_the_worked_examples_are_those_shipped() -> None:
    shown = blocks("json", "docs/recording.md")
    assert shown == [(ROOT / "examples" / f"{name}.jsonl").read_text(encoding="utf-8") for name in EXAMPLES]


def test_the_first_trace_is_the_one_shipped() -> None:
    assert blocks("json", "docs/start.md") == [(ROOT / "examples" / "first.jsonl").read_text(encoding="utf-8")]


def test_the_worked_examples_are_excerpts_of_the_code_shipped() -> None:
    shown = [block for block in blocks("c", "docs/recording.md") if "RECORD" in block]
    for name, block in zip(EXAMPLES, shown, strict=True):
        code = (ROOT / "examples" / f"{name}.c").read_text(encoding="utf-8").splitlines()
        assert [line for line in block.splitlines() if ANYTHING not in line and line not in code] == []


def test_the_lines_to_record_with_write_events() -> None:
    formats = [line for block in blocks("c") for line in block.splitlines() if line.startswith("printf(")]
    texts = [json.loads(re.findall(r'"(?:[^"\\]|\\.)*"', line)[0]) for line in formats]
    events = [decode_event(re.sub(r"%l?[xu]", "1", text).encode()) for text in texts]
    assert len(events) >= 3
    assert all(event.succeeded for event in events)


def test_every_line_of_a_trace_shown_can_be_read() -> None:
    shown = [block for block in blocks("json", "docs/trace.md") if block.startswith('{"')]
    assert shown
    for line in "".join(shown).splitlines():
        if line.startswith('{"memoracle"'):
            read_header("docs/trace.md", line.encode())
        else:
            decode_event(line.encode())


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("check", ["examples/diverging.jsonl"]),
        ("boot", ["tests/data/e820/qemu-4g.txt"]),
        ("prove", ["pat"]),
        ("snapshot", ["examples/spaces.txt"]),
    ],
)
def test_a_document_shown_has_the_keys_of_those_written(
    command: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shown,) = [each for each in map(json.loads, documents()) if each.get("command") == command]
    monkeypatch.chdir(ROOT)
    cli.main([command, *arguments, "--format", "json", "--quiet"])
    assert shape(shown) == shape(json.loads(capsys.readouterr().out))


def documents() -> list[str]:
    return [block for block in blocks("json", "docs/trace.md") if not block.startswith('{"')]


def shape(value: Any, key: str = "") -> Any:
    """The keys of a document; of a list, those of what is in it. Events and states may have any."""
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    if isinstance(value, dict) and key not in ("event", "before", "after"):
        if value and all(
            name in OPERATIONS or "." in name for name in value
        ):  # whichever operations, or rules, a trace has
            return {"name": shape(next(iter(value.values())))}
        return {name: shape(each, name) for name, each in value.items()}
    return None


def test_every_geometry_shown_is_one() -> None:
    shown = [each for each in map(tomllib.loads, blocks("toml")) if not is_part_of_binding(each) and "tool" not in each]
    assert shown
    for stated in shown:
        assert geometry_from(stated.get("geometry", stated)) != PRESETS["x64-4k"]


def is_part_of_binding(stated: dict[str, Any]) -> bool:
    return stated.keys() <= {each.name for each in msgspec.structs.fields(Read)} - {"geometry"}


def test_every_part_of_a_binding_shown_is_one() -> None:
    shown = [each for each in map(tomllib.loads, blocks("toml", "docs/drive.md")) if is_part_of_binding(each)]
    assert shown
    for each in shown:
        assert msgspec.convert(each, Read) != Read()


def test_the_binding_shown_drives_an_allocator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [shown] = [each for each in blocks("toml", "docs/drive.md") if not is_part_of_binding(tomllib.loads(each))]
    code = (ROOT / "tests" / "oracle" / "drive" / "blocks.c").read_text(encoding="utf-8")
    code = code.replace(", unsigned long *freed)", ")").replace("    *freed = page;\n", "")
    (tmp_path / "blocks.c").write_text(code, encoding="utf-8")
    (tmp_path / "blocks.toml").write_text(shown, encoding="utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "blocks.c", "-o", "blocks.so"], cwd=tmp_path, check=True)
    assert cli.main(["drive", "--ops", "500", "--quiet", str(tmp_path / "blocks.toml")]) == 0
    assert "500 events" in capsys.readouterr().out


def test_every_key_of_a_binding_has_a_row_and_no_other() -> None:
    keys = [
        *(each.name for each in msgspec.structs.fields(Read)),
        *(each.name for each in msgspec.structs.fields(Bound)),
    ]
    assert named_in(rows("docs/drive.md", "### Keys")) == keys
    sections = re.split(r"^### ", DOCUMENTS["docs/drive.md"], flags=re.MULTILINE)
    for title, kind in (("Start", Step), ("Memory and symbols", Memory)):
        [said] = [each for each in sections if each.startswith(f"{title}\n")]
        named = {
            word for code in re.findall(r"```.*?```|`[^`]*`", said, re.DOTALL) for word in re.findall(r"\w+", code)
        }
        assert {each.name for each in msgspec.structs.fields(kind)} <= named


def test_code_for_tests_runs(capsys: pytest.CaptureFixture[str]) -> None:
    example, *others = blocks("python", "docs/pytest.md")
    assert example == (ROOT / "examples" / "oracle" / "test_allocator.py").read_text(encoding="utf-8")
    for code in others:
        exec(code, {})
    assert "frame 3 is already allocated" in capsys.readouterr().out


# The example of the reference as an oracle


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (None, "1 passed"),
        ("HANDS_OUT_TWICE", "state.allocate_frame()"),
        ("FORGETS_TO_MERGE", "AssertionError: refused, although a block is large enough"),
    ],
)
def test_the_allocator_runs_beside_the_reference(fault: str | None, found: str, tmp_path: Path) -> None:
    test = ROOT / "examples" / "oracle" / "test_allocator.py"
    # In CI Hypothesis makes the same choices in every run.
    told = {"CI": "true", "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path)}
    flags = told | {"CFLAGS": "" if fault is None else f"-D{fault}"}
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", str(test)]
    ran = subprocess.run(run, env=os.environ | flags, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == (0 if fault is None else 1), ran.stdout
    assert found in ran.stdout


# How to contribute


def test_the_clause_of_the_worked_example_is_proved_as_is_said() -> None:
    clause_shown, proof_shown = blocks("python", "CONTRIBUTING.md")
    names = dict(vars(law))
    exec(clause_shown, names)
    added = names["frames_in_use_are_reached"]
    with_it = dataclasses.replace(bitmap.LAW, invariants=(*bitmap.LAW.invariants, added))
    owed = [each for each in law_obligations.obligations(with_it) if each.name.endswith("frames-in-use-are-reached")]
    needed = [each for each in vacuity.load_bearing(with_it) if "frames-in-use-are-reached" in each.name]
    assert {"bitmap.initially.frames-in-use-are-reached", "bitmap.allocate.keeps-frames-in-use-are-reached"} <= {
        each.name for each in owed
    }
    assert len(owed) > len(bitmap.LAW.operations)  # of the start, and of each operation
    assert needed
    assert {discharge(each).verdict for each in (*owed, *needed)} == {"proved"}
    as_theorem = law_obligations.theorem(bitmap.LAW, added)
    assert (as_theorem.name, discharge(as_theorem).verdict) == ("bitmap.frames-in-use-are-reached", "refuted")
    names = dict(vars(bitmap))
    exec(proof_shown, names)
    assert discharge(names["free_moves_one_bit"]).verdict == "proved"


# What is named


def test_every_operation_that_is_checked_has_a_row_and_no_other() -> None:
    assert sorted(named_in(rows("docs/trace.md", "### Operations"))) == sorted(OPERATIONS)


def test_every_folder_of_the_code_has_a_line() -> None:
    """But a component's: `proofs/components/` says what is in each of these."""
    found = [path.parent.relative_to(ROOT) for wing in WINGS[:4] for path in ROOT.glob(f"{wing}/**/__init__.py")]
    folders = [f"`{each.as_posix()}/`" for each in found if each.parent.as_posix() != "proofs/components"]
    assert len(folders) > 15
    assert [each for each in folders if each not in DOCUMENTS["ARCHITECTURE.md"]] == []


def test_every_part_of_a_component_has_a_row_and_no_other() -> None:
    table = DOCUMENTS["ARCHITECTURE.md"].split("| component | part |")[1].split("\n\n")[0]
    cells = re.findall(r"^\|.*?\| (`.*?) \|", table, re.MULTILINE)
    assert sorted(named_in(cells)) == sorted(part for of, parts in PARTS.items() for part in parts if part != of)


def test_every_key_of_a_geometry_has_a_row_and_no_other() -> None:
    text = DOCUMENTS["docs/geometry.md"]
    keys = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert sorted(keys) == sorted(field.name for field in dataclasses.fields(Geometry))
    assert set(re.findall(r"`(x64-\w+)`", text)) == set(PRESETS)


def test_every_option_is_described_and_no_other() -> None:
    there_are = {*options(cli.parser())} - {"--help", "--version"}
    text = DOCUMENTS["docs/trace.md"]
    assert there_are - {*re.findall(r"`(--[a-z0-9-]+)", text)} == set()
    for name, other in DOCUMENTS.items():
        named = [
            each
            for line in re.findall(r"memoracle [a-z].*", other)
            for each in re.findall(r"(?<!\S)--[a-z0-9-]+", line)
        ]
        assert [each for each in named if each not in there_are] == [], name


def test_every_name_of_the_library_is_described_and_no_other() -> None:
    names = named_in(rows("docs/pytest.md", "# The reference in your own tests"))
    assert sorted(names) == sorted(memoracle.__all__)


def test_every_component_has_its_theorems_and_no_other() -> None:
    assert sorted(named_in(rows("docs/proofs.md", "## What is proved"))) == sorted(registry.COMPONENTS)


def test_every_rule_and_proof_named_is_there() -> None:
    known = {*Index().names}
    for document, text in DOCUMENTS.items():
        if document == "CONTRIBUTING.md":  # it shows how there come to be more
            continue
        named = re.findall(rf"[`\[]((?:{'|'.join(registry.COMPONENTS)})\.[a-z_.-]+[a-z])[`\]]", text)
        assert [name for name in named if name not in known and f".{name}" not in known] == [], document


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_named_exists(document: str) -> None:
    named = re.findall(rf"`((?:{'|'.join(WINGS)})/[\w*./-]*)`", DOCUMENTS[document])
    assert [name for name in named if "NAME" not in name and not list(ROOT.glob(name.rstrip("/")))] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", DOCUMENTS[document]):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, link


def test_there_is_a_way_from_readme_to_every_document() -> None:
    reached = set(re.findall(r"\]\(((?:docs/)?\w+\.md)", DOCUMENTS["README.md"]))
    assert reached == DOCUMENTS.keys() - {"README.md"}


def test_readme_has_the_score_that_is_kept() -> None:
    """The pages of `prove` show it, too."""
    kept = tomllib.loads((ROOT / "proofs" / "mutation" / "scores.toml").read_text(encoding="utf-8"))
    columns = ["faults", "by_proof", "by_run", "fails_to_run", "equivalent", "unknown", "survived", "not_tried"]
    told = {name: [f"{score[each]:,}" for each in columns] for name, score in kept.items()}
    shown = re.findall(r"^\| `(\w+)` ((?:\| [\d,]+ ){8})\|$", DOCUMENTS["README.md"], re.MULTILINE)
    assert {name: re.findall(r"[\d,]+", row) for name, row in shown} == told
    assert all(score["commit"] in DOCUMENTS["README.md"] for score in kept.values())
