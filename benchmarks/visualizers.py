"""python -m benchmarks.visualizers: dlcourse's visualizers beside tf-keras-vis, the same work.

A convolutional network for MNIST (untrained: the work is the same), five tasks. Each task starts
with a new model for both sides, so that the first call counts all that has to be made for it; then
both take turns. Median seconds of the later calls, and their ratio. Then the first call on networks
of keras.applications, and the peak memory of every method (Linux), for 600 and for 6,000 images.
"""

import argparse
import contextlib
import gc
import io
import json
import time
import warnings
from collections.abc import Callable
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np
from keras import layers

from dlcourse import visualizers
from dlcourse.visualizers import Regularizers, Transformations

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it asks SciPy under an old name
    from tf_keras_vis.activation_maximization import ActivationMaximization
    from tf_keras_vis.activation_maximization.input_modifiers import Jitter, Rotate2D
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.layercam import Layercam
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.scorecam import Scorecam
    from tf_keras_vis.utils.model_modifiers import ExtractIntermediateLayer, ReplaceToLinear
    from tf_keras_vis.utils.scores import CategoricalScore

FILE = Path(__file__).parent / "visualizers.json"
RNG = np.random.default_rng(0)
IMAGES = RNG.random((64, 28, 28, 1)).astype("float32")
CLASSES = RNG.integers(0, 10, 64).tolist()
START = RNG.random((10, 28, 28, 1)).astype("float32")
COSTS = Regularizers(total_variation=1.0, norm=0.3, p=1.0)
VIEWS = Transformations(jitter=4, rotation=1)
MODIFIERS = [Jitter(4), Rotate2D(1)]
STEPS = 200
FEWER = {
    "smooth_grad": {"samples": 5},
    "integrated_gradients": {"steps": 8},
    "score_cam": {"layer": "conv_1"},
    "occlusion": {"patch": 14, "stride": 14},
    "rise": {"masks": 20},
}  # so that thousands of images take minutes
NETWORKS = ("MobileNetV2", "EfficientNetB0", "DenseNet121")
OTHERS = ("class_activation_map",)  # need another network
Task = Callable[[keras.Model], tuple[Callable[[], Any], Callable[[], Any]]]


def model() -> keras.Model:
    """Return keras-io's MNIST network: 32 and 64 filters, pooled, a hidden layer, softmax."""
    x = keras.Input((28, 28, 1))
    h = layers.Conv2D(32, 3, activation="relu", name="conv_1")(x)
    h = layers.MaxPooling2D()(h)
    h = layers.Conv2D(64, 3, activation="relu", name="conv_2")(h)
    h = layers.Flatten()(layers.MaxPooling2D()(h))
    h = layers.Dense(128, activation="relu")(h)
    return keras.Model(x, layers.Dense(10, activation="softmax")(h))


def filters(net: keras.Model) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Activation maximization of 8 filters, 200 steps with jitter and rotation."""
    theirs = ActivationMaximization(net, model_modifier=[ExtractIntermediateLayer("conv_2")])
    score = CategoricalScore(list(range(8)))
    settings = {"input_modifiers": MODIFIERS, "steps": STEPS, "input_range": (0.0, 1.0)}
    return (
        lambda: theirs(score, seed_input=START[:8], **settings),
        lambda: visualizers.activation_maximization(
            net, list(range(8)), layer="conv_2", value_range=(0, 1), start=START[:8], steps=STEPS,
            regularizers=COSTS, transformations=VIEWS,
        ),
    )  # fmt: skip


def classes(net: keras.Model) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Activation maximization of 10 classes, 200 steps with jitter and rotation."""
    theirs = ActivationMaximization(net, model_modifier=ReplaceToLinear())
    score = CategoricalScore(list(range(10)))
    settings = {"input_modifiers": MODIFIERS, "steps": STEPS, "input_range": (0.0, 1.0)}
    return (
        lambda: theirs(score, seed_input=START, **settings),
        lambda: visualizers.activation_maximization(
            net, list(range(10)), value_range=(0, 1), start=START, steps=STEPS,
            regularizers=COSTS, transformations=VIEWS,
        ),
    )  # fmt: skip


