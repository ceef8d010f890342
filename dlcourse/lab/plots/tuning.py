"""Plots of a search: its trials in order, the importance of each setting, and all settings."""

import warnings
from collections.abc import Sequence
from typing import Any


def search_figures(study: Any, monitor: str, settings: Sequence[str]) -> dict[str, Any]:
    """Return Optuna's figures of the complete trials by name.

    Args:
        study: Optuna's study.
        monitor: Name of the value of a trial.
        settings: Names of the settings, sorted; with less than two, the history alone is drawn.
    """
    from matplotlib import pyplot as plt
    from optuna.visualization import matplotlib as optuna_plots

    kinds: dict[str, Any] = {"history": optuna_plots.plot_optimization_history}
    if len(settings) > 1:
        kinds["importance"] = optuna_plots.plot_param_importances
        kinds["parallel"] = optuna_plots.plot_parallel_coordinate
    style: Any = {"figure.figsize": (max(8, 1.8 * len(settings)), 4.8)}
    figures = {}
    for name, plot in kinds.items():  # they change the style
        with plt.rc_context(style | {"figure.constrained_layout.use": True}):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an axis on which all trials have one value
                axes = plot(study, target_name=monitor)
            if name == "parallel":
                axes.set_xticklabels([monitor, *settings])  # in full
            figures[name] = axes.figure
            plt.close(axes.figure)
    return figures
