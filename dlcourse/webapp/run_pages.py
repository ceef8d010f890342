"""The tab Runs: the table of all runs, and the page of each."""

from functools import partial
from html import escape
from typing import Any

from dlcourse.commands import visualize
from dlcourse.commands.runs import table as runs_table
from dlcourse.text_table import html_table
from dlcourse.webapp import markup, network
from dlcourse.webapp.draw import HIDDEN
from dlcourse.webapp.server import App, gradio


def tab(app: App) -> None:
    """Fill the tab."""
    gr = gradio()
    table = gr.HTML()
    run = gr.Dropdown([], label="Show the page of (a page that does not exist yet is made)")
    page = gr.HTML()

    def listed() -> Any:
        runs = network.all_runs(app)
        return html_table(*runs_table(runs.values())), gr.Dropdown([*runs], value=None)

    gr.on(None, listed, None, [table, run], **HIDDEN)  # on load
    run.input(partial(run_page, app), run, page, concurrency_limit=1, api_visibility="private")


def run_page(app: App, name: str) -> str:
    """Return a run's page, which is made if there is none, in a frame that runs no script.

    Args:
        app: The app.
        name: Name of one of its runs: no other file is read.
    """
    if (run := network.all_runs(app).get(name)) is None:
        return markup.sentences([f"{name}: this run is not there any more: choose another"])
    file = run.path / visualize.FOLDER / "index.html"
    if not file.is_file() and visualize.main(["--run", str(run.path)]):
        return markup.sentences([f"{name} has no page: dlcourse visualize tells why"])
    text = escape(file.read_text("utf-8"))
    return f'<iframe class="dl-page" sandbox title="{escape(name)}" srcdoc="{text}"></iframe>'
