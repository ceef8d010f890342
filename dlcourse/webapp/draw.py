"""The tab Draw and see: a drawing, the network's answer to it, and where the answer comes from."""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from dlcourse import visualizers
from dlcourse.configuration.from_python import recipe
from dlcourse.errors import UserError
from dlcourse.plots.attributions import signed_colours
from dlcourse.quiet import write
from dlcourse.training import train
from dlcourse.webapp import markup, network
from dlcourse.webapp.network import Network
from dlcourse.webapp.server import HERE, App, gradio
from dlcourse.webapp.uploads import or_error, read_drawing, read_picture

START = "Draw on the white square, or choose a picture or a test example"
Choice = tuple[str, tuple[int, ...]]  # a visitor's layer, and its units that are switched off
QUIET: Any = {"show_progress": "hidden", "trigger_mode": "always_last"}
HIDDEN = QUIET | {"api_visibility": "private"}


def tab(app: App) -> None:
    """Fill the tab."""
    gr = gradio()
    runs = [*network.image_runs(app)]
    picture, chosen = gr.State(None), gr.State(("", ()))
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            run = gr.Dropdown(runs, value=runs[0], label="Run")
            pad = canvas()
            example = gr.Button("Test example", size="sm")
            with gr.Accordion("A picture of your own", open=False):
                file = gr.Image(type="filepath", label="Picture", height=220)
        with gr.Column(scale=2, min_width=300):
            answer = gr.HTML(markup.sentences([START]), elem_id="answer")
    gr.Markdown("### What it looks at")
    looks = gr.HTML(elem_id="looks")
    gr.Markdown("### From layer to layer")
    layers = gr.HTML(elem_id="layers", js_on_load=(HERE / "units.js").read_text("utf-8"))

    def first(read: Any) -> Any:
        def seen(given: str, *visit: Any) -> tuple[Any, ...]:
            picture = or_error(read)(given)
            return picture, *pages(app, picture, *visit)

        return seen

    choose.__annotations__["event"] = gr.EventData
    visit, shown = [run, chosen], [answer, looks, layers]
    pad.change(first(read_drawing), [pad, *visit], [picture, *shown], api_name="draw", **QUIET)
    file.change(first(read_picture), [file, *visit], [picture, *shown], **HIDDEN)
    test = first(partial(test_example, app))
    example.click(test, [run, *visit], [picture, *shown], **HIDDEN)
    layers.click(choose, chosen, chosen, **HIDDEN)
    gr.on(None, lambda: gr.Dropdown([*network.image_runs(app)]), None, run, **HIDDEN)  # on load
    run.input(lambda: ("", ()), None, chosen, **HIDDEN)
    changes = [chosen.change, run.change]
    gr.on(changes, partial(pages, app), [picture, *visit], shown, api_name="see", **QUIET)


def ready(app: App) -> App:
    """Return what the tabs show, with a run to draw for; it has answered until it is compiled.

    If no named run names the class of an image, digits_cnn is trained into the temporary folder.
    """
    if not {*app.runs} & {run.path for run in network.image_runs(app).values()}:
        write("no run that names the class of an image was given: digits_cnn is trained for it")
        run = train(recipe("digits_cnn"), app.temporary, name="digits_cnn", bar=False)
        app = replace(app, runs=(run.path, *app.runs))
    name = next(iter(network.image_runs(app)))
    picture = or_error(partial(test_example, app))(name)
    for _ in range(3):
        pages(app, picture, name, ("", (0,)))
    return app


def test_example(app: App, run: str) -> np.ndarray:
    """Return an example of a run's test split as a picture `(height, width, 3)`, uint8."""
    net = network.named(app, run)
    x = net.dataset.x_test
    image = x[np.random.default_rng().integers(len(x))]
    return markup.grey_levels(image, net.run.facts.value_range)


def canvas() -> Any:
    """Return a canvas to draw on; its value is the drawing, see `uploads.read_drawing`."""
    template, script = ((HERE / f"canvas.{kind}").read_text("utf-8") for kind in ("html", "js"))
    return gradio().HTML(value="", html_template=template, js_on_load=script)


def choose(chosen: Choice, event: Any) -> Choice:
    """Return the visitor's choice after a click on a layer, or on a unit: off, or on again."""
    if "layer" in event._data:
        return event._data["layer"], ()
    return chosen[0], tuple(sorted({*chosen[1]} ^ {int(event._data["unit"])}))


