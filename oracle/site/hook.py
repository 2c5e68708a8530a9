"""The hook of `mkdocs.yml`: adds the pages that are made from the code to those that `docs/` has.

Search is told besides what else a part of the law is looked for by.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files, InclusionLevel

from memoracle.explain.index import Index
from memoracle.site import documents, source_pages
from memoracle.site.api_page import api_page
from memoracle.site.evidence_page import evidence_page
from memoracle.site.law_pages import FOLDER, law_pages
from memoracle.site.markup import SOURCES, sources_in

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page


NAME = re.compile(r"\w+\.(\S+)")  # of a part of the law: a component, and what it has


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what is not in `docs/`."""
    root, index = root_of(config), Index()
    pages = {path: (root / document).read_text(encoding="utf-8") for document, path in documents.AT_ROOT.items()}
    pages |= {f"{FOLDER}/{page.name}.md": page.text for page in law_pages(index)}
    pages |= {"evidence.md": evidence_page(index), "api.md": api_page()}
    named = documents.shown_files(root) | {file for text in pages.values() for file in sources_in(text)}
    pages |= {f"{SOURCES}/{path}": text for path, text in source_pages.source_pages(root, named)}
    pages["assets/source.css"] = source_pages.style()
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text, inclusion=InclusionLevel.INCLUDED))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A document's links lead to pages of the site."""
    names = {path: document for document, path in documents.AT_ROOT.items()}
    of_docs = f"{documents.DOCS}/{page.file.src_uri}"
    root = root_of(config)
    document = names.get(page.file.src_uri, of_docs)
    return documents.linked(document, markdown, root) if (root / document).is_file() else markdown


@event_priority(-100)  # once the search plugin has written its index
def on_post_build(config: MkDocsConfig) -> None:
    """Search finds a part of the law by the last part of its name."""
    path = Path(config.site_dir) / "search" / "search_index.json"
    index = json.loads(path.read_text(encoding="utf-8"))
    tag_last_parts(index["docs"])
    path.write_text(json.dumps(index, separators=(",", ":")), encoding="utf-8")


def tag_last_parts(documents: Iterable[dict[str, Any]]) -> None:
    """Tags each clause and operation of a search index: `bitmap.allocates-only-free` with `allocates-only-free`."""
    for each in documents:
        named = NAME.fullmatch(unescape(re.sub("<[^>]*>", "", each["title"])))
        if named and each["location"].startswith(f"{FOLDER}/"):
            each["tags"] = [named[1]]


def root_of(config: MkDocsConfig) -> Path:
    """The folder of the repository."""
    return Path(config.config_file_path).parent
