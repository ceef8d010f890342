"""Files that are complete or absent, whatever happens while they are written."""

import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(
            suffix=path.suffix, prefix=HALF_WRITTEN, dir=path.parent
        )
        os.close(handle)
        write(Path(temporary))
        with open(temporary, "r+b") as stream:  # noqa: PTH123 - Windows flushes only what it may write
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o666 & ~_umask())  # mkstemp's own mode is private
        Path(temporary).replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        raise WriteError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power loss; Windows cannot open a folder."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def make_folder(path: str | Path) -> Path:
    """Return the folder; create it if it does not exist.

    Raises:
        WriteError: The folder cannot be created.
    """
    folder = Path(path).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return folder
