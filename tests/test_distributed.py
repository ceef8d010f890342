"""Several devices and processes train one model: equal weights everywhere, or a plain refusal."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from dlcourse import training
from dlcourse.commands.train import main
from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.errors import RecipeError
from dlcourse.runs import read_run
from dlcourse.training import batches, distributed

needs_jax = pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed: see .ci/run")
ROOT = Path(__file__).parent.parent
# 608 examples to train on, which two devices share; a CNN with all that is random or of a batch
RECIPE = """
dataset: {name: digits, classes: [5, 6, 7, 8, 9]}
model: {name: cnn, filters: [4], hidden: [8], batch_norm: true, dropout: 0.2}
training:
  epochs: 3
  batch_size: 64
  learning_rate: 0.005
  augmentation: {shift: 0.1, rotate: 10}
  distribute: data_parallel
"""
# As `_work` trains, but each process keeps its run, to compare the states.
BOTH = """
import sys
import jax

coordinator, number, folder = sys.argv[1:]
jax.distributed.initialize(coordinator, 2, int(number))
from dlcourse.configuration.recipe import load_recipe
from dlcourse.training import train

train(load_recipe("recipe.yaml"), folder, name=f"run{number}", bar=False)
jax.distributed.shutdown()
"""


def environment(**more):
    """Return the variables of a process on JAX, on one CPU device."""
    own = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **own, "XLA_FLAGS": "", **more}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def starter(folder):
    """Give a function that starts a process in a folder; what is left is killed in the end."""
    Path(folder, "recipe.yaml").write_text(RECIPE)
    started = []

    def run(*arguments, **variables):
        command = [sys.executable, *map(str, arguments)]
        how = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": folder}
        own = environment(**variables)
        started.append(subprocess.Popen(command, start_new_session=True, env=own, **how))
        return started[-1]

    yield run
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with starter(tmp_path) as run:
        yield run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of uninterrupted runs: on one device, and run0 and run1 of two processes."""
    folder = tmp_path_factory.mktemp("whole")
    with starter(folder) as run:
        address = f"127.0.0.1:{free_port()}"
        pair = [run("-c", BOTH, address, number, "runs") for number in (0, 1)]
        assert [ended(process)[0] for process in pair] == [0, 0]
        assert ended(run("-m", "dlcourse.train", *NEW, "training.distribute=null"))[0] == 0
    return folder / "runs"


@pytest.fixture
def train(start):
    """Return a function that starts `dlcourse train` as one of two processes."""
    port = free_port()

    def run(number, *arguments, wait=60, count=2, **variables):
        place = ("--coordinator", f"127.0.0.1:{port}", "--wait", wait)
        given = ("--processes", count, "--process", number) if count else ()
        return start("-m", "dlcourse.train", *place, *given, *arguments, **variables)

    return run


NEW = ("--config", "recipe.yaml", "--name", "run")


def ended(process):
    """Return the exit code and the lines of a process."""
    text, _ = process.communicate(timeout=180)
    return process.returncode, text.strip().splitlines()


def until(process, pattern):
    """Read lines of a process until one has the pattern."""
    for line in process.stdout:
        if re.search(pattern, line):
            return
    raise AssertionError(f"no line with {pattern}")


