"""The tab Play: a small network on points of the plane, trained before one's eyes.

The state of the controls is written in the page's address, so a link opens the same network;
`hide=noise,activation` in it hides these controls. The training is `StepwiseTraining`, which
`play.js` draws; each tick of a timer trains one short slice, so many visitors take turns.
"""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import urlencode

import numpy as np

from dlcourse.datasets.points import FEATURES
from dlcourse.errors import DivergedError
from dlcourse.lessons.playground import CHOICES, Playground, StepwiseTraining
from dlcourse.webapp.server import HERE, App, gradio

DEFAULT = Playground(hidden=(4,))
MENUS = ("shape", "noise", "n", "activation", "learning_rate", "l2", "batch_size")
"""The settings chosen from a menu; features and hidden layers have controls of their own."""
VALUES = CHOICES | {"n": (100, 200, 500, 1000), "batch_size": (1, 8, 32, 128), "hidden": ()}
EXPECTED = {name: f"one of {', '.join(map(str, VALUES[name]))}" for name in MENUS}
EXPECTED |= {"features": f"some of {', '.join(FEATURES)}"}
EXPECTED |= {"hidden": "none, or up to 4 layers of 1 to 8 neurons, such as 4,2"}
LABELS = {"n": "Points", "l2": "Regularisation (L2)", "epoch": "One epoch", "batch": "One batch"}
LABELS |= {"hidden": "Hidden layers", "recipe": "As a recipe", "keras": "As Keras"}
LAYERS, NEURONS, MOST_EPOCHS = range(1, 5), [("none", 0), *range(1, 9)], 2000
TICK = 0.15  # seconds between two slices of a training
AT_MOST = BoundedSemaphore(2)  # trainings at once; the others wait for their slice
SLICE = partial(StepwiseTraining.run, epochs=2, seconds=0.1)
STEPS: dict[str, Callable[..., None]] = {"pause": lambda _: None, "epoch": StepwiseTraining.run}
STEPS |= {"batch": StepwiseTraining.step, "reset": StepwiseTraining.reset}
PARTS = (*MENUS, "features", "hidden", "start", *STEPS, "recipe", "keras", "link")
"""What an address can hide."""
QUIETLY: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
LATEST, AT_ONCE = QUIETLY | {"trigger_mode": "always_last"}, QUIETLY | {"queue": False}
SHOW_LINK = "query => new URL(query, location.href).href"
WRITE_LINK = "query => { history.replaceState(null, '', query); return location.href }"


def read_address(address: Mapping[str, str]) -> tuple[Playground, list[str], list[str]]:
    """Return the settings, the hidden parts and one sentence per value that is not possible.

    Args:
        address: Query parameters of the page's address; other names are left to other tabs.
    """
    settings, faults = {}, []
    for name, text in ((name, address[name]) for name in EXPECTED if name in address):
        if (value := _value(name, text)) is None:
            used = f"got '{text[:40]}': {_text(getattr(DEFAULT, name))} is used."
            faults.append(f"{name}: expected {EXPECTED[name]}, {used}")
        else:
            settings[name] = value
    hidden = [part for part in address.get("hide", "").split(",") if part]
    faults += [f"hide: there is no '{part[:40]}'." for part in hidden if part not in PARTS]
    return replace(DEFAULT, **settings), [part for part in hidden if part in PARTS], faults


def write_address(play: Playground, hidden: list[str]) -> str:
    """Return the query of an address that `read_address` reads; it names what is not a default."""
    others = {key: value for key, value in vars(play).items() if value != getattr(DEFAULT, key)}
    texts = {"tab": "play"} | {key: _text(value) for key, value in others.items()}
    return "?" + urlencode(texts | ({"hide": _text(tuple(hidden))} if hidden else {}), safe=",*^()")


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _value(name: str, text: str) -> Any:
    """Return the value that a text stands for, or None."""
    parts = text.split(",")
    if name == "features" and FEATURES.keys() >= set(parts):
        return tuple(feature for feature in FEATURES if feature in parts)
    if name == "hidden" and re.fullmatch("none|[1-8](,[1-8]){0,3}", text):
        return tuple(map(int, re.findall("[1-8]", text)))
    forms = {form(value): value for value in VALUES.get(name, ()) for form in (str, _text)}
    return forms.get(text)


