"""What a suite is about: `[tool.memoracle]` of a pyproject.toml, or the attributes of a class."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from memoracle.console.counted import counted
from memoracle.spec.geometry import PRESETS
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace.files import is_file
from memoracle.trace.geometry import read_toml
from memoracle.trace.inputs import InputError
from memoracle.trace.toml_lines import line_of, lines_of

TABLE = "tool.memoracle"
OPS = 10_000  # calls
Positive: TypeAlias = Annotated[int, Meta(ge=1, lt=sys.maxsize)]


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """binding, target: as `drive` has them.  geometries: presets, and files of geometries; the target's own if none.

    time: in seconds; with it there are as many calls as there is time for, unless ops says how many.
    misuse: whether there are calls that must be refused.  cover: whether every call is made in every state of a small
    target, instead of calls at random.
    """

    binding: str | None = None
    target: str | None = None
    geometries: tuple[str, ...] = ()
    level: Literal["safe", "legal", "exact"] = "legal"
    ops: Positive | None = None
    time: Positive | None = None
    seed: Positive = 1
    misuse: bool = True
    cover: bool = False

    def said(self) -> str:
        """How much is asked, in words."""
        if self.cover:
            most = [counted(self.ops, "call")] if self.ops else [counted(self.time, "second")] if self.time else []
            return ", ".join(["every state", *(f"at most {each}" for each in most), f"level {self.level}"])
        calls = counted(self.time, "second") if self.time and not self.ops else counted(self.ops or OPS, "call")
        return f"seed {self.seed}, {calls}, level {self.level}"


@dataclass(frozen=True)
class Suite:
    """What is tested. name: by which messages call it.  folder: where relative paths begin.

    made: a Python object, or what makes one, where that is the target.
    """

    name: str
    folder: Path
    settings: Settings
    made: object = None

    @property
    def names_a_target(self) -> bool:
        return self.made is not None or self.settings.target is not None or self.settings.binding is not None

    def arguments(self, geometry: str | None) -> list[str]:
        """The command line of `drive` that does the same."""
        says = self.settings
        options = {"level": says.level, "seed": says.seed, "time": says.time, "geometry": self.path(geometry)}
        options["ops"] = says.ops or (None if says.time or says.cover else OPS)
        if says.binding is not None and says.target is not None:
            options["binding"] = self.path(says.binding)
        given = [f"--{name}={value}" for name, value in options.items() if value is not None]
        flags = [*([] if says.misuse else ["--no-misuse"]), *(["--cover"] if says.cover else [])]
        return ["drive", "--quiet", *given, *flags, "--", self.target]

    @property
    def target(self) -> str:
        """As `drive` has it; if it is a file, with its folder."""
        says = self.settings
        if self.made is not None:
            return str(self.folder / self.name)
        if says.target is None:
            return str(self.folder / (says.binding or ""))
        path = self.folder / says.target
        if not is_file(path):
            return says.target
        is_command = says.binding is None and path.suffix != ".toml"
        return shlex.quote(str(path)) if is_command else str(path)

    def path(self, name: str | None) -> str | None:
        return name if name is None or name in PRESETS else str(self.folder / name)


def read_settings(path: Path) -> Settings | None:
    """What a pyproject.toml says, if it has the table; raises InputError, which names file, line and key."""
    try:
        text, whole = read_toml(str(path))
    except GeometryError as fault:
        raise InputError(str(path), None, fault.message) from None
    tool = whole.get("tool")
    stated = tool.get("memoracle") if isinstance(tool, dict) else None
    if stated is None:
        return None
    try:
        return msgspec.convert(stated, Settings)
    except msgspec.ValidationError as fault:
        name, message = fault_of(fault)
        key = f"{TABLE}.{name}".rstrip(".")
        raise InputError(str(path), line_of(lines_of(text), key), f"{key}: {message}") from None


def settings_from(name: str, attributes: Mapping[str, Any]) -> Settings:
    """What a class says; raises InputError. name: of the class."""
    try:
        return msgspec.convert(attributes, Settings)
    except msgspec.ValidationError as fault:
        key, message = fault_of(fault)
        raise InputError(name, None, f"{key}: {message}") from None


def fault_of(fault: msgspec.ValidationError) -> tuple[str, str]:
    """The key that is at fault, and what is wrong with it."""
    message, _, where = str(fault).partition(" - at `$")
    unknown = message.partition("unknown field `")[2].rstrip("`")
    known = ", ".join(Settings.__struct_fields__)
    if unknown:
        return unknown, f"unknown key; there are {known}"
    return where.strip("`.").replace("[...]", ""), message
