"""What is installed with an extra of the package alone: what proofs need, and nothing else does."""

from __future__ import annotations

from importlib.util import find_spec

PROVE = ("z3", "crosshair", "unicorn")  # modules of the extra `prove`
HINT = "the extra `prove`: pip install 'memoracle[prove]'"


class MissingExtraError(ImportError):
    """Something is not installed; the text says how to install it."""


def can_prove() -> bool:
    """Whether what proofs need is installed."""
    return all(find_spec(each) is not None for each in PROVE)


def require_prove(what: str) -> None:
    """Raises MissingExtraError where it is not. what: needs it, for the message."""
    if not can_prove():
        raise MissingExtraError(f"{what} needs {HINT}")
