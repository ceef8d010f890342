"""A recipe: one file with the data set, the model and the training."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import Field, PrivateAttr, ValidationError

from dlcourse import schema
from dlcourse.configuration.optimizers import OPTIMIZERS, SCHEDULES, adam
from dlcourse.configuration.shipped import FOLDER, OF_PREDICTION, OTHER_KIND, recipe_path, shipped
from dlcourse.configuration.yaml_source import Location, Source, apply, parse, read_source
from dlcourse.datasets import DATASETS, Dataset, read_dataset
from dlcourse.datasets.facts import DataFacts
from dlcourse.datasets.paths import existing
from dlcourse.datasets.series import series_file
from dlcourse.errors import DatasetError, RecipeError, UserError
from dlcourse.heavy import keras
from dlcourse.models import MODELS, augmentation_layers, mismatch, new_model
from dlcourse.models.efficientnet_lite0 import NAME, weights_file
from dlcourse.runs import Run
from dlcourse.runs.environment import Device
from dlcourse.schema import NonNegative, Positive, PositiveNumber, Positives, Rate, Settings
from dlcourse.text_table import html_table

DatasetSettings = schema.settings_union({name: entry.function for name, entry in DATASETS.items()})
ModelSettings = schema.settings_union({name: builder.function for name, builder in MODELS.items()})
OptimizerSettings = schema.settings_union(OPTIMIZERS)
ScheduleSettings = schema.settings_union(SCHEDULES)
Augmentation = schema.settings_model("augmentation", augmentation_layers, tagged=False)


class EarlyStopping(Settings):
    """Stop when the monitored value has not improved for `patience` epochs (slides S1).

    Args:
        patience: Number of epochs without improvement after which training stops.
        monitor: Monitored value; `val_accuracy` for classification, `val_mae` for regression.
        min_delta: Smallest change that counts as an improvement.
    """

    patience: Positive = 5
    monitor: Literal["val_loss", "val_accuracy", "val_mae"] = "val_loss"
    min_delta: NonNegative = 0.0


class ReduceOnPlateau(Settings):
    """Multiply the learning rate by `factor` after `patience` epochs without improvement.

    Args:
        patience: Number of epochs without improvement after which the learning rate is reduced.
        factor: Factor by which the learning rate is multiplied.
        monitor: Monitored value; `val_accuracy` for classification, `val_mae` for regression.
        min_learning_rate: Lower bound of the learning rate.
    """

    patience: Positive = 3
    factor: schema.Fraction = 0.3
    monitor: Literal["val_loss", "val_accuracy", "val_mae"] = "val_loss"
    min_learning_rate: NonNegative = 0.0


class Training(Settings):
    """Settings of the training.

    Args:
        epochs: Largest number of passes over the training examples.
        batch_size: Examples per step. A list divides the epochs into one stage per batch size, as
            equal as whole epochs allow: [32, 64, 128] over six epochs gives two epochs of each.
        optimizer: Optimizer, with its settings.
        learning_rate: Constant learning rate, or the highest value of a `schedule`.
        schedule: Learning-rate schedule, with its settings; null keeps the learning rate constant.
        clip_norm: Largest norm of the whole gradient; a larger gradient is scaled down to it. Null
            for no clipping.
        clip_value: Largest absolute value of each entry of the gradient; larger entries are
            clipped. Null for no clipping.
        ema: Momentum of a moving average of the weights over the steps (Polyak and Juditsky 1992).
            The average is evaluated and saved in place of the last weights. Each step counts `ema`
            times as much as the next; 0.99 averages about the last hundred. Batch normalization's
            running statistics are not averaged; they match if the learning rate is low at the end.
            Null for no average.
        label_smoothing: Fraction of a label that is spread evenly over all classes (Szegedy et al.
            2016); 0 for no smoothing.
        class_weights: Weights of the classes in the loss: `balanced`, inverse to their number of
            examples (King and Zeng 2001), or a weight by class name, 1 for the other classes. Null
            weights all examples equally.
        augmentation: Random transformations of the training images, new in each epoch; null for
            none.
        clean_epochs: Number of final epochs without augmentation, so that the last steps and batch
            normalization's statistics come from images like the test images (He et al. 2019,
            arXiv:1909.09148). Null for none.
        early_stopping: End of the training when a validation value has stopped improving; null
            trains all epochs.
        reduce_on_plateau: Reduction of the learning rate when a validation value has stopped
            improving; null for none.
        restore_best_weights: Choice of the weights that are kept: true for the epoch with the
            lowest validation loss (or the best `early_stopping.monitor`, where an improvement
            smaller than `min_delta` does not count), false for the last epoch.
        device: Device to compute on: `auto` uses a GPU if there is one, `cpu` never uses it, `gpu`
            refuses to train without one.
        distribute: Distribution over several devices: `data_parallel` divides every batch among all
            devices of JAX, also those of other machines (`--coordinator`, see docs/scale.md). At
            most as many examples as there are devices, less one, are left out of an epoch, other
            ones in each. Null trains on one device.
        mixed_precision: Computation in half precision (float16 on a GPU, bfloat16 on a CPU), with
            weights in single precision.
        jit_compile: Compilation by XLA (Keras' `jit_compile`); null leaves the choice to Keras.
        steps_per_execution: Number of steps per call of the backend. Null chooses up to 128 for
            small dense models and 16 for others (1 on JAX; always 1 on PyTorch).
        checkpoint_every: Number of steps after which the state is saved, in addition to the end of
            every epoch; with `steps_per_execution`, at the end of the call that reaches it. Null
            saves only at the end of every epoch.
        deterministic: Restriction of TensorFlow to operations with bit-identical results in every
            run.
        tensorboard: Log for TensorBoard in the run's folder `tensorboard`; needs the package
            `tensorboard`.
    """

    epochs: Positive = 20
    batch_size: Positives = 32
    optimizer: OptimizerSettings = Field(  # pyright: ignore[reportInvalidTypeForm]
        default_factory=lambda: schema.settings_model("adam", adam).model_validate({"name": "adam"})
    )
    learning_rate: PositiveNumber = 0.001
    schedule: ScheduleSettings | None = None  # pyright: ignore[reportInvalidTypeForm]
    clip_norm: PositiveNumber | None = None
    clip_value: PositiveNumber | None = None
    ema: schema.Fraction | None = None
    label_smoothing: Rate = 0.0
    class_weights: Literal["balanced"] | dict[str, NonNegative] | None = None
    augmentation: Augmentation | None = None  # pyright: ignore[reportInvalidTypeForm]
    clean_epochs: Positive | None = None
    early_stopping: EarlyStopping | None = None
    reduce_on_plateau: ReduceOnPlateau | None = None
    restore_best_weights: bool = True
    device: Device = "auto"
    distribute: Literal["data_parallel"] | None = None
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
    """A complete experiment: the data set, the model, the training and the seed.

    The file has three groups of settings: `dataset`, `model` and `training`. A setting that is left
    out has the default of the function with that name.

    Args:
        seed: Seed of all random numbers, a whole number below 2³².
        dataset: Data set, with its settings.
        model: Model, with its settings.
        training: Settings of the training.
    """

    seed: schema.Integer = Field(default=0, ge=0, lt=2**32)
    dataset: DatasetSettings  # pyright: ignore[reportInvalidTypeForm]
    model: ModelSettings  # pyright: ignore[reportInvalidTypeForm]
    training: Training = Field(default_factory=Training)

    folder: ClassVar[str] = FOLDER
    _source: Source | None = PrivateAttr(None)
    _left_out: tuple[str, ...] = PrivateAttr(())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and self.model_dump() == other.model_dump()

    def where(self, *location: str) -> str:
        """Return `file:line:column: 'key'` of a setting, or only its key without a file."""
        place = f"{self._source.where(location)}: " if self._source else ""
        return f"{place}'{_dotted(location)}'"

    @property
    def left_out(self) -> tuple[str, ...]:
        """Dotted names of removed settings of an earlier version that had an effect in its run."""
        return self._left_out

    def located(self, part: Literal["dataset", "model"], error: UserError) -> str:
        """Return the text of an error with the place of its setting, or of the part."""
        if error.setting in self.settings(part):
            return f"{self.where(part, error.setting)}: {error.reason}"
        return f"{self.where(part)}: {error}"

    @property
    def name(self) -> str:
        """The name of the file without its suffix, or the names of the data set and the model."""
        path = Path(self._source.path if self._source else "")
        if path.suffix and path.name != "recipe.yaml":  # not a run's file
            return path.stem
        data = Path(getattr(self.dataset, "path", self.dataset.name)).stem
        return f"{data}-{self.model.name}"

    def to_yaml(self) -> str:
        """Return the recipe as YAML, with every default written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    def __str__(self) -> str:
        return self.to_yaml().rstrip()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(["setting", "value", "meaning"], _rows(self))

    def load_dataset(self) -> Dataset:
        """Return the data set of the recipe, split with its seed.

        Raises:
            DatasetError: The data is missing, broken or cannot be trained on.
        """
        try:
            return read_dataset(self.dataset.name, self.seed, self.settings("dataset"))
        except (DatasetError, RecipeError) as error:
            if error.setting is None:
                raise
            raise type(error)(self.located("dataset", error)) from None

    def build_model(self, dataset: Dataset) -> "keras.Model":
        """Return the model of the recipe for a data set, untrained and not compiled.

        Raises:
            RecipeError: The model cannot be built with these settings or for this data.
        """
        size = self.training.batch_size_in(0)
        return new_model(self.model.name, dataset, self.settings("model"), size)

    def refuse_missing(self, first: str = FIRST, then: str = THEN) -> None:
        """Raise an error if the data file or the trained base is missing; nothing is loaded.

        Args:
            first, then: Templates of the two commands in the error: to train the base of a shipped
                recipe, then this recipe.

        Raises:
            DatasetError, RecipeError: A file or the package of the base's weights is missing; the
                text says what to run or install first.
        """
        path, base = getattr(self.dataset, "path", None), self.base or ""
        if path is not None:
            existing(series_file(path) if self.dataset.name == "series" else path)
        try:
            if base == NAME and self.settings("model")["weights"] == "imagenet":
                weights_file()
            if "/" in base or base.endswith(".keras"):
                existing(base)  # a plain word may name a network of keras.applications
        except DatasetError as error:
            cure, name = "train it first, or name another", Path(base).name
            if name in shipped():
                cure = f"run {first.format(name)}, then {then.format(self.name)}"
            raise RecipeError(f"{self.where('model', 'base')}: {error}: {cure}") from None
        except UserError as error:
            raise RecipeError(f"{self.where('model', 'base')}: {error}") from None

    def refuse_conflicts(self, facts: DataFacts) -> None:
        """Raise a RecipeError, one line per conflict, if settings do not fit together or the data.

        Call it once the data is read: only then are the facts of a file known.
        """
        faults = _conflicts(self.model_dump(), facts.inputs, facts.task, past=True)
        if lines := [f"{self.where(*map(str, at))}: {reason}" for at, reason in faults]:
            raise RecipeError("\n".join(lines))

    @property
    def base(self) -> str | None:
        """The trained base network of the model; None if it has none."""
        return getattr(self.model, "base", None)

    def settings(self, part: Literal["dataset", "model"]) -> dict[str, Any]:
        """Return the keyword arguments for the function of a part."""
        values = getattr(self, part)
        return {key: getattr(values, key) for key in type(values).model_fields if key != "name"}


def _rows(settings: Settings, start: str = "") -> Iterator[tuple[str, object, str]]:
    """Yield the dotted name, value and meaning of every setting."""
    meanings = schema.descriptions(type(settings))
    for key in type(settings).model_fields:
        value = getattr(settings, key)
        if isinstance(value, Settings):
            yield from _rows(value, f"{start}{key}.")
        else:
            yield start + key, "none" if value is None else value, meanings.get(key, "")


R = TypeVar("R", bound=Recipe)


def load_recipe(path: str | Path, overrides: Sequence[str] = (), kind: type[R] = Recipe) -> R:
    """Return a shipped recipe by name, or the recipe in a YAML file, with overrides applied.

    Args:
        path: Name or file.
        overrides: Changes, such as `training.epochs=5`.
        kind: Class of the recipe: `Recipe`, or another with models and a training of its own.

    Raises:
        RecipeError: The recipe is not valid: one line per error, with file:line:column, what was
            expected and what was found.
    """
    return validate(read_source(recipe_path(path, kind.folder), overrides), kind=kind)


def run_recipe(run: Run, overrides: Sequence[str] = (), kind: type[R] = Recipe) -> R:
    """Return the recipe of a run; its `left_out` names the removed settings of earlier versions.

    Raises:
        RecipeError, RunError: See `load_recipe` and `Run.file`.
    """
    if kind is Recipe:
        run.refuse_generator()
    source = read_source(run.file("recipe.yaml"))
    left_out = [_dotted(at) for at, _ in _take_removed(source)]
    dataset, model = (_group(source.data.get(part)) for part in ("dataset", "model"))
    source.data["dataset"] = run.with_its_data(dataset)
    source.data["model"] = run.with_its_places(model, "base", "weights")
    if model.get("batch_norm"):  # before it was a setting, it was Keras' default
        source.data["model"].setdefault("batch_norm_momentum", 0.99)
    apply(source, *overrides)
    recipe = validate(source, past=True, kind=kind)
    recipe._left_out = tuple(left_out)
    return recipe


def recipe_from_text(text: str, path: str = "recipe") -> Recipe:
    """Return the recipe in YAML text; `path` names it in errors."""
    return validate(parse(text, path))


REMOVED: dict[Location, tuple[tuple[Any, ...], str]] = {
    ("ensemble",): ((None,), "train one recipe per network, each with its own seed"),
    ("training", "xray"): ((None, False), "give --xray to the train command instead"),
}
"""Removed settings of earlier versions: the values without effect, and the reason to report."""


def _take_removed(source: Source) -> list[tuple[Location, str]]:
    """Remove old settings from the data; return those that had an effect, with the reason."""
    effective = []
    for at, (without_effect, reason) in REMOVED.items():
        group = _group(source.data if len(at) == 1 else source.data.get(str(at[0])))
        if at[-1] in group and group.pop(at[-1]) not in without_effect:
            effective.append((at, reason))
    return effective


def validate(source: Source, *, past: bool = False, kind: type[R] = Recipe) -> R:
    """Return the recipe of plain data; for `past`, see `_conflicts`.

    Raises:
        RecipeError: The recipe is not valid: one line per error.
    """
    recipe, lines = None, [str(fault) for fault in source.faults]
    dataset, model = (_group(source.data.get(part)) for part in ("dataset", "model"))
    inputs = getattr(MODELS.get(str(model.get("name"))), "inputs", ())
    kinds = {"images", "sequences"} & {*inputs}
    if dataset.get("name") == "npz" and len(kinds) == 1:  # what the model takes decides
        dataset.setdefault("inputs", *kinds)
    for at, reason in _take_removed(source):
        lines.append(f"{source.where(at, key=True)}: '{_dotted(at)}' was removed: {reason}")
    try:
        recipe = kind.model_validate(source.data)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        # A mapping where a word or a mapping is allowed: report only the errors inside it.
        inner = [f for f in faults if (f["type"], type(f["input"])) != ("literal_error", dict)]
        lines += [_describe(fault, source, kind) for fault in inner or faults]
    except RecursionError:
        raise RecipeError(f"{source.path}: nested too deeply") from None
    for at, text in _conflicts(recipe.model_dump() if recipe else source.data, past=past):
        lines.append(f"{source.where(at)}: '{_dotted(at)}': {text}")
    if lines or recipe is None:
        one_line_each = (line.replace("\n", "\\n") for line in lines)
        raise RecipeError("\n".join(dict.fromkeys(one_line_each)))
    recipe._source = source
    return recipe


def _conflicts(
    data: Mapping[str, Any], inputs: str | None = None, task: str | None = None, past: bool = False
) -> list[tuple[Location, str]]:
    """Return settings that are valid alone but conflict with others, as (location, reason).

    Args:
        data: Recipe as plain data; invalid or absent settings are ignored.
        inputs, task: Facts of the data; None takes what is known before the data is read.
        past: Whether it is the recipe of a run, which an earlier version may have allowed.
    """
    dataset, model, training = (_group(data.get(part)) for part in ("dataset", "model", "training"))
    loader = DATASETS.get(str(dataset.get("name")))
    inputs = inputs or ("text" if dataset.get("text") else loader.inputs if loader else None)
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
        texts = ": texts need dataset.text, time series the data set 'series'"
        texts *= "text" in reason.partition(",")[0]
        cures = {"npz": ": if the arrays are something else, set dataset.inputs", "csv": texts}
        fault("model.name", reason + cures.get(str(dataset.get("name")), ""))
    if training.get("schedule") and training.get("reduce_on_plateau"):
        reason = "a schedule sets the learning rate already: keep one of the two"
        fault("training.reduce_on_plateau", reason)
    if training.get("clip_norm") and training.get("clip_value"):
        fault("training.clip_value", "clip_norm is set already: keep one of the two")
    if counted and isinstance(stages, list | tuple) and len(stages) > epochs:
        reason = f"{len(stages)} stages need {len(stages)} epochs or more, got {epochs}"
        fault("training.batch_size", reason)
    if augmentation and inputs not in (None, "images"):
        kind = {"rows": "rows of a table"}.get(inputs, inputs)
        fault("training.augmentation", f"is for images, but this data is {kind}")
    if augmentation and model.get("cache_features"):
        reason = "augmented images have other features in each epoch: set it to false"
        fault("model.cache_features", reason)
    if training.get("distribute") and model.get("cache_features"):
        fault("model.cache_features", "features are computed on one device: set it to false")
    if clean and not augmentation:
        fault("training.clean_epochs", "there is no augmentation: set augmentation too")
    elif counted and isinstance(clean, int) and clean >= epochs:
        fault("training.clean_epochs", f"leaves no epoch to augment: epochs is {epochs}")
    for key in ("label_smoothing", "class_weights"):
        if task in ("regression", "next_token") and training.get(key):
            fault(f"training.{key}", f"is for classification, not for {task}")
    metric = "val_accuracy" if task == "regression" else "val_mae" if task else None
    patience = _group(training.get("early_stopping")).get("patience")
    longest = model.get("fine_tuning_epochs") if model.get("trainable_layers") else 0
    if counted and type(patience) is int and patience >= max(epochs, longest or 0) and not past:
        reason = f"{patience} epochs without improvement do not fit into {epochs} epochs: give "
        fault("training.early_stopping.patience", f"{reason}fewer, or set early_stopping to null")
    for key in ("early_stopping", "reduce_on_plateau"):
        if metric and _group(training.get(key)).get("monitor") == metric:
            fault(f"training.{key}.monitor", f"'{metric}' is not measured on {task}")
    return faults


def _group(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _describe(fault: Any, source: Source, recipe: type[Recipe]) -> str:
    """Return a pydantic error as `file:line:column: what was expected, what was found (hint)`."""
    location = _without_tags(fault["loc"], source.data)
    kind = fault["type"]
    if kind == "extra_forbidden":
        place = source.where(location, key=True)
        return f"{place}: unknown key '{_dotted(location)}'{_hint(fault['loc'], recipe)}"
    if kind == "missing" and isinstance(fault["loc"][-1], int):
        text = f"expected {fault['loc'][-1] + 1} numbers or more, as in [64, 64]"
        return f"{source.where(location)}: '{_dotted(location)}': {text}"
    if kind == "missing":
        return f"{source.where(location[:-1])}: '{_dotted(location)}' is missing"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        known = _named(_dotted(fault["loc"]), recipe)
        location = (*location, "name")
        if kind == "union_tag_not_found":
            text = f"'{_dotted(location)}' is missing (known: {', '.join(known)})"
            return f"{source.where(location)}: {text}"
        tag = fault["ctx"]["tag"]
        hint = schema.did_you_mean(tag, known)
        if location[0] == "dataset" and (path := Path(tag)).exists():
            kind = "image_folder" if path.is_dir() else path.suffix.strip(".")
            hint = f" (did you mean {{name: {kind}, path: {tag}}}?)" if kind in known else hint
        if location[0] == "model" and (of := OTHER_KIND.get(tag, OF_PREDICTION * (tag in MODELS))):
            raise RecipeError(f"{source.where(location)}: the model '{tag}' {of}")  # this alone
        what = {"dataset": "data set"}.get(str(location[-2]), str(location[-2]))
        return f"{source.where(location)}: unknown {what} '{tag}'{hint}"
    return f"{source.where(location)}: '{_dotted(location)}': {schema.expectation(fault)}"


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


def _hint(location: Location, recipe: type[Recipe]) -> str:
    """Return a suggestion for an unknown key, or the other models that have this setting."""
    *path, word = map(str, location)
    group = ".".join(path)
    every = groups(recipe)
    here = every.get(group, recipe)
    if word not in here.model_fields and "name" in here.model_fields:
        beside = group.rpartition(".")[0]
        others = _named(beside, recipe)
        if owners := [x for x in others if word in every[f"{beside}.{x}"].model_fields]:
            return f" (a setting of {', '.join(owners)}, not of {path[-1]})"
    return where_it_belongs(word, [key for key in here.model_fields if key != "name"], of=recipe)


def where_it_belongs(word: str, known: list[str], keywords: Any = None, of: Any = None) -> str:
    """Return a suggestion for an unknown key, from the known keys or from another group.

    Args:
        word: Unknown key.
        known: Valid keys at its place.
        keywords: Data of the recipe if the key was a Python keyword; the suggestion is one, too.
        of: Class of the recipe; None for `Recipe`.
    """
    owners: dict[str, list[str]] = {}
    for group, cls in groups(of).items():
        for key in cls.model_fields.keys() - {"name"}:
            owners.setdefault(key, []).append(group)
    near = word if word in owners else schema.nearest(word, known)
    near = near or schema.nearest(word, list(owners))
    if near is None or near in known:
        return schema.did_you_mean(word, known)
    owner, *others = owners[near]
    if keywords is not None:
        chosen = {f"{part}.{_group(value).get('name')}" for part, value in keywords.items()}
        owner = next((each for each in owners[near] if each in chosen), owner)
        group, _, kind = owner.removeprefix("training.").partition(".")
        named = f"'name': '{kind}', " if kind and owner not in chosen else ""
        return f" (did you mean {group}={{{named}'{near}': …}}?)"
    if owner == "training":
        return f" (did you mean 'training.{near}'?)"
    return f" ('{near}' is a setting of {', '.join([owner, *others[:3]])})"


@cache
def groups(settings: type[Settings] | None = None, start: str = "") -> dict[str, type[Settings]]:
    """Return every group of settings by name: `training`, `model.cnn`, `training.optimizer.sgd`."""
    classes: dict[str, type[Settings]] = {}
    for key, field in (settings or Recipe).model_fields.items():
        for cls in _settings_classes(field.annotation):
            tag = cls.model_fields.get("name")
            name = start + key + (f".{get_args(tag.annotation)[0]}" if tag else "")
            classes |= {name: cls, **groups(cls, f"{name}.")}
    return classes


def _named(group: str, recipe: type[Recipe]) -> list[str]:
    """Return the names that are valid in a group: of all models, all optimizers, …"""
    named = [name for name, cls in groups(recipe).items() if "name" in cls.model_fields]
    return [name.rpartition(".")[2] for name in named if name.rpartition(".")[0] == group]


def _settings_classes(annotation: Any) -> list[type[Settings]]:
    """Return the Settings classes inside an annotation (all of them for a union)."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    if get_origin(annotation) in (dict, tuple, list, Literal, None):
        return []
    return [cls for inner in get_args(annotation) for cls in _settings_classes(inner)]
