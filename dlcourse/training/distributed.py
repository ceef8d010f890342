"""Data-parallel training on JAX: each device computes the gradient of its share of every batch.

The devices may belong to several processes, each of which reads the rows of its own devices. JAX
computes the loss, the gradient and batch normalization's statistics of the whole batch, so the
result is that of one device, up to the order of the sums.
"""

import hashlib
from contextlib import nullcontext
from typing import Any

import numpy as np

from dlcourse.configuration.recipe import Recipe
from dlcourse.datasets import Dataset, fingerprint
from dlcourse.errors import RecipeError, RunError
from dlcourse.heavy import keras
from dlcourse.runs.environment import use_device


def distribution(recipe: Recipe) -> Any:
    """Return a context in which models are built for all devices, if the recipe says so.

    Raises:
        RecipeError: The backend is not JAX, or the wanted device is missing.
    """
    if recipe.training.distribute is None:
        return nullcontext()
    where = recipe.where("training", "distribute")
    if keras.backend.backend() != "jax":
        raise RecipeError(f"{where}: data_parallel trains on JAX alone: set KERAS_BACKEND=jax")
    use_device(recipe.training.device)
    return keras.distribution.DataParallel(auto_shard_dataset=False).scope()


def sharers() -> tuple[int, int, int]:
    """Return the number of devices that share a batch, of this process, and of processes."""
    active = keras.distribution.distribution()
    if active is None:
        return 1, 0, 1
    import jax  # pyright: ignore[reportMissingImports]

    return active.device_mesh.devices.size, jax.process_index(), jax.process_count()


def in_whole_shares(examples: int) -> int:
    """Return the number of examples in an epoch: the largest that the devices share equally."""
    return examples - examples % sharers()[0]


def own(rows: np.ndarray) -> np.ndarray:
    """Return the rows of a batch that this process reads."""
    _, number, processes = sharers()
    return np.split(rows, processes)[number]


def of_all(value: Any) -> np.ndarray:
    """Return the values of all processes, by number; all must call it together."""
    if sharers()[2] == 1:
        return np.asarray(value)[None]
    from jax.experimental.multihost_utils import process_allgather  # pyright: ignore

    return np.asarray(process_allgather(np.asarray(value)))


def refuse_uneven(recipe: Recipe, dataset: Dataset) -> None:
    """Check that the devices can share each batch, and that all processes have the same to train.

    Raises:
        RecipeError: A batch cannot be divided, or there are fewer examples than devices.
        RunError: The recipe or the data of a process differ; each process raises it.
    """
    training, (devices, _, processes) = recipe.training, sharers()
    sizes = {training.batch_size_in(epoch) for epoch in range(training.epochs)}
    if uneven := [size for size in sizes if size % devices or len(dataset.x_train) < devices]:
        reason = f"{devices} devices cannot share {uneven[0]} examples, or have too few to train on"
        raise RecipeError(f"{recipe.where('training', 'batch_size')}: {reason}")
    if processes > 1:
        own = repr((recipe.seed, recipe.model, training, fingerprint(dataset)))
        digests = of_all(np.frombuffer(hashlib.sha256(own.encode()).digest(), np.uint8))
        if other := np.flatnonzero((digests != digests[0]).any(axis=1)).tolist():
            raise RunError(f"process {other[0]} has another recipe or other data than process 0")
