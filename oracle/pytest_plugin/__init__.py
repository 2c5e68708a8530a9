"""The plugin of pytest: a conformance suite of whatever `[tool.memoracle]` of a pyproject.toml, or a class, names.

It is loaded in every run of pytest where the package is installed: nothing else is imported before it is needed.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from pathlib import Path
    from types import ModuleType

    from memoracle.pytest_plugin.settings import Settings

SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()  # of the project, if its pyproject.toml has any
SUITES: pytest.StashKey[list[str]] = pytest.StashKey()  # what is said of each class that is a suite
FILE, NAME = "pyproject.toml", b"memoracle"
CLAIM = "memoracle_claim"  # the argument of the test that a Conformance has


class Plainly:
    """Finds this package's modules before pytest does, which would rewrite the asserts of all that a plugin's
    distribution has: they are no tests, and to rewrite them takes longer than to load them.
    """

    PACKAGE = f"{__name__.partition('.')[0]}."

    @classmethod
    def find_spec(cls, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, path, target) if name.startswith(cls.PACKAGE) else None


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before the first conftest.py is loaded, which may import the package."""
    if Plainly not in sys.meta_path:
        sys.meta_path.insert(0, Plainly)
        early_config.add_cleanup(lambda: sys.meta_path.remove(Plainly))


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("memoracle")
    words = "of the choice of calls (default: what the suite says, or 1)"
    group.addoption("--memoracle-seed", metavar="S", type=positive, help=words)
    words = "how many calls are made of each target (default: what the suite says, or 10000)"
    group.addoption("--memoracle-ops", metavar="N", type=positive, help=words)


def positive(text: str) -> int:
    from memoracle.console.options import positive as read

    return read(text)


def pytest_configure(config: pytest.Config) -> None:
    path = config.rootpath / FILE
    try:
        is_named = NAME in path.read_bytes()
    except OSError:
        return
    if is_named:
        from memoracle.pytest_plugin import collection

        collection.configure(config, path)


def pytest_report_header(config: pytest.Config) -> list[str]:
    if SETTINGS not in config.stash:
        return []
    from memoracle.pytest_plugin import collection

    return collection.header(config)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    return config.stash.get(SUITES, [])


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if SETTINGS not in parent.config.stash or file_path != parent.config.rootpath / FILE:
        return None
    from memoracle.pytest_plugin import collection

    return collection.collector(file_path, parent)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if CLAIM in metafunc.fixturenames:
        from memoracle.pytest_plugin import collection

        collection.parametrize(metafunc)
