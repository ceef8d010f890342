"""Train a recipe of generation, in steps that resume exactly: `fit`, `resume`."""

import contextlib
import math
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from dlcourse import runs as files
from dlcourse.datasets import Dataset, fingerprint
from dlcourse.errors import DivergedError, InterruptedTraining, RecipeError, RunError
from dlcourse.files import DAMAGED, read_arrays, write_file
from dlcourse.generation.networks import BUILDERS
from dlcourse.generation.quality import Quality
from dlcourse.generation.recipe import GenerationRecipe, Training, recipe_of
from dlcourse.heavy import keras
from dlcourse.quiet import import_keras, write
from dlcourse.runs import Run, read_run
from dlcourse.runs.state import STATE, Progress, read_state, restore_model, save_state
from dlcourse.training import StopRequest, record, with_its_data
from dlcourse.training.batches import epoch_order, seed_step
from dlcourse.training.fitting import epoch_line

SAMPLES = "samples.npz"


def fit(
    recipe: Any = None,
    *overrides: str,
    runs: str | Path = "runs",
    name: str | None = None,
    verbose: bool = True,
    **settings: Any,
) -> Run:
    """Return the run of a recipe of generation: trained, measured and saved.

    Its `model` is the generator of a `gan`, or the `autoencoder`. Ctrl-C saves the training and
    ends it; `resume` continues it exactly.

    Args:
        recipe, overrides, settings: Recipe and its changes, see `recipe_of`.
        runs: Folder of all runs.
        name: Name of the run; None gives `<recipe>-<time>`.
        verbose: Whether to print one line per epoch that is measured, and the result.

    Raises:
        RecipeError: The recipe is not valid.
        DatasetError: The data is missing or broken.
        RunError: The name of the run exists already, or its folder cannot be written.
        DivergedError: A loss became NaN or infinite.
        InterruptedTraining: Ctrl-C; the text says how to go on.
    """
    wanted = recipe_of(recipe, *overrides, **settings)
    files.check_name(runs, name)
    data = wanted.load_dataset()
    import_keras()  # it takes seconds: a Ctrl-C by then leaves no folder
    run = files.create_run(runs, wanted.name, name)
    with files.locked(run):
        report = write if verbose else lambda _: None
        return _train(with_its_data(wanted, run), data, run, report)


def resume(run: "Run | str | Path", *, epochs: int | None = None, verbose: bool = True) -> Run:
    """Return the run, trained to the end exactly as if it had never been interrupted.

    Args:
        run: Interrupted run, or its folder; a finished run is returned unchanged.
        epochs: Total number of epochs, to train a finished run further; None keeps the recipe's.
        verbose: Whether to print the progress.

    Raises:
        RecipeError: `epochs` is less than the recipe's.
        RunError: The run is damaged, in use, or its data has changed.
        DatasetError, DivergedError, InterruptedTraining: See `fit`.
    """
    run, report = read_run(run), write if verbose else lambda _: None
    run.forget()
    with files.locked(run):
        stored = recipe_of(run)
        wanted = stored if epochs is None else recipe_of(run, epochs=epochs)
        if wanted.training.epochs < stored.training.epochs:
            raise RecipeError(f"{run.path}: it was to train {stored.training.epochs} epochs")
        if run.finished and wanted == stored:
            report(f"{run!r}")
            return run
        return _train(wanted, _data(wanted, run), run, report)


def quality_of(run: Run) -> Quality:
    """Return the measurements of a run: `quality_of(run).measure(run.model, "test")`.

    Raises:
        RunError: The data has changed since the training.
        DatasetError: It is missing or broken.
    """
    recipe = recipe_of(run)
    return Quality(_data(recipe, run), recipe.model.name, run.path, recipe.seed)


def _data(recipe: GenerationRecipe, run: Run) -> Dataset:
    data = recipe.load_dataset()
    if run.facts.fingerprint != fingerprint(data):
        raise RunError(f"{run.path}: the data has changed since this training began")
    return data


