"""Teaching in a browser: two classes from files and the camera, a third picture, the zip."""

import re
import shutil
import subprocess
import sys
import time

import pytest
from teach_pictures import files

import dlcourse as dl

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
FLAGS += ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
WIDTHS = {"desktop": 1200, "phone": 390}
SERVER = """
import os, sys, time
from pathlib import Path
from dlcourse.webapp import server
folder = Path(sys.argv[1])
os.environ["GRADIO_TEMP_DIR"] = str(folder / "gradio")
server.TABS = {"teach": "Teach"}
page = server.build(server.App((), folder / "runs", folder))
print(server._launch(page, "127.0.0.1", None, None), flush=True)
while True:
    time.sleep(1)
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of the page in a process of its own, and the folder of its files."""
    pytest.importorskip("gradio", reason="the extra app")
    folder = tmp_path_factory.mktemp("app")
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), folder / "gradio"
        process.kill()


@pytest.fixture(scope="module")
def browser():
    """Chromium, with a camera that shows a moving disc."""
    api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Page:
    """A visitor's page."""

    def __init__(self, browser, address, width=1200):
        size = {"width": width, "height": 900}
        self.context = browser.new_context(viewport=size, permissions=["camera"])
        self.page = self.context.new_page()
        self.page.set_default_timeout(120_000)
        self.outside, self.errors = [], []
        self.page.on("request", lambda request: self._note(request.url, address))
        self.page.on("pageerror", lambda error: self.errors.append(error))
        self.page.goto(f"{address}?tab=teach")

    def _note(self, url, address):
        if not url.startswith((address, "data:", "blob:")):
            self.outside.append(url)

    def click(self, name, last=False):
        buttons = self.page.get_by_role("button", name=name, exact=True)
        (buttons.last if last else buttons.first).click()

    def choose(self, button, paths):
        with self.page.expect_file_chooser() as chooser:
            self.click(button)
        chooser.value.set_files([*map(str, paths)])

    def add(self, name, paths):
        self.page.get_by_label("Name of a class").fill(name)
        self.page.get_by_label("Name of a class").press("Enter")
        self.has(name, 0)
        self.choose("Add picture files", paths)
        self.has(name, len(paths))

    def has(self, name, pictures):
        """Wait until a class has this number of pictures."""
        said = re.compile(f"^ *{re.escape(name)} +{pictures} pictures?")
        self.page.locator(".teach-board h4", has_text=said).wait_for()

    def see(self, text):
        self.page.get_by_text(text).first.wait_for()


@pytest.fixture
def visit(browser, served):
    """A function that opens the page; the pages are closed after the test."""
    pages = []

    def visit(width=1200):
        pages.append(Page(browser, served[0], width))
        return pages[-1]

    yield visit
    for page in pages:
        page.context.close()


def wait_until(true, seconds=30):
    """Wait until a function returns something true."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.2)
    assert true()


@pytest.mark.parametrize("width", WIDTHS)
def test_two_classes_are_taught_and_a_third_picture_is_read_right(width, visit, served, tmp_path):
    visitor = visit(WIDTHS[width])
    page = visitor.page
    visitor.add("disc", files(tmp_path, "disc", 20))
    visitor.add("triangle", files(tmp_path, "triangle", 20))
    (tmp_path / "text.png").write_text("not a picture")
    visitor.choose("Add picture files", [tmp_path / "text.png"])
    visitor.see("text.png")
    page.screenshot(path=tmp_path / "added.png", full_page=True)
    start = time.monotonic()
    visitor.click("Train")
    page.get_by_text(re.compile("epoch +[0-9]+/12")).first.wait_for()
    page.screenshot(path=tmp_path / "training.png", full_page=True)
    visitor.see("of the 8 pictures set aside for the test are right")
    print(f"{width}: {time.monotonic() - start:.1f} s from Train to the result")
    visitor.choose("Test a picture file", files(tmp_path, "disc", 1, first=100))
    page.locator(".dl-answer", has_text="disc").wait_for()
    visitor.choose("Test a picture file", files(tmp_path, "triangle", 1, first=100))
    page.locator(".dl-answer", has_text="triangle").wait_for()
    page.screenshot(path=tmp_path / "tested.png", full_page=True)
    with page.expect_download() as download:
        visitor.click("Download the run")
    download.value.save_as(tmp_path / "run.zip")
    shutil.unpack_archive(tmp_path / "run.zip", tmp_path / "runs")
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width]
    assert not visitor.outside
    assert not visitor.errors
    page.close()
    wait_until(lambda: not [*served[1].rglob("*.jpg"), *served[1].rglob("*.zip")])
    (run,) = dl.list_runs(tmp_path / "runs")
    assert dl.evaluate(run)["test"]["accuracy"] >= 0.75


def test_the_camera_adds_pictures_and_any_of_them_is_removed(visit, tmp_path):
    visitor = visit(WIDTHS["phone"])
    visitor.add("camera", files(tmp_path, "disc", 1))
    visitor.click("Use the camera")
    visitor.click("Take a picture")
    visitor.has("camera", 2)
    visitor.click("Take ten in a row")
    visitor.has("camera", 12)
    visitor.page.screenshot(path=tmp_path / "camera.png", full_page=True)
    visitor.click("Stop the camera")
    remove = visitor.page.get_by_role("button", name="Remove picture 2 of camera")
    remove.focus()
    remove.press("Enter")  # by the keyboard
    visitor.has("camera", 11)
    visitor.click("Remove camera")
    visitor.see("classes (2)")


def test_a_name_with_markup_is_shown_as_typed_or_refused(visit):
    visitor = visit()
    visitor.add("${1+1} {{value}} &", [])
    visitor.page.get_by_role("button", name="Remove ${1+1} {{value}} &", exact=True).wait_for()
    visitor.page.get_by_label("Name of a class").fill("a/b")
    visitor.click("Add the class")
    visitor.see("'a/b' cannot be the name of a folder")


def test_a_second_visitor_waits_sees_nothing_of_the_first_and_both_can_cancel(
    visit, served, tmp_path
):
    first, second = visit(), visit()
    for visitor in (first, second):
        visitor.add("disc", files(tmp_path, "disc", 5))
        visitor.add("triangle", files(tmp_path, "triangle", 5))
    assert second.page.locator(".teach-board img").count() == 10
    first.click("Train")
    first.see("processing")
    second.click("Train")
    second.see("queue:")
    second.page.screenshot(path=tmp_path / "waiting.png", full_page=True)
    second.click("Cancel")
    second.see("nothing is left of")
    first.click("Cancel")
    first.see("nothing is left of")
    wait_until(lambda: not [*served[1].rglob("taught-*")])
