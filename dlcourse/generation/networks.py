"""Builders: a conditional GAN as two plain Keras models, and an autoencoder.

Images go in and come out in the data's own range of values; one layer at the end or the beginning
scales them to −1 … 1 and back.
"""

from math import prod

from dlcourse.heavy import keras
from dlcourse.schema import NonNegative, Positive, Rate

Range = tuple[float, float]


def gan(
    image_shape: tuple[int, ...],
    num_classes: int,
    value_range: Range = (0.0, 255.0),
    *,
    noise: Positive = 16,
    hidden: tuple[Positive, ...] = (128, 128),
    discriminator: tuple[Positive, ...] = (128, 64),
    dropout: Rate = 0.3,
    input_noise: NonNegative = 0.1,
) -> "tuple[keras.Model, keras.Model]":
    """Return the generator and the discriminator of a conditional GAN, not compiled.

    The generator takes noise `(n, noise)` and one-hot classes `(n, num_classes)` and gives images.
    The discriminator takes images and one-hot classes and gives one logit per image: above 0 for
    what it takes for real.

    Args:
        image_shape: Shape (height, width, channels) of an image.
        num_classes: Number of classes that can be asked for.
        value_range: Lowest and highest value of a pixel.
        noise: Number of random numbers that an image is made of.
        hidden: Neurons of the generator's hidden layers.
        discriminator: Neurons of the discriminator's hidden layers.
        dropout: Fraction of the discriminator's hidden outputs that is dropped in training.
        input_noise: Standard deviation of the noise that is added to the images that the
            discriminator sees in training, as a fraction of half the range of values.

    References:
        Goodfellow et al. 2014 (arXiv:1406.2661); conditions: Mirza and Osindero 2014
        (arXiv:1411.1784); noise on the inputs: Arjovsky and Bottou 2017 (arXiv:1701.04862).
    """
    layers = keras.layers
    low, high = value_range
    half, middle = (high - low) / 2, (high + low) / 2

    z, classes = keras.Input((noise,), name="noise"), keras.Input((num_classes,), name="classes")
    x = layers.Concatenate(name="noise_and_classes")([z, classes])
    for k, neurons in enumerate(hidden, 1):
        x = layers.Dense(neurons, name=f"hidden_{k}")(x)
        x = layers.LayerNormalization(name=f"norm_{k}")(x)
        x = layers.LeakyReLU(0.2, name=f"relu_{k}")(x)
    x = layers.Dense(prod(image_shape), name="pixels")(x)
    x = layers.Reshape(image_shape, name="image")(x)
    x = layers.Activation("tanh", dtype="float32", name="tanh")(x)
    x = layers.Rescaling(half, middle, dtype="float32", name="range")(x)
    generator = keras.Model([z, classes], x, name="generator")

    image = keras.Input(image_shape, name="image")
    x = layers.Rescaling(1 / half, -middle / half, name="scaled")(image)
    x = layers.GaussianNoise(input_noise, name="input_noise")(x)
    x = layers.Concatenate(name="image_and_classes")([layers.Flatten(name="flat")(x), classes])
    for k, neurons in enumerate(discriminator, 1):
        # other names than the generator's: on PyTorch, Keras clears gradients by name
        x = layers.Dense(neurons, name=f"discriminator_{k}")(x)
        x = layers.LeakyReLU(0.2, name=f"relu_{k}")(x)
        x = layers.Dropout(dropout, name=f"dropout_{k}")(x)
    logit = layers.Dense(1, dtype="float32", name="logit")(x)
    return generator, keras.Model([image, classes], logit, name="discriminator")


def autoencoder(
    image_shape: tuple[int, ...],
    num_classes: int = 0,  # noqa: ARG001 - the same arguments as those of `gan`
    value_range: Range = (0.0, 255.0),
    *,
    hidden: tuple[Positive, ...] = (128, 64),
    code: Positive = 2,
) -> "keras.Model":
    """Return an autoencoder: images → a code of a few numbers, the layer `code` → images.

    Args:
        image_shape: Shape (height, width, channels) of an image.
        num_classes: Not used: an autoencoder does not see the classes.
        value_range: Lowest and highest value of a pixel.
        hidden: Neurons of the hidden layers before the code, and in reverse order after it.
        code: Numbers of the code; two can be drawn as a map.

    References:
        Hinton and Salakhutdinov 2006, doi:10.1126/science.1127647.
    """
    layers, low, high = keras.layers, *value_range
    image = keras.Input(image_shape, name="image")
    x = layers.Rescaling(1 / (high - low), -low / (high - low), name="scaled")(image)
    x = layers.Flatten(name="flat")(x)
    for k, neurons in enumerate(hidden, 1):
        x = layers.Dense(neurons, activation="relu", name=f"encoder_{k}")(x)
    x = layers.Dense(code, name="code")(x)
    for k, neurons in enumerate(hidden[::-1], 1):
        x = layers.Dense(neurons, activation="relu", name=f"decoder_{k}")(x)
    x = layers.Dense(prod(image_shape), activation="sigmoid", dtype="float32", name="pixels")(x)
    x = layers.Reshape(image_shape, name="unflat")(x)
    x = layers.Rescaling(high - low, low, dtype="float32", name="range")(x)
    return keras.Model(image, x, name="autoencoder")


BUILDERS = {"gan": gan, "autoencoder": autoencoder}
