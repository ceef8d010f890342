"""The table of models by name, and `build_model`."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from dlcourse.datasets.facts import CLASSIFICATION
from dlcourse.errors import RecipeError, one_line
from dlcourse.heavy import keras
from dlcourse.models.convolutional import cnn
from dlcourse.models.dense import dnn
from dlcourse.models.linear import linear_regression, logistic_regression, softmax_regression
from dlcourse.models.preprocessing import (
    augmentation_layers,
    masking_layers,
    scaling_layer,
    target_scale,
)
from dlcourse.models.recurrent import rnn
from dlcourse.models.sequences import attention, cnn1d, mean_embedding, next_character
from dlcourse.models.transfer import transfer
from dlcourse.schema import checked_settings, did_you_mean, plain, shown

if TYPE_CHECKING:
    from dlcourse.datasets import Dataset

__all__ = [
    "MODELS", "Builder", "attention", "augmentation_layers", "build_model", "cnn", "cnn1d", "dnn",
    "linear_regression", "logistic_regression", "mean_embedding", "mismatch", "next_character",
    "rnn", "scaling_layer", "softmax_regression", "target_scale", "transfer",
]  # fmt: skip


class Builder(NamedTuple):
    """The function that builds a model, with the inputs (`images`, …) and tasks it accepts."""

    function: Callable[..., "keras.Model"]
    inputs: tuple[str, ...]
    tasks: tuple[str, ...]


ANY_INPUTS = ("images", "rows", "sequences")
IN_TIME = ("sequences", "text")
ANY_TASK = ("regression", *CLASSIFICATION)

MODELS = {
    "linear_regression": Builder(linear_regression, ANY_INPUTS, ("regression",)),
    "logistic_regression": Builder(logistic_regression, ANY_INPUTS, ("binary",)),
    "softmax_regression": Builder(softmax_regression, ANY_INPUTS, CLASSIFICATION),
    "dnn": Builder(dnn, ANY_INPUTS, ANY_TASK),
    "cnn": Builder(cnn, ("images",), ANY_TASK),
    "rnn": Builder(rnn, ("images", *IN_TIME), ANY_TASK),
    "cnn1d": Builder(cnn1d, IN_TIME, ANY_TASK),
    "attention": Builder(attention, IN_TIME, ANY_TASK),
    "mean_embedding": Builder(mean_embedding, ("text",), ANY_TASK),
    "next_character": Builder(next_character, ("text",), ("next_token",)),
    "transfer": Builder(transfer, ("images", "rows"), ANY_TASK),
}


def build_model(name: str, dataset: "Dataset", **settings: Any) -> "keras.Model":
    """Return an untrained model for `dataset`, with its preprocessing inside.

    The model takes the inputs of the data set (uint8 pixels or raw rows). It ends with `logits` and
    `probabilities` (softmax, or sigmoid for one output), or with `prediction` for regression.

    Args:
        name: Name of the model, a key of `MODELS`.
        dataset: Data set with the shape and scale of the inputs, the task and the classes.
        **settings: Keyword arguments of the function that builds the model.

    Raises:
        RecipeError: The name or a setting is unknown, or the model does not fit the data.
    """
    if not isinstance(name, str) or name not in MODELS:
        raise RecipeError(f"unknown model {shown(name)}{did_you_mean(name, list(MODELS))}")
    if not hasattr(dataset, "facts"):
        raise RecipeError(f"a Dataset is expected, as from load_dataset, got {shown(dataset)}")
    if fault := mismatch(name, dataset.facts.inputs, dataset.task):
        raise RecipeError(fault)
    given = checked_settings(name, MODELS[name].function, plain(settings, name))
    return new_model(name, dataset, given)


def new_model(
    name: str, dataset: "Dataset", settings: dict[str, Any], batch_size: int = 32
) -> "keras.Model":
    """Return a model; its settings are checked and complete, as in a recipe.

    Args:
        name: Name of the model.
        dataset: Data set that it is built for.
        settings: Settings of the model.
        batch_size: Examples per step, which give batch normalization's momentum; Keras' default.

    Raises:
        RecipeError: The model cannot be built with these settings.
    """
    single = dataset.task == "regression" or (
        dataset.task == "binary" and name != "softmax_regression"
    )
    if settings.get("batch_norm_momentum", 0) is None:
        arriving = 1 - 3 * batch_size / max(1, len(dataset.x_train))
        settings = {**settings, "batch_norm_momentum": min(max(0.8, arriving), 0.99)}
    masking, text = masking_layers(dataset), dataset.facts.inputs == "text"
    if masking and "text" not in MODELS[name].inputs:
        fitting = ", ".join(
            model for model, (_, kinds, _) in MODELS.items() if {*IN_TIME} <= {*kinds}
        )
        reason = f"'{name}' is for sequences of one length, but these differ (fitting: {fitting})"
        raise RecipeError(reason)
    if text:
        settings = {**settings, "vocabulary": len(dataset.facts.vocabulary)}
    try:
        regression = target_scale(dataset) if dataset.task == "regression" else False
        outputs = 1 if single else len(dataset.class_names)
        rescale = None if text else [*masking, scaling_layer(dataset)]
        build = inspect.unwrap(MODELS[name].function)
        return build(dataset.input_shape, outputs, regression, rescale, **settings)
    except RecipeError:
        raise
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        reason = f"'{name}' cannot be built with these settings: {one_line(error)}"
        raise RecipeError(reason) from None


def mismatch(name: str, inputs: str | None, task: str | None) -> str | None:
    """Return why the model does not fit data of these inputs and task, or None if it does."""
    builder = MODELS[name]
    suitable = [
        model
        for model, (_, fit_inputs, fit_tasks) in MODELS.items()
        if (inputs is None or inputs in fit_inputs)
        and (task is None or task in fit_tasks or _may_fit(task, fit_tasks))
    ]
    if inputs is not None and inputs not in builder.inputs:
        need, have = " or ".join(builder.inputs), {"rows": "rows of a table"}.get(inputs, inputs)
    elif task is not None and task not in builder.tasks and not _may_fit(task, builder.tasks):
        need, have = " or ".join(builder.tasks), task
    else:
        return None
    fitting = f" (fitting: {', '.join(suitable)})" if suitable else ""
    return f"'{name}' is for {need}, but this data is {have}{fitting}"


def _may_fit(task: str, tasks: tuple[str, ...]) -> bool:
    """Whether `classification` is binary or multiclass is accepted only after the data is read."""
    return task == "classification" and any(accepted in CLASSIFICATION for accepted in tasks)
