"""Files that are complete or absent, whatever happens while they are written."""

import contextlib
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from dlcourse.errors import WriteError

HALF_WRITTEN = ".half-written-"
DAMAGED = (
    *(OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)
"""Errors of NumPy for a file of arrays that is missing, damaged or of another kind.

RuntimeError is included because a flipped bit may name a compression that zipfile lacks.
"""


def write_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary file beside `path`, flush it to the disk, then rename it.

    Whatever happens, `path` is the complete new file, the complete earlier file, or absent.

    Raises:
        WriteError: The file cannot be written (a full disk, a missing or read-only folder).
    """
    temporary = path.with_name(f"{HALF_WRITTEN}{uuid4().hex}{path.suffix}")
    try:
        with writing(path):
            temporary.touch(exist_ok=False)
            write(temporary)
            with temporary.open("r+b") as stream:  # Windows flushes only what it may write
                os.fsync(stream.fileno())
            temporary.replace(path)
            _flush_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise a WriteError that names the path for an error of the system within the block."""
    try:
        yield
    except OSError as error:
        raise WriteError(f"{path}: cannot be written: {error.strerror or error}") from None


def read_arrays(path: Path) -> dict[str, Any]:
    """Return the arrays of a file that `numpy.savez` wrote, by name.

    Raises:
        DAMAGED: One of these errors, for a file that is missing, damaged or of another kind.
    """
    import numpy as np

    # opened here: np.load leaves a broken archive open
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power loss; Windows cannot open a folder."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: str | Path) -> Path:
    """Return the folder; create it if it does not exist.

    Raises:
        WriteError: The folder cannot be created.
    """
    folder = Path(path).expanduser()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder
