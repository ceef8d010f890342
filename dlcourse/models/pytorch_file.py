"""Read the tensors of a file that PyTorch wrote before version 1.6, without PyTorch.

The file holds five pickles (a mark, the format's version, facts of the machine, the tensors by name
and the keys of their storages), then the values of each storage after their number.
"""

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.errors import UserError, one_line

STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class TensorUnpickler(pickle.Unpickler):
    """Unpickler of numbers, texts, lists, dicts and tensors; a tensor is read as its arguments.

    A pickle can call whatever `find_class` returns. This one returns nothing of the process but
    `OrderedDict`.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *arguments: arguments  # a new one each time: a pickle can change it
        if module == "torch" and name in STORAGES:
            return name
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed: only tensors are")

    def persistent_load(self, pid: Any) -> Any:
        return pid


def read_tensors(file: str | Path) -> dict[str, np.ndarray]:
    """Return the tensors of a file by name, float32 or int64; each is a read-only view.

    Raises:
        UserError: The file is missing, is not such a file, or holds anything but tensors.
    """
    try:
        stream = io.BytesIO(Path(file).read_bytes())
        *_, tensors, keys = (TensorUnpickler(stream).load() for _ in range(5))
        dtypes = {key: STORAGES[kind] for (_, kind, key, *_), *_ in tensors.values()}
        values = {key: _values(stream, dtypes[key]) for key in keys}
        return {
            name: _tensor(values[key], dtypes[key], *places)
            for name, ((_, _, key, *_), *places) in tensors.items()
        }
    except Exception as error:  # noqa: BLE001 - a broken pickle raises many types
        raise UserError(f"{file}: cannot be read as PyTorch's tensors: {one_line(error)}") from None


def _values(stream: io.BytesIO, dtype: np.dtype) -> bytes:
    return stream.read(int.from_bytes(stream.read(8), "little") * dtype.itemsize)


def _tensor(values: bytes, dtype: np.dtype, first: int, shape: Any, strides: Any, *_: Any) -> Any:
    """Return a view of the values; NumPy raises an error for places outside of them."""
    size = dtype.itemsize
    return np.ndarray(shape, dtype, values, first * size, [step * size for step in strides])
