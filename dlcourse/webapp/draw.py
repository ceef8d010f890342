"""The tab Draw and see: a drawing, the network's answer to it, and where the answer comes from."""

from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from dlcourse import visualizers
from dlcourse.errors import UserError
from dlcourse.plots.attributions import signed_colours
from dlcourse.runs import Run
from dlcourse.webapp import markup, network
from dlcourse.webapp.network import Network
from dlcourse.webapp.server import HERE, App, gradio
from dlcourse.webapp.uploads import or_error, read_drawing, read_picture

PREDICTED = "the predicted class"
START = "Draw on the white square, or choose a picture or a test example"
Choice = tuple[str, str, tuple[int, ...]]
"""A visitor's choice: a run, one of its layers, and the units of it that are switched off."""
HIDDEN: Any = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "trigger_mode": "always_last",
}


def tab(app: App) -> None:
    """Fill the tab."""
    gr = gradio()
    runs = [*network.image_runs(app)]
    if not runs:
        gr.Markdown(no_pictures(app))
        return
    picture, number, chosen = gr.State(None), gr.State(0), gr.State(("", "", ()))
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            run = gr.Dropdown(runs, value=runs[0], label="Run")
            pad = canvas()
            example = gr.Button("Test example", size="sm")
            with gr.Accordion("A picture of your own", open=False):
                sources: Any = ["upload", "webcam", "clipboard"]
                file = gr.Image(type="filepath", sources=sources, label="Picture", height=220)
        with gr.Column(scale=2, min_width=300):
            answer = gr.HTML(markup.sentences([START]), elem_id="answer")
    gr.Markdown("### What it looks at")
    with gr.Row():
        target = gr.Dropdown(classes(app, runs[0]), label="Class", scale=0, min_width=250)
    looks = gr.HTML(elem_id="looks")
    gr.Markdown("### From layer to layer")
    layers = gr.HTML(elem_id="layers", js_on_load=(HERE / "units.js").read_text("utf-8"))

    def show(*visit: Any) -> tuple[str, str, str]:
        return pages(app, *visit)

    def clicked(run: str, chosen: Choice, event: Any) -> Choice:
        return choose(run, chosen, event._data or {})

    clicked.__annotations__["event"] = gr.EventData
    pad.change(or_error(read_drawing), pad, picture, **HIDDEN)
    file.change(or_error(read_picture), file, picture, **HIDDEN)
    example.click(or_error(partial(test_example, app)), [run, number], picture, **HIDDEN)
    example.click(lambda number: number + 1, number, number, **HIDDEN)
    layers.click(clicked, [run, chosen], chosen, **HIDDEN)
    run.input(lambda run: gr.Dropdown(classes(app, run), value=PREDICTED), run, target, **HIDDEN)
    changes = [picture.change, chosen.change, run.change, target.input]
    gr.on(changes, show, [picture, run, target, chosen], [answer, looks, layers], **HIDDEN)


def warm_up(app: App) -> None:
    """Answer for a blank picture until everything is compiled, so that visitors need not wait."""
    for name, run in [*network.image_runs(app).items()][:1]:
        blank, layer = np.zeros((1, *run.facts.input_shape), "float32"), ""
        for _ in range(3):
            pages(app, blank, name, PREDICTED, (name, layer, (0,)))


def test_example(app: App, run: str, number: int) -> np.ndarray:
    """Return an example of a run's test split, `(1, height, width, channels)`."""
    x = network.network(network.image_runs(app)[run].path).dataset.x_test
    return np.asarray(x[number % len(x)][None], "float32")


def canvas() -> Any:
    """Return a canvas to draw on; its value is the drawing, see `uploads.read_drawing`."""
    template, script = ((HERE / f"canvas.{kind}").read_text("utf-8") for kind in ("html", "js"))
    return gradio().HTML(value="", html_template=template, js_on_load=script)


def no_pictures(app: App) -> str:
    """Return the sentence for runs that take no pictures."""
    path, kind = app.runs[0], Run(app.runs[0]).facts.inputs
    what = {"rows": "rows of a table", "text": "texts"}.get(kind, kind)
    return (
        f"{path.name} takes {what}, which cannot be drawn: `dlcourse predict --run {path}` answers "
        f"for your own {what}, and `dlcourse app` without `--run` opens a network for digits."
    )


def classes(app: App, run: str) -> list[str]:
    """Return the choices of the class to explain."""
    return [PREDICTED, *network.image_runs(app)[run].facts.class_names]


def choose(run: str, chosen: Choice, clicked: dict[str, str]) -> Choice:
    """Return the visitor's choice after a click on a layer, or on a unit: off, or on again."""
    _, layer, off = chosen if chosen[0] == run else (run, "", ())
    if "layer" in clicked:
        return run, clicked["layer"], ()
    units = {*off} ^ {int(clicked["unit"])} if "unit" in clicked else off
    return run, layer, tuple(sorted(units))


