"""A trained model in other runtimes' formats: written, loaded again there, compared with Keras.

Keras' own exporters write. What they leave open is settled on a copy of the model: recurrent layers
are unrolled for LiteRT (a loop would need TensorFlow's operations on the phone), a Normalization's
constants are put into the graph (as tensors they become inputs that ONNX Runtime asks for), GELU
is written with erf (tf2onnx has no erfc), and mixed precision becomes float32.
"""

import contextlib
import io
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from dlcourse.errors import RunError, UserError, WriteError
from dlcourse.evaluation import PREDICT_BATCH
from dlcourse.runs import HALF_WRITTEN, make_folder, write_file

TOLERANCE = 1e-4
BATCHES = (1, 256)
THREADS = 1
INPUT = "inputs"
Predict = Callable[[np.ndarray], np.ndarray]


class Format(NamedTuple):
    """A format: its file or folder, what must be installed (last: its runtime), how to write it
    from a Keras model, and how to load it as a function of a batch."""

    file: str
    packages: tuple[str, ...]
    write: Callable[[Any, Path], None]
    load: Callable[[Path], Predict]


class Exported(NamedTuple):
    """A model in another format.

    Attributes:
        path: the file or folder.
        difference: the largest absolute difference of an output from Keras'.
        allowed: the largest that passes.
        predict: float32 inputs `(n, …)` → outputs, by the format's own runtime.
    """

    path: Path
    difference: float
    allowed: float
    predict: Predict


def check_installed(formats: Sequence[str]) -> None:
    """Raise a UserError that names the packages which these formats need and are not there."""
    needed = [package for name in formats for package in FORMATS[name].packages]
    if missing := [package for package in needed if find_spec(package.replace("-", "_")) is None]:
        raise UserError(
            f"export to {' and '.join(formats)} needs {' and '.join(missing)}: "
            f"pip install {' '.join(missing)} (or this package's extra: -e '.[export]')"
        )


def one_thread() -> None:
    """Let TensorFlow compute as the other runtimes do, if it is not loaded yet: on one thread of
    the CPU."""
    threads = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), str(THREADS))
    os.environ.update(threads, CUDA_VISIBLE_DEVICES="-1")


def in_float32(model: Any) -> Any:
    """Return the model; one trained in mixed precision as a copy that computes in float32."""
    types = {layer.dtype_policy.compute_dtype for layer in model.layers}
    return model if types == {"float32"} else _copy(model)


def export(model: Any, name: str, folder: Path, x: np.ndarray) -> Exported:
    """Return the model in another format, in `folder`, if it answers there as it does in Keras.

    The artifact takes float32 inputs `(n, …)` of any n, raw as the data set gives them.

    Args:
        model: a Keras model of one input that computes in float32, on TensorFlow.
        name: a key of `FORMATS`.
        folder: made if it is not there; an earlier export in it is replaced.
        x: inputs to compare on, `(n, …)`.

    Raises:
        UserError: the model cannot be exported, or its outputs differ by more than `TOLERANCE` (of
            the largest prediction in a regression); nothing is written then.
        RunError: the folder cannot be written, or holds something else by that name.
    """
    form = FORMATS[name]
    path = folder / form.file
    _refuse_other(path)
    with tempfile.TemporaryDirectory() as aside, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Path(aside) / form.file
        try:
            form.write(model, made)
            predict = form.load(made)
            difference, allowed = _difference(model, predict, x)
        except Exception as error:  # noqa: BLE001 - whatever exporters and runtimes raise
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{name}: the model cannot be exported: {reason}") from None
        if not difference <= allowed:  # NaN is refused too
            raise UserError(
                f"{name}: its outputs differ from Keras' by up to {difference:.1e}, and "
                f"{allowed:.1e} is allowed: nothing was written"
            )
        make_folder(folder)
        _place(made, path)
    return Exported(path, difference, allowed, predict)


def _difference(model: Any, predict: Predict, x: np.ndarray) -> tuple[float, float]:
    """Return the largest difference from Keras, and the largest that is allowed.

    The runtime is asked in batches of 256 and, for the first ten, one by one.
    """
    expected = model.predict(x, batch_size=PREDICT_BATCH, verbose=0)
    batches = [slice(start, start + BATCHES[1]) for start in range(0, len(x), BATCHES[1])]
    parts = [*batches, *(slice(one, one + 1) for one in range(min(10, len(x))))]
    found = [np.abs(predict(x[part].astype("float32")) - expected[part]).max() for part in parts]
    scale = np.abs(expected).max() if model.layers[-1].name == "prediction" else 1
    return float(np.max(found)), float(TOLERANCE * scale)


def random_inputs(model: Any, value_range: tuple[float, float], n: int) -> np.ndarray:
    """Return inputs `(n, …)`, float32, as the model's own scaling expects them.

    Args:
        model: rows are drawn around the means that its Normalization holds.
        value_range: (low, high) of an image's values.
        n: how many.
    """
    import keras

    rng, shape = np.random.default_rng(0), (n, *model.inputs[0].shape[1:])
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            mean, variance = np.array(layer.mean), np.array(layer.variance)
            return rng.normal(mean, np.sqrt(variance), shape).astype("float32")
    return rng.uniform(*value_range, shape).astype("float32")


