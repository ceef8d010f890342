"""What several tests need."""

import gc
import os
from contextlib import contextmanager
from pathlib import Path

import pytest

import dlcourse  # noqa: F401 - before any test imports Keras: it turns oneDNN on

# As every command does before TensorFlow starts. What its C++ says depends on what ran before (once
# deterministic, always) and on the clock: a test of the error stream would fail now and then.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# A full collection walks through all of TensorFlow, half a second each time.
gc.set_threshold(50_000, 20, 100)

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real data beside the repository, or skip the test."""
    if not SHARED.is_dir():
        pytest.skip(f"no real data: {SHARED} is absent")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def no_figures():
    """Trainings draw only inside `figures`: three figures cost more than a small training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dlcourse.training.save_figures", lambda *_: None)
        yield


@contextmanager
def figures():
    """Let the trainings inside draw their figures, as they do for a user."""
    from dlcourse.pictures.figures import save_figures

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dlcourse.training.save_figures", save_figures)
        yield


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory):
    """A small network trained on the digits for three epochs."""
    from dlcourse.configuration.recipe import recipe_from_text
    from dlcourse.training import train

    recipe = recipe_from_text(
        "dataset: {name: digits}\n"
        "model: {name: dnn, hidden: [32]}\n"
        "training: {epochs: 3, learning_rate: 0.01, augmentation: {shift: 0.05}}\n"
    )
    with figures():
        return train(recipe, tmp_path_factory.mktemp("runs"), name="digits", bar=False)
