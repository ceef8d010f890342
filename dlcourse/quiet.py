"""Console output: suppress the start-up messages of TensorFlow, print lines immediately."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from dlcourse.errors import UserError


def write(text: str) -> None:
    """Print a line to the output stream and flush it."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def progress_bar() -> Any:
    """Return a `rich` bar on the error stream, if that is a terminal, below what is printed."""
    from rich.console import Console
    from rich.progress import Progress

    hidden = not sys.stderr.isatty()
    how: Any = {"transient": True, "disable": hidden, "redirect_stdout": sys.stdout.isatty()}
    stream = Console(stderr=True, quiet=hidden)  # an older rich ends a disabled bar with a new line
    return Progress(console=stream, speed_estimate_period=float("inf"), **how)


def quiet_retracing() -> None:
    """Suppress TensorFlow's advice on retracing: it is for a single model, but we build many."""
    advice = "retracing"
    logging.getLogger("tensorflow").addFilter(lambda record: advice not in record.getMessage())


def import_keras() -> None:
    """Import Keras without the messages that TensorFlow's libraries print.

    Raises:
        UserError: Keras or its backend is not installed.
    """
    if "keras" in sys.modules:
        return
    try:
        with held_back_stderr():
            import keras  # noqa: F401
        quiet_retracing()
    except (ImportError, ValueError) as error:  # Keras raises a ValueError for an unknown backend
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        reason = f"Keras cannot start on the {backend} backend: {error} (pip install {backend}, or "
        reason += "set KERAS_BACKEND to tensorflow, jax or torch, whichever is installed)"
        raise UserError(reason) from None


@contextlib.contextmanager
def held_back_stderr() -> Iterator[None]:
    """Hold back file descriptor 2, which C++ logs to; show its text if the block crashes."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as aside:
        original = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except (ImportError, ValueError):
            raise
        except BaseException:
            os.dup2(original, 2)
            aside.seek(0)
            os.write(2, aside.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