def pages(app: App, picture: Any, run: str, target: str, chosen: Choice) -> tuple[str, str, str]:
    """Return the HTML of the answer to a picture, of what the network looks at, of its layers.

    Args:
        app: The app.
        picture: Picture `(height, width, 3)`, or an input `(1, …)` of the run; None for none, or
            the error with which it was read.
        run: Name of the run.
        target: Name of the class to explain, or `PREDICTED`.
        chosen: The run, the layer whose units are shown, and which of these are switched off.
    """
    net = network.network(network.image_runs(app)[run].path)
    try:
        x, advice = read(net, picture)
    except UserError as error:
        return markup.sentences([str(error)]), "", ""
    answer = network.answer(net, x)
    _, layer, off = chosen if chosen[0] == run else (run, "", ())
    layer = layer if layer in answer.layers else net.layers[0]
    after = network.switched_off(net, x, layer, off) if off else None
    names = net.run.facts.class_names
    index = names.index(target) if target in names else int(answer.outputs.argmax())
    text = f"{layer}: bright is active. Choose a filter or neuron to switch it off, for you alone"
    units = markup.unit_buttons(layer, answer.layers[layer], off)
    return (
        answer_page(net, x, answer.outputs, after, advice),
        looks_page(net, x, answer.outputs, index),
        markup.layer_buttons(answer.layers, layer) + markup.sentences([text]) + units,
    )


def read(net: Network, picture: Any) -> tuple[np.ndarray, list[str]]:
    """Return the input for a picture, and advice; raise the UserError that stands in its place."""
    if picture is None or isinstance(picture, UserError):
        raise picture or UserError(START)
    return network.prepared(net.run, picture)


def answer_page(net: Network, x: Any, outputs: Any, after: Any, advice: list[str]) -> str:
    """Return the answer in words and bars, beside the picture as the network gets it."""
    facts = net.run.facts
    text = f"What the network gets: {x.shape[1]}×{x.shape[2]} pixels"
    seen = picture_of(net, x[0], text) + alike_figure(net, x)
    if not facts.class_names:
        said, bars = f"The network predicts {facts.target_name} {outputs[0]:.4g}", ""
    else:
        best, second = np.argsort(-outputs)[:2]
        said = f"The network answers {facts.class_names[best]} (probability {outputs[best]:.2f})"
        bars = markup.bars(facts.class_names, outputs, after)
        if outputs[second] > outputs[best] / 2:
            advice = [f"it hesitates: {facts.class_names[second]} is nearly as probable", *advice]
        if after is not None:
            then = facts.class_names[int(after.argmax())]
            advice = [f"orange: with units switched off; it then answers {then}", *advice]
    head = markup.sentences([said], "dl-answer")
    return f'{head}<div class="dl-row">{bars}{seen}</div>{markup.sentences(advice)}'


def picture_of(net: Network, image: np.ndarray, text: str) -> str:
    """Return an image in the value range of the run's images as a figure."""
    return markup.figure(markup.grey_levels(image, net.run.facts.value_range), text)


def alike_figure(net: Network, x: np.ndarray) -> str:
    """Return the training image most like an input, or nothing if there are no such images."""
    if (alike := network.most_alike(net, x)) is None:
        return ""
    names = net.run.facts.class_names
    label = names[int(alike[1])] if names else f"{alike[1]:.4g}"
    return picture_of(net, alike[0], f"Most alike in the training data: {label}")


def looks_page(net: Network, x: np.ndarray, outputs: np.ndarray, index: int) -> str:
    """Return the maps of a class, its template, and the smallest change to the runner-up.

    Args:
        net: The network.
        x: Input `(1, height, width, channels)`.
        outputs: The network's outputs for it.
        index: Class to explain.
    """
    facts = net.run.facts
    levels = markup.grey_levels(x[0], facts.value_range)
    name = facts.class_names[index] if facts.class_names else facts.target_name
    texts = {
        "saliency": f"Saliency: the pixels on which the score of {name} depends most",
        "grad_cam": f"Grad-CAM: where the last feature maps speak for {name}",
    }
    figures = []
    for method, text in texts.items():
        with suppress(UserError):  # no convolution
            heat = visualizers.VISUALIZERS[method](net.model, x, index)[0]
            figures.append(markup.figure(markup.overlaid(levels, heat), text))
    if len(net.templates):
        text = f"Template of {name}: the input to which this class responds most"
        figures.append(picture_of(net, net.templates[index], text))
    if facts.class_names:
        figures += change_figures(net, x, outputs)
    return f'<div class="dl-figures">{"".join(figures)}</div>'


def change_figures(net: Network, x: np.ndarray, outputs: np.ndarray) -> list[str]:
    """Return the picture changed so that the runner-up wins, and the difference."""
    winner, other = (int(k) for k in np.argsort(-outputs)[:2])
    change, name = network.smallest_change(net, x, winner, other), net.run.facts.class_names[other]
    text = f"The smallest change found that makes it {name}"
    if change.outputs.argmax() != other:
        text = f"{network.STEPS} gradient steps did not make it {name}"
    difference = np.rint(255 * signed_colours((change.image - x[0]).mean(axis=-1)))
    size = f"The change: red brighter, blue darker; it adds up to {change.size:.1f} white pixels"
    return [
        picture_of(net, change.image, text),
        markup.figure(difference.astype("uint8"), size),
    ]
