"""Pictures of a trained network: filters, templates, feature maps, evidence, dreams."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from dlcourse import plots, visualizers
from dlcourse.errors import UserError
from dlcourse.pictures.view import Picture, View, drawn_by
from dlcourse.visualizers import hooks

CLASSES, UNITS = 10, 16  # at most, in a grid of templates
MAPS = 8  # of a layer, in a row of feature maps
STEPS = 64  # of integrated gradients: enough for a small map
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

    It is a convolution's, or that of a dense layer that takes the pixels themselves.
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
    """What each class answers to most, before the training, after it, and in the run beside."""
    import keras

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
    caption = f"What each class answers to most, by network: {', '.join(dict(runs))}."
    yield Picture("templates-classes", "Templates of the classes", caption, figure)


def _templates(view: View, model: Any, units: Sequence[int], layer: Any = None) -> np.ndarray:
    return visualizers.activation_maximization(
        model, units, layer=layer, value_range=view.facts.value_range
    )


def templates(view: View) -> Iterator[Picture]:
    """What the units of each convolution, or of the layer asked, answer to most."""
    convolutions = filter(hooks.is_convolution, hooks.all_layers(view.model))
    one = np.zeros((1, *view.facts.input_shape), "float32")
    for layer in [view.layer] if view.layer else [layer.name for layer in convolutions]:
        (answer,) = visualizers.feature_maps(view.model, one, layer).values()
        units = list(range(min(UNITS, answer.shape[-1])))
        images = _templates(view, view.model, units, layer)
        values, name = view.facts.value_range, f"templates-{layer.replace('/', '-')}"
        figure = drawn_by(plots.image_grid, images, list(map(str, units)), value_range=values)
        caption = f"What the first {len(units)} units answer to most; flat: to brightness alone."
        yield Picture(name, f"Templates of {layer}", caption, figure)


def feature_maps(view: View) -> Iterator[Picture]:
    """What the layers make of an image."""
    caption = f"The image and the first {MAPS} feature maps of each layer, bright where it answers."
    for k, title in enumerate(_on_a_line(view.titles)):
        found = visualizers.feature_maps(view.model, view.inputs[k : k + 1], view.layer)
        found = {name: maps[0] for name, maps in found.items() if maps.ndim == 4}
        if not found:
            raise UserError("feature-maps: the layer gives no maps (name a convolution)")
        tiles: list[Any] = []
        for maps in found.values():
            shown = np.moveaxis(maps, -1, 0)[:MAPS, ..., None]
            tiles += [view.inputs[k], *shown, *[None] * (MAPS - len(shown))]
        rows = [f"{name}\n{'×'.join(map(str, maps.shape))}" for name, maps in found.items()]
        figure = drawn_by(plots.image_grid, tiles, columns=MAPS + 1, rows=rows)
        yield Picture(f"feature-maps-{k + 1}", f"Feature maps of {title}", caption, figure)


def neurons(view: View) -> Iterator[Picture]:
    """Which neurons light up on an example, layer by layer."""
    activity = visualizers.neuron_activity(view.model, view.inputs)
    caption = "Which neurons light up, layer by layer (of a filter, its mean)."
    for k, title in enumerate(_on_a_line(view.titles)):
        one = {name: values[k] for name, values in activity.items()}
        figure = drawn_by(plots.neuron_activity, one, title=title, size=(1.3 * len(one) + 1.2, 4.6))
        yield Picture(f"neurons-{k + 1}", f"Neurons on {title}", caption, figure)


def saliency(view: View) -> Iterator[Picture]:
    """Which pixels the score depends on, by gradient methods; of rows, what each feature adds."""
    if view.facts.inputs == "rows":
        yield from _features(view)
        return
    found = _maps(view, GRADIENT_METHODS)
    figure = drawn_by(plots.attributions, view.inputs, found, view.titles, boxes=view.boxes)
    caption = (
        "By gradients, how much the class's logit depends on each pixel: brightness is the amount; "
        "red is for the class, blue against it. The number above a map is its strongest value."
    )
    yield Picture("saliency", "Which pixels the answer depends on", caption, figure)


def _maps(view: View, methods: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the map of each method that suits the model; with a layer asked, all must."""
    found = {}
    for name in methods:
        settings = {"steps": STEPS} if name == "integrated_gradients" else {}
        settings |= {"layer": view.layer} if name in CAM_METHODS else {}
        with suppress(*() if name in ("saliency", "grad_cam") else (UserError,)):
            method = visualizers.VISUALIZERS[name]
            found[name] = method(view.model, view.inputs, view.class_index, **settings)
    return found


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


def cam(view: View) -> Iterator[Picture]:
    """Where the network finds the class, by class-activation-map methods."""
    found = _maps(view, ("class_activation_map", *CAM_METHODS))
    figure = drawn_by(
        plots.attributions, view.inputs, found, view.titles, overlaid=True, boxes=view.boxes
    )
    caption = f"By class activation maps: bright where {_place(view)} finds evidence for the class."
    yield Picture("cam", "Where the evidence lies", caption, figure)


def overlays(view: View) -> Iterator[Picture]:
    """Grad-CAM over each image, large."""
    heat = _maps(view, ["grad_cam"])["grad_cam"]
    caption = f"Bright where {_place(view)} finds evidence for the class."
    for k, title in enumerate(_on_a_line(view.titles)):
        box = None if view.boxes is None else view.boxes[k]
        figure = drawn_by(plots.overlay, view.inputs[k], heat[k], box=box, size=(3.2, 3.2))
        yield Picture(f"overlay-{k + 1}", f"Grad-CAM of {title}", caption, figure)


def dream(view: View) -> Iterator[Picture]:
    """The images with what the network sees in them drawn ever more strongly."""
    shown, value_range = view.inputs[:6], view.facts.value_range
    dreams = visualizers.deep_dream(view.model, shown, layers=view.layer, value_range=value_range)
    figure = drawn_by(
        plots.image_grid, [*shown, *dreams], columns=len(shown), rows=("image", "dream"),
        value_range=value_range,
    )  # fmt: skip
    caption = f"Each image changed so that {_place(view)} answers ever more strongly."
    yield Picture("dream", "Deep dream", caption, figure)


def _place(view: View) -> str:
    return f"layer {view.layer}" if view.layer else "the last convolution"


def _on_a_line(titles: Sequence[str]) -> list[str]:
    return [title.replace("\n", ", ") for title in titles]
