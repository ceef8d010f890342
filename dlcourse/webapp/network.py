"""What the tabs compute of a run's network: its answer to a picture, and where that comes from."""

import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import numpy as np

from dlcourse import visualizers
from dlcourse.datasets.drawings import read_pictures
from dlcourse.errors import RunError, UserError
from dlcourse.heavy import Image, keras, ops
from dlcourse.runs import Run, list_runs
from dlcourse.runs.likeness import noted
from dlcourse.visualizers import hooks
from dlcourse.visualizers.backend import value_and_gradient
from dlcourse.visualizers.targets import target_of
from dlcourse.webapp.server import App

MOST_LAYERS = 8  # shown of a network
STEPS = 20  # of the smallest change
LONGEST_STEP = 0.5  # its length; 1 is one pixel from black to white
SHOWN = {("images", "binary"), ("images", "multiclass")}  # inputs and task of a run
BEYOND = 0.1  # logit by which the runner-up is to win
_LOCK = Lock()  # of the warnings, which all threads share
TEMPLATE_SIDE = 96  # pixels: the templates of larger images take minutes
UNTRAINED = ", untrained"


@dataclass(frozen=True)
class Network:
    """A run's network, or the same layers with random weights.

    Attributes:
        run: The run.
        model: Its model.
        layers: Names of the layers that are shown, from the first to the output.
    """

    run: Run
    model: Any
    layers: tuple[str, ...]

    @cached_property
    def dataset(self) -> Any:
        """The run's data set.

        Raises:
            RunError, DatasetError: It is missing or has changed.
        """
        return self.run.load_dataset()

    @cached_property
    def templates(self) -> np.ndarray | None:
        """The template of each class, `(classes, h, w, channels)`; None where that takes long."""
        facts, method = self.run.facts, visualizers.activation_maximization
        if max(facts.input_shape) > TEMPLATE_SIDE:
            return None
        indices = [*range(len(facts.class_names))]
        return method(self.model, indices, value_range=facts.value_range, steps=100)


def all_runs(app: App) -> dict[str, Run]:
    """Return the named runs, and then those of the folder, by name."""
    named: dict[str, Run] = {}
    for path in dict.fromkeys([*app.runs, *(run.path.resolve() for run in list_runs(app.folder))]):
        named[path.name if path.name not in named else str(path)] = Run(path)
    return named


def image_runs(app: App) -> dict[str, Run]:
    """Return the finished runs that name the class of an image."""
    fitting = {}
    for name, run in all_runs(app).items():
        with suppress(UserError):  # broken: the tab Runs tells it
            if run.finished and (run.facts.inputs, run.facts.task) in SHOWN:
                fitting[name] = run
    return fitting


def named(app: App, name: str) -> Network:
    """Return the network of a run; with `UNTRAINED` behind its name, one with random weights.

    Raises:
        RunError: The run is not there any more, or is damaged.
    """
    run = name.removesuffix(UNTRAINED)
    if run not in (known := all_runs(app)):
        raise RunError(f"{run}: this run is not there any more: choose another")
    return network(known[run].path, run == name)


@lru_cache(maxsize=16)
def network(path: Path, trained: bool = True) -> Network:
    """Return the network of the run in a folder, or its layers with random weights; read once."""
    run = Run(path)
    model = run.model if trained else keras.models.clone_model(network(path).model)
    return Network(run, model, shown_layers(model, run.facts.input_shape))


