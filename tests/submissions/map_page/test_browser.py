"""The map in a browser: it decides as Python does, by mouse and keyboard, and asks for nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.ui import WebDriverWait

from competition.scenes.scene import Scene
from submissions.map.decide import decide
from submissions.map.rules import MapRule
from submissions.map_page.page import write_map
from tests.submissions.browsers import NEEDS_BROWSER, RULES, WIDTHS, asked_for, opened, violations
from tests.submissions.map.samples import raster_of

pytestmark = NEEDS_BROWSER
RULE = MapRule("the cut 0.6", {"road": 0.6, "water": 0.6})


@pytest.fixture(scope="module")
def raster(tmp_path_factory):
    random = np.random.default_rng(0)
    planes = [gaussian_filter(random.normal(size=(40, 60)), 1.5) for _ in range(2)]
    planes = [(plane - plane.min()) / np.ptp(plane) for plane in planes]
    planes[0][:6, :9] = np.nan
    return raster_of(tmp_path_factory.mktemp("map"), *planes)


@pytest.fixture(scope="module")
def page(raster) -> Path:
    scene = Scene.open(raster.path.parents[1] / "scene.tif")
    return write_map(raster, RULE, raster.path.parent / "map.html", scene=scene).path


def ready(browser, page, width=WIDTHS["desk"], theme="light"):
    opened(browser, page, width, theme)
    is_ready = "return document.documentElement.dataset.ready"
    WebDriverWait(browser, 30).until(lambda driver: driver.execute_script(is_ready))


def settled(browser) -> None:
    """Wait until a cut that was moved has been decided, in the next frame."""
    browser.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0]))")


def listed(browser) -> list[tuple[str, str]]:
    """Return label and figures of the detections, as the list has them."""
    cells = "[it.children[1].textContent, it.children[2].textContent]"
    return browser.execute_script(f"return [...document.querySelectorAll('#list button')].map(it => {cells})")


def expected(raster, cuts) -> list[list[str]]:
    """Return what Python decides, the highest first."""
    found = decide(raster, MapRule("", cuts))
    every = zip(found.labels, found.measured.highest, found.measured.mean, found.measured.area_km2, strict=True)
    ranked = sorted(every, key=lambda one: (-one[1], -one[2]))
    areas = [f"{100 * km2:.2f} ha" if km2 < 1 else f"{km2:.2f} km²" for *_, km2 in ranked]
    return [[label, f"{highest:.2f} · {area}"] for (label, highest, *_), area in zip(ranked, areas, strict=True)]


def test_it_decides_as_python_does_wherever_the_cut_is(browser, raster, page):
    ready(browser, page)
    for box in browser.find_elements(By.CSS_SELECTOR, "#labels input[type=checkbox]"):
        if not box.is_selected():
            box.click()
    assert sorted(listed(browser)) == sorted(expected(raster, RULE.cuts))
    assert [figures for _, figures in listed(browser)] == [figures for _, figures in expected(raster, RULE.cuts)]
    for step in (Keys.ARROW_LEFT * 40, Keys.ARROW_RIGHT * 70, Keys.HOME, Keys.END):
        browser.find_element(By.ID, "cut-0").send_keys(step)
        settled(browser)
        cut = int(browser.find_element(By.ID, "cut-0").get_attribute("value")) / 254
        assert sorted(listed(browser)) == sorted(expected(raster, {"road": cut, "water": 0.6}))
        said = browser.find_element(By.ID, "cut-0").get_attribute("aria-valuetext")
        assert said == (f"{cut:.2f}" if cut <= 1 else "none")
    browser.find_element(By.ID, "reset").click()
    assert sorted(listed(browser)) == sorted(expected(raster, RULE.cuts))
    Select(browser.find_element(By.ID, "which")).select_by_visible_text("water")
    assert {label for label, _ in listed(browser)} == {"water"}
    many = len(listed(browser))
    browser.execute_script("document.getElementById('smallest').value = ''")
    browser.find_element(By.ID, "smallest").send_keys("0.5")
    assert 0 < len(listed(browser)) < many


def test_a_detection_is_flown_to_by_the_keyboard(browser, page):
    ready(browser, page)
    place = "return document.querySelector('.leaflet-pane img').getBoundingClientRect().width"
    before = browser.execute_script(place)
    first = browser.find_element(By.CSS_SELECTOR, "#list button")
    first.send_keys(Keys.ENTER)
    assert first.get_attribute("aria-current") == "true"
    WebDriverWait(browser, 10).until(lambda driver: driver.execute_script(place) > 1.5 * before)


def test_choosing_on_a_phone_brings_the_map_to_the_eye(browser, page):
    ready(browser, page, WIDTHS["phone"])
    top = "return document.getElementById('map').getBoundingClientRect().top"
    browser.execute_script("scrollTo(0, document.body.scrollHeight)")
    assert browser.execute_script(top) < -100
    browser.execute_script("document.querySelector('#list button').click()")
    WebDriverWait(browser, 10).until(lambda driver: driver.execute_script(top) > -1)


def test_no_region_is_so_large_that_more_than_the_scene_is_shown(browser, tmp_path):
    raster = raster_of(tmp_path, np.ones((20, 30)), labels=("road",))
    ready(browser, write_map(raster, MapRule("all", {"road": 0.0}), tmp_path / "m.html").path)
    wide = "return document.querySelector('#map img.cells').getBoundingClientRect().width"
    before = browser.execute_script(wide)
    browser.find_element(By.CSS_SELECTOR, "#list button").send_keys(Keys.ENTER)
    settled(browser)
    assert browser.find_element(By.ID, "cut-0").get_attribute("value") == "0"
    browser.execute_async_script("setTimeout(arguments[0], 900)")
    assert browser.execute_script(wide) >= 0.99 * before


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_nothing_is_asked_for_nothing_fails_and_nothing_overflows(browser, page, width):
    ready(browser, page, width)
    assert browser.get_log("browser") == []
    assert asked_for(browser) == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("theme", RULES)
def test_axe_finds_no_violation(browser, page, theme):
    ready(browser, page, theme=theme)
    assert violations(browser, theme) == []


def test_a_map_of_nothing_is_a_map(browser, tmp_path):
    hostile = "</script><img src=x onerror=alert(1)>"
    raster = raster_of(tmp_path, np.full((3, 4), np.nan), labels=(hostile,), scene=hostile, crs=None)
    ready(browser, write_map(raster, MapRule("none", {hostile: np.inf}), tmp_path / "m.html").path)
    assert browser.get_log("browser") == []
    assert browser.find_element(By.ID, "count").text == "0 detections, 0 km²"
    assert browser.find_element(By.CSS_SELECTOR, "#labels label").text.startswith(hostile)


def test_without_a_coordinate_system_places_are_cells_of_the_raster(browser, tmp_path, monkeypatch):
    monkeypatch.setattr("submissions.map_page.planes.MOST_CELLS", 4)
    plane = np.zeros((4, 4))
    plane[3, 3] = 1
    raster = raster_of(tmp_path, plane, labels=("road",), crs=None)
    ready(browser, write_map(raster, MapRule("", {"road": 0.5}), tmp_path / "m.html").path)
    assert browser.find_element(By.CSS_SELECTOR, "#list .place").text == "column 3.0, row 3.0"
