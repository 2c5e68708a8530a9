"""The site in a real browser: read in light and dark and on a phone, searched, and asking no network for anything."""

from __future__ import annotations

import pytest
from browser import PHONE, Browser

PAGES = ("index", "law/pat")
# What search finds is in it, and what it says is the page's.
FOUND = "document.querySelector('.md-search-result__item > .md-search-result__link:not([href$=\".html\"])')"


@pytest.mark.parametrize("page", PAGES)
def test_everybody_can_read_it(browser: Browser, address: str, page: str) -> None:
    """By its contrast in both schemes; on a phone nothing but what has bars of its own is too wide."""
    name = page.replace("/", "-")
    for scheme, applied in (("light", "default"), ("dark", "slate")):
        browser.show(f"{address}/{page}.html", scheme)
        assert browser.ask("document.body.dataset.mdColorScheme") == applied
        browser.keep(f"site-{name}-{scheme}")
        assert browser.violations("color-contrast") == []
        assert browser.complaints() == []
    browser.show(f"{address}/{page}.html", size=PHONE)
    browser.keep(f"site-{name}-phone")
    browser.resize(*PHONE)
    assert browser.overhang() == 0


def test_a_link_leads_to_a_clause(browser: Browser, address: str) -> None:
    browser.show(f"{address}/index.html")
    browser.click("document.querySelector('.md-tabs a[href*=\"law/\"]')")
    browser.wait("document.title.startsWith('The law')")
    browser.click("document.querySelector('article a[href=\"bitmap.html\"]')")
    browser.wait("document.title.startsWith('bitmap')")
    browser.click("document.querySelector('article a[href$=\"#bitmap.allocates-only-free\"]:not(.headerlink)')")
    browser.wait("document.querySelector(':target')?.textContent.startsWith('bitmap.allocates-only-free')")
    browser.wait("document.querySelector(':target + .says')?.innerText.includes('Only a free frame')")
    assert browser.complaints() == []


def test_search_finds_a_part_of_the_law_by_its_name_and_by_the_last_part(browser: Browser, address: str) -> None:
    browser.show(f"{address}/index.html")
    for said, name in (
        ("bitmap.allocates-only-free", "bitmap.allocates-only-free"),
        ("allocates-only-free", "bitmap.allocates-only-free"),
        ("allocates_only_free", "bitmap.allocates-only-free"),
        ("reserves_only_free", "bitmap.reserves-only-free"),
        ("is_free", "frame.is_free"),
        ("frame.allocate", "frame.allocate"),
    ):
        browser.ask("document.querySelector('.md-search__form').reset()")
        # What was found before is no answer to what is asked now.
        browser.ask("document.querySelector('.md-search-result__list').replaceChildren()")
        browser.ask("document.querySelector('.md-search__input').focus()")
        browser.press(*said)
        browser.wait("document.querySelector('.md-search__input').value === arguments[0]", said)
        browser.wait(f"{FOUND}?.href.endsWith(`#${{arguments[0]}}`)", name)  # there is none while it is found anew
    browser.click(FOUND)
    browser.wait("document.querySelector(':target')?.textContent.startsWith(arguments[0])", name)
    # A name that is being typed, as `allocates-`, is no query to the theme, which then says so and finds nothing yet.
    assert [each for each in browser.complaints() if "/workers/search." not in each] == []


def test_no_network_is_asked(browser: Browser, address: str) -> None:
    """The theme's script names two addresses elsewhere, for diagrams and for old browsers: no page needs them."""
    for page in (*PAGES, "evidence", "api"):
        browser.show(f"{address}/{page}.html")
        if page == "api":
            browser.ask("document.querySelector('.md-search__input').focus()")
            browser.press("a")
            browser.wait("document.querySelector('.md-search-result__item')")
        asked = browser.requests()
        assert f"{address}/{page}.html" in asked
        assert {each for each in asked if not each.startswith((f"{address}/", "data:", "chrome:"))} == set()
