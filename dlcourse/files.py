"""Files that are whole or absent, whatever happens while they are written."""

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
"""What NumPy raises where a file of arrays is missing, damaged or of another kind.

A RuntimeError, because a flipped bit may name a compression that zipfile does not have.
"""


def write_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary file beside `path`, flush it to the disk, then rename it.

    Whatever happens on the way, `path` is the whole new file, the whole earlier one, or absent.

    Raises:
        WriteError: It cannot be written (a full disk, a missing or read-only folder).
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
    """Let a rename survive a power loss; Windows cannot open a folder."""
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
    """Return the folder, made if it is not there.

    Raises:
        WriteError: It cannot be made.
    """
    folder = Path(path).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return folder
