"""What a hostile input must not do to a report: end its syntax, be a command to who shows it, or become markup."""

from __future__ import annotations

import json
import re
from functools import cache
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

from memoracle.report.html.page import hash_of

ANNOTATION = re.compile(r"::(?:error|warning)(?: (?:(?:file|line|title)=[^\n:,]*,?)+)?::[^\n]*")
COMMAND = re.compile(r"^\s*::", re.MULTILINE)
RUNNERS = re.compile(r"##\w*\[")  # GitHub's, Azure's
SAYS = ("verdict", "records", "kind", "vectors")  # keys, of which a report has one
VOID = {"meta", "link", "br", "hr", "img", "input", "col"}
ELEMENTS = re.compile(r"[a-z][a-z0-9]*")
REACHES = {"href", "src", "action", "formaction", "data", "srcdoc", "style", "xlink:href"}
NEVER = {"img", "iframe", "object", "embed", "form", "base"}
LEVELS = {"error", "warning", "note"}


def hold_streams(out: str, errors: str, form: str) -> None:
    """No character on a stream is one that a terminal or an editor obeys, no line one that a runner does."""
    for text in (out, errors):
        assert text.replace("\n", "").isprintable(), text
    for text in (errors, *([] if form == "github" else [out])):
        assert COMMAND.search(text) is None, text
        assert RUNNERS.search(text) is None, text


def hold(form: str, text: str) -> None:
    """A report that was written can be read, and says what such a report says."""
    if form in READ and text:
        READ[form](text)


def of_json(text: str) -> Any:
    found = json.loads(text)
    assert found["memoracle"] == 1
    assert found[next(key for key in SAYS if key in found)] is not None
    return found


def of_junit(text: str) -> None:
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    elements = list(root.iter())
    assert {each.tag for each in elements} <= {
        *("testsuites", "testsuite", "testcase", "failure", "error", "skipped", "system-out", "system-err"),
        *("properties", "property"),
    }
    counts = [len(list(root.iter(name))) for name in ("testcase", "failure", "error")]
    assert [int(root.get(name, "0")) for name in ("tests", "failures", "errors")] == counts, text


def of_sarif(text: str) -> None:
    found = json.loads(text)
    (run,) = found["runs"]
    rules = [each["id"] for each in run["tool"]["driver"].get("rules", [])]
    assert found["version"] == "2.1.0"
    assert len({*rules}) == len(rules)
    for each in run.get("results", []):
        assert each["level"] in LEVELS
        assert each["message"]["text"]
        assert "ruleIndex" not in each or rules[each["ruleIndex"]] == each["ruleId"]
        places = (place.get("physicalLocation") for place in each.get("locations", []))
        for uri in (place["artifactLocation"]["uri"] for place in places if place is not None):
            assert re.fullmatch(r"[\w.~!$&'()*+,;=:@%/-]*", uri, re.ASCII), uri


def of_github(text: str) -> None:
    """Each line that a runner takes for a command is an annotation of ours."""
    for line in text.splitlines():
        if COMMAND.match(line):
            assert ANNOTATION.fullmatch(line), line
        else:
            assert RUNNERS.search(line) is None, line


def of_itf(text: str) -> None:
    found = json.loads(text)
    variables = found["vars"]
    for each in found["states"]:
        assert {*variables} == {key for key in each if not key.startswith("#")}, text


def of_trace(text: str) -> None:
    for line in text.removesuffix("\n").split("\n"):  # a text may hold other ends of lines
        assert isinstance(json.loads(line), dict), line


class Page(HTMLParser):
    """What a browser would make of a page, as far as it matters."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.policy = ""
        self.seen = set[str]()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert ELEMENTS.fullmatch(tag), tag
        assert tag not in NEVER, tag
        self.seen.add(tag)
        found = dict(attributes)
        for name, value in attributes:
            assert re.fullmatch("[a-z][a-z0-9-]*", name), name
            assert not name.startswith("on"), name
            assert name not in REACHES or (value or "").startswith(("#", "data:,")), (name, value)
        if tag == "meta" and found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found.get("content") or ""
        if tag == "script":
            self.scripts.append((found, ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            attributes, text = self.scripts.pop()
            self.scripts.append((attributes, text + data))


def of_html(text: str) -> None:
    """Only our script runs, no attribute does anything, nothing is fetched, and each element ends."""
    assert text.replace("\n", "").isprintable(), text
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == [], page.open
    (data, script) = page.scripts
    json.loads(data[1])
    assert data[0] == {"type": "application/json", "id": "data"}
    assert script[0] == {}
    assert known_hash(script[1]) in page.policy


def of_summary(text: str) -> None:
    """What GitHub shows of a step: HTML in Markdown, whose elements are ours and have no attributes."""
    assert text.replace("\n", "").isprintable(), text
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == [], page.open
    assert page.seen <= {"table", "tr", "td", "code", "details", "summary", "pre", "ul", "li"}, page.seen
    assert page.scripts == []


@cache
def known_hash(script: str) -> str:
    return hash_of(script)


READ = {"json": of_json, "junit": of_junit, "sarif": of_sarif, "github": of_github, "itf": of_itf, "html": of_html}
READ |= {"trace": of_trace, "summary": of_summary}
