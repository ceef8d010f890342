"""Image sets through TensorFlow Datasets: MNIST from the real cache, small ones made here."""

import re
import shutil
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlparse

import numpy as np
import pytest

pytest.importorskip("tensorflow_datasets")
import tiny_tfds

from dlcourse.datasets import at_hand, load_dataset
from dlcourse.datasets.tfds import _unreachable
from dlcourse.errors import DatasetError

TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.fixture(scope="module")
def mnist():
    from conftest import SHARED

    if not (SHARED / "tfds").is_dir():
        pytest.skip(f"no real data: {SHARED / 'tfds'} is absent")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(SHARED / "tfds"))
        return load_dataset("mnist")


@pytest.fixture
def offline(monkeypatch):
    """Send every request to a port that nobody listens on."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_a_set_is_available_once_it_is_prepared_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "absent"))
    assert not at_hand("tiny")
    (tmp_path / "absent" / "tiny" / "1.0.0").mkdir(parents=True)
    assert not at_hand("tiny")  # begun, and interrupted
    tiny_tfds.Tiny(data_dir=str(tmp_path)).download_and_prepare()
    assert at_hand("tiny", str(tmp_path))
    assert not at_hand("mnist", str(tmp_path))


def error_of(*args, **settings):
    with pytest.raises(DatasetError) as error:
        load_dataset(*args, **settings)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_mnist_has_its_known_sizes_and_classes(mnist):
    assert repr(mnist) == (
        "<Dataset mnist: multiclass, inputs (28, 28, 1) from 0 to 255, "
        "54,000 train, 6,000 val, 10,000 test>"
    )
    assert np.bincount(mnist.y_test).tolist() == TEST_COUNTS
    assert mnist.class_names == tuple("0123456789")
    assert (mnist.x_train.dtype, mnist.y_train.dtype) == ("uint8", "int64")
    assert mnist.value_range == (0, 255)


def test_mnist_holds_the_same_images_with_the_same_labels_as_the_other_copy(mnist, shared):
    def labelled(x, y):
        return sorted(bytes(image) + bytes([label]) for image, label in zip(x, y, strict=True))

    with np.load(shared / "data" / "mnist.npz") as other:
        assert labelled(mnist.x_test, mnist.y_test) == labelled(other["x_test"], other["y_test"])
        x, y = (np.concatenate(pair) for pair in zip(*list(mnist.splits.values())[:2], strict=True))
        assert labelled(x, y) == labelled(other["x_train"], other["y_train"])


def test_images_and_labels_keep_the_files_order_and_the_test_split_is_the_same_fifth(tmp_path):
    name = tiny_tfds.prepare(tiny_tfds.Tiny, tmp_path)
    one, two = (
        load_dataset("tfds", seed=seed, dataset=name, data_dir=str(tmp_path)) for seed in (0, 1)
    )
    assert [len(y) for _, y in one.splits.values()] == [43, 5, 12]
    for x, y in one.splits.values():
        np.testing.assert_array_equal(x[:, 0, 0, 0] % 3, y)
        assert (x == x[:, :1, :1]).all()
    np.testing.assert_array_equal(one.x_test, two.x_test)
    assert not np.array_equal(one.x_val, two.x_val)
    assert one.class_names == ("no", "yes", "perhaps")


def test_a_test_split_with_secret_labels_is_replaced(tmp_path):
    name = tiny_tfds.prepare(tiny_tfds.TinySecret, tmp_path)
    data = load_dataset("tfds", dataset=name, data_dir=str(tmp_path))
    assert [len(y) for _, y in data.splits.values()] == [43, 5, 12]


def test_images_of_differing_sizes_need_a_size(tmp_path):
    name = tiny_tfds.prepare(tiny_tfds.TinyMixed, tmp_path)
    text = error_of("tfds", dataset=name, data_dir=str(tmp_path))
    assert text == f"{name}: the images differ in size: give 'size: [height, width]' to resize them"
    data = load_dataset("tfds", dataset=name, data_dir=str(tmp_path), size=[5, 6])
    assert (data.input_shape, data.x_train.dtype) == ((5, 6, 1), "uint8")
    np.testing.assert_array_equal(data.x_train[:, 2, 2, 0] % 3, data.y_train)


def test_images_of_one_undeclared_size_need_none(tmp_path):
    name = tiny_tfds.prepare(tiny_tfds.TinyEqual, tmp_path)
    assert load_dataset("tfds", dataset=name, data_dir=str(tmp_path)).input_shape == (4, 3, 1)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist", "cifar10"])
def test_offline_and_not_cached_is_one_error_within_seconds(name, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setenv("TFDS_DATA_DIR", str(cache))
    start = time.monotonic()
    text = error_of(name)
    assert time.monotonic() - start < 10  # 0.2 s measured; TFDS alone tries for minutes
    assert text.startswith(f"{name}: not in the cache {cache} (TFDS_DATA_DIR) and it cannot")
    assert "set TFDS_DATA_DIR to a folder that holds it" in text
    assert "use the embedded data set 'digits'" in text
    assert not cache.exists()


@pytest.fixture
def server(monkeypatch):
    """Serve `status` to every request; return the address."""

    class Handler(BaseHTTPRequestHandler):
        status = 404

        def do_HEAD(self):
            self.send_response(self.status)
            self.end_headers()

        def log_message(self, format, *args):
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield Handler, f"http://127.0.0.1:{server.server_port}/file.gz"
        server.shutdown()
        thread.join()


def test_any_answer_of_one_host_is_a_way_and_a_proxys_failure_is_none(server):
    handler, url = server
    assert _unreachable(["http://127.0.0.1:9/gone.gz", url]) == ""
    assert _unreachable([]) == ""
    handler.status = 503
    assert _unreachable([url]) == f"cannot reach {urlparse(url).netloc}"


def test_a_set_that_can_be_had_is_prepared_in_the_cache(tmp_path):
    name = tiny_tfds.Tiny.name
    data = load_dataset("tfds", dataset=name, data_dir=str(tmp_path))
    assert len(data.y_test) == 12
    assert (tmp_path / name / "1.0.0" / "dataset_info.json").is_file()


@pytest.mark.usefixtures("offline")
def test_the_setting_stands_before_the_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", "/nowhere")
    assert f"not in the cache {tmp_path} (TF" in error_of("mnist", data_dir=str(tmp_path))


def test_a_cached_set_is_loaded_without_a_word(shared):
    code = "from dlcourse.datasets import load_dataset; load_dataset('mnist')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"TFDS_DATA_DIR": str(shared / "tfds"), "TF_CPP_MIN_LOG_LEVEL": "3", "PATH": ""},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    # What other packages say at their import is not ours to judge.
    ours = [line for line in done.stderr.splitlines() if re.search("(?i)dataset|dlcourse", line)]
    assert done.stdout == ""
    assert ours == []


def test_an_unknown_set_has_a_neighbour(tmp_path):
    text = error_of("tfds", dataset="mnits", data_dir=str(tmp_path))
    assert text.startswith("tfds: no data set 'mnits' (did you mean 'mnist'?)")
    text = error_of("tfds", dataset="qqqqqq", data_dir=str(tmp_path))
    assert text.startswith("tfds: no data set 'qqqqqq' (see tensorflow.org/datasets/catalog)")
    assert "tfds: no data set 'mnist:9.9.9'" in error_of(
        "tfds", dataset="mnist:9.9.9", data_dir=str(tmp_path)
    )


@pytest.mark.parametrize(
    ("builder", "text"),
    [
        (tiny_tfds.TinyUnsupervised, "not an image-classification set (it needs one image"),
        (tiny_tfds.TinyText, "not an image-classification set (it needs one image"),
        (tiny_tfds.TinyManual, "files must be downloaded manually: see tensorflow.org/datasets"),
        (tiny_tfds.TinyBroken, "its download failed (no space left on device): set TFDS_DATA_DIR"),
    ],
)
def test_sets_that_cannot_be_loaded_say_why(tmp_path, builder, text):
    assert text in error_of("tfds", dataset=builder.name, data_dir=str(tmp_path))


def test_a_set_without_a_train_split_is_refused(tmp_path):
    name = tiny_tfds.prepare(tiny_tfds.TinyTrainless, tmp_path)
    text = error_of("tfds", dataset=name, data_dir=str(tmp_path))
    assert text == f"{name}: no split 'train' (it has validation)"


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_a_damaged_cache_names_the_folder_to_delete(tmp_path, damage):
    name = tiny_tfds.prepare(tiny_tfds.Tiny, tmp_path)
    (file,) = tmp_path.glob("**/*train*tfrecord*")
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 255
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(whole if damage == "flipped" else whole[: len(whole) // 2])
    text = error_of("tfds", dataset=name, data_dir=str(tmp_path))
    assert text.startswith(f"{name}: the files in {file.parent} are damaged (")
    assert text.endswith("delete that folder and load the data set again")


@pytest.mark.parametrize("module", ["tensorflow", "tensorflow_datasets"])
def test_without_tensorflow_the_error_says_what_to_install_or_use(monkeypatch, module, tmp_path):
    monkeypatch.setitem(sys.modules, module, None)
    text = error_of("mnist", data_dir=str(tmp_path))
    assert text.startswith("mnist: TensorFlow Datasets cannot be imported (import of tensorflow")
    assert "pip install -U tensorflow tensorflow-datasets importlib_resources" in text
    assert "use the embedded data set 'digits' or an 'npz' file" in text


def test_a_read_only_cache_can_be_read(tmp_path):
    name = tiny_tfds.prepare(tiny_tfds.Tiny, tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    folders = [tmp_path / "b", *(path for path in (tmp_path / "b").rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert len(load_dataset("tfds", dataset=name, data_dir=str(tmp_path / "b")).y_test) == 12
    finally:
        for folder in folders:
            folder.chmod(0o755)