def microseconds(
    ways: Mapping[str, Predict], x: np.ndarray, batch: int, *, seconds: float = 3.0
) -> dict[str, tuple[float, float]]:
    """Return each way's median (CPU, wall) microseconds an input; the ways take turns.

    Args:
        ways: functions of a batch, by name.
        x: inputs `(n, …)`, repeated where they do not fill a batch.
        batch: inputs a call.
        seconds: in which to take turns: three to 50, of one call that is not counted and five.
    """
    inputs = np.resize(x[:batch], (batch, *x.shape[1:])).astype("float32")
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    end = time.perf_counter() + seconds
    for turn in range(50):
        if turn >= 3 and time.perf_counter() > end:
            break
        for way, predict in ways.items():
            predict(inputs)
            taken[way] += [_timed(predict, inputs) for _ in range(5)]
    return {way: _median(times, batch) for way, times in taken.items()}


def _timed(predict: Predict, inputs: np.ndarray) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    predict(inputs)
    return time.process_time() - cpu, time.perf_counter() - wall


def _median(times: list[tuple[float, float]], batch: int) -> tuple[float, float]:
    cpu, wall = (median(column) / batch * 1e6 for column in zip(*times, strict=True))
    return cpu, wall


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _refuse_other(path: Path) -> None:
    """Raise a RunError where an export would replace something that is none."""
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise RunError(f"{path}: is there already and is no export: choose another --out")


def _place(made: Path, path: Path) -> None:
    """Put a file or folder at `path`, whole; an earlier folder is moved aside and removed."""
    if made.is_file():
        return write_file(path, lambda temporary: shutil.copyfile(made, temporary))
    try:
        with tempfile.TemporaryDirectory(prefix=HALF_WRITTEN, dir=path.parent) as aside:
            new = Path(shutil.copytree(made, Path(aside) / "new"))
            if path.exists():
                path.rename(Path(aside) / "old")
            new.rename(path)
    except OSError as error:
        raise WriteError(f"{path}: cannot be written: {error.strerror or error}") from None


def _copy(model: Any, *, unroll: bool = False) -> Any:
    """Return a float32 copy of the model in operations that other runtimes have."""
    import keras

    def portable(config: dict[str, Any]) -> dict[str, Any]:
        if "unroll" in config:
            config["unroll"] = unroll
        if config.get("name") in ("mixed_float16", "mixed_bfloat16"):
            config["name"] = "float32"
        return config

    config = json.loads(model.to_json(), object_hook=portable)
    copy: Any = keras.models.model_from_json(json.dumps(config))
    copy.set_weights(model.get_weights())
    for layer in copy.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.mean, layer.variance = np.array(layer.mean), np.array(layer.variance)
        if getattr(layer, "activation", None) is keras.activations.gelu:
            layer.activation = _gelu
    copy(np.zeros((1, *model.inputs[0].shape[1:]), "float32"))  # Keras exports what was called
    return copy


def _gelu(x: Any) -> Any:
    from keras import ops

    return 0.5 * x * (1 + ops.erf(x / 2**0.5))


def _export(model: Any, path: Path, form: str, **settings: Any) -> None:
    """Call Keras' exporter for float32 inputs of any batch size."""
    import keras

    shape = (None, *model.inputs[0].shape[1:])
    signature = [keras.InputSpec(shape=shape, dtype="float32", name=INPUT)]
    with contextlib.redirect_stdout(io.StringIO()):  # Keras 3.13 tells of a SavedModel all the same
        model.export(str(path), format=form, verbose=False, input_signature=signature, **settings)


def _write_onnx(model: Any, path: Path) -> None:
    _export(_copy(model), path, "onnx")


def _load_onnx(path: Path) -> Predict:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = THREADS
    session: Any = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    return lambda x: session.run(None, {INPUT: x})[0]


def _write_litert(model: Any, path: Path) -> None:
    import tensorflow as tf

    lite: Any = tf.lite
    operations = {"supported_ops": [lite.OpsSet.TFLITE_BUILTINS]}
    _export(_copy(model, unroll=True), path, "litert", target_spec=operations)


def _load_litert(path: Path) -> Predict:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=THREADS)
    runner = interpreter.get_signature_runner()
    (name,) = runner.get_input_details()  # Keras 3.13 names it otherwise
    return lambda x: next(iter(runner(**{name: x}).values()))


def _write_saved_model(model: Any, path: Path) -> None:
    _export(model, path, "tf_saved_model")


def _load_saved_model(path: Path) -> Predict:
    import tensorflow as tf

    loaded: Any = tf.saved_model.load(path)

    def predict(x: np.ndarray) -> np.ndarray:
        outputs = loaded.signatures["serving_default"](**{INPUT: tf.constant(x)})
        return next(iter(outputs.values())).numpy()

    return predict


FORMATS = {
    "onnx": Format("model.onnx", ("tf2onnx", "onnxruntime"), _write_onnx, _load_onnx),
    "litert": Format("model.tflite", ("ai-edge-litert",), _write_litert, _load_litert),
    "saved_model": Format("saved_model", ("tensorflow",), _write_saved_model, _load_saved_model),
}
