"""From what the law and the proofs say to Markdown and HTML: prose, files that are named, templates."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

CODE = re.compile(r"(`[^`]+`)")
SPECIAL = re.compile(r"([\\*_\[\]#|])")
FILE = re.compile(r"(?<![\w/])((?:spec|impl|proofs|oracle)/[\w/]+\.py)(?::(\d+))?")
SOURCES = "source"  # the folder of the site with the files that it shows


def rendered(template: str, **content: Any) -> str:
    """A page in Markdown."""
    return environment().get_template(template).render(**content)


@cache
def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (files(__package__) / "templates" / name).read_text("utf-8")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"prose": prose, "line": line, "html": html, "at": at}
    return made


def prose(text: str) -> str:
    """Text as Markdown that says the same: what is no code between backticks has no markup."""
    parts = CODE.split(text)
    return "".join(
        each if index % 2 else SPECIAL.sub(r"\\\1", escape(each, quote=False)) for index, each in enumerate(parts)
    )


def line(text: str) -> str:
    """A sentence as prose in a line."""
    return prose(" ".join(text.split()))


def html(text: str) -> Markup:
    """Text as HTML, with what stands between backticks as code, and the files that it names as links."""
    parts = CODE.split(text)
    shown = [f"<code>{escape(e.strip('`'))}</code>" if i % 2 else escape(e) for i, e in enumerate(parts)]
    return Markup(FILE.sub(lambda found: _link(found[1], found[2] or ""), "".join(shown)))


def at(source: str, up: str = "") -> Markup:
    """A link to a line of a file, as `spec/bitmap.py:12`. up: from the page to the site's first folder."""
    path, _, number = source.partition(":")
    return Markup(_link(path, number, up))


def _link(path: str, number: str, up: str = "") -> str:
    anchor, said = (f"#L-{number}", f"{path}:{number}") if number else ("", path)
    return f'<a href="{up}{SOURCES}/{path}.html{anchor}">{said}</a>'


def sources_in(text: str) -> set[str]:
    """The files whose pages a page has links to."""
    return {*re.findall(rf'href="(?:\.\./)?{SOURCES}/([^"#]+)\.html', text)}
