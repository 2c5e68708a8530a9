"""The formulas that the counts are held to."""

from __future__ import annotations

from collections import Counter


def states(depth: int) -> int:
    """States of a buddy system: a(0) = 2, a(d) = a(d - 1)^2 + 1 (OEIS A003095, from its third term).

    Two halves in any state but both wholly free, or the whole free, or the whole allocated.
    """
    return 2 if depth == 0 else states(depth - 1) ** 2 + 1


def states_uncoalesced(depth: int) -> int:
    """The same where buddies are never merged: two wholly free halves are one state more."""
    return 2 if depth == 0 else states_uncoalesced(depth - 1) ** 2 + 2


def states_full(depth: int) -> int:
    """States without a free page: both halves full, or the whole allocated."""
    return 1 if depth == 0 else states_full(depth - 1) ** 2 + 1


def free_pages(depth: int) -> Counter[int]:
    """How many states have so many free pages: G(0) = 1 + x, G(d) = G(d - 1)^2 + 1, by powers of x."""
    if depth == 0:
        return Counter({0: 1, 1: 1})
    half, whole = free_pages(depth - 1), Counter({0: 1})
    for left, ways in half.items():
        for right, others in half.items():
            whole[left + right] += ways * others
    return whole


def allocated_blocks(depth: int) -> int:
    """Allocated blocks in all states together, each of which can be freed: A(0) = 1, A(d) = 2 a(d - 1) A(d - 1) + 1."""
    return 1 if depth == 0 else 2 * states(depth - 1) * allocated_blocks(depth - 1) + 1


def states_without(order: int, depth: int) -> int:
    """States in which no block of an order can be allocated: n(k, k) = a(k) - 1, n(k, d) = n(k, d - 1)^2 + 1."""
    return states(order) - 1 if order == depth else states_without(order, depth - 1) ** 2 + 1


def places(order: int, depth: int) -> int:
    """Blocks of an order that could be allocated, in all states together.

    f(k, k) = 1, f(k, d) = 2 a(d - 1) f(k, d - 1).
    """
    return 1 if order == depth else 2 * states(depth - 1) * places(order, depth - 1)


def transitions(depth: int) -> int:
    """Of a policy that makes one choice: every allocated block can be freed, every order that fits be allocated."""
    fits = sum(states(depth) - states_without(order, depth) for order in range(depth + 1))
    return allocated_blocks(depth) + fits


def transitions_allowed(depth: int) -> int:
    """The same with every choice that the law allows."""
    return allocated_blocks(depth) + sum(places(order, depth) for order in range(depth + 1))


def bitmap_states(frames: int) -> int:
    """Each frame is free or not."""
    return 1 << frames


def bitmap_edges(frames: int) -> int:
    """Pairs of states between which one frame is allocated, or freed: the edges of a hypercube."""
    return frames * (1 << frames) // 2


def synchronised(processes: int, entries: int, values: int) -> int:
    """States of kernel halves that are all equal: how many processes there are does not matter."""
    return int(values**entries)


def unsynchronised(processes: int, entries: int, values: int) -> int:
    """States of kernel halves whatever is in them."""
    return int(values ** (entries * processes))
