"""What a trained layer makes of the inputs, as rows: for classic learners, clusters, anomalies.

The layer's outputs are computed once and can be kept on disk, so that many learners, or many
settings of one, read them instead of running the network again.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.datasets.dataset import chunks
from dlcourse.files import DAMAGED, make_folder, write_file
from dlcourse.runs.evaluation import predict
from dlcourse.visualizers import hooks


def features(model: Any, layer: str, x: np.ndarray, *, cache: str | Path | None = None) -> Any:
    """Return a layer's outputs as rows `(n, values)`, float32; the model is not changed.

    They are those of `visualizers.feature_maps`, for whole data sets: Keras' `predict` of the part
    of the model up to the layer takes them in batches, as they are stored or streamed.

    Args:
        model: A Sequential or Functional model.
        layer: The name of one of its own layers; a model inside it is one.
        x: Inputs `(n, …)` as the model takes them.
        cache: A folder; what was computed for the same weights, layer and inputs is read from it.

    Raises:
        UserError: The model has no such layer, or it gives no single tensor.
        WriteError: The cache cannot be written.
    """
    part = model if layer == model.layers[-1].name else hooks.part(model, layer)
    path = make_folder(cache) / f"{_key(part, x)}.npz" if cache is not None else None
    if path and (kept := _kept(path)) is not None:
        return kept
    rows = predict(part, x).reshape(len(x), -1).astype("float32")
    if path:
        write_file(path, lambda temporary: np.savez(temporary, allow_pickle=False, rows=rows))
    return rows


def _kept(path: Path) -> np.ndarray | None:
    """Return what a file of the cache holds; None where it is absent or damaged (by its CRC)."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return file["rows"]
    except DAMAGED:
        return None


def _key(part: Any, x: np.ndarray) -> str:
    """Return the SHA-256 of the model's structure and weights, the inputs and Keras' version."""
    import keras

    digest = hashlib.sha256(f"{keras.version()} {keras.backend.backend()}".encode())
    # names are counted up in a process, and say nothing
    digest.update(" ".join(type(layer).__name__ for layer in part.layers).encode())
    for layer in part.layers:
        settings = {k: v for k, v in layer.get_config().items() if k != "name"}
        digest.update(repr(sorted(settings.items(), key=str)).encode())
    for array in (*part.get_weights(), x):
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        for some in chunks(array) if array.ndim else [array]:
            digest.update(np.ascontiguousarray(some).data)
    return digest.hexdigest()
