"""The page of a map in a real browser, headless Chromium driven by selenium; skipped where it is not installed."""

import shutil

import numpy as np
import pytest

from fastw2v import Vectors
from fastw2v.vectors import wordmap

selenium = pytest.importorskip("selenium", reason="needs selenium: pip install selenium")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="needs chromium and chromedriver (Debian: apt install chromium chromium-driver)"
)


@pytest.fixture(scope="module")
def browser():
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, tmp_path):
    """(browser with the page open, the map)"""
    rng = np.random.default_rng(0)
    vectors = Vectors([f"w{i}" for i in range(200)], rng.normal(size=(200, 10)))
    word_map = wordmap.make_map(vectors)
    wordmap.save_map(tmp_path / "map.html", word_map, "a map")
    browser.get((tmp_path / "map.html").as_uri())
    yield browser, word_map
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def shown(browser):
    """The chosen word, its neighbours and their cosines."""
    text = browser.find_element("id", "chosen").text
    items = [item.text.split() for item in browser.find_elements("css selector", "#neighbours li")]
    return text, [item[0] for item in items], [float(item[1]) for item in items]


def expected(word_map, i):
    return [word_map.words[j] for j in word_map.neighbours[i]]


def click_on(browser, i):
    from selenium.webdriver import ActionChains

    x, y = browser.execute_script("return toScreen(arguments[0])", i)
    ActionChains(browser).move_by_offset(0, 0).perform()
    canvas = browser.find_element("id", "map")
    size = canvas.size
    ActionChains(browser).move_to_element_with_offset(
        canvas, round(x - size["width"] / 2), round(y - size["height"] / 2)
    ).click().perform()


def test_search(page):
    browser, word_map = page
    browser.find_element("id", "search").send_keys("w17")
    word, neighbours, cosines = shown(browser)
    assert (word, neighbours) == ("w17", expected(word_map, 17))
    assert cosines == sorted(cosines, reverse=True)
    assert browser.execute_script("return toScreen(17)") == pytest.approx(
        browser.execute_script("return [canvas.clientWidth / 2, canvas.clientHeight / 2]")
    )
    browser.find_element("id", "search").clear()
    browser.find_element("id", "search").send_keys("nothing")
    assert browser.find_element("id", "message").text == "not on this map"


def test_click_and_go_on_from_a_neighbour(page):
    browser, word_map = page
    i = int(np.argmax(word_map.places[:, 0]))  # alone at the right edge
    click_on(browser, i)
    assert shown(browser)[:2] == (word_map.words[i], expected(word_map, i))
    browser.find_elements("css selector", "#neighbours li")[2].click()
    assert shown(browser)[0] == word_map.words[word_map.neighbours[i][2]]


def test_zoom_keeps_the_place_under_the_pointer(page):
    browser, _ = page
    before = browser.execute_script("return [...toScreen(3), view.scale]")
    browser.execute_script("zoom(2, ...toScreen(3))")
    after = browser.execute_script("return [...toScreen(3), view.scale]")
    assert after[:2] == pytest.approx(before[:2])
    assert after[2] == pytest.approx(2 * before[2])


def test_drag_moves_the_map(page):
    from selenium.webdriver import ActionChains

    browser, _ = page
    before = browser.execute_script("return toScreen(3)")
    canvas = browser.find_element("id", "map")
    ActionChains(browser).move_to_element_with_offset(canvas, 100, 100).click_and_hold().move_by_offset(
        30, 40
    ).release().perform()
    after = browser.execute_script("return toScreen(3)")
    assert after == pytest.approx([before[0] + 30, before[1] + 40], abs=1)


def test_something_is_drawn(page, tmp_path):
    browser, _ = page
    colours = browser.execute_script(
        "const p = context.getImageData(0, 0, canvas.width, canvas.height).data; const seen = new Set();"
        "for (let i = 0; i < p.length; i += 4) if (p[i + 3] === 255) seen.add(p[i] << 16 | p[i + 1] << 8 | p[i + 2]);"
        "return [...seen];"
    )
    wanted = {int(colour[1:], 16) for colour in wordmap._COLOURS[:8]}
    assert wanted <= set(colours)
