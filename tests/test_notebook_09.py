"""What notebook 09 says of moved digits holds with other seeds, and its exercise has a fair bar."""

from typing import Any

import numpy as np
import pytest

from dlcourse.datasets import load_dataset
from dlcourse.lessons.exercises import convolutional_networks as exercise
from dlcourse.lessons.exercises.networks import parameters, share_right

MARGIN = ((0, 0), (2, 2), (2, 2), (0, 0))


def networks() -> dict[str, Any]:
    from keras import layers

    def convolutions() -> list[Any]:
        return [
            layers.Rescaling(1 / 16),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
        ]

    def dense_end() -> list[Any]:
        return [layers.MaxPooling2D(), layers.Flatten(), layers.Dense(32, "relu")]

    dense = [layers.Dense(64, "relu"), layers.Dense(32, "relu")]
    move = layers.RandomTranslation(1 / 6, 1 / 6, fill_mode="constant")
    return {
        "dense": [layers.Rescaling(1 / 16), layers.Flatten(), *dense],
        "flattened": [*convolutions(), *dense_end()],
        "global maximum": [*convolutions(), layers.GlobalMaxPooling2D()],
        "moved": [move, *convolutions(), *dense_end()],
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_moved_digits_with_other_seeds(seed):
    import keras

    digits = load_dataset("digits")
    x_train, x_test = (np.pad(x, MARGIN) for x in (digits.x_train, digits.x_test))
    ways = [(0, 2), (0, -2), (2, 0), (-2, 0)]
    moved = np.concatenate([np.roll(x_test, way, axis=(1, 2)) for way in ways])
    in_place, by_two = {}, {}
    for name, parts in networks().items():
        keras.utils.set_random_seed(seed)
        model: Any = keras.Sequential(
            [keras.Input((12, 12, 1)), *parts, keras.layers.Dense(10, "softmax")]
        )
        steps = 12 * np.ceil(len(x_train) / 32)
        adam = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, steps))
        model.compile(adam, "sparse_categorical_crossentropy")
        model.fit(x_train, digits.y_train, epochs=12, verbose=0)
        in_place[name] = share_right(model, x_test, digits.y_test, 10)
        by_two[name] = share_right(model, moved, np.tile(digits.y_test, 4), 10)
    # measured with seeds 0, 1, 2: in place 0.88 to 0.99; by two pixels dense 0.11 to 0.14,
    # flattened 0.27 to 0.35, global maximum 0.91 to 0.95, moved 0.84 to 0.90
    assert min(in_place.values()) > 0.85, in_place
    assert by_two["dense"] < 0.2, by_two
    assert 0.2 < by_two["flattened"] < 0.5, by_two
    assert min(by_two["global maximum"], by_two["moved"]) > 2 * by_two["flattened"], by_two


def share(answer: Any) -> tuple[float, int]:
    x_train, y_train, moved, labels = exercise.moved_digits()
    model = answer(x_train, y_train)
    return share_right(model, moved, labels, 10), parameters(model)


@pytest.mark.seeds
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_solution_reaches_the_bar_of_the_moved_digits_with_room(seed, monkeypatch):
    import keras

    given = keras.utils.set_random_seed
    monkeypatch.setattr(keras.utils, "set_random_seed", lambda _: given(seed))
    reached, count = share(exercise.small_network)
    assert reached >= exercise.BAR + 0.02
    assert count <= exercise.MOST_PARAMETERS


@pytest.mark.seeds
def test_simpler_networks_do_not_reach_the_bar_of_the_moved_digits():
    assert share(exercise._trained(exercise._still))[0] < exercise.BAR - 0.3  # measured: 0.26
    assert share(exercise._trained(exercise._dense))[0] < exercise.BAR - 0.1  # measured: 0.59
