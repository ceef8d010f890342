"""The pictures of a trained network: filters, templates, feature maps, evidence, dreams."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcourse import plots, visualizers
from dlcourse.errors import UserError
from dlcourse.lab import plots as lab_plots
from dlcourse.lab.faithfulness.randomization import INSENSITIVE
from dlcourse.pictures.pages import Picture
from dlcourse.visualizers import taps

UNITS = 16  # of a layer, in a grid of templates
OVERTRAINED_EXAMPLES, OVERTRAINED_EPOCHS = 200, 60
CHECKED_METHODS = (
    "saliency",
    "gradient_times_input",
    "integrated_gradients",
    "guided_backpropagation",
    "class_activation_map",
    "grad_cam",
    "layer_cam",
    "eigen_cam",
)
CHECKED_IMAGES = 100
GRADIENT_METHODS = ("saliency", "smooth_grad", "gradient_times_input", "integrated_gradients")
CAM_METHODS = ("grad_cam", "grad_cam_plus_plus", "layer_cam", "score_cam", "eigen_cam")


@dataclass(frozen=True)
class Exhibit:
    """A trained model and the examples that it is looked at with.

    Attributes:
        model: The Keras model.
        inputs: Examples `(n, …)`, as the model takes them.
        outputs: Its outputs for them, `(n, classes)` probabilities, or `(n,)` predictions.
        titles: One an example: its true class where known, its class and probability.
        class_index: The class that is asked of every example; None: the predicted one.
        class_names: One a class; empty for regression.
        feature_names: One a column of a table; empty for images.
        value_range: (least, largest) value of the inputs.
        layer: The layer that is asked; None: every layer, or the last convolution.
        dataset: For the pictures that need more data; or None.
        boxes: Where the truth lies in each image, `(n, 4)`; or None.
    """

    model: Any
    inputs: np.ndarray
    outputs: np.ndarray
    titles: tuple[str, ...]
    class_index: int | None
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    value_range: tuple[float, float]
    layer: str | None = None
    dataset: Any = None
    boxes: np.ndarray | None = None

    @property
    def images(self) -> bool:
        """Whether the inputs are images."""
        return self.inputs.ndim == 4

    @property
    def asked(self) -> np.ndarray:
        """The class asked of each example, `(n,)`."""
        if not self.class_names:
            return np.zeros(len(self.inputs), int)
        predicted = self.outputs.argmax(axis=1)
        return predicted if self.class_index is None else np.full_like(predicted, self.class_index)

    @property
    def questions(self) -> list[str]:
        """A title an example that also names the class asked, where it is not the predicted."""
        if self.class_index is None or not self.class_names:
            return list(self.titles)
        asked = plots.short_name(self.class_names[self.class_index])
        return [f"{title}\nasked: {asked}" for title in self.titles]


def filters(show: Exhibit) -> Iterator[Picture]:
    """The kernels of a layer as small images."""
    name, channels, kernels = _kernels(show)
    number = len(kernels)
    top = float(np.abs(kernels).max()) or 1.0
    columns = min(8, number)
    rows = -(-number // columns)
    figure = plots.new_figure(1.0 * columns + 0.9, 1.05 * rows + 0.5)
    panels = figure.subplots(rows, columns, squeeze=False)
    for ax in panels.flat:
        ax.set_axis_off()
    drawn = []
    for k, kernel in enumerate(kernels):
        drawn.append(panels.flat[k].imshow(kernel, cmap="RdBu_r", vmin=-top, vmax=top))
        panels.flat[k].set_title(str(k), fontsize=8, pad=2)
    figure.colorbar(drawn[0], ax=panels, label="weight", fraction=0.05)
    colours = ", the mean over its input channels" if channels > 1 else ""
    yield Picture(
        "filters",
        f"The weights of layer {name}, one square a filter{colours}: red where a large input "
        "counts for it, blue where it counts against.",
        figure,
    )


def _kernels(show: Exhibit) -> tuple[str, int, np.ndarray]:
    """Return a layer's name, its input channels, and its kernels `(filters, height, width)`.

    They are a convolution's, or those of a dense layer that takes the pixels themselves.
    """
    layers = taps.all_layers(show.model)
    calls = taps.layer_calls(show.model, [show.inputs[:1].astype("float32")])
    learning = [one for one in calls if getattr(layers[one.position], "trainable_weights", None)]
    convolutions = [one for one in learning if taps.is_convolution(layers[one.position])]
    first = (convolutions or learning or [None])[0]
    place = taps.find_layer(calls, show.layer, show.model) if show.layer else first
    if place is not None:
        kernel = getattr(layers[place.position], "kernel", np.empty(0))
        kernel = np.asarray(kernel, "float32")
        shape = show.inputs.shape[1:]
        if place is learning[0] and kernel.ndim == 2 and kernel.shape[0] == np.prod(shape):
            kernel = kernel.reshape(*shape, -1)
        if show.images and kernel.ndim == 4:
            kernels = np.moveaxis(kernel.mean(axis=2), -1, 0)[: 4 * UNITS]
            return place.name, kernel.shape[2], kernels
    raise UserError("filters: the layer's weights are no small images")


def templates(show: Exhibit) -> Iterator[Picture]:
    """What each layer's units answer to most; for the classes, beside two other trainings."""
    _need_images(show, "templates")
    if show.layer is not None:
        yield _unit_templates(show, show.layer)
        return
    for name in _convolutions(show.model):
        yield _unit_templates(show, name)
    if show.class_names:
        yield _class_templates(show)


