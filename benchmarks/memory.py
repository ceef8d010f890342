"""python -m benchmarks.memory: peak memory of training MNIST, beside a plain Keras script.

Each side runs in processes of its own, in turn; the figure is the operating system's maximum
resident set size of the process.
"""

import argparse
import subprocess
import sys
import tempfile
from statistics import median

PLAIN = """
import keras, tensorflow_datasets as tfds
from keras import layers
def load(split):
    data = tfds.load("mnist", split=split, batch_size=-1, as_supervised=True)
    images, labels = tfds.as_numpy(data)
    return images.astype("float32") / 255, labels
x, y = load("train")
x_test, y_test = load("test")
model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(),
    layers.Dense(16, activation="relu"), layers.Dense(16, activation="relu"),
    layers.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=128, epochs=2, validation_split=0.1, verbose=0)
model.evaluate(x_test, y_test, verbose=0)
"""


def peak(command: list[str]) -> float:
    """Return the peak resident memory of a command in MiB."""
    code = (
        "import resource, subprocess, sys; "
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, "
        "stderr=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=True
    )
    unit = 1024 if sys.platform != "darwin" else 1024 * 1024  # Linux: KiB, macOS: bytes
    return int(done.stdout) / unit


def main() -> int:
    """Print both medians and their ratio."""
    parser = argparse.ArgumentParser(description="Peak memory of training MNIST.")
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    plain: list[float] = []
    ours: list[float] = []
    for _ in range(rounds):
        plain.append(peak([sys.executable, "-c", PLAIN]))
        with tempfile.TemporaryDirectory() as runs:
            command = [sys.executable, "-m", "dlcourse.train", "--runs", runs]
            config = "configs/mnist_784_16_16_10_relu.yaml"
            ours.append(peak([*command, "--config", config, "training.epochs=2"]))
    print(f"plain Keras  {median(plain):8.0f} MiB")
    print(f"dlcourse     {median(ours):8.0f} MiB   {median(ours) / median(plain):.2f}×")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