def pages(app: App, picture: Any, run: str, chosen: Choice = ("", ())) -> tuple[str, str, str]:
    """Return the HTML of the answer to a picture, of what the network looks at, of its layers.

    Args:
        app: The app.
        picture: Picture `(height, width, 3)`, uint8; None for none, or the error in reading it.
        run: Name of the run, as for `network.named`.
        chosen: The layer whose units are shown, and those that are switched off.
    """
    try:
        if not isinstance(picture, np.ndarray):
            raise picture or UserError(START)
        net = network.named(app, run)
        x, advice = network.prepared(net.run, picture)
    except UserError as error:
        return markup.sentences([str(error)]), "", ""
    outputs, layers = network.answer(net, x)
    layer, off = chosen if chosen[0] in layers else (net.layers[0], chosen[1])
    after = network.switched_off(net, x, layer, off) if off else None
    text = f"In {layer}, bright is active. Choose a unit to switch it off, for you alone"
    buttons = markup.layer_buttons(layers, layer) + markup.sentences([text])
    buttons += markup.unit_buttons(layer, layers[layer], off)
    page = answer_page(net, x, outputs, after, advice)
    return page, looks_page(net, x, outputs), buttons


def answer_page(net: Network, x: Any, outputs: Any, after: Any, advice: list[str]) -> str:
    """Return the answer in words and bars, beside the picture as the network gets it."""
    names = net.run.facts.class_names
    best, second = np.argsort(-outputs)[:2]
    if outputs[second] > outputs[best] / 2:
        advice = [f"it hesitates: {names[second]} is nearly as probable", *advice]
    if after is not None:
        then = names[int(after.argmax())]
        advice = [f"orange: with units switched off; it then answers {then}", *advice]
    said = [f"The network answers {names[best]} (probability {outputs[best]:.2f})"]
    seen = picture_of(net, x[0], f"What the network gets: {x.shape[1]}×{x.shape[2]} pixels")
    row = f'<div class="dl-row">{markup.bars(names, outputs, after)}{seen}</div>'
    return markup.sentences(said, "dl-answer") + row + markup.sentences(advice)


def picture_of(net: Network, image: np.ndarray, text: str) -> str:
    """Return an image in the value range of the run's images as a figure."""
    return markup.figure(markup.grey_levels(image, net.run.facts.value_range), text)


def looks_page(net: Network, x: np.ndarray, outputs: np.ndarray) -> str:
    """Return the predicted class's maps and template, and the smallest change to the runner-up.

    Args:
        net: The network.
        x: Input `(1, height, width, channels)`.
        outputs: The network's outputs for it.
    """
    index = int(outputs.argmax())
    name = net.run.facts.class_names[index]
    texts = {
        "saliency": f"Saliency: the pixels on which the score of {name} depends most",
        "grad_cam": f"Grad-CAM: where the last feature maps speak for {name}",
    }
    levels, figures = markup.grey_levels(x[0], net.run.facts.value_range), ""
    for method, text in texts.items():
        with suppress(UserError):  # no convolution
            heat = visualizers.VISUALIZERS[method](net.model, x, index)[0]
            figures += markup.figure(markup.overlaid(levels, heat), text)
    if net.templates is not None:
        text = f"Template of {name}: the input to which this class responds most"
        figures += picture_of(net, net.templates[index], text)
    return f'<div class="dl-figures">{figures}{change_figures(net, x, outputs)}</div>'


def change_figures(net: Network, x: np.ndarray, outputs: np.ndarray) -> str:
    """Return the picture changed so that the runner-up wins, and the difference."""
    winner, other = (int(k) for k in np.argsort(-outputs)[:2])
    changed = network.smallest_change(net, x, winner, other)
    text = f"The smallest change found that makes it {net.run.facts.class_names[other]}"
    if network.answer(net, changed)[0].argmax() != other:
        text = f"Changed by {network.STEPS} gradient steps, it is still not another class"
    change = (changed - x)[0] / np.ptp(net.run.facts.value_range)
    colours = np.rint(255 * signed_colours(change.mean(axis=-1))).astype("uint8")
    size = f"The change: red brighter, blue darker, in all {np.abs(change).sum():.1f} white pixels"
    return picture_of(net, changed[0], text) + markup.figure(colours, size)
