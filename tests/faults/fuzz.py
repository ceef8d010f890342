"""Mutate the shipped recipes, image files and model files: each is valid or refused by name.

    python -m tests.faults.fuzz --recipes 2000 --images 500 --models 50 --seed 0

A recipe is valid, and then the YAML that it resolves to gives the same recipe, or a RecipeError of
which every line begins with the file's path or with `override`. Keras and TensorFlow stay out of
it. An image gives pixels or a DatasetError, a model file a model or a RunError, in one line.
"""

import argparse
import io
import json
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from dlcourse.configuration.recipe import Recipe, load_recipe, recipe_from_text
from dlcourse.errors import DatasetError, RecipeError, RunError

CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = sorted(path.read_text(encoding="utf-8") for path in CONFIGS.glob("*.yaml"))
KEYS = dict.fromkeys(("train", "val", "test", "parameters", "epochs_run"), 0)
HEAVY = ("keras", "tensorflow", "sklearn", "matplotlib", "tensorflow_datasets")
SCALARS = [
    *"null true ~ .nan .inf -.inf 0 -1 1 2 1e-3 1e400 0x1F 1_000 01 -0.0 [] {} '' \"\"".split(),
    *"- : ? * & ! 5000000000 99999999999999999999999999999 2026-01-31 12:30:00 0b1 1e5".split(),
    *"yes no <<: =".split(),
    "[1, 2]",
    "{a: 1}",
    "[[[[1]]]]",
    "{name: dnn}",
    "!!python/object/apply:os.system ['true']",
    "!!binary aGVsbG8=",
    "!!int x",
    "!!timestamp x",
    "|\n  text\n  more",
    ">\n  text",
    "!!float x",
    "!!set {a}",
    "&a [*a]",
    "*a",
    "@x",
    "`x`",
    "%x",
    "\x00",
    "\x85",
    "\u2028",
    "\ud7ff",
    "é",
    "'unfinished",
    "[1, 2",
    "{a: ",
]
NAMES = ["dnn", "cnn", "rnn", "softmax", "points", "digits", "npz", "csv", "mnist", "adam", "sgd"]


@st.composite
def recipes(draw: Any) -> bytes:
    """Draw a shipped recipe with one to four mutations."""
    text = draw(st.sampled_from(SHIPPED))
    for _ in range(draw(st.integers(1, 4))):
        text = draw(st.sampled_from(MUTATIONS))(draw, text)
    content = text.encode("utf-8", "surrogatepass")
    return _bytes(draw, content) if draw(st.integers(0, 9)) == 0 else content


def _line(draw: Any, text: str) -> tuple[list[str], int]:
    lines = text.split("\n")
    return lines, draw(st.integers(0, len(lines) - 1))


def _drop(draw: Any, text: str) -> str:
    lines, at = _line(draw, text)
    return "\n".join(lines[:at] + lines[at + 1 :])


def _double(draw: Any, text: str) -> str:
    lines, at = _line(draw, text)
    to = draw(st.integers(0, len(lines)))
    return "\n".join([*lines[:to], lines[at], *lines[to:]])


def _value(draw: Any, text: str) -> str:
    lines, at = _line(draw, text)
    key = lines[at].partition(":")[0]
    values = st.sampled_from([*SCALARS, *NAMES]) | st.text(max_size=12) | st.floats().map(str)
    lines[at] = f"{key}: {draw(values)}"
    return "\n".join(lines)


def _rename(draw: Any, text: str) -> str:
    lines, at = _line(draw, text)
    key, colon, value = lines[at].partition(":")
    words = st.sampled_from([key[:-1], key + "s", key.upper(), "  " + key, key.strip(), *NAMES])
    lines[at] = draw(words | st.text(max_size=8)) + colon + value
    return "\n".join(lines)


