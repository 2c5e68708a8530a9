"""What a verdict rests on although nothing here proves it."""

from __future__ import annotations

from importlib.metadata import version

from memoracle.proofs import stand_ins
from memoracle.proofs.obligations import solver

OF_KERNELS = "kernel_half: that a kernel takes each step of an update, a creation and an exit as one, under its lock"
ALWAYS = (
    f"{solver.VERSION}: that a formula it calls unsatisfiable is",
    "the path explorer (proofs/symbolic/execution.py, feasibility.py): that it takes every path through the code",
    "loops (proofs/symbolic/loops.py, footprint.py, witnesses.py): that a cut forgets all that a turn may change; that "
    "what a turn takes as given can be so is not asked of the turn alone; that numbers of distinct things are no "
    "larger than there are such things",
    "the terms (proofs/symbolic/numbers.py, z3_terms.py): that they count as Python's exact integers do; held against "
    "them by randomised tests",
    "the stand-ins for containers and components, that they behave as these, or do no more than what the components' "
    "own proofs say; each held against the real one by a randomised test: " + stand_ins.said(),
    "the domain: numbers that an object holds have 64 bits, those that a caller passes lie between -2^64 and 2^65, "
    "there are at most 2^52 frames, an address range is at most 2^52 pages, and a heap's pages have 2^6 to 2^30 bytes; "
    "beyond, only some numbers are tried",
    "machines: that one whose reserved pieces are no free blocks of the kernel's range is refused "
    "(spec/geometry_limits.py), so that its manager can take each when it starts",
    OF_KERNELS,
    "what was answered in earlier runs and kept, as far as a report says that it is from the cache",
    "Python itself, and the containers that the reference uses (array, bisect, sortedcontainers)",
)


def trusted(contracts: bool, machine: bool = False) -> list[str]:
    """One line for each thing that is trusted; with the contracts or the emulated processor, what these rest on too."""
    crosshair = (
        f"CrossHair {version('crosshair-tool')}, and the small scope that it is given (proofs/contracts/scopes.py): a "
        "contract is confirmed for every case of the scope, and no other"
    )
    unicorn = (
        f"unicorn {version('unicorn')}: that it walks page tables as an x86 does, with physical addresses of 40 bits; "
        "it has no caches, so of memory types it says nothing"
    )
    return [*ALWAYS, *([crosshair] if contracts else []), *([unicorn] if machine else [])]
