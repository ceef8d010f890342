"""python -m benchmarks.matrix: every visualizer on every kind of model, beside its formula.

The formulas are written here, with TensorFlow's GradientTape and NumPy; they call nothing of
dlcourse. A cell is *right* if the largest deviation from the formula is below `BOUND` of each map's
largest value, and *refused* if a `UserError` of one line says why. Anything else is *WRONG*, and
the command then exits with 1. A map of zeros is wrong too, because it compares nothing. Where no
formula applies, such as occlusion of a table's rows, only a refusal is accepted.

Rows of all methods are written to benchmarks/matrix.json; those of other models are kept.
"""

import argparse
import gc
import inspect
import json
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from itertools import product
from typing import Any, NamedTuple

import keras
import numpy as np
import scipy.ndimage
import tensorflow as tf
from keras import layers

from benchmarks.matrix_models import MODELS, Case
from benchmarks.recipes import ROOT, machine
from dlcourse import visualizers
from dlcourse.errors import UserError

RESULTS = ROOT / "benchmarks" / "matrix.json"
BOUND = 1e-3
SHARE = 0.6  # of all cells must be right
SAMPLES, NOISE, STEPS, MASKS, CELLS, RATE = 3, 0.2, 4, 8, 7, 0.05
Arrays = list[np.ndarray]


# --- the score and its gradients


def read(case: Case, inputs: list, classes: Any, twin: Any = None) -> tuple[list, Any, Any]:
    """Return the maps, and each example's score and probability: means over the places asked."""
    *maps, logits = (twin or case.twin)([tf.convert_to_tensor(x) for x in inputs])
    if where := case.settings.get("where"):
        logits = logits[(slice(None), *where)]
    logits = tf.cast(tf.reshape(logits, (len(logits), -1, logits.shape[-1])), "float32")
    chances = {"softmax": tf.nn.softmax, "sigmoid": tf.sigmoid, "none": tf.identity}[case.ending]
    chances = chances(logits)
    if case.ending == "sigmoid" and logits.shape[-1] == 1:
        logits = tf.concat([-logits, logits], axis=-1)
        chances = tf.concat([1 - chances, chances], axis=-1)
    if classes is None:
        classes = tf.argmax(tf.reduce_mean(logits, axis=1), axis=-1)
    chosen = tf.one_hot(classes, logits.shape[-1])[:, None]
    scores, chances = (tf.reduce_sum(tf.reduce_mean(v * chosen, 1), -1) for v in (logits, chances))
    return maps, scores, chances


class Trace(NamedTuple):
    """The score, its gradients with respect to the inputs and the maps, and the maps."""

    scores: np.ndarray
    to_inputs: Arrays
    to_maps: Arrays
    maps: Arrays


def traced(case: Case, inputs: list, classes: Any, twin: Any = None) -> Trace:
    """Return the score and its gradients."""
    tensors = [tf.constant(x, "float32") for x in inputs]
    with tf.GradientTape() as tape:
        for tensor in tensors:
            tape.watch(tensor)
        maps, scores, _ = read(case, tensors, classes, twin)
        total = tf.reduce_sum(scores)
    zero = tf.UnconnectedGradients.ZERO
    slopes: Any = tape.gradient(total, [tensors, maps], unconnected_gradients=zero)
    return Trace(scores.numpy(), *([x.numpy() for x in part] for part in (*slopes, maps)))


def at_images(case: Case, classes: Any) -> Trace:
    """Return `traced` at the case's own inputs."""
    key = f"{classes} {case.settings}"
    if key not in case.traces:
        case.traces[key] = traced(case, case.x, classes)
    return case.traces[key]


def mean_gradient(case: Case, points: list[Arrays], classes: Any) -> Arrays:
    """Return the mean of d score / d input over several lists of inputs."""
    joined = [np.concatenate(values) for values in zip(*points, strict=True)]
    slopes = traced(case, joined, np.tile(classes, len(points))).to_inputs
    return [g.reshape(len(points), -1, *g.shape[1:]).mean(axis=0, dtype=float) for g in slopes]


