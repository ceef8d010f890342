"""The fit itself: it can be stopped after any step, killed at any instant, and goes on exactly."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlcourse.configuration.recipe import Recipe
from dlcourse.errors import InterruptedTraining
from dlcourse.lab.diagnosis import LayerStatistics
from dlcourse.lab.diagnosis.xray import write_xray, xray
from dlcourse.runs import Run, write_history
from dlcourse.training.batches import training_batches, validation_batches
from dlcourse.training.divergence import NotFinite, refuse_infinite
from dlcourse.training.interruption import StopRequest
from dlcourse.training.preparation import Prepared, targets
from dlcourse.training.state import (
    Progress,
    read_state,
    restore_callbacks,
    restore_metrics,
    restore_model,
    save_state,
)

STATE = "state.npz"


@dataclass
class Fit:
    """One training on its way; `train` it until it is done.

    Attributes:
        recipe, prepared, run: what is trained, and where its state is kept.
        report: called with a line an epoch.
        bar: show Keras' progress bar.
        stop: asks to stop after the step that runs; None never does.
        file: the state's name in the run: that of the last epoch's end. One from inside the epoch
            that follows is beside it, and goes with that epoch's end.
        before: a fit that this one goes on from; it has the same weights or fewer, the last ones.
    """

    recipe: Recipe
    prepared: Prepared
    run: Run
    report: Callable[[str], None] | None = None
    bar: bool = False
    stop: StopRequest | None = None
    file: str = STATE
    before: "Fit | None" = None

    def __post_init__(self) -> None:
        model = self.prepared.model
        model.optimizer.build(model.trainable_variables)
        self.path = self.run.path / self.file
        self.inside_path = self.path.with_name(f"inside_{self.file}")
        self.callbacks = memory_callbacks(self.recipe)
        self.arrays: dict[str, Any] = {}
        self.progress = Progress()
        self.resumed = False
        if self.path.exists():
            self.load()
            self.resumed = bool(self.progress.epoch + self.progress.step)
        elif self.before:
            self._follow(self.before)
        else:
            self._record_xray()
            save_state(self.path, model, self.callbacks, self.progress)

    def _follow(self, before: "Fit") -> None:
        """Begin with what another fit reached, and keep that unless this one does better."""
        model = self.prepared.model
        weights, _ = before.best_weights()
        model.set_weights(weights)
        self.progress = replace(before.progress, step=0, stopped=False)
        for callback, earlier in zip(self.callbacks, before.callbacks, strict=True):
            for name in ("best", "best_epoch"):
                if hasattr(earlier, name):
                    setattr(callback, name, getattr(earlier, name))
            if getattr(earlier, "best_weights", None):
                callback.best_weights = weights
        save_state(self.path, model, self.callbacks, self.progress)
        self.load()

    def load(self, *, epoch_end: bool = False) -> None:
        """Go back to what was saved last, or for good to the last epoch's end."""
        if epoch_end:
            self.inside_path.unlink(missing_ok=True)
        self.progress, self.arrays = read_state(self.path)
        if self.inside_path.exists():
            inside = read_state(self.inside_path)
            if inside[0].epoch == self.progress.epoch:  # else a process was killed at its end
                self.progress, self.arrays = inside
        restore_model(self.arrays, self.path, self.prepared.model)

    @property
    def done(self) -> bool:
        """Whether no epoch is left to train."""
        return self.progress.stopped or self.progress.epoch >= self.recipe.training.epochs

    def train(self) -> None:
        """Train until the recipe's last epoch or an early stop; the state file is kept current.

        Raises:
            InterruptedTraining: `stop` asked for it; the state is saved.
            NotFinite: the loss, a weight or a statistic is NaN or infinite.
        """
        while not self.done:
            # An epoch that was interrupted is a fit of its own: its first steps are done.
            self.first_step = self.progress.step
            self.last_epoch = self.progress.epoch + 1 if self.first_step else self._stage_end()
            self._set_augmentation()
            self._fit()

    def _stage_end(self) -> int:
        """Return the number of the last epoch (from 1) that is trained as the next one is."""
        training, epoch = self.recipe.training, self.progress.epoch

        def how(epoch: int) -> tuple[int, bool]:
            return training.batch_size_in(epoch), training.augments_in(epoch)

        stage = how(epoch)
        while epoch < training.epochs and how(epoch) == stage:
            epoch += 1
        return epoch

    def _set_augmentation(self) -> None:
        model, active = self.prepared.model, self.recipe.training.augments_in(self.progress.epoch)
        for layer in model.layers:
            if getattr(layer, "active", active) != active:
                layer.active = active
                model.make_train_function(force=True)  # it was traced with the layer's other state

    def _fit(self) -> None:
        import keras

        dataset, model, training = self.prepared.dataset, self.prepared.model, self.recipe.training
        self.clock = (time.perf_counter(), time.process_time())
        y_train, y_val = (targets(model, self.recipe, dataset, part) for part in ("train", "val"))
        batch_size = training.batch_size_in(self.progress.epoch)
        val_batch = max(batch_size, 256)
        if self.first_step:  # the metrics' variables exist only after a first batch
            model.test_on_batch(dataset.x_train[:1], y_train[:1])
        batches, order = training_batches(
            dataset.x_train,
            y_train,
            batch_size=batch_size,
            seed=self.recipe.seed,
            first_step=self.first_step,
        )
        self.steps = training.steps_in(self.progress.epoch, len(dataset.x_train))
        keeper = keras.callbacks.LambdaCallback(
            on_train_begin=self._begin,
            on_epoch_begin=self._begin_epoch,
            on_train_batch_begin=self._begin_step,
            on_train_batch_end=self._end_step,
            on_epoch_end=self._end_epoch,
            on_test_begin=self._begin_test,
        )
        boards = [keras.callbacks.TensorBoard(str(self.run.path / "tensorboard"))]
        model.fit(
            batches,
            validation_data=validation_batches(dataset.x_val, y_val, batch_size=val_batch),
            validation_batch_size=val_batch,
            initial_epoch=self.progress.epoch,
            epochs=self.last_epoch,
            class_weight=self.prepared.class_weights,
            callbacks=[
                order,
                *self.callbacks,
                *(boards if training.tensorboard else []),
                keeper,  # last: it keeps what the others remember
            ],
            shuffle=False,
            verbose=1 if self.bar else 0,
        )

    def _begin(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
        if self.arrays:  # Keras' callbacks forget at the begin of each fit
            restore_model(self.arrays, self.path, self.prepared.model)
            restore_callbacks(self.arrays, self.callbacks)

    def _begin_epoch(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.saved_step = self.first_step
        if self.first_step:
            restore_metrics(self.arrays, self.prepared.model)

    def _begin_step(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """PyTorch's dropout draws from a generator that no variable keeps: each step seeds it."""
        import keras

        if keras.backend.backend() == "torch":
            import torch  # pyright: ignore[reportMissingImports]

            at = (self.recipe.seed, self.progress.epoch, self.first_step + batch)
            torch.manual_seed(int(np.random.SeedSequence(at).generate_state(1)[0]))

    def _begin_test(self, logs: Any = None) -> None:  # noqa: ARG002
        """With `ema`, put the averaged weights in until the epoch's end has looked at them."""
        if self.recipe.training.ema is not None:
            weights = self.prepared.model.trainable_variables
            self.running = [np.asarray(weight).copy() for weight in weights]
            self.prepared.model.optimizer.finalize_variable_values(weights)
            for weight in weights:  # on JAX they now are the averages, which evaluating would free
                weight.assign(np.asarray(weight).copy())

    def _end_step(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        done = min(self.first_step + batch + 1, self.steps)
        loss = float((logs or {})["loss"])
        if not np.isfinite(loss):
            raise NotFinite(f"the loss became {loss}", self.progress.epoch, done)
        if done == self.steps:
            return  # the end of the epoch saves, with the validation
        every = self.recipe.training.checkpoint_every
        asked = self.stop.signal if self.stop else None
        if asked or (every and done - self.saved_step >= every):
            self._save(step=done)
            self.saved_step = done
        if asked:
            self._leave(asked)

    def _end_epoch(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        found = {key: float(value) for key, value in (logs or {}).items()}
        found = dict(sorted(found.items(), key=lambda item: COLUMNS.index(item[0])))
        self._sync()
        refuse_infinite(self.prepared.model, found, epoch, self.steps)
        for key, value in found.items():
            self.progress.history.setdefault(key, []).append(value)
        self._record_xray()
        if self.recipe.training.ema is not None:
            weights = self.prepared.model.trainable_variables
            for weight, value in zip(weights, self.running, strict=True):
                weight.assign(value)
        self.progress.epoch = epoch + 1
        self.progress.stopped = bool(self.prepared.model.stop_training)
        self._save(step=0)
        write_history(self.run.path / "history.csv", self.progress.history)
        self.write_xray()
        if self.report:
            self.report(epoch_line(epoch + 1, self.recipe.training.epochs, found))
        if epoch + 1 == self.last_epoch and not self.done:
            self.load()  # before Keras ends this fit and puts the best or the averaged weights in
        asked = self.stop.signal if self.stop else None
        if asked and not self.done:
            self._leave(asked)

    def _record_xray(self) -> None:
        if self.recipe.training.xray:
            dataset = self.prepared.dataset
            found = xray(self.prepared.model, dataset.x_train, dataset.y_train)
            self.progress.xray.append([list(layer) for layer in found])

    def write_xray(self) -> None:
        """Write what is recorded of the layers so far."""
        if self.progress.xray:
            epochs = enumerate(self.progress.xray)
            write_xray(self.run, {n: [LayerStatistics(*row) for row in rows] for n, rows in epochs})

    def _save(self, *, step: int) -> None:
        self._sync()
        now = (time.perf_counter(), time.process_time())
        self.progress.seconds += now[0] - self.clock[0]
        self.progress.cpu_seconds += now[1] - self.clock[1]
        self.clock = now
        self.progress.step = step
        path = self.inside_path if step else self.path
        save_state(path, self.prepared.model, self.callbacks, self.progress)
        if not step:
            self.inside_path.unlink(missing_ok=True)

    def _sync(self) -> None:
        """JAX keeps the state of a running epoch outside the model's variables."""
        if hasattr(self.prepared.model, "jax_state_sync"):
            self.prepared.model.jax_state_sync()

    def _leave(self, signal: int) -> None:
        at = f"epoch {self.progress.epoch + 1}, {self.progress.step} of {self.steps} steps done"
        raise InterruptedTraining(self.run.path, at, signal)

    def best_weights(self) -> tuple[list[np.ndarray], int]:
        """Return the weights to keep and their epoch (from 1): the best, or the last."""
        front = self.prepared.front
        for callback in self.callbacks:
            if getattr(callback, "best_weights", None):
                return [*front, *callback.best_weights], callback.best_epoch + 1
        model = self.prepared.model
        if self.recipe.training.ema is not None and int(model.optimizer.iterations):
            model.optimizer.finalize_variable_values(model.trainable_variables)
        return [*front, *model.get_weights()], self.progress.epoch


COLUMNS = ("loss", "accuracy", "mae", "val_loss", "val_accuracy", "val_mae", "learning_rate")


def memory_callbacks(recipe: Recipe) -> list[Any]:
    """Return the callbacks that remember something: early stopping, reduce-on-plateau."""
    import keras

    stopping, training = recipe.training.early_stopping, recipe.training
    result: list[Any] = []
    if plateau := training.reduce_on_plateau:
        result.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor=plateau.monitor,
                factor=plateau.factor,
                patience=plateau.patience,
                min_lr=plateau.min_learning_rate,
            )
        )
    if stopping is not None or training.restore_best_weights:
        stop: Any = keras.callbacks.EarlyStopping  # its min_delta is annotated as an int
        result.append(
            stop(
                monitor=stopping.monitor if stopping else "val_loss",
                patience=stopping.patience if stopping else training.epochs,
                min_delta=stopping.min_delta if stopping else 0.0,
                restore_best_weights=training.restore_best_weights,
            )
        )
    return result


def epoch_line(epoch: int, epochs: int, logs: dict[str, float]) -> str:
    """Return `epoch  3/20  loss 0.1234  accuracy 0.9612  val_loss …` for one epoch."""
    width = len(str(epochs))
    values = "  ".join(f"{key} {value:<7.4g}" for key, value in logs.items()).rstrip()
    return f"epoch {epoch:>{width}}/{epochs}  {values}"
