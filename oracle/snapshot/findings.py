"""What is found in a snapshot where it breaks a rule, and how much of it is kept."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from memoracle.console.counted import counted
from memoracle.diagnostics.warned import Warned
from memoracle.spec.clauses import Clause

MOST_KEPT = 200  # of the findings about one rule, and of other lists: a damaged dump may break a rule in each entry


class Rule(NamedTuple):
    """A rule that the law does not have. source: who states it."""

    name: str
    says: str
    source: str


ONE_MEMORY_TYPE = Rule(
    "snapshot.one-memory-type",
    "two mappings of one frame have the same memory type",
    "Intel SDM volume 3, 12.12.4 (11.12.4 in older editions)",
)

# The law is about processors with EFER.NXE set (see memoracle.spec.pte).
NO_EXECUTE_DISABLE = Rule(
    "snapshot.execute-disable-is-reserved",
    "bit 63 of an entry that is present is 0 where EFER.NXE is 0",
    "Intel SDM volume 3, 4.5",
)


class Entry(NamedTuple):
    """An entry of a table. space: its number.  virtual: the first address that it maps.  address: its own, physical."""

    space: int
    virtual: int
    level: int
    address: int
    value: int


class Line(NamedTuple):
    """What a text says of an address. level: None where it does not say.  line: None if none says it."""

    space: int
    virtual: int
    level: int | None
    file: str
    line: int | None


class Finding(NamedTuple):
    """One breach of a clause of the law, or of a rule beyond it."""

    place: Entry | Line
    rule: Clause | Rule
    message: str
    legal: str


class Findings:
    """All that is found; of each rule the first so many findings are kept, and all are counted."""

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        self.counts: Counter[str] = Counter()
        self.warnings: list[Warned] = []

    def warn(self, words: str) -> None:
        """Of what is worth knowing of the machine, wherever it is told."""
        self.warnings.append(Warned(None, None, words))

    def counts_only(self, rule: Clause | Rule) -> bool:
        """Whether enough is kept about a rule; then one more finding is counted, and need not be put into words."""
        enough = self.counts[rule.name] >= MOST_KEPT
        self.counts[rule.name] += enough
        return enough

    def add(self, place: Entry | Line, rule: Clause | Rule, message: str, legal: str) -> None:
        if not self.counts_only(rule):
            self.counts[rule.name] += 1
            self.kept.append(Finding(place, rule, message, legal))

    @property
    def total(self) -> int:
        return self.counts.total()

    @property
    def more(self) -> list[Warned]:
        """What is said of rules that were broken more often than is kept."""
        return [
            Warned(None, None, f"{counted(count, 'divergence')} of {name}: the first {MOST_KEPT} are shown")
            for name, count in self.counts.items()
            if count > MOST_KEPT
        ]


def hexadecimal(value: int | None) -> str | None:
    return None if value is None else f"{value:#x}"
