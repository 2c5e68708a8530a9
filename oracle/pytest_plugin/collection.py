"""Where the tests come from: a pyproject.toml is a file of tests, and a class that is a Conformance has some, too."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from memoracle.library.conformance import Conformance
from memoracle.pytest_plugin import CLAIM, SETTINGS, SUITES
from memoracle.pytest_plugin.claims import Claim, claims
from memoracle.pytest_plugin.driving import Driving
from memoracle.pytest_plugin.settings import Settings, Suite, read_settings, settings_from
from memoracle.pytest_plugin.targets import geometry_of, operations_of
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace.inputs import InputError

TEST = "test_memoracle"


def configure(config: pytest.Config, path: Path) -> None:
    """Reads what a pyproject.toml says; its tests are among those of a run that names no files."""
    try:
        settings = read_settings(path)
    except InputError as fault:
        raise pytest.UsageError(str(fault)) from None
    if settings is None:
        return
    config.stash[SETTINGS] = settings
    if config.args_source == pytest.Config.ArgsSource.TESTPATHS and str(path) not in config.args:
        config.args.append(str(path))


def header(config: pytest.Config) -> list[str]:
    settings = asked_for(config, config.stash[SETTINGS])
    target = settings.target or settings.binding
    return [f"memoracle: {f'{target}, ' if target else ''}{settings.said()}"]


def asked_for(config: pytest.Config, settings: Settings) -> Settings:
    """The settings, of which options replace some."""
    options = {"seed": config.getoption("memoracle_seed"), "ops": config.getoption("memoracle_ops")}
    return msgspec.structs.replace(settings, **{key: each for key, each in options.items() if each is not None})


def cases_of(suite: Suite) -> Iterator[tuple[str, str, Claim]]:
    """The group of each test, its name, and its claim; raises InputError and GeometryError."""
    geometries: Iterable[str | None] = suite.settings.geometries or [None]
    for name in geometries:
        operations = operations_of(suite, name)
        if not operations:
            raise InputError(suite.target, None, "it has no operation of a trace")
        driving, before = Driving(suite, name), f"{name.removesuffix('.toml')}-" if name else ""
        for claim in claims(driving, operations, geometry_of(suite, name)):
            yield f"{suite.name}-{before}", f"{before}{claim.name}", claim


def groups(config: pytest.Config, group: str) -> list[pytest.MarkDecorator]:
    """Marks that have pytest-xdist run the tests of one target in one process, where it may (--dist loadgroup)."""
    return [pytest.mark.xdist_group(name=group)] if config.pluginmanager.hasplugin("xdist") else []


def collector(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The file, if it says what is tested."""
    settings = parent.config.stash[SETTINGS]
    if settings.binding is None and settings.target is None:
        return None
    return Configured.from_parent(parent, path=path)


class Configured(pytest.File):
    """The tests of a pyproject.toml."""

    def collect(self) -> Iterator[pytest.Item]:
        settings = asked_for(self.config, self.config.stash[SETTINGS])
        suite = Suite(self.path.name, self.path.parent, settings)
        try:
            for group, name, claim in cases_of(suite):
                item = ConfiguredTest.from_parent(self, name=f"{TEST}[{name}]", claim=claim)
                for mark in groups(self.config, group):
                    item.add_marker(mark)
                yield item
        except (InputError, GeometryError) as fault:
            raise self.CollectError(str(fault)) from None


class ConfiguredTest(pytest.Item):
    def __init__(self, *, claim: Claim, **given: Any) -> None:
        super().__init__(**given)
        self.claim = claim

    def runtest(self) -> None:
        self.claim.judge()

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name


def parametrize(metafunc: pytest.Metafunc) -> None:
    """The tests of a class that is a Conformance."""
    owner = metafunc.cls
    if owner is None or not issubclass(owner, Conformance):
        return
    try:
        suite = suite_of(metafunc.config, owner)
        tests = [*cases_of(suite)]
    except (InputError, GeometryError) as fault:
        raise pytest.Collector.CollectError(str(fault)) from None
    metafunc.config.stash.setdefault(SUITES, []).append(f"memoracle: {suite.name}, {suite.settings.said()}")
    given = [pytest.param(claim.judge, id=name, marks=groups(metafunc.config, group)) for group, name, claim in tests]
    metafunc.parametrize(CLAIM, given)


def suite_of(config: pytest.Config, owner: type[Conformance]) -> Suite:
    """What a class says; how much is asked may stand in the pyproject.toml instead. Raises InputError."""
    file = Path(inspect.getfile(owner))
    name = f"{file.stem}.{owner.__qualname__}"
    common = msgspec.structs.asdict(config.stash.get(SETTINGS, Settings())) | {"binding": None, "target": None}
    stated = {key: value for key in Settings.__struct_fields__ if (value := getattr(owner, key, None)) is not None}
    made = stated.pop("target", None)
    if isinstance(made, str):
        stated["target"], made = made, None
    suite = Suite(name, file.parent, asked_for(config, settings_from(name, common | stated)), made)
    if not suite.names_a_target:
        raise InputError(name, None, "neither binding nor target says what is tested")
    return suite
