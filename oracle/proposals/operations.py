"""Which function of a library is which operation, and how its arguments follow from the event's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from memoracle.proposals.c_functions import Function, Type
from memoracle.proposals.guesses import CHOOSE, PLUGGED, RESERVED, Guess, Handle, Mapping
from memoracle.proposals.named import guess_of, operation_of, say_pointers
from memoracle.proposals.words import (
    ADD,
    COUNT,
    ENDS,
    FRAME,
    GIVE,
    HEAP,
    IS_FREE,
    PLUG,
    PROCESSES,
    RANGE,
    RESERVE,
    RESIZE,
    START,
    TAKE,
    UNITS,
    about,
    does,
    in_bytes,
    is_number_of_frame,
    unit_of,
    words_of,
)

NAMES = {
    (FRAME, TAKE): "frame.allocate",
    (FRAME, GIVE): "frame.free",
    (FRAME, IS_FREE): "frame.is_free",
    (FRAME, COUNT): "frame.free_count",
    (FRAME, RESERVE): "frame.reserve",
    (FRAME, PLUG): "memory.add",
    (RANGE, TAKE): "range.allocate",
    (RANGE, GIVE): "range.free",
    (HEAP, TAKE): "heap.new",
    (HEAP, GIVE): "heap.delete",
    (HEAP, RESIZE): "heap.resize",
}
RUNS = {RESERVE: RESERVED, PLUG: PLUGGED}  # frames in a row
ASKED = {  # by family and unit, what stands for it in a call
    FRAME: {"order": "order", "count": "count", "bytes": "count * page_size", "alignment": "alignment"},
    RANGE: {"order": "order_of(pages)", "count": "pages", "bytes": "pages * page_size", "alignment": "alignment"},
    HEAP: {"bytes": "bytes", "alignment": "alignment", "old bytes": "old_bytes"},
}


def mapped(functions: Sequence[Function], *, ranges_are_frames: bool = False) -> Mapping:
    """The operations of a library's functions. ranges_are_frames: what looks like one of ranges is one of frames."""
    found = Mapping(all=functions)
    by_role: dict[tuple[str, str], list[Function]] = {}
    said = {name: role for role, name in NAMES.items()}
    for each in functions:
        what, named = does(each), operation_of(each)
        if named in said:
            by_role[said[named]] = [each, *by_role.get(said[named], [])]
        elif named is not None and named not in found.guesses:
            found.guesses[named] = guess_of(named, each)
        elif what in (START, ADD):
            found.starts.append(each)
        elif what is not None and (kind := about(each, what, ranges_are_frames=ranges_are_frames), what) in NAMES:
            by_role.setdefault((kind, what), []).append(each)
        else:
            found.others.append(each)
    for kind in (FRAME, RANGE, HEAP):
        takes = [each for each in by_role.get((kind, TAKE), []) if kind != HEAP or in_bytes(each)]
        if not takes:
            continue
        take = max(takes, key=lambda each: (*_rank(each, kind), -len(each.parameters), -len(each.name)))
        for role, candidates in by_role.items():
            if role[0] == kind:
                best = take if role[1] == TAKE else max(candidates, key=lambda each: _likeness(each, take))
                add = add_run if role[1] in RUNS else _add
                add(found, role, best, [each for each in candidates if each is not best])
    families = [kind for kind in (FRAME, RANGE, HEAP) if NAMES[kind, TAKE] in found.guesses]
    used = {each.function.name for each in found.guesses.values()}
    if not any(NAMES[kind, GIVE] in found.guesses for kind in families):
        for role, candidates in by_role.items():  # a `free` whose name does not say of what
            if role[1] == GIVE and families and role[0] not in families:
                _add(found, (families[0], GIVE), candidates[0], candidates[1:])
    found.others += [
        each
        for some in by_role.values()
        for each in some
        if each.name not in used | {guess.function.name for guess in found.guesses.values()}
    ]
    return found


def _rank(function: Function, kind: str) -> tuple[bool, int]:
    """Whether its name is that of an operation, and how much of what a request may say a function reads."""
    return operation_of(function) is not None, _is_general(function, kind)


def _is_general(function: Function, kind: str) -> int:
    units = [unit_of(each) for each in function.parameters]
    if kind == HEAP:
        return -len(set(units) - {"handle", "bytes", "count"})
    return sum(unit in ASKED[kind] for unit in units) - 3 * ("old bytes" in units) - 2 * units.count("")


