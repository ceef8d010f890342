"""Image-classification data sets by name, from TensorFlow Datasets and its cache.

TensorFlow and TensorFlow Datasets are imported only when a data set is loaded.
"""

import logging
import os
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np

from dlcourse.datasets.dataset import Dataset, dataset_of, image_range, keep_classes, task_of
from dlcourse.datasets.streamed import exceeds, in_memory, on_disk, state_of
from dlcourse.errors import DatasetError
from dlcourse.schema import Fraction, Positive, Range, Word

TEST_FRACTION = 0.2
PROBE_SECONDS = 5.0
BATCH_BYTES = 1 << 22  # decoded per batch
ALTERNATIVE = "or use the embedded data set 'digits'"


def tfds(
    seed: int = 0,
    *,
    dataset: str,
    data_dir: str | None = None,
    size: tuple[Positive, Positive] | None = None,
    classes: tuple[Word, ...] | None = None,
    value_range: Range = "auto",
    validation_fraction: Fraction = 0.1,
    memory_share: Fraction = 0.25,
) -> Dataset:
    """Return an image-classification data set of TensorFlow Datasets, cached or downloaded.

    Args:
        seed: Seed of the validation split.
        dataset: Name of the data set in TensorFlow Datasets, such as `mnist`, `cifar10` or
            `emnist/letters`.
        data_dir: Folder of the cache; null takes the variable `TFDS_DATA_DIR`, or
            `~/tensorflow_datasets` if it is not set.
        size: Height and width, in pixels, to resize to; null keeps the images' own size, which must
            be the same for all.
        classes: Names of the classes to keep, labelled in this order; null keeps all.
        value_range: Values of black and white, such as [0, 65535]; `auto` as for `npz`.
        validation_fraction: Share of the set's `train` split set aside for validation.
        memory_share: Share of the memory that the images may take. Larger data is decoded once,
            into the cache folder, and streamed from there: the same images in the same order.

    Raises:
        DatasetError: The name is unknown, the data set has no images or classes, the images differ
            in size, it is neither cached nor can be downloaded, the cache is damaged, the disk
            has no room for streamed images, or TensorFlow is missing.
    """
    cache = _cache(data_dir)
    builder = builder_of(dataset, data_dir)
    if not builder.is_prepared():
        _download(dataset, builder, cache)
    splits, label = builder.info.splits, builder.info.features[builder.info.supervised_keys[1]]
    if "train" not in splits:
        raise DatasetError(f"{dataset}: no split 'train' (it has {', '.join(splits)})")
    import tensorflow as tf

    try:
        present = [part for part in ("train", "test") if part in splits]
        parts = {part: _arrays(builder, part, size, memory_share) for part in present}
    except tf.errors.OpError as error:
        raise DatasetError(_unreadable(dataset, builder, error)) from error
    if "test" in parts and (parts["test"][1] < 0).all():  # empty, or its labels are withheld
        del parts["test"]
    names = tuple(label.names or map(str, range(label.num_classes)))
    drawn, limits = "mnist" * (dataset == "mnist"), image_range(parts, value_range, dataset)
    facts = {"task": task_of(names), "class_names": names, "drawn": drawn, "value_range": limits}
    fractions = (validation_fraction, TEST_FRACTION)
    return keep_classes(dataset_of(dataset, parts, seed, fractions, **facts), classes)


def _named(name: str, examples: str) -> Callable[..., Dataset]:
    """Return the loader of one data set of TensorFlow Datasets, whose images need no settings."""
    load = partial(tfds, dataset=name, size=None, value_range="auto", memory_share=0.25)
    _, _, settings = (tfds.__doc__ or "").partition("\n")
    load.__doc__ = f"Return {examples}.\n{settings}"
    return load


mnist = _named("mnist", "70,000 handwritten digits, 28×28×1, uint8 (LeCun et al. 1998)")
fashion_mnist = _named(
    "fashion_mnist", "70,000 pictures of clothes, 28×28×1, uint8, in 10 classes (Xiao et al. 2017)"
)
kmnist = _named(
    "kmnist", "70,000 cursive Japanese characters, 28×28×1, uint8, 10 classes (Clanuwat 2018)"
)
cifar10 = _named("cifar10", "60,000 photographs, 32×32×3, uint8, in 10 classes (Krizhevsky 2009)")


def at_hand(name: str, data_dir: str | None = None) -> bool:
    """Return whether a data set such as `mnist` is in the cache and needs no network.

    Args:
        name: Name of the data set in TensorFlow Datasets, such as `mnist` or `emnist/letters`.
        data_dir: Folder of the cache, as for `tfds`.
    """
    return any((_cache(data_dir) / name).glob("**/dataset_info.json"))


def _cache(data_dir: str | None) -> Path:
    # TFDS reads the variable only at its import and would miss a later change.
    folder = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return Path(folder).expanduser()