def playground(*values: Any) -> Playground:
    """Return the settings of the controls: the menus, the features, the neurons of each layer."""
    chosen = dict(zip((*MENUS, "features"), values, strict=False))
    chosen["features"] = tuple(name for name in FEATURES if name in chosen["features"])
    neurons = tuple(number for number in values[len(chosen) :] if number)
    return replace(DEFAULT, **chosen, hidden=neurons)


def control_values(play: Playground) -> list[Any]:
    """Return the values of the controls, in the order of `playground`."""
    neurons = (*play.hidden, 0, 0, 0, 0)[: len(LAYERS)]
    return [*(getattr(play, name) for name in MENUS), list(play.features), *neurons]


def frame(training: StepwiseTraining, message: str = "") -> str:
    """Return what `play.js` draws of a training, as JSON; maps are bytes in base64, row by row."""
    *layers, output = training.outputs()
    every = 1 + len(training.history["loss"]) // 200  # so that at most 200 points are drawn
    curves, points = training.history.items(), training.plane.splits.items()
    shown = {name: getattr(training, name) for name in ("number", "epoch", "batch", "batches")}
    shown |= {"message": message, "limit": training.limit, "features": training.play.features}
    shown["points"] = {part: [x.round(2).tolist(), y.tolist()] for part, (x, y) in points}
    shown["boundary"], shown["layers"] = _bytes(output[..., 0]), [_maps(each) for each in layers]
    shown["weights"] = [weights.round(3).tolist() for weights in training.network.W]
    shown |= {"every": every, "now": {key: values[-1] for key, values in curves}}
    shown["history"] = {key: np.round(values[::every], 4).tolist() for key, values in curves}
    return json.dumps(shown)


def _bytes(values: np.ndarray) -> str:
    return b64encode((255 * values).round().astype("uint8").tobytes()).decode()


def _maps(layer: np.ndarray) -> list[str]:
    """Return each neuron's outputs as bytes: 128 for 0, more above it."""
    shares = layer[::2, ::2] / (np.abs(layer).max(axis=(0, 1)) + 1e-9)
    return [_bytes(0.5 + 0.5 * shares[..., neuron]) for neuron in range(layer.shape[-1])]


def note(training: StepwiseTraining, message: str) -> str:
    """Return a frame with a message alone: the picture stays."""
    return json.dumps({"number": training.number, "message": message})


def advanced(training: StepwiseTraining, advance: Callable[..., None]) -> tuple[str, bool]:
    """Return the frame after `advance`, which trains, and whether the training can go on."""
    try:
        with AT_MOST:
            advance(training)
    except DivergedError as error:
        return note(training, str(error)), False
    ended = training.epoch >= MOST_EPOCHS
    return frame(training, f"The training ends after {MOST_EPOCHS} epochs." * ended), not ended


def texts(training: StepwiseTraining) -> tuple[str, str]:
    """Return the recipe and the Keras script of the network, with the epochs trained so far."""
    play = replace(training.play, epochs=training.epoch or training.play.epochs)
    return play.as_recipe(), play.as_keras()


def stepped(advance: Callable[..., None], training: StepwiseTraining) -> tuple[str, str, str]:
    """Return the frame and the texts after `advance`, which trains."""
    return advanced(training, advance)[0], *texts(training)


def drawn(training: StepwiseTraining, hidden: list[str], message: str = "") -> list[Any]:
    """Return the training with its frame, its texts and its address."""
    address = write_address(training.play, hidden)
    return [training, frame(training, message), *texts(training), address]


def changed(training: StepwiseTraining, hidden: list[str], *values: Any) -> list[Any]:
    """Return what is `drawn` of a new training with the values of the controls.

    Without a feature, the old training goes on, and its frame says why.
    """
    play = playground(*values)
    if play.features:
        return drawn(StepwiseTraining(play, training.running), hidden)
    return [training, note(training, "Tick one feature or more."), *drawn(training, hidden)[2:]]


def set_running(training: StepwiseTraining, running: bool) -> Any:
    """Return Gradio's update of the timer; a tick under way trains no more after a pause."""
    training.running = running
    return gradio().Timer(active=running)


