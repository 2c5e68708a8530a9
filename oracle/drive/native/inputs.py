"""What the names of an expression stand for in one call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from memoracle.drive.native.functions import Variables
from memoracle.drive.native.remembered import OLD, Remembered
from memoracle.trace.inputs import InputError
from memoracle.trace.memory_types import NUMBERS
from memoracle.trace.operations import CACHE, UNSAID, ZONE
from memoracle.trace.quoting import quoted


class Inputs:
    """The values of some names, in their order, for one call after another."""

    def __init__(
        self,
        names: Collection[str],
        keys: Mapping[str, str],
        defaults: Mapping[str, Any],
        remembered: Remembered | None,
        zones: Mapping[str, int],
        variables: Variables,
        fault: Callable[[str, str], InputError],
    ) -> None:
        """keys: the event's argument, by name in an expression.  defaults: of those that it leaves out.

        zones: the numbers of zones.  fault: makes one of what the binding says.

        Names that are neither an argument's nor a variable's are those of what is remembered.
        """
        self.keys = [(keys[name], defaults.get(keys[name])) for name in names if name in keys]
        self.zone = next((place for place, (key, _) in enumerate(self.keys) if key == ZONE), None)
        self.cache = next((place for place, (key, _) in enumerate(self.keys) if key == CACHE), None)
        self.zones, self.remembered, self.variables, self.fault = zones, remembered, variables, fault
        self.read = [name for name in names if name not in keys and name in variables.names]
        self.old = [name.removeprefix(OLD) for name in names if name not in keys and name not in variables.names]
        others = [name for name in names if name not in keys]
        self.names = [name for name in names if name in keys] + [n for n in others if n not in self.read] + self.read

    @property
    def is_special(self) -> bool:
        """Whether there is more to it than the arguments of the event."""
        return self.zone is not None or self.cache is not None or bool(self.old or self.read)

    def __call__(self, arguments: Mapping[str, Any]) -> list[Any]:
        found = [arguments.get(key, default) for key, default in self.keys]
        if self.zone is not None:
            found[self.zone] = self._number(found[self.zone])
        if self.cache is not None and isinstance(found[self.cache], str):
            found[self.cache] = NUMBERS[found[self.cache]]
        if self.old and self.remembered is not None:
            block = self.remembered.of(arguments)
            found += [
                self._number(block.get(key)) if key == ZONE else block.get(key, UNSAID.get(key, 0)) for key in self.old
            ]
        if self.read:
            found += map(self.variables.read, self.read)
        return found

    def _number(self, zone: Any) -> int:
        if isinstance(zone, str) and zone in self.zones:
            return self.zones[zone]
        if zone is None:
            raise self.fault("zones", "a call names no zone; `defaults = {zone = ...}` says which is meant")
        raise self.fault("zones", f"{quoted(str(zone))} has no number")
