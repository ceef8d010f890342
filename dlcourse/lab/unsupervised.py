"""Learning without labels: clusters of features, and examples that do not belong.

Each function is a few lines around scikit-learn's own estimator or a Keras model's own `predict`.

References:
    Liu, Ting and Zhou, "Isolation forest", 2008, https://doi.org/10.1109/ICDM.2008.17
    Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks", 2006,
    https://doi.org/10.1126/science.1127647
"""

from typing import Any

import numpy as np

from dlcourse.errors import UserError


def clusters(rows: np.ndarray, k: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's cluster `(n,)` and the centres `(k, values)`, by k-means of 10 starts.

    Args:
        rows: features `(n, values)`.
        k: clusters.
        seed: of the starts.

    Raises:
        UserError: fewer rows than clusters.
    """
    from sklearn.cluster import KMeans

    if not 1 <= k <= len(rows):
        raise UserError(f"{k} clusters of {len(rows)} rows: 1 to {len(rows)} are expected")
    estimator: Any = KMeans  # n_init is annotated as a str
    found = estimator(k, n_init=10, random_state=seed).fit(rows)
    return found.labels_, found.cluster_centers_


def purity(labels: np.ndarray, y: np.ndarray) -> float:
    """Return the share of examples whose class is the most frequent one of their cluster.

    1 where every cluster holds one class; with as many clusters as examples it is always 1.
    """
    largest = (np.bincount(y[labels == cluster]).max() for cluster in np.unique(labels))
    return float(sum(largest) / len(y))


def isolation_scores(known: np.ndarray, rows: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Return how easily random cuts isolate each row `(n,)`, from 0 to 1: anomalies near 1.

    Args:
        known: features of ordinary examples `(m, values)`, on which the forest is grown.
        rows: features of the examples to judge `(n, values)`.
        seed: of the cuts.
    """
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(random_state=seed, n_jobs=1).fit(known)
    return -forest.score_samples(rows)  # scikit-learn's is the negative of the paper's


def autoencoder(x_train: np.ndarray, *, code: int = 16, hidden: int = 64) -> Any:
    """Return an untrained model that squeezes its input through `code` numbers and restores it.

    It takes inputs as they are and ends in `reconstruction`, on their own scale; train it with
    `model.compile("adam", "mse")` and `model.fit(x, x)`.

    Args:
        x_train: inputs `(n, …)`, whose range scales the model.
        code: numbers in the middle.
        hidden: neurons before and after.
    """
    import keras

    low, high = float(x_train.min()), float(x_train.max())
    span = (high - low) or 1.0
    shape = x_train.shape[1:]
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Rescaling(1 / span, -low / span),
            layers.Flatten(),
            layers.Dense(hidden, activation="relu"),
            layers.Dense(code, name="code"),
            layers.Dense(hidden, activation="relu"),
            layers.Dense(int(np.prod(shape))),
            layers.Rescaling(span, low),
            layers.Reshape(shape, name="reconstruction"),
        ]
    )


def reconstruction_error(model: Any, x: np.ndarray) -> np.ndarray:
    """Return each example's mean squared difference to what the model makes of it `(n,)`.

    Args:
        model: an autoencoder: its output has the shape of its input.
        x: inputs `(n, …)`.

    Raises:
        UserError: the model's output has another shape.
    """
    made = model.predict(x, batch_size=1024, verbose=0)
    if made.shape != x.shape:
        raise UserError(
            f"the model makes {made.shape[1:]} of {x.shape[1:]}: an autoencoder is expected, whose "
            "output has its input's shape"
        )
    return np.square(made.astype("float64") - x).reshape(len(x), -1).mean(axis=1)