def _likeness(function: Function, take: Function) -> tuple[bool, int, int, int]:
    shared = set(words_of(function.name)) & set(words_of(take.name))
    units = {unit_of(each) for each in take.parameters} & {unit_of(each) for each in function.parameters}
    return operation_of(function) is not None, len(shared), len(units), -len(function.name)


def add_run(found: Mapping, role: tuple[str, str], function: Function, others: Iterable[Function]) -> None:
    """A function that takes or adds frames in a row, if it says where they are and how many."""
    run, guess = RUNS[role[1]], Guess(NAMES[role], function, [])
    for parameter in function.parameters:
        unit, name = unit_of(parameter), parameter.name
        if unit == "handle":
            guess.arguments.append(_handle(found, name, parameter.type))
        elif run.place not in guess.arguments and unit in ("address", "number", ""):
            guess.is_number = is_number_of_frame(parameter.type, name)
            guess.arguments.append(run.place)
        elif {*words_of(name)} & ENDS:
            guess.arguments.append(run.end)
        elif unit in ("bytes", "count"):
            guess.arguments.append(run.length if unit == "bytes" else run.frames)
        else:
            guess.arguments.append(_asked(guess, role[0], role[1], name, unit))
    if run.place not in guess.arguments or not {run.end, run.length, run.frames} & {*guess.arguments}:
        return
    _say_result(guess, *role)
    if names := ", ".join(each.name for each in others):
        guess.why.append(f"{CHOOSE}it may also be {names}")
    found.guesses[guess.operation] = guess


def _add(found: Mapping, role: tuple[str, str], function: Function, others: Iterable[Function]) -> None:
    kind, what = role
    guess = Guess(NAMES[role], function, [])
    units = [unit_of(each) for each in function.parameters]
    has_address = False
    process = _process_of(found, role, function, units)
    for place, (parameter, unit) in enumerate(zip(function.parameters, units, strict=True)):
        is_block = (
            what in (GIVE, RESIZE, IS_FREE) and not has_address and unit in ("address", "number", "", "out", "zone")
        )
        if place == process:
            guess.arguments.append(_process(found, guess, parameter.type))
        elif unit == "handle" and not (what in (GIVE, RESIZE) and len(units) == 1):
            guess.arguments.append(_handle(found, parameter.name, parameter.type))
        elif is_block or unit == "handle":
            has_address = True
            number = None if kind == HEAP else is_number_of_frame(parameter.type, parameter.name)
            guess.is_number = False if kind == HEAP else number
            guess.arguments.append("address")
        elif unit == "out":
            guess.arguments.append("out")
            guess.holder = "out"
            if parameter.type.to is not None and what == TAKE:
                guess.is_number = is_number_of_frame(parameter.type.to, parameter.name)
        else:
            guess.arguments.append(_asked(guess, kind, what, parameter.name, unit))
    if what in (GIVE, RESIZE, IS_FREE) and not has_address:
        for place, unit in enumerate(units):  # `free(n)`
            if unit in ("count", "bytes") and units.count(unit) == 1 and "address" not in guess.arguments:
                guess.arguments[place] = "address"
    translated = _translated(found, function, what)
    if translated is not None:
        guess.holder, guess.block_of = translated
    if guess.holder == "value" and what == TAKE:
        guess.is_number = False if kind == HEAP else is_number_of_frame(function.returns, function.name)
    _say_result(guess, kind, what)
    names = ", ".join(each.name for each in others)
    if names:
        guess.why.append(f"{CHOOSE}it may also be {names}")
    found.guesses[guess.operation] = guess


def _translated(found: Mapping, function: Function, what: str) -> tuple[str, str | None] | None:
    """Where blocks are structures: the address of what was handed out, or what makes one of an address."""
    kinds = [function.returns, *(each.type for each in function.parameters)] if what in (TAKE, GIVE) else []
    for kind in kinds:
        names = {f"struct {each}" for each in names_of(kind)} | set(names_of(kind))
        if kind.to is None or kind.to.kind != "struct" or not names or names & found.handles.keys():
            continue
        if what == TAKE and kind is function.returns:
            of = [each.name for each in found.all if _locates(each, names)]
            return (f"{of[0]}(value)", None) if of else None
        makers = [each for each in found.all if len(each.parameters) == 1 and does(each) is None]
        back = [each.name for each in makers if set(names_of(each.returns)) & names]
        if what == GIVE and back:
            return "value", back[0]
    return None


