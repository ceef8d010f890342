"""Shipped recipes are found by name everywhere; a file is a file."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from dlcourse.__main__ import main as dlcourse
from dlcourse.commands import compare, evaluate, find_lr, train
from dlcourse.configuration import shipped as module
from dlcourse.configuration.recipe import load_recipe
from dlcourse.configuration.shipped import FOLDER, recipe_path, recipes, shipped
from dlcourse.errors import RecipeError

ROOT = Path(__file__).parent.parent
GENERATION = f"{FOLDER}/generation"
DIGITS_CNN = ROOT.resolve() / "configs" / "digits_cnn.yaml"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Stand in an empty folder outside the repository."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_shipped_recipes_are_the_files_of_the_folder_sorted_by_name():
    names = sorted(file.stem for file in (ROOT / "configs").glob("*.yaml"))
    assert list(shipped()) == names
    assert {"digits_cnn", "mnist_fast", "points_cross"} <= set(names)
    assert "README" not in shipped()
    assert all(file.is_file() and file.stem == name for name, file in shipped().items())


def test_in_a_wheel_they_lie_in_the_package(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "dlcourse"
    for folder in (package / FOLDER, package.parent / FOLDER):  # the second is not ours
        folder.mkdir(parents=True)
    (package / FOLDER / "digits_cnn.yaml").write_text("")
    (package.parent / FOLDER / "other.yaml").write_text("")
    monkeypatch.setattr(module, "PACKAGE", package)
    assert shipped() == {"digits_cnn": package / FOLDER / "digits_cnn.yaml"}


def test_the_wheel_takes_the_recipes_to_where_they_are_looked_for():
    """`.ci/run` builds the wheel and trains from it; here only the settings are read."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {"dlcourse", "configs"} == set(wheel["only-include"])
    assert wheel["sources"] == {"configs": f"dlcourse/{FOLDER}"}


@pytest.mark.usefixtures("elsewhere")
def test_a_plain_word_is_a_shipped_recipe_in_every_folder():
    assert recipe_path("digits_cnn") == DIGITS_CNN
    assert load_recipe("digits_cnn") == load_recipe(DIGITS_CNN)


def test_a_file_of_that_name_in_the_current_folder_changes_nothing(elsewhere):
    (elsewhere / "digits_cnn").write_text("mine")
    (elsewhere / "digits_cnn.yaml").write_text("mine")
    assert recipe_path("digits_cnn") == DIGITS_CNN


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    "text", ["digits_cnn.yaml", "./digits_cnn", "a/b", "a\\b", ".hidden", ".", Path("digits_cnn")]
)
def test_text_with_a_dot_or_a_slash_and_a_path_are_files(text):
    assert recipe_path(text) == Path(text)


def test_a_file_is_named_in_errors_as_it_was_written(elsewhere):
    (elsewhere / "mine").write_text("model: {}\nmodel: {}\n")
    with pytest.raises(RecipeError, match=r"^mine:2:1: duplicate key 'model'"):
        load_recipe("./mine")


@pytest.mark.parametrize("as_type", [str, Path])
def test_the_documented_file_is_the_shipped_one_where_there_is_none(elsewhere, as_type):
    documented = as_type("configs/digits_cnn.yaml")
    assert recipe_path(documented) == DIGITS_CNN
    (elsewhere / "configs").mkdir()
    assert recipe_path(documented) == DIGITS_CNN
    (elsewhere / "configs" / "digits_cnn.yaml").write_text("mine")
    assert recipe_path(documented) == Path(documented)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("text", ["config/digits_cnn.yaml", "configs/digits_cnn.yml", "configs/x"])
def test_no_other_file_is_replaced_by_a_shipped_one(text):
    assert recipe_path(text) == Path(text)


@pytest.mark.usefixtures("elsewhere")
def test_a_shipped_recipe_is_named_as_it_is_found_from_here(monkeypatch):
    place = load_recipe("digits_cnn").where("model")
    assert re.fullmatch(rf"{re.escape(str(DIGITS_CNN))}:\d+:\d+: 'model'", place)
    monkeypatch.chdir(ROOT)
    assert recipe_path("digits_cnn") == Path("configs/digits_cnn.yaml")
    monkeypatch.chdir(ROOT / "configs")
    assert recipe_path("digits_cnn") == Path("digits_cnn.yaml")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("digit_cnn", "unknown recipe 'digit_cnn' (did you mean 'digits_cnn'?)"),
        ("Digits_CNN", "unknown recipe 'Digits_CNN' (did you mean 'digits_cnn'?)"),
        ("a\nb", "the name or file of a recipe is expected, not its text: save it first"),
        (
            "dataset: digits",
            "the name or file of a recipe is expected, not its text: save it first",
        ),
        ("mine", "unknown recipe 'mine' (to use the file of that name, write ./mine)"),
        (
            "digits_cnn.yaml",
            "digits_cnn.yaml: no such file (did you mean the shipped recipe 'digits_cnn'?)",
        ),
        (
            "sub/mnist_cnn.yml",
            "sub/mnist_cnn.yml: no such file "
            "(did you mean 'sub/mnist_cnn.yaml' or the shipped recipe 'mnist_cnn'?)",
        ),
        ("sub/mnist_cn.yaml", "no such file (did you mean 'sub/mnist_cnn.yaml'?)"),
        ("nothing_near.yaml", "nothing_near.yaml: no such file"),
        ("sub/", "is a folder: a recipe file is expected (it has mnist_cnn.yaml, …)"),
    ],
)
def test_a_name_that_is_none_is_told_in_one_line_with_the_cure(elsewhere, text, error):
    (elsewhere / "mine").write_text("")
    (elsewhere / "sub").mkdir()
    (elsewhere / "sub" / "mnist_cnn.yaml").write_text("")
    with pytest.raises(RecipeError) as raised:
        load_recipe(text)
    assert error in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("elsewhere")
