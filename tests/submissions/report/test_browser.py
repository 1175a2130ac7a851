"""The page in a browser: Debian's chromium and chromium-driver, or others that selenium finds on the path."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import axe_core_python
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.ui import WebDriverWait

from submissions.report.page import FILE

CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no browser: apt-get install chromium chromium-driver, or Chrome and its driver"
)
QUIET = ("headless=new", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking", "disable-quic")
AXE = Path(axe_core_python.__file__).parent / "axe.min.js"
WIDTHS = {"phone": 390, "desk": 1400}
WAIT = 60  # seconds
# Of axe's rules, those that mind colours: a theme changes nothing for the others, which take most of the time.
RULES = {"light": "{}", "dark": "{runOnly: ['color-contrast', 'link-in-text-block']}"}


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in QUIET:
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    try:
        driver.set_script_timeout(120)
        yield driver
    finally:
        driver.quit()


def opened(browser: webdriver.Chrome, path: Path, width: int, theme: str = "light") -> None:
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


@pytest.fixture(scope="module", params=[pytest.param("reported", marks=pytest.mark.slow), "hostile"])
def page(request) -> Path:
    made = request.getfixturevalue(request.param)
    return made if isinstance(made, Path) else made.root / FILE


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_nothing_is_asked_for_nothing_fails_and_nothing_overflows(browser, page, width):
    opened(browser, page, width)
    assert browser.get_log("browser") == []
    asked = [entry["message"] for entry in browser.get_log("performance") if "requestWillBeSent" in entry["message"]]
    assert not [message for message in asked if '"url":"http' in message]
    browser.execute_script("for (const it of document.querySelectorAll('details')) it.open = true")
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    beside = browser.execute_script(
        "return [...document.querySelectorAll('main *')].filter(it => !it.closest('.scroll, .drawing, svg, .hidden') "
        "&& it.getBoundingClientRect().right > innerWidth + 1).map(it => it.outerHTML.slice(0, 80))"
    )
    assert beside == []


@pytest.mark.parametrize("theme", RULES)
def test_axe_finds_no_violation(browser, page, theme):
    opened(browser, page, WIDTHS["desk"], theme)
    browser.execute_script("for (const it of document.querySelectorAll('details')) it.open = true")
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    found = browser.execute_async_script(f"axe.run(document, {RULES[theme]}).then(arguments[0])")
    assert len(found["passes"]) >= 1, "no rule was applied"
    assert [(it["id"], it["nodes"][0]["html"][:200]) for it in found["violations"]] == []


def test_chips_are_filtered_by_mouse_and_keyboard_and_their_pictures_load(browser, reported):
    assert (reported.root / FILE).read_text(encoding="utf-8").count('<article class="chip"') > 10, "none were written"
    opened(browser, reported.root / FILE, WIDTHS["desk"])
    chips = browser.find_elements(By.CSS_SELECTOR, ".chip")
    shown = lambda: [chip for chip in chips if chip.is_displayed()]  # noqa: E731
    assert len(shown()) == len(chips) > 10
    Select(browser.find_element(By.ID, "chip-kind")).select_by_visible_text("missed")
    missed = shown()
    assert 0 < len(missed) < len(chips)
    assert all("missed" in chip.find_element(By.CLASS_NAME, "why").text for chip in missed)
    assert browser.find_element(By.ID, "chip-count").text == f"{len(missed)} of {len(chips)} chips"
    name = missed[0].get_attribute("data-id")
    browser.find_element(By.ID, "chip-fold").send_keys(Keys.TAB)
    browser.switch_to.active_element.send_keys(name)
    assert all(name in chip.get_attribute("data-id") for chip in shown())
    browser.execute_script("for (const it of document.images) it.loading = 'eager'")
    assert browser.execute_async_script(
        "Promise.all([...document.images].map(it => it.decode().then(() => it.naturalWidth)))"
        ".then(sizes => arguments[0](sizes.every(size => size >= 96)))"
    )


def test_labels_are_searched_and_ordered_and_the_theme_is_turned(browser, reported, evidence):
    opened(browser, reported.root / FILE, WIDTHS["desk"])
    rows = lambda: [  # noqa: E731
        row.get_attribute("data-name")
        for row in browser.find_elements(By.CSS_SELECTOR, "#label-table tbody tr")
        if row.is_displayed()
    ]
    assert sorted(rows()) == sorted(evidence.labels)
    Select(browser.find_element(By.ID, "label-order")).select_by_value("name")
    assert rows() == sorted(evidence.labels)
    browser.find_element(By.ID, "label-search").send_keys("MINE")
    assert rows() == ["artisinal_mine", "conventional_mine"]
    ground = "return getComputedStyle(document.body).backgroundColor"
    before = browser.execute_script(ground)
    browser.find_element(By.ID, "theme").click()
    assert browser.execute_script(ground) != before


def test_it_prints(browser, reported):
    opened(browser, reported.root / FILE, WIDTHS["desk"])
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    assert len(printed["data"]) > 50_000
