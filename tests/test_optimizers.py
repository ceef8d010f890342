"""Optimizers and schedules: Keras' own, with the settings given."""

import numpy as np
import pytest

from dlcourse.configuration.optimizers import OPTIMIZERS, SCHEDULES


def course(name, steps=100, rate=0.5, **settings):
    schedule = SCHEDULES[name](rate, steps, **settings)
    return np.array([float(schedule(step)) for step in range(steps + 1)])


def test_step_falls_at_the_given_fractions():
    values = course("step", at=(0.5, 0.8), factor=0.1)
    assert values[[0, 50, 51, 80, 81]] == pytest.approx([0.5, 0.5, 0.05, 0.05, 0.005])


def test_exponential_reaches_its_end_at_the_last_step():
    values = course("exponential", end=0.01)
    assert values[[0, 50, 100]] == pytest.approx([0.5, 0.05, 0.005])


def test_linear_is_halfway_in_the_middle():
    assert course("linear", end=0.2)[[0, 50, 100]] == pytest.approx([0.5, 0.3, 0.1])


def test_linear_rises_in_its_warm_up_then_falls():
    values = course("linear", warmup=0.2, end=0.1)
    assert values[[0, 10, 20, 60, 100]] == pytest.approx([0, 0.25, 0.5, 0.275, 0.05])
    assert values.argmax() == 20
    assert course("linear", warmup=0.2, steps=1).max() <= 0.5


def test_cosine_is_halfway_in_the_middle_and_can_warm_up():
    assert course("cosine")[[0, 50, 100]] == pytest.approx([0.5, 0.25, 0.0], abs=1e-7)
    warm = course("cosine", warmup=0.2, end=0.1)
    assert warm[[0, 10, 20, 60, 100]] == pytest.approx([0, 0.25, 0.5, 0.275, 0.05], abs=1e-6)


def test_one_cycle_rises_to_its_peak_then_falls():
    values = course("one_cycle", warmup=0.25, start=0.04, end=0.0)
    assert values[[0, 25, 100]] == pytest.approx([0.02, 0.5, 0.0], abs=1e-6)
    assert values.argmax() == 25
    assert (np.diff(values[:26]) > 0).all()
    assert (np.diff(values[25:]) < 0).all()


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_is_positive_serialisable_and_works_for_one_step(name):
    import keras

    assert (course(name) >= 0).all()
    assert np.isfinite(course(name, steps=1)).all()
    schedule = SCHEDULES[name](0.5, 10)
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert float(again(3)) == float(schedule(3))  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_takes_a_number_or_a_schedule_and_descends(name):
    import keras

    for rate in (0.1, SCHEDULES["cosine"](0.1, 100)):
        weight = keras.Variable([3.0])
        optimizer = OPTIMIZERS[name](rate)
        for _ in range(5):
            optimizer.apply([2 * weight.value], [weight])
        assert float(weight.numpy()[0]) < 3.0


def test_sgd_steps_by_the_learning_rate_times_the_gradient():
    import keras

    weight = keras.Variable([1.0])
    OPTIMIZERS["sgd"](0.01).apply([keras.ops.array([2.5])], [weight])
    assert float(weight.numpy()[0]) == pytest.approx(1 - 0.025)  # slides S2
