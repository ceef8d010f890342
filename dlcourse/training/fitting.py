"""A fit that can be stopped after any step or killed at any time, and resumes exactly."""

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from dlcourse.configuration.recipe import Recipe
from dlcourse.errors import InterruptedTraining
from dlcourse.heavy import keras
from dlcourse.runs import Run, state, write_history
from dlcourse.training.batches import seed_step, training_batches, validation_batches
from dlcourse.training.distributed import in_whole_shares, sharers
from dlcourse.training.divergence import NotFinite, refuse_infinite
from dlcourse.training.preparation import Prepared, targets
from dlcourse.training.watch import Watch


@dataclass
class Fit:
    """One training in progress; `train` runs it to the end.

    Attributes:
        recipe, prepared, run: Recipe, data set and model, and the run that holds the state.
        watch: Reports, progress bar, stop request and callbacks of the user.
        file: Name of the state file in the run, written at the end of each epoch. A state saved
            within the next epoch has its own file, which is removed when that epoch ends.
        previous: Fit that this one continues; it trained the same weights, or only the last ones.
        callbacks: Keras' own callbacks whose state must be saved, see `memory_callbacks`.
        progress, arrays: Progress of the training, and the state it was read from; always current.
        resumed: Whether the state of an earlier process was read.
        model: Model of the current epochs, with or without augmentation in front.
        first_step, last_epoch, steps: First step and last epoch of the current Keras `fit`, and the
            steps per epoch; valid while it runs.
        saved_step: Step of the current epoch whose state was saved last.
        clock: Wall-clock and CPU time, in seconds, when the current fit was last measured.
        running: Weights that the averages of `ema` replace from the start of validation to the end
            of the epoch; empty otherwise.
    """

    recipe: Recipe
    prepared: Prepared
    run: Run
    watch: Watch = field(default_factory=Watch)
    file: str = state.STATE
    previous: "Fit | None" = None

    def __post_init__(self) -> None:
        self.model: Any = self.prepared.model
        self.progress, self.arrays, self.resumed = state.Progress(), {}, False
        self.first_step = self.last_epoch = self.steps = self.saved_step = 0
        self.clock, self.running = (0.0, 0.0), []
        self.model.optimizer.build(self.model.trainable_variables)
        self.path = self.run.path / self.file
        self.inside_path = self.path.with_name(f"inside_{self.file}")
        self.callbacks = memory_callbacks(self.recipe)
        if self.path.exists():
            self.load()
            self.resumed = bool(self.progress.epoch + self.progress.step)
            missing = self.watch.callbacks.restore(self.arrays["meta"]["users"])
            if missing and not self.done:
                self.watch.tell(f"resuming without the callbacks {', '.join(missing)}")
        elif self.previous:
            self._follow(self.previous)
        else:
            self._write_state(self.path)

    def _follow(self, previous: "Fit") -> None:
        """Start from the result of another fit, and keep it unless this fit is better."""
        weights, _ = previous.best_weights()
        self.model.set_weights(weights)
        self.progress = replace(previous.progress, step=0, stopped=False)
        for callback, earlier in zip(self.callbacks, previous.callbacks, strict=True):
            for name in ("best", "best_epoch"):
                if hasattr(earlier, name):
                    setattr(callback, name, getattr(earlier, name))
            if getattr(earlier, "best_weights", None):
                callback.best_weights = weights
        self._write_state(self.path)
        self.load()

    def load(self, *, epoch_end: bool = False) -> None:
        """Restore the last saved state; `epoch_end` discards the steps after the last epoch."""
        if epoch_end:
            self.inside_path.unlink(missing_ok=True)
        self.progress, self.arrays = state.read_latest(self.path)
        state.restore_model(self.arrays, self.path, self.prepared.whole)
        # with the best weights, also if none are trained
        state.restore_callbacks(self.arrays, self.callbacks)

    @property
    def done(self) -> bool:
        """Whether no epoch is left to train."""
        return self.progress.stopped or self.progress.epoch >= self.recipe.training.epochs

    def train(self) -> None:
        """Train until the last epoch of the recipe or early stopping; the state file stays current.

        Raises:
            InterruptedTraining: `watch.stop` requested it; the state is saved.
            NotFinite: The loss, a weight or a statistic is NaN or infinite.
        """
        while not self.done:
            # The rest of an interrupted epoch gets a Keras `fit` of its own.
            self.first_step = self.progress.step
            self.last_epoch = self.progress.epoch + 1 if self.first_step else self._stage_end()
            self.model = self.prepared.model_in(self.recipe, self.progress.epoch)
            self._fit()

    def _stage_end(self) -> int:
        """Return the last epoch (from 1) that has the next epoch's batch size and augmentation."""
        training, first = self.recipe.training, self.progress.epoch
        stage = training.batch_size_in(first), training.augments_in(first)
        for epoch in range(first + 1, training.epochs):
            if (training.batch_size_in(epoch), training.augments_in(epoch)) != stage:
                return epoch
        return training.epochs

    def _fit(self) -> None:
        dataset, training = self.prepared.dataset, self.recipe.training
        self.clock = (time.perf_counter(), time.process_time())
        labels = partial(targets, self.prepared.model, self.recipe, dataset)
        if self.first_step:  # the metrics have variables only after a first batch
            some = sharers()[0]  # one example per device
            self.model.test_on_batch(dataset.x_train[:some], labels("train")[:some])
        examples = in_whole_shares(len(dataset.x_train))
        self.steps = training.steps_in(self.progress.epoch, examples)
        size = training.batch_size_in(self.progress.epoch)
        how = {"batch_size": size, "seed": self.recipe.seed, "first_step": self.first_step}
        batches, order = training_batches(dataset.x_train, labels("train"), **how)
        val_batch = max(size, 256)
        self.model.fit(
            batches,
            initial_epoch=self.progress.epoch,
            epochs=self.last_epoch,
            class_weight=self.prepared.class_weights,
            callbacks=[order, *self.callbacks, *self._listeners()],
            validation_data=validation_batches(dataset.x_val, labels("val"), batch_size=val_batch),
            validation_batch_size=val_batch,
            shuffle=False,
            verbose=1 if self.watch.bar else 0,
        )

    def _listeners(self) -> list[Any]:
        """Return TensorBoard, the user's callbacks and, last, the callback that saves the state."""
        keeper = keras.callbacks.LambdaCallback(
            on_train_begin=self._begin,
            on_epoch_begin=self._begin_epoch,
            on_train_batch_begin=self._begin_step,
            on_train_batch_end=self._end_step,
            on_epoch_end=self._end_epoch,
            on_test_begin=self._begin_test,
        )
        boards = []
        if self.recipe.training.tensorboard:
            boards = [keras.callbacks.TensorBoard(str(self.run.path / "tensorboard"))]
        return [*boards, *self.watch.callbacks.in_fit(self._sync), keeper]

    def _begin(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
        if self.arrays:  # Keras' callbacks reset at the start of each fit
            state.restore_model(self.arrays, self.path, self.prepared.whole)
            state.restore_callbacks(self.arrays, self.callbacks)

    def _begin_epoch(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.saved_step = self.first_step
        if self.first_step:
            state.restore_metrics(self.arrays, self.model)

    def _begin_step(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        seed_step(self.recipe.seed, self.progress.epoch, self.first_step + batch)

    def _begin_test(self, logs: Any = None) -> None:  # noqa: ARG002
        """With `ema`, use the averaged weights until the end of the epoch has evaluated them."""
        if self.recipe.training.ema is not None:
            weights = self.model.trainable_variables
            self.running = [np.asarray(weight).copy() for weight in weights]
            self.model.optimizer.finalize_variable_values(weights)
            for weight in weights:  # on JAX they share the averages' memory, which evaluation frees
                weight.assign(np.asarray(weight).copy())

    def _end_step(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        done = min(self.first_step + batch + 1, self.steps)
        loss = float((logs or {})["loss"])
        if not np.isfinite(loss):
            raise NotFinite(f"the loss became {loss}", self.progress.epoch, done)
        if done == self.steps:
            return  # the end of the epoch saves the state, after validation
        every, signal = self.recipe.training.checkpoint_every, self.watch.signal
        if signal or (every and done - self.saved_step >= every):
            self._save(step=done)
            self.saved_step = done
        if signal:
            self._leave(signal)

    def _end_epoch(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        metrics = {key: float(logs[key]) for key in COLUMNS if logs and key in logs}
        self._sync()
        refuse_infinite(self.prepared.whole, metrics, epoch, self.steps)
        for key, value in metrics.items():
            self.progress.history.setdefault(key, []).append(value)
        if self.recipe.training.ema is not None:
            for weight, value in zip(self.model.trainable_variables, self.running, strict=True):
                weight.assign(value)
        self.progress.epoch = epoch + 1
        self.progress.stopped = bool(self.model.stop_training)
        self._save(step=0)
        write_history(self.run.path / "history.csv", self.progress.history)
        self.watch.tell(epoch_line(epoch + 1, self.recipe.training.epochs, metrics))
        if epoch + 1 == self.last_epoch and not self.done:
            self.load()  # before Keras ends this fit and restores the best or the averaged weights
        if self.watch.signal and not self.done:
            self._leave(self.watch.signal)

    def _save(self, *, step: int) -> None:
        self._sync()
        now = (time.perf_counter(), time.process_time())
        self.progress.seconds += now[0] - self.clock[0]
        self.progress.cpu_seconds += now[1] - self.clock[1]
        self.clock = now
        self.progress.step = step
        self._write_state(self.inside_path if step else self.path)
        if not step:
            self.inside_path.unlink(missing_ok=True)

    def _write_state(self, path: Any) -> None:
        metrics = self.model.metrics_variables if self.progress.step else []
        more = {"users": self.watch.callbacks.state(), "kept": self._kept()}
        state.save_state(path, self.prepared.whole, metrics, self.callbacks, self.progress, **more)

    def _kept(self) -> list[str]:
        """Return the names, in the state, of the weights that `best_weights` returns otherwise."""
        model = self.prepared.model
        names = {id(v): f"model_{i}" for i, v in enumerate(self.prepared.whole.variables)}
        if self.recipe.training.ema is not None:
            optimizer = model.optimizer
            places = {id(v): f"optimizer_{i}" for i, v in enumerate(optimizer.variables)}
            averages = optimizer._model_variables_moving_average
            for weight, average in zip(model.trainable_variables, averages, strict=True):
                names[id(weight)] = places[id(average)]
        return [names[id(weight)] for weight in model.weights]

    def _sync(self) -> None:
        """Write the state of the epoch to the variables: JAX keeps it outside of the model."""
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()

    def _leave(self, signal: int) -> None:
        epoch, step = self.progress.epoch, self.progress.step
        at = f"epoch {epoch + 1}, {step} of {self.steps} steps done" if step else f"epoch {epoch}"
        raise InterruptedTraining(self.run.path, at, signal)

    def best_weights(self) -> tuple[list[np.ndarray], int]:
        """Return the weights to keep and their epoch (from 1): the best, or the last."""
        frozen = self.prepared.frozen_weights
        for callback in self.callbacks:
            if getattr(callback, "best_weights", None):
                return [*frozen, *callback.best_weights], callback.best_epoch + 1
        model = self.prepared.model
        if self.recipe.training.ema is not None and int(model.optimizer.iterations):
            model.optimizer.finalize_variable_values(model.trainable_variables)
        return [*frozen, *model.get_weights()], self.progress.epoch


COLUMNS = ("loss", "accuracy", "mae", "val_loss", "val_accuracy", "val_mae", "learning_rate")


def memory_callbacks(recipe: Recipe) -> list[Any]:
    """Return the callbacks with a memory: early stopping and reduce-on-plateau."""
    training, result = recipe.training, []
    stop: Any = keras.callbacks.EarlyStopping  # its min_delta is annotated as an int
    if training.reduce_on_plateau:
        plateau = training.reduce_on_plateau.model_dump()
        least = plateau.pop("min_learning_rate")
        result.append(keras.callbacks.ReduceLROnPlateau(min_lr=least, **plateau))
    if training.early_stopping or training.restore_best_weights:
        never = {"monitor": "val_loss", "patience": training.epochs}
        when = training.early_stopping.model_dump() if training.early_stopping else never
        result.append(stop(restore_best_weights=training.restore_best_weights, **when))
    return result


def epoch_line(epoch: int, epochs: int, logs: dict[str, float]) -> str:
    """Return `epoch  3/20  loss 0.1234  accuracy 0.9612  val_loss …` for one epoch."""
    width = len(str(epochs))
    values = "  ".join(f"{key} {value:<7.4g}" for key, value in logs.items()).rstrip()
    return f"epoch {epoch:>{width}}/{epochs}  {values}"
