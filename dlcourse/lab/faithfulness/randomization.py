"""Model randomization: maps of a network whose layers get random weights, the last first."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from dlcourse.datasets.dataset import PADDING
from dlcourse.errors import UserError
from dlcourse.lab.faithfulness.curves_and_boxes import checked_maps
from dlcourse.schema import Natural, Positive, checked, did_you_mean
from dlcourse.text_table import text_table
from dlcourse.visualizers import hooks
from dlcourse.visualizers.clones import clone
from dlcourse.visualizers.targets import ClassIndices, Target, by_batch, target_of

Method = Callable[..., Any]
Methods = Sequence[str] | Mapping[str, Method] | None
INSENSITIVE = 0.3
"""Mean rank correlation from which the maps of the random and the trained network are too alike."""
AT_ONCE = 32  # images per call of a method
STAGES = 8
QUICK: Mapping[str, Mapping[str, Any]] = {
    "integrated_gradients": {"steps": 32},
    "smooth_grad": {"samples": 10},
    "rise": {"masks": 200},
}
"""Settings that are accurate enough to judge a method over hundreds of images."""


@dataclass(frozen=True)
class Randomization:
    """How much each method's maps change while the weights are randomised.

    Attributes:
        layers: Layer randomised last at each stage; all layers after it are random too.
        correlations: Method → mean Spearman rank correlation with the trained network's maps at
            each stage, `(stages,)`.
    """

    layers: tuple[str, ...]
    correlations: Mapping[str, np.ndarray]

    @property
    def insensitive(self) -> tuple[str, ...]:
        """The methods with a correlation of `INSENSITIVE` or more when every layer is random.

        Their maps show the image and the architecture, not what was learned.
        """
        return tuple(
            name for name, values in self.correlations.items() if abs(values[-1]) >= INSENSITIVE
        )

    def __str__(self) -> str:
        """Return a table: one row per method, one column per stage."""
        lines = ["rank correlation with the trained network's maps; random from the output back to"]
        rows = [[name, *(f"{r:.2f}" for r in part)] for name, part in self.correlations.items()]
        lines.append(text_table(["", *self.layers], rows))
        if self.insensitive:
            lines.append(f"insensitive to the weights: {', '.join(self.insensitive)}")
        return "\n".join(lines)


@checked
def model_randomization(
    model: Any,
    images: Any,
    methods: Methods = None,
    class_indices: ClassIndices = None,
    *,
    stages: Positive = STAGES,
    seed: Natural = 0,
) -> Randomization:
    """Return the similarity of maps of the trained network and of ever more randomised networks.

    From the output backwards, each layer gets fresh weights from its own initializers or, without
    these, its own weights in random order. This is done on a copy; a subclassed model that cannot
    be copied is randomised itself, and its weights are then restored.

    Args:
        model: Any Keras 3 model with weights.
        images: Images `(n, height, width, channels)`; a few dozen suffice.
        methods: Names of `VISUALIZERS`, or a mapping of names to functions `f(model, images,
            class_indices)`. None for all that work on this model, with the settings `QUICK`.
        class_indices: Classes, as for `saliency`. None for those that the trained model predicts.
        stages: Largest number of stages; the layers between two stages are randomised together.
        seed: Seed of the weights.

    Raises:
        UserError: The arguments do not fit together.

    References:
        Adebayo et al., "Sanity Checks for Saliency Maps", 2018, arXiv:1810.03292.
    """
    target = target_of(model, images, class_indices)
    tried = supported(methods, model, images, target.indices)
    rng = np.random.default_rng(seed)
    with _changeable(model) as copy:
        layers = _learning(target, copy)
        if not layers:
            raise UserError("model_randomization: the model has no weights")
        ends = np.unique(np.linspace(0, len(layers), min(stages, len(layers)) + 1).round())
        means: dict[str, list[float]] = {name: [] for name in tried}
        for begin, end in pairwise(ends.astype(int)):
            for _, layer in layers[begin:end]:
                randomize(layer, rng)
            for name, (method, trained) in tried.items():
                random = attributions(method, copy, images, target.indices)
                means[name].append(float(rank_correlation(trained, random).mean()))
    names = tuple(layers[end - 1][0] for end in ends[1:].astype(int))
    return Randomization(names, {name: np.array(values) for name, values in means.items()})


def supported(
    methods: Methods, model: Any, images: Any, indices: np.ndarray
) -> dict[str, tuple[Method, np.ndarray]]:
    """Return each method with its maps of the images; by default all that work on this model.

    Raises:
        UserError: A method is unknown, or a named method does not work on this model.
    """
    table = _table(methods)
    maps = {}
    for name, method in table.items():
        try:
            maps[name] = method, attributions(method, model, images, indices)
        except UserError:
            if methods is not None:
                raise
    if not maps:
        raise UserError("methods: none of them works for this model")
    return maps


def attributions(method: Method, model: Any, images: Any, indices: np.ndarray) -> np.ndarray:
    """Return the method's maps `(n, …)`, a bounded number of images at a time.

    They are NaN after the end of a text or sequence, where they are 0 for any weights.
    """
    images = np.asarray(images)
    size = images.shape[1:3] if images.ndim == 4 else images.shape[1:]

    def part(rows: np.ndarray) -> np.ndarray:
        return checked_maps(method(model, images[rows], indices[rows]), (len(rows), *size))

    maps = by_batch(part, len(images), min(AT_ONCE, len(images)))
    ended = images == (0 if images.dtype == "int32" else PADDING)
    return maps if images.ndim == 4 else np.where(ended, np.nan, maps)


def _table(methods: Methods) -> dict[str, Method]:
    from dlcourse.visualizers import VISUALIZERS

    if isinstance(methods, Mapping):
        return dict(methods)
    names = tuple(VISUALIZERS) if methods is None else methods
    unknown = [name for name in names if name not in VISUALIZERS]
    if isinstance(names, str) or unknown or not len(names):
        wrong = names if isinstance(names, str) else next(iter(unknown), ())
        hint = did_you_mean(str(wrong), list(VISUALIZERS))
        raise UserError(f"methods: expected names of VISUALIZERS, got {wrong!r}{hint}")
    return {name: partial(VISUALIZERS[name], **QUICK.get(name, {})) for name in names}


def rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation of each pair of maps, `(n,)`; 0 where one is constant.

    Places that are NaN in both are left out.
    """
    from scipy.stats import rankdata

    if first.shape != second.shape:
        raise UserError(f"rank_correlation: shapes differ: {first.shape} and {second.shape}")
    flat = [maps.reshape(len(maps), -1) for maps in (first, second)]
    ranks = [rankdata(maps, axis=1, nan_policy="omit") for maps in flat]
    a, b = (rank - np.nanmean(rank, axis=1, keepdims=True) for rank in ranks)
    below = np.sqrt(np.nansum(a * a, axis=1) * np.nansum(b * b, axis=1))
    return np.nansum(a * b, axis=1) / np.where(below == 0, 1, below)


