"""Each stand-in is held against what it stands for by a randomised test; the list of them is computed."""

from __future__ import annotations

import ast
import importlib
from functools import cache
from pathlib import Path

import pytest

from memoracle.proofs import stand_ins as found
from memoracle.proofs.stand_ins import OPERATIONS, ROOT, said, stand_ins
from memoracle.proofs.trust import trusted

TESTS = Path(__file__).parent
QUEUE = """
class Queue:
    def append(self, item: int) -> None: ...

class Appends(Protocol):
    def append(self, item: int) -> None: ...

class Law: ...
"""


def names_of(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


@cache
def tried() -> set[str]:
    """What the modules of tests name that run their tests on random values, outside their imports."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in TESTS.rglob("test_*.py")]
    return {name for tree in trees if "given" in names_of(tree) for name in names_of(tree)}


def makers(file: str, name: str) -> set[str]:
    """The classes of a file that make, or inherit from, a stand-in of the same file."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {each.name for each in tree.body if isinstance(each, ast.ClassDef) and name in names_of(each)}


@pytest.mark.parametrize(("file", "name"), [(file, name) for file, names in stand_ins().items() for name in names])
def test_each_is_held_against_the_real_thing_by_a_randomised_test(file: str, name: str) -> None:
    assert {name, *makers(file, name)} & tried()


def test_the_list_is_computed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listed = {name for names in stand_ins().values() for name in names}
    assert {"Set", "Map", "Words", "Row", "Bag", "Records", "Halves", "Slabs", "LawfulPaging"} <= listed
    assert not listed & {"Advance", "Cutting", "Making", "Broadcast"}
    folder = tmp_path / "proofs" / "components"
    folder.mkdir(parents=True)
    (folder / "queue.py").write_text(QUEUE)
    (tmp_path / "impl").mkdir()
    (tmp_path / "impl" / "queue.py").write_text("def put(items, item):\n    items.append(item)\n")
    monkeypatch.setattr(found, "ROOT", tmp_path)
    monkeypatch.setattr(found, "PLACES", ("proofs/components",))
    for cached in (found.called, found.stand_ins):
        cached.cache_clear()
    try:
        assert stand_ins() == {"proofs/components/queue.py": ("Queue",)}
    finally:
        monkeypatch.undo()
        for cached in (found.called, found.stand_ins):
            cached.cache_clear()


def test_what_is_trusted_names_them() -> None:
    assert any(said() in line for line in trusted(contracts=False))


def is_container(methods: set[str]) -> bool:
    """Whether a class stands in for a container, which is false where it is empty; a component is never false."""
    return bool(methods & (OPERATIONS - {"__bool__", "__eq__"} | {"append", "items", "keys", "values"}))


@pytest.mark.parametrize(("file", "name"), [(file, name) for file, names in stand_ins().items() for name in names])
def test_whether_a_container_is_empty_is_known_or_not_asked(file: str, name: str) -> None:
    """Python itself would answer that it is not, so what code does with an empty one would not be run."""
    kind = getattr(importlib.import_module(f"memoracle.{file.removesuffix('.py').replace('/', '.')}"), name)
    methods = {each for one in kind.__mro__ if one is not object for each in vars(one)}
    assert not is_container(methods) or "__bool__" in methods
