"""A proposed binding of a library, from its symbols and its header, and from what it does when it is tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from memoracle.drive.binding import Bound
from memoracle.drive.native.elf import Elf, read_elf
from memoracle.proposals import debug_info, signatures, trying, tuning
from memoracle.proposals.c_functions import Header, read_header
from memoracle.proposals.c_text import defined_numbers, read_source, without_directives
from memoracle.proposals.declarations import Declarations
from memoracle.proposals.guesses import CHOOSE, Guess
from memoracle.proposals.more_frames import add_frames, reserve_frames
from memoracle.proposals.named import UPPER_HALF
from memoracle.proposals.needs import needs_of, sizes_of
from memoracle.proposals.operations import mapped
from memoracle.proposals.proposed import PRESETS, SMALL_PAGE, Proposal
from memoracle.proposals.starts import ARENA, ARENA_BYTES, Start, start_of
from memoracle.trace.inputs import InputError

FRAMES = 1024  # of a target of which nothing says how many it has
TAKES = {"frame": "frame.allocate", "range": "range.allocate", "heap": "heap.new"}


def propose(library: str, header: str | None) -> Proposal:
    """Raises InputError for files that are neither."""
    path = Path(library)
    try:
        elf = read_elf(path)
    except OSError as fault:
        raise InputError(library, None, f"cannot read: {fault.strerror or fault}") from None
    if elf is None:
        raise InputError(library, None, "this is no shared library (ELF, 64 bits)")
    found, notes = _header(library, header, elf)
    proposal = _proposal(path, elf, found, [*notes])
    if (why := _of_one_pool(proposal)) is None:
        return proposal
    of_runs = _proposal(path, elf, found, [*notes], ranges_are_frames=True)
    if "range.allocate" in of_runs.mapping.guesses:  # its name says that it is that
        return proposal
    of_runs.mapping.guesses["frame.allocate"].why.append(why)
    for operation in ("frame.allocate", "frame.free"):
        tuning.tune_one(of_runs.mapping, operation, proposal.mapping.guesses.get(operation))
    return of_runs


def _proposal(path: Path, elf: Elf, found: Header, notes: list[str], *, ranges_are_frames: bool = False) -> Proposal:
    """ranges_are_frames: whether what hands out ranges hands out runs of frames."""
    functions = {name: each for name, each in found.functions.items() if name in elf.functions and not each.is_static}
    mapping = mapped(list(functions.values()), ranges_are_frames=ranges_are_frames)
    if not mapping.guesses:
        notes.append(f"{CHOOSE}no function looks like one that allocates; see the operations below")
    wanted = Declarations(found)
    sizes = sizes_of(wanted.structures())
    start = start_of(mapping, functions, sizes, "memory")
    called = [each.function for each in mapping.guesses.values()] + mapping.starts
    spoken = [text for text, _ in start.statements]
    spoken += [f"{each.holder} {each.block_of}(" for each in mapping.guesses.values()]
    called += [functions[name] for name in functions if any(f"{name}(" in text for text in spoken)]
    refused = wanted.add(dict.fromkeys(called))
    for name in refused:
        notes.append(f"{CHOOSE}{name} could not be declared")
        mapping.guesses = {key: each for key, each in mapping.guesses.items() if each.function.name != name}
        start.statements = [each for each in start.statements if f"{name}(" not in each[0]]
    # The others are declared, too: whoever chooses another one has nothing else to write.
    wanted.add(each for each in mapping.others if each.name not in {each.name for each in called})
    proposal = Proposal(path, found, mapping, needs_of(elf, found), start, wanted.text, _page_size(found), notes)
    _choose_base(proposal, start_of(mapping, functions, sizes, "0"))
    _try(proposal)
    _kernel_range(proposal)
    return proposal


def _header(library: str, header: str | None, elf: Elf) -> tuple[Header, list[str]]:
    """What is declared, and what to say of that."""
    if header is None and (text := debug_info.header_of(Path(library))) is not None:
        return read_header(text), ["The declarations are those of the library's debug information."]
    if header is None:
        found = signatures.guessed(elf.functions)
        names = ", ".join(sorted(elf.functions))
        return found, [
            f"{CHOOSE}the declarations: without --header, or `cc -g`, they are guessed from the names {names}"
        ]
    text = read_source(header)
    found = read_header(without_directives(header, text))
    found.constants |= defined_numbers(text)
    if not found.functions:
        raise InputError(header, None, "it declares no function")
    notes = [
        f"{header} declares {name}, which {library} does not export"
        for name in sorted(
            name
            for name, each in found.functions.items()
            if not each.is_static and name not in elf.functions | elf.undefined
        )
    ][:10]
    return found, [*notes, *(f"not read: {each}" for each in found.unread[:5])]


def _page_size(header: Header) -> int:
    for name, value in header.constants.items():
        upper = name.upper()
        if any(word in upper for word in ("PAGE", "FRAME", "BLOCK")):
            if upper.endswith("SIZE") and value in PRESETS:
                return value
            if upper.endswith(("SHIFT", "BITS")) and 1 << min(value, 63) in PRESETS:
                return 1 << value
    return SMALL_PAGE


def _try(proposal: Proposal) -> None:
    """Tries what was guessed, and says what follows."""
    guesses = proposal.mapping.guesses
    for kind, operation in TAKES.items():
        take = guesses.get(operation)
        if take is None:
            continue
        give = guesses.get({"frame": "frame.free", "range": "range.free", "heap": "heap.delete"}[kind])
        notes = _exhausted(proposal, kind, take, give)
        if "started" not in notes:
            why = notes.get("fault") or f"it died of {notes.get('died')}"
            proposal.notes.append(f"{CHOOSE}tried: it does not start: {why}")
        else:
            proposal.is_started = True
            if notes.get("died") and "taken" not in notes:
                take.why.append(f"{CHOOSE}tried: it died of {notes['died']}")
            if notes.get("fault"):
                take.why.append(f"{CHOOSE}tried: {notes['fault']}")
        tuning.tune_take(take, notes)
        if give is not None:
            tuning.tune_give(give, notes)
        {"frame": _frames, "range": _ranges, "heap": _heap}[kind](proposal, take, give, notes)


def _kernel_range(proposal: Proposal) -> None:
    """The kernel's range, of a library that hands out the kernel's pages and no ranges."""
    guesses = proposal.mapping.guesses
    if "kernel_pages.allocate" in guesses and "range.allocate" not in guesses:
        stated = {"start": hex(UPPER_HALF), "pages": FRAMES}
        proposal.geometry["kernel_range"] = (stated, [f"{CHOOSE}where the kernel's pages are handed out, and how many"])
        proposal.geometry["kernel_reserved"] = ([], [])
        proposal.geometry["range_allocator"] = ("runs", [f'{CHOOSE}or "buddy", where blocks are powers of two'])


def _choose_base(proposal: Proposal, other: Start) -> None:
    """Whether a number that says where memory begins is that of the memory, or 0: by what more can be had with."""
    guesses = proposal.mapping.guesses
    operation = next((each for each in TAKES.values() if each in guesses), None)
    if not proposal.start.takes_number or operation is None:
        return
    kind = operation.partition(".")[0]
    first = proposal.start
    had = [0, 0]
    for place, start in enumerate((first, other)):
        proposal.start = start
        had[place] = len(_exhausted(proposal, kind, guesses[operation], None).get("taken", ()))
    proposal.start = other if had[1] > had[0] else first
    if proposal.start is other:
        proposal.notes.append("tried: the addresses that it is started with are those of memory from 0 on")


def _exhausted(proposal: Proposal, kind: str, take: Guess, give: Guess | None) -> trying.Notes:
    operations = {take.operation: proposal.raw(take)}
    if give is not None:
        bound = proposal.raw(give)
        operations[give.operation] = Bound(bound.call, None, "value" if bound.result else None, panic=bound.panic)
        if give.holder == "out":
            operations[give.operation] = Bound(bound.call, None, "value", panic=bound.panic)
    asked: dict[str, Any] = {
        "frame": {"alignment": proposal.page_size},
        "range": {"pages": 1},
        "heap": {"bytes": 1024},
    }[kind]
    returned = {"range": {"pages": 1}}.get(kind, {})
    attempt = trying.exhausting(take.operation, None if give is None else give.operation, asked, returned)
    return proposal.watched(operations, attempt)


def _frames(proposal: Proposal, take: Guess, give: Guess | None, notes: trying.Notes) -> None:
    geometry = proposal.geometry
    reach = tuning.tune_unit(take, give, notes, proposal.page_size)
    for name in ("frame.is_free",):
        _like_give(proposal, name, take)
    names = {name for each in take.arguments for name in ("order", "count") if name in each.split()}
    if reach is not None and "settled" in notes:
        low, end = reach
        geometry["frames"] = (end, [f"tried: {len(notes['taken']):,} frames were handed out until there were none"])
        base = int(notes["taken"] and min(notes["taken"])) if "base" in take.extra else 0
        missing = tuning.missing_of(notes["taken"], bool(take.is_number), proposal.page_size, base, end)
        if missing is None:
            words = f"{CHOOSE}frames in many pieces were never handed out: say so with `never_free`"
            missing = [(0, low)] if low else []
            proposal.private_frames = True
            geometry["never_free"] = (_areas(missing, proposal.page_size), [words])
        else:
            geometry["never_free"] = (_areas(missing, proposal.page_size), ["the others, which it never handed out"])
    else:
        memory = (
            (ARENA // proposal.page_size, ARENA_BYTES // proposal.page_size) if proposal.has_memory else (0, FRAMES)
        )
        below, count = memory
        geometry["frames"] = (below + count, [f"{CHOOSE}how many frames it has"])
        never = _areas([(0, below)] if below else [], proposal.page_size)
        geometry["never_free"] = (never, [f"{CHOOSE}frames that it never hands out"])
    if "order" in names:
        geometry["frame_allocator"] = ("buddy", ["it is asked for an order"])
        highest = _highest(proposal, take, give, notes)
        if highest is not None:
            geometry["frame_max_order"] = (highest, ["tried: the highest order that it gives"])
    elif "count" in names:
        geometry["frame_allocator"] = ("runs", ["it is asked for how many"])
        if give is not None and not any("count" in each for each in give.arguments):
            geometry["frame_free_parts"] = ("whole", ["a free gives back all that one request gave"])
    reserve_frames(proposal, take, notes)
    add_frames(proposal, take, notes)
    if any("zone" in each for each in take.arguments):
        proposal.notes.append(f"{CHOOSE}zones: 0 is passed")


def _like_give(proposal: Proposal, operation: str, take: Guess) -> None:
    guess = proposal.mapping.guesses.get(operation)
    if guess is not None and take.is_number:
        guess.arguments = ["address / page_size" if each == "address" else each for each in guess.arguments]
    elif guess is not None and "base" in take.extra:
        guess.arguments = ["address + base" if each == "address" else each for each in guess.arguments]


def _areas(pieces: list[tuple[int, int]], page_size: int) -> list[dict[str, int]]:
    return [{"start": first * page_size, "bytes": count * page_size} for first, count in pieces]


def _highest(proposal: Proposal, take: Guess, give: Guess | None, notes: trying.Notes) -> int | None:
    if give is None or "settled" not in notes:
        return None
    bound = proposal.raw(give)
    call = bound.call
    if take.holder == "value":  # an address is what was returned
        call = call.replace("address / page_size", "address").replace("address + base", "address")
    operations = {
        take.operation: proposal.raw(take),
        give.operation: Bound(call, None, None, panic=bound.panic),
    }
    found = proposal.watched(operations, trying.ordered(take.operation, give.operation, notes["settled"]))
    highest = found.get("highest")
    return highest if isinstance(highest, int) and "refused order" in found else None


def _ranges(proposal: Proposal, take: Guess, give: Guess | None, notes: trying.Notes) -> None:
    size, geometry = proposal.page_size, proposal.geometry
    reach = tuning.tune_unit(take, give, notes, size)
    low, end = reach if reach is not None and "settled" in notes else (0, FRAMES)
    start = UPPER_HALF if low * size < 1 << 63 else low * size
    if start == UPPER_HALF:
        upper = "(0 if process else upper)" if "process.create" in proposal.mapping.guesses else "upper"
        take.result = f"{take.result} + {upper}"
        take.extra["upper"] = hex(UPPER_HALF - low * size)
        if give is not None:
            give.arguments = [
                each.replace("address", f"(address - {upper})") if each.startswith("address") else each
                for each in give.arguments
            ]
        take.why.append("the kernel's range is in the upper half: `upper` moves it there")
    _processes(proposal, take)
    why = "tried: so many were handed out" if reach is not None and "settled" in notes else f"{CHOOSE}how many it has"
    geometry["kernel_range"] = ({"start": hex(start), "pages": end - low}, [why])
    geometry["kernel_reserved"] = ([], [])
    geometry["range_allocator"] = ("runs", [f'{CHOOSE}or "buddy", where blocks are powers of two'])


def _of_one_pool(proposal: Proposal) -> str | None:
    """Why ranges are runs of frames, if they are: they are the same addresses, and none is left when no frame is."""
    takes = [proposal.mapping.guesses.get(TAKES[kind]) for kind in ("frame", "range")]
    frame, run = takes
    if frame is None or run is None or "process.create" in proposal.mapping.guesses:
        return None
    attempt = trying.sharing((frame.operation, {"alignment": proposal.page_size}), (run.operation, {"pages": 1}))
    notes = proposal.watched({each.operation: proposal.raw(each) for each in (frame, run)}, attempt)
    if not notes.get("shared"):
        return None
    return f"tried: {run.function.name} hands out the frames of {frame.function.name}, and none when these have run out"


def _processes(proposal: Proposal, take: Guess) -> None:
    """The range of each process."""
    create = proposal.mapping.guesses.get("process.create")
    if create is None or not any("process" in each.split() for each in take.arguments):
        return
    operations = {take.operation: proposal.raw(take), create.operation: proposal.raw(create)}
    notes = proposal.watched(operations, trying.in_process(create.operation, take.operation))
    taken = [each if take.is_number else each // proposal.page_size for each in notes.get("taken", ())]
    if "settled" in notes and taken:
        stated = {"start": min(taken) * proposal.page_size, "pages": max(taken) - min(taken) + 1}
        proposal.geometry["process_range"] = (stated, ["tried: so many were handed out to a new process"])
    else:
        stated = {"start": 0, "pages": FRAMES}
        proposal.geometry["process_range"] = (stated, [f"{CHOOSE}how many pages a process has"])


def _heap(proposal: Proposal, take: Guess, give: Guess | None, notes: trying.Notes) -> None:
    operations = {take.operation: proposal.raw(take)}
    seen = proposal.watched(operations, trying.sized(take.operation))
    alignment = tuning.alignment_of(seen)
    proposal.private_frames = True
    if alignment is not None:
        words = f"tried: blocks of {len(trying.SIZES)} sizes were at multiples of {alignment}"
        proposal.geometry["heap_alignment"] = (alignment, [words])
    else:
        proposal.geometry["heap_alignment"] = (8, [f"{CHOOSE}what blocks are aligned to"])