def worker(process):
    """Return the process id of the worker that a process has started."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        _, _, rest = status.read_text().rpartition(")")
        started_by = int(rest.split()[1])
        if started_by == process.pid and b"spawn_main" in (status.parent / "cmdline").read_bytes():
            return int(status.parent.name)
    raise AssertionError("no worker")


def arrays(folder):
    with np.load(Path(folder, "state.npz")) as file:
        return {key: file[key] for key in file.files if key != "meta"}


def are_equal(one, other):
    assert one.keys() == other.keys()
    return all(np.array_equal(one[key], other[key]) for key in one)


@needs_jax
def test_two_processes_have_the_same_weights_bit_by_bit_and_the_losses_of_one(whole):
    assert are_equal(arrays(whole / "run0"), arrays(whole / "run1"))
    assert not (whole / "run1" / "metrics.json").exists()  # process 0 alone evaluates and saves
    one, two = read_run(whole / "run"), read_run(whole / "run0")
    for key in ("loss", "val_loss"):  # the sums over a batch have another order
        np.testing.assert_allclose(two.history[key], one.history[key], rtol=1e-4)
    assert abs(two.metrics["test"]["loss"] - one.metrics["test"]["loss"]) < 1e-4
    assert (two.environment["devices"], two.environment["processes"]) == (2, 2)


@needs_jax
def test_two_devices_of_one_process_train_as_one_device_does(start, whole):
    two = "--xla_force_host_platform_device_count=2"
    code, lines = ended(start("-m", "dlcourse.train", *NEW, XLA_FLAGS=two))
    assert code == 0, lines
    assert any(
        "2 devices in 1 processes share every batch; each epoch leaves out 0" in line
        for line in lines
    )
    one, two = read_run(whole / "run"), read_run("runs/run")
    for key in ("loss", "val_loss"):
        np.testing.assert_allclose(two.history[key], one.history[key], rtol=1e-4)


@needs_jax
def test_a_killed_training_says_how_to_go_on_and_ends_as_the_uninterrupted_one(start, train, whole):
    killed = [train(number, *NEW) for number in (0, 1)]
    until(killed[0], "epoch 1")
    os.kill(worker(killed[1]), signal.SIGKILL)
    for number, process in enumerate(killed):
        code, lines = ended(process)
        assert code == 1
        assert lines[-1].startswith(f"process {number} of 2: it or another process was lost")
        assert lines[-1].endswith("start all 2 again with --resume runs/run")
    shutil.copytree("runs/run", "runs/alone")
    assert ended(start("-m", "dlcourse.train", "--resume", "runs/alone"))[0] == 0
    assert len(read_run("runs/alone").history["loss"]) == 3
    resumed = [train(number, "--resume", "runs/run") for number in (0, 1)]
    assert [ended(process)[0] for process in resumed] == [0, 0]
    assert are_equal(arrays("runs/run"), arrays(whole / "run0"))
    assert read_run("runs/run").history == read_run(whole / "run0").history
    assert read_run("runs/run").metrics["test"] == read_run(whole / "run0").metrics["test"]


@needs_jax
@pytest.mark.parametrize("stop", ["SIGTERM of one", "Ctrl-C in one terminal", "SIGKILL of one"])
def test_a_stop_of_one_process_stops_all_after_the_same_step_with_one_state(train, stop):
    pair = [train(number, *NEW, "training.epochs=500") for number in (0, 1)]
    until(pair[0], "epoch +2")
    if stop == "SIGTERM of one":
        pair[1].send_signal(signal.SIGTERM)
    elif stop == "SIGKILL of one":
        pair[1].kill()  # its worker remains, and stops
    else:
        os.killpg(pair[1].pid, signal.SIGINT)
    code, lines = ended(pair[0])
    assert code == (130 if "Ctrl" in stop else 143), lines
    at = re.search(r"interrupted in (.*): start all 2 again with --resume runs/run$", lines[-1])
    assert at, lines
    if "KILL" not in stop:
        other, lines = ended(pair[1])
        assert (other, f"interrupted in {at[1]}" in lines[-1]) == (code, True)
    state = "inside_state.npz" if "steps" in at[1] else "state.npz"
    assert Path("runs/run", state).exists()


@needs_jax
@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"count": 3}, r"2 joined, but their --processes are \[2, 3\]"),
        ({"more": ["training.epochs=4"]}, "process 1 has another recipe or other data"),
        ({"both": ["training.batch_size=33"]}, "2 devices cannot share 33 examples"),
    ],
)
def test_processes_that_do_not_fit_are_refused_in_one_line_by_each(train, other, reason):
    both = other.pop("both", [])
    first = train(0, *NEW, *both)
    second = train(1, *NEW, *both, *other.pop("more", []), **other)
    for process in (first, second):
        code, lines = ended(process)
        assert (code, len(lines)) == (2, 1), lines
        assert re.search(reason, lines[0])
    assert not Path("runs").exists()


@needs_jax
def test_who_does_not_come_or_comes_twice_is_told_of_in_one_line(train):
    alone, began = train(1, *NEW, wait=2), time.monotonic()
    code, lines = ended(alone)
    assert (code, len(lines)) == (2, 1), lines
    assert "process 1 of 2: the 2 processes did not meet within 2 s: is process 0 at" in lines[0]
    assert time.monotonic() - began < 60
    three = [train(number, *NEW, wait=5, count=3) for number in (0, 1, 1)]
    for process in three:
        code, lines = ended(process)
        assert (code, len(lines)) == (2, 1), lines
        assert "has each its own --process" in lines[0]
    assert not Path("runs").exists()


@needs_jax
def test_a_run_that_a_process_cannot_read_is_not_resumed(train):
    code, lines = ended(train(1, "--resume", "runs/elsewhere", wait=2))
    assert (code, lines) == (2, ["runs/elsewhere: no such run"])


@needs_jax
def test_slurm_and_kubernetes_tell_the_numbers(train):
    slurm = {"SLURM_NTASKS": "4", "SLURM_PROCID": "3"}
    code, lines = ended(train(0, *NEW, wait=1, count=0, **slurm))
    assert (code, lines[0][:14]) == (2, "process 3 of 4")
    indexed = train(0, *NEW, "--processes", 5, wait=1, count=0, JOB_COMPLETION_INDEX="4")
    assert ended(indexed)[1][0][:14] == "process 4 of 5"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--coordinator", "node1:29400"], "several processes train on JAX alone"),
        (["--coordinator", "node1"], "HOST:PORT is expected"),
        (["--coordinator", "n:1", "--processes", "2"], "--process K, from 0 to N - 1"),
        (["--coordinator", "n:1", "--processes", "1", "--process", "0"], "2 or more"),
        (["--coordinator", "n:1", "--processes", "2", "--process", "2"], "from 0 to N - 1"),
        (["--coordinator", "n:1", "--processes", "2", "--process", "0"], "with --name, the same"),
        (
            ["--coordinator", "n:1", "--processes", "2", "--process", "0", "--name", "x", "--xray"],
            "--xray is for one process",
        ),
    ],
)
def test_a_place_that_is_not_one_is_refused_in_one_line(arguments, reason, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow" if "JAX" in reason else "jax")
    for name in ("SLURM_NTASKS", "SLURM_PROCID", "JOB_COMPLETION_INDEX"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit) as end:
        main(["--config", "digits_cnn", *arguments])
    assert end.value.code == 2
    assert re.fullmatch(rf".*--coordinator: .*{re.escape(reason)}.*\n", capsys.readouterr().err)


@pytest.mark.skipif(os.environ.get("KERAS_BACKEND", "tensorflow") == "jax", reason="it is JAX")
def test_other_backends_refuse_to_distribute_with_the_place_and_the_cure(tmp_path):
    recipe = recipe_from_text(RECIPE, "mine.yaml")
    with pytest.raises(RecipeError, match=r"mine.yaml:9:15: 'training.distribute': .*JAX alone"):
        training.train(recipe, tmp_path / "runs")
    assert not list(tmp_path.iterdir())
    training.prepare(recipe)  # a study of a recipe needs one device


def test_features_of_a_frozen_base_are_not_distributed():
    with pytest.raises(RecipeError, match=r"'model.cache_features': .* set it to false"):
        recipe_from_text(
            "dataset: {name: digits}\n"
            "model: {name: transfer, base: b.keras, cache_features: true}\n"
            "training: {distribute: data_parallel}\n"
        )


@pytest.fixture
def three_devices(monkeypatch):
    """Three devices, one per process; this is process 1."""
    for module in (distributed, batches):
        monkeypatch.setattr(module, "sharers", lambda: (3, 1, 3))


@pytest.mark.usefixtures("three_devices")
def test_an_epoch_leaves_out_fewer_rows_than_devices_and_others_each_time():
    assert [distributed.in_whole_shares(n) for n in (9, 10, 11, 2)] == [9, 9, 9, 0]
    left = [set(range(11)) - set(batches.epoch_order(11, seed=0, epoch=e)[:9]) for e in range(4)]
    assert len(set(map(frozenset, left))) > 1


@pytest.mark.usefixtures("three_devices")
def test_the_processes_read_each_batch_once_and_every_validation_row():
    rows = batches.epoch_order(12, seed=3, epoch=2)
    parts = []
    for number in range(3):
        distributed.sharers = lambda number=number: (3, number, 3)
        parts.append(distributed.own(rows))
    np.testing.assert_array_equal(np.concatenate(parts), rows)
    x, y = np.arange(10.0)[:, None], np.arange(10)
    kept, _ = batches.validation_batches(x, y, batch_size=4)
    assert kept is x  # each device evaluates all of it


def test_several_devices_of_a_process_count_each_validation_row_equally(monkeypatch):
    monkeypatch.setattr(batches, "sharers", lambda: (4, 0, 1))
    x, y = np.arange(7.0)[:, None], np.arange(7)
    given = batches.validation_batches(x, y, batch_size=2)
    seen = np.concatenate([given[i][1] for i in range(len(given))])
    assert np.bincount(seen).tolist() == [4] * 7
    assert all(len(given[i][1]) % 4 == 0 for i in range(len(given)))
