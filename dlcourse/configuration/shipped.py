"""The recipes that come with the package: where each lies, what it shows, what it reached."""

import re
from pathlib import Path

from dlcourse.configuration.yaml_source import expand_names, read_source
from dlcourse.errors import RecipeError
from dlcourse.text_table import Table

PACKAGE = Path(__file__).resolve().parent.parent
FOLDER = "configs"
MEASURED = re.compile(r"^# Measured: test (.*) over \d+ seeds", re.MULTILINE)


def shipped() -> dict[str, Path]:
    """Return the file of every shipped recipe by its name, sorted.

    They lie in the package where a wheel is installed, and beside it in a clone.
    """
    inside = PACKAGE / FOLDER
    folder = inside if inside.is_dir() else PACKAGE.parent / FOLDER
    return dict(sorted((file.stem, file) for file in folder.glob("*.yaml")))


def recipe_path(recipe: str | Path) -> Path:
    """Return the file of a recipe as a user names it.

    A plain word is the name of a shipped recipe, whatever lies in the current folder. A `Path`, and
    text with a dot or a slash, is a file; `configs/digits_cnn.yaml` is the shipped one where there
    is no such file.

    Raises:
        RecipeError: no shipped recipe has that name.
    """
    known = shipped()
    if ": " in str(recipe) or "\n" in str(recipe):
        raise RecipeError("a recipe's name or file is expected, not its text: save it first")
    if isinstance(recipe, str) and not re.search(r"[./\\]", recipe):
        if recipe not in known:
            raise RecipeError(f"unknown recipe {recipe!r}{_hint(recipe, list(known))}")
        return _from_here(known[recipe])
    documented = {f"{FOLDER}/{name}.yaml": file for name, file in known.items()}
    file = documented.get(str(recipe).replace("\\", "/"))
    return _from_here(file) if file and not Path(recipe).exists() else Path(recipe)


def recipes() -> Table:
    """Return the shipped recipes: name, what it shows, data set, model and measured test score."""
    return Table(_row(name, _from_here(file)) for name, file in shipped().items())


def _hint(word: str, known: list[str]) -> str:
    from dlcourse.schema import did_you_mean  # pydantic is slow to import

    if Path(word).is_file():
        return f" (for the file of that name write ./{word})"
    return did_you_mean(word, known)


def _from_here(file: Path) -> Path:
    """Return the file relative to the current folder where it lies inside it."""
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file


def _row(name: str, file: Path) -> dict[str, str]:
    text, source = file.read_text(encoding="utf-8"), read_source(file)
    expand_names(source)
    measured = MEASURED.search(text)
    return {
        "name": name,
        "shows": text.partition("\n")[0].removeprefix("# ").removesuffix("."),
        "dataset": source.data["dataset"]["name"],
        "model": source.data["model"]["name"],
        "measured": measured[1] if measured else "",
    }
