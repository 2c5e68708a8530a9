"""One HTML page that needs nothing besides: its style, its script and its data stand in it.

Whatever is shown is escaped twice: what is not printable as a terminal is shown it (`escaped`), and then as HTML. Data
for the script is JSON in an element of its own. A Content-Security-Policy lets just this style and this script count.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from memoracle.console.counted import counted
from memoracle.diagnostics.warned import Warned
from memoracle.trace.quoting import escaped

FOLDER = "memoracle.report.html"
SCRIPTS = ("states.js", "steps.js")
MOST_WARNINGS = 50
NO_ASCII = re.compile(r"[^\x00-\x7f]")
VERSION = version("memoracle")


def page(template: str, content: dict[str, Any]) -> str:
    """A page, in ASCII. content: what the template shows; `timelines` in it is what the script draws."""
    style = NO_ASCII.sub(lambda found: f"\\{ord(found[0]):x} ", text_of("page.css"))
    script = "\n".join(['"use strict";', *map(text_of, SCRIPTS)])
    script = NO_ASCII.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", script)
    rendered = (
        environment()
        .get_template(template)
        .render(
            page=content,
            version=VERSION,
            data=Markup(as_data({"timelines": content["timelines"]})),
            style=Markup(style),
            style_hash=hash_of(style),
            script=Markup(script),
            script_hash=hash_of(script),
        )
    )
    return rendered.encode("ascii", "xmlcharrefreplace").decode() + "\n"


def warnings_data(warnings: Sequence[Warned]) -> list[dict[str, str]]:
    """What a page says first: where something stands that is worth knowing, and what it is."""
    told = [{"where": each.where, "words": each.words} for each in warnings[:MOST_WARNINGS]]
    more = len(warnings) - MOST_WARNINGS
    return [*told, *([{"where": "", "words": f"and {counted(more, 'warning')} more"}] if more > 0 else [])]


@cache
def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(text_of),
        autoescape=True,
        finalize=shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["badge"] = vars(made.get_template("parts.html").module)["badge"]
    return made


@cache
def text_of(name: str) -> str:
    """A file of the templates' folder."""
    return (files(FOLDER) / "templates" / name).read_text(encoding="utf-8")


def shown(value: object) -> object:
    """What a template shows of a value; what is markup already stays as it is."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "\n".join(map(escaped, value.split("\n")))
    return value


def as_data(value: object) -> str:
    """A value as JSON that ends no element and holds no character that is not printable."""
    return json.dumps(printable(value)).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def printable(value: object) -> object:
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, dict):
        return {printable(key): printable(each) for key, each in value.items()}
    return [printable(each) for each in value] if isinstance(value, list | tuple) else value


def hash_of(text: str) -> str:
    """What a Content-Security-Policy names an element by (https://www.w3.org/TR/CSP3/#external-hash)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
