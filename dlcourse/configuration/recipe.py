"""A recipe: the one file that says what is trained, on what, and how."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import yaml
from pydantic import Field, PrivateAttr, ValidationError

from dlcourse.configuration.optimizers import OPTIMIZERS, SCHEDULES, adam
from dlcourse.configuration.shipped import recipe_path, shipped
from dlcourse.configuration.yaml_source import Location, Source, expand_names, parse, read_source
from dlcourse.datasets import DATASETS, Dataset, read_dataset
from dlcourse.datasets.facts import DataFacts
from dlcourse.datasets.paths import existing
from dlcourse.errors import DatasetError, RecipeError, UserError
from dlcourse.models import MODELS, augmentation_layers, mismatch, new_model
from dlcourse.runs import Run
from dlcourse.runs.environment import Device
from dlcourse.schema import (
    Fraction,
    Integer,
    NonNegative,
    Positive,
    PositiveNumber,
    Positives,
    Rate,
    Settings,
    descriptions,
    did_you_mean,
    expectation,
    nearest,
    settings_model,
    settings_union,
)
from dlcourse.text_table import html_table

if TYPE_CHECKING:
    import keras

DatasetSettings = settings_union({name: loader.function for name, loader in DATASETS.items()})
ModelSettings = settings_union({name: builder.function for name, builder in MODELS.items()})
OptimizerSettings = settings_union(OPTIMIZERS)
ScheduleSettings = settings_union(SCHEDULES)
Augmentation = settings_model("augmentation", augmentation_layers, tagged=False)


class EarlyStopping(Settings):
    """Stop when the monitored value has not improved for `patience` epochs (slides S1).

    Args:
        patience: Number of epochs without improvement after which the training ends.
        monitor: Value that is watched; `val_accuracy` is of classes, `val_mae` of a regression.
        min_delta: Smallest change that counts as an improvement.
    """

    patience: Positive = 5
    monitor: Literal["val_loss", "val_accuracy", "val_mae"] = "val_loss"
    min_delta: NonNegative = 0.0


class ReduceOnPlateau(Settings):
    """Multiply the learning rate by `factor` after `patience` epochs without improvement.

    Args:
        patience: Number of epochs without improvement after which the learning rate falls.
        factor: Factor by which the learning rate is multiplied.
        monitor: Value that is watched; `val_accuracy` is of classes, `val_mae` of a regression.
        min_learning_rate: Learning rate below which it does not fall.
    """

    patience: Positive = 3
    factor: Fraction = 0.3
    monitor: Literal["val_loss", "val_accuracy", "val_mae"] = "val_loss"
    min_learning_rate: NonNegative = 0.0


class Training(Settings):
    """How the model is fitted.

    Args:
        epochs: Number of passes over the training examples, at most.
        batch_size: Examples per step. A list divides the epochs into as many stages, equally long
            as whole epochs allow: [32, 64, 128] over six epochs is two epochs of each.
        optimizer: Optimizer, with its settings.
        learning_rate: Constant learning rate, or the highest of a `schedule`.
        schedule: Course of the learning rate over the training, with its settings; null keeps the
            rate constant.
        clip_norm: Largest norm of the whole gradient, which is scaled down to it; null for none.
        clip_value: Largest absolute value of each entry of the gradient, which is cut off there;
            null for none.
        ema: Momentum of a moving average of the weights over the steps, which is evaluated and kept
            in place of the last weights: each step counts `ema` times as much as the next (0.99:
            about the last hundred; Polyak and Juditsky 1992). Batch normalization's running
            statistics are not averaged: they fit where the rate has fallen low. Null for no
            average.
        label_smoothing: Fraction of a label that is spread evenly over all classes (Szegedy et al.
            2016); 0 for none.
        class_weights: Weights of the classes in the loss: `balanced`, inverse to their number of
            examples (King and Zeng 2001), or a weight by class name, 1 for those not named. Null
            weighs every example alike.
        augmentation: Random changes of the training images, a new one in each epoch; null for none.
        clean_epochs: Number of final epochs in which the images are as they are, not augmented:
            then the last steps and batch normalization's statistics are of such images as the
            network will meet (He et al. 2019, arXiv:1909.09148). Null for none.
        early_stopping: End of the training once a validation value has stopped improving; null
            trains all epochs.
        reduce_on_plateau: Reduction of the learning rate when a validation value has stopped
            improving; null for none.
        restore_best_weights: Choice of the weights that are kept: true takes those of the epoch
            with the lowest validation loss (or best `early_stopping.monitor`, as far as it was
            better by `min_delta`), false those of the last epoch.
        device: Device to compute on: `auto` takes a GPU where there is one, `cpu` keeps off it,
            `gpu` refuses to train without.
        mixed_precision: Computation in half precision (float16 on a GPU, bfloat16 on a CPU), with
            weights in single precision.
        jit_compile: Compilation by XLA, Keras' own `jit_compile`; null leaves it to Keras.
        steps_per_execution: Number of steps in one call of the backend. Null chooses: up to 128 for
            small dense models, 16 for others (one on JAX; always one on PyTorch).
        checkpoint_every: Number of steps after which the state is saved, beside every epoch's end;
            with `steps_per_execution`, after the call in which they are reached. Null saves at the
            ends of epochs only.
        deterministic: Restriction to operations that give the same bits in every run, in
            TensorFlow.
        tensorboard: Log for TensorBoard in the run's folder `tensorboard`; needs the package of
            that name.
    """

    epochs: Positive = 20
    batch_size: Positives = 32
    optimizer: OptimizerSettings = Field(  # pyright: ignore[reportInvalidTypeForm]
        default_factory=lambda: settings_model("adam", adam).model_validate({"name": "adam"})
    )
    learning_rate: PositiveNumber = 0.001
    schedule: ScheduleSettings | None = None  # pyright: ignore[reportInvalidTypeForm]
    clip_norm: PositiveNumber | None = None
    clip_value: PositiveNumber | None = None
    ema: Fraction | None = None
    label_smoothing: Rate = 0.0
    class_weights: Literal["balanced"] | dict[str, NonNegative] | None = None
    augmentation: Augmentation | None = None  # pyright: ignore[reportInvalidTypeForm]
    clean_epochs: Positive | None = None
    early_stopping: EarlyStopping | None = None
    reduce_on_plateau: ReduceOnPlateau | None = None
    restore_best_weights: bool = True
    device: Device = "auto"
    mixed_precision: bool = False
    jit_compile: bool | None = None
    steps_per_execution: Positive | None = None
    checkpoint_every: Positive | None = None
    deterministic: bool = False
    tensorboard: bool = False

    def batch_size_in(self, epoch: int) -> int:
        """Return the batch size of an epoch (from 0)."""
        if not isinstance(self.batch_size, tuple):
            return self.batch_size
        return self.batch_size[epoch * len(self.batch_size) // self.epochs]

    def augments_in(self, epoch: int) -> bool:
        """Whether the images of an epoch (from 0) are augmented."""
        return self.augmentation is not None and epoch < self.epochs - (self.clean_epochs or 0)

    def steps_in(self, epoch: int, examples: int) -> int:
        """Return the steps of an epoch (from 0)."""
        return -(-examples // self.batch_size_in(epoch))


FIRST, THEN = 'dl.fit("{0}", name="{0}")', 'dl.fit("{0}")'


class Recipe(Settings):
    """A whole training: the data set, the model, the training and the seed of every random choice.

    The file is flat and complete: `dataset`, `model` and `training` with their settings. What is
    left out has the default of the function that the name stands for.

    Args:
        seed: Seed of every random choice, a whole number below 2³².
        dataset: Data set, with its settings.
        model: Model, with its settings.
        training: Way in which the model is fitted.
    """

    seed: Integer = Field(default=0, ge=0, lt=2**32)
    dataset: DatasetSettings  # pyright: ignore[reportInvalidTypeForm]
    model: ModelSettings  # pyright: ignore[reportInvalidTypeForm]
    training: Training = Field(default_factory=Training)

    _source: Source | None = PrivateAttr(None)
    _left_out: tuple[str, ...] = PrivateAttr(())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and self.model_dump() == other.model_dump()

    def where(self, *location: str) -> str:
        """Return `file:line:column: 'key'` of a setting, or its key where there is no file."""
        place = f"{self._source.where(location)}: " if self._source else ""
        return f"{place}'{_dotted(location)}'"

    @property
    def left_out(self) -> tuple[str, ...]:
        """Settings of an earlier version's run that had an effect and are gone, dotted."""
        return self._left_out

    def located(self, part: Literal["dataset", "model"], error: UserError) -> str:
        """Return an error's text with the place of the setting that it names, or of the part."""
        if error.setting in self.settings(part):
            return f"{self.where(part, error.setting)}: {error.reason}"
        return f"{self.where(part)}: {error}"

    @property
    def name(self) -> str:
        """The file's name without its suffix, or the names of the data set and the model."""
        path = Path(self._source.path if self._source else "")
        if path.suffix and path.name != "recipe.yaml":  # a run's
            return path.stem
        data = Path(getattr(self.dataset, "path", self.dataset.name)).stem
        return f"{data}-{self.model.name}"

    def to_yaml(self) -> str:
        """Return the resolved recipe, every default written out, as YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    def __str__(self) -> str:
        return self.to_yaml().rstrip()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(["setting", "value", "meaning"], _rows(self))

    def load_dataset(self) -> Dataset:
        """Return the recipe's data set, as its seed splits it.

        Raises:
            DatasetError: the data is missing, broken or cannot be trained on.
        """
        try:
            return read_dataset(self.dataset.name, self.seed, self.settings("dataset"))
        except (DatasetError, RecipeError) as error:
            if error.setting is None:
                raise
            raise type(error)(self.located("dataset", error)) from None

    def build_model(self, dataset: Dataset) -> "keras.Model":
        """Return the recipe's model for a data set, untrained and not compiled.

        Raises:
            RecipeError: it cannot be built with these settings, or for this data.
        """
        return new_model(self.model.name, dataset, self.settings("model"))

    def refuse_missing(self, first: str = FIRST, then: str = THEN) -> None:
        """Raise an error if the data's file or the trained base is not there; cheap.

        Args:
            first, then: The two lines that train the base, where it is a shipped recipe's, and
                this recipe.

        Raises:
            DatasetError, RecipeError: It is not there; the text says what to run first.
        """
        path, base = getattr(self.dataset, "path", None), self.base
        if path is not None:
            existing(path)
        if base is None or not ("/" in base or base.endswith(".keras")):
            return  # a plain word may name a network of keras.applications
        try:
            existing(base)
        except DatasetError as error:
            cure, name = "train it first, or name another", Path(base).name
            if name in shipped():
                cure = f"run {first.format(name)}, then {then.format(self.name)}"
            raise RecipeError(f"{self.where('model', 'base')}: {error}: {cure}") from None

    def refuse_conflicts(self, facts: DataFacts) -> None:
        """Raise a RecipeError, one line per fault, unless the settings fit together and the data.

        What a file holds is known only when it is read.
        """
        faults = _conflicts(self.model_dump(), facts.inputs, facts.task)
        if lines := [f"{self.where(*map(str, at))}: {reason}" for at, reason in faults]:
            raise RecipeError("\n".join(lines))

    @property
    def base(self) -> str | None:
        """The trained network that the model begins with; None where it begins with none."""
        return getattr(self.model, "base", None)

    def settings(self, part: Literal["dataset", "model"]) -> dict[str, Any]:
        """Return the keyword arguments of the part's function."""
        values = getattr(self, part)
        return {key: getattr(values, key) for key in type(values).model_fields if key != "name"}


