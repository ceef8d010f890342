"""A recipe as one plain Keras script, which imports no dlcourse."""

from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

import dlcourse
from dlcourse.configuration.from_python import recipe as recipe_of
from dlcourse.configuration.optimizers import OPTIMIZERS
from dlcourse.configuration.recipe import Recipe
from dlcourse.datasets import Dataset
from dlcourse.heavy import keras
from dlcourse.lab.keras_script.data import Values, data_of, refuse, refuse_other_examples
from dlcourse.lab.keras_script.layers import instance, layer_line
from dlcourse.lab.keras_script.text import Code, written
from dlcourse.schema import flat
from dlcourse.training.preparation import class_weights

TEMPLATE = Path(__file__).with_name("template.txt")
SINGLE = ("early_stopping", "reduce_on_plateau", "ema", "checkpoint_every")
"""Settings that need the whole training in one call of fit."""


def as_keras(recipe: Any = None, *overrides: str, **settings: Any) -> str:
    """Return a recipe as one plain Keras script, which imports no dlcourse.

    Each block has a comment with the key of the recipe that it comes from. The script has the same
    examples in each split, the same layers, loss, optimizer and schedule. Augmentation is by Keras'
    nearest layers, and the order of the examples is Keras' own, so the scores differ a little.

    Args:
        recipe, *overrides, **settings: The arguments of `recipe`.

    Raises:
        RecipeError: The recipe is not valid, or has a setting that plain Keras does not have; the
            text names it.
        DatasetError: The data is missing, broken or cannot be trained on.

    Example:
        >>> print(dl.as_keras("digits_cnn"))
    """
    recipe = recipe_of(recipe, *overrides, **settings)
    refuse(recipe, "model.name", recipe.model.name == "transfer", "it trains on stored features")
    stages = _stages(recipe)
    dataset, data = data_of(recipe)
    own = recipe.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    given, values = flat({"training": {}, **own}), {**flat(recipe.model_dump()), **data}
    values |= {"name": Code(" ".join(recipe.name.split())), "version": Code(dlcourse.__version__)}
    values |= {**_model(recipe, dataset), **_training(recipe, dataset, stages)}
    template = TEMPLATE.read_text(encoding="utf-8")
    if recipe.dataset.name in ("csv", "npz", "text_folder"):
        imports, rest = template.split("# seed", 1)
        lines = rest[rest.index("{#dataset}") : rest.index("{#model}")]
        refuse_other_examples(recipe, dataset, written(imports + lines, values, given))
    return written(template, values, given)


def _stages(recipe: Recipe) -> list[tuple[Any, ...]]:
    """Return the batch size, the first and the last epoch of each fit, and whether it augments."""
    training, every = recipe.training, range(recipe.training.epochs)
    kinds = groupby(every, lambda at: (training.batch_size_in(at), training.augments_in(at)))
    stages = [(size, (at := [*epochs])[0], at[-1] + 1, front) for (size, front), epochs in kinds]
    for key in SINGLE if len(stages) > 1 else ():
        reason = "it begins anew in each fit, and batch_size or clean_epochs takes several"
        refuse(recipe, f"training.{key}", getattr(training, key) is not None, reason)
    refuse(recipe, "training.distribute", training.distribute, "set it to null: one device")
    two, reason = training.clean_epochs, "clean_epochs takes two models: set it to false"
    refuse(recipe, "training.restore_best_weights", two and training.restore_best_weights, reason)
    return stages


def _model(recipe: Recipe, dataset: Dataset) -> Values:
    settings, known, constant = recipe.settings("model"), {}, False
    model, reason = recipe.build_model(dataset), "its layers are not in a row, as those of rnn are"
    refuse(recipe, "model.name", not isinstance(model, keras.Sequential), reason)
    if dataset.facts.inputs == "rows":
        constant = bool((np.ptp(dataset.x_train, axis=0) == 0).any())
        variance = "variance" if constant else "x_train.var(axis=0)"
        known = {"mean": "x_train.mean(axis=0)", "variance": variance}
    moving = settings.get("batch_norm") and settings["batch_norm_momentum"] is None
    known |= {"momentum": "momentum"} if moving else {}
    mixed = recipe.training.mixed_precision
    lines = "\n".join(f"{layer_line(layer, known, mixed=mixed)}," for layer in model.layers)
    shown = {"input_shape": dataset.input_shape, "layers": Code(lines)}
    return {**shown, "constant": constant, "momentum": moving}


def _training(recipe: Recipe, dataset: Dataset, stages: list[Any]) -> Values:
    training, several, clean = recipe.training, len(stages) > 1, recipe.training.clean_epochs
    softmax = dataset.task == "multiclass" or recipe.model.name == "softmax_regression"
    made = type(OPTIMIZERS[training.optimizer.name](0.1))
    rate = Code("learning_rate") if training.schedule else training.learning_rate
    config = {**training.optimizer.model_dump(), "learning_rate": rate}
    config |= {"global_clipnorm": training.clip_norm, "clipvalue": training.clip_value}
    config |= {"use_ema": True, "ema_momentum": training.ema} if training.ema is not None else {}
    named = isinstance(training.class_weights, dict)
    return {
        "batch_size": stages[0][0],
        "stages": [stage if clean else stage[:3] for stage in stages] if several else None,
        "indent": Code("    " * several),
        "fill_mode": "constant" if "black" in str(training.augmentation) else "nearest",
        "optimizer": instance(f"keras.optimizers.{made.__name__}", made, config),
        "softmax": len(dataset.class_names) if softmax else None,
        "class_weight": class_weights(recipe, dataset) if named else None,
    }
