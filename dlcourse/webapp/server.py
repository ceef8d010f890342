"""The page with its tabs, and how it is served: to this computer alone unless a password is set."""

import os
import signal
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
from dlcourse.front_door import fit
from dlcourse.quiet import import_keras, write
from dlcourse.runs import Run, check_name, read_run

HERE = Path(__file__).parent
TABS = {
    "Draw and see": "draw.tab",
    "Play": "play.tab",
    "Teach": "teach.tab",
    "Compare": "compare.tab",
    "Runs": "compare.runs_tab",
}
"""The title of each tab, and the function that fills it: `f(app)`."""
LOCAL = ("127.0.0.1", "localhost", "::1")
OFF = ("share", "inbrowser", "run_history", "enable_monitoring", "ssr_mode", "mcp_server")
"""What Gradio can do and this page does not: links from outside, memory in the browser, …"""
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
    height: int = 900,
) -> Page:
    """Return the served page: draw, see, play and teach; a notebook shows it below the cell.

    Args:
        run: Finished run or its folder, or several. None trains the recipe digits_cnn on the
            embedded digits, in some seconds, into a temporary run.
        runs: Folder of all runs.
        host: Address to serve to. Any other than this computer's own needs a password.
        port: Port; None for a free one from 7860.
        password: Password that the page asks for.
        height: Height in a notebook, in pixels.

    Raises:
        UserError: Gradio is not installed, the port is in use, or a password is needed.
        RunError: A run is missing or not finished.

    Example:
        >>> page = dl.app(run)
        >>> page.close()
    """
    if host not in LOCAL:
        _check_password(host, password)
    check_name(runs, None)
    given = [run] if isinstance(run, Run | str | Path) else run or ()
    paths = tuple(read_run(each).path.resolve() for each in given)
    for path in paths:
        Run(path).file("model.keras")
    with Page() as page:
        temporary = Path(page.enter_context(TemporaryDirectory(prefix="dlcourse-app-"))).resolve()
        os.environ["GRADIO_TEMP_DIR"] = str(temporary / "gradio")  # its own is for all users
        page.callback(os.environ.pop, "GRADIO_TEMP_DIR", None)
        gradio()
        import_keras()
        shown = App(paths or (_digits(temporary),), Path(runs).expanduser().resolve(), temporary)
        import_module("dlcourse.webapp.draw").warm_up(shown)
        url = _launch(build(shown), page, host, port, password, height)
        served = page.pop_all()
    served.url = url
    return served


def serve(**settings: Any) -> None:
    """Serve the page until Ctrl-C or a signal to end; the settings are those of `app`."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with app(**settings) as page:
            write(f"open {page.url} in a browser; Ctrl-C ends it")
            while True:
                time.sleep(1)
    finally:
        signal.signal(signal.SIGTERM, before)


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
            for title, function in TABS.items():
                module, _, name = function.partition(".")
                with gr.Tab(title, id=title.split()[0].lower()):
                    getattr(import_module(f"dlcourse.webapp.{module}"), name)(app)

        def open_tab(request: Any) -> Any:
            return gr.Tabs(selected=request.query_params.get("tab", "draw"))

        open_tab.__annotations__["request"] = gr.Request
        page.load(open_tab, None, tabs, show_progress="hidden", api_visibility="private")
    return page.queue(max_size=WAITING, default_concurrency_limit=2)


def _digits(folder: Path) -> Path:
    """Return the folder of a run of the recipe digits_cnn, which is trained now."""
    write("no run was named: training digits_cnn on the embedded digits takes some seconds")
    return fit("digits_cnn", runs=folder, name="digits_cnn", verbose=False).path


def _launch(
    page: Any, closing: ExitStack, host: str, port: int | None, password: str | None, height: int
) -> str:
    """Serve the page in a thread, let `closing` end it, and return its address."""
    settings: dict[str, Any] = dict.fromkeys(OFF, False)
    settings |= {"server_name": host, "server_port": port, "height": height, "footer_links": []}
    settings |= {"quiet": True, "prevent_thread_lock": True, "state_session_capacity": 1000}
    settings |= {"max_file_size": "10mb", "css_paths": sorted(HERE.glob("*.css"))}
    if password:
        settings["auth"] = lambda _, given: compare_digest(given.encode(), password.encode())
        settings["auth_message"] = "Any name, and the password that you were given."
    closing.callback(page.close, verbose=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Gradio's own packages
            return page.launch(**settings)[1]
    except OSError:
        wanted = "ports 7860 to 7959 are" if port is None else f"port {port} is"
        raise UserError(f"{wanted} in use on {host}: choose another port") from None


def _check_password(host: str, password: str | None) -> None:
    """Refuse to serve to other computers without a password; warn if there is one."""
    if not password:
        raise UserError(f"host {host}: others could open the page: a password is needed")
    reason = "who knows the password can open the page, and drawings are sent without encryption"
    warnings.warn(f"host {host}: {reason}", stacklevel=4)