def _unit_templates(show: Exhibit, layer: str) -> Picture:
    calls = taps.layer_calls(show.model, [show.inputs[:1].astype("float32")])
    place = taps.find_layer(calls, layer, show.model)
    units = range(min(UNITS, (place.shape or (0,))[-1]))
    found = visualizers.activation_maximization(
        show.model, list(units), layer=layer, value_range=show.value_range
    )
    figure = plots.new_figure()
    plots.image_grid(found, [str(k) for k in units], value_range=show.value_range, figure=figure)
    return Picture(
        f"templates-{layer.replace('/', '-')}",
        f"Layer {layer}: for each of its first {len(units)} units, the image that it answers to "
        "most. Noise means a unit that answers to nothing in particular, a flat image one that "
        "answers to brightness alone.",
        figure,
    )


def _class_templates(show: Exhibit) -> Picture:
    names = show.class_names[:10]
    trainings = {"untrained": _untrained(show.model), "this run": show.model}
    which = (
        "each class"
        if len(names) == len(show.class_names)
        else f"each of the first {len(names)} classes"
    )
    caption = f"The image that {which} answers to most: of the untrained network and of this run"
    if show.dataset is not None:
        model, told = _overtrained(show)
        trainings["over-trained"] = model
        caption += f", and of one {told}"
    rows = [
        visualizers.activation_maximization(
            model, list(range(len(names))), value_range=show.value_range
        )
        for model in trainings.values()
    ]
    figure = plots.new_figure()
    titles = [plots.short_name(name) for name in names] * len(rows)
    plots.image_grid(
        np.concatenate(rows), titles, columns=len(names), rows=list(trainings),
        value_range=show.value_range, figure=figure,
    )  # fmt: skip
    return Picture("templates-classes", caption + ".", figure)


