"""Frames for the tables of a replay, of which a trace says nothing: there is always one more."""

from __future__ import annotations


class TableFrames:
    """Numbers from 1, and those given back first. They are those of no machine: which frames it took is not known."""

    def __init__(self) -> None:
        self.next = 1
        self.returned: list[int] = []

    def allocate(self) -> int:
        if self.returned:
            return self.returned.pop()
        self.next += 1
        return self.next - 1

    def free(self, frame: int) -> bool:
        self.returned.append(frame)
        return True
