"""Pictures of a trained network: filters, templates, feature maps, attributions, dreams."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from dlcourse import plots, visualizers
from dlcourse.errors import UserError
from dlcourse.heavy import keras
from dlcourse.pictures.view import Picture, View, drawn_by
from dlcourse.visualizers import hooks
from dlcourse.visualizers.hooks import LayerCall
from dlcourse.visualizers.targets import target_of

CLASSES, UNITS = 10, 16  # at most, in a grid of templates
MAPS = 8  # feature maps per layer, in one row
STEPS = 64  # of integrated gradients: enough for a small map
LAST = 4  # convolutions shown of a network, where no layer is named
COLUMNS = 10  # layers in a picture of neurons
GRADIENT_METHODS = (
    "saliency", "smooth_grad", "gradient_times_input", "integrated_gradients",
    "guided_backpropagation",
)  # fmt: skip
CAM_METHODS = ("grad_cam", "grad_cam_plus_plus", "layer_cam", "score_cam", "eigen_cam")


def filters(view: View) -> Iterator[Picture]:
    """The kernels of a layer as small images."""
    name, kernel = _kernel(view)
    weights = np.moveaxis(kernel.mean(axis=2), -1, 0)[: 4 * UNITS]
    numbers = [str(k) for k in range(len(weights))]
    figure = drawn_by(plots.image_grid, plots.signed_colours(weights), numbers, value_range=(0, 1))
    mean = " (the mean over its input channels)" if kernel.shape[2] > 1 else ""
    top = f"±{np.abs(weights).max():.2g}"
    caption = f"The weights of layer {name}{mean}: red above 0, blue below, up to {top}."
    yield Picture("filters", "Filters", caption, figure)


def _kernel(view: View) -> tuple[str, np.ndarray]:
    """Return a layer's name and its kernel `(height, width, channels, filters)`.

    The layer is a convolution, or a dense layer on the pixels themselves.
    """
    layers = hooks.all_layers(view.model)
    learning = [layer for layer in layers if layer.trainable_weights]
    first = next(filter(hooks.is_convolution, layers), learning[0] if learning else None)
    layer = hooks.named_layer(view.model, view.layer) if view.layer else first
    kernel = np.asarray(getattr(layer, "kernel", np.empty(0)), "float32")
    shape = view.facts.input_shape
    if layer in learning[:1] and kernel.ndim == 2 and len(kernel) == np.prod(shape):
        kernel = kernel.reshape(*shape, -1)
    if layer is None or kernel.ndim != 4:
        raise UserError("filters: the layer's weights are not small images")
    return layer.name, kernel


def class_templates(view: View) -> Iterator[Picture]:
    """What activates each class most: untrained, trained, and in a second run."""
    keras.utils.set_random_seed(0)
    names = [plots.short_name(name) for name in view.facts.class_names[:CLASSES]]
    runs = [("untrained", keras.models.clone_model(view.model)), (view.name, view.model)]
    runs += [(view.beside.name, view.beside.model)] if view.beside else []
    images = [_templates(view, model, list(range(len(names)))) for _, model in runs]
    rows = [plots.short_name(name) for name, _ in runs]
    figure = drawn_by(
        plots.image_grid, np.concatenate(images), names * len(rows), columns=len(names), rows=rows,
        value_range=view.facts.value_range,
    )  # fmt: skip
    caption = f"The image that activates each class most, by network: {', '.join(dict(runs))}."
    yield Picture("templates-classes", "Templates of the classes", caption, figure)


def _templates(view: View, model: Any, units: Sequence[int], layer: Any = None) -> np.ndarray:
    return visualizers.activation_maximization(
        model, units, layer=layer, value_range=view.facts.value_range
    )


def templates(view: View) -> Iterator[Picture]:
    """What activates the units of the last convolutions, or of the requested layer, most."""
    places, note = _convolutions(view)
    if not places:
        raise UserError("templates: the network has no convolution (name a layer)")
    for place in places:
        layer, units = place.name, list(range(min(UNITS, (place.shape or (1,))[-1])))
        images = _templates(view, view.model, units, layer)
        values, name = view.facts.value_range, f"templates-{layer.replace('/', '-')}"
        figure = drawn_by(plots.image_grid, images, list(map(str, units)), value_range=values)
        caption = f"What activates the first {len(units)} units most; flat: brightness alone.{note}"
        yield Picture(name, f"Templates of {layer}", caption, figure)


def _convolutions(view: View) -> tuple[list[LayerCall], str]:
    """Return the requested layer, or the last convolutions and a remark if there are more."""
    layers, image = hooks.all_layers(view.model), np.zeros((1, *view.facts.input_shape), "float32")
    calls = target_of(view.model, image, 0).calls
    if view.layer:
        return [hooks.find_layer(calls, view.layer, view.model)], ""
    slide = {call.name: call for call in calls if hooks.is_convolution(layers[call.position])}
    # a convolution that sees a single place, as in squeeze and excitation, has no picture
    found = [call for call in slide.values() if np.prod((call.shape or ())[:-1]) > 1]
    note = f" The last {LAST} of {len(found)} convolutions are shown (--layer NAME shows another)."
    return found[-LAST:], note if len(found) > LAST else ""


def feature_maps(view: View) -> Iterator[Picture]:
    """The feature maps of an image, layer by layer."""
    places, note = _convolutions(view)
    chosen = [place.name for place in places] if note or view.layer else None
    caption = f"The image and the first {MAPS} feature maps of each layer, bright if active.{note}"
    for k, title in enumerate(_on_a_line(view.titles)):
        layers = visualizers.feature_maps(view.model, view.inputs[k : k + 1], chosen)
        layers = {name: maps[0] for name, maps in layers.items() if maps.ndim == 4}
        if not layers:
            raise UserError("feature-maps: the layer has no feature maps (name a convolution)")
        tiles: list[Any] = []
        for maps in layers.values():
            shown = np.moveaxis(maps, -1, 0)[:MAPS, ..., None]
            tiles += [view.inputs[k], *shown, *[None] * (MAPS - len(shown))]
        rows = [f"{name}\n{'×'.join(map(str, maps.shape))}" for name, maps in layers.items()]
        figure = drawn_by(plots.image_grid, tiles, columns=MAPS + 1, rows=rows)
        yield Picture(f"feature-maps-{k + 1}", f"Feature maps of {title}", caption, figure)


def neurons(view: View) -> Iterator[Picture]:
    """Which neurons are active on an example, layer by layer."""
    activity = visualizers.neuron_activity(view.model, view.inputs)
    caption = "Active neurons are bright, layer by layer (a filter is shown by its mean)."
    shown = [view.layer] if view.layer in activity else [*activity][-COLUMNS:]
    if len(activity) > len(shown) > 1:
        caption += f" Of {len(activity)} layers, the last {len(shown)} are shown."
    for k, title in enumerate(_on_a_line(view.titles)):
        own = {name: activity[name][k] for name in shown}
        figure = drawn_by(plots.neuron_activity, own, title=title, size=(1.3 * len(own) + 1.2, 4.6))
        yield Picture(f"neurons-{k + 1}", f"Neurons on {title}", caption, figure)


def saliency(view: View) -> Iterator[Picture]:
    """Which pixels or steps the score depends on; for rows and text, what each value adds."""
    own = {"rows": _features, "sequences": _over_time, "text": _tokens}
    if view.facts.inputs in own:
        yield from own[view.facts.inputs](view)
        return
    maps = _maps(view, GRADIENT_METHODS)
    figure = drawn_by(plots.attributions, view.inputs, maps, view.titles, boxes=view.boxes)
    caption = (
        "How much the class's logit depends on each pixel, by gradients: brightness is the amount; "
        "red is for the class, blue against it. The number above a map is its strongest value."
    )
    yield Picture("saliency", "Which pixels the prediction depends on", caption, figure)


def _maps(view: View, methods: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the maps of each method that works for the model; some methods must work."""
    maps = {}
    for name in methods:
        settings = {"steps": STEPS} if name == "integrated_gradients" else {}
        settings |= {"layer": view.layer} if name in CAM_METHODS else {}
        with suppress(*() if name in ("saliency", "grad_cam") else (UserError,)):
            method = visualizers.VISUALIZERS[name]
            maps[name] = method(view.model, view.inputs, view.class_index, **settings)
    return maps


