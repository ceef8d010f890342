"""The search: its space, exactly N trials whatever is killed, test read once, its result."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("optuna", reason="the extra 'tune' is not installed")

import dlcourse as dl
from dlcourse.commands import main
from dlcourse.errors import RecipeError, UserError
from dlcourse.lab import tuning
from dlcourse.lab.tuning.space import grid, read_space, told
from dlcourse.lab.tuning.storage import Storage
from dlcourse.runs import list_runs, read_run

TINY = {"batch_size": 64, "steps_per_execution": 1}
RECIPE = {"dataset": "iris", "model": "softmax_regression", "training": {"epochs": 3, **TINY}}
RATE = {"training.learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}}
POSTGRESQL = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
PROGRAM = f"""
import sys
from functools import partial
from dlcourse.lab import tuning
tuning.Storage = partial(tuning.Storage, heartbeat=1, grace=3)
url, runs, workers, trials, epochs = sys.argv[1:]
training = {{"epochs": int(epochs), "batch_size": 64, "steps_per_execution": 1}}
recipe = {{"dataset": "iris", "model": "softmax_regression", "training": training}}
given = {{"trials": int(trials), "workers": int(workers), "storage": url or None, "runs": runs}}
try:
    said = lambda trial: print("ended", flush=True)
    print(tuning.tune(recipe, {RATE}, **given, pruner="none", study="s", report=said))
except tuning.UserError as error:
    sys.exit(f"{{error.exit_code}} {{error}}")
"""


def tune(space=RATE, recipe=RECIPE, **given):
    return tuning.tune(recipe, space, **given)


def started(runs, *, url="", workers=1, trials=6, epochs=3):
    """Return a process that runs a search."""
    command = [sys.executable, "-c", PROGRAM, url, str(runs), str(workers), str(trials)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*command, str(epochs)], **pipes)


def trials_of(url):
    import optuna

    storage = Storage(url)
    with storage.errors():
        return optuna.load_study(study_name="s", storage=storage.database).trials


def ended(url):
    """Return the numbers of the complete and pruned trials; nothing waits or runs."""
    trials = trials_of(url)
    assert {trial.state.name for trial in trials} <= {"COMPLETE", "PRUNED", "FAIL"}
    return sorted(t.user_attrs["claim"] for t in trials if t.state.name in ("COMPLETE", "PRUNED"))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished search with pruning, its runs, and the lines that it reported."""
    runs, lines = tmp_path_factory.mktemp("runs"), []
    training = {"epochs": 6, "learning_rate": 0.1, **TINY}
    recipe = {**RECIPE, "training": training}
    space = {
        "training.learning_rate": {"low": 1e-6, "high": 1.0, "log": True},
        "model.l2": {"low": 0.0, "high": 0.1},
    }
    return tune(space, recipe, trials=8, runs=runs, study="s", report=lines.append), lines


# ------------------------------------------------------------------ the space


def test_whole_bounds_are_whole_numbers_only_where_the_setting_takes_no_others():
    space, recipes = read_space(
        {
            "model.dropout": {"low": 0, "high": 0.5},
            "training.learning_rate": {"low": "1e-4", "high": 1, "log": True},
            "training.epochs": {"low": 5, "high": 9, "step": 2},
            "model.hidden": {"choices": [[16, 16], [64]]},
        },
        dl.recipe("digits_dnn"),
    )
    assert [type(entry.get("low")) for entry in space.values()] == [float, float, int, type(None)]
    drawn = recipes[-200:]
    assert {recipe.training.epochs for recipe in drawn} == {5, 7, 9}
    assert {recipe.model.hidden for recipe in drawn} == {(16, 16), (64,)}
    rates = np.log10([recipe.training.learning_rate for recipe in drawn])
    assert abs(rates.mean() + 2) < 0.4  # uniform from -4 to 0: 5 standard errors of 1.15/√200
    assert len(recipes) == 4 * 2 + 200


def test_the_shipped_space_holds_the_hyper_parameters_of_the_slides():
    space, _ = read_space("digits_dnn", dl.recipe("digits_dnn"))
    slides = "hidden activation dropout l2 learning_rate batch_size optimizer epochs"
    assert [name.partition(".")[2] for name in space] == slides.split()