def test_the_list_tells_what_each_shows_and_reached():
    by_name = {recipe["name"]: recipe for recipe in recipes()}
    assert list(by_name) == list(shipped())
    cnn = by_name["digits_cnn"]
    assert cnn["shows"].startswith("A convolutional network on the embedded digits")
    assert not cnn["shows"].endswith(".")
    assert (cnn["dataset"], cnn["model"]) == ("digits", "cnn")
    assert re.fullmatch(r"accuracy 0\.\d{4} \(0\.\d{4}–0\.\d{4}\)", cnn["measured"])
    assert by_name["diabetes_linear"]["measured"].startswith("mae ")
    assert by_name["fashion_mnist_cnn"]["measured"] == ""


def test_every_recipe_in_the_list_has_its_settings_names_and_recorded_score():
    recorded = json.loads((ROOT / "benchmarks" / "recipes.json").read_text())
    for row in recipes():
        recipe = load_recipe(row["name"])
        assert (row["dataset"], row["model"]) == (recipe.dataset.name, recipe.model.name)
        assert bool(row["measured"]) == (row["name"] in recorded)


@pytest.mark.usefixtures("elsewhere")
def test_the_command_prints_every_recipe_with_its_mean_and_how_to_train_one(capsys):
    assert dlcourse(["recipes"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0].split() == ["recipe", "shows", "test,", "mean"]
    assert [line.split()[0] for line in lines[1:-2] if line[0] != " "] == [
        *shipped(), *shipped(GENERATION)
    ]  # fmt: skip
    assert all(len(line) <= 118 for line in lines)
    printed = " ".join(out.split())
    for recipe in [*recipes(), *recipes(GENERATION)]:
        assert set(recipe["shows"].split()) <= set(printed.split())
        assert recipe["measured"].partition(" (")[0] in printed
    assert "(0." not in out  # the range over the seeds is in the JSON
    assert lines[-1] == "Train one: python -m dlcourse.train --config NAME"


@pytest.mark.usefixtures("elsewhere")
def test_the_command_prints_json(capsys):
    assert dlcourse(["recipes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [*recipes(), *recipes(GENERATION)]


@pytest.mark.parametrize("config", ["digits_softmax", "configs/digits_softmax.yaml"])
def test_train_takes_either_name_in_another_folder_and_names_the_run(elsewhere, capfd, config):
    assert train.main(["--config", config, "training.epochs=1"]) == 0
    assert f"recipe  {config}, seed 0" in capfd.readouterr().out
    (run,) = (elsewhere / "runs").iterdir()
    assert run.name.startswith("digits_softmax-")


@pytest.mark.parametrize("config", ["digits_softmax", "configs/digits_softmax.yaml"])
def test_find_lr_takes_either_name_and_names_the_figure(elsewhere, capfd, config):
    assert find_lr.main(["--config", config, "--steps", "20", "--out", "out"]) == 0
    assert {file.name for file in (elsewhere / "out").iterdir()} == {
        "digits_softmax.png",
        "digits_softmax.csv",
    }
    assert f"recipe  {config}, seed 0" in capfd.readouterr().out


@pytest.mark.usefixtures("elsewhere")
def test_compare_takes_either_name_and_knows_that_they_are_one(capsys):
    configs = ["--config", "digits_cnn", "--config", "configs/digits_cnn.yaml"]
    assert compare.main(configs) == 2
    error = "configs/digits_cnn.yaml: a recipe named digits_cnn is given already\n"
    assert capsys.readouterr().err == error


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("config", ["digits_softmax", "configs/digits_softmax.yaml"])
def test_evaluate_takes_either_name(capfd, digits_run, config):
    arguments = ["--run", str(digits_run.path), "--config", config, "--json"]
    assert evaluate.main(arguments) == 0
    assert json.loads(capfd.readouterr().out)["test"] == digits_run.metrics["test"]


@pytest.mark.usefixtures("elsewhere")
def test_every_command_tells_an_unknown_recipe(capsys, digits_run):
    for command in (train, find_lr, compare, evaluate):
        run = ["--run", str(digits_run.path)] if command is evaluate else []
        assert command.main([*run, "--config", "digit_cnn"]) == 2
        assert capsys.readouterr().err == (
            "unknown recipe 'digit_cnn' (did you mean 'digits_cnn'?)\n"
        )
