"""Sizes and addresses at which allocators go wrong: the first and the last, edges of words and orders, one past."""

from __future__ import annotations

from random import Random

WORDS = (8, 16, 32, 64)  # bits of the words of a bitmap


def near(random: Random, edge: int) -> int:
    """A number at an edge, or one beside it."""
    return edge + random.choice((-1, 0, 0, 1))


def count(random: Random, most: int, common: int = 4) -> int:
    """How many to ask for, at most about so many, and seldom more than that: small ones most often."""
    kind = random.random()
    if kind < 0.6:
        return random.randint(1, max(1, min(common, most)))
    if kind < 0.75:
        return max(1, near(random, 1 << random.randrange(max(1, most.bit_length()))))
    if kind < 0.85:
        return max(1, near(random, random.choice(WORDS)))
    if kind < 0.98:
        return random.randint(1, max(1, min(most, common * 16)))
    return max(1, near(random, most))


def aligned(random: Random, page: int, pages: int) -> int:
    """An alignment: that of a page most often, else any power of two of so many pages, small ones more often."""
    chance = random.random()
    most = 6 if chance < 0.9 else max(1, pages.bit_length())
    return page << (random.randrange(most) if chance > 0.7 else 0)