def test_a_grid_has_every_point_once():
    recipe = dl.recipe("digits_dnn")
    space, _ = read_space(
        {
            "training.epochs": {"low": 2, "high": 4},
            "model.dropout": {"low": 0.0, "high": 0.5, "step": 0.25},
            "training.optimizer": {"choices": ["adam", {"name": "sgd", "momentum": 0.9}]},
        },
        recipe,
    )
    points = grid(space)
    assert len(points) == len({tuple(point.values()) for point in points}) == 3 * 3 * 2
    with pytest.raises(RecipeError, match=r"'model\.dropout': a grid needs the step"):
        grid(read_space({"model.dropout": {"low": 0.0, "high": 0.5}}, recipe)[0])


FORM = "expected {low: …, high: …} or {choices: […]}"
ALL = "a search changes settings of model and training, with the same data and seed"
FAULTS = {
    "model.dropuot: {low: 0, high: 0.5}": (
        "1:22: unknown key 'model.dropuot' (did you mean 'dropout'?)"
    ),
    "model.dropout: {low: 0, high: 1}": "1:31: 'model.dropout': expected less than 1, got 1",
    "model.dropout: [0, 0.5]": f"1:1: 'model.dropout': {FORM}, got [0, 0.5]",
    "model.dropout: {low: 0}": "1:1: 'model.dropout': range: 'high' is missing",
    "model.dropout: {low: 0, high: 0.5, logg: 1}": (
        "1:1: 'model.dropout': range: unknown setting 'logg' (did you mean 'log'?)"
    ),
    "model.dropout: {low: 0.5, high: 0.1}": "1:1: 'model.dropout': `low <= high` must hold",
    "model.dropout: {low: 0, high: 0.5, log: true}": "1:1: 'model.dropout': ",
    "model.dropout: {choices: []}": "1:1: 'model.dropout': The `choices` must contain",
    "model.dropout: {choices: 0.5}": "1:1: 'model.dropout': choices: 'choices': expected",
    "model.hidden: {choices: [[16], [0]]}": (
        "1:32: 'model.hidden.0': expected greater than or equal to 1"
    ),
    "training.optimizer: {choices: [adam, nadm]}": (
        "1:38: unknown optimizer 'nadm' (did you mean 'nadam'?)"
    ),
    "training.epochs: {low: 1, high: 5, step: 3}": (
        "1:1: 'training.epochs': The distribution is specified"
    ),
    "training.batch_size: {low: 1.5, high: 5}": (
        "1:28: 'training.batch_size': expected a valid integer"
    ),
    "seed: {low: 0, high: 9}": f"1:1: 'seed': {ALL}",
    "dataset.classes: {choices: [[1, 7]]}": f"1:1: 'dataset.classes': {ALL}",
    "dropout: {low: 0, high: 0.5}": "('dropout' is a setting of model.dnn",
    "model.l2: {low: 0, high: 0.5}\nmodel.l2: {low: 0, high: 0.4}": "2:1: duplicate key",
    "training.epochs: {low: 2, high: 9}\ntraining.early_stopping.patience: {low: 1, high: 8}": (
        "epochs without improvement do not fit into"
    ),
    "{}": "names no setting",
    "model.dropout: {low: 0, high: 0.5": "broken YAML",
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_of_a_space_is_told_with_its_place(text, tmp_path):
    (tmp_path / "space.yaml").write_text(text + "\n")
    with pytest.raises(RecipeError) as caught:
        read_space(tmp_path / "space.yaml", dl.recipe("digits_dnn"))
    assert FAULTS[text] in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "space.yaml"))
    assert len(str(caught.value).splitlines()) == 1


def test_an_unknown_name_of_a_space_is_told_with_what_is_similar():
    with pytest.raises(RecipeError, match=r"'digits_dn' \(did you mean 'digits_dnn'\?\)"):
        read_space("digits_dn", dl.recipe("digits_dnn"))


def test_settings_are_told_in_one_short_line():
    point = {"model.dropout": 0.12345, "training.optimizer": {"name": "sgd", "momentum": 0.9}}
    assert told(point) == "dropout 0.123, optimizer sgd(momentum=0.9)"


# ------------------------------------------------------------------ a search


