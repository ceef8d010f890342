"""A training that was interrupted anywhere ends as the one that was not: bit for bit."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from dlcourse.configuration.recipe import Recipe
from dlcourse.errors import InterruptedTraining, RecipeError, RunError
from dlcourse.runs import locked, read_run, write_sealed
from dlcourse.runs.state import read_state
from dlcourse.training import Fit, StopRequest, prepare, resume, train

ROOT = Path(__file__).parent.parent
KINDS = {
    "dnn with dropout, reduce on plateau": {
        "dataset": {"name": "points", "n": 300},
        "model": {"name": "dnn", "hidden": [8], "dropout": 0.3},
        "training": {  # the first epoch stays the best
            "reduce_on_plateau": {"patience": 1},
            "early_stopping": {"patience": 3, "min_delta": 10},
        },
    },
    "cnn with batch norm, noise, augmentation, schedule": {
        "dataset": {"name": "digits"},
        "model": {
            "name": "cnn",
            "filters": [4],
            "hidden": [8],
            "batch_norm": True,
            "noise": 0.1,
            "dropout": 0.2,
        },
        "training": {
            "steps_per_execution": 1,
            "batch_size": 128,
            "augmentation": {"shift": 0.1, "rotate": 5},
            "schedule": {"name": "one_cycle"},
            "label_smoothing": 0.1,
            "class_weights": "balanced",
        },
    },
    "batch sizes by stages, averaged weights, clean epochs": {
        "dataset": {"name": "digits"},
        "model": {"name": "cnn", "filters": [4], "hidden": [8], "batch_norm": True},
        "training": {
            "steps_per_execution": 1,
            "batch_size": [64, 128, 256],
            "ema": 0.9,
            "augmentation": {"shear": 0.1, "zoom": 0.1, "flip": "horizontal", "fill": "black"},
            "clean_epochs": 2,
            "schedule": {"name": "linear", "warmup": 0.2},
        },
    },
    "lstm with dropout": {
        "dataset": {"name": "digits"},
        "model": {"name": "rnn", "units": 6, "dropout": 0.2},
        "training": {
            "steps_per_execution": 1,
            "batch_size": 128,
            "optimizer": {"name": "sgd", "momentum": 0.9},
        },
    },
}


SLOW = pytest.mark.slow


def recipe(kind=KINDS["dnn with dropout, reduce on plateau"], **training):
    settings = {"epochs": 4, "deterministic": True, "steps_per_execution": 2}
    settings |= {**kind["training"], **training}
    return Recipe.model_validate({**kind, "seed": 3, "training": settings})


class After(StopRequest):
    """Asks to stop once `asked` has been looked at `times` times: a signal at a chosen instant."""

    def __init__(self, times):
        self.times = times

    @property
    def signal(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        self.times -= 1
        return signal.SIGTERM if self.times < 0 else None


def outcome(run):
    """All that must be equal: the state's arrays and history, the model's weights, the metrics."""
    state = np.load(run.path / "state.npz")
    meta = json.loads(str(state["meta"]))
    arrays = {name: state[name].tobytes() for name in state.files if name != "meta"}
    metrics = {key: value for key, value in run.metrics.items() if "seconds" not in key}
    del metrics["model_sha256"]  # a .keras file holds the time of its writing
    weights = [weight.tobytes() for weight in run.model.get_weights()]
    history = (run.path / "history.csv").read_text()
    return arrays, meta["callbacks"], meta["progress"]["history"], metrics, weights, history


@pytest.fixture(
    scope="module",
    params=[pytest.param(kind, marks=[] if kind.startswith("cnn") else SLOW) for kind in KINDS],
)
def uninterrupted(request, tmp_path_factory):
    given = recipe(KINDS[request.param])
    return given, train(given, tmp_path_factory.mktemp("whole"), bar=False)


LOOKS = [pytest.param(0, marks=SLOW), pytest.param(3, marks=SLOW), 9]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The training of `recipe()` that nothing interrupted."""
    return train(recipe(), tmp_path_factory.mktemp("whole"), name="whole", bar=False)


@pytest.fixture
def copy(whole, tmp_path):
    """The same in a folder of its own, to be damaged or to go on."""
    return read_run(shutil.copytree(whole.path, tmp_path / "copy"))


@pytest.mark.parametrize("looks", LOOKS)
def test_an_interrupted_training_ends_bit_equal(uninterrupted, looks, tmp_path):
    given, whole = uninterrupted
    with pytest.raises(InterruptedTraining, match="interrupted in epoch"):
        train(given, tmp_path, name="part", bar=False, stop=After(looks))
    assert not read_run(tmp_path / "part").finished
    assert outcome(resume(read_run(tmp_path / "part"), bar=False)) == outcome(whole)


def test_a_training_interrupted_at_every_turn_ends_bit_equal(whole, tmp_path):
    turns = 0
    with pytest.raises(InterruptedTraining):
        train(recipe(), tmp_path, name="part", bar=False, stop=After(2))
    while True:
        turns += 1
        try:
            run = resume(read_run(tmp_path / "part"), bar=False, stop=After(3))
            break
        except InterruptedTraining:
            continue
    assert turns > 3
    assert outcome(run) == outcome(whole)


