"""Which of the memory maps of a text is meant."""

from __future__ import annotations

from collections.abc import Sequence

from memoracle.logs.map_forms.linux import Linux, is_firmware
from memoracle.logs.memory_maps import NO_MAP, MemoryMap
from memoracle.trace.inputs import InputError

SHOWN = 8  # maps that a message lists


def chosen(path: str, maps: Sequence[MemoryMap], boot: int | None = None, name: str | None = None) -> MemoryMap:
    """The first map of this name of this boot; where nothing is asked for, the first that is the firmware's own.

    path is for messages. NO_MAP where a text has none. Raises InputError for a boot or a name that it has not,
    and for a map that cannot be believed.
    """
    found = asked_for(path, maps, boot, name)
    return believed(path, next((each for each in found if from_firmware(each)), found[0]))


def of_kernel(path: str, maps: Sequence[MemoryMap], boot: int | None = None, name: str | None = None) -> MemoryMap:
    """The map that the kernel of a boot ran with: the last that Linux printed, where it printed any."""
    first = chosen(path, maps, boot, name)
    found = asked_for(path, maps, boot, name)
    return [first, *(each for each in found if each.boot == first.boot and each.form == Linux.name)][-1]


def from_firmware(memory_map: MemoryMap) -> bool:
    """Whether a map is the firmware's own, as Linux prints it."""
    return memory_map.form == Linux.name and is_firmware(memory_map.label)


def believed(path: str, memory_map: MemoryMap) -> MemoryMap:
    """The same map; raises InputError for one that cannot be believed."""
    if memory_map.flaw is not None:
        raise InputError(path, memory_map.line, f"{memory_map.form} map: {memory_map.flaw}")
    return memory_map


def asked_for(path: str, maps: Sequence[MemoryMap], boot: int | None, name: str | None) -> Sequence[MemoryMap]:
    """The maps that a user may mean, at least one; raises InputError."""
    if not maps and boot is None and name is None:
        return [NO_MAP]
    of_boot = [each for each in maps if boot in (None, each.boot)]
    found = [each for each in of_boot if name is None or each.name == name.lower()]
    if not found:
        asked = " and ".join([f"--boot {boot}"] * (boot is not None) + [f"--map {name}"] * (name is not None))
        raise InputError(path, None, f"no memory map fits {asked}: {listed(maps)}")
    return found


def listed(maps: Sequence[MemoryMap]) -> str:
    """The maps of a text in one line."""
    if not maps:
        return "it has none"
    words = [f"{each.name} of boot {each.boot} (line {each.line})" for each in maps[:SHOWN]]
    return "it has " + ", ".join(words) + (f" and {len(maps) - SHOWN:,} more" if len(maps) > SHOWN else "")
