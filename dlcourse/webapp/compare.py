"""The tabs Compare (two networks on the same drawing) and Runs (the table, with their pages)."""

from functools import partial
from html import escape
from typing import Any

from dlcourse.commands import visualize
from dlcourse.commands.runs import table as runs_table
from dlcourse.errors import UserError
from dlcourse.text_table import html_table
from dlcourse.webapp import draw, markup, network
from dlcourse.webapp.draw import HIDDEN
from dlcourse.webapp.server import App, gradio
from dlcourse.webapp.uploads import or_error, read_drawing

UNTRAINED = ", untrained"


def tab(app: App) -> None:
    """Fill the tab Compare."""
    gr = gradio()
    runs = [*network.image_runs(app)]
    if not runs:
        gr.Markdown(draw.no_pictures(app))
        return
    choices = [name + end for name in runs for end in ("", UNTRAINED)]
    picture, number, sides = gr.State(None), gr.State(0), []
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            pad = draw.canvas()
            example = gr.Button("Test example", size="sm")
        for label, value in (("First", runs[0]), ("Second", [*runs[1:], choices[1]][0])):
            with gr.Column(scale=1, min_width=300):
                name = gr.Dropdown(choices, value=value, label=f"{label} network")
                sides.append((name, gr.HTML(elem_id=label.lower())))
    pad.change(or_error(read_drawing), pad, picture, **HIDDEN)
    first = or_error(lambda name, k: draw.test_example(app, name.removesuffix(UNTRAINED), k))
    example.click(first, [sides[0][0], number], picture, **HIDDEN)
    example.click(lambda number: number + 1, number, number, **HIDDEN)
    for name, page in sides:
        gr.on([picture.change, name.change], partial(side, app), [name, picture], page, **HIDDEN)


def side(app: App, name: str, picture: Any) -> str:
    """Return the HTML of a network's answer to a picture, and of what it looks at.

    Args:
        app: The app.
        name: Name of a run, or with `UNTRAINED` behind it, for its layers with random weights.
        picture: As for `draw.pages`.
    """
    run = network.all_runs(app)[name.removesuffix(UNTRAINED)]
    net = network.network(run.path, not name.endswith(UNTRAINED))
    try:
        x, advice = draw.read(net, picture)
        outputs, _ = network.answer(net, x)
    except UserError as error:
        return markup.sentences([str(error)])
    looks = draw.looks_page(net, x, outputs, int(outputs.argmax()))
    return draw.answer_page(net, x, outputs, None, advice) + looks


def runs_tab(app: App) -> None:
    """Fill the tab Runs."""
    gr = gradio()
    first = next(iter(network.all_runs(app)))
    table = gr.HTML()
    with gr.Row():
        run = gr.Dropdown([first], value=first, label="Run", scale=1)
        show = gr.Button("Show its page", scale=0, min_width=200)
    page = gr.HTML()

    def listed() -> Any:
        runs = network.all_runs(app)
        return html_table(*runs_table(runs.values())), gr.Dropdown([*runs])

    gr.on(None, listed, None, [table, run], **HIDDEN)  # on load
    show.click(partial(run_page, app), run, page, concurrency_limit=1, api_visibility="private")


def run_page(app: App, name: str) -> str:
    """Return a run's page, which is made if there is none, in a frame that runs no script.

    Args:
        app: The app.
        name: Name of one of its runs: no other file is read.
    """
    run = network.all_runs(app)[name]
    file = run.path / visualize.FOLDER / "index.html"
    if not file.is_file() and visualize.main(["--run", str(run.path)]):
        return markup.sentences([f"{name} has no page: dlcourse visualize tells why"])
    text = escape(file.read_text("utf-8"))
    return f'<iframe class="dl-page" sandbox title="{escape(name)}" srcdoc="{text}"></iframe>'
