"""The run directory: names, whole files, what is told of a broken one."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from dlcourse.errors import RunError, WriteError
from dlcourse.files import write_file
from dlcourse.runs import Run, create_run, list_runs, read_run, write_history, write_text


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
    with pytest.raises(WriteError, match="the run cannot be written: Permission denied"):
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
    with pytest.raises(RunError, match=r"has no metrics\.json \(the training did not finish\)"):
        _ = read_run(run.path).metrics
    write_text(run.path / "metrics.json", '{"test": ')
    with pytest.raises(RunError, match=r"metrics\.json: is broken"):
        _ = read_run(run.path).metrics
    for content in ("[1, 2]", "{}", '{"train": 1}'):
        write_text(run.path / "metrics.json", content)
        with pytest.raises(RunError, match=r"metrics\.json: was not written by this package"):
            _ = read_run(run.path).metrics
