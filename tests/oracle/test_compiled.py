"""Which modules run, where a wheel has them compiled, too. That both say the same: tests/test_compiled_wheel.py."""

from __future__ import annotations

import ast
import io
import os
import sys
import threading
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from memoracle import compiled, start
from memoracle.cli import main
from memoracle.compiled import VARIABLE, CompiledError, SourcesFirst
from memoracle.trace import inputs

ROOT = Path(__file__).parents[2]
COMPILED = "memoracle.a_compiled_module"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if what is installed had compiled modules, and none had been imported yet."""
    monkeypatch.setattr(compiled, "is_built", lambda: True)
    monkeypatch.setattr(compiled, "runs_sources", lambda: False)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv(VARIABLE)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a compiled module had been imported."""
    module = ModuleType(COMPILED)
    module.__loader__ = ExtensionFileLoader(COMPILED, "a_compiled_module.so")
    monkeypatch.setitem(sys.modules, COMPILED, module)


def test_sources_are_found_before_compiled_modules(tmp_path: Path) -> None:
    for name in ("both", "source"):
        (tmp_path / f"{name}.py").touch()
    compiled_file = tmp_path / f"both{EXTENSION_SUFFIXES[0]}"
    compiled_file.touch()
    for name in ("both", "source"):
        found = SourcesFirst.find_spec(f"memoracle.{name}", [str(tmp_path)])
        assert found is not None
        assert isinstance(found.loader, SourceFileLoader)
        assert found.origin == str(tmp_path / f"{name}.py")
    assert SourcesFirst.find_spec("memoracle.neither", [str(tmp_path)]) is None
    assert SourcesFirst.find_spec("other.both", [str(tmp_path)]) is None
    assert SourcesFirst.find_spec("memoracle", None) is None


@pytest.mark.usefixtures("built")
def test_sources_are_imported_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    compiled.begin()
    assert SourcesFirst not in sys.meta_path
    monkeypatch.delenv(VARIABLE)
    compiled.begin()
    compiled.begin()
    assert sys.meta_path.count(SourcesFirst) == 1
    assert sys.meta_path[0] is SourcesFirst


def chosen(*argv: str | Path) -> str | None:
    """What the environment says to processes that this one starts, once a command has chosen."""
    compiled.begin()
    start.choose_modules([*map(str, argv)])
    assert (SourcesFirst in sys.meta_path) == (os.environ.get(VARIABLE) != "1")
    return os.environ.pop(VARIABLE, None)


@pytest.mark.usefixtures("built")
def test_check_alone_runs_compiled_modules_and_not_on_operations_that_overlap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, overlapping = ROOT / "examples" / "first.jsonl", ROOT / "examples" / "overlapping.jsonl"
    assert chosen("check", "--quiet", plain) == "1"
    assert chosen("check", tmp_path / "missing", tmp_path) == "1"
    assert chosen("check", plain, overlapping) == "0"
    (tmp_path / "binary").write_bytes(b"\x7fELF")
    assert chosen("check", tmp_path / "binary") == "1"
    for argv in (["prove", "pat"], ["drive", "x.toml"], ["explain", "check"], ["--version"], []):
        assert chosen(*argv) == "0"
    monkeypatch.setenv(VARIABLE, "0")
    assert chosen("check", plain) == "0"
    monkeypatch.setattr(compiled, "runs_sources", lambda: True)
    assert chosen("check", plain) is None


class Asked(io.RawIOBase):
    """What comes from a pipe, a line at a time; nobody asks for more than was written."""

    def __init__(self, *lines: bytes) -> None:
        self.lines = [*lines]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        assert self.lines, "whoever writes waits for an answer"
        line = self.lines.pop(0)
        if len(line) > len(buffer):
            self.lines.insert(0, line[len(buffer) :])
        some = line[: len(buffer)]
        buffer[: len(some)] = some
        return len(some)


HEADER = b'{"memoracle": 1, "geometry": "x64-4k"}\n'
BOOT = b'{"op": "boot", "memory_map": []}\n'
COUNT = b'{"op": "frame.free_count", "result": 5}\n'
TIMED = b'{"op": "frame.free_count", "result": 5, "_cpu": 0, "_call": 1, "_return": 2}\n'


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("lines", "overlap"),
    [
        ((HEADER, COUNT), False),
        ((HEADER, BOOT, COUNT), False),
        ((HEADER, TIMED), True),
        ((HEADER, BOOT, TIMED), True),
        ((HEADER, b""), False),
        ((b"\x7fELF....", b""), False),
    ],
)
def test_of_a_pipe_no_more_is_read_than_tells_whether_operations_overlap_and_nothing_is_lost(
    lines: tuple[bytes, ...], overlap: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for word in ("-", "--quiet"):
        pipe = Asked(*lines)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(pipe)))
        assert chosen("check", word, "-") == ("0" if overlap else "1")
        pipe.lines += [TIMED, b""]
        assert inputs.BEGUN.pop("-").read() == b"".join([*lines, TIMED])


