"""A random shift, rotation, zoom, slant, mirroring and elastic distortion of images in one pass.

Keras' RandomTranslation, RandomRotation, RandomZoom, RandomShear and RandomFlip each resample the
image; their product is one affine map, which blurs once and costs a quarter. The elastic distortion
moves every pixel by a smooth random field on top: Simard, Steinkraus and Platt, "Best practices for
convolutional neural networks applied to visual document analysis", ICDAR 2003, section 2.
"""

from functools import cache
from math import radians
from typing import Any, Literal

import numpy as np

Flip = Literal["none", "horizontal", "vertical", "horizontal_and_vertical"]
SMOOTHNESS = 1 / 7  # the Gaussian's standard deviation over the size: Simard's 4 of 28 pixels
POINTS = 8  # of noise a side, one in about that deviation


@cache
def smoothing(size: int) -> np.ndarray:
    """Return the matrix `(size, POINTS)` that spreads independent noise to a smooth line of `size`.

    Each row is a Gaussian over evenly spaced points, of unit length: noise of variance 1 becomes a
    line of variance 1 everywhere, at the border too.
    """
    places, points = np.arange(size)[:, None], np.linspace(0, size - 1, POINTS)
    rows = np.exp(-(((places - points) / (SMOOTHNESS * size)) ** 2) / 2)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("float32")


@cache
def random_warp() -> Any:
    """Return the layer class `RandomWarp(shift, rotate, zoom, shear, elastic, flip, fill)`."""
    import keras
    from keras import ops

    @keras.saving.register_keras_serializable("dlcourse")
    class RandomWarp(keras.Layer):
        """Maps images `(n, height, width, channels)`, each by its own random affine map.

        The arguments are those of `augmentation_layers`. Outside of training the images stay, and
        in it too while `active` is false; a function that Keras has traced keeps what it was then.
        """

        def __init__(
            self, *, flip: Flip = "none", fill: str = "nearest", seed: Any = None, **options: Any
        ):
            ranges = {key: options.pop(key) for key in ("shift", "rotate", "zoom", "shear")}
            self.elastic = options.pop("elastic", 0.0)
            super().__init__(**{"dtype": "float32", **options})  # as TensorFlow's kernel has it
            self.ranges, self.flip, self.fill = ranges, flip, fill
            self.active = True
            # TensorFlow's XLA has no such operation; JAX would run the whole model step by step.
            self.supports_jit = keras.backend.backend() == "jax"
            self.generator = keras.random.SeedGenerator(seed)

        def call(self, images: Any, training: bool = False) -> Any:
            images = ops.cast(images, self.compute_dtype)
            if not (training and self.active):
                return images
            shape: Any = ops.shape(images)
            maps = self._maps(*shape[:3])
            if self.elastic:
                return self._sampled(images, *self._distorted(maps, *images.shape[1:3]))
            return ops.image.affine_transform(
                images,
                maps,
                fill_mode="nearest" if self.fill == "nearest" else "constant",
                data_format="channels_last",
            )

        def _maps(self, n: Any, height: Any, width: Any) -> Any:
            """Return each image's map from output to input coordinates, (a0, a1, …, a7) `(n, 8)`.

            x' = a0·x + a1·y + a2 and y' = a3·x + a4·y + a5; the image's middle stays the middle but
            for the shift.
            """

            def draw(name: str, scale: float = 1.0) -> Any:
                largest = self.ranges[name] * scale
                return keras.random.uniform((n,), -largest, largest, seed=self.generator)

            angle, size, slant = draw("rotate", radians(1)), 1 + draw("zoom"), draw("shear")
            right, down = draw("shift") * width, draw("shift") * height
            cos, sin = size * ops.cos(angle), size * ops.sin(angle)
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
            none = ops.zeros_like(angle)
            first, second = ((*row, move) for row, move in zip(rows, moves, strict=True))
            return ops.stack([*first, *second, none, none], axis=1)

        def _mirror(self, n: Any, direction: str) -> Any:
            """Return 1 or, for an image that is mirrored in this direction, -1."""
            if direction not in self.flip:
                return 1.0
            return ops.sign(keras.random.uniform((n,), -1.0, 1.0, seed=self.generator))

        def _distorted(self, maps: Any, height: int, width: int) -> tuple[Any, Any]:
            """Return where each output pixel comes from, rows and columns `(n, height, width)`."""
            shape: Any = ops.shape(maps)
            n, a = shape[0], [maps[:, k, None, None] for k in range(6)]
            y, x = (ops.convert_to_tensor(one, "float32") for one in np.mgrid[:height, :width])

            def field(size: int) -> Any:
                noise = keras.random.normal((n, POINTS, POINTS), seed=self.generator)
                smooth = ops.matmul(ops.matmul(smoothing(height), noise), smoothing(width).T)
                return self.elastic * size * smooth

            rows = a[3] * x + a[4] * y + a[5] + field(height)
            columns = a[0] * x + a[1] * y + a[2] + field(width)
            return rows, columns

        def _sampled(self, images: Any, rows: Any, columns: Any) -> Any:
            """Return the images' values at fractional places, between the four pixels around."""
            frame = int(self.fill == "black")  # what lies outside is read from a black frame
            sides = (frame, frame + 1)  # one more, so that the last pixel has a next one
            images = ops.pad(images, [(0, 0), sides, sides, (0, 0)])
            shape: Any = ops.shape(images)
            n, (height, width, channels) = shape[0], images.shape[1:]
            rows = ops.clip(rows + frame, 0, height - 2)
            columns = ops.clip(columns + frame, 0, width - 2)
            top, left = ops.floor(rows), ops.floor(columns)
            down, right = (rows - top)[..., None], (columns - left)[..., None]
            first: Any = ops.arange(n, dtype="int32") * (height * width)
            corner: Any = ops.cast(top * width + left, "int32") + first[:, None, None]
            pixels = ops.reshape(images, (-1, channels))

            def pixel(offset: int) -> Any:
                return ops.take(pixels, corner + offset, axis=0)

            def row(start: int) -> Any:
                a, b = pixel(start), pixel(start + 1)
                return a + right * (b - a)

            above, below = row(0), row(width)
            return above + down * (below - above)

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

        def get_config(self) -> dict[str, Any]:
            own = {**self.ranges, "elastic": self.elastic, "flip": self.flip, "fill": self.fill}
            return {**super().get_config(), **own}

    return RandomWarp
