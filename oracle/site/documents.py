"""The documents of the repository as pages of the site: where each goes, and where its links lead."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from memoracle.site.markup import SOURCES

DOCS = "docs"
AT_ROOT = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)((?:#[^)\s]*)?)\)")


def links_of(text: str) -> Iterator[str]:
    """Where a document's links lead, as they are written, without anchors."""
    for found in LINK.finditer(text):
        yield found[1]


def target(document: str, link: str) -> str:
    """The file or folder, from the repository's root, that a link of a document leads to.

    document: from the root, as `docs/trace.md`.
    """
    return posixpath.normpath(posixpath.join(posixpath.dirname(document), link))


def page_of(path: str) -> str | None:
    """The page of a document; None if the site shows the file as it is."""
    if path in AT_ROOT:
        return AT_ROOT[path]
    folder, _, name = path.partition("/")
    return name if folder == DOCS and name.endswith(".md") else None


def linked(document: str, text: str, root: Path) -> str:
    """A document with its links to files of the repository changed to those of the site."""

    def changed(found: re.Match[str]) -> str:
        path = target(document, found[1])
        page = page_of(path)
        if page is None:
            page = f"{SOURCES}/{path}" + ("/index.html" if (root / path).is_dir() else ".html")
        return f"]({page}{found[2]})"

    return LINK.sub(changed, text)


def shown_files(root: Path) -> set[str]:
    """The files and folders, from the root, that documents lead to and that are no documents."""
    documents = [*AT_ROOT, *(f"{DOCS}/{each.name}" for each in (root / DOCS).glob("*.md"))]
    led_to = {target(each, link) for each in documents for link in links_of((root / each).read_text(encoding="utf-8"))}
    return {each for each in led_to if page_of(each) is None}