def _features(view: View) -> Iterator[Picture]:
    rows = view.inputs if view.dataset is None else view.dataset.x_train
    values = visualizers.integrated_gradients(
        view.model, view.inputs, view.class_index, baseline=rows.mean(axis=0)
    )
    names = view.facts.feature_names or [f"x{k + 1}" for k in range(values.shape[1])]
    unit = f"change of the {'logit' if view.facts.class_names else 'prediction'}"
    shape = {"unit": unit, "size": (6.8, 0.3 * min(12, len(names)) + 1.3)}
    caption = "What each feature adds, compared with an average example (integrated gradients)."
    for k, title in enumerate(_on_a_line(view.titles)):
        figure = drawn_by(plots.feature_attributions, values[k], names, title=title, **shape)
        yield Picture(f"saliency-{k + 1}", f"Features of {title}", caption, figure)


def _over_time(view: View) -> Iterator[Picture]:
    maps = _maps(view, ("saliency", "integrated_gradients"))
    with suppress(UserError):  # a network without convolutions
        maps |= {"grad_cam": visualizers.grad_cam(view.model, view.inputs, view.class_index)}
    caption = "How much the score depends on each step: dark if much, by each method's own scale."
    for k, title in enumerate(_on_a_line(view.titles)):
        steps = view.steps(k)
        sums = (np.abs(v[k][:steps]).reshape(steps, -1).sum(axis=1) for v in maps.values())
        shown = (view.inputs[k][:steps], dict(zip(maps, sums, strict=True)))
        figure = drawn_by(plots.over_time, *shown, view.facts.feature_names, title=title)
        yield Picture(f"saliency-{k + 1}", f"Steps of {title}", caption, figure)