@pytest.mark.parametrize("instant", ["before the first state", "after an epoch", "in the saving"])
def test_a_training_that_crashed_ends_bit_equal(instant, whole, tmp_path, monkeypatch):
    class Crash(BaseException):
        pass

    target = {
        "before the first state": "dlcourse.runs.state.save_state",
        "after an epoch": "dlcourse.training.fitting.write_history",
        "in the saving": "dlcourse.training.write_file",
    }[instant]

    def crash(*_, **__):
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(target, crash)
        with pytest.raises(Crash):
            train(recipe(), tmp_path, name="part", bar=False)
    (tmp_path / "part" / ".half-written-x.npz").write_text("left by a killed process")
    assert outcome(resume(read_run(tmp_path / "part"), bar=False)) == outcome(whole)
    assert not list((tmp_path / "part").glob(".half*"))


def test_checkpoint_every_saves_within_the_epoch(tmp_path, monkeypatch):
    saved = []
    original = Fit._save

    def save(self, *, step):
        saved.append((self.progress.epoch, step))
        original(self, step=step)

    monkeypatch.setattr(Fit, "_save", save)
    train(recipe(epochs=2, batch_size=20, checkpoint_every=3), tmp_path, bar=False)
    # two steps per call, eleven per epoch
    assert saved == [(0, 4), (0, 8), (1, 0), (1, 4), (1, 8), (2, 0)]
    saved.clear()
    chosen = {"epochs": 1, "batch_size": 20, "checkpoint_every": 3, "steps_per_execution": None}
    train(recipe(**chosen), tmp_path, bar=False)  # a call takes no more steps than that
    assert saved == [(0, 3), (0, 6), (0, 9), (1, 0)]


def test_two_runs_of_one_recipe_are_bit_equal(whole, tmp_path):
    """With training.deterministic, on one machine; other thread counts or devices may differ."""
    text = (whole.path / "recipe.yaml").read_text()
    from dlcourse.configuration.recipe import recipe_from_text

    second = train(recipe_from_text(text), tmp_path, name="b", bar=False)
    assert outcome(whole) == outcome(second)


def test_a_finished_run_says_so_and_does_nothing(copy):
    run = copy
    before = {path: path.stat().st_mtime_ns for path in run.path.iterdir() if path.name[0] != "."}
    lines: list[str] = []
    resume(run, report=lines.append, bar=False)
    assert lines == [f"{run.path} is finished: there is nothing left to train"]
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_more_epochs_go_on_from_the_end_as_if_asked_for_at_once(whole, tmp_path):
    short = train(recipe(epochs=2), tmp_path, name="short", bar=False)
    copy = shutil.copytree(short.path, tmp_path / "copy")
    assert outcome(resume(short, recipe(epochs=4), bar=False)) == outcome(whole)
    short = read_run(copy)
    with pytest.raises(InterruptedTraining):  # and those epochs too may be interrupted
        resume(short, recipe(epochs=4), bar=False, stop=After(3))
    assert not read_run(copy).finished
    assert outcome(resume(read_run(copy), bar=False)) == outcome(whole)


def test_a_changed_recipe_is_refused_with_the_keys_that_differ(copy, tmp_path):
    run = copy
    with pytest.raises(
        RecipeError, match=r"changed: training\.batch_size 32 → 16, training\.epochs"
    ):
        resume(run, recipe(epochs=5, batch_size=16), bar=False)
    with pytest.raises(RecipeError, match=r"a resumed run may only have more training\.epochs"):
        resume(run, recipe(epochs=1), bar=False)
    scheduled = recipe(epochs=2, reduce_on_plateau=None, schedule={"name": "cosine"})
    run = train(scheduled, tmp_path, name="b", bar=False)
    longer = scheduled.model_copy(
        update={"training": scheduled.training.model_copy(update={"epochs": 3})}
    )
    with pytest.raises(RecipeError, match="its schedule is planned for 2 epochs"):
        resume(run, longer, bar=False)


def test_more_epochs_are_refused_where_the_batch_sizes_are_laid_out_over_them(tmp_path):
    staged = recipe(epochs=2, batch_size=[32, 64])
    run = train(staged, tmp_path, name="a", bar=False)
    with pytest.raises(RecipeError, match="its list of batch sizes is planned for 2 epochs"):
        resume(run, recipe(epochs=3, batch_size=[32, 64]), bar=False)


def test_more_epochs_are_refused_where_the_last_ones_were_clean(tmp_path):
    clean = {"augmentation": {"shift": 0.1}, "clean_epochs": 1}
    kind = {"dataset": {"name": "digits"}, "model": {"name": "softmax_regression"}, "training": {}}
    short, longer = (recipe(kind, epochs=n, **clean) for n in (2, 3))
    run = train(short, tmp_path, name="a", bar=False)
    with pytest.raises(RecipeError, match="its clean_epochs is planned for 2 epochs"):
        resume(run, longer, bar=False)


