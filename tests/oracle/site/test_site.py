"""The site says what the law, the proofs and the code say, and all of its links lead somewhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from html import unescape
from pathlib import Path

import pytest

import memoracle
from memoracle.explain.index import Index, text_of
from memoracle.proofs import registry, trust
from memoracle.proofs.obligations.obligation import Computation, Obligation, source_of
from memoracle.proofs.parts import component_of
from memoracle.site.law_pages import SHARED, last_name, modules_of, paragraphs, shared
from memoracle.site.law_text import pieces
from memoracle.spec.clauses import Clause, Operation, part_of

Read = Callable[[str], str]
CODE = "source/"
NAMED = re.compile(r'\s(?:href|src)="([^"]*)"')
ASSET = re.compile(r'<(?:link|script|img|iframe|source|object|embed)\b[^>]*\s(?:href|src|srcset|data)="([^"]*)"')
OUTSIDE = ("http:", "https:", "//")


@pytest.fixture
def read(site: Path) -> Read:
    return cache(lambda path: (site / path).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def index() -> Index:
    return Index()


def text(page: str) -> str:
    """What is read on a page, in one line, without the marks of code."""
    shown = re.sub(r"<[^>]*>", "", page.replace("<br>", " "))
    return " ".join(unescape(shown).replace("`", "").split())


def pages(site: Path) -> list[str]:
    return [each.relative_to(site).as_posix() for each in site.rglob("*.html")]


# Links


def test_every_link_leads_somewhere(site: Path, read: Read) -> None:
    @cache
    def anchors(path: Path) -> set[str]:
        found = re.findall(r'\bid="?([^"\s>]+)', read(path.relative_to(site.resolve()).as_posix()))
        return {*map(unescape, found)}

    followed, broken = 0, []
    for page in pages(site):
        for link in {*NAMED.findall(read(page))}:
            if link.startswith((*OUTSIDE, "data:")) or page == "404.html":  # which is served for any address
                continue
            path, _, anchor = unescape(link).partition("#")
            target = (site / page).parent / path if path else site / page
            target = target / "index.html" if target.is_dir() else target
            followed += 1
            if not target.is_file() or (anchor and anchor not in anchors(target.resolve())):
                broken.append((page, link))
    assert broken == []
    assert followed > 3000


def test_nothing_comes_from_elsewhere(site: Path, read: Read) -> None:
    """No page needs the network for what it shows; the theme's script asks for more only where there are diagrams."""
    assets = [(page, asset) for page in pages(site) for asset in ASSET.findall(read(page))]
    assert len(assets) > 100
    assert [each for each in assets if each[1].startswith(OUTSIDE)] == []
    sheets = [each.relative_to(site).as_posix() for each in site.rglob("*.css")]
    assert sheets
    assert [each for each in sheets if re.search(r"(?:url\(|@import)\s*['\"]?(?:https?:|//)", read(each))] == []
    assert [page for page in pages(site) if 'class="mermaid"' in read(page)] == []


# The law


def test_each_clause_and_operation_is_told_and_stands_beside_its_text(read: Read, index: Index) -> None:
    told = 0
    for name, of in index.law.items():
        component = component_of(part_of(text_of(of)))
        page = read(f"law/{component if component in registry.COMPONENTS else 'shared'}.html")
        block = page.split(f'id="{name.replace(" ", "-")}"')[1].split('<div class="clause')[0]
        assert of.says.replace("`", "") in text(f"<h4{block}"), name
        shown = text(f"<h4{block}")
        assert f"def {text_of(of).__name__}(" in shown, name
        assert source_of(text_of(of)) in shown, name
        for each in of.guard if isinstance(of, Operation) else ():
            assert f"{' '.join(each.says.replace('`', '').split())} ({index.names_in_law[each]})" in shown, name
        for operation in index.asked_in(of) if isinstance(of, Clause) else ():
            assert f"<code>{operation}</code>" in block.partition("asks it of")[2].partition("</p>")[0], name
        owed = [each.name for each in index.about(of)]
        assert re.findall(r'href="\.\./evidence\.html#([^"]+)"', block) == owed, name
        if more := len(index.beyond(of)):
            assert f"about it, {more} more come to it" in shown, name
        told += 1
    assert told == len(index.law) > 400


def test_all_of_the_law_is_shown_and_the_first_page_leads_to_each(read: Read, index: Index) -> None:
    """Its prose, its sections, and the definitions between the clauses."""
    first, seen = text(read("law/index.html")), 0
    for name in (*registry.COMPONENTS, SHARED):
        page = text(read(f"law/{name}.html"))
        modules = shared() if name == SHARED else modules_of(name)
        for module in modules:
            for piece in pieces(module):
                lines = [" ".join(each.replace("`", "").split()) for each in piece.text.splitlines()]
                assert [each for each in lines if each not in page and '"""' not in each] == [], (name, piece.kind)
                seen += piece.kind != "clause"
            for each in paragraphs(module):
                assert " ".join(each.replace("`", "").split()) in page
        own = next((each for each in modules if last_name(each) == name), modules[0])
        title = "What components share" if name == SHARED else name
        assert f"{title} {' '.join(paragraphs(own)[0].replace('`', '').split())}" in first
        assert f'<a href="{name}.html">' in read("law/index.html")
    assert seen > 100


