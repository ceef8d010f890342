"""The outputs of a trained layer as rows: for classic models, clustering, anomaly detection.

The outputs of the layer are computed once and can be cached on disk. Many models, or many settings
of one model, then read them instead of running the network again.
"""

import contextlib
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.datasets.dataset import chunks
from dlcourse.files import DAMAGED, make_folder, read_arrays, write_file
from dlcourse.heavy import keras
from dlcourse.runs.evaluation import predict
from dlcourse.visualizers import hooks


def features(model: Any, layer: str, x: np.ndarray, *, cache: str | Path | None = None) -> Any:
    """Return the outputs of a layer as rows `(n, values)`, float32; the model is unchanged.

    They equal those of `visualizers.feature_maps`, but for whole data sets: Keras' `predict` runs
    the part of the model up to the layer on batches of stored or streamed inputs.

    Args:
        model: Sequential or Functional model.
        layer: Name of a layer of this model; a nested model counts as a layer.
        x: Inputs `(n, …)` as the model takes them.
        cache: Folder of cached rows; rows of the same weights, layer and inputs are read from it.

    Raises:
        UserError: The model has no layer of this name, or the layer does not return one tensor.
        WriteError: The cache cannot be written.
    """
    part = model if layer == model.layers[-1].name else hooks.part(model, layer)
    path = make_folder(cache) / f"{_key(part, x)}.npz" if cache is not None else None
    if path:
        with contextlib.suppress(*DAMAGED):  # absent, or damaged (by its CRC)
            return read_arrays(path)["rows"]
    rows = predict(part, x).reshape(len(x), -1).astype("float32")
    if path:
        write_file(path, lambda temporary: np.savez(temporary, allow_pickle=False, rows=rows))
    return rows


def _key(part: Any, x: np.ndarray) -> str:
    """Return the SHA-256 of the model's structure and weights, the inputs and Keras' version."""
    digest = hashlib.sha256(f"{keras.version()} {keras.backend.backend()}".encode())
    # Keras numbers names within a process, so they carry no information
    digest.update(" ".join(type(layer).__name__ for layer in part.layers).encode())
    for layer in part.layers:
        settings = {k: v for k, v in layer.get_config().items() if k != "name"}
        digest.update(repr(sorted(settings.items(), key=str)).encode())
    for array in (*part.get_weights(), x):
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        for chunk in chunks(array) if array.ndim else [array]:
            digest.update(np.ascontiguousarray(chunk).data)
    return digest.hexdigest()