def smooth_grad(net: keras.Model) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """SmoothGrad of 16 images, 20 samples each."""
    theirs = Saliency(net, model_modifier=ReplaceToLinear())
    score = CategoricalScore(CLASSES[:16])
    return (
        lambda: theirs(score, IMAGES[:16], smooth_samples=20, smooth_noise=0.2),
        lambda: visualizers.smooth_grad(net, IMAGES[:16], CLASSES[:16], samples=20, noise=0.2),
    )


def grad_cam(net: keras.Model) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Grad-CAM of 64 images."""
    theirs = Gradcam(net, model_modifier=ReplaceToLinear())
    score = CategoricalScore(CLASSES)
    return (
        lambda: theirs(score, IMAGES, penultimate_layer="conv_2"),
        lambda: visualizers.grad_cam(net, IMAGES, CLASSES, layer="conv_2"),
    )


def score_cam(net: keras.Model) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Score-CAM of 16 images (1,024 masked images)."""
    theirs = Scorecam(net)
    score = CategoricalScore(CLASSES[:16])
    return (
        lambda: theirs(score, IMAGES[:16], penultimate_layer="conv_2"),
        lambda: visualizers.score_cam(net, IMAGES[:16], CLASSES[:16], layer="conv_2"),
    )


TASKS: dict[str, Task] = {
    "activation maximization, 8 filters": filters,
    "activation maximization, 10 classes": classes,
    "SmoothGrad 20 × 16 images": smooth_grad,
    "Grad-CAM × 64": grad_cam,
    "Score-CAM × 16": score_cam,
}


def seconds(call: Callable[[], Any]) -> tuple[float, float]:
    """Return the wall and CPU seconds of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The structure of `inputs`")  # theirs, of every call
        call()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(task: Task, rounds: int) -> dict[str, float]:
    """Return first and median later seconds of both, and the ratios (theirs over ours)."""
    times: tuple[list, list] = ([], [])
    for fresh in range(3):  # the first call on a new model, in both orders
        calls = task(model())
        for k in (0, 1) if fresh % 2 else (1, 0):
            times[k].append(seconds(calls[k]))
    calls = task(model())
    for call in calls:
        call()
    later: tuple[list, list] = ([], [])
    for _ in range(rounds):
        for k, call in enumerate(calls):
            later[k].append(seconds(call))
    theirs, ours = (median(wall for wall, _ in one) for one in later)
    cpu = [median(cpu for _, cpu in one) for one in later]
    first = [median(wall for wall, _ in one) for one in times]
    return {
        "first_theirs": first[0], "first_ours": first[1], "theirs": theirs, "ours": ours,
        "ratio": theirs / ours, "cpu_ratio": cpu[0] / cpu[1], "first_ratio": first[0] / first[1],
    }  # fmt: skip


def first_calls(rounds: int = 2) -> dict[str, float]:
    """Return the CPU seconds of the first call on a new network, as shares of tf-keras-vis's."""
    x, score, linear = (
        RNG.random((1, 96, 96, 3), "float32"),
        CategoricalScore([1]),
        ReplaceToLinear(),
    )
    calls = {
        "saliency": (
            lambda net: Saliency(net, model_modifier=linear)(score, x),
            lambda net: visualizers.saliency(net, x, 1),
        ),
        "SmoothGrad": (
            lambda net: Saliency(net, model_modifier=linear)(score, x, smooth_samples=5),
            lambda net: visualizers.smooth_grad(net, x, 1, samples=5),
        ),
        "Grad-CAM": (
            lambda net: Gradcam(net, model_modifier=linear)(score, x),
            lambda net: visualizers.grad_cam(net, x, 1),
        ),
        "Grad-CAM++": (
            lambda net: GradcamPlusPlus(net, model_modifier=linear)(score, x),
            lambda net: visualizers.grad_cam_plus_plus(net, x, 1),
        ),
        "LayerCAM": (
            lambda net: Layercam(net, model_modifier=linear)(score, x),
            lambda net: visualizers.layer_cam(net, x, 1),
        ),
        "Score-CAM": (
            lambda net: Scorecam(net)(score, x),
            lambda net: visualizers.score_cam(net, x, 1),
        ),
        "activation maximization, 20 steps": (
            lambda net: ActivationMaximization(net, model_modifier=linear)(score, steps=20),
            lambda net: visualizers.activation_maximization(net, [1], steps=20),
        ),
    }
    found = {}
    print(f"\n{'first call, CPU-s':<48}{'tf-keras-vis':>14}{'dlcourse':>12}{'share':>8}")
    for (task, pair), name in product(calls.items(), NETWORKS):
        spent: tuple[list, list] = ([], [])
        for turn in range(rounds):
            for k in (0, 1) if turn % 2 else (1, 0):
                net = getattr(keras.applications, name)(
                    weights=None, input_shape=(96, 96, 3), classes=10
                )
                spent[k].append(seconds(partial(pair[k], net))[1])
        theirs, ours = min(spent[0]), min(spent[1])
        found[f"{task}, {name}"] = ours / theirs
        print(
            f"{task + ', ' + name:<48}{theirs:>14.2f}{ours:>12.2f}{ours / theirs:>8.2f}", flush=True
        )
    return found


