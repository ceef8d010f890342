"""The page with its tabs, and how it is served: to this computer alone unless a password is set."""

import os
import signal
import socket
import time
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hmac import compare_digest
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dlcourse.errors import UserError
from dlcourse.quiet import import_keras, write
from dlcourse.runs import Run, check_name, read_run

HERE = Path(__file__).parent
# The modules whose `tab(app)` fills a tab, and the titles of these.
TABS = {"draw": "Draw and see", "play": "Play", "teach": "Teach", "compare": "Compare"}
TABS |= {"run_pages": "Runs"}
LOCAL = ("127.0.0.1", "localhost")
# What Gradio can do and this page does not: links from outside, memory in the browser, …
OFF = ("share", "inbrowser", "run_history", "enable_monitoring", "ssr_mode", "mcp_server")
WAITING = 100  # requests in the queue: a further one is asked to come back


@dataclass(frozen=True)
class App:
    """What the tabs show.

    Attributes:
        runs: Folders of the named runs; the first one is shown first.
        folder: Folder of all runs.
        temporary: Folder for the visitors' files, removed when the app closes.
    """

    runs: tuple[Path, ...]
    folder: Path
    temporary: Path


class Page(ExitStack):
    """A page that is served at `url`; `close()` ends it and removes its temporary files."""

    url = ""

    def __repr__(self) -> str:
        return f"<Page {self.url}>"


def app(
    run: "Run | str | Path | Sequence[Run | str | Path] | None" = None,
    *,
    runs: str | Path = "runs",
    host: str = "127.0.0.1",
    port: int | None = None,
    password: str | None = None,
) -> Page:
    """Return the served page: draw, see, play and teach; a notebook shows it below the cell.

    Args:
        run: Finished run or its folder, or several. None trains the recipe digits_cnn on the
            embedded digits, for half a minute or so, into a temporary run.
        runs: Folder of all runs.
        host: Address to serve to. Any other than this computer's own needs a password.
        port: Port; None for a free one from 7860.
        password: Password that the page asks for.

    Raises:
        UserError: Gradio is not installed, the port cannot be used, or a password is needed.
        RunError: A run is missing or not finished.

    Example:
        >>> page = dl.app(run)
        >>> page.close()
    """
    _check_address(host, port, password)
    check_name(runs, None)
    given: Any = run if isinstance(run, list | tuple) else [run] * (run is not None)
    paths = tuple(read_run(each).file("model.keras").parent.resolve() for each in given)
    with Page() as page:
        temporary = Path(page.enter_context(TemporaryDirectory(prefix="dlcourse-app-"))).resolve()
        os.environ["GRADIO_TEMP_DIR"] = str(temporary / "gradio")  # its own is for all users
        page.callback(os.environ.pop, "GRADIO_TEMP_DIR", None)
        gradio()
        import_keras()
        shown = App(paths, Path(runs).expanduser().resolve(), temporary)
        blocks = build(import_module("dlcourse.webapp.draw").ready(shown))
        page.callback(blocks.close, verbose=False)
        url = _launch(blocks, host, port, password)
        served = page.pop_all()
    served.url = url
    return served


def serve(**settings: Any) -> None:
    """Serve the page until Ctrl-C or a signal to end; the settings are those of `app`."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with app(**settings) as page:
        write(f"open {page.url} in a browser; Ctrl-C ends it")
        while True:
            time.sleep(1)


def gradio() -> Any:
    """Return the module `gradio`, imported such that it reports nothing to its makers.

    Raises:
        UserError: It is not installed, or is too old.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read as it is imported
    try:
        gr = import_module("gradio")
        if int(gr.__version__.split(".")[0]) < 6:
            raise ImportError(f"it is version {gr.__version__}")
    except ImportError as error:
        cure = "pip install 'gradio>=6' (or this package's extra: -e '.[app]')"
        raise UserError(f"the app needs Gradio 6 ({error}): {cure}") from None
    return gr


def build(app: App) -> Any:
    """Return the page, a `gr.Blocks`, with a tab for each of `TABS`; `?tab=play` opens one."""
    gr = gradio()
    with gr.Blocks(title="dlcourse", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        with gr.Tabs() as tabs:
            for module, title in TABS.items():
                with gr.Tab(title, id=module):
                    import_module(f"dlcourse.webapp.{module}").tab(app)

        def open_tab(request: Any) -> Any:
            wanted = request.query_params.get("tab", "draw").lower()
            return gr.Tabs(selected=wanted if wanted in TABS else "draw")

        open_tab.__annotations__["request"] = gr.Request
        page.load(open_tab, None, tabs, show_progress="hidden", api_visibility="private")
    return page.queue(max_size=WAITING, default_concurrency_limit=2)


def _launch(page: Any, host: str, port: int | None, password: str | None) -> str:
    """Serve the page in a thread, and return its address."""
    settings: dict[str, Any] = dict.fromkeys(OFF, False)
    settings |= {"server_name": host, "server_port": port or None, "height": 900, "quiet": True}
    settings |= {"footer_links": [], "prevent_thread_lock": True, "state_session_capacity": 1000}
    settings |= {"max_file_size": "10mb", "css_paths": sorted(HERE.glob("*.css"))}
    if password:
        settings["auth"] = lambda _, given: compare_digest(given.encode(), password.encode())
        settings["auth_message"] = "Any name, and the password that you were given."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Gradio's own packages
        return page.launch(**settings)[1]


def _check_address(host: str, port: int | None, password: str | None) -> None:
    """Raise a UserError if the page cannot be served there, or only without a password."""
    if host not in LOCAL:
        if not password:
            raise UserError(f"host {host}: others could open the page: a password is needed")
        reason = "who knows the password can open it, and drawings are sent without encryption"
        warnings.warn(f"host {host}: others can reach the page: {reason}", stacklevel=3)
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port or 0))
    except (OSError, OverflowError, TypeError) as error:
        why = getattr(error, "strerror", None) or "a port is a number from 1 to 65535"
        raise UserError(f"port {port} on {host} cannot be served: {why}: choose another") from None