def _locates(function: Function, names: set[str]) -> bool:
    """Whether a function says where a structure of this name lies."""
    if len(function.parameters) != 1 or function.returns.kind not in ("integer", "pointer"):
        return False
    if not set(names_of(function.parameters[0].type)) & names:
        return False
    return bool({*words_of(function.name)} & {"phys", "address", "addr", "pfn", "pa", "frame", "virt", "va"})


def _process_of(found: Mapping, role: tuple[str, str], function: Function, units: Sequence[str]) -> int | None:
    """The place of the parameter that names a process, in a library that has some."""
    create = found.guesses.get("process.create")
    if create is None or role[0] != RANGE:
        return None
    made = set(names_of(create.function.returns))
    for place, parameter in enumerate(function.parameters):
        if set(words_of(parameter.name)) & PROCESSES or (
            parameter.type.kind == "pointer" and made & set(names_of(parameter.type))
        ):
            return place
    plain = [place for place, unit in enumerate(units) if unit in ("number", "")]
    needed = 2 if role[1] == GIVE and "address" not in units else 1
    return plain[0] if len(plain) >= needed else None


def _process(found: Mapping, guess: Guess, kind: Type) -> str:
    if kind.kind != "pointer":
        return "process"
    say_pointers(guess)
    found.needs_kernel_space = True
    return "kernel_space if process == 0 else process"


def _asked(guess: Guess, kind: str, what: str, name: str, unit: str) -> str:
    """What is passed for one argument."""
    if unit == "alignment order":
        return "log2(alignment)" if kind == HEAP else "log2(alignment / page_size)"
    if unit in ASKED[kind]:
        return ASKED[kind][unit]
    if kind == HEAP and unit == "count" and "bytes" not in guess.arguments:
        return "bytes"
    if unit == "callback":
        guess.why.append(f"{CHOOSE}a callback for {name or 'a function'}; nothing is passed")
        return "NULL"
    if unit not in ("flags",):
        guess.why.append(f"{CHOOSE}what {name or 'an argument'} is; 0 is passed")
    else:
        guess.why.append(f"{name}: none are set")
    return "0"


def _handle(found: Mapping, name: str, kind: Type) -> str:
    key = next((each for each in names_of(kind)), name)
    if key not in found.handles:
        found.handles[key] = Handle(name if name.isidentifier() else "handle")
    return found.handles[key].name


def names_of(kind: Type) -> list[str]:
    """The names of a pointer's type, and of what it points to."""
    return [each for each in (*kind.names, *(kind.to.names if kind.to is not None else ())) if each]


def _say_result(guess: Guess, kind: str, what: str) -> None:
    """What shows a refusal, and what is the answer, as far as the types say it."""
    function, returns = guess.function, guess.function.returns
    if what == COUNT:
        in_bytes = {*words_of(function.name)} & (UNITS["bytes"] | {"memory", "mem"})
        guess.result = "value // page_size" if in_bytes else "value"
        return
    if what == IS_FREE:
        guess.result = "value != 0" if "free" in words_of(function.name) else "value == 0"
        return
    if what == RESIZE:
        guess.extra["misuse"] = '"undefined"'
        guess.why.append("what it does with what is no block is not tried: it is never misused")
    if what in (TAKE, RESIZE) and guess.holder != "out":
        guess.result = guess.holder
        if returns.kind == "pointer":
            guess.fails = "value == NULL"
        elif returns.signed:
            guess.fails = "value < 0"
        else:
            guess.fails = "value == 0"
        return
    if guess.holder == "out" and what in (TAKE, RESIZE):
        guess.result = "out"
    if returns.kind == "bool":
        guess.fails = "not value"
    elif returns.kind == "enum":
        first = returns.constants[0] if returns.constants else "0"
        guess.fails = f"value != {first}"
        guess.why.append(f"{first} is taken for success, every other value for a refusal")
    elif returns.kind == "integer":
        guess.fails = "value < 0" if returns.signed and what in (GIVE, RESERVE, PLUG) else "value != 0"
    elif returns.kind == "void" and what in (GIVE, RESERVE, PLUG):
        guess.why.append("it returns nothing, so a refusal cannot be seen: it is never misused")
        guess.why.append(f'{CHOOSE}if it ignores what it should refuse, misuse = "ignore" says so')
    elif returns.kind == "void" and guess.holder == "out":
        guess.fails = "out == 0"