def _train(recipe: GenerationRecipe, data: Dataset, run: Run, report: Any) -> Run:
    trainer = Trainer(recipe, data, run)  # first: a damaged state leaves a finished run as it is
    (run.path / "metrics.json").unlink(missing_ok=True)
    record(run, recipe, data)
    report(f"run  {run.path}, seed {recipe.seed}; a line where the quality is measured")
    with StopRequest(signal.default_int_handler) as stop:
        trainer.train(report, stop)
    with trainer.averaged():
        numbers = trainer.quality.measure(trainer.model, "test")
        write_file(run.path / "model.keras", trainer.model.save)
    done = trainer.progress
    last = {name: values[-1] for name, values in done.history.items()}
    losses = [name for name in last if name.endswith("loss")]
    metrics: Any = {"train": {name: last.pop(name) for name in losses}, "val": last}
    metrics |= {"test": numbers, "reference": trainer.quality.reference}
    metrics["parameters"] = sum(model.count_params() for model in trainer.models)
    metrics |= {"epochs_run": done.epoch, "best_epoch": done.epoch}
    metrics |= {name: round(getattr(done, name), 3) for name in ("seconds", "cpu_seconds")}
    metrics["model_sha256"] = files.sha256(run.path / "model.keras")
    files.write_sealed(run.path / "metrics.json", metrics)
    run.forget()
    report(f"\n{trainer.quality.text(numbers)}\nrun  {run.path}")
    return run


