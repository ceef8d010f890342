"""Images that stay on the disk: a data set larger than memory is read batch by batch.

The images are decoded once, into one file a split, in the cache folder: the variable
`DLCOURSE_CACHE`, else `~/.cache/dlcourse`. A file is keyed by the names, sizes and times of the
files that it was made from; when those change, it is made anew and the earlier one is removed. The
folder may be deleted at any time when nothing trains.
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

from dlcourse.errors import DatasetError, WriteError
from dlcourse.files import DAMAGED, HALF_WRITTEN, make_folder, write_file

Batches = Iterable[tuple[np.ndarray, Any]]
"""Images `(k, height, width, channels)`, and k integers that belong to them: labels, numbers."""

UNKNOWN_MEMORY = 8 << 30  # where the system does not tell
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class Streamed:
    """Images `(n, height, width, channels)` in files, which are read as they are asked for.

    `x[rows]`, `x[start:stop]` and `x[number]` read these images and no others; `take` reads none.
    Files are opened for each reading and never mapped, so that no image stays in memory.

    Attributes:
        shape, dtype, ndim: as an array's.
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

    def take(self, indices: Any, axis: int = 0) -> "Streamed":  # noqa: ARG002 - as an array's
        """Return the images at `indices`, as `np.take(x, indices, axis=0)`, without reading."""
        return Streamed([path for path, _ in self._files], self._rows[indices])

    def joined(self, other: "Streamed") -> "Streamed":
        """Return these images and then the other's, without reading."""
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
                            raise OSError("it is cut short")
            except OSError as error:
                raise DatasetError(
                    f"{path}: the images cannot be read ({error.strerror or error}): start again, "
                    "and they are decoded anew"
                ) from None
        return images


def memory() -> int:
    """Return the bytes that this process may use: the machine's memory, or a limit below it."""
    found = []
    if hasattr(os, "sysconf"):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for file in LIMITS:
        with contextlib.suppress(OSError, ValueError):  # no limit is the word `max`
            found.append(int(Path(file).read_text(encoding="ascii")))
    with contextlib.suppress(ImportError):  # Windows
        import resource

        kinds = (resource.RLIMIT_AS, resource.RLIMIT_DATA)
        limits = (resource.getrlimit(kind)[0] for kind in kinds)
        found += [limit for limit in limits if limit != resource.RLIM_INFINITY]
    return min(found, default=UNKNOWN_MEMORY)


def exceeds(share: float, n: int, shape: tuple[int, ...], dtype: Any) -> bool:
    """Return whether `n` images take more than this share of `memory()`."""
    return n * int(np.prod(shape)) * np.dtype(dtype).itemsize > share * memory()


def in_memory(
    batches: Batches, n: int, shape: tuple[int, ...], dtype: Any
) -> tuple[Any, np.ndarray]:
    """Return the images, at most `n`, in memory `(k, *shape)`, and their integers `(k,)`."""
    x, numbers = np.empty((n, *shape), dtype), np.empty(n, "int64")
    start = 0
    for images, some in batches:
        stop = start + len(images)
        x[start:stop], numbers[start:stop] = images, some
        start = stop
    return x[:start], numbers[:start]


def on_disk(
    batches: Batches, n: int, shape: tuple[int, ...], dtype: Any, *, source: str, state: Any
) -> tuple[Any, np.ndarray]:
    """Return what `held` does, the images `Streamed` from the cache folder, there or made now.

    Args:
        batches: read only if the file has to be made.
        n, shape, dtype: at most so many images, of this shape and type.
        source: what they are made of and how, in words: one file is kept a source.
        state: tells one state of the source from another, by its `repr`.

    Raises:
        DatasetError: the file cannot be written, as on a full disk.
    """
    from filelock import FileLock

    folder = cache_folder()
    name = re.sub(r"\W+", "_", source)[-40:].strip("_")
    name = f"{name}-{_digest(source)}"
    path = folder / f"{name}-{_digest(repr((state, shape, np.dtype(dtype).str)))}.npy"
    try:
        make_folder(folder)
        with FileLock(folder / ".lock"):
            if (found := _found(path)) is None:
                _remove(folder, name)
                _make(path, batches, n, shape, dtype)
                found = _found(path)
    except (WriteError, OSError) as error:
        raise DatasetError(
            f"{error}: the images are to be streamed from there: free {_size(n, shape, dtype)}, "
            "set DLCOURSE_CACHE to a folder with room, or raise dataset.memory_share"
        ) from None
    if found is None:
        raise DatasetError(f"{path}: was changed as it was made: start again")
    return found


def cache_folder() -> Path:
    """Return the folder of the decoded images."""
    return Path(os.environ.get("DLCOURSE_CACHE") or "~/.cache/dlcourse").expanduser()


def state_of(files: Iterable[Path], folder: Path) -> list[tuple[Any, ...]]:
    """Return each file's name in the folder, size and times of change: a write changes them."""
    stats = [(str(file.relative_to(folder)), file.stat()) for file in files]
    return [(name, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for name, one in stats]


def _numbers(path: Path) -> Path:
    return path.with_suffix(".numbers.npy")


def _found(path: Path) -> tuple[Streamed, np.ndarray] | None:
    try:
        x, numbers = Streamed([path]), np.load(_numbers(path), allow_pickle=False)
    except DAMAGED:
        return None
    return (x, numbers) if len(x) == len(numbers) else None


def _remove(folder: Path, name: str) -> None:
    """Remove what was made of an earlier state, and what a killed process left half-written."""
    for old in (*folder.glob(f"{name}-*"), *folder.glob(f"{HALF_WRITTEN}*")):
        old.unlink(missing_ok=True)


def _make(path: Path, batches: Batches, n: int, shape: tuple[int, ...], dtype: Any) -> None:
    free = shutil.disk_usage(path.parent).free
    if n * int(np.prod(shape)) * np.dtype(dtype).itemsize > free:
        raise WriteError(f"{path.parent}: only {free / 2**20:,.0f} MiB are free")
    found: list[int] = []

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            _write_head(file, 0, shape, dtype)
            for images, numbers in batches:
                file.write(np.ascontiguousarray(images, dtype).data)
                found.extend(map(int, numbers))
            file.seek(0)  # NumPy leaves room in the head for the number of images to grow
            _write_head(file, len(found), shape, dtype)

    write_file(path, write)
    numbers = np.array(found, "int64")  # written last: with them the whole is there
    write_file(_numbers(path), lambda temporary: np.save(temporary, numbers, allow_pickle=False))


def _write_head(file: Any, n: int, shape: tuple[int, ...], dtype: Any) -> None:
    head = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (n, *shape)}
    np.lib.format.write_array_header_1_0(file, head)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _size(n: int, shape: tuple[int, ...], dtype: Any) -> str:
    bytes_ = n * int(np.prod(shape)) * np.dtype(dtype).itemsize
    return f"{math.ceil(bytes_ / 2**20):,} MiB"
