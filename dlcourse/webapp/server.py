"""The page with its tabs, and how it is served: to this computer alone unless a password is set."""

import os
import signal
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hmac import compare_digest
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dlcourse.errors import UserError
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
LARGEST = "10mb"  # of an uploaded file
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


@dataclass
class Page:
    """A page that is being served; `close()` ends it and removes its temporary files."""

    url: str
    _closing: ExitStack = field(repr=False)

    def close(self) -> None:
        """Stop serving the page."""
        self._closing.close()

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
        run: Finished run or its folder, or several. None for the newest run on images or, if there
            is none, for a network that is now trained on the embedded digits, in some seconds.
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
    _check_address(host, password)
    check_name(runs, None)
    given = [] if run is None else [run] if isinstance(run, Run | str | Path) else run
    paths = tuple(read_run(each).path.resolve() for each in given)
    for path in paths:
        read_run(path).refuse_untrained()
    gradio()
    import_keras()
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(TemporaryDirectory(prefix="dlcourse-app-"))).resolve()
        stack.enter_context(_gradio_folder(temporary / "gradio"))
        shown = App(paths, Path(runs).expanduser().resolve(), temporary)
        url = _launch(build(shown), stack, host, port, password, height)
        return Page(url, stack.pop_all())
    raise AssertionError


def serve(**settings: Any) -> None:
    """Serve the page until Ctrl-C; the settings are those of `app`."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with app(**settings) as page:
            write(f"open {page.url} in a browser; Ctrl-C ends it")
            while True:
                time.sleep(1)
    finally:
        signal.signal(signal.SIGTERM, before)


def gradio() -> Any:
    """Return the module `gradio`, imported without its messages to its makers.

    Raises:
        UserError: It is not installed, or is too old.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read as it is imported
    try:
        gr = import_module("gradio")
    except ImportError as error:
        cure = "pip install 'gradio>=6' (or this package's extra: -e '.[app]')"
        raise UserError(f"the app needs Gradio ({error}): {cure}") from None
    if int(gr.__version__.split(".")[0]) < 6:
        raise UserError(f"the app needs Gradio 6, not {gr.__version__}: pip install 'gradio>=6'")
    return gr


def build(app: App) -> Any:
    """Return the page, a `gr.Blocks`, with a tab for each of `TABS`; `?tab=play` opens one."""
    gr = gradio()
    with gr.Blocks(title="dlcourse", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        with gr.Tabs() as tabs:
            for title, function in TABS.items():
                module, _, name = function.partition(".")
                with gr.Tab(title, id=title.split()[0].lower()):
                    if find_spec(f"dlcourse.webapp.{module}"):
                        getattr(import_module(f"dlcourse.webapp.{module}"), name)(app)

        def open_tab(request: Any) -> Any:
            return gr.Tabs(selected=request.query_params.get("tab", "draw"))

        open_tab.__annotations__["request"] = gr.Request
        page.load(open_tab, None, tabs, show_progress="hidden", api_visibility="private")
    return page.queue(max_size=WAITING, default_concurrency_limit=2)


def _launch(
    page: Any, stack: ExitStack, host: str, port: int | None, password: str | None, height: int
) -> str:
    """Start serving the page in a thread, and return its address; the stack will end it."""
    secret = password and (lambda _, given: compare_digest(given.encode(), password.encode()))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Gradio's own packages
            _, url, _ = page.launch(
                server_name=host,
                server_port=port,
                auth=secret,
                auth_message="Any name, and the password that you were given.",
                share=False,
                quiet=True,
                inbrowser=False,
                prevent_thread_lock=True,
                footer_links=[],
                run_history=False,
                enable_monitoring=False,
                ssr_mode=False,
                mcp_server=False,
                state_session_capacity=1000,
                max_file_size=LARGEST,
                height=height,
                css_paths=sorted(HERE.glob("*.css")),
            )
    except OSError:
        wanted = "ports 7860 to 7959 are" if port is None else f"port {port} is"
        raise UserError(f"{wanted} in use on {host}: choose another port") from None
    stack.callback(page.close, verbose=False)
    return url


def _check_address(host: str, password: str | None) -> None:
    """Refuse to serve to other computers without a password; warn if there is one."""
    if host in LOCAL:
        return
    if not password:
        raise UserError(f"host {host}: others could open the page: a password is needed")
    warnings.warn(
        f"{host}: whoever knows the password can open the page and use this computer's time; what "
        "they draw is sent unencrypted",
        stacklevel=4,
    )


@contextmanager
def _gradio_folder(folder: Path) -> Iterator[None]:
    """Within the block, Gradio keeps its files in this folder instead of one that all users share."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("GRADIO_TEMP_DIR")
        if before is not None:
            os.environ["GRADIO_TEMP_DIR"] = before
