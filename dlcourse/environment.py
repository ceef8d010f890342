"""What a run ran on: versions, machine, device, git state."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "dlcourse",
    "keras",
    "tensorflow",
    "jax",
    "torch",
    "numpy",
    "scikit-learn",
    "tensorflow-datasets",
)


def environment() -> dict[str, Any]:
    """Return versions, platform, device, threads and git state as JSON-able values."""
    import keras

    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "backend": keras.backend.backend(),
        "device": device(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "threads": {key: os.environ[key] for key in _THREADS if key in os.environ},
        "git": _git(),
    }


_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def device() -> str:
    """Return where Keras computes, in words: `GPU (NVIDIA H200)` or `CPU (2 cores)`."""
    import keras

    find = {"tensorflow": _tensorflow_gpus, "jax": _jax_gpus, "torch": _torch_gpus}
    gpus = find.get(keras.backend.backend(), list)()
    return f"GPU ({', '.join(gpus)})" if gpus else f"CPU ({os.cpu_count()} cores)"


def _tensorflow_gpus() -> list[str]:
    import tensorflow as tf

    details = tf.config.experimental.get_device_details
    gpus = tf.config.list_physical_devices("GPU")
    return [details(gpu).get("device_name", gpu.name) for gpu in gpus]


def _jax_gpus() -> list[str]:
    import jax  # pyright: ignore[reportMissingImports]

    return [gpu.device_kind for gpu in jax.devices() if gpu.platform == "gpu"]


def _torch_gpus() -> list[str]:
    import torch  # pyright: ignore[reportMissingImports]

    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git() -> dict[str, Any] | None:
    """Return the commit of the package's checkout and whether it was changed; None outside one."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if not git("ls-files", "__init__.py"):  # inside somebody else's repository
            return None
        return {"commit": git("rev-parse", "HEAD"), "changed": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None
