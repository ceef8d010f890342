"""Images that stay on the disk: the same training, batch by batch, and no image held for long."""

import os
import shutil
from importlib import import_module

import numpy as np
import pytest
import tiny_tfds
from PIL import Image

from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.datasets import Dataset, fingerprint, load_dataset
from dlcourse.datasets.dataset import value_range
from dlcourse.datasets.streamed import Streamed, exceeds, memory, on_disk, state_of
from dlcourse.errors import DatasetError
from dlcourse.files import HALF_WRITTEN
from dlcourse.lab.diagnosis.examination import duplicates, examine
from dlcourse.runs import read_run
from dlcourse.runs.evaluation import outputs
from dlcourse.training import StopRequest, prepare, resume, train
from dlcourse.training.batches import training_batches, validation_batches
from dlcourse.training.features import features

TINY_SHARE = 1e-9  # of memory: everything streams
RECIPE = """
dataset: {{name: image_folder, path: "{path}", size: [6, 5], memory_share: {share}}}
model: {{name: cnn, filters: [4], dropout: 0.2}}
training: {{epochs: 3, batch_size: 8, learning_rate: 0.01, deterministic: true}}
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for label, name in enumerate(("dark", "light")):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(40):
            pixels = rng.integers(0, 128, (6, 5, 3)) + 100 * label
            path = tmp_path / "pictures" / name / f"{i}.png"
            Image.fromarray(pixels.astype("uint8")).save(path)
    return tmp_path / "pictures"


def load(folder, share=TINY_SHARE, **settings):
    return load_dataset(
        "image_folder", path=str(folder), size=(6, 5), memory_share=share, **settings
    )


def recipe(folder, share=TINY_SHARE):
    return recipe_from_text(RECIPE.format(path=folder, share=share))


def stored(tmp_path, *images):
    """Return the images, each array in a file of its own, joined."""
    parts = []
    for number, x in enumerate(images):
        np.save(tmp_path / f"{number}.npy", x)
        parts.append(Streamed([tmp_path / f"{number}.npy"]))
    return parts[0] if len(parts) == 1 else parts[0].joined(parts[1])


def test_rows_are_read_as_from_an_array(tmp_path):
    x = np.arange(7 * 2 * 3 * 1, dtype="float32").reshape(7, 2, 3, 1)
    lazy = stored(tmp_path, x)
    assert (lazy.shape, lazy.dtype, lazy.ndim, len(lazy)) == (x.shape, x.dtype, 4, 7)
    for index in (3, -1, slice(2, 5), slice(0, 0), [6, 0, 0], np.array([1]), x[:, 0, 0, 0] > 9):
        np.testing.assert_array_equal(lazy[index], x[index])
        assert isinstance(lazy[index], np.ndarray)
    np.testing.assert_array_equal(np.asarray(lazy), x)
    np.testing.assert_array_equal(list(lazy), x)
    with pytest.raises(IndexError):
        lazy[7]


def test_taken_and_joined_images_are_those_of_the_arrays_and_nothing_is_read(tmp_path, monkeypatch):
    x, z = (np.arange(k, k + 24, dtype="uint8").reshape(4, 2, 3, 1) for k in (0, 100))
    lazy = stored(tmp_path, x, z)
    monkeypatch.setattr(Streamed, "_read", None)
    some = lazy.take([7, 1, 4], axis=0).take([2, 0], axis=0)
    both = some.joined(lazy)
    monkeypatch.undo()
    np.testing.assert_array_equal(some[:], np.concatenate([x, z])[[4, 7]])
    np.testing.assert_array_equal(both[:], np.concatenate([z[:1], z[3:], x, z]))


def test_a_streamed_folder_is_the_folder_held_in_memory(folder):
    lazy, whole = load(folder), load(folder, 0.5)
    assert all(isinstance(x, Streamed) for x, _ in lazy.splits.values())
    assert all(isinstance(x, np.ndarray) for x, _ in whole.splits.values())
    for part, (x, y) in whole.splits.items():
        np.testing.assert_array_equal(lazy.splits[part][0][:], x)
        np.testing.assert_array_equal(lazy.splits[part][1], y)
    assert fingerprint(lazy) == fingerprint(whole)
    assert duplicates(lazy) == duplicates(whole) == 0


def test_folders_of_splits_stream_too(folder, tmp_path):
    for part in ("train", "test"):
        shutil.copytree(folder, tmp_path / "parts" / part)
    lazy = load(tmp_path / "parts")
    assert isinstance(lazy.x_test, Streamed)
    assert fingerprint(lazy) == fingerprint(load(tmp_path / "parts", 0.5))
    assert duplicates(lazy) == 68 / 80  # the other twelve validate


def test_a_set_of_tfds_streams_the_same(tmp_path):
    name = tiny_tfds.prepare(tiny_tfds.TinySecret, tmp_path)
    lazy, whole = (
        load_dataset("tfds", dataset=name, data_dir=str(tmp_path), memory_share=share)
        for share in (TINY_SHARE, 0.5)
    )
    assert isinstance(lazy.x_train, Streamed)
    assert fingerprint(lazy) == fingerprint(whole)


def test_images_are_decoded_once_and_again_when_a_file_changes(folder, cache, monkeypatch):
    module = import_module("dlcourse.datasets.image_folder")  # the loader hides its module
    read, count = module.read_image, []
    monkeypatch.setattr(module, "read_image", lambda *a: count.append(1) or read(*a))
    first = fingerprint(load(folder))
    assert (len(count), fingerprint(load(folder)), len(count)) == (80, first, 80)
    before = set(cache.glob("*.npy"))
    assert len(before) == 2  # the images, and which files they are of
    one = folder / "dark" / "7.png"
    times = one.stat()
    Image.fromarray(np.full((6, 5, 3), 3, "uint8")).save(one)
    os.utime(one, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a copy that keeps the time
    assert fingerprint(load(folder)) != first
    assert len(count) == 160
    after = set(cache.glob("*.npy"))
    assert len(after) == 2
    assert not before & after


def test_each_size_and_colour_has_a_file_of_its_own(folder, cache):
    load(folder)
    load_dataset("image_folder", path=str(folder), size=(3, 3), memory_share=TINY_SHARE)
    load_dataset(
        "image_folder", path=str(folder), size=(6, 5), color="grayscale", memory_share=TINY_SHARE
    )
    assert len(list(cache.glob("*.npy"))) == 6
    assert not list(folder.rglob("*.npy"))


def test_broken_files_are_named_each_time(folder):
    (folder / "dark" / "notes.txt").write_text("no image")
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"skipped 1 unreadable files: .*notes\.txt"):
            assert sum(len(y) for _, y in load(folder).splits.values()) == 80


def test_a_damaged_file_is_made_again(folder, cache):
    first = fingerprint(load(folder))
    (numbers,) = cache.glob("*.numbers.npy")
    images = numbers.with_name(numbers.name.replace(".numbers", ""))
    for damaged in (images, numbers):
        damaged.write_bytes(damaged.read_bytes()[:200])
        assert fingerprint(load(folder)) == first
    np.save(numbers, np.arange(3))
    assert fingerprint(load(folder)) == first
    numbers.unlink()
    (cache / f"{HALF_WRITTEN}x.npy").write_text("left by a killed process")
    assert fingerprint(load(folder)) == first
    assert not list(cache.glob(f"{HALF_WRITTEN}*"))


def test_a_file_that_vanishes_or_is_cut_in_a_training_is_one_line(folder, cache):
    lazy = load(folder)
    (numbers,) = cache.glob("*.numbers.npy")
    images = numbers.with_name(numbers.name.replace(".numbers", ""))
    images.write_bytes(images.read_bytes()[:200])
    with pytest.raises(DatasetError, match=r"the images cannot be read \(the file is truncated\)"):
        lazy.x_train[:]
    images.unlink()
    with pytest.raises(DatasetError, match=r"\(No such file.*start again to decode"):
        lazy.x_train[:]


def test_a_disk_without_room_is_one_line_with_the_cure(cache, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=2**20 + 100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    shape = (64, 64, 3)
    with pytest.raises(DatasetError) as caught:
        on_disk([], 1000, shape, "uint8", source="x", state=0)
    assert str(caught.value) == (
        f"{cache}: only 1 MiB are free: the images are streamed from this folder: free 12 MiB, "
        "set DLCOURSE_CACHE to a folder with room, or raise dataset.memory_share"
    )


def test_a_disk_that_fills_while_images_are_decoded_leaves_nothing(cache):
    def batches():
        yield np.zeros((1, 2, 2, 1), "uint8"), [0]
        raise OSError(28, "No space left on device")

    with pytest.raises(DatasetError, match=r"No space left on device: the images are streamed"):
        on_disk(batches(), 2, (2, 2, 1), "uint8", source="x", state=0)
    assert not list(cache.glob("*.npy"))


def test_a_cache_folder_that_cannot_be_made_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "file"))
    with pytest.raises(DatasetError, match=r"file: cannot be written: .*set DLCOURSE_CACHE"):
        on_disk([], 2, (2, 2, 1), "uint8", source="x", state=0)


def test_the_share_is_of_the_memory_that_a_limit_leaves(monkeypatch):
    resource = pytest.importorskip("resource")
    assert 2**28 < memory() < 2**50
    limits = {resource.RLIMIT_AS: (1000, 1000), resource.RLIMIT_DATA: (4000, 4000)}
    monkeypatch.setattr(resource, "getrlimit", limits.get)
    assert memory() == 1000
    assert exceeds(0.25, 84, (1, 3), "uint8")
    assert not exceeds(0.25, 83, (1, 3), "uint8")
    assert exceeds(0.25, 21, (1, 3), "float32")


def test_the_state_of_a_folder_is_its_names_sizes_and_times(tmp_path):
    (tmp_path / "a").write_text("one")
    before = state_of([tmp_path / "a"], tmp_path)
    assert (before[0][:2], before) == (("a", 3), state_of([tmp_path / "a"], tmp_path))
    times = (tmp_path / "a").stat()
    (tmp_path / "a").write_text("two")  # as long, and the time as a copy would keep it
    os.utime(tmp_path / "a", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert state_of([tmp_path / "a"], tmp_path) != before


def test_streamed_floats_are_checked_and_ranged_like_arrays(tmp_path):
    x = np.linspace(-1, 2, 12, dtype="float32").reshape(6, 2, 1, 1)
    assert value_range(stored(tmp_path, x)) == (-1, 2)
    x[4, 1] = np.nan
    lazy, y = stored(tmp_path, x), np.arange(6) % 2
    from dlcourse.datasets import check

    with pytest.raises(DatasetError, match="NaN or infinite inputs \\(first at example 4\\)"):
        check(
            Dataset(
                "x", "binary", lazy, y, lazy, y, lazy, y, value_range=(0, 1), class_names=("a", "b")
            )
        )


def test_fit_is_given_the_same_batches(folder):
    lazy, whole = load(folder), load(folder, 0.5)
    given = []
    for data in (lazy, whole):
        batches, order = training_batches(
            data.x_train, data.y_train, batch_size=7, seed=3, first_step=1
        )
        for epoch in range(2):
            order.on_epoch_begin(epoch)
            given.append([(np.array(x), np.array(y)) for x, y in _all(batches)])
    for streams, holds in zip(given[:2], given[2:], strict=True):
        assert len(streams) == len(holds) > 5
        for one, other in zip(streams, holds, strict=True):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])
    validation = list(_all(validation_batches(lazy.x_val, lazy.y_val, batch_size=4)))
    np.testing.assert_array_equal(np.concatenate([x for x, _ in validation]), whole.x_val)


def _all(batches):
    return (batches[i] for i in range(len(batches))) if hasattr(batches, "workers") else batches


def test_a_streamed_training_is_bit_equal_to_one_in_memory(folder, tmp_path):
    runs = [
        train(recipe(folder, share), tmp_path / "runs", name=name, bar=False)
        for name, share in (("lazy", TINY_SHARE), ("whole", 0.5))
    ]
    assert runs[0].history == runs[1].history
    assert runs[0].metrics["test"] == runs[1].metrics["test"]
    assert runs[0].facts.fingerprint == runs[1].facts.fingerprint
    for one, other in zip(*(run.model.get_weights() for run in runs), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_streamed_training_that_is_interrupted_goes_on_exactly(folder, tmp_path):
    whole = train(recipe(folder), tmp_path / "runs", name="whole", bar=False)
    stop = StopRequest()
    told = []

    def leave(line):
        told.append(line)
        if line.startswith("epoch 1"):
            stop.signal = 15

    from dlcourse.errors import InterruptedTraining

    with pytest.raises(InterruptedTraining):
        train(recipe(folder), tmp_path / "runs", name="part", report=leave, stop=stop, bar=False)
    part = resume(read_run(tmp_path / "runs" / "part"), bar=False)
    assert part.history == whole.history
    for one, other in zip(part.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_resume_refuses_images_that_have_changed(folder, tmp_path):
    from dlcourse.errors import RunError

    run = train(recipe(folder), tmp_path / "runs", name="run", bar=False)
    (run.path / "metrics.json").unlink()
    Image.fromarray(np.full((6, 5, 3), 9, "uint8")).save(folder / "dark" / "0.png")
    with pytest.raises(RunError, match="the data has changed since this training began"):
        resume(read_run(run.path), bar=False)


def test_no_command_reads_a_split_whole(folder, tmp_path, monkeypatch):
    """The largest reading is the probe's 256 examples, or a batch: never a split at a time."""
    for name, module in (("READ_BYTES", "runs.evaluation"), ("CHUNK_BYTES", "datasets.dataset")):
        monkeypatch.setattr(f"dlcourse.{module}.{name}", 900)
    monkeypatch.setattr("dlcourse.runs.evaluation.PREDICT_BYTES", 900)
    monkeypatch.setattr("dlcourse.lab.diagnosis.xray.PROBE_EXAMPLES", 10)
    read, most = Streamed._read, []
    monkeypatch.setattr(Streamed, "_read", lambda x, rows: most.append(len(rows)) or read(x, rows))
    from dlcourse.commands import evaluate, find_lr, visualize

    run = train(recipe(folder), tmp_path / "runs", name="run", bar=False)
    assert max(most) <= 16
    prepared = prepare(recipe(folder))
    outputs(prepared.model, prepared.dataset.x_train)
    features(prepared.model, "flatten", prepared.dataset.x_train, cache=tmp_path / "features")
    examine(run)
    assert evaluate.main(["--run", str(run.path)]) == 0
    what = "learning-curves,predictions,most-confused,highest-loss,calibration,layers,feature-maps"
    assert visualize.main(["--run", str(run.path), "--what", f"{what},cam"]) == 0
    config = tmp_path / "recipe.yaml"
    config.write_text(RECIPE.format(path=folder, share=TINY_SHARE))
    assert find_lr.main(["--config", str(config), "--out", str(tmp_path / "lr.png")]) == 0
    assert max(most) <= 16


@pytest.mark.parametrize("cut", ["--folds", pytest.param("--seeds", marks=pytest.mark.seeds)])
def test_recipes_are_compared_on_streamed_images(cut, folder, tmp_path, capsys):
    from dlcourse.commands import compare

    config = tmp_path / "recipe.yaml"
    config.write_text(RECIPE.format(path=folder, share=TINY_SHARE))
    said = []
    for share in (TINY_SHARE, 0.5):
        command = ["--config", str(config), "--models", "k_nn", cut, "2"]
        command += ["--examples", "30", "--out", str(tmp_path / "compare")]
        assert compare.main([*command, f"dataset.memory_share={share}"]) == 0
        said.append(capsys.readouterr().out)
    # round, examples, model and score; the seconds differ
    told = [
        [line.split()[:6] for line in text.splitlines() if line[:6] == "round "] for text in said
    ]
    assert len(told[0]) == 4
    assert told[0] == told[1]