def over(case: Case, values: Iterable[np.ndarray], reduce: Callable[..., Any]) -> Arrays:
    """Return values reduced over the channels of images or over an embedding."""
    return [reduce(v, axis=-1) if case.embed or v.ndim > 3 else v for v in values]


# --- gradient methods: (case, classes) → the arrays that dlcourse should return


def saliency(case: Case, _: Any) -> Arrays:
    """Simonyan et al. 2013, of the predicted class."""
    return over(case, map(np.abs, at_images(case, None).to_inputs), np.max)


def gradient_times_input(case: Case, classes: Any) -> Arrays:
    """Shrikumar et al. 2016."""
    slopes = at_images(case, classes).to_inputs
    return over(case, [g * a for g, a in zip(slopes, case.x, strict=True)], np.sum)


def smooth_grad(case: Case, classes: Any) -> Arrays:
    """Smilkov et al. 2017: the noise of `default_rng((0, input))`, times each image's range."""
    rngs, points = [np.random.default_rng((0, k)) for k in range(len(case.x))], []
    shapes = [(SAMPLES, 1, *a.shape[1:]) for a in case.x]
    draws = [r.standard_normal(s, dtype="float32") for r, s in zip(rngs, shapes, strict=True)]
    ranges = [NOISE * np.ptp(a.reshape(len(a), -1), axis=1) for a in case.x]
    for k in range(SAMPLES):
        parts = zip(case.x, ranges, draws, strict=True)
        points.append([a + r.reshape(-1, *(1,) * (a.ndim - 1)) * d[k] for a, r, d in parts])
    return over(case, map(np.abs, mean_gradient(case, points, classes)), np.max)


def integrated_gradients(case: Case, classes: Any) -> Arrays:
    """Sundararajan et al. 2017: midpoints from 0; and the change of the score, the maps' sum."""
    places = (np.arange(STEPS) + 0.5) / STEPS
    means = mean_gradient(case, [[share * a for a in case.x] for share in places], classes)
    change = at_images(case, classes).scores - read(case, [0 * a for a in case.x], classes)[1]
    parts = over(case, [a * g for a, g in zip(case.x, means, strict=True)], np.sum)
    return [*parts, beside_1(change)]


def beside_1(change: Any) -> np.ndarray:
    """Return `(n, 2)`: its largest value is max(1, |change|), to which completeness is relative."""
    return np.stack([change, np.ones(len(change))], axis=1)


def with_sums(call: Callable[..., Any], case: Case, *arguments: Any, **settings: Any) -> Arrays:
    """Return dlcourse's maps, and the change of the score that they say they add up to.

    It is the sum of maps of as many steps as completeness needs; in a deep network, of few steps
    and their gap.
    """
    maps, gap = call(*arguments, **settings, steps=STEPS, return_gap=True)
    whole = maps if case.deep else call(*arguments, **settings)
    sums = sum(a.reshape(len(a), -1).sum(axis=1, dtype=float) for a in listed(whole))
    return [*listed(maps), beside_1(sums - gap * case.deep)]


def guided_backpropagation(case: Case, classes: Any) -> Arrays | None:
    """Springenberg et al. 2015: the layers' ReLUs pass positive gradients only."""
    found = []

    def copied(layer: Any) -> Any:
        settings = layer.get_config()
        if isinstance(layer, layers.TimeDistributed) and isinstance(layer.layer, keras.Model):
            inside = keras.models.clone_model(layer.layer, clone_function=copied, recursive=True)
            return layers.TimeDistributed(inside)
        if isinstance(layer, layers.ReLU):
            found.append(layer)
            return layers.Activation(guided(layer.max_value))
        if settings.get("activation") == "relu":
            found.append(layer)
            settings["activation"] = guided(None)
        return type(layer).from_config(settings)

    twin: Any = keras.models.clone_model(case.twin, clone_function=copied, recursive=True)
    twin.set_weights(case.twin.get_weights())
    if not found:
        return None
    slopes = traced(case, case.x, classes, twin).to_inputs
    return over(case, [np.maximum(g, 0) for g in slopes], np.max)