def test_every_trial_ends_and_is_told_once(done):
    found, lines = done
    assert sorted(trial.number for trial in lines) == list(range(8))
    assert {trial.state for trial in lines} == {"complete", "pruned"}
    assert sorted(found.trials) == sorted(lines)


def test_the_best_alone_is_measured_on_test(done):
    found, _ = done
    runs = list_runs(found.search.folder)
    assert len(runs) == 8
    read = [run.name for run in runs if run.metrics["test"]]
    assert read == [run.name for run in runs if run.test_read] == [found.run.name]
    assert all(run.metrics["test_read"] is False for run in runs if run.name != found.run.name)
    fresh = dl.evaluate(found.run)["test"]
    assert found.run.metrics["test"] == pytest.approx(fresh, rel=1e-6)  # float32 outputs


def test_the_value_is_the_validation_loss_of_the_kept_weights_without_penalty(done):
    found, _ = done
    best = found.trials[0]
    assert best.value == min(t.value for t in found.trials if t.state == "complete")
    assert best.value == found.run.metrics["val"]["loss"]
    penalised = [t for t in found.trials if t.state == "complete" and t.settings["model.l2"] > 1e-3]
    for trial in penalised:
        run = read_run(trial.run)
        assert trial.value < min(run.history["val_loss"])


def test_a_trial_is_the_run_that_its_recipe_gives(done, tmp_path):
    found, _ = done
    again = dl.fit(found.recipe, runs=tmp_path, verbose=0)
    assert again.metrics["val"] == found.run.metrics["val"]
    assert again.metrics["test"] == pytest.approx(found.run.metrics["test"], rel=1e-6)


def test_a_pruned_trial_is_a_whole_run_that_says_so(done):
    found, _ = done
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    for trial in pruned:
        run = read_run(trial.run)
        assert run.metrics["pruned"].startswith("worse than others after epoch")
        assert run.metrics["epochs_run"] == trial.epochs < trial.planned == 6
        assert run.model.count_params()
    assert "trials after" in str(found)


def test_the_best_recipe_is_a_file_with_a_header(done):
    found, _ = done
    file = found.search.folder / "best.yaml"
    assert dl.recipe(file) == found.recipe
    text = file.read_text()
    assert text.startswith(
        f"# The best of 8 trials (tpe) of the study s: val_loss {found.trials[0].value:.4f}"
    )
    assert "# Measured on test, which chose nothing: loss" in text
    assert {"history.png", "importance.png", "parallel.png", "trials.csv"} <= {
        path.name for path in found.search.folder.iterdir()
    }
    assert len((found.search.folder / "trials.csv").read_text().splitlines()) == 9


def test_the_same_call_goes_on_and_only_with_more_trials(done, monkeypatch):
    found, _ = done
    search = found.search
    given = {
        "recipe": search.recipe,
        "space": search.space,
        "runs": search.folder.parent,
        "study": "s",
    }
    before = {run.name: run.path.stat().st_mtime for run in list_runs(search.folder)}
    monkeypatch.setattr("dlcourse.lab.tuning.read_test", lambda *_: 1 / 0)
    assert tune(trials=8, **given).trials == found.trials
    assert {run.name: run.path.stat().st_mtime for run in list_runs(search.folder)} == before
    with pytest.raises(UserError, match="study 's' has 8 trials: give as many or more"):
        tune(trials=7, **given)
    with pytest.raises(UserError, match="was made with another sampler: give another --study"):
        tune(trials=8, **given, sampler="random")
    with pytest.raises(UserError, match="study 's' was made with another space"):
        tune(trials=8, **{**given, "space": RATE})
    other = dl.recipe(search.recipe, epochs=9)
    with pytest.raises(UserError, match="study 's' was made with another recipe"):
        tune(trials=8, **{**given, "recipe": other})


def test_a_search_is_repeatable(tmp_path):
    first, second = (tune(trials=1, runs=tmp_path / name) for name in "ab")
    assert [t.settings for t in first.trials] == [t.settings for t in second.trials]
    assert [t.value for t in first.trials] == [t.value for t in second.trials]


