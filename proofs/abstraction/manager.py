"""Maps a manager to the state of the law that it stands for; ghost parts, which it does not hold, are chosen to fit."""

from __future__ import annotations

from typing import Any

from memoracle.impl.manager import Manager
from memoracle.impl.paging import LOWER_END
from memoracle.proofs.abstraction.objects import frames_of
from memoracle.spec import manager as law
from memoracle.spec.clauses import Number
from memoracle.spec.paging import Mappings


def mappings_of(manager: Manager) -> Mappings:
    """What is mapped, of the pages whose addresses are asked for."""
    paging, shift = manager.paging, manager.page_shift

    def shown(space: Any, page: Any) -> int:
        return paging.translate(space, page) or 0

    def is_mapped(space: Any, page: Any) -> bool:
        return (space == 0 or page < LOWER_END) and paging.translate(space, page) is not None

    def pages_of(physical: Number) -> list[tuple[int, int]]:
        lower = [(p, page) for p, pages in paging.mapped.items() for page in pages]
        upper = [(0, manager.address_of(page)) for page in range(1 << manager.machine.kernel_depth)]
        return [at for at in sorted(lower) + upper if paging.translate(*at) == physical]

    def number_of(space: Any, page: Any) -> int:
        physical = paging.translate(space, page)
        return pages_of(physical).index((space, page)) if physical is not None and is_mapped(space, page) else 0

    def uses(physical: Any) -> int:
        return paging.uses.get(physical >> shift, 0)

    def numbered(physical: Any, number: Any) -> tuple[int, int]:
        return dict(enumerate(pages_of(physical))).get(number, (0, 0))

    return Mappings(
        page_shift=shift,
        physical_bits=manager.machine.layout.physical_address_bits,
        pat_register=manager.machine.layout.pat_register,
        counted=manager.machine.frames << shift,
        direct_start=paging.direct_start,
        direct_end=paging.direct_end,
        lives=lambda process: process in paging.roots,
        is_mapped=is_mapped,
        physical=shown,
        cache=lambda space, page: 0,
        writable=lambda space, page: 0,
        executable=lambda space, page: 0,
        global_=lambda space, page: 0,
        uses=uses,
        number_of=number_of,
        space_numbered=lambda physical, number: numbered(physical, number)[0],
        page_numbered=lambda physical, number: numbered(physical, number)[1],
    )


def memory_of(manager: Manager) -> law.Memory:
    """The state of the whole law. If a free frame is mapped, some caller broke its contract."""
    frames, mappings, paging = frames_of(manager.bitmap), mappings_of(manager), manager.paging
    page_of_frame: dict[Any, int] = {frame: page for page, frame in manager.frame_at.items()}
    roots = {frame: process for process, frame in paging.roots.items() if process}
    blocks: dict[Any, int] = {first: manager.spaces.spaces[0].size(first) for first in manager.lengths}
    owners: dict[Any, int] = {**_owners(manager), **roots}
    lengths: dict[Any, int] = manager.lengths
    frame_at: dict[Any, int] = manager.frame_at
    gets: dict[Any, int] = manager.gets

    def use(frame: Number) -> int:
        uses = [law.TABLE] * (frame in paging.memory) + [law.TABLE] * (frame in roots)
        uses += [law.PAGES] * (frame in page_of_frame) + [law.GIVEN] * (frame in manager.given)
        return uses[0] if len(uses) == 1 else -len(uses)  # a frame that is used twice has no lawful use

    def block_at(process: Any, page: Any) -> tuple[int, int]:
        """The first page and the pages of the allocated block that a page lies in; 0 and 0 if there is none."""
        space = manager.spaces.of(process)
        found = [] if space is None else [block[:2] for block in space.blocks() if block[2]]
        return next(((first, pages) for first, pages in found if first <= page < first + pages), (0, 0))

    def size_at(process: Any, page: Any) -> int:
        first, pages = block_at(process, page)
        fixed = manager.spaces.spaces[process].fixed if pages else set()
        return pages if page == first and first not in fixed else 0

    return law.Memory(
        **vars(frames),
        **vars(mappings),
        kernel_start=manager.machine.kernel_start,
        kernel_range=1 << manager.machine.kernel_depth,
        use=use,
        owner=lambda frame: owners.get(frame, 0),
        taken=lambda process, page: block_at(process, page) != (0, 0),
        size_at=size_at,
        block_of=lambda process, page: block_at(process, page)[0],
        block_at=lambda first: blocks.get(first, 0),
        pages_at=lambda first: lengths.get(first, 0),
        frame_at=lambda page: frame_at.get(page, 0),
        page_of=lambda frame: page_of_frame.get(frame, 0),
        callers_kept_contract=lambda frame: (
            not (frames.is_free(frame) and (frame in paging.uses or frame in manager.gets))
        ),
        gets=lambda frame: gets.get(frame, 0),
    )


def _owners(manager: Manager) -> dict[int, int]:
    """By the frame of each table below the PML4s that maps a page of a lower half: whose it is; the rest is 0's."""
    owners = {}
    for process, pages in manager.paging.mapped.items():
        for page in pages:
            owners.update(dict.fromkeys(manager.paging._tables(process, page), process))
    return owners