def shown_layers(model: Any, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return the names of the layers to show: those that multiply or pool, evenly, and the output.

    Args:
        model: Keras model.
        shape: Shape of one input.
    """
    target = target_of(model, np.zeros((1, *shape), "float32"), 0)
    parts = hooks.all_layers(model)

    def tells(call: hooks.LayerCall) -> bool:
        own = hooks.has_kernel(parts[call.position]) or "Pooling" in call.kind
        return (own and len(call.shape or ()) in (1, 3)) or bool(call.output_indices)

    names = [*dict.fromkeys(call.name for call in target.calls if tells(call))]
    evenly = np.linspace(0, len(names) - 1, min(MOST_LAYERS, len(names))).round().astype(int)
    return tuple(names[k] for k in evenly)


def prepared(run: Run, picture: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return a picture as the run's model takes it, `(1, height, width, channels)`, and advice.

    Args:
        run: Run on images.
        picture: Picture `(height, width, 3)`, uint8.

    Raises:
        UserError: No drawing is found on it, or the model takes no pictures.
    """
    with _LOCK, TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        file = Path(folder) / "picture.png"
        Image.fromarray(picture).save(file)
        try:
            _, x, _ = read_pictures(file, run.facts, Path(folder))
        except UserError as error:
            raise UserError(str(error).removeprefix(f"{file}: ").split(" (--as-is")[0]) from None
    advice = [str(warning.message).split(": ", 1)[-1] for warning in caught]
    if len(x) > 1:
        advice.append(f"{len(x)} digits were found: the first one is shown")
    if note := noted(run, x[:1])[0].get("warning"):
        cure = "draw it as the training images are" if run.facts.drawn else "the answer is a guess"
        advice.append(f"{note}: {cure}, whatever the probability says")
    return x[:1], advice


def answer(network: Network, x: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the probability of each class, and the output of each shown layer.

    Args:
        network: The network.
        x: Input `(1, height, width, channels)`.
    """
    layers = visualizers.feature_maps(network.model, x, [*network.layers])
    layers = {name: values[0] for name, values in layers.items()}
    return as_probabilities(layers[network.layers[-1]]), layers


def as_probabilities(outputs: np.ndarray) -> np.ndarray:
    """Return `(1 - p, p)` for a single sigmoid output p, and other outputs as they are."""
    return np.concatenate([1 - outputs, outputs]) if outputs.shape == (1,) else outputs


def smallest_change(network: Network, x: np.ndarray, winner: int, other: int) -> np.ndarray:
    """Return the input, changed by at most 20 gradient steps until the class `other` wins.

    Each step goes straight towards where both classes have the same logit, and is clipped to the
    value range. The steps end as soon as `other` wins.

    Args:
        network: The network.
        x: Input `(1, height, width, channels)`.
        winner: Predicted class.
        other: Class that is to win.

    References:
        Moosavi-Dezfooli et al., "DeepFool", 2016, arXiv:1511.04599.
    """
    target = target_of(network.model, x, winner).at(slice(None))
    low, high = network.run.facts.value_range
    reader = target.reader

    def steps(model: Any, inputs: list, asked: Any, others: Any) -> Any:
        def lead(inputs: list) -> Any:
            logits, _ = reader.read(model, inputs)
            return reader.scores(logits, (others, asked[1])) - reader.scores(logits, asked), None

        def step(_: Any, pixels: Any) -> Any:
            ahead, gradient, _ = value_and_gradient(lead)([pixels])
            slope: Any = gradient[0] * (high - low)
            stuck = ((pixels <= low) & (slope < 0)) | ((pixels >= high) & (slope > 0))
            slope = ops.where(stuck, 0.0, slope)
            norm: Any = ops.maximum(ops.norm(ops.ravel(slope)), 1e-12)
            length: Any = ops.clip((BEYOND - ahead[0]) / norm, 0.0, LONGEST_STEP)
            moved = ops.clip(pixels + (high - low) * length / norm * slope, low, high)
            return ops.where(ahead[0] > 0, pixels, moved)

        return ops.fori_loop(0, STEPS, step, ops.convert_to_tensor(inputs[0]))

    others = np.array([other], "int32")
    return np.asarray(target.run(("change",), steps, target.inputs, target.asked, others))


def switched_off(network: Network, x: np.ndarray, layer: str, units: Sequence[int]) -> np.ndarray:
    """Return the outputs while units of a layer give 0; the model itself stays as it is.

    Args:
        network: The network.
        x: Input `(1, height, width, channels)`.
        layer: Name of the layer.
        units: Indices of its filters or neurons.
    """
    target = target_of(network.model, x, 0).at(slice(None))
    place = hooks.find_layer(target.calls, layer, network.model)
    kept, number = np.ones((1, (place.shape or (1,))[-1]), "float32"), target.output
    kept[:, [unit for unit in units if unit < kept.size]] = 0

    def outputs(model: Any, inputs: list, kept: Any) -> Any:
        def masked(call: Any, *args: Any, **kwargs: Any) -> Any:
            result = call(*args, **kwargs)
            return result * ops.cast(kept[0], result.dtype)

        change = (place.position, hooks.nth(place.number, masked))
        return hooks.record(model, inputs, (), [change])[0][number]

    values = target.run(("switched off", place), outputs, target.inputs, kept, any_batch=True)
    return as_probabilities(np.asarray(values, "float32")[0])
