"""The tab Play in Chromium: played, shared by its address, with controls hidden, on a phone."""

import os
import time
from pathlib import Path

import pytest
from webapp_server import SIZES, browser, needs_browser, needs_gradio, served

pytestmark = [pytest.mark.slow, needs_gradio, needs_browser]
SCREENSHOTS = os.environ.get("DLCOURSE_SCREENSHOTS")  # a folder, to look at what the tests saw


@pytest.fixture(scope="module")
def address(digits_run, tmp_path_factory):
    """The address of the tab in an app of its own process."""
    with served("--run", digits_run.path, folder=tmp_path_factory.mktemp("app")) as url:
        yield url + "?tab=play"


@pytest.fixture(scope="module")
def open_page():
    with browser() as opened:
        yield opened


@pytest.fixture(params=SIZES)
def visit(request, open_page):
    """A function that opens an address at one of the sizes; no page may fail or look outside."""
    pages = []

    def opened(url):
        page = open_page(url, request.param)
        page.size = request.param
        pages.append(page)
        return drawn(page)

    yield opened
    for page in pages:
        assert not page.errors
        assert not page.outside
        page.context.close()


def drawn(page):
    page.wait_for_function("document.querySelector('.play-numbers')?.textContent", timeout=60_000)
    return page


def wait_until(is_true, seconds):
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.05)


def numbers(page):
    """The epoch and the validation accuracy that the page shows."""
    text = page.locator(".play-numbers").inner_text()
    return int(text.split()[1].strip(",")), float(text.split()[-1])


def click(page, button):
    page.get_by_role("button", name=button, exact=True).click()


def menu(page, label):
    """The menu of this label."""
    return page.get_by_role("combobox", name=label)


def look(page, name):
    """Keep a screenshot if they are wanted; nothing may be wider than the page."""
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"play_{name}_{page.size}.png", full_page=True)
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def colours(page):
    """The mean colours of the four quadrants of the boundary, clockwise from the upper right."""
    return page.evaluate("""() => {
        const canvas = document.querySelector('.play-boundary'), size = canvas.clientHeight - 40;
        const ratio = canvas.width / canvas.clientWidth, draw = canvas.getContext('2d');
        return [[0.6, 0.1], [0.6, 0.6], [0.1, 0.6], [0.1, 0.1]].map(([x, y]) => {
            const place = [34 + x * size, 6 + y * size, 0.3 * size, 0.3 * size];
            const {data} = draw.getImageData(...place.map(value => value * ratio));
            let red = 0, blue = 0;
            for (let i = 0; i < data.length; i += 4) { red += data[i]; blue += data[i + 2]; }
            return red > blue ? 'orange' : 'blue';
        });
    }""")


def test_xor_is_played_until_it_is_separated(visit, address):
    page = visit(address)
    assert numbers(page)[0] == 0
    click(page, "Start")
    wait_until(lambda: numbers(page)[1] > 0.95 and numbers(page)[0] > 20, 40)
    click(page, "Pause")
    page.wait_for_timeout(500)
    paused = numbers(page)
    page.wait_for_timeout(700)
    assert numbers(page) == paused
    assert colours(page) == ["orange", "blue", "orange", "blue"]
    look(page, "separated")
    click(page, "One epoch")
    wait_until(lambda: numbers(page)[0] == paused[0] + 1, 5)
    click(page, "One batch")
    page.locator(".play-numbers", has_text="batch 1 of 11").wait_for()
    page.get_by_role("button", name="As a recipe").click()
    page.get_by_text(f"epochs: {paused[0] + 1}").wait_for()
    click(page, "Reset")
    wait_until(lambda: numbers(page)[0] == 0, 5)


def test_a_changed_network_is_in_the_address_and_its_link_opens_the_same(visit, address):
    page = visit(address)
    menu(page, "Shape").click()
    page.get_by_role("option", name="circles").click()
    page.wait_for_url("**shape=circles*")
    page.get_by_label("x1*x2").check()
    page.wait_for_url("**features=x1,x2,x1*")
    second = menu(page, "Neurons in layer 2")
    second.focus()
    for key in ("ArrowDown", "ArrowDown", "Enter"):  # by keyboard
        second.press(key)
    page.wait_for_url("**hidden=4,2*")
    page.get_by_role("button", name="A link to this network").click()
    page.get_by_role("checkbox", name="Noise").check()
    page.wait_for_url("**hide=noise*")
    link = page.locator("label", has_text="Link").locator("textarea").input_value()
    assert link == page.url
    menu(page, "Noise").wait_for(state="hidden")
    page = visit(link)
    look(page, "link")
    assert menu(page, "Shape").input_value() == "circles"
    assert page.get_by_label("x1*x2").is_checked()
    assert [menu(page, f"layer {k}").input_value() for k in (1, 2, 3)] == ["4", "2", "none"]
    assert not menu(page, "Noise").is_visible()
    assert page.url == link


def test_a_link_hides_controls_and_tells_a_wrong_value(visit, address):
    query = "&hide=noise,activation,hidden,link,batch&noise=9&hidden=8,8&shape=spirals"
    page = visit(address + query)
    message = page.locator(".play-message")
    assert message.inner_text().startswith(
        "noise: expected one of 0.0, 0.1, 0.3, 0.5, 1.0, got '9'"
    )
    look(page, "hidden")
    for label in ("Noise", "Activation", "Neurons in layer 1"):
        assert not menu(page, label).is_visible()
    for label in ("One batch", "A link to this network"):
        assert not page.get_by_role("button", name=label).is_visible()
    assert menu(page, "Shape").input_value() == "spirals"
    assert page.get_by_role("button", name="One epoch").is_visible()
    click(page, "One epoch")
    wait_until(lambda: numbers(page)[0] == 1, 5)


def test_what_one_visitor_trains_another_does_not_see(visit, address):
    page = visit(address)
    other = visit(address + "&hidden=2")
    click(page, "Start")
    click(other, "Start")
    wait_until(lambda: numbers(page)[0] > 10 and numbers(other)[0] > 10, 20)
    click(other, "Reset")
    wait_until(lambda: numbers(other)[0] == 0, 5)
    assert numbers(page)[0] > 10
    other.wait_for_timeout(500)
    assert numbers(other)[0] == 0  # a tick under way when it was reset does not come back
