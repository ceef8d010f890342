"""An ensemble's members, each a run of its own inside the run, and what they answer together.

runs/x/members/1, 2, …: each is interrupted, resumed and read as any run is.
"""

from collections.abc import Callable
from statistics import mean, stdev
from typing import Any

import numpy as np

from dlcourse.configuration.recipe import Recipe
from dlcourse.errors import DivergedError, InterruptedTraining
from dlcourse.runs import Run, make_folder

TrainMember = Callable[[Run, Recipe], Run]


def train_members(
    recipe: Recipe, run: Run, train: TrainMember, report: Callable[[str], None] | None
) -> list[Run]:
    """Return the members' runs, trained to their end; what is trained already is left as it is.

    Args:
        recipe: the ensemble's.
        run: the ensemble's.
        train: trains a member's run by its recipe, or goes on with it.
        report: called with a line a member.

    Raises:
        InterruptedTraining: a member was; the ensemble's run goes on with it.
        DivergedError: a member did.
    """
    count = recipe.ensemble.members if recipe.ensemble else 0
    members = []
    for number in range(1, count + 1):
        own = recipe.of_member(number)
        if report:
            report(f"\nmember {number} of {count}, seed {own.training_seed}")
        member = Run(make_folder(run.path / "members" / str(number)))
        try:
            member = train(member, own)
        except InterruptedTraining as stop:
            at = f"member {number}, {stop.at}"
            raise InterruptedTraining(run.path, at, stop.signal) from None
        if reason := member.metrics.get("diverged"):
            raise DivergedError(f"{member.path}: diverged: {reason}")
        members.append(member)
    return members


def members_metrics(members: list[Run]) -> dict[str, Any]:
    """Return each member's main metric on the test split, their mean and standard deviation.

    The deviation of a single member is None.
    """
    measured = [member.metrics["test"] for member in members]
    name = "accuracy" if "accuracy" in measured[0] else "mae"
    values = [float(test[name]) for test in measured]
    spread = stdev(values) if len(values) > 1 else None
    return {"metric": name, "test": values, "mean": mean(values), "standard_deviation": spread}


def mean_history(members: list[Run]) -> dict[str, list[float]]:
    """Return the members' mean history, over the epochs that all of them have."""
    histories = [member.history for member in members]
    epochs = min(len(history["epoch"]) for history in histories)
    return {
        key: np.mean([history[key][:epochs] for history in histories], axis=0).tolist()
        for key in histories[0]
        if key != "epoch"
    }
