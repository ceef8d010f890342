"""The app as a process of its own, and Chromium to look at it, for the tests of `webapp`."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-component-update "
    "--disable-background-networking --disable-sync --use-fake-ui-for-media-stream "
    "--use-fake-device-for-media-stream"
).split()
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}

SPY = """
import socket

look_up = socket.getaddrinfo


def getaddrinfo(host, *rest, **more):
    if host not in (None, "127.0.0.1", "localhost"):
        with open("asked.txt", "a") as asked:
            print(host, file=asked)
    return look_up(host, *rest, **more)


socket.getaddrinfo = getaddrinfo
"""

needs_gradio = pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None, reason="gradio is not installed"
)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or importlib.util.find_spec("playwright") is None,
    reason="Chromium or the package playwright is not installed (CONTRIBUTING.md tells how)",
)


@contextmanager
def served(*arguments: object, folder: Path) -> Iterator[str]:
    """Serve the app on a free port within the block, and give its address.

    The names of other computers that it looks up are written to `asked.txt` in the folder.

    Args:
        arguments: Arguments of `dlcourse app`, except the port.
        folder: Folder to run it in, and for its temporary files.
    """
    (folder / "sitecustomize.py").write_text(SPY)
    command = [sys.executable, "-m", "dlcourse", "app", "--port", str(free_port())]
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "TMPDIR": str(folder)}
    with (folder / "server.txt").open("w+") as said:
        server = subprocess.Popen(
            [*command, *map(str, arguments)],
            cwd=folder,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            yield _address(server, folder / "server.txt")
        finally:
            server.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.wait(60)
            server.kill()
            server.wait()


def free_port() -> int:
    """Return a port of this computer that is free now."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _address(server: subprocess.Popen, said: Path) -> str:
    """Return the address that the server prints as soon as it can be opened."""
    end = monotonic() + 120
    while monotonic() < end and server.poll() is None:
        if known := re.search(r"open (\S+) in a browser", said.read_text()):
            with suppress(URLError, ConnectionError):
                urlopen(known[1], timeout=10).close()
                return known[1]
        sleep(0.2)
    raise AssertionError(f"the app did not start: {said.read_text()}")


@contextmanager
def browser(**settings: Any) -> Iterator[Any]:
    """Start Chromium within the block; give the function that opens a page.

    The function takes an address and a size of `SIZES`. Its page counts requests to other computers
    in `page.outside` and errors of its scripts in `page.errors`.
    """
    from playwright.sync_api import sync_playwright  # pyright: ignore[reportMissingImports]

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)

        def opened(url: str, size: str = "desktop") -> Any:
            width, height = SIZES[size]
            context = chromium.new_context(
                viewport={"width": width, "height": height}, permissions=["camera"], **settings
            )
            page = context.new_page()
            page.outside, page.errors = [], []
            page.on("request", lambda request: _note(page.outside, request.url))
            page.on("pageerror", lambda error: page.errors.append(str(error)))
            page.goto(url)
            return page

        yield opened
        chromium.close()


def _note(outside: list[str], url: str) -> None:
    if not re.match(r"(http|ws)://127\.0\.0\.1:|(data|blob|about|file):", url):
        outside.append(url)


def drawn(*strokes: Any) -> str:
    """Return lines on white paper as the page's canvas sends them."""
    from PIL import Image, ImageDraw

    image, stream = Image.new("RGB", (280, 280), "white"), BytesIO()
    for points in strokes:
        ImageDraw.Draw(image).line(points, fill="black", width=20, joint="curve")
    image.save(stream, "PNG")
    return "data:image/png;base64," + b64encode(stream.getvalue()).decode()


def stroke(page: Any, canvas: Any, points: list[tuple[float, float]]) -> None:
    """Draw a line with the mouse; the points are in pixels of a canvas 280 wide."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    places = [
        (box["x"] + x * box["width"] / 280, box["y"] + y * box["width"] / 280) for x, y in points
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()