def _tokens(view: View) -> Iterator[Picture]:
    values = visualizers.integrated_gradients(
        view.model, view.inputs, view.class_index, steps=STEPS
    )
    caption = "What each token adds to the score, compared with padding (integrated gradients)."
    between = " " * (view.facts.encoding["columns"][0]["tokens"] == "words")
    for k, title in enumerate(_on_a_line(view.titles)):
        tokens, steps = view.tokens(k), view.steps(k)
        how = {"title": title, "between": between, "size": (6.8, 0.9 + steps / 36)}
        figure = drawn_by(plots.token_attributions, tokens, values[k][:steps], **how)
        yield Picture(f"saliency-{k + 1}", f"Tokens of {title}", caption, figure)


def attention(view: View) -> Iterator[Picture]:
    """What each step or token looks at, in the last attention layer."""
    maps = visualizers.attention_maps(view.model, view.inputs)
    name = view.layer if view.layer in maps else [*maps][-1]
    caption = f"What each row looks at, in layer {name}: a row adds up to 1."
    reads_the_one_before = view.facts.task == "next_token"
    caption += " It predicts the character after its own." * reads_the_one_before
    for k, title in enumerate(_on_a_line(view.titles)):
        tokens, size = ["start"] * reads_the_one_before + view.tokens(k), maps[name].shape[-1]
        tokens = tokens[:: max(1, len(tokens) // size)][:size]  # the first of each patch
        shown = maps[name][k, :, : len(tokens), : len(tokens)]
        figure = drawn_by(plots.attention, shown, tokens, title=title)
        yield Picture(f"attention-{k + 1}", f"Attention on {title}", caption, figure)


def cam(view: View) -> Iterator[Picture]:
    """Where the network finds evidence for the class, by CAM methods."""
    maps = _maps(view, ("class_activation_map", *CAM_METHODS))
    figure = drawn_by(
        plots.attributions, view.inputs, maps, view.titles, overlaid=True, boxes=view.boxes
    )
    caption = f"By class activation maps: bright where {_place(view)} finds evidence for the class."
    yield Picture("cam", "Where the evidence lies", caption, figure)


def overlays(view: View) -> Iterator[Picture]:
    """Grad-CAM over each image, large."""
    heatmaps = _maps(view, ["grad_cam"])["grad_cam"]
    caption = f"Bright where {_place(view)} finds evidence for the class."
    for k, title in enumerate(_on_a_line(view.titles)):
        box = None if view.boxes is None else view.boxes[k]
        figure = drawn_by(plots.overlay, view.inputs[k], heatmaps[k], box=box, size=(3.2, 3.2))
        yield Picture(f"overlay-{k + 1}", f"Grad-CAM of {title}", caption, figure)


def dream(view: View) -> Iterator[Picture]:
    """The images with the patterns amplified that the network detects in them."""
    shown, value_range = view.inputs[:6], view.facts.value_range
    dreams = visualizers.deep_dream(view.model, shown, layers=view.layer, value_range=value_range)
    figure = drawn_by(
        plots.image_grid, [*shown, *dreams], columns=len(shown), rows=("image", "dream"),
        value_range=value_range,
    )  # fmt: skip
    caption = f"Each image changed so that it activates {_place(view)} ever more."
    yield Picture("dream", "Deep dream", caption, figure)


def _place(view: View) -> str:
    return f"layer {view.layer}" if view.layer else "the last layer with places"


def _on_a_line(titles: Sequence[str]) -> list[str]:
    return [title.replace("\n", ", ") for title in titles]
