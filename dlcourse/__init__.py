"""dlcourse: recipe → data set → Keras model → fit → run directory → pictures.

    import dlcourse as dl

    run = dl.fit("digits_cnn")
    dl.plots.learning_curves(run.history)

Nothing is imported before it is used. `__init__.pyi` lists the same names for editors.
"""

import os
import platform
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any

__version__ = "0.2.0"

# TensorFlow leaves oneDNN's kernels off on x86 processors without AVX512_VNNI and on Windows
# (release notes of 2.9), where a CNN trains in half the CPU time with them
# (`python -m benchmarks.onednn`). It reads this once, as it is imported.
if platform.machine().lower() in ("x86_64", "amd64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# TensorFlow's libraries print notes on the machine as they are loaded; a level that the user has
# set stays as it is.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def lazy(
    package: str, modules: Iterable[str], names: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package, which import names when needed (PEP 562).

    Args:
        package: Name of the package, its `__name__`.
        modules: Modules in the package that it exports under the last part of their own name.
        names: Map of a module to the names in it that the package exports, separated by spaces.
    """
    places = {name.rpartition(".")[2]: (f"{package}.{name}", "") for name in modules}
    places |= {name: (module, name) for module, held in names.items() for name in held.split()}

    def get(name: str) -> Any:
        if name not in places:
            near = get_close_matches(name, [] if name.startswith("_") else places, 1)
            hint = f" (did you mean '{near[0]}'?)" if near else ""
            raise AttributeError(f"module '{package}' has no attribute '{name}'{hint}")
        module, inside = places[name]
        imported = import_module(module)
        return getattr(imported, inside) if inside else imported

    return get, lambda: sorted(places)


__getattr__, __dir__ = lazy(
    __name__,
    ["datasets", "errors", "generation", "lab", "lab.callbacks", "lessons", "models", "plots"],
    {
        "dlcourse.front_door": "fit resume",
        "dlcourse.configuration.from_python": "recipe",
        "dlcourse.configuration.shipped": "recipes",
        "dlcourse.runs": "Run read_run list_runs",
        "dlcourse.datasets": "load_dataset",
        "dlcourse.models": "build_model",
        "dlcourse.visualizers": (
            "activation_maximization attention_maps attention_rollout class_activation_map "
            "deep_dream eigen_cam feature_maps "
            "filters grad_cam grad_cam_plus_plus gradient_times_input guided_backpropagation "
            "integrated_gradients layer_cam neuron_activity occlusion rise saliency score_cam "
            "smooth_grad Regularizers Transformations"
        ),
        "dlcourse.lab.diagnosis": "diagnose",
        "dlcourse.lab.comparison": "compare",
        "dlcourse.lab.keras_script": "as_keras",
        "dlcourse.lab.prediction": "evaluate predict",
        "dlcourse.lab.sampling": "sample",
        "dlcourse.lab.tuning": "tune",
        "dlcourse.webapp.server": "app",
        "dlcourse.lab.range_test": "find_learning_rate",
    },
)
__all__ = __dir__()  # pyright: ignore[reportUnsupportedDunderAll]
