"""One change to try, as a recipe override based on the numbers of the training."""

from dlcourse.lab.diagnosis.evidence import Evidence


def possible(evidence: Evidence, *overrides: str) -> str:
    """Return the first override whose setting the recipe has, else the last override."""
    settings = {key for key in evidence.settings if key.startswith("model.")}
    fitting = [text for text in overrides if not settings or text.partition("=")[0] in settings]
    return [*fitting, overrides[-1]][0]


def another_rate(evidence: Evidence, factor: float, unknown: str) -> str:
    """Return `factor` times the learning rate, or `unknown` if the rate is not known."""
    rate = evidence.setting("training.learning_rate")
    return f"training.learning_rate={unknown if rate is None else format(rate * factor, '.3g')}"


def for_learning(evidence: Evidence, *, too_fast: bool) -> str:
    """Return the override that removes an obstacle to learning, else another learning rate."""
    if evidence.setting("model.dropout", 0) >= 0.5:
        return f"model.dropout={evidence.setting('model.dropout') / 3:.2g}"
    if evidence.setting("model.initializer") in ("zeros", "ones", "constant"):
        return "model.initializer=glorot_uniform"
    if str(evidence.setting("model.name", "")).endswith("regression"):
        return "model.name=dnn"
    return another_rate(evidence, 0.1 if too_fast else 10, "0.01")


def for_less_gap(evidence: Evidence) -> str:
    """Return the first of dropout, early stopping and weight decay that is not yet used."""
    has_dropout = "model.dropout" in evidence.settings or "model.name" not in evidence.settings
    if has_dropout and not evidence.setting("model.dropout"):
        return "model.dropout=0.3"
    if not evidence.setting("training.early_stopping"):
        return "training.early_stopping.patience=5"
    return f"model.l2={max(10 * evidence.setting('model.l2', 0), 0.001):g}"


def for_more_capacity(evidence: Evidence) -> str:
    """Return an override for less regularisation, or for a larger model."""
    if evidence.setting("model.dropout", 0) >= 0.3:
        return f"model.dropout={evidence.setting('model.dropout') / 3:.2g}"
    if evidence.setting("model.l2", 0) > 1e-4:
        return f"model.l2={evidence.setting('model.l2') / 10:g}"
    name = str(evidence.setting("model.name", "dnn"))
    if name.endswith("regression"):
        return "model.name=dnn"
    for key in ("model.hidden", "model.filters", "model.head"):
        if sizes := evidence.setting(key):
            return f"{key}=[{','.join(str(max(16, 2 * size)) for size in sizes)}]"
    if evidence.setting("model.base"):
        return "model.head=[64]"
    units = evidence.setting("model.units")
    return f"model.units={2 * units}" if units else "model.hidden=[128,128]"
