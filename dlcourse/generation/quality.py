"""How good are generated or reconstructed images? Numbers that need no eye."""

import contextlib
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.datasets import Dataset
from dlcourse.errors import UserError
from dlcourse.files import write_file
from dlcourse.heavy import keras
from dlcourse.models import build_model
from dlcourse.text_table import text_table

PER_CLASS, MOST_REAL = 100, 5000  # generated images of a class; real images that are compared
JUDGE = "judge.keras"
MEANINGS = {
    "judge_agrees": "a classifier of real images sees the class that was asked for",
    "train_on_generated": "an SVM trained on generated images is right on real ones",
    "frechet": "Fréchet distance to real images in the judge's features; 0 is best",
    "two_sample": "nearest neighbours tell generated from real; 0.5 is best",
    "nearest_train": "median distance to the nearest training image",
    "spread": "variation within a class, as a share of the real one",
    "least_class": "share of the class that the judge sees least often",
    "reconstruction": "mean squared error, as a share of the variance of the pixels",
    "anomaly_auc": "area under the curve of the error on images with a planted patch",
}


class Quality:
    """The measurements of a data set's generated or reconstructed images.

    Args:
        data: Images with classes.
        kind: `gan` or `autoencoder`.
        folder: Folder in which the judge is kept.
        seed: Seed of the judge, the noise and the samples.
    """

    def __init__(self, data: Dataset, kind: str, folder: Path, seed: int):
        self.data, self.kind, self.folder, self.seed = data, kind, folder, seed

    def measure(self, model: Any, part: str) -> dict[str, float]:
        """Return the numbers of a generator or an autoencoder on `val` or `test` images.

        What they mean stands in `MEANINGS`.
        """
        real, labels = self._sample(part)
        if self.kind == "autoencoder":
            return reconstruction(model, real, self.seed)
        images, asked = generate(model, PER_CLASS, self.seed)
        seen = self.judge.predict(images, batch_size=512, verbose=0).argmax(axis=1)
        shares = np.bincount(seen, minlength=len(self.data.class_names)) / len(seen)
        numbers = self._against(images, asked, real, labels)
        agrees = float(np.mean(seen == asked))
        return {"judge_agrees": agrees, **numbers, "least_class": float(shares.min())}

    def _against(self, images: Any, classes: Any, real: Any, labels: Any) -> dict[str, float]:
        """Return the numbers that compare images with real ones."""
        from sklearn.svm import SVC

        train, train_labels = self._sample("train")
        flat, flat_real, flat_train = (self._rows(x) for x in (images, real, train))
        on_real = SVC().fit(flat, classes).score(flat_real, labels)
        within, true = (
            np.mean([x[y == k].std(axis=0).mean() for k in np.unique(y)])
            for x, y in ((flat, classes), (flat_train, train_labels))
        )
        return {
            "train_on_generated": float(on_real),
            "frechet": frechet(self._features(images), self._features(real)),
            "two_sample": two_sample(flat, flat_real, self.seed),
            "nearest_train": float(np.median(nearest(flat, flat_train))),
            "spread": float(within / (true or 1.0)),
        }

    @cached_property
    def reference(self) -> dict[str, dict[str, float]]:
        """The same numbers for real images, training against test, and for noise; GAN alone.

        What real images reach is the best that can be asked for; noise is the worst.
        """
        if self.kind == "autoencoder":
            return {}
        (real, labels), (train, classes) = self._sample("test"), self._sample("train")
        noise = np.random.default_rng(self.seed).uniform(*self.data.value_range, train.shape)
        seen = self.judge.predict(real, batch_size=512, verbose=0).argmax(axis=1)
        of_real = self._against(train, classes, real, labels)
        of_real["judge_agrees"] = float(np.mean(seen == labels))
        # of the test images: an image of the training set is at 0 from itself
        of_real["nearest_train"] = float(np.median(nearest(self._rows(real), self._rows(train))))
        of_noise = self._against(noise.astype("float32"), classes, real, labels)
        return {"real": of_real, "noise": of_noise}

    @cached_property
    def judge(self) -> Any:
        """A small convolutional network, trained on the real training images and kept."""
        path = self.folder / JUDGE
        if path.exists():
            with contextlib.suppress(Exception):  # a damaged one is trained again, from its seed
                return keras.saving.load_model(path, compile=False)
        keras.utils.set_random_seed(self.seed)
        data = replace(self.data, task="multiclass")
        # pooled twice, smaller images would shrink to nothing
        pool: Any = {} if min(data.input_shape[:2]) > 3 else {"pool": "none"}
        judge: Any = build_model("cnn", data, filters=(16, 32), hidden=(64,), dropout=0.2, **pool)
        judge.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
        epochs = max(2, min(20, 60_000 // len(self.data.x_train)))
        judge.fit(self.data.x_train, self.data.y_train, epochs=epochs, batch_size=64, verbose=0)
        write_file(path, judge.save)
        return judge

    @cached_property
    def _features(self) -> Any:
        cut: Any = keras.Model(self.judge.inputs, self.judge.get_layer("logits").input)
        return partial(cut.predict, batch_size=512, verbose=0)

    def _rows(self, images: np.ndarray) -> np.ndarray:
        low, high = self.data.value_range
        return np.asarray(images, "float32").reshape(len(images), -1) / np.float32(high - low)

    def _sample(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Return at most MOST_REAL images of a part, always the same ones, and their labels."""
        x, y = self.data.splits[part]
        order = np.random.default_rng(self.seed).permutation(len(x))[:MOST_REAL]
        return np.asarray(x[order], "float32"), np.asarray(y)[order]

    def sample(self, model: Any) -> np.ndarray:
        """Return one image per class: generated from the same noise, or a test image rebuilt."""
        if self.kind == "gan":
            return generate(model, 1, self.seed)[0]
        first = np.unique(self.data.y_test, return_index=True)[1]
        return model.predict(np.asarray(self.data.x_test[first], "float32"), verbose=0)

    def text(self, numbers: dict[str, float]) -> str:
        """Return numbers as a table, with those of real images and of noise, and their meaning."""
        columns = [numbers, *self.reference.values()]
        rows = [
            [name, *(f"{each[name]:.3f}" if name in each else "" for each in columns), meaning]
            for name, meaning in MEANINGS.items()
            if name in numbers
        ]
        return text_table(("", "test", *self.reference, ""), rows)


def generate(model: Any, per_class: int, seed: int = 0) -> tuple[Any, Any]:
    """Return generated images `(per_class · classes, height, width, channels)` and their classes.

    Args:
        model: Generator: noise and one-hot classes → images.
        per_class: Images of each class.
        seed: Seed of the noise.

    Raises:
        UserError: The model is not a generator, or no images are asked for.
    """
    if len(getattr(model, "inputs", ())) != 2 or per_class < 1:
        raise UserError("expected a generator, the model of a gan's run, and per_class ≥ 1")
    size, count = (each.shape[1] for each in model.inputs)
    asked = np.repeat(np.arange(count), per_class)
    noise = np.random.default_rng([seed, 1]).normal(size=(len(asked), size)).astype("float32")
    one_hot = np.eye(count, dtype="float32")[asked]
    return model.predict([noise, one_hot], batch_size=512, verbose=0), asked


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Fréchet distance of two sets of features `(n, d)`, taken as normal distributions.

    |μ₁ − μ₂|² + tr(C₁ + C₂ − 2·(C₁C₂)^½); see Heusel et al. 2017 (arXiv:1706.08500).
    """
    (mean_a, cov_a), (mean_b, cov_b) = ((x.mean(axis=0), np.cov(x.T)) for x in (a, b))
    # the trace of the root is the sum of the roots of the eigenvalues, which are not negative
    roots = np.sqrt(np.maximum(np.linalg.eigvals(cov_a @ cov_b).real, 0)).sum()
    distance = np.sum((mean_a - mean_b) ** 2) + np.trace(cov_a) + np.trace(cov_b) - 2 * roots
    return float(max(distance, 0.0))


def two_sample(a: np.ndarray, b: np.ndarray, seed: int = 0, most: int = 500) -> float:
    """Return how often the nearest other row is of the same set: 0.5 if both are alike.

    It is the larger share of the two sets: if all rows of one lie among those of the other, their
    mean would be 0.5 (Xu et al. 2018, arXiv:1806.07755). As many rows of each set are taken, at
    most `most`; see Lopez-Paz and Oquab 2017 (arXiv:1610.06545).
    """
    from sklearn.neighbors import NearestNeighbors

    n = min(len(a), len(b), most)
    random = np.random.default_rng(seed)
    rows = np.concatenate([x[random.permutation(len(x))[:n]] for x in (a, b)])
    labels = np.repeat([0, 1], n)
    other = NearestNeighbors(n_neighbors=1).fit(rows).kneighbors(return_distance=False)[:, 0]
    return float((labels[other] == labels).reshape(2, n).mean(axis=1).max())


def nearest(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the Euclidean distance of each row of `a` to its nearest row of `b`."""
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=1, algorithm="brute").fit(b).kneighbors(a)[0][:, 0]


def with_patch(images: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return copies with a planted anomaly each: a square, a third as wide as they, is inverted."""
    copies, random = np.array(images), np.random.default_rng(seed)
    side = max(1, round(min(images.shape[1:3]) / 3))
    low, high = images.min(), images.max()
    for image in copies:
        top, left = (random.integers(length - side + 1) for length in images.shape[1:3])
        square = image[top : top + side, left : left + side]
        square[...] = low + high - square
    return copies


def reconstruction_error(model: Any, images: np.ndarray) -> np.ndarray:
    """Return the mean squared error of each image `(n,)`, an autoencoder's score of anomaly."""
    given = np.asarray(images, "float32")
    rebuilt = model.predict(given, batch_size=512, verbose=0)
    return ((rebuilt - given) ** 2).reshape(len(given), -1).mean(axis=1)


def codes(model: Any, images: np.ndarray) -> np.ndarray:
    """Return the code of each image, the output of an autoencoder's layer `code`: `(n, code)`."""
    encoder: Any = keras.Model(model.inputs, model.get_layer("code").output)
    return encoder.predict(np.asarray(images, "float32"), batch_size=512, verbose=0)


def reconstruction(model: Any, images: np.ndarray, seed: int) -> dict[str, float]:
    """Return `reconstruction` and `anomaly_auc` of an autoencoder on images; see `MEANINGS`."""
    from sklearn.metrics import roc_auc_score

    usual = reconstruction_error(model, images)
    planted = reconstruction_error(model, with_patch(images, seed))
    area = roc_auc_score(np.repeat([0, 1], len(images)), np.concatenate([usual, planted]))
    variance = images.reshape(len(images), -1).var(axis=0).mean()
    return {"reconstruction": float(usual.mean() / (variance or 1.0)), "anomaly_auc": float(area)}