def guided(largest: float | None) -> Callable[..., Any]:
    """Return a ReLU whose gradient is positive, where the input and the gradient are."""

    @tf.custom_gradient
    def relu(x: Any) -> Any:
        inside = (x > 0) & (x < (largest or np.inf))
        y = tf.clip_by_value(x, 0, largest or x.dtype.max)
        return y, lambda slope: tf.where(inside & (slope > 0), slope, 0)

    return relu


def activation_maximization(case: Case, classes: Any) -> Arrays | None:
    """Adam on score / |score| from the images, values scaled to [0, 1] (Kingma and Ba 2015)."""
    if case.embed:
        return None
    low, high = case.value_range
    units = [(a.astype(float) - low) / (high - low) for a in case.x]
    first, second = [0 * a for a in units], [0 * a for a in units]
    for t in range(1, ascents(case) + 1):
        scores, slopes, *_ = traced(case, [low + (high - low) * u for u in units], classes)
        for k, g in enumerate(slopes):
            g = (high - low) * g / np.abs(scores).reshape(-1, *(1,) * (g.ndim - 1))
            first[k] = 0.9 * first[k] + 0.1 * g
            second[k] = 0.999 * second[k] + 0.001 * g**2
            up = first[k] / (1 - 0.9**t) / (np.sqrt(second[k] / (1 - 0.999**t)) + 1e-8)
            units[k] = np.clip(units[k] + RATE * up, 0, 1)
    return [low + (high - low) * u for u in units]


def ascents(case: Case) -> int:
    """Return the number of steps: one in a deep network, as each one enlarges rounding errors."""
    return 1 if case.deep else STEPS


# --- feature maps and class activation maps


def laid(case: Case, maps: np.ndarray) -> np.ndarray:
    """Return tokens as maps `(n, rows, columns, channels)`, without a class token."""
    if case.tokens is None:
        return maps
    return maps[:, -np.prod(case.tokens) :].reshape(len(maps), *case.tokens, maps.shape[-1])


def at_pixels(maps: np.ndarray, size: Iterable[int], grid: Any, fading: bool = True) -> np.ndarray:
    """Return maps `(n, places…)` interpolated linearly at the pixels, each place at its own pixel.

    Beyond the outer places they fade to 0, or keep their values.
    """
    for axis, (side, (scale, offset)) in enumerate(zip(size, grid, strict=True), 1):
        at, edge = scale * np.arange(maps.shape[axis]) + offset, [(0, 0)] * maps.ndim
        if fading:
            at, edge[axis] = np.r_[at[0] - scale, at, at[-1] + scale], (1, 1)
        pixels, maps = np.arange(side), np.pad(maps, edge)
        maps = np.apply_along_axis(lambda v, p=pixels, a=at: np.interp(p, a, v), axis, maps)
    return maps


def sizes(case: Case, source: int) -> tuple[int, ...]:
    """Return the places of an input."""
    return case.x[source].shape[1:-1]


def shown(case: Case, cams: Arrays) -> Arrays:
    """Return the map of each input of images at its size, if it has the image's axes."""
    pairs = zip(cams, case.sources, case.grids, strict=False)
    return [c if g is None else at_pixels(c, sizes(case, s), g) for c, s, g in pairs]


