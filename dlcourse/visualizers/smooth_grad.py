"""SmoothGrad: the gradient averaged over noisy copies of the image."""

from typing import Any, Literal

import numpy as np

from dlcourse.schema import Natural, NonNegative, Output, Positive, checked
from dlcourse.visualizers.saliency import gradients, maps_of
from dlcourse.visualizers.targets import ClassIndices, Images, Target, target_of


@checked
def smooth_grad(
    model: Any,
    images: Images,
    class_indices: ClassIndices = None,
    *,
    samples: Positive = 20,
    noise: NonNegative = 0.2,
    kind: Literal["mean", "squared", "variance"] = "mean",
    seed: Natural = 0,
    output: Output = 0,
    where: Any = None,
    batch_size: Positive | None = None,
) -> np.ndarray | list[np.ndarray]:
    """Return |mean gradient| over noisy copies, or the gradient's mean square or variance.

    Args:
        model, images, class_indices, output, where: As for `saliency`.
        samples: Number of noisy copies per image.
        noise: Standard deviation, as a fraction of the image's range of values (max − min).
        kind: Statistic, `mean` (SmoothGrad), `squared` (SmoothGrad-Squared), `variance` (VarGrad).
        seed: Seed of the noise, which is the same for every image but for its scale.
        batch_size: Number of noisy copies in a pass, as for `saliency`.

    Returns:
        `(n, height, width)`, as for `saliency`.

    Raises:
        UserError: The arguments do not fit together.

    References:
        Smilkov et al., "SmoothGrad", 2017, arXiv:1706.03825; Hooker et al., "A Benchmark for
        Interpretability Methods", 2019, arXiv:1806.10758 (squared); Adebayo et al., "Local
        Explanation Methods", 2018, arXiv:1810.03307 (variance).
    """

    def values(part: Target) -> list[np.ndarray]:
        return [_combined(kind, *s, samples) for s in _moments(part, samples, noise, seed)]

    target = target_of(model, images, class_indices, output, where, batch_size, sizes=False)
    return maps_of(target, values, np.max)


def _combined(kind: str, first: np.ndarray, second: np.ndarray, samples: int) -> np.ndarray:
    """Return the map from the sums of the gradients and of their squares."""
    mean, square = first / samples, second / samples
    if kind == "mean":
        return np.abs(mean)
    return square if kind == "squared" else np.maximum(square - mean**2, 0.0)


def _moments(target: Target, samples: int, noise: float, seed: int) -> list[np.ndarray]:
    """Return, for each input, the sums of the gradient and of its square over the copies."""
    n = len(target.rows)
    at_once = max(1, target.batch_size // n)
    rngs = [np.random.default_rng((seed, k)) for k in range(len(target.inputs))]
    sums = [np.zeros((2, *x.shape)) for x in target.inputs]
    for start in range(0, samples, at_once):
        copies = min(at_once, samples - start)
        noisy = [_noisy(target, k, copies, noise, rng) for k, rng in enumerate(rngs)]
        slopes = gradients(target.repeated(copies, noisy))
        for total, g in zip(sums, slopes, strict=True):
            g = g.reshape(copies, n, *g.shape[1:])
            total += [g.sum(axis=0), np.square(g).sum(axis=0)]
    return sums


def _noisy(
    target: Target, k: int, copies: int, noise: float, rng: np.random.Generator
) -> np.ndarray:
    """Return `(copies · n, …)`: the examples with each draw of the noise, none in masked steps."""
    x, ended = target.inputs[k], target.ended(k)
    held = np.where(ended, x[:, :1], x) if ended.any() else x
    sigma = noise * np.ptp(held, axis=tuple(range(1, x.ndim)), keepdims=True) * ~ended
    draws = rng.standard_normal((copies, 1, *x.shape[1:]), dtype="float32")
    return (x + sigma * draws).reshape(-1, *x.shape[1:])
