"""A random shift, rotation, zoom, shear and flip of images in one pass.

Keras' RandomTranslation, RandomRotation, RandomZoom, RandomShear and RandomFlip each resample the
image. Their product is one affine map, which blurs once and costs less than a third
(`python -m benchmarks.augmentation`).
"""

from functools import cache
from math import radians
from typing import Any, Literal

from dlcourse.heavy import keras

Flip = Literal["none", "horizontal", "vertical", "horizontal_and_vertical"]


@cache
def random_warp() -> Any:
    """Return the layer class `RandomWarp(shift, rotate, zoom, shear, flip, fill)`."""

    @keras.saving.register_keras_serializable("dlcourse")
    class RandomWarp(keras.Layer):
        """Maps each image of `(n, height, width, channels)` by its own random affine map.

        The arguments are those of `augmentation_layers`. Outside training, images are unchanged.
        """

        def __init__(
            self, *, flip: Flip = "none", fill: str = "nearest", seed: Any = None, **options: Any
        ):
            ranges = {key: options.pop(key) for key in ("shift", "rotate", "zoom", "shear")}
            super().__init__(**{"dtype": "float32", **options})  # as TensorFlow's kernel returns
            self.ranges, self.flip, self.fill = ranges, flip, fill
            # TensorFlow's XLA lacks this operation. On JAX it must be compiled, or Keras would run
            # the whole model operation by operation, fifty times slower.
            self.supports_jit = keras.backend.backend() == "jax"
            self.generator = keras.random.SeedGenerator(seed)

        def call(self, images: Any, training: bool = False) -> Any:
            images = keras.ops.cast(images, self.compute_dtype)
            if not training:
                return images
            shape: Any = keras.ops.shape(images)
            fill = "nearest" if self.fill == "nearest" else "constant"
            how: Any = {"fill_mode": fill, "data_format": "channels_last"}
            return keras.ops.image.affine_transform(images, self._maps(*shape[:3]), **how)

        def _maps(self, n: Any, height: Any, width: Any) -> Any:
            """Return the map of each image from output to input coordinates, (a0, …, a7) `(n, 8)`.

            x' = a0·x + a1·y + a2 and y' = a3·x + a4·y + a5; the centre of the image moves only by
            the shift.
            """

            def draw(name: str, scale: float = 1.0) -> Any:
                largest = self.ranges[name] * scale
                return keras.random.uniform((n,), -largest, largest, seed=self.generator)

            angle, size, slant = draw("rotate", radians(1)), 1 + draw("zoom"), draw("shear")
            right, down = draw("shift") * width, draw("shift") * height
            cos, sin = size * keras.ops.cos(angle), size * keras.ops.sin(angle)
            across, along = (self._mirror(n, how) for how in ("horizontal", "vertical"))
            rows = (
                (across * cos, along * (slant * cos - sin)),
                (across * sin, along * (slant * sin + cos)),
            )
            x, y = (width - 1) / 2, (height - 1) / 2
            moves = (
                middle + move - a * x - b * y
                for (a, b), middle, move in zip(rows, (x, y), (right, down), strict=True)
            )
            none = keras.ops.zeros_like(angle)
            first, second = ((*row, move) for row, move in zip(rows, moves, strict=True))
            return keras.ops.stack([*first, *second, none, none], axis=1)

        def _mirror(self, n: Any, direction: str) -> Any:
            """Return 1 per image, or -1 for an image that is flipped in this direction."""
            if direction not in self.flip:
                return 1.0
            return keras.ops.sign(keras.random.uniform((n,), -1.0, 1.0, seed=self.generator))

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), **self.ranges, "flip": self.flip, "fill": self.fill}

    return RandomWarp
