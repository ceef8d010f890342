"""The data of a recipe for the template: the same training, validation and test examples."""

from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.configuration.recipe import Recipe
from dlcourse.datasets import Dataset
from dlcourse.datasets.columns import MISSING
from dlcourse.datasets.dataset import PADDING, digests, keep_classes, task_of
from dlcourse.datasets.image_folder import folders_of_parts
from dlcourse.datasets.streamed import exceeds
from dlcourse.datasets.table import WORDS, Reading, read_table
from dlcourse.datasets.text import WORD
from dlcourse.datasets.tfds import TEST_FRACTION, builder_of
from dlcourse.errors import GIVEN, RecipeError
from dlcourse.lab.keras_script.text import Code, literal

ON_DISK = "the images do not fit into the memory"
MADE = ("planted", "mnist1d", "series", "movie_reviews", "names", "lines")
"""Data sets whose examples are not in a file, or take more than a few lines."""
Values = dict[str, Any]


def refuse(recipe: Recipe, setting: str, fault: Any, reason: str) -> None:
    """Raise a RecipeError that names the setting if there is a fault."""
    if fault:
        where = recipe.where(*setting.split("."))
        raise RecipeError(f"{where}: cannot be written in plain Keras: {reason}")


def data_of(recipe: Recipe) -> tuple[Dataset, Values]:
    """Return the data set of a recipe, and what the template's lines on the data take.

    Of TensorFlow Datasets only the facts are read, not the examples.

    Raises:
        RecipeError: A setting cannot be written in plain Keras; the text names it.
        DatasetError: The data is missing, broken or cannot be trained on.
    """
    name, settings = recipe.dataset.name, recipe.settings("dataset")
    path = settings.get("path", "")
    own = "dlcourse makes its examples itself: save them as a file"
    refuse(recipe, "dataset.name", name in MADE, own)
    refuse(recipe, "dataset.path", path in GIVEN, "the data is in Python: save it as a file")
    refuse(recipe, "dataset.split", settings.get("split", "random") != "random", "set it to random")
    refuse(recipe, "dataset.rare", settings.get("rare"), "leave it out")
    recipe.refuse_missing()
    of_tfds = "data_dir" in settings
    dataset, values = _tfds(recipe, settings) if of_tfds else (recipe.load_dataset(), {})
    recipe.refuse_conflicts(dataset.facts)
    refuse(recipe, "dataset.memory_share", not isinstance(dataset.x_train, np.ndarray), ON_DISK)
    if path:
        ways = {"csv": _csv, "npz": _npz, "image_folder": _folder, "text_folder": _texts}
        values = ways[name](recipe, dataset)
        values["dataset.path"] = str(Path(path).expanduser())
    if name == "points":
        features = ", ".join(settings["features"]).replace("*", " * ").replace("^", "**")
        values["features"] = Code(f"[{features.replace('sin', 'np.sin')}]")
        values["given.test"] = len(dataset.y_test)
    if name == "digits" and settings["classes"]:
        values["kept"] = [*map(int, settings["classes"])]
    values |= {"fraction": settings.get("test_fraction", TEST_FRACTION), "task": dataset.task}
    return dataset, {**values, "dataset.name": Code(name)}


def _tfds(recipe: Recipe, settings: Values) -> tuple[Dataset, Values]:
    name, limits = settings.get("dataset", recipe.dataset.name), settings.get("value_range", "auto")
    info = builder_of(name, settings["data_dir"]).info
    image, label = (info.features[key] for key in info.supervised_keys)
    shape, dtype = image.shape, np.dtype(image.np_dtype)
    refuse(recipe, "dataset.size", settings.get("size") or None in shape, "leave it out")
    deep = limits == "auto" and dtype != "uint8"
    refuse(recipe, "dataset.value_range", deep, f"give the black and white of {dtype} images")
    total = sum(part.num_examples for part in info.splits.values())
    large = exceeds(settings.get("memory_share", 0.25), total, shape, dtype)
    refuse(recipe, "dataset.memory_share", large, ON_DISK)
    names = tuple(label.names or map(str, range(label.num_classes)))
    x, y = np.zeros((1, *shape), dtype), np.zeros(1, "int64")
    limits = (0.0, 255.0) if limits == "auto" else limits
    facts = Dataset(name, task_of(names), x, y, x, y, x, y, value_range=limits, class_names=names)
    return keep_classes(facts, settings["classes"]), {
        "tfds": name,
        "given.test": "test" in info.splits or not info.splits,  # unknown if it is not there
        "kept": [*map(names.index, settings["classes"] or ())],
    }