def test_a_diverged_trial_ends_as_pruned_and_says_why(tmp_path):
    recipe = {
        "dataset": "diabetes",
        "model": "linear_regression",
        "training": {"epochs": 2, **TINY},
    }
    recipe["training"]["optimizer"] = "sgd"
    space = {"training.learning_rate": {"choices": [1e-3, 1e30]}}
    found = tune(space, recipe, trials=2, sampler="grid", runs=tmp_path)
    assert [trial.state for trial in found.trials] == ["complete", "diverged"]
    assert "became" in found.trials[1].why
    assert read_run(found.trials[1].run).metrics["test"] == {}


def test_a_model_that_cannot_be_built_ends_its_trial_alone_and_says_why(tmp_path):
    recipe = {
        "dataset": "digits",
        "model": {"name": "cnn", "filters": [2]},
        "training": {"epochs": 1},
    }
    space = {"model.filters": {"choices": [[2], [2, 2, 2, 2, 2, 2]]}}
    found = tune(space, recipe, trials=2, sampler="grid", runs=tmp_path)
    assert [trial.state for trial in found.trials] == ["complete", "impossible"]
    assert "filters" in found.trials[1].why


def test_without_a_complete_trial_the_reason_is_told(tmp_path):
    recipe = {
        "dataset": "diabetes",
        "model": "linear_regression",
        "training": {"epochs": 2, **TINY},
    }
    recipe["training"]["optimizer"] = "sgd"
    with pytest.raises(UserError, match=r"no trial was completed: .*became"):
        tune(
            {"training.learning_rate": {"low": 1e30, "high": 2e30}}, recipe, trials=1, runs=tmp_path
        )


def test_accuracy_decides_if_early_stopping_watches_it(tmp_path):
    recipe = {
        **RECIPE,
        "training": {
            "epochs": 3,
            **TINY,
            "early_stopping": {"patience": 2, "monitor": "val_accuracy"},
        },
    }
    found = tune(recipe=recipe, trials=2, runs=tmp_path)
    values = [trial.value for trial in found.trials]
    assert values == sorted(values, reverse=True)
    assert values[0] == found.run.metrics["val"]["accuracy"]


def test_random_trials_and_further_seeds_show_the_luck(tmp_path):
    found = tune(trials=1, against_random=True, seeds=2, runs=tmp_path, pruner="none")
    assert len(found.random) == 1
    assert {t.settings["training.learning_rate"] for t in found.random}.isdisjoint(
        t.settings["training.learning_rate"] for t in found.trials
    )
    assert {kind: len(values) for kind, values in found.seeds.items()} == {"recipe": 2, "best": 2}
    assert "is the best of as many random trials" in str(found)
    assert str(found).count("with 2 further seeds") == 2
    extra = [
        run
        for part in ("random", "seeds-best-0", "seeds-recipe")
        for run in list_runs(found.search.folder / part)
    ]
    assert len(extra) == 5
    assert not any(run.test_read for run in extra)
    more = tune(trials=4, seeds=2, runs=tmp_path, pruner="none")
    assert more.trials[0].number > 0, "another best trial gets seeds of its own"
    assert len(more.seeds["best"]) == 2


