"""What several tests need."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared():
    """The folder beside the checkout that holds MNIST; its tests are skipped where it is not."""
    folder = ROOT.parent / "shared"
    if not (folder / "tfds").is_dir():
        pytest.skip("no ../shared/tfds: MNIST is not at hand")
    return folder


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory):
    """A small network trained on the digits for three epochs."""
    from dlcourse.recipe import recipe_from_text
    from dlcourse.training import train

    recipe = recipe_from_text(
        "dataset: {name: digits}\n"
        "model: {name: dnn, hidden: [32]}\n"
        "training: {epochs: 3, learning_rate: 0.01, augmentation: {shift: 0.05}}\n"
    )
    return train(recipe, tmp_path_factory.mktemp("runs"), name="digits", bar=False)