def _splice(draw: Any, text: str) -> str:
    begin, end = sorted(draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    return text[:begin] + draw(st.sampled_from(SCALARS) | st.text(max_size=20)) + text[end:]


def _join(draw: Any, text: str) -> str:
    other = draw(st.sampled_from(SHIPPED))
    begin, end = draw(st.integers(0, len(text))), draw(st.integers(0, len(other)))
    return text[:begin] + other[end:]


def _indent(draw: Any, text: str) -> str:
    lines, at = _line(draw, text)
    lines[at] = draw(st.sampled_from(["", " ", "   ", "\t", "- ", "# "])) + lines[at].lstrip()
    return "\n".join(lines)


MUTATIONS = [_drop, _double, _value, _value, _value, _rename, _splice, _join, _indent]


def _bytes(draw: Any, content: bytes) -> bytes:
    """Flip, cut, fill or replace some bytes."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(found) - 1, 0)))
        some = draw(st.binary(max_size=8))
        kind = draw(st.sampled_from(["flip", "insert", "over", "cut", "cut end"]))
        if kind == "flip" and found:
            found[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "insert":
            found[at:at] = some
        elif kind == "over":
            found[at : at + len(some)] = some
        elif kind == "cut":
            del found[at : at + 8]
        elif kind == "cut end" and draw(st.integers(0, 3)) == 0:
            del found[at:]
    return bytes(found)


@st.composite
def damaged(draw: Any, contents: list[bytes]) -> bytes:
    """Draw one of some files with damage, or random bytes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    return _bytes(draw, draw(st.sampled_from(contents)))


@st.composite
def overrides(draw: Any) -> list[str]:
    """Draw up to two overrides, odd ones among them."""
    keys = ["model.dropout", "training.epochs", "seed", "model", "dataset.name", "a.b.c", "", "."]
    values = st.sampled_from([*SCALARS, *NAMES]) | st.text(max_size=8)
    one = st.tuples(st.sampled_from(keys) | st.text(max_size=8), values).map("=".join)
    return draw(st.lists(one | st.text(max_size=8), max_size=2))


def check_recipe(path: Path, content: bytes, changes: list[str]) -> bool:
    """Return whether the recipe is valid; raise AssertionError for a bad refusal."""
    path.write_bytes(content)
    try:
        recipe = load_recipe(path, changes)
    except RecipeError as error:
        for line in str(error).split("\n"):
            assert line.startswith((str(path), "override")), f"{line!r} names no place"
        return False
    assert isinstance(recipe, Recipe)
    assert recipe_from_text(recipe.to_yaml()) == recipe
    return True


def fuzz_recipes(examples: int, number: int) -> Counter[str]:
    """Return how many mutated recipes were valid and how many refused."""
    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:

        @_settings(examples, number)
        @given(recipes(), st.just([]) | overrides())
        def run(content: bytes, changes: list[str]) -> None:
            valid = check_recipe(Path(folder) / "x.yaml", content, changes)
            seen["valid" if valid else "refused"] += 1

        run()
    loaded = [name for name in HEAVY if name in sys.modules]
    assert not loaded, f"recipes load {loaded}"
    return seen


def fuzz_images(examples: int, number: int) -> Counter[str]:
    """Return how many damaged images were read and how many refused."""
    from dlcourse.datasets.image_folder import read_image

    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.png"

        @_settings(examples, number)
        @given(damaged(_images()), st.sampled_from(["rgb", "grayscale"]))
        def run(content: bytes, color: Any) -> None:
            path.write_bytes(content)
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                try:
                    pixels = read_image(path, (8, 8), color)
                except DatasetError as error:
                    assert str(error).startswith(str(path))
                    assert "\n" not in str(error)
                    seen["refused"] += 1
                else:
                    assert pixels.shape == (8, 8, 3 if color == "rgb" else 1)
                    assert pixels.dtype == np.uint8
                    seen["read"] += 1
            seen["warned"] += bool(heard)

        run()
    return seen


def _images() -> list[bytes]:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 255, (12, 10, 4)).astype("uint8")
    contents = []
    for mode in ("RGB", "L", "RGBA", "P", "1", "I;16"):
        image = Image.fromarray(pixels).convert("L" if mode == "I;16" else mode)
        if mode == "I;16":
            image = Image.fromarray(pixels[..., 0].astype("uint16") * 200)
        for kind in ("PNG", "JPEG", "BMP", "GIF"):
            stream = io.BytesIO()
            try:
                image.save(stream, kind)
            except OSError:  # this kind of file has no such pixels
                continue
            contents.append(stream.getvalue())
    return contents


def fuzz_models(examples: int, number: int) -> Counter[str]:
    """Return how many damaged model files, their SHA-256 recorded, were loaded or refused."""
    import keras

    from dlcourse.runs import Run, sha256

    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        run_folder = Path(folder)
        path = run_folder / "model.keras"
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="logits")])
        model.save(path)
        whole = path.read_bytes()

        @_settings(examples, number)
        @given(damaged([whole]))
        def run(content: bytes) -> None:
            path.write_bytes(content)
            record = {**KEYS, "model_sha256": sha256(path)}
            (run_folder / "metrics.json").write_text(json.dumps(record))
            try:
                assert isinstance(Run(run_folder).model, keras.Model)
                seen["loaded"] += 1
            except RunError as error:
                assert str(error).startswith(str(path))
                assert "\n" not in str(error)
                seen["refused"] += 1

        run()
    return seen


def _settings(examples: int, number: int) -> Any:
    quiet = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=True,
    )
    return lambda function: seed(number)(quiet(function))


def main(argv: list[str] | None = None) -> int:
    """Run the driver; it fails with the smallest input that shows a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz", description=__doc__)
    parser.add_argument("--recipes", type=int, default=200)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--models", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    for what, function in (
        ("recipes", fuzz_recipes),
        ("images", fuzz_images),
        ("models", fuzz_models),
    ):
        if number := getattr(arguments, what):
            begin = time.monotonic()
            seen = function(number, arguments.seed)
            told = ", ".join(f"{count} {key}" for key, count in sorted(seen.items()))
            print(f"{what}: {told} in {time.monotonic() - begin:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
