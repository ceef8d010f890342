"""The formats: each is written by Keras' exporter and loaded by its own runtime.

What the exporters do not support is changed on a copy of the model: recurrent layers are unrolled
for LiteRT (a loop would need TensorFlow's operations on the phone), the constants of a
Normalization are put into the graph (as tensors they become inputs that ONNX Runtime requires),
GELU is computed with erf (tf2onnx has no erfc), and mixed precision becomes float32.
"""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import numpy as np

from dlcourse.heavy import keras, ops
from dlcourse.visualizers.clones import clone

THREADS = 1
INPUT, NAMES = "inputs", "names.json"
Predict = Callable[[np.ndarray], np.ndarray]


class Format(NamedTuple):
    """A format: its file or folder, the required packages (the last is its runtime), a function
    that writes it from a Keras model, one that adds the text of the names to it, and one that loads
    it as a function of a batch."""

    file: str
    packages: tuple[str, ...]
    write: Callable[[Any, Path], None]
    add_names: Callable[[Path, str], None]
    load: Callable[[Path], Predict]


def float32_copy(model: Any, *, unroll: bool = False) -> Any:
    """Return a float32 copy of the model with operations that other runtimes support."""

    def portable(config: dict[str, Any]) -> dict[str, Any]:
        if "unroll" in config:
            config["unroll"] = unroll
        if config.get("name") in ("mixed_float16", "mixed_bfloat16"):
            config["name"] = "float32"
        return config

    def changed(layer: Any) -> Any:
        text = json.dumps(keras.saving.serialize_keras_object(layer))
        own = {_gelu.__name__: _gelu}  # if the model is such a copy itself
        return keras.saving.deserialize_keras_object(json.loads(text, object_hook=portable), own)

    copy = clone(model, changed)
    for layer in copy._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.mean, layer.variance = np.array(layer.mean), np.array(layer.variance)
        if getattr(layer, "activation", None) is keras.activations.gelu:
            layer.activation = _gelu
    inputs = model.inputs[0]
    copy(np.zeros((1, *inputs.shape[1:]), inputs.dtype))  # Keras exports a called model
    return copy


def _gelu(x: Any) -> Any:
    return 0.5 * x * (1 + ops.erf(x / 2**0.5))


def _export(model: Any, path: Path, form: str, **settings: Any) -> None:
    """Call Keras' exporter for inputs of any batch size."""
    shape, dtype = (None, *model.inputs[0].shape[1:]), model.inputs[0].dtype
    signature = [keras.InputSpec(shape=shape, dtype=dtype, name=INPUT)]
    with contextlib.redirect_stdout(io.StringIO()):  # Keras 3.13 prints about a SavedModel
        model.export(str(path), format=form, verbose=False, input_signature=signature, **settings)


def _write_onnx(model: Any, path: Path) -> None:
    _export(float32_copy(model), path, "onnx")


def _names_in_onnx(path: Path, names: str) -> None:
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, {NAMES: names})
    onnx.save(model, path)


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
    _export(float32_copy(model, unroll=True), path, "litert", target_spec=operations)


def _names_in_litert(path: Path, names: str) -> None:
    with ZipFile(path, "a") as archive:  # after the model, as TensorFlow Lite packs labels
        archive.writestr(NAMES, names)


def _load_litert(path: Path) -> Predict:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=THREADS)
    runner = interpreter.get_signature_runner()
    (name,) = runner.get_input_details()  # Keras 3.13 uses another name
    return lambda x: next(iter(runner(**{name: x}).values()))


def _write_saved_model(model: Any, path: Path) -> None:
    _export(model, path, "tf_saved_model")


def _names_in_saved_model(path: Path, names: str) -> None:
    (path / "assets.extra").mkdir(exist_ok=True)
    (path / "assets.extra" / NAMES).write_text(names, encoding="utf-8")


def _load_saved_model(path: Path) -> Predict:
    import tensorflow as tf

    loaded: Any = tf.saved_model.load(path)

    def predict(x: np.ndarray) -> np.ndarray:
        outputs = loaded.signatures["serving_default"](**{INPUT: tf.constant(x)})
        return next(iter(outputs.values())).numpy()

    return predict


FORMATS = {
    "onnx": Format(
        "model.onnx", ("tf2onnx", "onnxruntime"), _write_onnx, _names_in_onnx, _load_onnx
    ),
    "litert": Format(
        "model.tflite", ("ai-edge-litert",), _write_litert, _names_in_litert, _load_litert
    ),
    "saved_model": Format(
        "saved_model", ("tensorflow",), _write_saved_model, _names_in_saved_model, _load_saved_model
    ),
}
