"""The files that pages speak of, with an anchor in each line: what is said can be held against what is written."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from html import escape
from pathlib import Path

from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.util import ClassNotFound

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<link rel="stylesheet" href="{up}assets/source.css"></head>
<body><h1><a href="{up}index.html">memoracle</a> / {title}</h1>
{body}</body></html>
"""
STYLE = """
body { margin: 1rem; font: 15px/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText; }
h1 { font-size: 1.1rem; }
pre { font: 13px/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; tab-size: 4; overflow-x: auto; }
.linenos { user-select: none; margin-right: 1em; }
span:target { outline: 2px solid Highlight; }
"""


def source_pages(root: Path, named: Collection[str]) -> Iterator[tuple[str, str]]:
    """The path of each page, from the site's folder of sources, and its text.

    named: files and folders, from the root; of a folder every file has a page, and there is one that lists these.
    """
    files = {root / each for each in named if not (root / each).is_dir()}
    for each in named:
        if (root / each).is_dir():
            inside = files_in(root / each)
            files |= {*inside}
            yield f"{each}/index.html", listing(root, root / each, inside)
    for file in sorted(files):
        yield f"{file.relative_to(root).as_posix()}.html", of_file(root, file)


def files_in(folder: Path) -> list[Path]:
    return sorted(each for each in folder.rglob("*.*") if each.is_file() and each.parent.name != "__pycache__")


def of_file(root: Path, file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    return framed(root, file, highlight(text, lexer_of(file), formatter()))


def listing(root: Path, folder: Path, files: list[Path]) -> str:
    names = [each.relative_to(folder).as_posix() for each in files]
    items = "\n".join(f'<li><a href="{escape(each)}.html">{escape(each)}</a></li>' for each in names)
    return framed(root, folder / "index", f"<ul>\n{items}\n</ul>")


def framed(root: Path, file: Path, body: str) -> str:
    path = file.relative_to(root)
    return PAGE.format(title=escape(path.as_posix()), up="../" * len(path.parts), body=body)


def style() -> str:
    """The sheet of all source pages, light and dark."""
    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    scheme = ":root { color-scheme: light dark; }"
    return f"{scheme}\n{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n{STYLE}"


@cache
def formatter() -> HtmlFormatter[str]:
    return HtmlFormatter(linenos="inline", linespans="L", wrapcode=True)


def lexer_of(file: Path) -> Lexer:
    try:
        return get_lexer_for_filename(file.name)
    except ClassNotFound:
        return get_lexer_by_name("json" if file.suffix == ".jsonl" else "text")
