"""Prepare a recipe: load its data set and compile its model."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from shutil import which
from typing import Any

import numpy as np

from dlcourse.configuration.optimizers import OPTIMIZERS, SCHEDULES
from dlcourse.configuration.recipe import Recipe, Training
from dlcourse.datasets import Dataset
from dlcourse.errors import RecipeError, UserError
from dlcourse.heavy import keras
from dlcourse.models import augmentation_layers, target_scale
from dlcourse.quiet import import_keras
from dlcourse.runs.environment import device, no_gpu, use_device
from dlcourse.text_table import text_table
from dlcourse.training.distributed import in_whole_shares, refuse_uneven, sharers


@dataclass(frozen=True)
class Prepared:
    """A data set and the compiled, untrained model for it.

    Attributes:
        dataset: Data set of the training.
        model: Model that is saved.
        class_weights: Weight of each class in the loss, by label; None for equal weights.
        augmented: Augmentation layers followed by the model, with shared layers and optimizer; None
            without augmentation.
        frozen_weights: Weights of the frozen layers before the model, if the data set holds their
            outputs (`stages.fit_stages`).
    """

    dataset: Dataset
    model: Any
    class_weights: dict[int, float] | None
    augmented: Any = None
    frozen_weights: list[np.ndarray] = field(default_factory=list)

    @property
    def whole(self) -> Any:
        """The model with all variables, including those of the augmentation."""
        return self.augmented or self.model

    def model_in(self, recipe: Recipe, epoch: int) -> Any:
        """Return the model that is trained in an epoch (from 0)."""
        return self.whole if recipe.training.augments_in(epoch) else self.model


def prepare(recipe: Recipe, dataset: Dataset | None = None) -> Prepared:
    """Return the data set and the compiled model of a recipe; set the global random seeds.

    Args:
        recipe: Recipe to prepare.
        dataset: Data set to use instead of the recipe's, such as a fold of it; None loads the
            recipe's.

    Raises:
        RecipeError: Settings conflict or do not fit the data.
        DatasetError: The data is missing, broken or cannot be trained on.
    """
    if recipe.training.tensorboard and find_spec("tensorboard") is None:
        where, install = recipe.where("training", "tensorboard"), "pip install tensorboard"
        raise RecipeError(f"{where}: TensorBoard is not installed: {install}")
    recipe.refuse_missing()
    if dataset is None and hasattr(recipe.dataset, "path"):  # a fault in it needs no Keras
        dataset = recipe.load_dataset()
    import_keras()
    _use_device(recipe)  # before TensorFlow Datasets starts TensorFlow
    if dataset is None:
        dataset = recipe.load_dataset()
    recipe.refuse_conflicts(dataset.facts)
    refuse_uneven(recipe, dataset)
    weights = class_weights(recipe, dataset)
    _set_determinism(recipe)
    keras.utils.set_random_seed(recipe.seed)
    with _precision(recipe):
        model, augmented = _build(recipe, dataset)
    prepared = Prepared(dataset, model, weights, augmented)
    _refuse_jit(prepared.whole, recipe)
    compile_model(prepared, recipe)
    return prepared


def _build(recipe: Recipe, dataset: Dataset) -> tuple[Any, Any]:
    """Return the model of the recipe, and the model with augmentation in front, or None.

    The augmentation is outside the model, because Keras may run such layers also in a plain call
    `model(x)`.
    """
    settings = recipe.training.augmentation
    front = augmentation_layers(**settings.model_dump()) if settings else []
    try:
        model = recipe.build_model(dataset)
    except RecipeError as error:
        raise RecipeError(recipe.located("model", error)) from None
    if not front:
        return model, None
    inputs = keras.Input(dataset.input_shape, dtype=model.inputs[0].dtype)
    return model, keras.Sequential([inputs, *front, model])


def _use_device(recipe: Recipe) -> None:
    try:
        use_device(recipe.training.device)
    except UserError as error:
        raise RecipeError(f"{recipe.where('training', 'device')}: {error}") from None


@contextmanager
def _precision(recipe: Recipe) -> Iterator[None]:
    """Build in mixed precision if the recipe says so: float16 on a GPU, bfloat16 on a CPU."""
    before = keras.config.dtype_policy()
    if recipe.training.mixed_precision:
        half = "mixed_float16" if device().startswith("GPU") else "mixed_bfloat16"
        keras.config.set_dtype_policy(half)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _refuse_jit(model: Any, recipe: Recipe) -> None:
    """Raise a RecipeError if XLA is requested but does not support a layer."""
    unable = [layer.name for layer in model._flatten_layers() if not layer.supports_jit]
    if recipe.training.jit_compile and unable:
        reason = f"{recipe.where('training', 'jit_compile')}: the layer '{unable[0]}' cannot be "
        reason += f"compiled on {keras.backend.backend()}: leave jit_compile out"
        raise RecipeError(reason)


def _set_determinism(recipe: Recipe) -> None:
    if recipe.training.deterministic and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def compile_model(prepared: Prepared, recipe: Recipe) -> None:
    """Compile with the optimizer of the recipe and the loss for the last layer of the model."""
    dataset, model, training = prepared.dataset, prepared.model, recipe.training
    examples = in_whole_shares(len(dataset.x_train))
    steps = [training.steps_in(epoch, examples) for epoch in range(training.epochs)]
    rate: Any = training.learning_rate
    if training.schedule is not None:
        course = training.schedule.model_dump()
        rate = SCHEDULES[course.pop("name")](rate, sum(steps), **course)
    options = training.optimizer.model_dump()
    losses, smoothing = keras.losses, training.label_smoothing
    softmax = losses.SparseCategoricalCrossentropy()  # it does not support smoothing
    if smoothing:
        softmax = losses.CategoricalCrossentropy(label_smoothing=smoothing)
    loss = {
        "prediction": losses.MeanSquaredError(),
        "sigmoid": losses.BinaryCrossentropy(label_smoothing=smoothing),
        "softmax": softmax,
    }[_head(model)]
    # a regression learns the standardised target, so its loss is in units of the target's variance
    weight = target_scale(dataset)[1] ** -2 if dataset.task == "regression" else 1.0
    optimizer: Any = OPTIMIZERS[options.pop("name")](rate, **options)
    optimizer.global_clipnorm, optimizer.clipvalue = training.clip_norm, training.clip_value
    if training.ema is not None:
        optimizer.use_ema, optimizer.ema_momentum = True, training.ema
    for target in (model, prepared.augmented):
        if target is not None:
            target.compile(
                optimizer=optimizer,
                loss=loss,
                loss_weights=[weight],
                metrics=["mae" if dataset.task == "regression" else "accuracy"],
                steps_per_execution=_steps_per_execution(training, model, min(steps)),
                jit_compile="auto" if training.jit_compile is None else training.jit_compile,
            )
            optimizer = target.optimizer  # in mixed precision, this one scales the loss


def _head(model: Any) -> str:
    last = model.layers[-1]
    return "prediction" if last.name == "prediction" else last.activation.__name__


def _steps_per_execution(training: Training, model: Any, steps: int) -> int:
    """Return the number of steps per call: many for small dense models, whose calls cost most.

    It is at most `checkpoint_every`, because no state can be saved within a call. JAX unrolls the
    steps, which takes longer to compile than it saves. Keras on PyTorch supports only one step.
    """
    backend, asked = keras.backend.backend(), training.steps_per_execution
    if backend == "torch" or (backend == "jax" and asked is None):
        return 1
    if asked is not None:
        return asked
    small = all(len(layer.output.shape) == 2 for layer in model.layers if layer.weights)
    return min(128 if small else 16, steps, training.checkpoint_every or steps)


def targets(model: Any, recipe: Recipe, dataset: Dataset, part: str) -> np.ndarray:
    """Return the labels of a split in the form that the loss of the model takes."""
    y = dataset.splits[part][1]
    if recipe.training.label_smoothing and _head(model) == "softmax":
        return np.eye(len(dataset.class_names), dtype="float32")[y]
    return y if _head(model) == "softmax" else y[:, None].astype("float32")


def class_weights(recipe: Recipe, dataset: Dataset) -> dict[int, float] | None:
    """Return the weight of each class in the loss, by label; None for equal weights.

    `balanced` is n / (classes · n of the class) (King and Zeng 2001).

    Raises:
        RecipeError: A weight names a class that the data does not have, or all weights are 0.
    """
    chosen = recipe.training.class_weights
    if chosen is None:
        return None
    names = dataset.class_names
    if chosen == "balanced":
        counts = np.bincount(dataset.y_train, minlength=len(names))
        return dict(enumerate((counts.sum() / (len(names) * counts)).tolist()))
    if unknown := set(chosen) - set(names):
        reason = f"{recipe.where('training', 'class_weights')}: no class "
        reason += f"{', '.join(sorted(unknown))} in {dataset.name} (known: {', '.join(names)})"
        raise RecipeError(reason)
    weights = {label: chosen.get(name, 1.0) for label, name in enumerate(names)}
    if not any(weights.values()):
        raise RecipeError(f"{recipe.where('training', 'class_weights')}: all weights are 0")
    return weights


def describe(prepared: Prepared, wanted: str = "auto") -> str:
    """Return a text: the data, the device (and why an existing GPU is not used), the layers."""
    dataset, model = prepared.dataset, prepared.model
    lines = [f"data    {dataset.summary}"]
    lines += ["", str(dataset.columns), ""] if dataset.columns else []
    lines.append(f"device  {_device(model)}")
    devices, _, processes = sharers()
    if devices > 1:
        lines.append(
            f"        {devices} devices in {processes} processes share every batch; each "
            f"epoch leaves out {len(dataset.x_train) % devices} examples, others each time"
        )
    if wanted == "auto" and device().startswith("CPU") and which("nvidia-smi"):
        lines.append(f"        no GPU: {no_gpu()}")
    front = prepared.augmented.layers[:-1] if prepared.augmented else []

    def row(layer: Any) -> tuple[str, ...]:
        shape = " × ".join(map(str, layer.output.shape[1:]))
        return layer.name, type(layer).__name__, shape, f"{layer.count_params():,}"

    rows = [*map(row, [*front, *model.layers]), ("total", "", "", f"{model.count_params():,}")]
    head = ("layer", "type", "output shape", "parameters")
    return "\n".join([*lines, "", text_table(head, rows), ""])


def _device(model: Any) -> str:
    """Return the device, the precision, the backend and the version of Keras."""
    policy = next((layer.dtype_policy.name for layer in model.layers if layer.weights), "float32")
    return f"{device()}, {policy}, {keras.backend.backend()} backend, Keras {keras.version()}"
