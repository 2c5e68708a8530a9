"""What was tried, as the geometry and the expressions that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from memoracle.proposals.guesses import CHOOSE, Guess, Mapping
from memoracle.proposals.trying import SIZES, Notes

MOST_PIECES = 16  # of frames that were never handed out
LOWER_HALF = 1 << 47
FAR = 1 << 40  # from here on an address depends on where the library was loaded


def shown(value: Any) -> str:
    if not isinstance(value, int):
        return "NULL" if value is None else str(value)
    return hex(value) if abs(value) > 0xFFFF else str(value)


def tune_take(take: Guess, notes: Notes) -> None:
    """How a request fails, by the answer that came again and again."""
    count = len(notes.get("taken", ()))
    if "settled" not in notes:
        return
    settled = notes["settled"]
    if isinstance(settled, str):
        if settled != "! refused":
            take.fails = None
            take.extra["panic"] = '"refuse"'
            take.why.append(f"tried: after {count:,} requests it called {settled.removeprefix('! ')}")
        else:
            take.why.append(f"tried: {count:,} requests succeeded")
        return
    if take.holder == "value" and isinstance(settled, int):
        name = "NULL" if settled == 0 and take.function.returns.kind == "pointer" else shown(settled)
        take.fails = f"value == {name}" if settled >= 0 or count == 0 else "value < 0"
        take.why.append(f"tried: {count:,} requests succeeded, the next returned {shown(settled)}")


def tune_give(give: Guess, notes: Notes, call: str = "free", of: str = "block") -> None:
    """Whether a second free of the same block shows that it was refused. call, of: what is done instead, of what."""
    if "given" not in notes:
        if notes.get("died") and "taken" in notes:
            give.why.append(f"{CHOOSE}tried: it died of {notes['died']} when a block was given back")
        return
    first, again = notes["given"], notes.get("given again", "died")
    if isinstance(first, str):
        give.why.append(f"{CHOOSE}tried: a free of what was handed out was refused: {first}")
        return
    if "given again" not in notes:
        give.fails = None
        give.why = [each for each in give.why if "ignores" not in each]
        give.why.append(
            f"tried: a second {call} of the same {of} ended in {notes.get('died', 'nothing')}: never misused"
        )
    elif isinstance(again, str):
        give.fails = None
        give.extra["panic"] = '"refuse"'
        give.why = [each for each in give.why if "returns nothing" not in each and "ignores" not in each]
        give.why.append(f"tried: a second {call} of the same {of} called {again.removeprefix('! ')}")
    elif first != again:
        if give.fails is None or not _says(give.fails, again) or _says(give.fails, first):
            give.fails = f"value == {shown(again)}" if again != 1 or first else "value != 0"
        give.why.append(f"tried: a {call} returned {shown(first)}, a second one of the same {of} {shown(again)}")
    elif give.function.returns.kind != "void":
        words = f"a second {call} of the same {of} returned {shown(again)}, as the first did"
        give.why.append(f'{CHOOSE}tried: {words}: is it a fault, or ignored (misuse = "ignore")?')


def _says(fails: str, value: Any) -> bool:
    """Whether a plain condition calls this value a refusal."""
    if fails == "not value":
        return not value
    left, relation, right = fails.partition(" != ") if "!=" in fails else fails.partition(" < ")
    if left != "value" or not right.lstrip("-").isdigit() or not isinstance(value, int):
        return not fails or value != 0
    return value != int(right) if relation == " != " else value < int(right)


def tune_unit(take: Guess, give: Guess | None, notes: Notes, page_size: int) -> tuple[int, int] | None:
    """Whether results are numbers or addresses; the lowest page and the one after the highest that were handed out.

    Addresses that depend on where the library lies are counted from a `base`.
    """
    taken = sorted(notes.get("taken", ()))
    if taken and len(taken) > 1:
        take.is_number = any(each % page_size for each in taken)
        unit, words = ("numbers of pages", str) if take.is_number else ("addresses", hex)
        take.why.append(f"tried: results are {unit}, {words(taken[0])} to {words(taken[-1])}")
    elif take.is_number is None:
        take.is_number = False
        take.why.append(
            f"{CHOOSE}results are taken for addresses; of numbers of pages they are `{take.holder} * page_size`"
        )
    to_address = f"{take.holder} * page_size" if take.is_number else take.holder
    from_address = "address / page_size" if take.is_number else "address"
    low = None if not taken else min(taken) if take.is_number else min(taken) // page_size
    if low is not None and FAR <= low * page_size < LOWER_HALF and not take.is_number:
        to_address, from_address = f"{take.holder} - base", "address + base"
        take.extra["base"] = str(notes["taken"][0] - taken[0])
        take.why.append("results lie where the library was loaded: they are counted from the lowest, `base`")
    take.result = to_address
    if give is not None:
        give.arguments = [from_address if each == "address" else each for each in give.arguments]
    if low is None or not taken:
        return None
    if "base" in take.extra:
        return 0, (taken[-1] - taken[0]) // page_size + 1
    high = taken[-1] if take.is_number else taken[-1] // page_size
    return low, high + 1


def tune_one(mapping: Mapping, operation: str, one: Guess | None) -> None:
    """A function that is about one frame is called for one, where a run is the only other thing that is asked for."""
    many = mapping.guesses.get(operation)
    if one is None or many is None or "count" not in many.arguments or "count" in one.arguments:
        return
    if (one.holder, one.fails, one.result) != (many.holder, many.fails, many.result):
        return
    if len(one.arguments) + 1 == len(many.arguments):
        many.of_one = one.call
        many.why = [each for each in many.why if each != f"{CHOOSE}it may also be {one.function.name}"]
        mapping.others = [each for each in mapping.others if each.name != one.function.name]


def missing_of(
    taken: Sequence[int], is_number: bool, page_size: int, base: int, end: int
) -> list[tuple[int, int]] | None:
    """The pages below an end that were never handed out: first ones, and how many; None if in many pieces."""
    pages = sorted((each - base) // (1 if is_number else page_size) for each in taken)
    found, free = list[tuple[int, int]](), 0
    for page in [*pages, end]:
        if page > free:
            found.append((free, page - free))
        free = page + 1
    return found if len(found) <= MOST_PIECES else None


def alignment_of(notes: Notes) -> int | None:
    """What the blocks of a heap are aligned to, as far as was seen."""
    found = [each for each in notes.get("sized", ()) if isinstance(each, int) and each]
    if len(found) < len(SIZES) // 2:
        return None
    together = 0
    for each in found:
        together |= each
    return min(together & -together, 4096)
