"""python -m benchmarks.augmentation: one affine warp beside Keras' four layers in sequence.

Each moves batches of 128 images of 28 × 28 as in a training on TensorFlow, in turn in one process.
"""

import argparse
import time
from statistics import median
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dlcourse.models import augmentation_layers

BATCH, EPOCH = 128, 60_000
RANGES: dict[str, Any] = {"shift": 0.07, "rotate": 12.0, "zoom": 0.1, "shear": 0.15}


def ways() -> dict[str, list[Any]]:
    """Return the layers of each way; Keras counts a rotation in turns."""
    shift, zoom, shear = (RANGES[name] for name in ("shift", "zoom", "shear"))
    layers = keras.layers
    in_sequence = [
        layers.RandomTranslation(shift, shift, fill_mode="constant"),
        layers.RandomRotation(RANGES["rotate"] / 360, fill_mode="constant"),
        layers.RandomZoom((-zoom, zoom), fill_mode="constant"),
        layers.RandomShear(shear, shear, fill_mode="constant"),
    ]
    return {"one warp": augmentation_layers(fill="black", **RANGES), "four layers": in_sequence}


def compiled(stack: list[Any]) -> Any:
    """Return the layers as one compiled function of images."""
    model = keras.Sequential([keras.Input((28, 28, 1)), *stack])
    return tf.function(lambda images: model(images, training=True))


def main() -> int:
    """Print each way's median CPU seconds for an epoch, and the ratio."""
    parser = argparse.ArgumentParser(description="One affine warp beside Keras' four layers.")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    images = tf.constant(np.random.default_rng(0).random((BATCH, 28, 28, 1), "float32"))
    functions = {name: compiled(stack) for name, stack in ways().items()}
    found: dict[str, list[float]] = {name: [] for name in functions}
    for number in range(rounds + 1):  # the first round traces
        for name, function in functions.items():
            start = time.process_time()
            for _ in range(100):
                function(images)
            if number:
                found[name].append((time.process_time() - start) * EPOCH / BATCH / 100)
    for name, seconds in found.items():
        print(f"{name:<12}{median(seconds):6.2f} CPU-s an epoch of {EPOCH:,} images")
    print(f"{'ratio':<12}{median(found['four layers']) / median(found['one warp']):6.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
