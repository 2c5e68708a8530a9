"""What is due of the call that failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

RETURNS, SUCCEEDS, REFUSES, HOLDS = "returns", "succeeds", "refuses", "holds"


@dataclass(frozen=True)
class Due:
    """kind: the last call returns at all; succeeds; is refused; or, if it succeeds, the conditions hold.

    conditions: expressions of the variables of a run.  may_refuse: of HOLDS, whether a refusal is right, too.
    says: the clause in words.  answer: of HOLDS, the only one that is legal; None where the conditions are of places.
    given: conditions of what the calls before gave, without which nothing is due.
    """

    kind: str
    says: str
    conditions: tuple[str, ...] = ()
    may_refuse: bool = True
    answer: Any = None
    given: tuple[str, ...] = ()

    @property
    def is_of_places(self) -> bool:
        return self.kind == HOLDS and self.answer is None

    @property
    def must(self) -> str:
        """What a test says where it fails."""
        if self.kind == SUCCEEDS:
            return f"it must succeed: {self.says}"
        return f"{'it must be refused: ' if self.kind == REFUSES else ''}the law asks that {self.says}"
