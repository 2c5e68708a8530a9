"""Imports run one way: from wing to wing, and between the folders of a wing."""

from __future__ import annotations

import ast
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WINGS = {"memoracle.spec": "spec", "memoracle.impl": "impl", "memoracle.proofs": "proofs", "memoracle": "oracle"}
MAY_IMPORT = {"spec": {"spec"}, "impl": {"impl"}, "proofs": {"spec", "impl", "proofs"}, "oracle": {*WINGS.values()}}


def named(module: str) -> Path | None:
    """The file of a module of this project."""
    package, wing = next(each for each in WINGS.items() if f"{module}.".startswith(f"{each[0]}."))
    path = ROOT / wing / module.removeprefix(package).replace(".", "/").lstrip("/")
    return next((each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file()), None)


def imported(path: Path) -> set[Path]:
    """The files of this project that a file imports: a name from a package may be a module of it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules: list[tuple[str, ...]] = []
        if isinstance(node, ast.Import):
            modules = [(each.name,) for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [(f"{node.module}.{each.name}", node.module) for each in node.names]
        for names in modules:
            files = [named(each) for each in names if f"{each}.".startswith("memoracle.")]
            found |= {*[each for each in files if each is not None][:1]}
    return found


@pytest.fixture(scope="module")
def imports() -> dict[Path, set[Path]]:
    return {path: imported(path) for wing in WINGS.values() for path in (ROOT / wing).rglob("*.py")}


def wing_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def test_wings_import_as_the_arrows_run(imports: dict[Path, set[Path]]) -> None:
    assert len(imports) > 300
    wrong = [
        (path, to) for path, each in imports.items() for to in each if wing_of(to) not in MAY_IMPORT[wing_of(path)]
    ]
    assert wrong == []


def test_no_circle_of_folders(imports: dict[Path, set[Path]]) -> None:
    """A wing's own folder ties the others together; what they all use may stand there, too."""
    arrows: dict[Path, set[Path]] = defaultdict(set)
    roots = {ROOT / wing for wing in WINGS.values()}
    for path, each in imports.items():
        arrows[path.parent] |= {to.parent for to in each if to.name != "__init__.py"} - {path.parent} - roots
    try:
        order = list(TopologicalSorter(arrows).static_order())
    except CycleError as circle:
        pytest.fail(f"a circle: {circle.args[1]}")
    assert len(order) > 30


def test_no_folder_is_too_flat(imports: dict[Path, set[Path]]) -> None:
    count: dict[Path, int] = defaultdict(int)
    for path in imports:
        count[path.parent] += 1
    assert {folder: files for folder, files in count.items() if files > 40} == {}
