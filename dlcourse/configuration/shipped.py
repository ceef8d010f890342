"""The recipes that come with the package: their files, purposes and measured scores."""

import re
from pathlib import Path

from dlcourse.configuration.yaml_source import read_source
from dlcourse.errors import RecipeError
from dlcourse.text_table import Table

PACKAGE = Path(__file__).resolve().parent.parent
FOLDER, GENERATION = "configs", "configs/generation"
OF_GENERATION = "is of generation: only `dlcourse train` and dl.generation.fit take it"
OF_PREDICTION = "predicts: dl.fit and `dlcourse train` take it, dl.generation does not"
OTHER_KIND = {"gan": OF_GENERATION, "autoencoder": OF_GENERATION}
MEASURED = re.compile(r"^# Measured: test (.*) over \d+ seeds", re.MULTILINE)


def shipped(folder: str = FOLDER) -> dict[str, Path]:
    """Return the files of all shipped recipes by name, sorted.

    They are inside the package in a wheel, and beside it in a clone; `folder` is configs, or one in
    it.
    """
    inside = PACKAGE / folder
    found = inside if inside.is_dir() else PACKAGE.parent / folder
    return dict(sorted((file.stem, file) for file in found.glob("*.yaml")))


def recipe_path(recipe: str | Path, folder: str = FOLDER) -> Path:
    """Return the file of a recipe that a user names.

    A plain word is the name of a shipped recipe, whatever files are in the current folder. A `Path`
    or text with a dot or a slash is a file. If `configs/digits_cnn.yaml` does not exist, it is the
    shipped recipe.

    Raises:
        RecipeError: No shipped recipe has that name.
    """
    files = shipped(folder)
    if ": " in str(recipe) or "\n" in str(recipe):
        raise RecipeError("the name or file of a recipe is expected, not its text: save it first")
    if isinstance(recipe, str) and not re.search(r"[./\\]", recipe):
        if recipe not in files:
            if recipe in shipped(GENERATION):
                raise RecipeError(f"{recipe} {OF_GENERATION}")
            raise RecipeError(f"unknown recipe {recipe!r}{_hint(recipe, list(files))}")
        return _from_here(files[recipe])
    documented = {f"{folder}/{name}.yaml": file for name, file in files.items()}
    file = documented.get(str(recipe).replace("\\", "/"))
    return _from_here(file) if file and not Path(recipe).exists() else Path(recipe)


def recipes(folder: str = FOLDER) -> Table:
    """Return a table of the shipped recipes: name, purpose, data, model and measured test score."""
    return Table(_row(name, _from_here(file)) for name, file in shipped(folder).items())


def _hint(word: str, known: list[str]) -> str:
    from dlcourse.schema import did_you_mean  # pydantic is slow to import

    if Path(word).is_file():
        return f" (to use the file of that name, write ./{word})"
    return did_you_mean(word, known)


def _from_here(file: Path) -> Path:
    """Return the file, relative to the current folder if it is inside it."""
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file


def _row(name: str, file: Path) -> dict[str, str]:
    text, data = file.read_text(encoding="utf-8"), read_source(file).data
    measured = MEASURED.search(text)
    return {
        "name": name,
        "shows": text.partition("\n")[0].removeprefix("# ").removesuffix("."),
        "dataset": data["dataset"]["name"],
        "model": data["model"]["name"],
        "measured": measured[1] if measured else "",
    }
