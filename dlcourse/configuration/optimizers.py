"""The tables of optimizers and learning-rate schedules; Keras implements each of them."""

from functools import cache
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from dlcourse.heavy import keras
from dlcourse.schema import Fraction, NonNegative, PositiveNumber, Rate

Schedule: TypeAlias = "keras.optimizers.schedules.LearningRateSchedule"


def sgd(learning_rate: Any, *, momentum: Rate = 0.0, nesterov: bool = False) -> Any:
    """Return stochastic gradient descent, w -= α·dw, optionally with momentum (Polyak 1964).

    Args:
        learning_rate: Learning rate, or a learning-rate schedule.
        momentum: Fraction of the last update that is added to the new one; 0 adds none.
        nesterov: Nesterov momentum: the gradient is computed after the momentum step (Nesterov
            1983).
    """
    return keras.optimizers.SGD(**locals())


def adam(
    learning_rate: Any,
    *,
    beta_1: Rate = 0.9,
    beta_2: Rate = 0.999,
    epsilon: PositiveNumber = 1e-7,
    amsgrad: bool = False,
) -> Any:
    """Return Adam (Kingma and Ba 2015).

    Args:
        learning_rate: Learning rate, or a learning-rate schedule.
        beta_1: Decay rate per step of the running mean of the gradients.
        beta_2: Decay rate per step of the running mean of the squared gradients.
        epsilon: Small number added to the denominator to avoid a division by zero.
        amsgrad: AMSGrad, which divides by the largest running mean so far (Reddi et al. 2018).
    """
    return keras.optimizers.Adam(**locals())


def adamw(
    learning_rate: Any,
    *,
    weight_decay: NonNegative = 0.004,
    beta_1: Rate = 0.9,
    beta_2: Rate = 0.999,
    epsilon: PositiveNumber = 1e-7,
) -> Any:
    """Return Adam with decoupled weight decay (Loshchilov and Hutter 2019).

    Args:
        learning_rate: Learning rate, or a learning-rate schedule.
        weight_decay: Fraction of each weight, times the learning rate, that is subtracted from it
            in every step.
        beta_1: Decay rate per step of the running mean of the gradients.
        beta_2: Decay rate per step of the running mean of the squared gradients.
        epsilon: Small number added to the denominator to avoid a division by zero.
    """
    return keras.optimizers.AdamW(**locals())


def nadam(
    learning_rate: Any, *, beta_1: Rate = 0.9, beta_2: Rate = 0.999, epsilon: PositiveNumber = 1e-7
) -> Any:
    """Return Adam with Nesterov momentum (Dozat 2016).

    Args:
        learning_rate: Learning rate, or a learning-rate schedule.
        beta_1: Decay rate per step of the running mean of the gradients.
        beta_2: Decay rate per step of the running mean of the squared gradients.
        epsilon: Small number added to the denominator to avoid a division by zero.
    """
    return keras.optimizers.Nadam(**locals())


def rmsprop(
    learning_rate: Any,
    *,
    rho: Rate = 0.9,
    momentum: Rate = 0.0,
    epsilon: PositiveNumber = 1e-7,
    centered: bool = False,
) -> Any:
    """Return RMSprop (Hinton 2012).

    Args:
        learning_rate: Learning rate, or a learning-rate schedule.
        rho: Decay rate per step of the running mean of the squared gradients.
        momentum: Fraction of the last update that is added to the new one; 0 adds none.
        epsilon: Small number added to the denominator to avoid a division by zero.
        centered: Division by the gradients' running variance instead of their running mean square.
    """
    return keras.optimizers.RMSprop(**locals())


def adagrad(
    learning_rate: Any,
    *,
    initial_accumulator_value: NonNegative = 0.1,
    epsilon: PositiveNumber = 1e-7,
) -> Any:
    """Return AdaGrad (Duchi et al. 2011).

    Args:
        learning_rate: Learning rate, or a learning-rate schedule.
        initial_accumulator_value: Initial value of each weight's sum of squared gradients.
        epsilon: Small number added to the denominator to avoid a division by zero.
    """
    return keras.optimizers.Adagrad(**locals())


def adadelta(learning_rate: Any, *, rho: Rate = 0.95, epsilon: PositiveNumber = 1e-7) -> Any:
    """Return AdaDelta (Zeiler 2012).

    Args:
        learning_rate: Learning rate, or a learning-rate schedule.
        rho: Decay rate per step of the running means of the squared gradients and updates.
        epsilon: Small number added to the denominator to avoid a division by zero.
    """
    return keras.optimizers.Adadelta(**locals())