def builder_of(name: str, data_dir: str | None = None) -> Any:
    """Return the builder of an image-classification set; its `info` needs no data.

    Args:
        name: Name of the data set in TensorFlow Datasets.
        data_dir: Folder of the cache, as for `tfds`.

    Raises:
        DatasetError: The name is unknown, the data set has no images or classes, or TensorFlow
            Datasets cannot be imported.
    """
    try:
        import tensorflow  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import tensorflow_datasets

        make = tensorflow_datasets.builder  # the package itself is imported only here
    except Exception as error:  # noqa: BLE001 - an old protobuf raises its own type
        raise DatasetError(
            f"{name}: TensorFlow Datasets cannot be imported ({_line(error)}): pip install -U "
            f"tensorflow tensorflow-datasets importlib_resources, {ALTERNATIVE} or an 'npz' file"
        ) from None
    try:
        # TFDS warns of a missing data set: the error that follows says the same
        logging.getLogger("absl").setLevel(logging.ERROR)
        builder = make(name, data_dir=str(_cache(data_dir)))
    except ImportError as error:
        raise DatasetError(f"{name}: a package is missing ({_line(error)}): install it") from None
    except (ValueError, AssertionError, RuntimeError, OSError) as error:
        near = get_close_matches(name, tensorflow_datasets.list_builders(), 1)
        hint = f"did you mean '{near[0]}'?" if near else "see tensorflow.org/datasets/catalog"
        raise DatasetError(f"tfds: no data set '{name}' ({hint}): {_line(error)}") from None
    _check_features(name, builder.info)
    return builder


def _check_features(name: str, info: Any) -> None:
    import tensorflow_datasets

    keys = info.supervised_keys
    if isinstance(keys, tuple) and len(keys) == 2 and all(key in info.features for key in keys):
        image, label = (info.features[key] for key in keys)
        kinds = (tensorflow_datasets.features.Image, tensorflow_datasets.features.ClassLabel)
        if isinstance(image, kinds[0]) and isinstance(label, kinds[1]):
            return
    reason = f"{name}: not an image-classification set (it needs one image and one class label, "
    reason += f"but has {', '.join(info.features) or 'no features'})"
    raise DatasetError(reason)


def _download(name: str, builder: Any, cache: Path) -> None:
    from tensorflow_datasets.core.download import DownloadError  # pyright: ignore

    missing = f"{name}: not in the cache {cache.resolve()} (TFDS_DATA_DIR)"
    if builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
        reason = f"{missing}, and its files must be downloaded manually: see "
        reason += f"tensorflow.org/datasets/catalog/{name.partition('/')[0]}"
        raise DatasetError(reason)
    unreachable = _unreachable(list(builder.url_infos or ()))
    if unreachable:
        reason = f"{missing} and it cannot be downloaded ({unreachable}): go online, set "
        reason += f"TFDS_DATA_DIR to a folder that holds it, {ALTERNATIVE}"
        raise DatasetError(reason)
    try:
        builder.download_and_prepare()
    except (DownloadError, OSError, ValueError, RuntimeError, AssertionError, ImportError) as error:
        reason = f"{missing}, and its download failed ({_line(error)}): set TFDS_DATA_DIR to a "
        reason += f"folder that can be written or that holds it, {ALTERNATIVE}"
        raise DatasetError(reason) from error


def _unreachable(urls: list[str]) -> str:
    """Return why no host of `urls` can be reached, or an empty string.

    Without this check TFDS retries ten times with growing pauses, for minutes. TFDS downloads with
    `requests`, so the same proxies and certificates apply.
    """
    import requests

    hosts = {urlparse(url).netloc: url for url in urls if url.startswith("http")}
    for url in hosts.values():
        try:
            response = requests.head(url, timeout=PROBE_SECONDS, allow_redirects=False)
        except requests.exceptions.ReadTimeout:
            return ""  # connected, but slow
        except requests.exceptions.RequestException:
            continue
        if response.status_code not in (502, 503, 504):  # a proxy cannot reach the host
            return ""
    return f"cannot reach {', '.join(hosts)}" if hosts else ""


def _arrays(builder: Any, part: str, size: Any, memory_share: float) -> tuple[Any, np.ndarray]:
    """Return a split's images `(n, height, width, channels)` and labels, in file order."""
    import tensorflow as tf
    from tensorflow_datasets import ReadConfig

    # Each example is read once; TFDS' cache in memory would only be a second copy.
    config = ReadConfig(try_autocache=False)
    examples = builder.as_dataset(
        split=part, as_supervised=True, shuffle_files=False, read_config=config
    )
    if size:
        examples = examples.map(
            lambda image, label: (_resize(image, size), label), num_parallel_calls=tf.data.AUTOTUNE
        )
    shape = tuple(examples.element_spec[0].shape)
    if None in shape:
        shape = tuple(next(iter(examples.take(1)))[0].shape)
        examples = examples.map(lambda image, label: (tf.ensure_shape(image, shape), label))
    splits, dtype = builder.info.splits, examples.element_spec[0].dtype.as_numpy_dtype
    batch = max(1, BATCH_BYTES // (int(np.prod(shape)) * np.dtype(dtype).itemsize))
    batches = examples.batch(batch).as_numpy_iterator()
    what = (splits[part].num_examples, shape, dtype)
    total = sum(splits[name].num_examples for name in {"train", "test"} & set(splits))
    if not exceeds(memory_share, total, shape, dtype):
        return in_memory(batches, *what)
    folder = Path(builder.data_dir)
    source = f"{part} {size or ''} {folder.resolve()}"
    return on_disk(batches, *what, source=source, state=state_of(sorted(folder.iterdir()), folder))


def _resize(image: Any, size: tuple[int, int]) -> Any:
    import tensorflow as tf

    resized = tf.image.resize(image, size, antialias=True)
    return tf.saturate_cast(tf.round(resized), image.dtype)


def _unreadable(name: str, builder: Any, error: Exception) -> str:
    if "is not compatible with expected shape" in str(error):  # from ensure_shape
        return f"{name}: the images differ in size: give 'size: [height, width]' to resize them"
    return (
        f"{name}: the files in {builder.data_dir} are damaged ({_line(error)}): delete that folder "
        "and load the data set again"
    )


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).partition("\n")[0][:200].rstrip(".: ")