def test_data_given_in_python_is_kept_for_the_workers(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    y = (x[:, 0] > 0).astype(int)
    recipe = dl.recipe((x, y), model="logistic_regression", epochs=2)
    found = tune(recipe=recipe, trials=1, runs=tmp_path)
    assert (found.search.folder / "arrays.npz").is_file()
    assert tune(recipe=recipe, trials=1, runs=tmp_path).trials == found.trials


# ------------------------------------------------------------------ what reads a run


def test_every_reader_of_a_run_says_that_test_was_not_read(done, capsys, tmp_path):
    found, _ = done
    run = read_run(found.trials[1].run)
    assert "test not read" in repr(run)
    assert "test        not read: a search chooses by validation" in str(run)
    assert main(["runs", "--runs", str(found.search.folder)]) == 0
    assert capsys.readouterr().out.count("not read") == 7
    assert main(["evaluate", "--run", str(run.path)]) == 0
    assert main(["diagnose", "--run", str(run.path)]) in (0, 1)
    arguments = ["--run", str(run.path), "--out", str(tmp_path), "--what", "learning-curves"]
    assert main(["visualize", *arguments]) == 0
    assert "test (not read)" in (tmp_path / "index.html").read_text()
    assert dl.resume(run, verbose=0) == run
    assert not run.test_read


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"trials": 0}, "'trials': expected greater than or equal to 1, got 0"),
        ({"workers": 0}, "'workers': expected greater than or equal to 1"),
        ({"sampler": "tpa"}, "'sampler': expected 'tpe', 'random' or 'grid'"),
        ({"study": "a/b"}, "study 'a/b': letters, digits"),
        ({"storage": "sqlite://"}, "a study in memory ends with its process"),
        ({"storage": "sqlite:///:memory:"}, "a study in memory ends with its process"),
        ({"storage": "journal.log"}, "have no heartbeat or no worker's lock"),
        ({"storage": "redis://host/0"}, "have no heartbeat or no worker's lock"),
        ({"storage": "postgresql://u:secret@h:port/x"}, "storage: expected sqlite:///FILE"),
        ({"sampler": "grid"}, "a grid needs the step of the range"),
        ({"space": {"training.label_smoothing": {"low": 0, "high": 0.5}}}, "give --pruner none"),
        (
            {"space": {"training.epochs": {"low": 1, "high": 2}}, "sampler": "grid", "trials": 3},
            "the grid has 2 points, got 3",
        ),
    ],
)
def test_what_is_refused_is_told_in_one_line(given, text, tmp_path):
    space = given.pop("space", RATE)
    with pytest.raises(UserError) as caught:
        tune(space, **{"trials": 1, "runs": tmp_path, "workers": 2, **given})
    assert text in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert "secret" not in str(caught.value)
    assert not list(tmp_path.rglob("trial-*"))
    assert "grid" not in text or not list(tmp_path.iterdir())


def test_without_optuna_the_cure_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"a search needs Optuna 5 .* pip install 'optuna>=5,<6'"):
        tune(trials=1)