def _rows(settings: Settings, start: str = "") -> Iterator[tuple[str, object, str]]:
    """Give every setting's dotted name, value and meaning."""
    told = descriptions(type(settings))
    for key in type(settings).model_fields:
        value = getattr(settings, key)
        if isinstance(value, Settings):
            yield from _rows(value, f"{start}{key}.")
        else:
            yield start + key, "none" if value is None else value, told.get(key, "")


def load_recipe(path: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> Recipe:
    """Return a shipped recipe by its name, or the one in a YAML file, with overrides applied.

    Raises:
        RecipeError: a line for every fault: file:line:column, what was expected, what came.
    """
    return validate(read_source(recipe_path(path), overrides))


def run_recipe(run: Run, overrides: list[str] | tuple[str, ...] = ()) -> Recipe:
    """Return a run's recipe; settings of earlier versions that are gone stand in its `left_out`.

    Raises:
        RecipeError, RunError: as `load_recipe` and `Run.file` do.
    """
    source = read_source(run.file("recipe.yaml"), overrides)
    left_out = [_dotted(at) for at, _ in _take_removed(source)]
    recipe = validate(source)
    recipe._left_out = tuple(left_out)
    return recipe


def recipe_from_text(text: str, path: str = "recipe") -> Recipe:
    """Return the recipe in YAML text; `path` names it in errors."""
    return validate(parse(text, path))


REMOVED: dict[Location, tuple[tuple[Any, ...], str]] = {
    ("ensemble",): ((None,), "several networks in one run are left out since 0.2"),
    ("training", "xray"): ((None, False), "give --xray to the train command instead"),
}
"""Settings of earlier versions: their values that changed nothing, the answer to any other."""


def _take_removed(source: Source) -> list[tuple[Location, str]]:
    """Take removed settings out of the data; return those that had an effect, with the reason."""
    effective = []
    for at, (without_effect, reason) in REMOVED.items():
        group = _group(source.data if len(at) == 1 else source.data.get(str(at[0])))
        if at[-1] in group and group.pop(at[-1]) not in without_effect:
            effective.append((at, reason))
    return effective


def validate(source: Source) -> Recipe:
    """Return the recipe that the data is.

    Raises:
        RecipeError: a line for every fault.
    """
    recipe, lines = None, [str(fault) for fault in source.faults]
    expand_names(source)
    for at, reason in _take_removed(source):
        lines.append(f"{source.where(at, key=True)}: '{_dotted(at)}' was removed: {reason}")
    try:
        recipe = Recipe.model_validate(source.data)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        # A mapping where a word or a mapping may stand: only what is wrong inside it is told.
        inner = [f for f in faults if (f["type"], type(f["input"])) != ("literal_error", dict)]
        lines += [_describe(fault, source) for fault in inner or faults]
    except RecursionError:
        raise RecipeError(f"{source.path}: nested too deeply") from None
    for at, text in _conflicts(recipe.model_dump() if recipe else source.data):
        lines.append(f"{source.where(at)}: '{_dotted(at)}': {text}")
    if lines or recipe is None:
        one_line_each = (line.replace("\n", "\\n") for line in lines)
        raise RecipeError("\n".join(dict.fromkeys(one_line_each)))
    recipe._source = source
    return recipe


def _conflicts(
    data: Mapping[str, Any], inputs: str | None = None, task: str | None = None
) -> list[tuple[Location, str]]:
    """Return settings that are each valid but do not go together, as (location, reason).

    Args:
        data: a recipe as plain data; what is invalid or absent in it is passed over.
        inputs, task: the data's own; None takes what is known before it is read.
    """
    dataset, model, training = (_group(data.get(part)) for part in ("dataset", "model", "training"))
    loader = DATASETS.get(str(dataset.get("name")))
    inputs = inputs or (loader.inputs if loader else None)
    task = task or dataset.get("task") or (loader.task if loader else None)
    classes = dataset.get("classes")
    if task == "multiclass" and isinstance(classes, list | tuple) and len(classes) == 2:
        task = "binary"
    faults: list[tuple[Location, str]] = []

    def fault(at: str, reason: str) -> None:
        faults.append((tuple(at.split(".")), reason))

    name, epochs = str(model.get("name")), training.get("epochs", 20)
    stages, clean = training.get("batch_size"), training.get("clean_epochs")
    augmentation, counted = training.get("augmentation"), isinstance(epochs, int)
    if name in MODELS and (reason := mismatch(name, inputs, task)):
        fault("model.name", reason)
    if training.get("schedule") and training.get("reduce_on_plateau"):
        reason = "a schedule sets the learning rate already: keep one of the two"
        fault("training.reduce_on_plateau", reason)
    if training.get("clip_norm") and training.get("clip_value"):
        fault("training.clip_value", "clip_norm is set already: keep one of the two")
    if counted and isinstance(stages, list | tuple) and len(stages) > epochs:
        reason = f"{len(stages)} stages need {len(stages)} epochs or more, there are {epochs}"
        fault("training.batch_size", reason)
    if augmentation and inputs == "rows":
        fault("training.augmentation", "is for images, this data is rows of a table")
    if augmentation and model.get("cache_features"):
        reason = "augmented images have other features in each epoch: set it to false"
        fault("model.cache_features", reason)
    if clean and not augmentation:
        fault("training.clean_epochs", "nothing is augmented: set augmentation too")
    elif counted and isinstance(clean, int) and clean >= epochs:
        fault("training.clean_epochs", f"leaves no epoch to augment: there are {epochs}")
    for key in ("label_smoothing", "class_weights"):
        if task == "regression" and training.get(key):
            fault(f"training.{key}", "is for classes, not for regression")
    metric = "val_accuracy" if task == "regression" else "val_mae" if task else None
    for key in ("early_stopping", "reduce_on_plateau"):
        if metric and _group(training.get(key)).get("monitor") == metric:
            fault(f"training.{key}.monitor", f"'{metric}' is not measured on {task}")
    return faults


def _group(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _describe(fault: Any, source: Source) -> str:
    """Return one pydantic error as `file:line:column: what was expected, what came (hint)`."""
    location = _without_tags(fault["loc"], source.data)
    kind = fault["type"]
    if kind == "extra_forbidden":
        place = source.where(location, key=True)
        return f"{place}: unknown key '{_dotted(location)}'{_hint(fault['loc'])}"
    if kind == "missing" and isinstance(fault["loc"][-1], int):
        text = f"expected {fault['loc'][-1] + 1} numbers or more, as in [64, 64]"
        return f"{source.where(location)}: '{_dotted(location)}': {text}"
    if kind == "missing":
        return f"{source.where(location[:-1])}: '{_dotted(location)}' is missing"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        known = _named(_dotted(fault["loc"]))
        location = (*location, "name")
        if kind == "union_tag_not_found":
            text = f"'{_dotted(location)}' is missing (known: {', '.join(known)})"
            return f"{source.where(location)}: {text}"
        tag = fault["ctx"]["tag"]
        hint = did_you_mean(tag, known)
        if location[0] == "dataset" and (path := Path(tag)).exists():
            kind = "image_folder" if path.is_dir() else path.suffix.strip(".")
            hint = f" (did you mean {{name: {kind}, path: {tag}}}?)" if kind in known else hint
        what = {"dataset": "data set"}.get(str(location[-2]), str(location[-2]))
        return f"{source.where(location)}: unknown {what} '{tag}'{hint}"
    return f"{source.where(location)}: '{_dotted(location)}': {expectation(fault)}"


def _dotted(location: Location) -> str:
    return ".".join(map(str, location))


def _without_tags(location: Location, data: Any) -> Location:
    """Drop the names that pydantic adds for the chosen member of a union."""
    kept: list[str | int] = []
    for index, part in enumerate(location):
        if str(part).startswith(("literal[", "dict[")):
            continue
        is_item = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if (isinstance(data, dict) and part in data) or is_item:
            data = data[part]  # pyright: ignore[reportArgumentType, reportCallIssue]
        elif index < len(location) - 1 or not isinstance(data, dict):
            continue
        kept.append(part)
    return tuple(kept)


def _hint(location: Location) -> str:
    """Return did-you-mean for an unknown key, or which other model has such a setting."""
    *path, word = map(str, location)
    group = ".".join(path)
    here = groups().get(group, Recipe)
    if word not in here.model_fields and "name" in here.model_fields:
        beside = group.rpartition(".")[0]
        if owners := [
            name for name in _named(beside) if word in groups()[f"{beside}.{name}"].model_fields
        ]:
            return f" (a setting of {', '.join(owners)}, not of {path[-1]})"
    return where_it_belongs(word, [key for key in here.model_fields if key != "name"])


def where_it_belongs(word: str, known: list[str], keywords: Mapping[str, Any] | None = None) -> str:
    """Return did-you-mean for an unknown key: one of those known here, or of another group.

    Args:
        word: The key.
        known: The keys that may stand in its place.
        keywords: A recipe's data where the key was a keyword of Python: the answer is one, too.
    """
    owners: dict[str, list[str]] = {}
    for group, cls in groups().items():
        for key in cls.model_fields.keys() - {"name"}:
            owners.setdefault(key, []).append(group)
    near = word if word in owners else nearest(word, known) or nearest(word, list(owners))
    if near is None or near in known:
        return did_you_mean(word, known)
    told, *others = owners[near]
    if keywords is not None:
        chosen = {f"{part}.{_group(value).get('name')}" for part, value in keywords.items()}
        told = next((owner for owner in owners[near] if owner in chosen), told)
        group, _, kind = told.removeprefix("training.").partition(".")
        named = f"'name': '{kind}', " if kind and told not in chosen else ""
        return f" (did you mean {group}={{{named}'{near}': …}}?)"
    return f" ('{near}' is a setting of {', '.join([told, *others[:3]])})"


@cache
def groups(settings: type[Settings] | None = None, start: str = "") -> dict[str, type[Settings]]:
    """Return every group of settings by name: `training`, `model.cnn`, `training.optimizer.sgd`."""
    found: dict[str, type[Settings]] = {}
    for key, field in (settings or Recipe).model_fields.items():
        for cls in _settings_classes(field.annotation):
            tag = cls.model_fields.get("name")
            name = start + key + (f".{get_args(tag.annotation)[0]}" if tag else "")
            found |= {name: cls, **groups(cls, f"{name}.")}
    return found


def _named(group: str) -> list[str]:
    """Return the names that may stand in a group: of all models, all optimizers, …"""
    parts = [name.rpartition(".") for name, cls in groups().items() if "name" in cls.model_fields]
    return [name for start, _, name in parts if start == group]


def _settings_classes(annotation: Any) -> list[type[Settings]]:
    """Return the Settings classes inside an annotation (of a union: all)."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    if get_origin(annotation) in (dict, tuple, list, Literal, None):
        return []
    return [cls for inner in get_args(annotation) for cls in _settings_classes(inner)]
