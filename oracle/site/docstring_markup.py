"""Docstrings as Markdown: each argument or field a point of a list, each condition of a contract a line of code."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from griffe import Class, Extension, Function, Object

from memoracle.proofs.contracts.docstrings import CONDITION_LINE


class DocstringMarkup(Extension):
    """Griffe's extension, which `mkdocs.yml` names."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value, names_of(obj))


def names_of(described: Object) -> set[str]:
    """The names that a docstring may explain: parameters; of a class its attributes, and what makes it takes."""
    if isinstance(described, Function):
        return {each.name for each in described.parameters}
    if isinstance(described, Class):
        return {*described.members, *(each.name for each in described.parameters)}
    return set()


def as_markdown(docstring: str, names: Collection[str]) -> str:
    """A docstring that explains names, one after the other in a paragraph, and has conditions in lines of their own."""
    found = list[str]()
    for paragraph in docstring.split("\n\n"):
        lines = paragraph.splitlines()
        is_contract = any(CONDITION_LINE.match(each) for each in lines)
        if is_contract:
            found.append("\n".join(["```python", *(each.strip() for each in lines), "```"]))
        else:
            found.append(listed(paragraph, names))
    return "\n\n".join(found)


def listed(paragraph: str, names: Collection[str]) -> str:
    """`frames: how many.  trusting: whether …` as a list, if these are names; another paragraph as it is."""
    text = " ".join(paragraph.split())
    start = re.compile(rf"(?:^|(?<=[.)] ))({'|'.join(map(re.escape, names)) or '(?!)'}): ")
    before, *parts = start.split(text)
    if not parts:
        return paragraph
    points = [f"- `{name}`: {said.strip()}" for name, said in zip(parts[::2], parts[1::2], strict=True)]
    return "\n\n".join([*([before.strip()] if before.strip() else []), "\n".join(points)])
