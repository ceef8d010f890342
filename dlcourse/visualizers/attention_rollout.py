"""Attention: what each token attends to, and how the attentions of all layers combine."""

from functools import partial
from typing import Any

import numpy as np

from dlcourse.errors import UserError
from dlcourse.schema import Positive, checked
from dlcourse.visualizers import hooks
from dlcourse.visualizers.cam_layer import with_grid
from dlcourse.visualizers.grad_cam import enlarged
from dlcourse.visualizers.targets import Images, Target, target_of


@checked
def attention_maps(
    model: Any, images: Images, *, batch_size: Positive | None = None
) -> dict[str, np.ndarray]:
    """Return the weights of each `MultiHeadAttention`, `(n, heads, queries, keys)`, by its name.

    Args:
        model, images, batch_size: As for `saliency`.

    Raises:
        UserError: The model has no such layer.
    """
    return target_of(model, images, 0, batch_size=batch_size).in_batches(_weights)


@checked
def attention_rollout(
    model: Any,
    images: Images,
    *,
    grid: Any = None,
    enlarge: bool = True,
    batch_size: Positive | None = None,
) -> np.ndarray:
    """Return how much of each patch reaches the class token through all attentions.

    Each layer mixes the tokens by the mean of its heads, and half of each token passes by it; the
    mixings are multiplied. Without a class token, the mean over the tokens is returned. It does not
    depend on a class.

    Args:
        model, images, batch_size: As for `saliency`.
        grid, enlarge: As for `grad_cam`.

    Returns:
        `(n, height, width)`, or `(n, tokens)` where the tokens are not patches of an image.

    Raises:
        UserError: The model has no attention of tokens to themselves.

    References:
        Abnar and Zuidema, "Quantifying Attention Flow in Transformers", 2020, arXiv:2005.00928.
    """
    target = target_of(model, images, 0, batch_size=batch_size)
    return target.in_batches(partial(_rollout, grid=grid, enlarge=enlarge))


def _rollout(target: Target, *, grid: Any, enlarge: bool) -> np.ndarray:
    """Return the rollout of all examples; see `attention_rollout`."""
    layers = [weights.mean(axis=1) for weights in _weights(target).values()]
    tokens = layers[0].shape[-1]
    if any(layer.shape[1:] != (tokens, tokens) for layer in layers):
        raise UserError("attention_rollout: an attention is not one of all tokens to themselves")
    flow = np.eye(tokens, dtype="float32")
    for layer in layers:
        flow = (layer + np.eye(tokens)) / 2 @ flow
    last = [call for call in target.calls if call.kind == "MultiHeadAttention"][-1]
    place = with_grid(target.probe, last, target.sources[0], grid)
    patches = int(np.prod(place.grid)) if place.grid else tokens
    reached = flow[:, 0] if patches < tokens else flow.mean(axis=1)
    maps = reached[:, -patches:].reshape(-1, *(place.grid or (tokens,))).astype("float32")
    return enlarged(target, maps, place, target.sources[0]) if enlarge else maps


def _weights(target: Target) -> dict[str, np.ndarray]:
    places = [call for call in target.calls if call.kind == "MultiHeadAttention"]
    if not places:
        raise UserError("attention: the model has no MultiHeadAttention layer (use grad_cam)")

    def read(model: Any, inputs: list) -> list:
        seen: list = []

        def keep(call: Any, *args: Any, **kwargs: Any) -> Any:
            output, weights = call(*args, **{**kwargs, "return_attention_scores": True})
            seen.append(weights)
            return (output, weights) if kwargs.get("return_attention_scores") else output

        with hooks.hooked(model, [(k, keep) for k in {place.position for place in places}]):
            hooks.call(model, inputs)
        return seen

    names = [f"{p.name}:{p.number}" if p.number else p.name for p in places]
    values = target.run(("attention",), read, target.inputs, any_batch=True)
    return dict(zip(names, map(np.asarray, values), strict=True))
