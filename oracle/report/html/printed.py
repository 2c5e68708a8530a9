"""What a terminal shows, as text."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

WIDTH = 88  # characters


def printed(prints: Callable[[Console], None]) -> str:
    """What is printed on a console, without colours."""
    console = Console(width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as captured:
        prints(console)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
