"""Every setting is described, once: in the docstring of the function or class that owns it."""

import re
from pathlib import Path

import pytest

from dlcourse.commands.settings_text import all_groups, settings_text, type_in_words
from dlcourse.commands.train import main
from dlcourse.configuration.recipe import Recipe
from dlcourse.errors import RecipeError
from dlcourse.generation.recipe import GenerationRecipe
from dlcourse.schema import Positives, Settings, descriptions, settings_model

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
COMMAND = "python -m dlcourse.train --settings all > docs/settings.md"


def told(capsys, *arguments: str) -> str:
    assert main(["--settings", *arguments]) == 0
    return capsys.readouterr().out


def described(part: object, at: str = "") -> list[tuple[str, str]]:
    """Every property anywhere in a JSON Schema, with its description or an empty text."""
    if isinstance(part, list):
        return [
            found for number, one in enumerate(part) for found in described(one, f"{at}{number}.")
        ]
    if not isinstance(part, dict):
        return []
    properties = part.get("properties", {})
    found = [(f"{at}{name}", one.get("description", "")) for name, one in properties.items()]
    return found + [found for key, one in part.items() for found in described(one, f"{at}{key}.")]


def test_an_entry_is_joined_to_one_text_and_may_name_several_settings():
    def shape(*, lowest: int = 0, highest: int = 9, l2: float = 0.0) -> None:
        """Return nothing.

        Args:
            lowest, highest: Bounds of the shape: both
                are inside.
            l2: Factor.

        Raises:
            other: It is not read.
        """

    bounds = "Bounds of the shape: both are inside."
    assert descriptions(shape) == {"lowest": bounds, "highest": bounds, "l2": "Factor."}
    schema = settings_model("shape", shape).model_json_schema()
    assert schema["properties"]["highest"]["description"] == bounds
    assert schema["description"] == schema["properties"]["name"]["description"] == "Nothing."


def test_a_class_of_settings_is_described_by_its_own_docstring():
    class Sides(Settings):
        """Sides of a thing.

        Args:
            left: Length of the left side.
        """

        left: int = 1
        right: int = 2

    found = dict(described(Sides.model_json_schema()))
    assert found == {"left": "Length of the left side.", "right": ""}


def test_no_setting_is_without_a_description():
    found = described(Recipe.model_json_schema())
    assert len(found) > 200
    assert [at for at, text in found if not text] == []


def test_descriptions_are_sentences_that_begin_with_a_noun():
    for at, text in described(Recipe.model_json_schema()):
        assert re.match(r"[A-Z0-9]", text), (at, text)
        assert text.endswith("."), (at, text)
        assert not re.match(r"(of|the|a|how|what|whether)\b", text, re.IGNORECASE) or at.endswith(
            ".name"  # the first line of a docstring
        ), (at, text)


def test_bounds_are_named_as_editors_know_them():
    schema = Recipe.model_json_schema()["$defs"]
    assert schema["DnnSettings"]["properties"]["dropout"].items() >= {
        ("minimum", 0),
        ("exclusiveMaximum", 1),
    }
    assert not {"ge", "gt", "le", "lt"} & set(re.findall(r"'(\w+)':", str(schema)))


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Positives, "whole number ≥ 1 or list of whole numbers ≥ 1"),
        (tuple[str, ...] | None, "list of texts or null"),
        (bool | None, "true or false or null"),
        (tuple[int, int], "list of two whole numbers"),
    ],
)
def test_types_are_said_in_plain_words(annotation, words):
    def one(*, setting) -> None: ...

    one.__annotations__["setting"] = annotation
    schema = settings_model("one", one, tagged=False).model_json_schema()
    assert type_in_words(schema["properties"]["setting"]) == words


def test_a_groups_settings_are_told_with_type_default_and_meaning(capsys):
    entry = (
        "filters: list of whole numbers ≥ 1; default [32, 64]\n"
        "    Number of filters in the convolutions of each block; one block per number.\n"
    )
    assert entry in told(capsys, "model.cnn")
    assert "\npath: text; required\n" in told(capsys, "dataset.csv")
    training = told(capsys, "training")
    assert "\noptimizer: one of adadelta, adagrad, adam" in training
    assert re.search(r"default\s+adam\n", training)
    assert max(map(len, training.splitlines())) <= 98


@pytest.mark.parametrize("group", all_groups())
def test_every_group_is_told_with_all_its_settings(group):
    text = settings_text(group)
    names = [name for name in all_groups()[group].model_fields if name != "name"]
    assert re.findall(r"^(\w+): ", text, re.MULTILINE)[-len(names) :] == names


def test_every_class_of_settings_is_a_group():
    titles = {group.__name__ for group in all_groups().values()}
    kinds = (Recipe, GenerationRecipe)
    classes = {name for kind in kinds for name in kind.model_json_schema()["$defs"]}
    assert titles == {"Recipe", *classes}


def test_without_a_group_all_are_listed_and_a_part_lists_its_own(capsys):
    lines = told(capsys).splitlines()
    assert {line.split()[0] for line in lines if line[0] != " "} == set(all_groups())
    models = told(capsys, "model")
    assert re.findall(r"^\S+", models, re.MULTILINE)[-2:] == [
        "model.next_character",
        "model.transfer",
    ]
    assert "model.cnn                      A convolutional network (LeCun" in models


@pytest.mark.parametrize(
    ("group", "meant"),
    [("model.cn", "model.cnn"), ("cnn", "model.cnn"), ("modle", "model"), ("trainig", "training")],
)
def test_an_unknown_group_is_told_in_one_line(capsys, group, meant):
    assert main(["--settings", group]) == 2
    told = f"--settings: unknown group of settings '{group}' (did you mean '{meant}'?)\n"
    assert capsys.readouterr().err == told
    with pytest.raises(RecipeError):
        settings_text(group)


def test_the_page_of_settings_is_current(capsys):
    assert PAGE.read_text(encoding="utf-8") == told(capsys, "all"), f"write it anew: {COMMAND}"
    assert COMMAND in PAGE.read_text(encoding="utf-8").split("##")[0]
