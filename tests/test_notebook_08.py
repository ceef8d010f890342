"""The clinic of notebook 08: each script fails its bar, mended it passes with three seeds."""

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcourse.datasets import load_dataset
from dlcourse.lessons.exercises import when_training_goes_wrong as clinic

CASES = {
    "08.5": ("breast_cancer", clinic.scaled_outside, clinic.scaled_inside),
    "08.6": ("digits", clinic.large_rate, clinic.suitable_rate),
    "08.7": ("breast_cancer", clinic.half_loss, clinic.whole_loss),
    "08.8": ("digits", clinic.equal_start, clinic.random_start),
    "08.9": ("breast_cancer", clinic.shuffled_apart, clinic.shuffled_together),
    "08.10": ("digits", clinic.deep_sigmoid, clinic.deep_relu),
}
NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "08_when_training_goes_wrong.py"


def body(text: str) -> str:
    """Return a script's lines from the seed on, without the line that names the layers."""
    lines = text[text.index("    keras.utils.set_random_seed") :].splitlines()
    return "\n".join(x for x in lines if x.strip() and x != "    layers = keras.layers")


def share(dataset: str, answer: Any, seed: int, monkeypatch: Any) -> float:
    """Return the share of the validation examples that a script's network gets right."""
    import keras

    given = keras.utils.set_random_seed
    data = load_dataset(dataset)
    with monkeypatch.context() as patch:
        patch.setattr(keras.utils, "set_random_seed", lambda _: given(seed))
        model = answer(data.x_train, data.y_train)
    labels, _ = clinic._classes(model, data.x_val, len(data.class_names))
    return float(np.mean(labels == data.y_val))


@pytest.mark.parametrize("name", CASES)
def test_the_notebook_holds_the_script_of_the_clinic(name):
    script = body(inspect.getsource(CASES[name][1]))
    cells = re.split(r"^# %%.*\n", NOTEBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (cell,) = [text for text in cells if f'check("{name}"' in text]
    assert body(cell.partition("\n\n\ncheck(")[0]) == script
    assert "return ...  # delete this line" in cell


@pytest.mark.seeds
@pytest.mark.parametrize("name", CASES)
def test_a_broken_training_fails_its_bar_and_the_mended_one_passes_with_three_seeds(
    name, monkeypatch
):
    # measured, broken against mended: 08.5 0.38 and 0.99, 08.6 0.14 to 0.28 and 0.94,
    # 08.7 0.62 to 0.70 and 0.97, 08.8 0.10 and 0.95, 08.9 0.57 to 0.67 and 0.99,
    # 08.10 0.10 and 0.92
    dataset, broken, mended = CASES[name]
    bar = clinic.BARS[name]
    assert share(dataset, broken, 0, monkeypatch) < bar - 0.15
    for seed in range(3):
        assert share(dataset, mended, seed, monkeypatch) >= bar + 0.01
