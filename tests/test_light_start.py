"""What must not wait for Keras: help, dry runs, mistakes. Each runs in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("keras", "tensorflow", "sklearn", "matplotlib", "pandas", "tensorflow_datasets", "gradio")
PROBE = """
import sys
from importlib import import_module
module, *arguments = sys.argv[1:]
try:
    code = import_module(module).main(arguments)
except SystemExit as error:
    code = error.code
loaded = [name for name in {heavy} if name in sys.modules]
sys.stderr.write(f"\\ncode {{code}} loaded {{loaded}}")
"""


def probe(module: str, *arguments: str, heavy: tuple[str, ...] = HEAVY) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(heavy=heavy), module, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    return done.stderr.splitlines()[-1]


COMMANDS = [
    "dlcourse.__main__",
    "dlcourse.commands.app",
    "dlcourse.commands.compare",
    "dlcourse.commands.data",
    "dlcourse.commands.diagnose",
    "dlcourse.commands.evaluate",
    "dlcourse.commands.export",
    "dlcourse.commands.find_lr",
    "dlcourse.commands.predict",
    "dlcourse.commands.recipes",
    "dlcourse.commands.runs",
    "dlcourse.commands.teach",
    "dlcourse.commands.train",
    "dlcourse.commands.tune",
    "dlcourse.commands.visualize",
]


@pytest.mark.parametrize("module", COMMANDS)
def test_help_loads_nothing_heavy_not_even_numpy(module):
    assert probe(module, "--help", heavy=(*HEAVY, "numpy", "pydantic")) == "code 0 loaded []"


def test_a_dry_run_loads_nothing_heavy():
    config = "configs/digits_cnn.yaml"
    assert probe("dlcourse.commands.train", "--config", config, "--dry-run") == "code 0 loaded []"
    assert (
        probe("dlcourse.commands.train", "--config", config, "--print-config") == "code 0 loaded []"
    )
    assert probe("dlcourse.commands.train", "--schema") == "code 0 loaded []"
    assert probe("dlcourse.commands.train", "--settings", "model.cnn") == "code 0 loaded []"


@pytest.mark.parametrize("override", ["training.epochs=2.5", "model.nmae=cnn", "dataset.name=wine"])
def test_a_mistake_in_a_recipe_loads_nothing_heavy(override):
    outcome = probe("dlcourse.commands.train", "--config", "configs/digits_cnn.yaml", override)
    assert outcome == "code 2 loaded []"


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_a_fault_in_the_data_of_a_recipe_starts_no_keras(arguments, tmp_path):
    rows = "".join(f"{i * 7 % 50}.5,{i % 2}\n" for i in range(60))
    (tmp_path / "own.csv").write_text(f"a,y\n{rows}oops,1\n")
    recipe = tmp_path / "own.yaml"
    dataset = f"{{name: csv, path: '{tmp_path / 'own.csv'}', target: y}}"
    recipe.write_text(f"dataset: {dataset}\nmodel: dnn\n")
    keras = ("keras", "tensorflow")
    outcome = probe("dlcourse.commands.train", "--config", str(recipe), *arguments, heavy=keras)
    assert outcome == "code 2 loaded []"


def test_the_list_of_recipes_loads_nothing_heavy_not_even_numpy():
    heavy = (*HEAVY, "numpy", "pydantic")
    assert probe("dlcourse.commands.recipes", heavy=heavy) == "code 0 loaded []"
    assert probe("dlcourse.commands.recipes", "--json", heavy=heavy) == "code 0 loaded []"


def test_the_slides_numbers_load_nothing_heavy():
    assert probe("dlcourse.commands.errata") == "code 0 loaded []"


def test_a_missing_notebook_loads_nothing_heavy():
    release = ("dlcourse.commands.teach", "release", "no.ipynb", "--out", "no")
    assert probe(*release) == "code 1 loaded []"


def test_a_missing_run_loads_nothing_heavy():
    assert probe("dlcourse.commands.evaluate", "--run", "no/such/run") == "code 2 loaded []"
    assert probe("dlcourse.commands.diagnose", "--run", "no/such/run") == "code 2 loaded []"
    assert probe("dlcourse.commands.predict", "--run", "no/such/run", "a.png") == "code 2 loaded []"
    assert (
        probe("dlcourse.commands.export", "--run", "no/such/run", "--to", "onnx")
        == "code 2 loaded []"
    )


def test_keras_is_imported_when_a_name_of_it_is_needed_first():
    program = (
        "import sys; from dlcourse.heavy import keras; import dlcourse.training.batches; "
        "before = 'keras' in sys.modules; name = keras.Model; "
        "print(before, name is sys.modules['keras'].Model)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (answer.stdout, answer.stderr) == ("False True\n", "")
