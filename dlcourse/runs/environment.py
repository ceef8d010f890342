"""The environment of a run: versions, machine, device and git state."""

import contextlib
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from dlcourse.errors import UserError
from dlcourse.heavy import keras

Device = Literal["auto", "cpu", "gpu"]

PACKAGES = (
    "dlcourse", "keras", "tensorflow", "jax", "torch", "numpy", "scikit-learn",
    "tensorflow-datasets",
)  # fmt: skip


def environment() -> dict[str, Any]:
    """Return versions, platform, device, variables and git state as values that JSON can hold."""
    return {
        "folder": str(Path.cwd()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "backend": keras.backend.backend(),
        "device": device(),
        "packages": {name: installed for name in PACKAGES if (installed := _version(name))},
        "variables": {key: os.environ[key] for key in _VARIABLES if key in os.environ},
        "git": _git(),
    }


_VARIABLES = (
    "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "TF_ENABLE_ONEDNN_OPTS",
)  # fmt: skip


def device() -> str:
    """Return the device of Keras: `GPU (NVIDIA H200)` or `CPU (2 cores)`."""
    gpus, _ = _gpus()
    return f"GPU ({', '.join(gpus)})" if gpus else f"CPU ({os.cpu_count()} cores)"


def use_device(wanted: Device) -> None:
    """Restrict Keras to a device: `auto` uses a GPU if there is one, `cpu` none, `gpu` only that.

    Raises:
        UserError: The backend has no GPU, or for `cpu` this process already uses it.
    """
    if wanted == "auto":
        return
    backend, (gpus, leave) = keras.backend.backend(), _gpus()
    if wanted == "gpu" and not gpus:
        reason = f"gpu was requested, but the {backend} backend has only {device()}: {no_gpu()}"
        raise UserError(reason)
    if wanted == "cpu" and gpus:
        with contextlib.suppress(RuntimeError):  # TensorFlow's, once its GPUs are in use
            leave()
        if _gpus()[0]:
            raise UserError("this process already uses its GPU: start a new process for cpu")
        _left.add(backend)


def no_gpu() -> str:
    """Return why the backend has no GPU, and how to fix it."""
    backend = keras.backend.backend()
    if backend in _left:
        return "an earlier training in this process requested cpu: start a new process"
    for variable in ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS"):
        value = os.environ.get(variable)
        if value in ("", "-1", "cpu") and (variable[0] == "C" or backend == "jax"):
            return f"{variable}={value} hides it: unset it"
    if shutil.which("nvidia-smi") is None:
        return (
            "this machine has no NVIDIA driver (no nvidia-smi): use a machine with a GPU, "
            "or training.device=auto"
        )
    install = CUDA.get(backend, backend)
    return f"there is an NVIDIA driver, but no CUDA for {backend}: pip install '{install}'"


_left: set[str] = set()  # backends that no longer use their GPUs in this process
_scopes = contextlib.ExitStack()
CUDA = {"tensorflow": "tensorflow[and-cuda]", "jax": "jax[cuda13]"}  # torch includes CUDA


def _gpus() -> tuple[list[str], Callable[[], Any]]:
    """Return the GPUs of the backend by name, and the function that keeps the backend off them."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        details = tf.config.experimental.get_device_details
        gpus = tf.config.get_visible_devices("GPU")
        names = [details(gpu).get("device_name", gpu.name) for gpu in gpus]
        return names, partial(tf.config.set_visible_devices, [], "GPU")
    if backend == "jax":
        import jax  # pyright: ignore[reportMissingImports]

        names = [gpu.device_kind for gpu in jax.devices() if gpu.platform == "gpu"]
        return names, partial(jax.config.update, "jax_platforms", "cpu")
    if backend == "torch":
        import torch  # pyright: ignore[reportMissingImports]

        value: Any = keras.ops.zeros(())  # on the device that Keras uses, whatever else exists
        count = torch.cuda.device_count() if value.device.type == "cuda" else 0
        names = [torch.cuda.get_device_name(index) for index in range(count)]
        return names, lambda: _scopes.enter_context(keras.device("cpu"))
    return [], list


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git() -> dict[str, Any] | None:
    """Return the git commit of the package and whether files have changed; None outside git."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if not git("ls-files", "__init__.py"):  # inside another repository
            return None
        return {"commit": git("rev-parse", "HEAD"), "changed": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None