def randomize(layer: Any, rng: np.random.Generator) -> None:
    """Give a layer fresh weights from its initializers, else its own values in random order."""
    for weight in layer.weights:
        owner = getattr(layer, "cell", layer)
        initializer: Any = getattr(owner, f"{weight.name}_initializer", None)
        config = getattr(initializer, "get_config", dict)()
        if "seed" in config:  # with its own seed it would repeat the old start
            config["seed"] = int(rng.integers(1 << 31))
            fresh = type(initializer).from_config(config)
            weight.assign(fresh(tuple(weight.shape), dtype=weight.dtype))
        else:  # not random, as for the statistics of a normalisation
            weight.assign(rng.permuted(weight.numpy()))


def _learning(target: Target, model: Any) -> list[tuple[str, Any]]:
    """Return the layers with weights, the last called first, as (name, layer of `model`)."""
    layers = hooks.all_layers(model)
    last = {call.position: call.name for call in target.calls}
    inner = {position for position in last if _holds(layers[position], layers)}
    order = list(dict.fromkeys(call.position for call in reversed(target.calls)))
    return [(last[k], layers[k]) for k in order if layers[k].weights and k not in inner]


def _holds(layer: Any, layers: list) -> bool:
    """Whether the layer is a model that contains others, which are randomised themselves."""
    own = set(map(id, layer._flatten_layers(include_self=False)))
    return any(id(inner) in own for inner in layers)


@contextmanager
def _changeable(model: Any) -> Iterator[Any]:
    """Within the block, give a model that may be changed; the caller's is restored afterwards."""
    try:
        copy = clone(model)
    except UserError:
        copy = None
    kept = model.get_weights()
    try:
        yield model if copy is None else copy
    finally:
        if copy is None:
            model.set_weights(kept)
