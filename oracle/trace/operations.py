"""What operations are asked, and what they answer, as traces have it."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any, cast, get_type_hints

from msgspec.structs import fields

from memoracle.trace.events import Action, Answer, AnyEvent, operation_of_kind
from memoracle.trace.memory_types import NUMBERS, CacheName
from memoracle.trace.numbers import Number, number

KINDS = {operation_of_kind(kind): kind for kind in AnyEvent.__args__}
NOTHING, NUMBER, TRUTH, MEMORY_TYPE, MORE = "nothing", "a number", "true or false", "a memory type", "more"
ANSWERS = {NoneType: NOTHING, Number | None: NUMBER, bool | None: TRUTH, CacheName | None: MEMORY_TYPE}
KERNEL_PAGES, ZONE, CACHE = "kernel_pages.allocate", "zone", "cache"
NO_ARGUMENTS = frozenset({"result", "error"})
LISTS = frozenset({"tables", "frames"})  # arguments that no expression can name
# What a call that does not name an argument means by that, where the law has no number for it.
UNSAID = {"count": 1, "order": 0, "alignment": 1, "from": 0, "below": (1 << 64) - 1, "process": 0}


# Operations that change nothing, by what they end with.
ASKING = ("is_free", "free_count", "size", "list", "translate", "attributes", "read", "dump")
QUESTIONS = frozenset(each for each in KINDS if each.partition(".")[2] in ASKING or each.startswith(("pat.", "pte.")))


def arguments_of(operation: str) -> dict[str, bool]:
    """The names of an operation's arguments, as a trace has them; whether each is due."""
    return {
        each.encode_name: each.required for each in fields(KINDS[operation]) if each.encode_name not in NO_ARGUMENTS
    }


def meant_by(operation: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What arguments are that an event leaves out. defaults: as the binding has them, before those of the law."""
    stated = {each.encode_name: each.default for each in fields(KINDS[operation])}
    said = {name: value for name, value in stated.items() if isinstance(value, bool | int | str)}
    own = {name: number(value) if is_hexadecimal(value) else value for name, value in defaults.items()}
    found = {**UNSAID, **said, **own}
    return found | ({CACHE: NUMBERS[cast(CacheName, found[CACHE])]} if CACHE in found else {})


def is_hexadecimal(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("0x")


def answer_of(operation: str) -> str:
    """Of which kind an operation's answers are: NOTHING, NUMBER, ..."""
    return ANSWERS.get(get_type_hints(KINDS[operation])["result"], MORE)


def may_be_null(operation: str) -> bool:
    """Whether an operation may answer that there is nothing to answer."""
    return issubclass(KINDS[operation], Action | Answer)
