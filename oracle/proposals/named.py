"""Functions that are called as operations are: `process_create`, `pml4_write`, `kernel_pages_free`."""

from __future__ import annotations

from memoracle.proposals.c_functions import Function
from memoracle.proposals.guesses import CHOOSE, Guess
from memoracle.proposals.words import FAMILIES, HEAP, PROCESSES, RANGE, STARTS, TAKES, unit_of, words_of
from memoracle.trace.operations import KINDS, MORE, NOTHING, answer_of, arguments_of, may_be_null

BY_NAME = {each.replace(".", "_"): each for each in KINDS if each != "boot" and answer_of(each) != MORE}
UPPER_HALF = 0xFFFFFFFF00000000  # where the presets have the kernel's range
NO_PROCESS = (TAKES - {"new"}) | FAMILIES[HEAP] | (FAMILIES[RANGE] - {"vm", "space"})
VIRTUAL = {"virt", "virtual", "va", "vaddr", "linear"}  # what addresses are called
PHYSICAL = {"phys", "physical", "pa", "paddr", "frame"}
TRANSLATES = {"translate", "resolve", "lookup", "walk", "phys", "physical"}
LIFE = {  # of processes, by their verbs
    "process.create": {"create", "new", "spawn", "clone"},
    "process.exit": {"exit", "destroy", "kill", "free", "delete", "release"},
}


def operation_of(function: Function) -> str | None:
    """The operation that a function's name says in so many words."""
    found = BY_NAME.get(function.name)
    if found is not None:
        return found
    words = set(words_of(function.name))
    if words & PROCESSES and not words & NO_PROCESS:
        return next((each for each, verbs in LIFE.items() if words & verbs), None)
    return _of_pages(function, words)


def _of_pages(function: Function, words: set[str]) -> str | None:
    """The operation on page tables that a function is, by its verb and by what its parameters are called."""
    said = [words_of(each.name) for each in function.parameters]
    virtual, physical = (any(names & {*each} for each in said) for names in (VIRTUAL, PHYSICAL))
    if not virtual or words & STARTS:
        return None
    if "unmap" in words and not physical:
        return "page.unmap"
    if "map" in words and physical:
        return "page.map"
    answers = function.returns.kind in ("integer", "pointer") and function.returns.bits in (0, 64)
    return "page.translate" if answers and words & TRANSLATES and not physical else None


def _count_pages(guess: Guess) -> None:
    """Of the kernel's pages, where they are numbers: these are counted from the start of its range."""
    function = guess.function
    kinds = [function.returns, *(each.type for each in function.parameters)]
    if any(each.kind == "pointer" or each.bits == 64 for each in kinds):
        guess.why.append(f"{CHOOSE}whether its pages are numbers, or addresses as here")
        return
    guess.extra["upper"] = hex(UPPER_HALF)
    guess.result = None if guess.result is None else f"{guess.result} * page_size + upper"
    guess.arguments = ["(address - upper) / page_size" if each == "address" else each for each in guess.arguments]
    guess.why.append(f"{CHOOSE}where the kernel's range begins, and how many pages it has: kernel_range")


def say_pointers(guess: Guess) -> None:
    """That an operation is never misused: it would be given pointers to nothing."""
    guess.extra["misuse"] = '"undefined"'
    guess.why.append("a process is a pointer, and one to nothing is never passed")


def guess_of(operation: str, function: Function) -> Guess:
    """What each parameter is, by its name."""
    guess, known = Guess(operation, function, []), arguments_of(operation)
    answers = answer_of(operation) != NOTHING
    is_alone = operation == "process.exit" and len(function.parameters) == 1
    for parameter in function.parameters:
        name, unit = parameter.name.lower(), unit_of(parameter)
        words = set(words_of(name))
        if unit == "out" and answers:
            guess.holder = "out"
            guess.arguments.append("out")
        elif name in known:
            guess.arguments.append("from_" if name == "from" else name)
        elif "process" in known and "process" not in guess.arguments and (is_alone or words & PROCESSES):
            guess.arguments.append("process")
            if parameter.type.kind == "pointer":
                say_pointers(guess)
        elif "virtual" in known and words & VIRTUAL and "virtual" not in guess.arguments:
            guess.arguments.append("virtual")
        elif "physical" in known and words & PHYSICAL and "physical" not in guess.arguments:
            guess.arguments.append("physical")
        elif "pages" in known and unit == "count":
            guess.arguments.append("pages")
        elif "address" in known and unit in ("address", "number") and "address" not in guess.arguments:
            guess.arguments.append("address")
        else:
            guess.why.append(f"{CHOOSE}what {parameter.name or 'an argument'} is; 0 is passed")
            guess.arguments.append("0")
    if answers:
        guess.result = guess.holder
    if operation.startswith("kernel_pages."):
        _count_pages(guess)
    returns = function.returns
    if returns.kind == "bool":
        guess.fails = "not value"
    elif answers and guess.holder == "value":
        guess.fails = "value == NULL" if returns.kind == "pointer" else "value < 0" if returns.signed else None
    elif returns.kind in ("integer", "enum"):
        guess.fails = "value != 0"
    if answers and may_be_null(operation):
        guess.fails, guess.result = None, f"null if {guess.holder} == 0 else {guess.holder}"
        guess.why.append(f"{CHOOSE}how it shows that there is nothing; 0 is taken for that")
    if operation == "process.create" and guess.fails in (None, "value < 0"):
        guess.fails = "value <= 0"
    return guess
