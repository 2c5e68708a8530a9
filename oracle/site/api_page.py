"""The public Python API: what `memoracle` exports, for mkdocstrings to read from the docstrings."""

from __future__ import annotations

import memoracle
from memoracle.site.markup import rendered


def api_page() -> str:
    """A page of directives, one for each name."""
    named = {name: getattr(memoracle, name) for name in memoracle.__all__}
    functions = [name for name, value in named.items() if not isinstance(value, type)]
    errors = [name for name, value in named.items() if isinstance(value, type) and issubclass(value, Exception)]
    of_library = [n for n, v in named.items() if ".library." in v.__module__ and n not in functions]
    reference = [name for name in named if name not in (*functions, *errors, *of_library)]
    sections = {
        "Functions": functions,
        "What they return, and tests": of_library,
        "Errors": errors,
        "The reference": reference,
    }
    paths = {name: f"{value.__module__}.{name}" for name, value in named.items()}
    return rendered("api.md", sections=sections, paths=paths)
