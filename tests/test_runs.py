"""The run directory: names, whole files, what is told of a broken one."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from dlcourse.__main__ import main
from dlcourse.configuration.recipe import run_recipe
from dlcourse.errors import RunError, WriteError
from dlcourse.files import write_file
from dlcourse.runs import (
    Run,
    create_run,
    list_runs,
    read_run,
    write_history,
    write_sealed,
    write_text,
)
from dlcourse.training import resume


def test_runs_made_in_the_same_second_get_folders_of_their_own(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: create_run(tmp_path, "digits"), range(8)))
    assert len({run.path for run in runs}) == 8
    assert all(run.name.startswith("digits-") for run in runs)


@pytest.mark.parametrize("name", ["../out", "a/b", "", ".hidden", "-x", "a b", "x" * 101, "/tmp/x"])
def test_a_name_cannot_leave_the_runs_folder(name, tmp_path):
    with pytest.raises(RunError, match="letters, digits"):
        create_run(tmp_path, "digits", name)
    assert list(tmp_path.iterdir()) == []


def test_a_strange_recipe_name_makes_a_plain_folder(tmp_path):
    run = create_run(tmp_path, "../my recipe: é")
    assert run.path.parent == tmp_path
    assert run.name.startswith("_my_recipe_")


def test_a_failed_write_leaves_the_earlier_file_and_nothing_else(tmp_path):
    path = tmp_path / "metrics.json"
    write_text(path, "earlier")

    def fail(temporary):
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(WriteError, match=r"metrics\.json: cannot be written: No space left"):
        write_file(path, fail)
    assert path.read_text() == "earlier"
    assert [entry.name for entry in tmp_path.iterdir()] == ["metrics.json"]


def test_a_written_file_has_the_usual_permissions(tmp_path):
    write_text(tmp_path / "a.json", '{"é": 1}')
    (tmp_path / "b").write_text("x")
    assert (tmp_path / "a.json").stat().st_mode == (tmp_path / "b").stat().st_mode
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{"é": 1}'


def test_a_history_is_written_and_read_at_full_precision(tmp_path):
    history = {"loss": [0.1 + 0.2, 1e-07], "val_accuracy": [1.0, 0.5864045619964600]}
    write_history(tmp_path / "history.csv", history)
    text = (tmp_path / "history.csv").read_bytes()
    assert text == (
        b"epoch,loss,val_accuracy\n1,0.30000000000000004,1.0\n2,1e-07,0.58640456199646\n"
    )
    assert Run(tmp_path).history == {"epoch": [1.0, 2.0], **history}


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(RunError, match=f"{tmp_path}/runs: is a file: a folder of runs is expected"):
        create_run(tmp_path / "runs", "digits")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_line(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(WriteError, match="cannot be written: Permission denied"):
        create_run(tmp_path / "runs", "digits")


def test_what_is_not_a_run_is_told_with_a_hint(tmp_path, digits_run):
    with pytest.raises(RunError, match=r"no such run \(there are digits\)"):
        read_run(digits_run.path.parent / "digit")
    with pytest.raises(RunError, match=r"is not a run: did you mean .*digits"):
        read_run(digits_run.path.parent)
    with pytest.raises(RunError, match=r"is not a run: it has no recipe\.yaml"):
        read_run(tmp_path)
    assert list_runs(tmp_path / "nothing") == []


def test_an_unfinished_and_a_broken_run_are_told(tmp_path):
    run = create_run(tmp_path, "digits", "half")
    write_text(run.path / "recipe.yaml", "seed: 0")
    with pytest.raises(RunError, match=r"has no metrics\.json \(the training did not finish: "):
        _ = read_run(run.path).metrics
    write_text(run.path / "metrics.json", '{"test": ')
    with pytest.raises(RunError, match=r"metrics\.json: is broken"):
        _ = read_run(run.path).metrics
    for content in ("[1, 2]", "{}", '{"train": 1}'):
        write_text(run.path / "metrics.json", content)
        with pytest.raises(RunError, match=r"metrics\.json: was not written by this package"):
            _ = read_run(run.path).metrics


@pytest.fixture
def arrays_run(tmp_path, monkeypatch):
    """A run that was trained in the folder `a` on a file there, and the folder `b` elsewhere."""
    import dlcourse as dl

    for name in "ab":
        (tmp_path / name).mkdir()
        rng = np.random.default_rng(ord(name))
        x, y = rng.integers(3, 250, (60, 4, 4)).astype("uint8"), np.arange(60) % 2
        np.savez(tmp_path / name / "own.npz", x_train=x + (y[:, None, None] == 1), y_train=y)
    monkeypatch.chdir(tmp_path / "a")
    data, model = {"name": "npz", "path": "own.npz"}, {"name": "dnn", "hidden": [4]}
    run = dl.fit(dataset=data, model=model, epochs=1, name="own", verbose=0)
    monkeypatch.chdir(tmp_path / "b")
    return Run(tmp_path / "a" / "runs" / run.name)


def test_a_run_finds_its_data_from_another_folder_even_if_there_is_a_file_of_that_name(
    arrays_run, capsys
):
    first = arrays_run.path.parents[1] / "own.npz"
    assert arrays_run.load_dataset().facts.examples == arrays_run.facts.examples
    assert run_recipe(arrays_run).dataset.path == str(first)
    other = run_recipe(arrays_run, ["dataset.path=own.npz"])
    assert other.dataset.path == "own.npz"
    for command in (["evaluate"], ["visualize", "--what", "predictions"]):
        assert main([*command, "--run", str(arrays_run.path)]) == 0, capsys.readouterr().err
    assert resume(arrays_run) == arrays_run
    first.unlink()
    (first.parents[1] / "b" / "own.npz").unlink()
    assert main(["evaluate", "--run", str(arrays_run.path)]) == 2
    assert "own.npz: no such file" in capsys.readouterr().err


def test_the_data_of_a_whole_project_that_was_moved_is_found_where_it_is_now(
    arrays_run, monkeypatch
):
    (arrays_run.path.parents[1]).rename(arrays_run.path.parents[2] / "moved")
    monkeypatch.chdir(arrays_run.path.parents[2] / "moved")
    assert run_recipe(Run(Path("runs/own"))).dataset.path == "own.npz"


def test_a_base_is_found_from_another_folder(arrays_run, monkeypatch):
    import dlcourse as dl

    monkeypatch.chdir(arrays_run.path.parents[1])
    data, model = {"name": "npz", "path": "own.npz"}, {"name": "transfer", "base": "runs/own"}
    run = dl.fit(dataset=data, model=model, epochs=1, name="next", verbose=0)
    monkeypatch.chdir("../b")
    moved = run_recipe(Run(arrays_run.path.parent / run.name))
    assert moved.base == str(arrays_run.path)


def test_a_run_of_an_earlier_version_keeps_the_range_of_its_own_values(arrays_run):
    """Its model scales by these; its recipe has no `value_range`."""
    path = arrays_run.path
    recipe = (path / "recipe.yaml").read_text()
    (path / "recipe.yaml").write_text(recipe.replace("  value_range: auto\n", ""))
    facts = replace(arrays_run.facts, value_range=(3.0, 250.0))
    write_sealed(path / "dataset.json", asdict(facts))
    earlier = Run(path)
    assert run_recipe(earlier).dataset.value_range == (3, 250)
    assert earlier.load_dataset().value_range == (3, 250)
    assert run_recipe(Run(path), ["dataset.value_range=auto"]).dataset.value_range == "auto"