def visibility(hidden: list[str]) -> list[dict[str, Any]]:
    """Return Gradio's updates that show or hide each of `PARTS`."""
    return [gradio().update(visible=part not in hidden) for part in PARTS]


def tab(app: App) -> None:  # noqa: ARG001 - every tab is called with it
    """Fill the tab; each visitor's training is in a state of its own."""
    gr: Any = gradio()
    state, timer, shown = gr.State(None), gr.Timer(TICK, active=False), {}
    template, script = ((HERE / f"play.{end}").read_text("utf-8") for end in ("html", "js"))
    with gr.Row():
        with gr.Column(scale=3, min_width=320):
            with gr.Row():
                for name in ("start", *STEPS):
                    shown[name] = gr.Button(_label(name), size="md", min_width=110)
            picture = gr.HTML(html_template=template, js_on_load=script)
        with gr.Column(scale=2, min_width=320):
            controls = _controls(gr, shown)
    recipe, keras, hide, link = _texts(gr, shown)
    parts, now = [shown[part] for part in PARTS], [state, picture, recipe, keras, link]

    def load(request: Any) -> list[Any]:
        play, hidden, faults = read_address(request.query_params)
        result = [*drawn(StepwiseTraining(play), hidden, " ".join(faults)), hidden]
        return [*result, *control_values(play), *visibility(hidden)]

    def tick(training: StepwiseTraining) -> tuple[Any, ...]:
        picture, goes_on = advanced(training, SLICE) if training.running else (gr.skip(), True)
        return picture, gr.skip() if goes_on else gr.Timer(active=False)

    def hide_parts(training: StepwiseTraining, hidden: list[str]) -> list[Any]:
        return [write_address(training.play, hidden), *visibility(hidden)]

    load.__annotations__["request"] = gr.Request
    opened = gr.on(None, load, None, [*now, hide, *controls, *parts], **QUIETLY)
    opened.then(None, link, link, js=SHOW_LINK)
    moves = [control.input for control in controls]
    moved = gr.on(moves, changed, [state, hide, *controls], now, **LATEST)
    for event in (moved, hide.input(hide_parts, [state, hide], [link, *parts], **LATEST)):
        event.then(None, link, link, js=WRITE_LINK)
    timer.tick(tick, state, [picture, timer], **AT_ONCE)
    shown["start"].click(partial(set_running, running=True), state, timer, **AT_ONCE)
    for name, advance in STEPS.items():
        stopped = shown[name].click(partial(set_running, running=False), state, timer, **AT_ONCE)
        stopped.then(partial(stepped, advance), state, [picture, recipe, keras], **QUIETLY)


def _label(name: str) -> str:
    return LABELS.get(name, name.replace("_", " ").capitalize())


def _controls(gr: Any, shown: dict[str, Any]) -> list[Any]:
    """Return the controls in the order of `playground`; those that can be hidden are in `shown`."""
    menu = partial(gr.Dropdown, filterable=False, min_width=100)

    def menus(*names: str) -> None:
        with gr.Row():
            for name in names:
                shown[name] = menu([*VALUES[name]], label=_label(name))

    menus("shape", "noise", "n")
    shown["features"] = gr.CheckboxGroup(list(FEATURES), label="Features")
    with gr.Row() as shown["hidden"]:
        neurons = [menu(NEURONS, label=f"Neurons in layer {k}", min_width=150) for k in LAYERS]
    menus("activation", "learning_rate")
    menus("l2", "batch_size")
    return [*(shown[name] for name in (*MENUS, "features")), *neurons]


def _texts(gr: Any, shown: dict[str, Any]) -> tuple[Any, ...]:
    with gr.Accordion(_label("recipe"), open=False) as shown["recipe"]:
        recipe = gr.Code(language="yaml", label="Recipe (dlcourse train FILE)", max_lines=24)
    with gr.Accordion(_label("keras"), open=False) as shown["keras"]:
        keras = gr.Code(language="python", label="Keras script", max_lines=24)
    with gr.Accordion("A link to this network", open=False) as shown["link"]:
        parts = [(_label(part), part) for part in PARTS]
        hide = gr.CheckboxGroup(parts, label="Hide these controls, here and in the link")
        link = gr.Textbox(label="Link", buttons=["copy"], interactive=True)
    return recipe, keras, hide, link
