"""`memoracle.Conformance`: a class of tests that hold one target to the law."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal


class Conformance:
    """Make a subclass of it in a file of tests, and name what is tested: a binding, or a target.

    binding: the file, relative to that of the class.  target: a Python object whose methods are named as operations are
    (`frame_allocate`), or a class or function that makes one; or what `memoracle drive` takes.  geometries: names of
    presets and files; the target's own if none.  time: in seconds.  misuse: whether to make calls that must be refused.
    cover: whether every call is made in every state of a small target, instead of calls at random.
    What is None is as in `[tool.memoracle]` of the project's pyproject.toml, or what that has by default.
    """

    binding: ClassVar[str | None] = None
    target: ClassVar[Any] = None
    geometries: ClassVar[Sequence[str] | None] = None
    level: ClassVar[Literal["safe", "legal", "exact"] | None] = None
    ops: ClassVar[int | None] = None
    time: ClassVar[int | None] = None
    seed: ClassVar[int | None] = None
    misuse: ClassVar[bool | None] = None
    cover: ClassVar[bool | None] = None

    def test_memoracle(self, memoracle_claim: Callable[[], None]) -> None:
        """One of many tests: pytest's plugin makes the claims, each of which fails, or is skipped, as it is called."""
        memoracle_claim()