def _untrained(model: Any) -> Any:
    """Return a copy of the model with new initial weights; preprocessing statistics are kept."""
    import keras

    with_state = (layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    keras.utils.set_random_seed(0)
    copy = keras.models.clone_model(model)
    for layer in with_state:
        copy.get_layer(layer.name).set_weights(layer.get_weights())
    return copy


def _overtrained(show: Exhibit) -> tuple[Any, str]:
    """Return a copy trained too long on few images without regularisation, and what it got."""
    import keras

    def plain(layer: Any) -> Any:
        config = layer.get_config()
        if isinstance(layer, keras.layers.Dropout):
            config["rate"] = 0.0
        for key in ("kernel_regularizer", "recurrent_regularizer"):
            if key in config:
                config[key] = None
        return type(layer).from_config(config)

    model = _untrained(keras.models.clone_model(show.model, clone_function=plain))
    data = show.dataset
    x, y = data.x_train[:OVERTRAINED_EXAMPLES], data.y_train[:OVERTRAINED_EXAMPLES]
    binary = model.output_shape[-1] == 1
    loss = "binary_crossentropy" if binary else "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(0.003), loss)
    model.fit(x, y, batch_size=32, epochs=OVERTRAINED_EPOCHS, verbose=0)

    def accuracy(x: np.ndarray, y: np.ndarray) -> float:
        found = model.predict(x, batch_size=256, verbose=0)
        labels = (found[:, 0] > 0.5).astype(int) if binary else found.argmax(axis=1)
        return float(np.mean(labels == y))

    test = accuracy(data.x_test[:2000], data.y_test[:2000])
    return model, (
        f"over-trained on {len(x)} images for {OVERTRAINED_EPOCHS} epochs (right on "
        f"{accuracy(x, y):.1%} of them, on {test:.1%} of the test images)"
    )


def feature_maps(show: Exhibit) -> Iterator[Picture]:
    """What the layers make of an image."""
    _need_images(show, "feature-maps")
    for k, title in enumerate(show.titles):
        found = visualizers.feature_maps(show.model, show.inputs[k : k + 1], show.layer)
        found = {name: maps[0] for name, maps in found.items() if maps.ndim == 4}
        if not found:
            raise UserError(
                "feature-maps: the layer gives no maps (name a convolution or a pooling)"
            )
        figure = plots.new_figure(10.2, 1.15 * len(found) + 0.5)
        panels = figure.subplots(len(found), 9, squeeze=False)
        panels[0, 0].set_title(title, fontsize=8)
        for row, (name, maps) in zip(panels, found.items(), strict=True):
            plots.show_image(row[0], show.inputs[k])
            shape = "×".join(map(str, maps.shape))
            row[0].text(
                -0.1, 0.5, f"{name}\n{shape}", transform=row[0].transAxes, ha="right",
                va="center", fontsize=8,
            )  # fmt: skip
            for ax in row[1:]:
                ax.set_axis_off()
            for number, ax in enumerate(row[1 : maps.shape[-1] + 1]):
                ax.imshow(maps[..., number], cmap="gray")
                ax.set_title(str(number), fontsize=8, pad=2)
        caption = f"{title}: the first eight feature maps of each layer, bright where it answers."
        yield Picture(f"feature-maps-{k + 1}", caption.replace("\n", ", "), figure)


def neurons(show: Exhibit) -> Iterator[Picture]:
    """Which neurons light up on an example, layer by layer."""
    activity = visualizers.neuron_activity(show.model, show.inputs)
    for k, title in enumerate(show.titles):
        figure = plots.new_figure(1.3 * len(activity) + 1.2, 4.6)
        one = {name: values[k] for name, values in activity.items()}
        heading = title.replace("\n", ", ")
        plots.neuron_activity(one, figure.subplots(), title=heading)
        caption = f"{heading}: which neurons light up, layer by layer (of a filter, its mean)."
        yield Picture(f"neurons-{k + 1}", caption, figure)


def saliency(show: Exhibit) -> Iterator[Picture]:
    """Which input values the score depends on, by four gradient methods."""
    asked = show.asked
    if show.images:
        maps = {
            name: visualizers.VISUALIZERS[name](show.model, show.inputs, asked)
            for name in GRADIENT_METHODS
        }
        figure = plots.new_figure()
        plots.attributions(show.inputs, maps, show.questions, boxes=show.boxes, figure=figure)
        caption = (
            "How much the class's logit depends on each pixel: brightness is the amount; red is "
            "for the class, blue against it."
        )
        yield Picture("saliency", caption, figure)
        return
    values = visualizers.integrated_gradients(
        show.model, show.inputs, asked, baseline=_middle(show)
    )
    names = show.feature_names or [f"x{k + 1}" for k in range(values.shape[1])]
    for k, title in enumerate(show.questions):
        figure = plots.new_figure(6.8, 0.3 * min(12, len(names)) + 1.3)
        unit = "change of the logit" if show.class_names else "change of the prediction"
        plots.feature_attributions(
            values[k], names, figure.subplots(), title=title.replace("\n", ", "), unit=unit
        )
        caption = (
            f"{title}: what each feature adds to the score, compared with an average example "
            "(integrated gradients)."
        )
        yield Picture(f"saliency-{k + 1}", caption.replace("\n", ", "), figure)


def _middle(show: Exhibit) -> np.ndarray:
    """The average example: the training rows' mean, or the middle of those shown."""
    rows = show.inputs if show.dataset is None else show.dataset.x_train
    return rows.mean(axis=0)


def cam(show: Exhibit) -> Iterator[Picture]:
    """Where the network finds the class, by five class-activation-map methods."""
    _need_images(show, "cam")
    asked = show.asked
    maps = {
        name: visualizers.VISUALIZERS[name](show.model, show.inputs, asked, layer=show.layer)
        for name in CAM_METHODS
    }
    figure = plots.new_figure()
    plots.attributions(show.inputs, maps, show.questions, boxes=show.boxes, figure=figure)
    yield Picture(
        "cam",
        f"Where {show.layer or 'the last convolution'} finds evidence for the class, by five "
        "methods: brightness is the amount.",
        figure,
    )
    for k, title in enumerate(show.questions):
        figure = plots.new_figure(3.2, 3.4)
        box = None if show.boxes is None else show.boxes[k]
        plots.overlay(show.inputs[k], maps["grad_cam"][k], figure.subplots(), box=box, title=title)
        heading = title.replace("\n", ", ")
        caption = f"{heading}: Grad-CAM over the image, bright where the evidence is."
        yield Picture(f"overlay-{k + 1}", caption, figure)


def dream(show: Exhibit) -> Iterator[Picture]:
    """The images with what the network sees in them drawn ever more strongly."""
    _need_images(show, "dream")
    shown = show.inputs[:6]
    found = visualizers.deep_dream(
        show.model, shown, layers=show.layer, value_range=show.value_range
    )
    figure = plots.new_figure()
    large = np.repeat(np.repeat(shown, 2, axis=1), 2, axis=2)
    plots.image_grid(
        [*large, *found], columns=len(shown), rows=("image", "dream"),
        value_range=show.value_range, figure=figure,
    )  # fmt: skip
    layer = show.layer or "the last convolution"
    caption = f"Deep dream: each image changed so that {layer} answers ever more strongly."
    yield Picture("dream", caption, figure)


def check(show: Exhibit) -> Iterator[Picture]:
    """Whether the maps are right: measured by what the network does, and by known boxes."""
    _need_images(show, "check")
    if show.dataset is None:
        raise UserError("check: needs the run's test images: leave --image out")
    methods = [name for name in CHECKED_METHODS if _suits(name, show)]
    report = visualizers.attention_report(show.model, show.dataset, methods, images=CHECKED_IMAGES)
    verdict = report.verdict.split("\n")[0]
    if report.names:
        figure = plots.new_figure(6.4, 0.42 * len(report.rows) + 1.4)
        hits = {row.method: row.hits for row in report.rows}
        lab_plots.pointing_table(hits, report.names, ax=figure.subplots())
        yield Picture("check-pointing", f"Where each map has its largest value: {verdict}.", figure)
    figure = plots.new_figure()
    curves = {row.method: (row.deletion, row.insertion) for row in report.rows}
    lab_plots.deletion_and_insertion(curves, figure=figure)
    yield Picture(
        "check-curves",
        "The class's probability as pixels are covered, and shown, in the order of each map: a "
        "faithful map falls fast and rises fast.",
        figure,
        str(report),
    )
    found = report.randomization
    figure = plots.new_figure(7.2, 0.5 * len(found.correlations) + 1.6)
    lab_plots.randomization_bars(
        found.correlations, found.layers, INSENSITIVE, ax=figure.subplots()
    )
    yield Picture(
        "check-randomisation",
        "How alike each map stays when the layers get random weights, from the output backwards: "
        "a map that stays does not show what the network has learned.",
        figure,
    )


def _suits(method: str, show: Exhibit) -> bool:
    try:
        visualizers.VISUALIZERS[method](show.model, show.inputs[:1], show.asked[:1])
    except UserError:
        return False
    return True


def _need_images(show: Exhibit, name: str) -> None:
    if not show.images:
        raise UserError(f"{name}: is for images; saliency and neurons work for rows")


def _convolutions(model: Any) -> list[str]:
    return [layer.name for layer in taps.all_layers(model) if taps.is_convolution(layer)]


PICTURES: dict[str, Callable[[Exhibit], Iterator[Picture]]] = {
    "filters": filters,
    "templates": templates,
    "feature-maps": feature_maps,
    "neurons": neurons,
    "saliency": saliency,
    "cam": cam,
    "dream": dream,
    "check": check,
}
"""Every kind of picture; each gives its figures one after another."""


def titles(
    outputs: np.ndarray, class_names: Sequence[str], true: Sequence[str | None]
) -> tuple[str, ...]:
    """Return a title an example: `7 (0.98)`, with the true class where it is known and another.

    Args:
        outputs: `(n, classes)` probabilities or `(n,)` predictions.
        class_names: Empty for regression.
        true: The true class or value of each, or None.
    """
    if not class_names:
        return tuple(
            f"predicted {value:.4g}" + (f" (true {known})" if known is not None else "")
            for value, known in zip(outputs, true, strict=True)
        )
    found = []
    for row, known in zip(outputs, true, strict=True):
        name = class_names[int(row.argmax())]
        wrong = f"\ntrue: {plots.short_name(known)}" if known not in (None, name) else ""
        found.append(f"{plots.short_name(name)} ({row.max():.3f}){wrong}")
    return tuple(found)
