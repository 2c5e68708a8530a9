"""What led to a divergence, stepped through on a page in a real browser, and how each state is drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from browser import PHONE, ROOT, Browser, at
from kmem_events import alloc, free
from selenium.webdriver.common.keys import Keys

Shown = Callable[..., Path]
EXAMPLES, DEFECTS = ROOT / "examples", ROOT / "tests" / "data" / "defects"


def test_keys_step_through_a_timeline(browser: Browser, shown: Shown) -> None:
    browser.show(shown("check", str(EXAMPLES / "diverging.jsonl")))
    assert at(browser) == 9
    assert browser.texts(".broken .says") == ["All of the block is free"]
    assert "here it diverges" in browser.texts(".now")[0]
    drawing = browser.ask("document.querySelector('.stage').innerText")
    browser.press(Keys.ARROW_LEFT)
    assert at(browser) == 8
    assert browser.ask("document.querySelector('.stage').innerText") != drawing
    assert "1 page at 0x1000000 of process 1: new, in use by line 9" in browser.texts(".changes li")
    assert browser.ask("document.querySelectorAll('.node.changed').length") == 5, "a block, and its four parts"
    assert "1 page at 0x1000000 of process 1" in browser.texts("[aria-live=polite]")[0]
    assert browser.texts("[aria-current=step]") == ["line 9: range.allocate process=1 pages=1 -> 0x1000000 (_cpu=1)"]
    browser.press(Keys.HOME)
    assert at(browser) == 1
    assert browser.ask("[...document.querySelectorAll('.controls button:disabled')].length") == 2
    browser.press(Keys.ARROW_LEFT)
    assert at(browser) == 1
    browser.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert at(browser) == 3
    browser.press(Keys.END)
    assert at(browser) == 9
    browser.ask("document.querySelectorAll('.steps button')[3].click()")
    assert at(browser) == 4
    browser.ask("document.querySelector('.controls button[title^=Right]').click()")
    assert at(browser) == 5
    browser.ask("document.querySelector('.controls input').focus()")
    browser.press(Keys.HOME)
    assert at(browser) == 1, "the slider has keys of its own"
    assert browser.complaints() == []


def test_a_finger_steps_through_a_timeline(browser: Browser, shown: Shown) -> None:
    browser.show(shown("check", str(EXAMPLES / "frames.jsonl")), size=PHONE)
    last = at(browser)
    for begins, ends, step in ((100, 250, last - 1), (250, 100, last), (100, 130, last)):
        for kind, x in (("touchStart", begins), ("touchMove", ends), ("touchEnd", None)):
            points = [] if x is None else [{"x": x, "y": browser.ask(MIDDLE)}]
            browser.chrome.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        assert at(browser) == step


def test_keys_are_the_timelines_own_where_nothing_else_wants_them(browser: Browser, shown: Shown) -> None:
    """Of two timelines they step through the one that has the focus, or that is in view."""
    browser.show(shown("check", str(EXAMPLES / "diverging.jsonl"), "--keep-going"))
    places = "[...document.querySelectorAll('[data-timeline]')].map(each => Number(each.dataset.at))"
    key = (
        "document.querySelector(arguments[0]).dispatchEvent("
        "new KeyboardEvent('keydown', {bubbles: true, cancelable: true, ...arguments[1]}))"
    )
    first, second = browser.ask(places)
    for modifier in ("altKey", "ctrlKey", "metaKey", "shiftKey"):
        assert browser.ask(key, "body", {"key": "ArrowLeft", modifier: True}), "the browser's own"
    for owner in (".strip", "summary", "a"):
        assert browser.ask(key, owner, {"key": "ArrowLeft"})
    assert browser.ask(key, "body", {"key": "ArrowUp"})
    assert browser.ask(places) == [first, second]
    assert not browser.ask(key, "body", {"key": "ArrowLeft"}), "the page does not scroll besides"
    assert browser.ask(places) == [first - 1, second]
    browser.ask("document.querySelectorAll('.controls')[1].querySelector('button').focus({preventScroll: true})")
    browser.press(Keys.ARROW_LEFT)
    assert browser.ask(places) == [first - 1, second - 1]
    browser.ask("(document.activeElement.blur(), document.querySelectorAll('.stage')[1].scrollIntoView())")
    browser.press(Keys.ARROW_LEFT)
    assert browser.ask(places) == [first - 1, second - 2]


def test_buttons_and_slider_say_where_one_is(browser: Browser, shown: Shown) -> None:
    browser.show(shown("check", str(EXAMPLES / "diverging.jsonl")))
    disabled = "[...document.querySelectorAll('.controls button:disabled')].map(each => each.textContent)"
    slider = "(e => [e.value, e.getAttribute('aria-valuetext')])(document.querySelector('.controls input'))"
    in_list = (
        "((list, item) => list.top <= item.top && item.bottom <= list.bottom)(...['.steps', '[aria-current]']"
        ".map(each => document.querySelector(each).getBoundingClientRect()))"
    )
    assert "2 pages at 0xc00000 overlap the block" in browser.texts("[aria-live=polite]")[0]
    assert browser.ask(in_list)
    assert browser.ask(disabled) == ["Next", "Last"]
    for button, step, off in (("Back", 8, []), ("First", 1, ["First", "Back"]), ("Last", 9, ["Next", "Last"])):
        browser.ask(
            "[...document.querySelectorAll('.controls button')].find(e => e.textContent === arguments[0]).click()",
            button,
        )
        assert at(browser) == step
        assert browser.ask(slider) == [str(step), f"step {step} of 9, line {step + 1}"]
        assert browser.ask(disabled) == off
    sizes = browser.ask("[...document.querySelectorAll('.controls button')].map(e => e.getBoundingClientRect().height)")
    assert min(sizes) >= 44, "a finger hits it"


def test_what_matters_is_seen(browser: Browser, shown: Shown) -> None:
    """The focus, what changed, what is named; what is only said is not seen."""
    browser.show(shown("check", str(EXAMPLES / "diverging.jsonl")))
    style = "(e => (s => [s.outlineStyle, parseFloat(s.outlineWidth)])(getComputedStyle(e)))"
    shadow = "getComputedStyle(document.querySelector(arguments[0])).boxShadow"
    assert browser.ask(shadow, ".node.named") != "none"
    browser.press(Keys.ARROW_LEFT)
    assert browser.ask(shadow, ".node.named") != "none"
    assert browser.ask(f"{style}(document.querySelector('.node.changed'))") == ["solid", 3]
    assert browser.ask("document.querySelector('p.unseen').getBoundingClientRect().width") <= 1
    browser.press(Keys.TAB)
    assert browser.ask("document.activeElement.className") == "skip"
    assert browser.ask("document.activeElement.getBoundingClientRect().left") >= 0
    assert browser.ask(f"{style}(document.activeElement)") == ["solid", 3]


def test_a_phone_shows_what_matters_first(browser: Browser, shown: Shown) -> None:
    """The list of steps is closed, a strip is scrolled to what is named, and a finger may scroll it."""
    touch = "Emulation.setTouchEmulationEnabled"
    browser.chrome.execute_cdp_cmd(touch, {"enabled": True})
    browser.show(shown("check", str(EXAMPLES / "diverging.jsonl")), size=PHONE)
    assert browser.ask("document.querySelector('.aside details').open") is False
    seen = "[...document.querySelectorAll('.keys, .fingers')].map(each => each.checkVisibility())"
    browser.ask("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser.ask(seen) == [False, True]
    browser.press(Keys.ARROW_LEFT)
    middles = (
        "['.strip', '.strip :is(.changed, .named)'].map(each => document.querySelector(each).getBoundingClientRect())"
        ".map(box => Math.round((box.left + box.right) / 2))"
    )
    strip, node = browser.ask(middles)
    assert abs(strip - node) < 10
    browser.ask("document.querySelector('.strip').scrollIntoView()")
    top = browser.ask("document.querySelector('.strip').getBoundingClientRect().y")
    for kind, x in (("touchStart", 100), ("touchMove", 250), ("touchEnd", None)):
        points = [] if x is None else [{"x": x, "y": top + 20}]
        browser.chrome.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert at(browser) == 8
    browser.chrome.execute_cdp_cmd(touch, {"enabled": False})


MIDDLE = (
    "(document.querySelector('.now').scrollIntoView(), document.querySelector('.now').getBoundingClientRect().y + 5)"
)


def test_what_diverges_is_told_where_it_happens(browser: Browser, shown: Shown) -> None:
    """The earlier line that a message names is a step; the state that the law has does not change."""
    browser.show(shown("check", str(EXAMPLES / "first.jsonl")))
    assert browser.texts(".wrong") == ["✗ frame 3 is already allocated (by line 3) — legal: any of 13 free frames"]
    assert browser.texts(".changes") == ["The law has no such step, so what is drawn stays as it was."]
    assert browser.ask("document.querySelectorAll('.ends .word .named').length") == 2
    assert browser.texts(".message .to") == ["line 3"]
    browser.ask("document.querySelector('.message .to').click()")
    assert at(browser) == 2
    assert browser.texts(".wrong") == []
    assert browser.texts(".changes li") == ["frame 3: free, then in use by line 3"]
    assert browser.ask("document.querySelectorAll('.ends').length") == 0
    assert browser.complaints() == []


def test_neighbours_that_change_alike_are_told_once(browser: Browser, shown: Shown) -> None:
    browser.show(shown("check", str(DEFECTS / "merge-across-a-hole.bad.jsonl")))
    assert browser.texts(".changes li") == [
        "frames 8 to 9: free, then in use by line 4",
        "frames 12 to 15: free, then in use by line 4",
    ]


def test_blocks_of_a_heap_are_drawn_as_they_lie(browser: Browser, shown: Shown) -> None:
    browser.show(shown("check", str(DEFECTS / "resize-over-its-neighbour.bad.jsonl")))
    drawn = "[...document.querySelectorAll('.tree')].map(e => [...e.children].map(each => each.innerText))"
    before, after = browser.ask(drawn)
    assert before == [
        "100\nin use\nline 2\n…400010\n◎ this call",
        "140\nno live block\n…400074",
        "100\nin use\nline 3\n…400100",
    ]
    assert after == ["300\nin use\nline 4\n…400010\n◎ this call", "40\nno live block\n…40013c"]
    browser.press(Keys.HOME)
    assert browser.ask(drawn)[0] == ["100\nno live block\n…400010"]
    assert browser.complaints() == []


def test_an_entry_that_is_named_is_drawn_though_it_is_0(browser: Browser, shown: Shown, tmp_path: Path) -> None:
    events: list[dict[str, object]] = [{"memoracle": 1}, {"op": "pml4.read", "process": 0, "index": 300, "result": 1}]
    (tmp_path / "trace.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in events), encoding="utf-8")
    browser.show(shown("check", str(tmp_path / "trace.jsonl")))
    assert (
        browser.ask("[...document.querySelectorAll('.half i.named')].map(each => each.title)") == ["entry 300: 0x0"] * 2
    )


def test_several_divergences_and_traces_are_listed_first(browser: Browser, shown: Shown) -> None:
    names = ("conforming", "first", "diverging")
    browser.show(shown("check", *(str(EXAMPLES / f"{each}.jsonl") for each in names), "--keep-going"))
    assert browser.texts("header .lead") == ["3 traces: 1 conforms, 2 diverges"]
    assert browser.texts("nav h2") == ["3 divergences"]
    browser.ask("document.querySelectorAll('nav li a')[2].click()")
    browser.wait("document.querySelector(':target')?.textContent.includes('0x3fa00000')")


def test_keys_step_through_a_log(browser: Browser, shown: Shown, tmp_path: Path) -> None:
    log = tmp_path / "kmem.txt"
    log.write_text("".join(f"{each}\n" for each in (alloc(0x1000, 1), alloc(0x2000), free(0x1001), alloc(0x1000))))
    browser.show(shown("check", str(log)))
    assert at(browser) == 3
    assert browser.texts(".steps .gap") == ["one event left out"]
    assert browser.texts(".kind h3") == ["Pages", "Blocks of pages"]
    browser.press(Keys.ARROW_LEFT)
    assert browser.texts(".changes li") == ["page 0x1001: in use by line 1, then free by line 3"]
    named = "[...document.querySelectorAll('.word .named')].map(each => each.title)"
    assert browser.ask(named) == ["page 0x1001: in use by line 1", "page 0x1001: free by line 3"]
    assert [each for each in browser.texts(".legend span > .cell") if each] == ["?"]
    assert browser.complaints() == []


def test_keys_step_through_objects_of_a_log(browser: Browser, shown: Shown, tmp_path: Path) -> None:
    """What lies inside of an object names that."""
    line = "x-1 [000] .... 1.0: {}: call_site=f+0x1/0x2 ptr=0xffff8800000010{}{}\n"
    sizes = " bytes_req=64 bytes_alloc=64 gfp_flags=GFP_KERNEL"
    events = [("kmalloc", "00", sizes), ("kmalloc", "80", sizes), ("kfree", "80", ""), ("kfree", "20", "")]
    log = tmp_path / "kmem.txt"
    log.write_text("".join(line.format(*each) for each in events), encoding="utf-8")
    browser.show(shown("check", str(log)))
    assert browser.texts(".kind h3") == ["Objects of the page at 0xffff880000001000"]
    named = "[...document.querySelectorAll('.node.named')].map(each => each.title)"
    assert browser.ask(named) == ["64 bytes at 0xffff880000001000: in use by line 1"] * 2
    browser.press(Keys.ARROW_LEFT)
    assert browser.texts(".changes li") == [
        "object at 0xffff880000001080: 64 bytes, in use by line 2, then 64 bytes, free by line 3"
    ]
    assert browser.complaints() == []


def test_keys_step_through_an_order_of_what_overlaps(browser: Browser, shown: Shown) -> None:
    browser.show(shown("check", str(EXAMPLES / "overlapping.jsonl")))
    assert [each.partition(":")[0] for each in browser.texts(".steps button")] == [
        f"line {line}" for line in (3, 2, 4, 5, 7, 6)
    ]
    assert "it has no place in any order" in browser.texts(".now")[0]
    browser.press(*[Keys.ARROW_LEFT] * 3)
    assert browser.texts(".changes li") == ["frame 3: in use by line 3, then free by line 4"]
    assert browser.complaints() == []


def test_bars_show_what_has_no_order(browser: Browser, shown: Shown) -> None:
    browser.show(shown("check", str(EXAMPLES / "overlapping.jsonl")), size=PHONE)
    assert browser.texts(".bar.inside + text") == ["5!", "6!"]
    assert browser.texts("tr td:nth-child(2)") == [""] * 4 + ["✗ no order"] * 2
    right = "[...document.querySelectorAll('.bar.inside')].map(each => each.getBoundingClientRect().right)"
    assert max(browser.ask(right)) < PHONE[0], "one need not look for it"
