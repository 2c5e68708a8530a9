"""Functions that take certain frames, or add frames that were missing: they are what they seem if all frames say so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from memoracle.drive.binding import Bound
from memoracle.proposals import trying, tuning
from memoracle.proposals.guesses import CHOOSE, NEVER, PLUGGED, RESERVED, Guess, Run
from memoracle.proposals.proposed import Proposal

TRIED = 2  # frames that are reserved: what takes a count for bytes takes one
MOST_ADDED = 4096  # frames, of what has room for more
USABLE = 1  # the type of a record


def reserve_frames(proposal: Proposal, take: Guess, notes: trying.Notes) -> None:
    """A function that takes certain frames: no request gives these afterwards, but all the others."""
    guess = proposal.mapping.guesses.get("frame.reserve")
    taken = sorted(notes.get("taken", ()))
    step = 1 if take.is_number else proposal.page_size
    rows = [place for place, each in enumerate(taken[1:]) if taken[place] + step == each]
    if guess is None:
        return
    if "settled" not in notes or not rows:
        _drop(proposal, guess, "it is not known which frames there are")
        return
    first = taken[rows[len(rows) // 2]]
    for is_number in _ways(guess, take):
        raw = _reserved("address * page_size" if take.is_number else "address", is_number)
        found = _tried(proposal, take, guess, raw, {"address": first, "count": TRIED}, first=False)
        if set(found.get("taken", ())) == set(taken) - {first, first + step}:
            guess.arguments = _filled(
                guess, _reserved("address + base" if "base" in take.extra else "address", is_number)
            )
            tuning.tune_give(guess, found, "reservation", "frames")
            guess.why.append("tried: the frames that it takes are handed out no more, and all the others are")
            return
    _drop(proposal, guess, "two frames that were free: what was handed out then were not all but these two")


def add_frames(proposal: Proposal, take: Guess, notes: trying.Notes) -> None:
    """A function that adds frames behind those that there are: afterwards requests give just these."""
    guess = proposal.mapping.guesses.get("memory.add")
    if guess is None:
        return
    if "settled" not in notes or not notes.get("taken") or "base" in take.extra:
        _drop(proposal, guess, "it is not known behind which frames some are missing")
        return
    died = ""
    for is_number in _ways(guess, take):
        behind = _Behind(proposal, take, guess, is_number, proposal.geometry["frames"][0])
        most, found, takes_more = behind.most()
        died = found.get("died", died)
        if most:
            guess.arguments = _filled(guess, _added(is_number))
            tuning.tune_give(guess, found, "call", "frames")
            if not takes_more:
                guess.only_if = "start + length <= frames * page_size"
                guess.why.append(f"{CHOOSE}more is not asked, as `{NEVER}`: it fails, and the law has it of no account")
            guess.why.append(f"tried: it added {most:,} frames behind the last, which were handed out then")
            words = (
                "as many as it would add are missing at start"
                if most < MOST_ADDED
                else f"{CHOOSE}how many there may be"
            )
            proposal.geometry["frames"] = (behind.end + most, [*proposal.geometry["frames"][1], words])
            proposal.memory_map = [{"start": 0, "length": behind.end * proposal.page_size, "type": USABLE}]
            return
    died = f" (it died of {died})" if died else ""
    _drop(proposal, guess, f"frames behind the last: these were not handed out then{died}")


class _Behind(NamedTuple):
    """Frames behind the last, which a function may add. end: the number of the first of them."""

    proposal: Proposal
    take: Guess
    guess: Guess
    is_number: bool
    end: int

    def most(self) -> tuple[int, trying.Notes, bool]:
        """How many it adds, what was seen then, and whether it may be asked for more, and adds what it has room for."""
        added, notes = self._added(MOST_ADDED)
        if added:
            return added, notes, True
        low, high, (added, seen) = 1, MOST_ADDED, self._added(1)
        while added and high - low > 1:
            middle = (low + high) // 2
            some, notes = self._added(middle)
            low, high, seen = (middle, high, notes) if some == middle else (low, middle, seen)
        return (low if added else 0), seen, False

    def _added(self, count: int) -> tuple[int, trying.Notes]:
        """How many of so many frames are handed out when they were added, 0 if others are."""
        size = self.proposal.page_size
        run = {"start": self.end * size, "length": count * size}
        notes = _tried(self.proposal, self.take, self.guess, _added(self.is_number), run, first=True)
        step, taken = 1 if self.take.is_number else size, sorted(notes.get("taken", ()))
        is_row = taken == [(self.end + place) * step for place in range(len(taken))]
        return len(taken) if is_row and len(taken) <= count else 0, notes


def _reserved(place: str, is_number: bool) -> Run:
    """What stands for the words of RESERVED. place: where it is in bytes."""
    if not is_number:
        return RESERVED._replace(place=place, end=f"{place} + count * page_size")
    number = "address" if place == "address * page_size" else f"{f'({place})' if ' ' in place else place} / page_size"
    return RESERVED._replace(place=number, end=f"{number} + count")


def _added(is_number: bool) -> Run:
    if not is_number:
        return PLUGGED
    return PLUGGED._replace(place="start / page_size", end="(start + length) / page_size")


def _filled(guess: Guess, run: Run) -> list[str]:
    words = RESERVED if guess.operation == "frame.reserve" else PLUGGED
    stands = dict(zip(words, run, strict=True))
    return [stands.get(each, each) for each in guess.arguments]


def _ways(guess: Guess, take: Guess) -> Iterator[bool]:
    """Whether a place is the number of a frame: what its name says, or as it is handed out; then otherwise."""
    first = bool(take.is_number if guess.is_number is None else guess.is_number)
    yield first
    yield not first


def _tried(
    proposal: Proposal, take: Guess, guess: Guess, run: Run, asked: dict[str, int], *, first: bool
) -> trying.Notes:
    call = f"{guess.function.name}({', '.join(_filled(guess, run))})"
    bound = proposal.raw(guess)
    operations = {
        take.operation: proposal.raw(take),
        guess.operation: Bound(call, None, bound.result, panic=bound.panic),
    }
    attempt = trying.taking(take.operation, guess.operation, {"alignment": proposal.page_size}, asked, first=first)
    return proposal.watched(operations, attempt)


def _drop(proposal: Proposal, guess: Guess, why: str) -> None:
    """A function that did not do what its name says, as far as was seen, is used for nothing."""
    del proposal.mapping.guesses[guess.operation]
    proposal.mapping.others.append(guess.function)
    proposal.notes.append(f"{CHOOSE}whether {guess.function.name} is {guess.operation}. Tried: {why}")
