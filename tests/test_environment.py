"""Where Keras computes: found, told, kept to. The backends are made to see a GPU."""

import os
import platform
import re
import subprocess
import sys
import tomllib
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

import dlcourse.runs.environment as environment
from dlcourse.configuration.recipe import recipe_from_text
from dlcourse.errors import RecipeError, UserError
from dlcourse.training import describe, prepare

RECIPE = "dataset: {name: iris}\nmodel: {name: softmax_regression}\ntraining:\n  device: "
DEVICES = {"GPU:0": "NVIDIA H200"}
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


@pytest.fixture
def gpu(monkeypatch):
    """Let TensorFlow see a GPU, until it is told not to."""
    import tensorflow as tf

    seen = [SimpleNamespace(name="GPU:0")]
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda _: list(seen))
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *_: seen.clear())
    details = "tensorflow.config.experimental.get_device_details"
    monkeypatch.setattr(details, lambda one: {"device_name": DEVICES[one.name]})
    monkeypatch.setattr(environment, "_left", set())
    return seen


@pytest.fixture
def driver(monkeypatch):
    """Let there be an NVIDIA driver."""
    for module in ("runs.environment.shutil", "training.preparation"):
        monkeypatch.setattr(f"dlcourse.{module}.which", lambda _: "/usr/bin/nvidia-smi")


@pytest.fixture
def no_driver(monkeypatch):
    monkeypatch.setattr("dlcourse.runs.environment.shutil.which", lambda _: None)
    for variable in ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("gpu")
def test_a_gpu_is_told_by_its_name():
    assert environment.device() == "GPU (NVIDIA H200)"
    assert environment.environment()["device"] == "GPU (NVIDIA H200)"
    environment.use_device("auto")
    environment.use_device("gpu")


@pytest.mark.usefixtures("no_driver")
def test_gpu_without_one_is_refused_before_anything_is_loaded(monkeypatch):
    monkeypatch.setattr("dlcourse.configuration.recipe.read_dataset", None)
    with pytest.raises(RecipeError) as caught:
        prepare(recipe_from_text(RECIPE + "gpu"))
    text = str(caught.value)
    assert text.startswith(
        "recipe:4:11: 'training.device': gpu was requested, but the tensorflow backend has only CPU"
    )
    assert text.endswith(
        ": this machine has no NVIDIA driver (no nvidia-smi): use a machine with a GPU, or "
        "training.device=auto"
    )