def test_a_state_inside_an_epoch_that_has_ended_is_left_alone(tmp_path):
    """A process may be killed between the saving at an epoch's end and its clearing up."""
    with pytest.raises(InterruptedTraining):
        train(recipe(epochs=2), tmp_path, name="part", bar=False, stop=After(2))
    inside = (tmp_path / "part" / "inside_state.npz").read_bytes()
    whole = train(recipe(epochs=2), tmp_path, name="whole", bar=False)
    before = outcome(whole)
    assert not (whole.path / "inside_state.npz").exists()
    (whole.path / "inside_state.npz").write_bytes(inside)
    (whole.path / "metrics.json").unlink()
    assert outcome(resume(read_run(whole.path), bar=False)) == before


@pytest.mark.parametrize(
    ("keep", "stops"),
    [
        pytest.param(True, [12], id="best"),
        pytest.param(True, [1, 6, 15], id="best, everywhere", marks=SLOW),
        pytest.param(False, [1, 12, 15], id="last, everywhere", marks=SLOW),
    ],
)
def test_averaged_weights_and_stages_end_bit_equal_wherever_they_stop(keep, stops, tmp_path):
    own = {"batch_size": [20, 50], "ema": 0.8, "restore_best_weights": keep}
    given = recipe(**own, early_stopping=None, reduce_on_plateau=None, checkpoint_every=2)
    whole = train(given, tmp_path, name="whole", bar=False)
    for looks in stops:  # to 6 in the first stage, from 12 in the second
        with pytest.raises(InterruptedTraining):
            train(given, tmp_path, name=f"part{looks}", bar=False, stop=After(looks))
        assert outcome(resume(read_run(tmp_path / f"part{looks}"), bar=False)) == outcome(whole)


def test_a_second_process_on_a_run_is_refused(copy):
    run = copy
    command = [sys.executable, "-m", "dlcourse.train", "--resume", str(run.path)]
    with locked(run):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"{run.path}: another process is training this run\n"


def test_data_that_changed_since_is_refused(copy):
    run = copy
    write_sealed(run.path / "dataset.json", {**asdict(run.facts), "fingerprint": "0"})
    with pytest.raises(RunError, match="the data has changed since this training began"):
        resume(read_run(run.path), recipe(epochs=5), bar=False)


@pytest.mark.parametrize("damage", ["cut", "text", "another shape", "more variables"])
def test_a_damaged_state_is_one_line(damage, copy):
    run, path = copy, copy.path / "state.npz"
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "text":
        path.write_bytes(b"hello")
    else:
        with np.load(path) as state:
            arrays = dict(state)
        name = "model_0" if damage == "another shape" else "model_99"
        np.savez(path, **{**arrays, name: np.zeros((7, 7))})
    with pytest.raises(RunError, match=r"cannot be resumed|instead of|of another model"):
        resume(run, recipe(epochs=5), bar=False)


def test_a_flipped_bit_in_the_state_is_found_or_harmless(copy):
    path = copy.path / "state.npz"
    content, (progress, arrays) = path.read_bytes(), read_state(path)
    found = 0
    for position in np.random.default_rng(0).integers(0, len(content), 100):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            again, others = read_state(path)
        except RunError:
            found += 1
            continue
        assert again == progress  # padding or a date in the archive
        assert all(np.array_equal(others[name], arrays[name]) for name in arrays)
    assert found > 30


CONFIG = """
dataset: {name: digits}
model: {name: dnn, hidden: [16], dropout: 0.2}
training: {epochs: 400, steps_per_execution: 1, deterministic: true}
"""


def start(tmp_path):
    (tmp_path / "x.yaml").write_text(CONFIG)
    command = [
        sys.executable,
        "-m",
        "dlcourse.train",
        "--config",
        str(tmp_path / "x.yaml"),
    ]
    process = subprocess.Popen(
        [*command, "--runs", str(tmp_path), "--name", "run"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "history.csv").exists():  # an epoch is done
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return process


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=SLOW)],
)
def test_a_signal_saves_says_how_to_go_on_and_sets_the_exit_code(number, code, tmp_path):
    process = start(tmp_path)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "interrupted in epoch" in err
    assert f"go on with: python -m dlcourse.train --resume {tmp_path}/run" in err
    assert "Traceback" not in err
    fit = Fit(read_recipe(tmp_path), prepare(read_recipe(tmp_path)), read_run(tmp_path / "run"))
    assert fit.progress.epoch > 0


def read_recipe(tmp_path):
    from dlcourse.configuration.recipe import load_recipe

    return load_recipe(tmp_path / "run" / "recipe.yaml")


def test_a_second_signal_quits_at_once_and_the_run_can_go_on(tmp_path):
    process = start(tmp_path)
    os.kill(process.pid, signal.SIGSTOP)  # so that both wait when it goes on
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    os.kill(process.pid, signal.SIGCONT)
    process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGINT, -signal.SIGTERM, 130, 143)
    fit = Fit(read_recipe(tmp_path), prepare(read_recipe(tmp_path)), read_run(tmp_path / "run"))
    assert fit.progress.epoch > 0
