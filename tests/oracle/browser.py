"""A real browser for tests of pages, without a window and without a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.support.wait import WebDriverWait

ROOT = Path(__file__).parents[2]
CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")  # Debian's packages
AXE = ROOT / "tests" / "data" / "axe-core" / "axe.min.js"
SCREENSHOTS = ROOT / "build" / "screenshots"  # what the tests saw, to be looked at
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # which is small in a container
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = (1280, 900), (360, 740)  # CSS pixels
TALLEST = 4000  # of a screenshot
PATIENCE = 60  # seconds, for a busy machine
STARTS = 3


class Browser:
    """One browser, which shows one page at a time."""

    def __init__(self, chrome: Chrome) -> None:
        self.chrome = chrome

    def show(self, page: Path | str, scheme: str = "light", size: tuple[int, int] = DESKTOP) -> None:
        """Opens a page, a file or an address. scheme: the colours that the user prefers."""
        self.chrome.get_log("browser")
        self.chrome.get_log("performance")
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        features.append({"name": "prefers-reduced-motion", "value": "reduce"})  # so that nothing is half-way
        self.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.resize(*size)
        self.chrome.get(page if isinstance(page, str) else page.as_uri())

    def resize(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width <= PHONE[0]}
        self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def ask(self, script: str, *arguments: object) -> Any:
        """What an expression of JavaScript is in the page."""
        return self.chrome.execute_script(f"return {script}", *arguments)

    def texts(self, selector: str) -> list[str]:
        found: list[str] = self.ask("[...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector)
        return found

    def wait(self, condition: str, *arguments: object) -> None:
        """Waits until an expression of JavaScript holds in the page; raises TimeoutException."""
        WebDriverWait(self.chrome, PATIENCE, 0.05).until(lambda _: self.ask(condition, *arguments))

    def click(self, element: str, *arguments: object) -> None:
        """Clicks what an expression of JavaScript is, as soon as it is something; raises TimeoutException."""
        self.wait(f"(found => found && (found.click(), true))({element})", *arguments)

    def press(self, *keys: str) -> None:
        ActionChains(self.chrome).send_keys(*keys).perform()

    def complaints(self) -> list[str]:
        """What the browser's console says of the page."""
        return [each["message"] for each in self.chrome.get_log("browser")]

    def requests(self) -> set[str]:
        """The addresses that pages asked for since this one was opened, the browser's own first page apart."""
        messages = [json.loads(each["message"])["message"] for each in self.chrome.get_log("performance")]
        sent = [each["params"] for each in messages if each["method"] == "Network.requestWillBeSent"]
        return {each["request"]["url"] for each in sent if not each["documentURL"].startswith("chrome:")}

    def violations(self, *rules: str) -> list[str]:
        """What axe-core finds that keeps people from using the page: the rule, and where.

        rules: all, if none is named.
        """
        self.chrome.execute_script(AXE.read_text(encoding="utf-8"))
        options = {"runOnly": list(rules)} if rules else {}
        found = self.chrome.execute_async_script("axe.run(arguments[0]).then(arguments[1])", options)
        return [f"{each['id']}: {node['html']}" for each in found["violations"] for node in each["nodes"]]

    def colour(self, name: str) -> tuple[int, int, int]:
        """A colour of the page's style, by its name there."""
        style = "getComputedStyle(document.documentElement).getPropertyValue(arguments[0])"
        red, green, blue = bytes.fromhex(self.ask(style, f"--{name}").strip().removeprefix("#"))
        return red, green, blue

    def overhang(self) -> int:
        """How many pixels the page is wider than the window."""
        found: int = self.ask("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return found

    def keep(self, name: str) -> bytes:
        """A screenshot of the whole page, which is kept."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        width, height = self.ask("[innerWidth, document.documentElement.scrollHeight]")
        self.resize(width, min(height, TALLEST))
        image: bytes = self.chrome.get_screenshot_as_png()
        (SCREENSHOTS / f"{name}.png").write_bytes(image)
        return image


def needed() -> Iterator[Browser]:
    """One for all tests that share it, which are skipped where there is none."""
    if not (CHROMIUM.exists() and DRIVER.exists()):
        pytest.skip("chromium and chromium-driver are not installed")
    with begun() as browser:
        yield browser


def started(options: Options) -> Chrome:
    """On a busy machine a browser may be too slow for its driver, which then gives it up."""
    for _ in range(STARTS - 1):
        with suppress(WebDriverException):
            return Chrome(options=options, service=Service(str(DRIVER)))
    return Chrome(options=options, service=Service(str(DRIVER)))


@contextmanager
def begun() -> Iterator[Browser]:
    """A browser that has never seen anything."""
    options = Options()
    options.binary_location = str(CHROMIUM)
    with TemporaryDirectory(prefix="memoracle-browser-", ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        chrome = started(options)
        chrome.set_script_timeout(2 * PATIENCE)
        try:
            yield Browser(chrome)
        finally:
            chrome.quit()


def at(browser: Browser) -> int:
    """The step that a timeline is at."""
    return int(browser.ask("document.querySelector('[data-timeline]').dataset.at"))
