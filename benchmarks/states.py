"""How long it takes to visit every state of a buddy system; the peer is Spin, on a model of the same in Promela.

Spin keeps whole states, without hash compaction, and makes no use of partial orders: both visit all that there is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from memoracle.proofs.counting import formulas
from memoracle.proofs.counting.buddy_census import census

DEPTH = 4  # of a buddy system of 16 pages: 458,330 states
TOOLS = ("spin", "gcc")  # Debian: the packages of these names
MODEL = "buddy.pml"
COMPILED = ("gcc", "-O2", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c")
RUN = ("./pan", "-m10000000", "-w22")  # the longest way, and the bits of a hash


class Disagreement(AssertionError):  # noqa: N818 (the counts disagree, nothing failed)
    """Two ways of counting the same states gave different numbers; then no time means anything."""


@dataclass(frozen=True)
class Visiting:
    """Seconds of the processor. states, transitions: what was counted.  seconds: of visiting, without compilation."""

    name: str
    states: int
    transitions: int
    seconds: float


def visiting(depth: int = DEPTH) -> Iterator[Visiting]:
    """Both visit a range of 2^depth pages, and Spin only where it is installed; raises Disagreement."""
    start = time.process_time()
    counted = census(depth)
    yield agreed(depth, Visiting("the reference", counted.states, counted.transitions, time.process_time() - start))
    if not missing():
        yield agreed(depth, by_spin(depth))


def missing() -> list[str]:
    """Which of the tools are not installed that the peer needs."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def agreed(depth: int, found: Visiting) -> Visiting:
    due = formulas.states(depth), formulas.transitions(depth)
    if (found.states, found.transitions) != due:
        raise Disagreement(f"{found.name}: {found.states:,} states, {found.transitions:,} transitions, not {due}")
    return found


def by_spin(depth: int) -> Visiting:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, MODEL).write_text(model(depth))
        for command in (("spin", "-a", MODEL), COMPILED):
            subprocess.run(command, cwd=folder, capture_output=True, check=True)
        before = os.times()
        said = subprocess.run(RUN, cwd=folder, capture_output=True, text=True, check=True).stdout
        after = os.times()
    states, transitions = (re.search(rf"(\d+) {what}", said) for what in ("states, stored", "transitions"))
    if "errors: 0" not in said or "too small" in said or states is None or transitions is None:
        raise Disagreement(f"Spin has not searched all:\n{said}")
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    return Visiting("Spin", int(states[1]), int(transitions[1]) - 1, seconds)  # it counts its own start, too


# The model


def model(depth: int) -> str:
    """In Promela: any allocation or free, for ever, as impl/buddy.py does them.

    Blocks are the nodes of a binary tree: the whole range is node 1, the halves of node n are nodes 2n and 2n + 1, and
    n ^ 1 is the buddy of n. Bit n - 1 of `free` and of `taken` is that of node n.
    """
    steps = [*(allocation(depth, order) for order in range(depth + 1)), *map(release, range(1, 2 << depth))]
    return "\n".join(["int free = 1, taken, n;", "active proctype caller() {", "do", *steps, "od", "}"])


def allocation(depth: int, order: int) -> str:
    """The smallest free block that is large enough, the lowest of these, of which the lowest part is taken."""
    chosen = "skip"
    for level in range(depth - order + 1):  # from the root down, so that the smallest is asked first
        chosen = f"if :: free & {nodes(1 << level, 2 << level)} -> n = {1 << level} :: else -> {chosen} fi"
    return f""":: d_step {{ free & {nodes(1, 2 << depth - order)} -> {chosen};
	do :: free & (1 << n - 1) -> break :: else -> n++ od;
	free = free ^ (1 << n - 1);
	do :: n < {1 << depth - order} -> n = 2 * n; free = free | (1 << n) :: else -> break od;
	taken = taken | (1 << n - 1); n = 0 }}"""


def release(node: int) -> str:
    """A block that was allocated is freed, and merges with its buddy as long as that is free."""
    return f""":: d_step {{ taken & {nodes(node, node + 1)} -> taken = taken ^ {nodes(node, node + 1)}; n = {node};
	do :: n > 1 && (free & (1 << (n ^ 1) - 1)) -> free = free ^ (1 << (n ^ 1) - 1); n = n / 2 :: else -> break od;
	free = free | (1 << n - 1); n = 0 }}"""


def nodes(first: int, last: int) -> int:
    """The bits of the nodes from one on and before another."""
    return (1 << last - 1) - (1 << first - 1)
