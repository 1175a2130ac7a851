"""The page in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from submissions.report.page import FILE
from tests.submissions.browsers import NEEDS_BROWSER, RULES, WIDTHS, asked_for, opened, violations

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module", params=[pytest.param("reported", marks=pytest.mark.slow), "hostile"])
def page(request) -> Path:
    made = request.getfixturevalue(request.param)
    return made if isinstance(made, Path) else made.root / FILE


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_nothing_is_asked_for_nothing_fails_and_nothing_overflows(browser, page, width):
    opened(browser, page, width)
    assert browser.get_log("browser") == []
    assert asked_for(browser) == []
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
    assert violations(browser, theme) == []


def test_chips_are_filtered_by_mouse_and_keyboard_and_their_pictures_load(browser, reported):
    assert (reported.root / FILE).read_text(encoding="utf-8").count('<article class="chip"') > 10, "none were written"
    opened(browser, reported.root / FILE, WIDTHS["desk"])
    chips = browser.find_elements(By.CSS_SELECTOR, ".chip")

    def shown() -> list:
        return [chip for chip in chips if chip.is_displayed()]

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

    def rows() -> list:
        found = browser.find_elements(By.CSS_SELECTOR, "#label-table tbody tr")
        return [row.get_attribute("data-name") for row in found if row.is_displayed()]

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
