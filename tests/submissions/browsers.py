"""A browser to open pages in: Debian's chromium and chromium-driver, or others that selenium finds on the path."""

from __future__ import annotations

import shutil
from pathlib import Path

import axe_core_python
import pytest
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
NEEDS_BROWSER = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no browser: apt-get install chromium chromium-driver, or Chrome and its driver"
)
QUIET = ("headless=new", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking", "disable-quic")
AXE = Path(axe_core_python.__file__).parent / "axe.min.js"
WIDTHS = {"phone": 390, "desk": 1400}
WAIT = 60  # seconds
# Of axe's rules, those that mind colours: a theme changes nothing for the others, which take most of the time.
RULES = {"light": "{}", "dark": "{runOnly: ['color-contrast', 'link-in-text-block']}"}


def started() -> webdriver.Chrome:
    """Return a browser that logs what pages say and ask for."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in QUIET:
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    driver.set_script_timeout(120)
    return driver


def opened(browser: webdriver.Chrome, path: Path, width: int, theme: str = "light") -> None:
    """Open a page, as wide as asked, in a theme."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get_log("browser")
    browser.get_log("performance")
    # Not the page that was open before: `get` may return before it is replaced.
    browser.get("about:blank")
    browser.get(path.as_uri())
    WebDriverWait(browser, WAIT).until(
        lambda driver: (
            driver.execute_script("return location.href + ' ' + document.readyState") == f"{path.as_uri()} complete"
        )
    )


def asked_for(browser: webdriver.Chrome) -> list[str]:
    """Return what the page has asked a server for."""
    asked = [entry["message"] for entry in browser.get_log("performance") if "requestWillBeSent" in entry["message"]]
    return [message for message in asked if '"url":"http' in message]


def violations(browser: webdriver.Chrome, theme: str) -> list[tuple[str, str]]:
    """Return what axe finds wrong with the page."""
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    found = browser.execute_async_script(f"axe.run(document, {RULES[theme]}).then(arguments[0])")
    assert len(found["passes"]) >= 1, "no rule was applied"
    return [(it["id"], it["nodes"][0]["html"][:200]) for it in found["violations"]]
