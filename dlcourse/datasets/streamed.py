"""Images that stay on the disk: a data set larger than memory is read batch by batch.

The images are decoded once, into one file per split, in the cache folder: `DLCOURSE_CACHE`, or
`~/.cache/dlcourse` if the variable is not set. The key of a file is the names, sizes and times of
its source files. When they change, the file is written again and the old one is removed. The folder
may be deleted whenever no training runs.
"""

import contextlib
import hashlib
import math
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.datasets.dataset import Examples
from dlcourse.errors import DatasetError, WriteError
from dlcourse.files import DAMAGED, HALF_WRITTEN, make_folder, write_file

Batches = Iterable[tuple[np.ndarray, Any]]
"""Images `(k, height, width, channels)` with one integer each: a label or an index."""

UNKNOWN_MEMORY = 8 << 30  # if the system does not report it
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class Streamed:
    """Images `(n, height, width, channels)` in files; they are read when they are indexed.

    `x[rows]`, `x[start:stop]` and `x[index]` read only these images; `take` reads none. Each read
    opens the files anew and never maps them, so no image stays in memory.

    Attributes:
        shape, dtype, ndim: Shape, type and number of axes, as of an array.
    """

    def __init__(self, paths: Sequence[Path], rows: np.ndarray | None = None):
        heads: list[Any] = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]
        self._files = [(path, head.offset) for path, head in zip(paths, heads, strict=True)]
        self._ends = np.cumsum([len(head) for head in heads])
        self._rows = np.arange(self._ends[-1]) if rows is None else rows
        self.dtype = heads[0].dtype
        self.shape = (len(self._rows), *heads[0].shape[1:])
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        rows = self._rows[index]
        return self._read(rows) if rows.ndim else self._read(rows[None])[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)

    def take(self, indices: Any, axis: int = 0) -> "Streamed":  # noqa: ARG002 - as NumPy's
        """Return the images at `indices`, like `np.take(x, indices, axis=0)`, without reading."""
        return Streamed([path for path, _ in self._files], self._rows[indices])

    def joined(self, other: "Streamed") -> "Streamed":
        """Return these images followed by the other's, without reading."""
        paths = [path for path, _ in (*self._files, *other._files)]
        return Streamed(paths, np.concatenate([self._rows, other._rows + self._ends[-1]]))

    def _read(self, rows: np.ndarray) -> np.ndarray:
        images = np.empty((len(rows), *self.shape[1:]), self.dtype)
        size = self.dtype.itemsize * int(np.prod(self.shape[1:]))
        place = np.searchsorted(self._ends, rows, side="right")
        for number in np.unique(place):
            path, offset = self._files[number]
            first = int(self._ends[number - 1]) if number else 0
            try:
                with path.open("rb", buffering=0) as file:
                    for k in np.flatnonzero(place == number):
                        file.seek(offset + (int(rows[k]) - first) * size)
                        if file.readinto(images[k]) != size:
                            raise OSError("the file is truncated")
            except OSError as error:
                reason = f"{path}: the images cannot be read ({error.strerror or error}): start "
                reason += "again to decode them anew"
                raise DatasetError(reason) from None
        return images


def memory() -> int:
    """Return the bytes this process may use: the machine's memory or a lower limit."""
    allowed = []
    if hasattr(os, "sysconf"):
        allowed.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for file in LIMITS:
        with contextlib.suppress(OSError, ValueError):  # the text `max` means no limit
            allowed.append(int(Path(file).read_text(encoding="ascii")))
    with contextlib.suppress(ImportError):  # Windows
        import resource

        kinds = (resource.RLIMIT_AS, resource.RLIMIT_DATA)
        limits = (resource.getrlimit(kind)[0] for kind in kinds)
        allowed += [limit for limit in limits if limit != resource.RLIM_INFINITY]
    return min(allowed, default=UNKNOWN_MEMORY)


def exceeds(share: float, n: int, shape: tuple[int, ...], dtype: Any) -> bool:
    """Return whether `n` images take more than this share of `memory()`."""
    return n * int(np.prod(shape)) * np.dtype(dtype).itemsize > share * memory()


