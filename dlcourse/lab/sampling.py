"""Texts that a language model makes up."""

from pathlib import Path

import numpy as np

from dlcourse.datasets.text import decode_text, encode_texts
from dlcourse.errors import RunError
from dlcourse.runs import Run, evaluation, read_run


def sample(
    run: Run | str | Path, n: int = 10, *, temperature: float = 1.0, start: str = "", seed: int = 0
) -> list[str]:
    """Return texts that a language model makes up, character by character.

    Each character is drawn from softmax(logits / temperature): below 1 the likely ones are drawn
    more often, above 1 all become more alike (slides S4).

    Args:
        run: Finished run of `next_character`, or its folder.
        n: Number of texts.
        temperature: Temperature, above 0.
        start: Beginning of every text.
        seed: Seed of the draws.

    Raises:
        RunError: The run is not a language model or not finished, or an argument is out of bounds.
    """
    run = read_run(run)
    run.refuse_untrained()
    if run.facts.task != "next_token":
        raise RunError(f"{run.path}: predicts {run.facts.target_name}: train next_character first")
    if not (n >= 1 and 0 < temperature < np.inf):
        raise RunError(f"n ≥ 1 and temperature > 0 are expected, got {n} and {temperature:g}")
    known, rng = run.facts.encoding["columns"][0], np.random.default_rng(seed)
    x = np.repeat(encode_texts([start], known), n, axis=0)
    if (x[0] == 1).any() or len(start) >= x.shape[1]:
        most = x.shape[1] - 1
        raise RunError(f"start: '{start}' has unknown characters, or more than {most}")
    going = np.ones(n, dtype=bool)
    for step in range(len(start), x.shape[1]):
        logits = np.log(evaluation.predict(run.model, x)[:, step].astype("float64") + 1e-30)
        shares = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
        shares[:, 1] = 0  # never the unknown character
        limits = shares.cumsum(axis=1)
        drawn = (limits < rng.random((n, 1)) * limits[:, -1:]).sum(axis=1)
        x[:, step] = np.where(going, drawn, 0)
        going &= drawn > 0
    return ["".join(decode_text(row, known)) for row in x]


def invented(run: Run | str | Path, texts: list[str]) -> float:
    """Return the share of texts that are not among the run's own data."""
    run = read_run(run)
    known = run.facts.encoding["columns"][0]
    own = {
        "".join(decode_text(row, known)) for x, _ in run.load_dataset().splits.values() for row in x
    }
    return sum(text not in own for text in texts) / max(1, len(texts))