class Trainer:
    """A training of one or two Keras models, whose whole state is one file.

    Everything random is a variable of a model (dropout, noise on the inputs), or drawn from a
    generator with the key (seed, epoch, step), so that a training which goes on from the file takes
    the very steps that the other would have taken.

    Attributes:
        model: Generator or autoencoder.
        models: Models with weights of their own: generator and discriminator, or the autoencoder.
        compiled: Models that take the steps: for a GAN both in one, and the discriminator.
        progress: Progress of the training; its history has the losses of each epoch and, where it
            was measured, the quality, elsewhere NaN.
        sums: Sums of the losses over the steps of the current epoch.
        samples: Images `(classes, height, width, channels)` at each measurement, always of the same
            noise or the same test images; the first are of the untrained model.
    """

    def __init__(self, recipe: GenerationRecipe, data: Dataset, run: Run):
        self.recipe, self.data, self.run = recipe, data, run
        self.progress, self.clock = Progress(), (time.perf_counter(), time.process_time())
        self.sums: dict[str, float] = {}
        kind, build = recipe.model.name, BUILDERS[recipe.model.name]
        keras.utils.set_random_seed(recipe.seed)
        shape, count = data.input_shape, len(data.class_names)
        built = build(shape, count, data.value_range, **recipe.settings("model"))
        self.models = list(built) if kind == "gan" else [built]
        self.take = self._gan_step if kind == "gan" else self._autoencoder_step
        self.model: Any = self.models[0]
        self.compiled: list[Any] = _compiled(self.models, recipe.training)
        self.one_hot = np.eye(count, dtype="float32")
        self.quality = Quality(data, kind, run.path, recipe.seed)
        self.samples = [self.quality.sample(self.model)]
        values = [v for model in self.models for v in model.variables]
        learned = [v for model in self.compiled for v in model.optimizer.variables]
        self.state = SimpleNamespace(variables=values, optimizer=SimpleNamespace(variables=learned))
        if (run.path / STATE).exists():
            self.load()

    def train(self, report: Any, stop: Any) -> None:
        """Train to the last epoch; the state is saved after each, and where a stop is requested."""
        training, at = self.recipe.training, self.progress
        size, epochs, every = training.batch_size, training.epochs, training.measure_every
        steps = max(1, len(self.data.x_train) // size)  # whole batches: others would be compiled
        while at.epoch < epochs:
            order = epoch_order(len(self.data.x_train), seed=self.recipe.seed, epoch=at.epoch)
            while at.step < steps:
                if stop.signal:
                    self.save()
                    done = f"epoch {at.epoch + 1}, {at.step} of {steps} steps done", stop.signal
                    raise InterruptedTraining(self.run.path, *done, "dl.generation.resume")
                rows = np.sort(order[at.step * size : (at.step + 1) * size])
                key = (self.recipe.seed, at.epoch, at.step)
                seed_step(*key)
                for name, loss in self.take(rows, key).items():
                    self.sums[name] = self.sums.get(name, 0.0) + float(np.mean(loss))
                at.step += 1
                if not np.isfinite(sum(self.sums.values())):
                    where = f"{self.run.path}: diverged in step {at.step} of epoch {at.epoch + 1}"
                    raise DivergedError(f"{where}: a loss is not finite: lower the learning_rate")
            row = {name: total / steps for name, total in self.sums.items()}
            at.epoch, at.step, self.sums = at.epoch + 1, 0, {}
            if at.epoch == epochs or (every and at.epoch % every == 0):
                with self.averaged():
                    row |= self.quality.measure(self.model, "val")
                    self.samples.append(self.quality.sample(self.model))
                report(epoch_line(at.epoch, epochs, row))
            for name in at.history | row:
                before = at.history.setdefault(name, [math.nan] * (at.epoch - 1))
                before.append(row.get(name, math.nan))
            self.save()

    def _gan_step(self, rows: np.ndarray, key: tuple[int, ...]) -> dict[str, Any]:
        """Train the discriminator on real and on generated images, then the generator against it.

        The discriminator, a part of both models, is frozen while the generator learns.
        """
        both, discriminator = self.compiled
        random, n = np.random.default_rng(key), len(rows)
        x, y = np.asarray(self.data.x_train[rows], "float32"), self.one_hot[self.data.y_train[rows]]
        z = random.normal(size=(2, n, self.recipe.model.noise)).astype("float32")
        generated = np.asarray(self.model.predict_on_batch([z[0], y]))
        labels = np.repeat(np.array([self.recipe.training.real_label, 0], "float32"), n)[:, None]
        for model in self.compiled:
            model.reset_metrics()
        discriminator.trainable = True
        inputs = [np.concatenate([x, generated]), np.concatenate([y, y])]
        verdict_loss = discriminator.train_on_batch(inputs, labels)
        discriminator.trainable = False
        loss = both.train_on_batch([z[1], y], np.ones((n, 1), "float32"))
        return {"generator_loss": loss, "discriminator_loss": verdict_loss}

    def _autoencoder_step(self, rows: np.ndarray, _: tuple[int, ...]) -> dict[str, Any]:
        x = np.asarray(self.data.x_train[rows], "float32")
        self.model.reset_metrics()
        return {"loss": self.model.train_on_batch(x, x)}

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Give the model the average of its weights, if the recipe asks for one, and back."""
        kept = self.model.get_weights()
        if self.recipe.training.ema:
            weights = self.model.trainable_variables
            self.compiled[0].optimizer.finalize_variable_values(weights)
            # copies: JAX would delete the averages, which it shares with the model by now
            self.model.set_weights([np.array(values) for values in self.model.get_weights()])
        yield
        self.model.set_weights(kept)

    def save(self) -> None:
        """Write the samples and the state, and the history of the completed epochs."""
        before, self.clock = self.clock, (time.perf_counter(), time.process_time())
        self.progress.seconds += self.clock[0] - before[0]
        self.progress.cpu_seconds += self.clock[1] - before[1]
        write_file(self.run.path / SAMPLES, lambda path: np.savez(path, np.array(self.samples)))
        save_state(self.run.path / STATE, self.state, (), [], self.progress, sums=self.sums)
        if self.progress.history:
            files.write_history(self.run.path / "history.csv", self.progress.history)

    def load(self) -> None:
        """Restore the state.

        Raises:
            RunError: The state is damaged or belongs to another model.
        """
        path = self.run.path / STATE
        self.progress, arrays = read_state(path)
        restore_model(arrays, path, self.state)
        self.sums = arrays["meta"]["sums"]
        self.samples = samples(self.run, self.progress.history)[0]


def samples(run: Run, history: dict[str, list[float]]) -> tuple[list[np.ndarray], list[int]]:
    """Return the images that a run kept at each measurement, and the epochs; 0 is the beginning.

    The images `(classes, height, width, channels)` are always of the same noise, or the same test
    images rebuilt.

    Raises:
        RunError: The run has none, or they are damaged.
    """
    path = run.file(SAMPLES)
    measured = history.get("judge_agrees", history.get("reconstruction", []))
    epochs = [0, *(np.flatnonzero(np.isfinite(measured)) + 1).tolist()]
    try:
        return [*read_arrays(path)["arr_0"]][: len(epochs)], epochs
    except DAMAGED:
        raise RunError(f"{path}: is damaged") from None


def _compiled(models: list[Any], training: Training) -> list[Any]:
    """Return the models that take the steps, with optimizers whose variables exist already."""
    loss: Any = "mse"
    compiled = list(models)
    if len(models) == 2:
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        generator, discriminator = models
        noise, classes = generator.inputs
        judged = discriminator([generator([noise, classes]), classes])
        compiled[0] = keras.Model([noise, classes], judged, name="both")
    average = {"use_ema": True, "ema_momentum": training.ema} if training.ema else {}
    for model, trained, how in zip(compiled, models, (average, {}), strict=False):
        adam = keras.optimizers.Adam(training.learning_rate, training.beta_1, **how)
        model.compile(adam, loss)
        model.optimizer.build(trained.trainable_variables)
    return compiled