@pytest.mark.usefixtures("driver")
def test_a_driver_without_the_backends_cuda_names_what_to_install(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(UserError, match=r"no CUDA for tensorflow: pip install 'tensorflow\[and"):
        environment.use_device("gpu")
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    assert environment.no_gpu().endswith("no CUDA for jax: pip install 'jax[cuda13]'")


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize("value", ["", "-1"])
def test_a_hidden_gpu_is_told(monkeypatch, value):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    with pytest.raises(UserError, match=f"CUDA_VISIBLE_DEVICES={value} hides it: unset it"):
        environment.use_device("gpu")


def test_cpu_keeps_tensorflow_off_the_gpu_for_good(gpu):
    environment.use_device("cpu")
    assert gpu == []
    assert environment.device().startswith("CPU")
    with pytest.raises(UserError, match="an earlier training in this process requested cpu"):
        environment.use_device("gpu")


@pytest.mark.usefixtures("gpu")
def test_cpu_after_the_gpu_is_in_use_is_refused(monkeypatch):
    import tensorflow as tf

    def in_use(*_):
        raise RuntimeError("Visible devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "set_visible_devices", in_use)
    with pytest.raises(RecipeError, match=r"'training.device': this process already uses its GPU"):
        prepare(recipe_from_text(RECIPE + "cpu"))


def test_cpu_keeps_jax_and_torch_off_the_gpu(monkeypatch):
    """With the few functions of the two backends that are called, as neither is installed here."""
    kept, gpus = [], [SimpleNamespace(platform="gpu", device_kind="NVIDIA H200")]
    jax = SimpleNamespace(
        devices=lambda: gpus,
        config=SimpleNamespace(update=lambda *what: (kept.append(what), gpus.clear())),
    )
    place = SimpleNamespace(type="cuda")
    torch = SimpleNamespace(
        cuda=SimpleNamespace(device_count=lambda: 1, get_device_name=lambda _: "NVIDIA H200")
    )
    import contextlib

    @contextlib.contextmanager
    def scope(name):
        place.type = name
        yield

    monkeypatch.setitem(sys.modules, "jax", jax)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr("keras.device", scope)
    monkeypatch.setattr("keras.ops.zeros", lambda _: SimpleNamespace(device=place))
    monkeypatch.setattr(environment, "_left", set())
    for backend in ("jax", "torch"):
        monkeypatch.setattr("keras.backend.backend", lambda backend=backend: backend)
        assert environment._gpus()[0] == ["NVIDIA H200"]
        environment.use_device("cpu")
        assert environment._gpus()[0] == []
    assert kept == [("jax_platforms", "cpu")]


@pytest.mark.usefixtures("driver")
def test_the_first_lines_tell_device_and_precision_and_why_there_is_no_gpu(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    prepared = prepare(recipe_from_text(RECIPE + "auto\n  mixed_precision: true"))
    device, why = describe(prepared).splitlines()[1:3]
    assert device.startswith("device  CPU (")
    assert "), mixed_bfloat16, tensorflow backend, Keras 3." in device
    assert why == (
        "        no GPU: there is an NVIDIA driver, but no CUDA for tensorflow: "
        "pip install 'tensorflow[and-cuda]'"
    )
    assert "no GPU" not in describe(prepared, "cpu")
    assert ", float32, " in describe(prepare(recipe_from_text(RECIPE + "cpu")))


@pytest.mark.usefixtures("gpu")
def test_mixed_precision_is_float16_on_a_gpu():
    prepared = prepare(recipe_from_text(RECIPE + "gpu\n  mixed_precision: true"))
    line = describe(prepared).splitlines()[1]
    assert line.startswith("device  GPU (NVIDIA H200), mixed_float16, tensorflow backend,")


@pytest.mark.parametrize(("setting", "given"), [("null", "auto"), ("true", True), ("false", False)])
def test_jit_compile_is_keras_own(monkeypatch, setting, given):
    import keras

    seen = {}

    def compiled(model, **options):
        seen.update(options)
        model.optimizer = options["optimizer"]

    monkeypatch.setattr(keras.Sequential, "compile", compiled)
    prepare(recipe_from_text(RECIPE + f"cpu\n  jit_compile: {setting}"))
    assert seen["jit_compile"] == given


def test_a_run_that_asked_for_a_gpu_is_examined_without_one(tmp_path):
    """On a machine with a GPU it was trained; its curves and layers are read on any."""
    from dlcourse.lab.diagnosis.examination import examine
    from dlcourse.runs import sha256, write_sealed
    from dlcourse.training import train

    run = train(recipe_from_text(RECIPE + "cpu\n  epochs: 1"), tmp_path, name="x", bar=False)
    facts = asdict(run.facts)
    file = run.path / "recipe.yaml"
    file.write_text(file.read_text().replace("device: cpu", "device: gpu"))
    write_sealed(run.path / "dataset.json", {**facts, "recipe_sha256": sha256(file)})
    from dlcourse.runs import read_run

    assert examine(read_run(run.path)).dataset is not None


def test_the_readmes_packages_for_jax_are_the_projects_but_tensorflows():
    """Two more are for TensorFlow alone: `tf-keras-vis`, and what TensorFlow Datasets forget."""
    root = Path(__file__).parents[1]
    command = (root / "README.md").read_text(encoding="utf-8").split("```sh\n")[3].split("&&")[1]
    named = set(command.replace("\\", "").partition("constraints.txt")[2].split())
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split("[>=]", one)[0] for one in project["dependencies"]}
    of_tensorflow = {"tensorflow", "tensorflow-datasets", "importlib_resources", "tf-keras-vis"}
    assert of_tensorflow <= needed
    assert named == needed - of_tensorflow | {"jax"}


@pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() != "x86_64", reason="oneDNN is for x86"
)
@pytest.mark.parametrize(
    ("given", "on"), [({}, True), pytest.param({ONEDNN: "0"}, False, marks=pytest.mark.slow)]
)
def test_tensorflow_computes_with_onednn_unless_the_user_said_no(given, on):
    own = {key: value for key, value in os.environ.items() if key != ONEDNN}
    own["TF_CPP_MIN_LOG_LEVEL"] = "0"
    done = subprocess.run(
        [sys.executable, "-c", "import dlcourse, tensorflow"],
        env=own | given,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("oneDNN custom operations are on" in done.stderr) == on


@pytest.mark.slow
def test_a_model_of_ones_own_training_prints_no_log_of_tensorflow():
    training = (
        "import dlcourse as dl; data = dl.load_dataset('iris');"
        "model = dl.build_model('dnn', data);"
        "model.compile('adam', 'sparse_categorical_crossentropy');"
        "model.fit(data.x_train, data.y_train, verbose=0)"
    )
    own = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", training],
        env=own,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