def test_an_operation_is_told_with_its_guard_and_its_effect(read: Read) -> None:
    block = read("law/bitmap.html").split('id="frame.allocate"')[1].split('<div class="clause')[0]
    said = text(f"<h4{block}")
    assert "the implementation chooses frame" in said
    assert "only a free frame is allocated (bitmap.allocates-only-free)" in said
    assert "in a trace: frame.allocate" in said
    assert "count=s.count - 1" in said
    assert "One free frame, any of them, becomes allocated; it fails if and only if none is free." in said


def test_a_clause_says_what_it_is_and_what_is_owed_of_it(read: Read) -> None:
    block = read("law/bitmap.html").split('id="bitmap.count-is-the-free-frames"')[1].split('<div class="clause')[0]
    assert "<b>invariant</b>" in block
    assert 'href="../evidence.html#bitmap.allocate.keeps-count-is-the-free-frames"' in block
    block = read("law/bitmap.html").split('id="bitmap.hands-out-once"')[1].split('<div class="clause')[0]
    assert "<b>theorem</b>" in block
    block = read("law/bitmap.html").split('id="bitmap.allocates-only-free"')[1].split('<div class="clause')[0]
    assert 'guards <a href="bitmap.html#frame.allocate">' in block


# The evidence


def test_every_claim_has_a_row_and_no_other(read: Read, index: Index) -> None:
    rows = re.findall(r'<tr id="([^"]+)">', read("evidence.html"))
    assert sorted(rows) == sorted([*index.obligations, *(f"impl.{each}" for each in index.contracts)])


def test_every_claim_is_told_with_its_scope(read: Read, index: Index) -> None:
    shown = read("evidence.html")
    told = {row.partition('"')[0]: text(row.partition(">")[2]) for row in shown.split('<tr id="')[1:]}
    for name, each in index.obligations.items():
        assert " ".join(each.claim.replace("`", "").split()) in told[name], name
        assert " ".join(each.scope.replace("`", "").split()) in told[name], name
        assert each.source in told[name]
        numbers = "integers" if not isinstance(each, Computation) and each.integers else "bit vectors"
        way = "run to its end" if isinstance(each, Computation) else f"solver, {numbers}"
        assert way in told[name], name
        if isinstance(each, Obligation) and each.together:
            assert f"in {each.together}" in told[name], name


def test_the_counts_are_those_of_the_rows(read: Read) -> None:
    shown = read("evidence.html")
    rows = [re.findall(r"<td>(.*?)</td>", each) for each in shown.split('<tr id="')[1:]]
    assert f"has to show: {len(rows):,} claims" in text(shown)
    kinds, scopes, ways = Counter(row[1] for row in rows), Counter[str](), Counter[str]()
    for _, kind, scope, way in rows:
        ways[text(way.partition("<br>")[0])] += 1
        scopes[text(scope)] += kind != "contract"
    told = dict(re.findall(r"<td>([^<]*)</td>\s*<td style=\"text-align: right;\">([\d,]+)</td>", shown))
    told = {" ".join(unescape(name).split()): int(count.replace(",", "")) for name, count in told.items()}
    assert told == {**ways, **{scope: count for scope, count in scopes.items() if count}}
    head, *body = re.findall(
        r"<tr>(.*?)</tr>", shown.partition('id="what-is-owed"')[2].partition("</table>")[0], re.DOTALL
    )
    columns = re.findall(r"<th>([^<]*)</th>", head)[1:]
    cells = [[int(each or 0) for each in re.findall(r'<td class="n">(\d*)</td>', row)] for row in body]
    assert {name: sum(column) for name, column in zip(columns, zip(*cells, strict=True), strict=True)} == kinds


def test_all_that_is_trusted_is_told(read: Read) -> None:
    shown = text(read("evidence.html"))
    for each in trust.trusted(contracts=True, machine=True):
        assert " ".join(each.replace("`", "").split()) in shown


# The Python API


def test_every_public_name_is_told_and_every_method_of_the_reference(read: Read, index: Index) -> None:
    shown = read("api.html")
    named = {name: getattr(memoracle, name) for name in memoracle.__all__}
    for name, value in named.items():
        assert f'id="{value.__module__}.{name}"' in shown, name
    of_reference = [each for each in index.contracts.values() if each.owner in named.values()]
    methods = [each for each in of_reference if each.name != "__init__"]
    assert len(methods) > 50
    for each in methods:
        assert f'id="{each.module.__name__}.{each.qualified}"' in shown, each.qualified