def peak(name: str, images: int) -> float:
    """Return the peak memory in MiB of a call, above the model, its images and the result.

    Args:
        name: Method, on the MNIST network; or `ours` or `theirs`: SmoothGrad with 20 samples on
            ResNet50V2 at 112 × 112 pixels.
        images: Number of images.
    """
    large = name in ("ours", "theirs")
    size = (112, 112, 3) if large else (28, 28, 1)
    settings: dict[str, Any] = {"weights": None, "input_shape": size, "classes": 10}
    net = keras.applications.ResNet50V2(**settings) if large else model()
    x = RNG.integers(0, 256, (images, *size), "uint8")
    x = x.astype("float32") if large else x

    def call(x: np.ndarray) -> Any:
        if name == "theirs":
            explain = Saliency(net, model_modifier=ReplaceToLinear())
            return explain(CategoricalScore([0] * len(x)), x, smooth_samples=20, smooth_noise=0.2)
        if large:
            return visualizers.smooth_grad(net, x, 0, samples=20)
        return visualizers.VISUALIZERS[name](net, x, 0, **FEWER.get(name, {}))

    with contextlib.redirect_stdout(io.StringIO()):
        call(x[:2])
        call(x[:2])
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # forget the peak so far
        before = _status("VmRSS")
        result = call(x)
    return _status("VmHWM") - before - np.asarray(result).nbytes / 2**20


def _status(field: str) -> float:
    """Return a memory figure of this process in MiB (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def memory() -> dict[str, list[float]]:
    """Return the peaks for few and for many images, each in a process of its own."""
    found = {}
    tasks = [(name, 600, 6000) for name in visualizers.VISUALIZERS if name not in OTHERS]
    print(f"\n{'peak memory in MiB, images':<38}{600:>10,}{6000:>10,}{'ratio':>8}")
    for name, *sizes in [*tasks, ("theirs", 32), ("ours", 32)]:
        peaks = []
        for images in sizes:
            with get_context("spawn").Pool(1) as pool:
                peaks.append(pool.apply(peak, (name, images)))
        found[name] = peaks
        ratio = (
            f"{peaks[-1] / peaks[0]:>8.2f}" if len(peaks) > 1 else "   (SmoothGrad, ResNet50V2, 32)"
        )
        print(f"{name:<38}" + "".join(f"{x:>10.0f}" for x in peaks) + ratio, flush=True)
    return found


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description="Time the visualizers beside tf-keras-vis.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--task", help="only tasks whose name holds this, no first calls, no memory"
    )
    arguments = parser.parse_args()
    found = {}
    print(f"{'':<38}{'tf-keras-vis':>16}{'dlcourse':>16}{'ratio':>8}{'CPU':>7}{'first':>7}")
    for name, task in TASKS.items():
        if arguments.task and arguments.task not in name:
            continue
        one = found[name] = measure(task, arguments.rounds)
        pair = "".join(f"{one[key]:>14.4f} s" for key in ("theirs", "ours"))
        ratios = f"{one['ratio']:>7.1f}×{one['cpu_ratio']:>6.1f}×{one['first_ratio']:>6.1f}×"
        print(f"{name:<38}{pair}{ratios}", flush=True)
    if not arguments.task:
        found["first_calls"] = first_calls()
        found["memory"] = memory()
        FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
