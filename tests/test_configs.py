"""The shipped recipes: each loads, says what it shows, and stands in the tables as measured."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.recipes import FEW, RESULTS, TABLE, scores, tables, with_header
from dlcourse.configuration.recipe import load_recipe
from dlcourse.configuration.shipped import shipped

ROOT = Path(__file__).parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
MEASURED = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
LEVELS = {
    "digits_cnn": 0.985,
    "breast_cancer_logistic": 0.96,
    "mnist_softmax": 0.925,
    "mnist_784_16_16_10_sigmoid": 0.945,
    "mnist_784_16_16_10_relu": 0.955,
    "mnist_cnn": 0.992,
    "mnist_lstm": 0.98,
    "planted_cnn": 0.95,
    "planted_shortcut": 0.99,
    "points_cross": 0.99,
}


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_a_recipe_loads_and_opens_with_what_it_shows_and_its_command(config):
    load_recipe(config)
    first, rest = config.read_text().split("\n", 1)
    assert re.fullmatch(r"# [A-Z].{10,90}\.", first)
    assert f"# Command: python -m dlcourse.train --config configs/{config.name}\n" in rest


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_a_header_holds_the_recorded_figures(config):
    text = config.read_text()
    assert with_header(text, MEASURED.get(config.stem)) == text


@pytest.mark.parametrize("file", tables(MEASURED), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_table_is_what_its_command_writes(file):
    """`python -m benchmarks.recipes --table` writes it; its links lead to the recipes."""
    found = TABLE.search(file.read_text())
    assert found is not None
    assert found[0] == f"{found[1]}{tables(MEASURED)[file]}{found[2]}"
    links = re.findall(r"^\| \[`(\w+)`\]\(([\w/]+\.yaml)\)", found[0], re.MULTILINE)
    assert [name for name, _ in links] == (
        list(FEW)
        if file.parent == ROOT
        else [*(config.stem for config in CONFIGS), *shipped("configs/generation")]
    )
    assert all((file.parent / link).is_file() for _, link in links)


def test_every_recipe_is_measured_whose_data_is_available():
    assert {config.stem for config in CONFIGS} - set(MEASURED) == {
        "fashion_mnist_cnn",
        "fashion_mnist_best",
        "photos",
        "photos_transfer",
    }


@pytest.mark.parametrize("name", LEVELS)
def test_the_recorded_mean_reaches_its_level(name):
    assert MEASURED[name]["seeds"] >= 3
    assert MEASURED[name]["test"]["accuracy"]["mean"] >= LEVELS[name]


def test_the_line_stays_where_the_cross_succeeds():
    assert MEASURED["points_line"]["test"]["accuracy"]["max"] <= 0.6


def test_scores_show_mean_and_range():
    result = {"test": {"mae": {"mean": 41.234, "min": 40.0, "max": 42.5}}}
    assert scores(result) == "mae 41.23 (40.00–42.50)"