def test_a_database_that_does_not_answer_is_told_without_its_password(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    url = f"postgresql+psycopg://course:secret@127.0.0.1:{port}/none"
    with pytest.raises(UserError) as caught:
        tune(trials=1, storage=url, runs=tmp_path)
    assert "course:***@127.0.0.1" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_the_command_reports_a_line_per_trial(tmp_path, capsys):
    space = tmp_path / "space.yaml"
    space.write_text("training.learning_rate: {low: 1e-3, high: 1e-1, log: true}\n")
    arguments = ["--config", "points_line", "--space", str(space), "--runs", str(tmp_path)]
    assert main(["tune", *arguments, "--trials", "1", "training.epochs=1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("trial   0  complete ")
    assert "best     trial 0" in out
    assert main(["tune", *arguments, "--trials", "1", "training.epochs=2"]) == 1
    assert "was made with another recipe" in capsys.readouterr().err


# ------------------------------------------------------------------ workers and kills


def test_a_killed_trial_is_found_by_its_heartbeat(tmp_path):
    """SIGKILL in the middle of a trial: a copy of it is queued, with its settings and number."""
    url, long = f"sqlite:///{tmp_path}/s/study.db", 4000
    process = started(tmp_path, trials=2, epochs=long)
    state = tmp_path / "s" / "trial-000" / "history.csv"
    while not state.exists() and process.poll() is None:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    trained = len(state.read_text().splitlines()) - 1
    assert trained < long
    assert [trial.state.name for trial in trials_of(url)] == ["RUNNING", "WAITING"]
    import optuna

    database = Storage(url, heartbeat=1, grace=1)
    time.sleep(2.1)  # the heartbeat has whole seconds
    sampler = optuna.samplers.RandomSampler
    with database.errors():
        study = optuna.load_study(study_name="s", storage=database.database)
        trial = database.claim(study, lambda _: sampler(), {})
        assert trial.number == 1
        study.tell(trial, 1.0)
        copy = database.claim(study, lambda _: sampler(), {})
        assert (copy.number, copy.user_attrs["claim"]) == (2, 0)
    assert copy.params == trials_of(url)[0].params


def test_a_trial_that_another_worker_took_is_left_to_it(tmp_path, monkeypatch):
    """As after a pause of the machine: the trial is recorded as failed while it still trains."""
    import optuna

    trained = tuning.Search._trained

    def slept(search, trial, *more):
        if trial.number == 0:
            search.study.tell(0, state=optuna.trial.TrialState.FAIL)
        return trained(search, trial, *more)

    monkeypatch.setattr(tuning.Search, "_trained", slept)
    found = tune(trials=2, runs=tmp_path, study="s")
    assert ended(f"sqlite:///{tmp_path}/s/study.db") == [0, 1]
    assert {Path(trial.run).name for trial in found.trials} == {"trial-000", "trial-001"}


@pytest.mark.slow
def test_ctrl_c_leaves_a_study_that_goes_on(tmp_path):
    url = f"sqlite:///{tmp_path}/s/study.db"
    process = started(tmp_path, workers=2, trials=4, epochs=40)
    assert process.stdout.readline() == "ended\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert "130 interrupted: " in err
    assert "trials are left: the same command goes on" in err
    process = started(tmp_path, trials=4, epochs=40)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "best " in out
    assert ended(url) == list(range(4))
    copies = [t for t in trials_of(url) if "failed_trial" in t.system_attrs]
    for copy in copies:  # trained on in its folder, not anew
        assert Path(copy.user_attrs["result"]["run"]).name == f"trial-{copy.user_attrs['claim']:03}"


def killed_until_done(runs, url, rng, *, trials, kills):
    """Run a search with three workers, and kill workers, or all of them, at random times."""
    left = kills
    for _ in range(12):
        process = started(runs, url=url, workers=3, trials=trials)
        while process.poll() is None:
            time.sleep(rng.uniform(1.0, 5.0))
            victims = [*children(process.pid), *([process.pid] if rng.random() < 0.15 else [])]
            if left and victims and process.poll() is None:
                left -= 1
                with suppress(ProcessLookupError):
                    os.kill(rng.choice(victims), signal.SIGKILL)
        _, err = process.communicate()
        if process.returncode == 0:
            return kills - left
        assert process.returncode == -signal.SIGKILL or "trials are left" in err, err
    raise AssertionError("the search never ended")


def children(pid):
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc")
def test_exactly_n_trials_end_whatever_is_killed(tmp_path):
    url = f"sqlite:///{tmp_path}/s/study.db"
    assert killed_until_done(tmp_path, "", np.random.default_rng(0), trials=9, kills=3)
    assert ended(url) == list(range(9))


@pytest.fixture
def server():
    """The URL of a PostgreSQL server of the test's own, run by an unprivileged user on loopback."""
    if POSTGRESQL is None or shutil.which("setpriv") is None or os.geteuid():
        pytest.skip("needs Debian's postgresql and setpriv, and root to become nobody")
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="dlcourse-pg-") as folder, socket.socket() as probe:
        shutil.chown(folder, "nobody")
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "env"]
        as_nobody = [*user, f"HOME={folder}"]
        quick = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        where = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"

        def run(name, *arguments):
            command = [*as_nobody, str(POSTGRESQL.with_name(name)), *arguments]
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)

        data = f"{folder}/data"
        how = ["-U", "course", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        run("initdb", "-D", data, *how)
        run("pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", f"{where} {quick}", "start")
        try:
            run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "course", "optuna")
            yield f"postgresql+psycopg://course@127.0.0.1:{port}/optuna"
        finally:
            run("pg_ctl", "-D", data, "-m", "fast", "-w", "stop")


def test_two_searches_join_on_postgresql_without_a_shared_folder(server, tmp_path):
    """Two machines: the same command with the same storage; neither sees the other's runs."""
    both = [started(tmp_path / name, url=server, trials=5) for name in "ab"]
    outs = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], outs
    assert ended(server) == list(range(5))
    runs = [run.name for name in "ab" for run in list_runs(tmp_path / name / "s")]
    assert sorted(runs) == [f"trial-{k:03}" for k in range(5)]
    read = [run for name in "ab" for run in list_runs(tmp_path / name / "s") if run.test_read]
    assert len(read) == 1
    assert sum("not measured, because the run of the best trial" in out for out, _ in outs) <= 1


@pytest.mark.slow
def test_exactly_n_trials_end_on_postgresql_whatever_is_killed(server, tmp_path):
    assert killed_until_done(tmp_path, server, np.random.default_rng(1), trials=9, kills=3)
    assert ended(server) == list(range(9))
