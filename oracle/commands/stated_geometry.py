"""The geometry that a trace states, which may make no reader take much memory."""

from __future__ import annotations

from memoracle.replay.common.host_memory import refuse_more_than_a_trace_may
from memoracle.replay.frames.known_frames import memory_of_a_frame
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import GeometryError
from memoracle.trace.decoding import Header
from memoracle.trace.formats import geometry_of
from memoracle.trace.inputs import InputError


def stated_geometry(path: str, header: Header, number: int = 1) -> Geometry:
    """What the header in the line of this number states, or the default; raises InputError."""
    geometry = geometry_of(path, header, number)
    try:
        refuse_more_than_a_trace_may(geometry, memory_of_a_frame(geometry))
    except GeometryError as fault:
        raise InputError(path, number, f"geometry: {fault}") from None
    return geometry