OPTIMIZERS = {make.__name__: make for make in (sgd, adam, adamw, nadam, rmsprop, adagrad, adadelta)}


def cosine(
    learning_rate: float,
    steps: int,
    *,
    warmup: Rate = 0.0,
    start: Rate = 0.0,
    end: NonNegative = 0.0,
) -> Schedule:
    """Return a cosine decay of the learning rate to `end` times it (Loshchilov and Hutter 2017).

    Args:
        learning_rate: Highest value.
        steps: Number of steps of the whole training.
        warmup: Fraction of the steps with a linear rise at the start; 0 starts at the learning
            rate.
        start: First value of this rise, as a fraction of the learning rate.
        end: Last value, as a fraction of the learning rate.
    """
    rising = max(1, round(warmup * steps)) if warmup else 0
    first, peak = (start * learning_rate, learning_rate) if rising else (learning_rate, None)
    how = {"alpha": end, "warmup_target": peak, "warmup_steps": rising}
    return keras.optimizers.schedules.CosineDecay(first, max(steps - rising, 1), **how)


def exponential(learning_rate: float, steps: int, *, end: Fraction = 0.01) -> Schedule:
    """Return an exponential decay of the learning rate to `end` times it at the last step.

    Args:
        learning_rate: First and highest value.
        steps: Number of steps of the whole training.
        end: Last value, as a fraction of the learning rate.
    """
    return keras.optimizers.schedules.ExponentialDecay(learning_rate, steps, end)


def linear(
    learning_rate: float, steps: int, *, warmup: Rate = 0.0, end: NonNegative = 0.0
) -> Schedule:
    """Return a linear decay of the learning rate to `end` times it at the last step.

    Args:
        learning_rate: Highest value.
        steps: Number of steps of the whole training.
        warmup: Fraction of the steps with a linear rise from 0 at the start; 0 starts at the
            learning rate.
        end: Last value, as a fraction of the learning rate.
    """
    rising = round(warmup * steps)
    return _rise_and_fall()(
        learning_rate, max(steps - rising, 1), end * learning_rate, warmup_steps=rising
    )


@cache
def _rise_and_fall() -> Any:
    """Return Keras' linear decay with a linear warm-up, which in Keras only CosineDecay has."""

    @keras.saving.register_keras_serializable("dlcourse")
    class RiseAndFall(keras.optimizers.schedules.PolynomialDecay):
        def __init__(self, *arguments: Any, warmup_steps: int = 0, **options: Any):
            super().__init__(*arguments, **options)
            self.warmup_steps = warmup_steps

        def __call__(self, step: Any) -> Any:
            step = keras.ops.cast(step, "float32")
            rising = self.initial_learning_rate * step / max(self.warmup_steps, 1)
            falling = super().__call__(keras.ops.maximum(step - self.warmup_steps, 0.0))
            return keras.ops.where(step < self.warmup_steps, rising, falling)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "warmup_steps": self.warmup_steps}

    return RiseAndFall


def step(
    learning_rate: float,
    steps: int,
    *,
    at: Annotated[tuple[Fraction, ...], Field(min_length=1)] = (0.5, 0.75),
    factor: PositiveNumber = 0.1,
) -> Schedule:
    """Return a step decay: the rate is multiplied by `factor` at each fraction `at` of training.

    Args:
        learning_rate: First value.
        steps: Number of steps of the whole training.
        at: Fractions of the training after which the learning rate falls.
        factor: Factor by which the learning rate is multiplied each time.
    """
    boundaries = sorted(max(1, round(fraction * steps)) for fraction in at)
    values = [learning_rate * factor**count for count in range(len(boundaries) + 1)]
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, values)


def one_cycle(
    learning_rate: float,
    steps: int,
    *,
    warmup: Fraction = 0.25,
    start: Rate = 0.04,
    end: NonNegative = 0.0,
) -> Schedule:
    """Return a linear rise to the learning rate, then a cosine fall (Smith and Topin 2019).

    Args:
        learning_rate: Peak learning rate.
        steps: Number of steps of the whole training.
        warmup: Fraction of the steps with rising rate.
        start: First value, as a fraction of the peak.
        end: Last value, as a fraction of the peak.
    """
    return cosine(learning_rate, steps, warmup=warmup, start=start, end=end)


SCHEDULES = {make.__name__: make for make in (cosine, exponential, linear, step, one_cycle)}