@pytest.mark.usefixtures("built")
def test_what_is_written_or_can_wait_is_not_read_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert chosen("check", "-") == "1"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Asked())))
    assert chosen("check", "missing", "--output", "-", "--emit-output", "-") == "1"
    first, second = tmp_path / "first", tmp_path / "second"
    for pipe in (first, second):
        os.mkfifo(pipe)
    writer = threading.Thread(target=first.write_bytes, args=(HEADER + TIMED,))
    writer.start()
    assert chosen("check", first, second) == "0"  # and nobody writes into the second
    writer.join()
    assert list(inputs.open_lines(str(first))) == [HEADER, TIMED]
    assert inputs.BEGUN == {}


@pytest.mark.usefixtures("built")
def test_a_file_that_is_standard_input_is_read_from_where_it_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trace").write_bytes(b"before\n" + HEADER + TIMED)
    with (tmp_path / "trace").open() as file:
        file.buffer.readline()
        monkeypatch.setattr(sys, "stdin", file)
        assert chosen("check", "-") == "0"
        assert list(inputs.open_lines("-")) == [HEADER, TIMED]
        assert inputs.BEGUN == {}


def test_no_generator_that_mypyc_makes_a_list_of_is_asked_for_its_next() -> None:
    """A list is none that `next` can be asked of; and what takes a few of many would wait for all."""
    takers = {"next", "islice", "takewhile"}
    files = [*(ROOT / "impl").glob("*.py"), *(ROOT / "oracle" / "replay").rglob("*.py")]
    assert len(files) > 90
    for file in files:
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            nodes = [*ast.walk(function)]
            named = [
                each for each in nodes if isinstance(each, ast.Assign) and isinstance(each.value, ast.GeneratorExp)
            ]
            lists = {target.id for each in named for target in each.targets if isinstance(target, ast.Name)}
            for call in nodes:
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in takers:
                    taken = call.args[0]
                    assert not (isinstance(taken, ast.Name) and taken.id in lists), (file, call.lineno)
                    assert call.func.id == "next" or not isinstance(taken, ast.GeneratorExp), (file, call.lineno)


def test_attributes_that_are_deleted_are_named_as_such() -> None:
    """mypyc compiles no class that deletes another."""
    deleted = 0
    for file in [*(ROOT / "impl").glob("*.py"), *(ROOT / "oracle" / "replay").rglob("*.py")]:
        for owner in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(owner, ast.ClassDef):
                continue
            gone = {each.attr for each in ast.walk(owner) if isinstance(each, ast.Attribute) and is_deleted(each)}
            named = [each.value for each in owner.body if isinstance(each, ast.Assign) and is_of_deletable(each)]
            assert gone == {name for each in named for name in ast.literal_eval(each)}, (file, owner.name)
            deleted += len(gone)
    assert deleted


def is_deleted(attribute: ast.Attribute) -> bool:
    return isinstance(attribute.ctx, ast.Del) and isinstance(attribute.value, ast.Name) and attribute.value.id == "self"


def is_of_deletable(assigned: ast.Assign) -> bool:
    return [ast.unparse(each) for each in assigned.targets] == ["__deletable__"]


def test_an_ordinary_wheel_has_nothing_to_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "is_built", lambda: False)
    monkeypatch.delenv(VARIABLE, raising=False)
    before = [*sys.meta_path]
    compiled.begin()
    for argv in (["check", str(ROOT / "examples" / "first.jsonl")], ["prove"]):
        start.choose_modules(argv)
    assert sys.meta_path == before
    assert VARIABLE not in os.environ


@pytest.mark.usefixtures("running")
def test_where_compiled_modules_run_nothing_is_proved(capsys: pytest.CaptureFixture[str]) -> None:
    assert compiled.loaded() == [COMPILED]
    assert main(["prove", "pat"]) == 2
    told = "memoracle: proofs, and which branches are taken, are about sources, and here compiled modules run: set"
    assert capsys.readouterr() == ("", f"{told} MEMORACLE_COMPILED=0 in the environment\n")


@pytest.mark.usefixtures("running")
def test_where_compiled_modules_run_operations_that_overlap_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(ROOT / "examples" / "overlapping.jsonl")]) == 2
    assert "operations that overlap are tried on copies of what replays them" in capsys.readouterr().err


@pytest.mark.usefixtures("running")
def test_the_library_says_so_too() -> None:
    import memoracle

    with pytest.raises(CompiledError, match="MEMORACLE_COMPILED=0"):
        memoracle.prove(["pat"])


def test_what_is_built_is_known_by_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "ALWAYS_COMPILED", str(tmp_path / "bitmap"))
    assert not compiled.is_built.__wrapped__()
    (tmp_path / f"bitmap{EXTENSION_SUFFIXES[0]}").touch()
    assert compiled.is_built.__wrapped__()
    module = ModuleType("memoracle.bitmap")
    module.__file__ = str(tmp_path / "bitmap.py")
    assert not compiled.runs_sources()
    monkeypatch.setitem(sys.modules, "memoracle.bitmap", module)
    assert compiled.runs_sources()
