"""The reference's frames as a target: single ones, runs, or the blocks of a buddy system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from memoracle.cover.frames import ALLOCATE, FREE, FREE_COUNT, IS_FREE, RESERVE, count_of, is_all
from memoracle.drive.target import Answer
from memoracle.impl.bitmap import Bitmap
from memoracle.impl.buddy import Buddy
from memoracle.impl.runs import Runs
from memoracle.replay.frames.frame_requests import rounded
from memoracle.spec.geometry import Geometry
from memoracle.spec.geometry_keys import BUDDY, SINGLE, TRUSTING

REFUSED = Answer(error="refused")


def pieces(geometry: Geometry) -> Iterator[tuple[int, int, bool]]:
    """The stretches of frames that may be free, and that never are: the first, the one after the last, and which."""
    never = {frame for first, last in geometry.never_free_frames for frame in range(first, last)}
    frame = 0
    while frame < geometry.frames:
        kind, first = frame in never, frame
        while frame < geometry.frames and (frame in never) == kind:
            frame += 1
        yield first, frame, not kind


class SingleFrames:
    """Frames one at a time, the lowest first."""

    operations: Mapping[str, frozenset[str]] = {
        ALLOCATE: frozenset(),
        FREE: frozenset({"address"}),
        IS_FREE: frozenset({"address"}),
        FREE_COUNT: frozenset(),
    }

    def __init__(self, geometry: Geometry) -> None:
        self.shift = geometry.page_shift
        self.bitmap = Bitmap(geometry.frames, geometry.never_free_frames, geometry.frame_free == TRUSTING)
        for first, last, is_usable in pieces(geometry):
            if is_usable:
                self.bitmap.add(first, last)

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        bitmap = self.bitmap
        if operation == ALLOCATE:
            return of_place(bitmap.allocate(), self.shift)
        if operation == FREE_COUNT:
            return Answer(bitmap.count())
        frame = arguments["address"] >> self.shift
        if not 0 <= frame < bitmap.frames:
            return REFUSED
        if operation == IS_FREE:
            return Answer(bitmap.is_free(frame))
        if is_inside(arguments["address"], self.shift):
            return REFUSED
        return Answer() if bitmap.free(frame) else REFUSED

    def choices(self, operation: str, arguments: Mapping[str, Any]) -> list[int] | None:
        """Every result that the law allows, where it allows more than one."""
        if operation != ALLOCATE:
            return None
        return [frame << self.shift for frame in range(self.bitmap.frames) if self.bitmap.is_free(frame)]

    def take(self, operation: str, arguments: Mapping[str, Any], result: int) -> bool:
        """Does what is called, with this result; False if the law allows no such result."""
        return self.bitmap.take(result >> self.shift)


class RunsOfFrames:
    """Any number of neighbouring frames, the lowest that fit."""

    def __init__(self, geometry: Geometry) -> None:
        self.shift = geometry.page_shift
        self.geometry, self.whole = geometry, geometry.frees_whole_runs
        self.runs = Runs(geometry.frames)
        self.given: dict[int, int] = {}
        for first, last, is_usable in pieces(geometry):
            (self.runs.add if is_usable else self.runs.add_never_free)(first, last - first)
        run = frozenset({"address", "count"})
        self.operations: Mapping[str, frozenset[str]] = {
            ALLOCATE: frozenset({"count"}),
            FREE: run,
            RESERVE: run,
            IS_FREE: frozenset({"address"}),
            FREE_COUNT: frozenset(),
        }

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        runs, count = self.runs, count_of(arguments)
        if operation == FREE_COUNT:
            return Answer(runs.count())
        if operation == ALLOCATE:
            first = runs.allocate(count, 1, 0, runs.places)
            if first is not None:
                self.given[first] = count
            return of_place(first, self.shift)
        first = arguments["address"] >> self.shift
        if operation == IS_FREE:
            return Answer(runs.is_free(first)) if 0 <= first < runs.places else REFUSED
        if is_inside(arguments["address"], self.shift):
            return REFUSED
        if operation == RESERVE:
            return Answer() if self._reserve(first, count) else REFUSED
        if is_all(operation, arguments, self.geometry):
            count = self.given.get(first, 0)
        return Answer() if self._free(first, count) else REFUSED

    def _reserve(self, first: int, count: int) -> bool:
        if not self.runs.reserve(first, count):
            return False
        self.given[first] = count
        return True

    def _free(self, first: int, count: int) -> bool:
        if self.whole and (count < 1 or self.given.get(first) != count):
            return False
        if not self.runs.free(first, count):
            return False
        self.given.pop(first, None)
        return True

    def choices(self, operation: str, arguments: Mapping[str, Any]) -> list[int] | None:
        if operation != ALLOCATE:
            return None
        count = count_of(arguments)
        found = list[int]()
        for first in range(self.runs.places):
            if self.runs.reserve(first, count):
                self.runs.free(first, count)
                found.append(first << self.shift)
        return found

    def take(self, operation: str, arguments: Mapping[str, Any], result: int) -> bool:
        return self._reserve(result >> self.shift, count_of(arguments))


class BlocksOfFrames:
    """Aligned blocks of a power of two frames, of the smallest free block that holds them."""

    operations: Mapping[str, frozenset[str]] = {
        ALLOCATE: frozenset({"order"}),
        FREE: frozenset({"address", "order"}),
        IS_FREE: frozenset({"address"}),
        FREE_COUNT: frozenset(),
    }

    def __init__(self, geometry: Geometry) -> None:
        self.geometry, self.shift, self.frames = geometry, geometry.page_shift, geometry.frames
        depth = (geometry.frames - 1).bit_length()
        most = geometry.frame_max_order
        self.buddy = Buddy(depth, depth if most is None else min(most, depth), False)
        for first, last, is_usable in pieces(geometry):
            if is_usable:
                self.buddy.add(first, last - first)

    def call(self, operation: str, arguments: Mapping[str, Any]) -> Answer:
        buddy = self.buddy
        if operation == FREE_COUNT:
            return Answer(len(self._free_frames()))
        if operation == ALLOCATE:
            return of_place(buddy.allocate(count_of(arguments)), self.shift)
        first = arguments["address"] >> self.shift
        if not 0 <= first < self.frames:
            return REFUSED
        if operation == IS_FREE:
            return Answer(first in self._free_frames())
        if is_inside(arguments["address"], self.shift):
            return REFUSED
        count = count_of(arguments)
        if is_all(operation, arguments, self.geometry):
            count = buddy.size(first)
        return Answer() if buddy.free(first, count) else REFUSED

    def _free_frames(self) -> set[int]:
        return {
            frame for first, count, taken in self.buddy.blocks() if not taken for frame in range(first, first + count)
        }

    def choices(self, operation: str, arguments: Mapping[str, Any]) -> list[int] | None:
        if operation != ALLOCATE:
            return None
        return [first << self.shift for first in free_blocks(self.buddy, rounded(count_of(arguments)))]

    def take(self, operation: str, arguments: Mapping[str, Any], result: int) -> bool:
        return self.buddy.reserve(result >> self.shift, rounded(count_of(arguments)))


def free_blocks(buddy: Buddy, pages: int) -> list[int]:
    """The first page of every free, aligned block of so many pages: those that the reference would reserve."""
    found = list[int]()
    for page in range(0, 1 << buddy.depth, max(pages, 1)):
        if buddy.reserve(page, pages):
            buddy.free(page, pages)
            found.append(page)
    return found


def is_inside(address: int, shift: int) -> bool:
    """Whether no frame or page begins at an address."""
    return bool(address & (1 << shift) - 1)


def of_place(place: int | None, shift: int) -> Answer:
    return REFUSED if place is None else Answer(place << shift)


def frames_of(geometry: Geometry) -> SingleFrames | RunsOfFrames | BlocksOfFrames:
    """The frames of this geometry, all of which exist."""
    if geometry.frame_allocator == SINGLE:
        return SingleFrames(geometry)
    return BlocksOfFrames(geometry) if geometry.frame_allocator == BUDDY else RunsOfFrames(geometry)
