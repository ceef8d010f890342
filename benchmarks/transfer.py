"""python -m benchmarks.transfer: from the digits 0-4 to 5-9, the head with and without cache.

The network of configs/mnist_cnn.yaml learns to tell 0 to 4 of MNIST; its layers up to the head
then serve 5 to 9. The head is trained twice from the same start, on cached features and behind the
frozen base, on the same batches; the CPU seconds and the weights are compared.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.svm import SVC

from dlcourse.batches import training_batches
from dlcourse.datasets import Dataset, load_dataset
from dlcourse.features import features
from dlcourse.recipe import load_recipe
from dlcourse.training import prepare
from dlcourse.transfer import transfer

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Train base and heads; print what they cost and reach."""
    parser = argparse.ArgumentParser(description="Transfer from 0-4 to 5-9, with and without cache")
    parser.add_argument("--examples", type=int, default=28000, help="of each half, to learn")
    parser.add_argument("--epochs", type=int, default=20, help="of the head")
    parser.add_argument("--layer", default="flatten", help="the last one kept")
    arguments = parser.parse_args()
    recipe = load_recipe(ROOT / "configs" / "mnist_cnn.yaml")
    data = load_dataset("mnist")
    low, high = half(data, 0, arguments.examples), half(data, 5, arguments.examples)
    base = prepare(recipe, low).model
    base.fit(low.x_train, low.y_train, batch_size=64, epochs=2, verbose=0)
    found = transfer(base, arguments.layer, 5)
    start = found.head.get_weights()
    with tempfile.TemporaryDirectory() as cache:
        cpu = time.process_time()
        rows = features(base, found.layer, high.x_train, cache=cache)
        first = time.process_time() - cpu
        cached = fitted(found.head, rows, high.y_train, arguments.epochs)
    with_cache = found.head.get_weights()
    found.head.set_weights(start)
    whole = fitted(found.model, high.x_train, high.y_train, arguments.epochs)
    without = found.head.get_weights()
    gaps = [np.abs(a - b).max() for a, b in zip(with_cache, without, strict=True)]
    chosen = found.model.predict(high.x_test, verbose=0).argmax(axis=1)
    svm = SVC().fit(rows, high.y_train)
    share = svm.score(features(base, found.layer, high.x_test), high.y_test)
    print(f"features {rows.shape}: once {first:.2f} CPU-s, then the head {cached:.2f} CPU-s")
    print(f"head behind the frozen base {whole:.2f} CPU-s: {whole / cached:.1f} times the head's,")
    print(f"  {whole / (first + cached):.1f} times with the features' own cost")
    print(f"weights equal bit for bit: {max(gaps) == 0} (largest difference {max(gaps):.2g})")
    print(f"test accuracy on 5-9: head {np.mean(chosen == high.y_test):.4f}, SVM {share:.4f}")
    return 0


def half(data: Dataset, lowest: int, examples: int) -> Dataset:
    """Return the data set of five digits from `lowest` on, numbered from 0."""
    parts: dict[str, Any] = {}
    for part, (x, y) in data.splits.items():
        chosen = np.flatnonzero((y >= lowest) & (y < lowest + 5))
        chosen = chosen[: examples if part == "train" else None]
        parts |= {f"x_{part}": x[chosen], f"y_{part}": y[chosen] - lowest}
    return replace(data, class_names=data.class_names[lowest : lowest + 5], **parts)


def fitted(model: Any, x: np.ndarray, y: np.ndarray, epochs: int) -> float:
    """Train on the same batches whatever the model; return the CPU seconds."""
    steps = 16 if any(len(layer.output.shape) > 2 for layer in model.layers[1:]) else 128
    model.compile(
        keras.optimizers.Adam(1e-3),
        "sparse_categorical_crossentropy",
        steps_per_execution=min(steps, -(-len(x) // 64)),  # as recipes choose
    )
    batches, order = training_batches(x, y, batch_size=64, seed=0)
    start = time.process_time()
    model.fit(batches, epochs=epochs, callbacks=[order], shuffle=False, verbose=0)
    return time.process_time() - start


if __name__ == "__main__":
    raise SystemExit(main())
