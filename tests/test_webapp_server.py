"""The app as a server: visitors, passwords, limits. The server is a process of its own."""

import re
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image
from webapp_server import ROOT, browser, drawn, needs_browser, needs_gradio, served, stroke

import dlcourse as dl
from dlcourse.webapp import draw

pytestmark = [
    pytest.mark.slow,
    needs_gradio,
    # of gradio_client, whose event loops are left open
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SEVEN = [(80, 60), (200, 60), (120, 235)]
BAR = [(110, 150), (190, 150)]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of an app that shows the recipe digits_cnn, trained as it starts."""
    with served("--runs", "runs", folder=tmp_path_factory.mktemp("app")) as url:
        yield url


def visitor(address, **settings):
    from gradio_client import Client

    return Client(address, verbose=False, analytics_enabled=False, **settings)


def test_two_visitors_do_not_see_each_others_drawings(address):
    first, second = visitor(address), visitor(address)
    asked = ("digits_cnn",)
    first.predict(drawn(SEVEN, BAR), *asked, api_name="/draw")
    second.predict(drawn([(100, 90), (145, 50), (145, 230)]), *asked, api_name="/draw")
    answers = [
        person.predict(*asked, api_name="/see")[0] for person in (first, second, visitor(address))
    ]
    assert "The network answers 7" in answers[0]
    assert "The network answers 1" in answers[1]
    assert draw.START in answers[2]


def test_files_of_this_computer_are_not_given_out(address):
    for name in ("/etc/passwd", str(Path(draw.__file__)), "../../etc/passwd", "server.txt"):
        with pytest.raises(HTTPError, match=r"40\d"):
            urlopen(f"{address}gradio_api/file={name}")


def test_a_file_that_is_too_large_is_refused_as_it_arrives(address):
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    body += bytes(10_500_000) + b"\r\n--x--\r\n"
    head = {"Content-Type": "multipart/form-data; boundary=x"}
    with pytest.raises(HTTPError, match="413"):
        urlopen(Request(f"{address}gradio_api/upload", body, head))


def test_nothing_is_left_behind(digits_run, tmp_path):
    with served("--run", digits_run.path, folder=tmp_path):
        assert list(tmp_path.glob("dlcourse-app-*"))
    left = {file.name for file in tmp_path.iterdir()} - {"__pycache__"}
    assert left == {"server.txt", "sitecustomize.py"}
    assert "Traceback" not in (tmp_path / "server.txt").read_text()


def test_the_server_asks_nothing_of_other_computers(digits_run, tmp_path):
    with served("--run", digits_run.path, folder=tmp_path) as url:
        answer, *_ = visitor(url).predict(drawn(SEVEN, BAR), "digits", api_name="/draw")
    assert "The network answers" in answer
    assert not (tmp_path / "asked.txt").exists()


def test_a_port_in_use_is_told_in_a_sentence(address, digits_run, tmp_path):
    port = int(re.search(r":(\d+)", address)[1])
    arguments = ("--run", digits_run.path, "--port", port)
    told = f"port {port} on 127.0.0.1 cannot be served: Address already in use: choose another"
    with pytest.raises(AssertionError, match=told), served(*arguments, folder=tmp_path):
        pass


def test_with_a_password_nothing_is_shown_without_it(digits_run, tmp_path):
    with served("--run", digits_run.path, "--password", "secret", folder=tmp_path) as url:
        with pytest.raises(HTTPError, match="401"):
            urlopen(f"{url}config")
        for password, code in (("wrong", 400), ("secret", 200)):
            body = f"username=anyone&password={password}".encode()
            try:
                answer = urlopen(f"{url}login", body).status
            except HTTPError as error:
                answer = error.code
            assert answer == code


def test_a_notebook_shows_the_page_and_closes_it(tmp_path, digits_run, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    code = "import dlcourse as dl\n"
    code += f"page = dl.app({str(digits_run.path)!r})\nprint(page.url)"
    closing = "import os\npage.close()\nprint(os.environ.get('GRADIO_TEMP_DIR'))"
    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, (code, closing))])
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": tmp_path}}).execute()
    shown = str(notebook.cells[0].outputs)
    url = re.search(r"http://127\.0\.0\.1:\d+/", shown)[0]
    assert f'<iframe src="{url}"' in shown
    assert 'height="900"' in shown
    assert "".join(output.text for output in notebook.cells[1].outputs) == "None\n"
    with pytest.raises(OSError, match="refused"):
        urlopen(url)


# ------------------------------------------------------------------ in Chromium


@needs_browser
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_7_is_drawn_and_read_and_its_filters_switched_off(address, size):
    with browser() as opened:
        page = opened(address, size)
        canvas = page.locator(".dl-pad canvas").first
        canvas.wait_for()
        page.wait_for_timeout(1000)
        stroke(page, canvas, SEVEN)
        stroke(page, canvas, BAR)
        page.wait_for_function("document.querySelector('#answer').innerText.includes('answers 7')")
        assert page.locator("#looks figure").count() == 5
        page.locator("#layers [data-layer=conv_2]").click()
        page.locator("#layers [data-unit='9']").click()
        page.get_by_text("Orange: with units switched off").wait_for()
        assert page.locator("#layers [data-unit='9']").get_attribute("aria-pressed") == "true"
        page.get_by_role("button", name="Clear").first.click()
        page.get_by_text(draw.START).wait_for()
        page.get_by_role("button", name="Test example").first.click()
        page.get_by_text("The network answers").wait_for()
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"]
        assert (page.outside, page.errors) == ([], [])


@needs_browser
def test_the_keyboard_reaches_layers_and_units_and_takes_strokes_back(address):
    with browser() as opened:
        page = opened(address)
        canvas = page.locator(".dl-pad canvas").first
        canvas.wait_for()
        page.wait_for_timeout(1000)
        stroke(page, canvas, SEVEN)
        page.get_by_text("The network answers").wait_for()
        layer = page.locator("#layers [data-layer=hidden_1]")
        layer.focus()
        page.keyboard.press("Enter")
        page.locator("#layers [data-layer=hidden_1][aria-pressed=true]").wait_for()
        page.locator("#layers [data-unit='0']").focus()
        page.keyboard.press("Space")
        page.locator("#layers [data-unit='0'][aria-pressed=true]").wait_for()
        canvas.focus()
        page.keyboard.press("Backspace")
        page.get_by_text(draw.START).wait_for()
        named = page.evaluate(
            "[...document.querySelectorAll('button, input, canvas')].filter(e => e.offsetParent)"
            ".filter(e => !(e.innerText || e.ariaLabel || e.labels?.length || e.title)).length"
        )
        assert named == 0


@needs_browser
def test_a_picture_is_uploaded_and_two_networks_are_compared(address, tmp_path):
    picture = np.full((420, 640), 220, "uint8")
    picture[100:320, 300:325] = 30  # a 1
    Image.fromarray(picture).save(tmp_path / "one.jpg")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with browser() as opened:
        page = opened(address)
        page.get_by_text("A picture of your own").click()
        page.locator("input[type=file]").first.set_input_files(tmp_path / "one.jpg")
        page.get_by_text("The network answers 1").wait_for()
        page = opened(f"{address}?tab=compare")
        canvas = page.locator(".dl-pad canvas:visible")
        canvas.wait_for()
        page.wait_for_timeout(1000)
        stroke(page, canvas, SEVEN)
        stroke(page, canvas, BAR)
        for side in ("#first", "#second"):
            page.locator(f"{side} .dl-bars").wait_for()
        assert "answers 7" in page.inner_text("#first")
        assert (page.outside, page.errors) == ([], [])


def test_the_front_door_is_the_same_function():
    from dlcourse.webapp.server import app

    assert dl.app is app
