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
Choice = tuple[str, tuple[int, ...]]
"""A visitor's choice of a layer, and its units that are switched off."""
QUIET: Any = {"show_progress": "hidden", "trigger_mode": "always_last"}
HIDDEN = QUIET | {"api_visibility": "private"}


def tab(app: App) -> None:
    """Fill the tab."""
    gr = gradio()
    runs = [*network.image_runs(app)]
    if not runs:
        gr.Markdown(no_pictures(app))
        return
    picture, number, chosen = gr.State(None), gr.State(0), gr.State(("", ()))
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

    def first(read: Any) -> Any:
        def seen(*values: Any) -> tuple[Any, ...]:
            given = or_error(read)(*values[:-3])
            return given, *pages(app, given, *values[-3:])

        return seen

    def clicked(chosen: Choice, event: Any) -> Choice:
        return choose(chosen, event._data or {})

    def other_run(run: str) -> Any:
        return gr.Dropdown(classes(app, run), value=PREDICTED), ("", ())

    clicked.__annotations__["event"] = gr.EventData
    visit, shown = [run, target, chosen], [answer, looks, layers]
    pad.change(first(read_drawing), [pad, *visit], [picture, *shown], api_name="draw", **QUIET)
    file.change(first(read_picture), [file, *visit], [picture, *shown], **HIDDEN)
    test = first(partial(test_example, app))
    example.click(test, [run, number, *visit], [picture, *shown], **HIDDEN)
    example.click(lambda number: number + 1, number, number, **HIDDEN)
    layers.click(clicked, chosen, chosen, **HIDDEN)
    gr.on(None, lambda: gr.Dropdown([*network.image_runs(app)]), None, run, **HIDDEN)  # on load
    run.input(other_run, run, [target, chosen], **HIDDEN)
    changes = [chosen.change, run.change, target.input]
    gr.on(changes, partial(pages, app), [picture, *visit], shown, api_name="see", **QUIET)


def warm_up(app: App) -> None:
    """Answer for a test example until everything is compiled, so that visitors need not wait."""
    for name in [*network.image_runs(app)][:1]:
        picture = or_error(test_example)(app, name, 0)
        for _ in range(3):
            pages(app, picture, name, PREDICTED, ("", (0,)))


def test_example(app: App, run: str, number: int) -> np.ndarray:
    """Return an example of a run's test split as a picture `(height, width, 3)`, uint8."""
    net = network.network(network.all_runs(app)[run].path)
    x = net.dataset.x_test
    levels = markup.grey_levels(np.asarray(x[number % len(x)]), net.run.facts.value_range)
    return levels if levels.ndim == 3 else np.stack([levels] * 3, axis=-1)


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
    return [PREDICTED, *network.all_runs(app)[run].facts.class_names]


def choose(chosen: Choice, clicked: dict[str, str]) -> Choice:
    """Return the visitor's choice after a click on a layer, or on a unit: off, or on again."""
    layer, off = chosen
    if "layer" in clicked:
        return clicked["layer"], ()
    return layer, tuple(sorted({*off} ^ {int(clicked["unit"])})) if "unit" in clicked else off


def pages(app: App, picture: Any, run: str, target: str, chosen: Choice) -> tuple[str, str, str]:
    """Return the HTML of the answer to a picture, of what the network looks at, of its layers.

    Args:
        app: The app.
        picture: Picture `(height, width, 3)`, uint8; None for none, or the error in reading it.
        run: Name of the run.
        target: Name of the class to explain, or `PREDICTED`.
        chosen: The layer whose units are shown, and those that are switched off.
    """
    net = network.network(network.all_runs(app)[run].path)
    try:
        x, advice = read(net, picture)
    except UserError as error:
        return markup.sentences([str(error)]), "", ""
    outputs, layers = network.answer(net, x)
    layer, off = chosen if chosen[0] in layers else (net.layers[0], chosen[1])
    after = network.switched_off(net, x, layer, off) if off else None
    names = net.run.facts.class_names
    index = names.index(target) if target in names else int(outputs.argmax())
    text = f"In {layer}, bright is active. Choose a unit to switch it off, for you alone"
    units = markup.sentences([text]) + markup.unit_buttons(layer, layers[layer], off)
    return (
        answer_page(net, x, outputs, after, advice),
        looks_page(net, x, outputs, index),
        markup.layer_buttons(layers, layer) + units,
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
    images, names = net.some_training_images, net.run.facts.class_names
    if not len(images):
        return ""
    nearest = int(np.square(images - x).sum(axis=(1, 2, 3)).argmin())
    label = net.dataset.y_train[nearest]
    text = f"Most alike in the training data: {names[int(label)] if names else label}"
    return picture_of(net, images[nearest], text)


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
    changed = network.smallest_change(net, x, winner, other)
    text = f"The smallest change found that makes it {net.run.facts.class_names[other]}"
    if network.answer(net, changed)[0].argmax() != other:
        text = f"Changed by {network.STEPS} gradient steps, it is still not another class"
    low, high = net.run.facts.value_range
    change = (changed - x)[0] / ((high - low) or 1)
    colours = np.rint(255 * signed_colours(change.mean(axis=-1))).astype("uint8")
    size = f"The change: red brighter, blue darker, in all {np.abs(change).sum():.1f} white pixels"
    return [picture_of(net, changed[0], text), markup.figure(colours, size)]
