"""One change to try, as a recipe override based on the numbers of the training."""

from dlcourse.lab.diagnosis.evidence import Evidence


def possible(evidence: Evidence, *overrides: str) -> str:
    """Return the first override that changes a setting of the recipe, or an empty text.

    Where only some settings are known, the last override may name another.
    """
    pairs = [text.split("=") for text in overrides]
    pairs = [pair for pair in pairs if str(evidence.settings.get(pair[0])).lower() != pair[1]]
    for name, value in pairs:
        group = f"{name.partition('.')[0]}."
        known = {key for key in evidence.settings if key.startswith(group)}
        if not known or known & {name, name.rpartition(".")[0]}:
            return f"{name}={value}"
    return "=".join(pairs[-1]) if pairs and "seed" not in evidence.settings else ""


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


def for_photos(evidence: Evidence) -> list[str]:
    """Return what leads a network on a folder of images to the recipe `photos`."""
    if evidence.setting("dataset.name") != "image_folder":
        return []
    overrides = ["model.batch_norm=true"]
    planned = map(evidence.setting, ("training.schedule", "training.reduce_on_plateau"))
    if not any(planned):
        overrides.append("training.schedule.name=one_cycle")
    if not evidence.setting("training.augmentation"):
        overrides.append("training.augmentation.flip=horizontal")
    return overrides


def for_less_gap(evidence: Evidence) -> str:
    """Return the first of dropout, early stopping and weight decay that is not yet used.

    Early stopping changes nothing where the best weights are kept anyway.
    """
    patience = min(5, evidence.setting("training.epochs", 20) - 1)
    stops = evidence.setting("training.early_stopping")
    stops = stops or evidence.setting("training.restore_best_weights")
    return possible(
        evidence,
        *for_photos(evidence),
        *([] if evidence.setting("model.dropout") else ["model.dropout=0.3"]),
        *([] if stops or patience < 1 else [f"training.early_stopping.patience={patience}"]),
        f"model.l2={max(10 * evidence.setting('model.l2', 0), 0.001):g}",
    )


def for_more_capacity(evidence: Evidence) -> str:
    """Return an override for less regularisation, or for a larger model."""
    if photos := possible(evidence, *for_photos(evidence)):
        return photos
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
    if units := evidence.setting("model.units"):
        return f"model.units={2 * units}"
    return possible(evidence, "model.head=[64]", "model.hidden=[128,128]")