def cam(weigh: Callable[..., Any], fold: Callable[..., Any] = lambda z: np.maximum(z, 0)) -> Any:
    """Return the formula fold(Σ weigh(A, d score / d A) · A)."""

    def formula(case: Case, classes: Any) -> Arrays | None:
        if not case.sources:
            return None
        _, _, slopes, maps = at_images(case, classes)
        cams = []
        for k in range(len(case.sources)):
            a, g = (laid(case, v[k]).astype(float) for v in (maps, slopes))
            cams.append(fold((weigh(a, g, tuple(range(1, a.ndim - 1))) * a).sum(axis=-1)))
        return shown(case, cams)

    return formula


def of_plus_plus(a: np.ndarray, g: np.ndarray, axes: tuple) -> np.ndarray:
    """Chattopadhay et al. 2018, equation 19: with the gradients' powers for higher derivatives."""
    below = 2 * g**2 + a.sum(axis=axes, keepdims=True) * g**3
    alpha = np.divide(g**2, below, out=np.zeros_like(g), where=below != 0)
    return (alpha * np.maximum(g, 0)).sum(axis=axes, keepdims=True)


def principal(a: np.ndarray, _: np.ndarray, axes: tuple) -> np.ndarray:
    """Muhammad and Yeasin 2020: the eigenvector of AᵀA with the largest eigenvalue."""
    rows = a.reshape(len(a), -1, a.shape[-1])
    vectors = np.linalg.eigh(np.swapaxes(rows, 1, 2) @ rows)[1][..., -1]
    signs = np.sign(np.einsum("npc,nc->n", rows, vectors))
    return (signs[:, None] * vectors).reshape(len(a), *(1 for _ in axes), -1)


def class_activation_map(case: Case, classes: Any) -> Arrays | None:
    """Zhou et al. 2016: the maps, weighted by the Dense layer's weights of the class."""
    if case.dense is None:
        return None
    kernel = case.dense.get_weights()[0]
    kernel = np.hstack([-kernel, kernel]) if case.ending == "sigmoid" else kernel
    maps = laid(case, at_images(case, classes).maps[0])
    return shown(case, [np.einsum("n...c,cn->n...", maps, kernel[:, classes])])


def feature_maps(case: Case, classes: Any) -> Arrays:
    """The layers' outputs."""
    maps = at_images(case, classes).maps
    return [m for m, name in zip(maps, case.layers, strict=True) if name]


def attention_rollout(case: Case, _: Any) -> Arrays | None:
    """Abnar and Zuidema 2020: the product of half the attentions and half the identity."""
    if case.tokens is None:
        return None
    flow: Any = None
    for attention, model in case.attentions:
        tokens, (wq, bq, wk, bk, *_) = model(case.x).numpy(), attention.get_weights()
        query, key = (np.einsum("ntc,chd->nhtd", tokens, w) for w in (wq, wk))
        products = (query + bq[:, None]) @ np.swapaxes(key + bk[:, None], 2, 3)
        weights = tf.nn.softmax(products / np.sqrt(wq.shape[-1])).numpy().mean(axis=1)
        mixed = (weights + np.eye(weights.shape[-1])) / 2
        flow = mixed if flow is None else mixed @ flow
    reached = flow[:, 0] if flow.shape[-1] > np.prod(case.tokens) else flow.mean(axis=1)
    return shown(case, [laid(case, reached[..., None])[..., 0]])


# --- methods that cover parts of the image