def in_memory(batches: Batches, n: int, shape: tuple[int, ...], dtype: Any) -> Examples:
    """Return at most `n` images as an array `(k, *shape)`, and their integers `(k,)`."""
    x, numbers = np.empty((n, *shape), dtype), np.empty(n, "int64")
    start = 0
    for images, batch_numbers in batches:
        stop = start + len(images)
        x[start:stop], numbers[start:stop] = images, batch_numbers
        start = stop
    return x[:start], numbers[:start]


def on_disk(
    batches: Batches, n: int, shape: tuple[int, ...], dtype: Any, *, source: str, state: Any
) -> Examples:
    """Return the same as `in_memory`, but `Streamed` from a file that is written if it is missing.

    Args:
        batches: Images and integers, read only if the file must be written.
        n, shape, dtype: Largest number of images, shape of one image and type of its values.
        source: Description of the images and their processing; the cache keeps one file per source.
        state: State of the source; the file is written again when its `repr` changes.

    Raises:
        DatasetError: The file cannot be written, for example on a full disk.
    """
    from filelock import FileLock

    folder = cache_folder()
    name = re.sub(r"\W+", "_", source)[-40:].strip("_")
    name = f"{name}-{_digest(source)}"
    path = folder / f"{name}-{_digest(repr((state, shape, np.dtype(dtype).str)))}.npy"
    try:
        make_folder(folder)
        with FileLock(folder / ".lock"):
            if (cached := _cached(path)) is None:
                _remove(folder, name)
                _make(path, batches, n, shape, dtype)
                cached = _cached(path)
    except (WriteError, OSError) as error:
        raise DatasetError(
            f"{error}: the images are streamed from this folder: free {_size(n, shape, dtype)}, "
            "set DLCOURSE_CACHE to a folder with room, or raise dataset.memory_share"
        ) from None
    if cached is None:
        raise DatasetError(f"{path}: was changed while it was written: start again")
    return cached


def cache_folder() -> Path:
    """Return the folder of the decoded images."""
    return Path(os.environ.get("DLCOURSE_CACHE") or "~/.cache/dlcourse").expanduser()


def state_of(files: Iterable[Path], folder: Path) -> list[tuple[Any, ...]]:
    """Return the name, size and change times of each file; a write changes them."""
    stats = [(str(file.relative_to(folder)), file.stat()) for file in files]
    return [(name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in stats]


def _numbers(path: Path) -> Path:
    return path.with_suffix(".numbers.npy")


def _cached(path: Path) -> Examples | None:
    try:
        x, numbers = Streamed([path]), np.load(_numbers(path), allow_pickle=False)
    except DAMAGED:
        return None
    return (x, numbers) if len(x) == len(numbers) else None


def _remove(folder: Path, name: str) -> None:
    """Remove the files of an earlier state and half-written files of a killed process."""
    for old in (*folder.glob(f"{name}-*"), *folder.glob(f"{HALF_WRITTEN}*")):
        old.unlink(missing_ok=True)


def _make(path: Path, batches: Batches, n: int, shape: tuple[int, ...], dtype: Any) -> None:
    free = shutil.disk_usage(path.parent).free
    if n * int(np.prod(shape)) * np.dtype(dtype).itemsize > free:
        raise WriteError(f"{path.parent}: only {free / 2**20:,.0f} MiB are free")
    written: list[int] = []

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            _write_head(file, 0, shape, dtype)
            for images, numbers in batches:
                file.write(np.ascontiguousarray(images, dtype).data)
                written.extend(map(int, numbers))
            file.seek(0)  # NumPy's header leaves room for a larger number of images
            _write_head(file, len(written), shape, dtype)

    write_file(path, write)
    numbers = np.array(written, "int64")  # written last: their file marks the images as complete
    write_file(_numbers(path), lambda temporary: np.save(temporary, numbers, allow_pickle=False))


def _write_head(file: Any, n: int, shape: tuple[int, ...], dtype: Any) -> None:
    head = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (n, *shape)}
    np.lib.format.write_array_header_1_0(file, head)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _size(n: int, shape: tuple[int, ...], dtype: Any) -> str:
    bytes_ = n * int(np.prod(shape)) * np.dtype(dtype).itemsize
    return f"{math.ceil(bytes_ / 2**20):,} MiB"