def _npz(recipe: Recipe, dataset: Dataset) -> Values:
    with np.load(Path(recipe.dataset.path).expanduser()) as arrays:
        x, y, names = arrays["x_train"], arrays["y_train"], arrays.files
    label = ".argmax(axis=1)" if y.size > len(y) else ".ravel()" * (y.ndim > 1)
    given = {f"given.{part}": f"x_{part}" in names for part in ("val", "test")}
    axis = "" if dataset.facts.inputs == "sequences" else "[..., np.newaxis]" * (x.ndim % 2)
    padded = PADDING if any((x == PADDING).any() for x, _ in dataset.splits.values()) else None
    return {**given, "axis": Code(axis), "label": Code(label), "padding": padded}


def _folder(recipe: Recipe, dataset: Dataset) -> Values:
    refuse(recipe, "dataset.value_range", dataset.encoding, "Keras reads images of 8 bits")
    folders = folders_of_parts(Path(recipe.dataset.path).expanduser())
    given = {f"given.{part}": str(folder) for part, folder in folders.items()}
    return {**given, "folder": given["given.train"], "folder.size": dataset.input_shape[:2]}


def _texts(recipe: Recipe, dataset: Dataset) -> Values:
    folders = folders_of_parts(Path(recipe.dataset.path).expanduser())
    given = {f"given.{part}": str(folder) for part, folder in folders.items()}
    names = {"texts": given["given.train"], "texts.classes": [*dataset.class_names]}
    return {**given, **names, **_tokens(dataset.encoding["columns"][0])}


def _tokens(known: Any) -> Values:
    pattern = WORD.pattern if known["tokens"] == "words" else r"[\s\S]"
    return {"text": known["name"], "text.pattern": pattern, "text.length": known["length"]}


def _csv(recipe: Recipe, dataset: Dataset) -> Values:
    settings, known = recipe.settings("dataset"), dataset.encoding["columns"]
    dialect = {key: settings[key] for key in settings.keys() & Reading._fields}
    table = read_table(settings["path"], Reading(**dialect))
    classes, target = [*dataset.class_names], settings["target"]
    words = [each["name"] for each in known if each["kind"] == "category"]
    of_text = dataset.facts.inputs == "text"
    drop = [each["name"] for each in known] if of_text or settings["missing"] == "drop" else []
    return {
        "csv.sep": table.separator if table.separator != "," else None,
        "csv.decimal": "," if table.mark == "," else None,
        "csv.names": None if table.header else [*table.frame],
        "csv.dtype": dict.fromkeys([*words, *[target] * bool(classes)], Code("str")) or None,
        "csv.needed": [*drop, target] if drop or not classes else None,
        "csv.classes": classes or None,
        **(_tokens(known[0]) if of_text else {"csv.x": _pieces_of(known, table.frame)}),
    }


def _pieces_of(columns: Any, frame: Any) -> list[Code]:
    return [Code(piece) for column in columns for piece in _pieces(column, frame)]


def _pieces(column: Any, frame: Any) -> list[str]:
    """Return the features of a column as pandas makes them."""
    series = f"frame[{literal(column['name'])}]"
    if column["kind"] == "date":
        date = f"pd.to_datetime({series}, format={literal(column['written'])}).dt"
        return [f"{date}.{part}" for part in ("year", "month", "day_of_week")]
    if column["kind"] == "category":
        gap = next((word for word in (MISSING, *WORDS) if word in column["categories"]), None)
        return [f"pd.get_dummies({series}{f'.fillna({literal(gap)})' if gap else ''})"]
    if "medians" not in column or not frame[column["name"]].isna().any():
        return [series]
    filled = f"{series}.fillna({series}.iloc[train].median())"
    return [filled, *[f"{series}.isna()"] * column["flag"]]


def refuse_other_examples(recipe: Recipe, dataset: Dataset, code: str) -> None:
    """Run lines of Python; raise a RecipeError unless they give the examples of the recipe."""
    made: Values = {}
    try:
        exec(code, made)
        parts = [(made[f"x_{part}"], made[f"y_{part}"]) for part in dataset.splits]
        shapes = {x.shape[1:] for x, _ in parts}
        again = [digests(x, y.astype(dataset.y_train.dtype)) for x, y in parts]
    except Exception:  # noqa: BLE001 - pandas raises many types on files that dlcourse reads
        shapes, again = set(), []
    known = [digests(*examples) for examples in dataset.splits.values()]
    same = [*map(sorted, known)] == [*map(sorted, again)] and shapes == {dataset.input_shape}
    reason = "pandas and NumPy alone read it otherwise: save it as a plain CSV or .npz file"
    refuse(recipe, "dataset.path", not same, reason)