def covered(case: Case, classes: Any, source: int, masks: np.ndarray) -> tuple:
    """Return scores and probabilities `(n, masks)` of one input × masks `(n, masks, places…)`."""
    n, m = masks.shape[:2]
    rows, found = np.repeat(np.arange(n), m), []
    flat = masks.reshape(n * m, *masks.shape[2:], 1)
    for part in np.array_split(np.arange(n * m), -(-n * m // 128)):
        inputs = [a[rows[part]] for a in case.x]
        inputs[source] = (inputs[source] * flat[part]).astype("float32")
        found.append(read(case, inputs, np.asarray(classes)[rows[part]])[1:])
    return tuple(np.concatenate(v).reshape(n, m) for v in zip(*found, strict=True))


def by_covering(of_input: Callable[..., Any]) -> Any:
    """Return the formula that maps each input of images by itself; rows and tokens have none."""

    def formula(case: Case, classes: Any) -> Arrays | None:
        if case.embed or not case.sources:
            return None
        maps = [of_input(case, classes, source) for source in case.sources]
        return None if any(m is None for m in maps) else maps

    return formula


def halves(case: Case) -> dict[str, int]:
    """Return occlusion's settings: patches of half the smallest side, by a quarter."""
    side = min((min(sizes(case, s), default=4) for s in case.sources), default=4)
    return {"patch": max(1, side // 2), "stride": max(1, side // 4)}


def occlusion(case: Case, classes: Any, source: int) -> np.ndarray:
    """Zeiler and Fergus 2014: for each pixel, the mean fall of the score where it is covered."""
    size, (patch, stride) = sizes(case, source), halves(case).values()
    starts = [sorted({*range(0, n - patch + 1, stride), n - patch}) for n in size]
    masks = np.ones((len(case.x[0]), len([*product(*starts)]), *size))
    for k, corner in enumerate(product(*starts)):
        masks[(slice(None), k, *(slice(c, c + patch) for c in corner))] = 0
    whole = at_images(case, classes).scores
    falls = whole[:, None] - covered(case, classes, source, masks)[0]
    return np.einsum("nm,nm...->n...", falls, 1 - masks) / (1 - masks).sum(axis=1)


def rise(case: Case, classes: Any, source: int) -> np.ndarray:
    """Petsiuk et al. 2018: grids by `default_rng(0)`, enlarged, then shifted axis by axis."""
    size, rng = sizes(case, source), np.random.default_rng(0)
    grids = rng.random((MASKS, *(CELLS + 1 for _ in size))) < 0.5
    cell, masks = [-(-n // CELLS) for n in size], []
    for grid in grids.astype(float):
        large = scipy.ndimage.zoom(grid, cell, order=1, mode="nearest")
        start = [rng.integers(side) for side in cell]
        masks.append(large[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))])
    stack = np.repeat(np.asarray(masks)[None], len(case.x[0]), axis=0)
    chances = covered(case, classes, source, stack)[1]
    return np.einsum("nm,nm...->n...", chances, stack) / np.maximum(stack.sum(axis=1), 1e-37)


def score_cam(case: Case, classes: Any, source: int) -> np.ndarray | None:
    """Wang et al. 2020: maps weighted by the probability of the image under the scaled map."""
    k = -1 if case.deep else case.sources.index(source)
    maps, size = laid(case, at_images(case, classes).maps[k]), sizes(case, source)
    if maps.ndim != len(size) + 2:
        return None
    axes = tuple(range(1, maps.ndim - 1))
    low, high = maps.min(axis=axes, keepdims=True), maps.max(axis=axes, keepdims=True)
    scaled = np.moveaxis((maps - low) / np.where(high > low, high - low, 1), -1, 1)
    masks = at_pixels(scaled.reshape(-1, *maps.shape[1:-1]), size, case.grids[k], fading=False)
    chances = covered(case, classes, source, masks.reshape(*scaled.shape[:2], *size))[1]
    result = np.maximum(np.einsum("n...c,nc->n...", maps.astype(float), chances), 0)
    return result if case.deep else at_pixels(result, size, case.grids[k])


# --- the table

FORMULAS: dict[str, Callable[[Case, Any], Arrays | None]] = {
    "saliency": saliency,
    "gradient_times_input": gradient_times_input,
    "smooth_grad": smooth_grad,
    "integrated_gradients": integrated_gradients,
    "guided_backpropagation": guided_backpropagation,
    "class_activation_map": class_activation_map,
    "grad_cam": cam(lambda _, g, axes: g.mean(axis=axes, keepdims=True)),
    "grad_cam_plus_plus": cam(of_plus_plus),
    "layer_cam": cam(lambda _, g, __: np.maximum(g, 0)),
    "eigen_cam": cam(principal),
    "score_cam": by_covering(score_cam),
    "occlusion": by_covering(occlusion),
    "rise": by_covering(rise),
    "feature_maps": feature_maps,
    "attention_rollout": attention_rollout,
    "activation_maximization": activation_maximization,
}
CAMS = ("grad_cam", "grad_cam_plus_plus", "layer_cam")


def answer(case: Case, method: str, classes: Any) -> Arrays:
    """Return dlcourse's arrays, one per input."""
    call = getattr(visualizers, method)
    known = inspect.signature(call).parameters
    settings = dict(case.settings)
    if case.deep and "enlarge" in known:
        settings["enlarge"] = False
    if method == "feature_maps":
        return list(call(case.model, case.images, [name for name in case.layers if name]).values())
    if method == "activation_maximization":
        settings |= {
            "value_range": case.value_range, "steps": ascents(case), "learning_rate": RATE,
            "start": case.images if case.embed else case.x if case.x[1:] else case.x[0],
            "regularizers": visualizers.Regularizers(0.0),
            "transformations": visualizers.Transformations(),
        }  # fmt: skip
        return listed(call(case.model, classes, **settings))
    if method == "attention_rollout":
        return listed(call(case.model, case.images))
    settings |= {"rise": {"masks": MASKS}, "smooth_grad": {"samples": SAMPLES}}.get(method, {})
    settings |= halves(case) if method == "occlusion" else {}
    settings |= {"layer": case.layers[-1]} if method == "score_cam" and case.deep else {}
    arguments = (case.model, case.images, None if method == "saliency" else classes)
    if method == "integrated_gradients":
        return with_sums(call, case, *arguments, **settings)
    return listed(call(*arguments, **settings))


def listed(arrays: Any) -> Arrays:
    """Return a list of arrays for one, too."""
    return list(arrays) if isinstance(arrays, list | tuple) else [arrays]


def classes_of(case: Case) -> list[int]:
    """Return two classes whose Grad-CAMs are not all zeros, the first if there are none."""
    units = case.twin.output_shape[-1][-1]
    units = 2 if case.ending == "sigmoid" else units
    pairs = [[(k + 1) % units, k] for k in range(units)]
    for pair in pairs:
        maps = [FORMULAS[name](case, pair) for name in CAMS]
        if not any(empty(m) for m in maps if m is not None):
            return pair
    return pairs[0]


def empty(arrays: Arrays) -> bool:
    """Whether an example has a map of zeros."""
    return any(not np.abs(a).reshape(len(a), -1).max(axis=1).all() for a in arrays)


def deviation(got: Arrays, want: Arrays) -> float:
    """Return the largest |difference|, as a share of each map's largest value."""
    shapes = [[np.shape(a) for a in arrays] for arrays in (got, want)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"shapes {shapes[0]}, the formula gives {shapes[1]}")
    if empty(want):
        raise ValueError("the formula's map is all zeros: it compares nothing")
    shares = []
    for a, b in zip(got, want, strict=True):
        rows = np.abs(np.asarray(a, float) - b).reshape(len(b), -1).max(axis=1)
        shares.append(rows / np.abs(b).reshape(len(b), -1).max(axis=1))
    return float(np.max(shares))


def cell(case: Case, method: str, classes: Any) -> dict[str, Any]:
    """Return the verdict on one method and model, with the deviation or the reason."""
    known = inspect.signature(getattr(visualizers, method)).parameters
    case = replace(case, settings={k: v for k, v in case.settings.items() if k in known})
    try:
        got = answer(case, method, classes)
        want = FORMULAS[method](case, classes)
        if want is None:
            raise ValueError("a map where no formula applies")
        error = deviation(got, want)
    except UserError as reason:
        lines = str(reason).splitlines()
        return {"verdict": "refused" if len(lines) == 1 else "WRONG", "reason": " / ".join(lines)}
    except Exception as reason:  # noqa: BLE001 - whatever it is, it is a wrong cell
        text = " ".join(str(reason).split())[:300]
        return {"verdict": "WRONG", "reason": f"{type(reason).__name__}: {text}"}
    if error < BOUND:  # not so for NaN
        return {"verdict": "right", "error": float(f"{error:.1e}")}
    return {"verdict": "WRONG", "reason": f"deviates by {error:.2g} of the largest value"}


def matrix(models: Iterable[str], methods: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the verdicts by model and method; print a row for each model."""
    table: dict[str, dict[str, Any]] = {}
    for name in models:
        keras.utils.set_random_seed(0)
        start, case = time.process_time(), MODELS[name]()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "integrated_gradients: the sum misses")
            classes = classes_of(case)
            table[name] = {method: cell(case, method, classes) for method in methods}
        cells = [str(c.get("error", c["verdict"])) for c in table[name].values()]
        row = "".join(f"{text.replace('refused', '–'):>9}" for text in cells)
        print(f"{name:<22}{row}{time.process_time() - start:>9.0f}", flush=True)
        del case
        gc.collect()
    return table


def summary(table: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the number of cells by verdict, and the share that is right."""
    found = Counter(c["verdict"] for row in table.values() for c in row.values())
    counts = {verdict: found[verdict] for verdict in ("right", "refused", "WRONG")}
    return counts | {"share": round(counts["right"] / sum(counts.values()), 4)}


def by_method(table: dict[str, dict[str, Any]]) -> str:
    """Return the README's table: the cells of each method, and its largest deviation."""
    lines = ["| method | right | refused | wrong | largest deviation |", "|---|--:|--:|--:|--:|"]
    for method in FORMULAS:
        cells = [row[method] for row in table.values()]
        found = Counter(c["verdict"] for c in cells)
        numbers = " | ".join(str(found[verdict]) for verdict in ("right", "refused", "WRONG"))
        lines.append(f"| `{method}` | {numbers} | {max(c.get('error', 0) for c in cells)} |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Make the matrix or some of its rows, print them and, of all methods, write them."""
    parser = argparse.ArgumentParser(description="Compare every visualizer with its formula.")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=[*MODELS], metavar="MODEL")
    parser.add_argument("--methods", nargs="+", choices=FORMULAS, default=[*FORMULAS])
    arguments = parser.parse_args(argv)
    missing = visualizers.VISUALIZERS.keys() - FORMULAS.keys()
    if missing:
        parser.error(f"no formula for {', '.join(sorted(missing))}")
    heads = "".join(f"{'_'.join(w[:4] for w in m.split('_'))[:8]:>9}" for m in arguments.methods)
    print(f"{'largest deviation':<22}{heads}    CPU-s")
    table = matrix(arguments.models, arguments.methods)
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    for model, row in table.items():
        for method, found in row.items():
            if "reason" in found:
                reasons[found["verdict"], found["reason"]].append(f"{model} × {method}")
    for (verdict, reason), cells in sorted(reasons.items()):
        print(f"{verdict}: {reason}\n    {'; '.join(cells)}")
    counts = summary(table)
    print(", ".join(f"{name} {value}" for name, value in counts.items()))
    if arguments.methods == [*FORMULAS]:
        earlier = json.loads(RESULTS.read_text())["cells"] if RESULTS.exists() else {}
        rows = {name: {**earlier, **table}.get(name) for name in MODELS}
        rows = {name: row for name, row in rows.items() if row}
        facts = {"date": date.today().isoformat(), "machine": machine(), "bound": BOUND}
        facts |= summary(rows) | {"cells": rows}
        print(f"\n{by_method(rows)}\n{summary(rows)} in {len(rows)} models")
        RESULTS.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    return int(counts["WRONG"] > 0 or counts["share"] < SHARE)


if __name__ == "__main__":
    raise SystemExit(main())
