"""The sizes of a machine: how many frames and pages there are, and where. Nothing else hard-wires a size.

One that no x64 machine could have is refused with the name of the field that is at fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from reprlib import repr as shortened
from typing import Final

from memoracle.spec.geometry_keys import (
    CHECKED,
    NATURAL,
    Keys,
    Piece,
    Range,
)
from memoracle.spec.geometry_limits import refuse_impossible, require


@dataclass(frozen=True)
class Geometry(Keys):
    """The sizes of one machine, which can be. Raises GeometryError."""

    def __post_init__(self) -> None:
        refuse_impossible(self)


DEFAULT: Final = "x64-2m"
PRESETS: Final = {
    "x64-2m": Geometry(
        page_size=1 << 21,
        frames=2048,
        kernel_image_frames=2,
        physical_address_bits=52,
        kernel_range=Range(0xFFFFFFFF00000000, 2048),
        kernel_reserved=(Piece(0, 2), Piece(2047, 1)),
        process_range=Range(0, 1 << 26),
        leaf_level=2,
        pat_register=0x0005040600010406,
        heap_classes=(8, 64, 256, 1024, 262144),
        frame_free=CHECKED,
        heap_alignment=NATURAL,
    ),
    "x64-4k": Geometry(
        page_size=1 << 12,
        frames=1 << 26,
        kernel_image_frames=1024,
        physical_address_bits=52,
        kernel_range=Range(0xFFFFFFFF00000000, 1 << 20),
        kernel_reserved=(Piece(0, 1024), Piece((1 << 20) - 512, 512)),
        process_range=Range(0, 1 << 35),
        leaf_level=1,
        pat_register=0x0005040600010406,
        heap_classes=(8, 64, 256, 1024),
        frame_free=CHECKED,
        heap_alignment=NATURAL,
    ),
}


def preset(name: str) -> Geometry:
    """The preset of this name; raises GeometryError."""
    require(name in PRESETS, "preset", f"{shortened(name)} is none of {', '.join(PRESETS)}")
    return PRESETS[name]
