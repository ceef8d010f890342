"""The tab Compare: the answers of two networks to the same drawing."""

from functools import partial
from typing import Any

from dlcourse.webapp import draw, network
from dlcourse.webapp.draw import HIDDEN
from dlcourse.webapp.network import UNTRAINED
from dlcourse.webapp.server import App, gradio
from dlcourse.webapp.uploads import or_error, read_drawing


def tab(app: App) -> None:
    """Fill the tab."""
    gr = gradio()
    runs = [*network.image_runs(app)]
    choices = [name + end for name in runs for end in ("", UNTRAINED)]
    picture, sides = gr.State(None), []
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            pad = draw.canvas()
            example = gr.Button("Test example", size="sm")
        for label, value in (("First", runs[0]), ("Second", [*runs[1:], choices[1]][0])):
            with gr.Column(scale=1, min_width=300):
                name = gr.Dropdown(choices, value=value, label=f"{label} network")
                sides.append((name, gr.HTML(elem_id=label.lower())))
    pad.change(or_error(read_drawing), pad, picture, **HIDDEN)
    test = or_error(partial(draw.test_example, app))
    example.click(test, sides[0][0], picture, **HIDDEN)

    def side(picture: Any, name: str) -> str:
        return "".join(draw.pages(app, picture, name)[:2])

    for name, page in sides:
        gr.on([picture.change, name.change], side, [picture, name], page, **HIDDEN)
