"""SmoothGrad: the gradient averaged over noisy copies of the image."""

from typing import Any

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
    seed: Natural = 0,
    output: Output = 0,
    where: Any = None,
    batch_size: Positive | None = None,
) -> np.ndarray | list[np.ndarray]:
    """Return |mean gradient| over noisy copies.

    Args:
        model, images, class_indices, output, where: As for `saliency`.
        samples: Number of noisy copies per image.
        noise: Standard deviation, as a fraction of the image's range of values (max − min).
        seed: Seed of the noise, which is the same for every image but for its scale.
        batch_size: Number of noisy copies in a pass, as for `saliency`.

    Returns:
        `(n, height, width)`, as for `saliency`.

    Raises:
        UserError: The arguments do not fit together.

    References:
        Smilkov et al., "SmoothGrad", 2017, arXiv:1706.03825.
    """

    def values(part: Target) -> list[np.ndarray]:
        return [np.abs(total) / samples for total in _sums(part, samples, noise, seed)]

    target = target_of(model, images, class_indices, output, where, batch_size, sizes=False)
    return maps_of(target, values, np.max)


def _sums(target: Target, samples: int, noise: float, seed: int) -> list[np.ndarray]:
    """Return, for each input, the sum of the gradient over the copies."""
    n = len(target.rows)
    at_once = max(1, target.batch_size // n)
    rngs = [np.random.default_rng((seed, k)) for k in range(len(target.inputs))]
    sums = [np.zeros(x.shape) for x in target.inputs]
    for start in range(0, samples, at_once):
        copies = min(at_once, samples - start)
        noisy = [_noisy(target, k, copies, noise, rng) for k, rng in enumerate(rngs)]
        slopes = gradients(target.repeated(copies, noisy))
        for total, g in zip(sums, slopes, strict=True):
            total += g.reshape(copies, n, *g.shape[1:]).sum(axis=0)
    return sums


def _noisy(
    target: Target, k: int, copies: int, noise: float, rng: np.random.Generator
) -> np.ndarray:
    """Return `(copies · n, …)`: the examples with each draw of the noise, none in masked steps."""
    x, ended = target.inputs[k], target.ended(k)
    ends = {"axis": tuple(range(1, x.ndim)), "keepdims": True, "where": ~ended}
    sigma = noise * (x.max(initial=-np.inf, **ends) - x.min(initial=np.inf, **ends))
    sigma = np.where(ended, 0, sigma).astype("float32")
    draws = rng.standard_normal((copies, 1, *x.shape[1:]), dtype="float32")
    return (x + sigma * draws).reshape(-1, *x.shape[1:])
