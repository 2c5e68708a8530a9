"""`prove --geometry FILE.toml`, in words: what is proved for it, and what the reader's own kernel must do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from memoracle.console.counted import counted
from memoracle.console.exit_status import Status
from memoracle.proving.geometry import (
    CALLERS,
    Duty,
    Room,
    Said,
    duties,
    heap_table,
    machine,
    pat_table,
    rooms,
)
from memoracle.spec.geometry import Geometry
from memoracle.trace.quoting import escaped

if TYPE_CHECKING:
    from memoracle.proofs.obligations.discharge import Result

TABLES = {"pat": pat_table, "heap": heap_table}


@dataclass(frozen=True)
class GeometryReport:
    """name: of the geometry, as the user gave it.  unchecked: what a kernel must do, held to it by nothing."""

    name: str
    geometry: Geometry
    rooms: Sequence[Room]
    duties: Sequence[Duty]
    unchecked: str
    key: str = "geometry_report"

    @property
    def status(self) -> Status:
        return Status.HOLDS

    def document(self) -> dict[str, Any]:
        return {
            "geometry": self.name,
            "components": [self._component(each) for each in self.rooms],
            "duties": [
                {"op": each.op, "calls": sentences(each.calls), "answers": sentences(each.answers)}
                for each in self.duties
            ],
            "callers": sentences([CALLERS]),
            "unchecked": self.unchecked,
            "machine": machine(self.geometry),
        }

    def _component(self, room: Room) -> dict[str, Any]:
        return {
            "component": room.component,
            "keys": room.keys,
            "always": sentences(room.always),
            "theorems": sentences(room.theorems),
            "lemmas": room.lemmas,
            "own": sentences(room.own),
            "code": room.code,
            "table": self._table(room),
            "hazards": sentences(room.hazards),
            "not_proved": list(room.open),
        }

    def _table(self, room: Room) -> list[str]:
        return TABLES[room.component](self.geometry) if room.component in TABLES else []

    def tell(self, console: Console) -> None:
        console.print(Text(f"What is proved for {escaped(self.name)}", "bold"))
        for room in self.rooms:
            keys = ", ".join(f"{key} = {value}" for key, value in room.keys.items())
            console.print(Text(f"{room.component}: {keys}" if keys else room.component, "bold"))
            listed(console, "at the start and after every operation", room.always)
            listed(console, "of every size, so of this one", room.theorems)
            if room.lemmas:
                item(console, f"{counted(room.lemmas, 'lemma')} that these and the code's proofs need")
            listed(console, "of this geometry", room.own)
            for line in self._table(room):
                item(console, line)
            if room.code:
                item(console, f"{counted(room.code, 'claim')}: the code of the reference does what the law says")
            listed(console, "known to go wrong, since frees are trusted: it can fail that", room.hazards)
            for name in room.open:
                item(console, f"not proved: {name}", "bold red")
        self._tell_duties(console)

    def _tell_duties(self, console: Console) -> None:
        console.print(Text("What is left to your kernel", "bold"))
        say(
            console,
            "Nothing above is about its code. Record what it does, and hold that to the law (memoracle check, with "
            "this geometry), or have it called (memoracle drive). A call is refused where one of the rules on calls "
            "does not hold; and whatever it answers, the rules on answers hold.",
        )
        for duty in self.duties:
            listed(console, f"{duty.op}, calls", duty.calls)
            listed(console, f"{duty.op}, answers", duty.answers)
        say(
            console,
            "Callers keep frames from being both free and mapped, and no call that breaks this contract is refused: "
            f"{CALLERS.says} [{CALLERS.name}].",
        )
        say(console, f"Nothing checks of {self.unchecked}.")
        say(console, "The machine, and each of its processors, is as the geometry says:")
        for key, value in machine(self.geometry).items():
            item(console, f"{key} = {value}")
        say(console, "What else all this rests on stands under Trusted.")


def sentences(said: Sequence[Said]) -> list[dict[str, str]]:
    return [each._asdict() for each in said]


def listed(console: Console, title: str, said: Sequence[Said]) -> None:
    if said:
        say(console, f"{title}:")
    for each in said:
        item(console, f"{each.says} [{each.name}]")


def item(console: Console, line: str, style: str = "") -> None:
    console.print(Padding(Text(f"- {line}", style), (0, 0, 0, 4)))


def say(console: Console, line: str) -> None:
    console.print(Padding(Text(line), (0, 0, 0, 2)))


def report_of(name: str, geometry: Geometry, results: Sequence[Result]) -> GeometryReport:
    """What a run says of a geometry."""
    from memoracle.proofs.trust import OF_KERNELS

    return GeometryReport(name, geometry, rooms(geometry, results), duties(geometry), OF_KERNELS)
