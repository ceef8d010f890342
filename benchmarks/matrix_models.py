"""The models of `python -m benchmarks.matrix`, with random weights, and what its formulas need."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops

Grid = tuple[tuple[float, float], ...]
"""For each axis (scale, offset): place i of a map lies at scale · i + offset in the image."""


@dataclass
class Case:
    """A model and the same network for the formulas.

    Attributes:
        model: The model that dlcourse explains.
        twin: Functional float32 model with the same weights: list of inputs → [*maps, logits].
        images: Inputs that dlcourse is given: an array, a list or a dict.
        x: The inputs at which gradients are taken: those of the twin.
        grids: Where each of the maps lies in the image; None for one with other axes.
        layers: Names of the maps' layers in the model; empty for what is not a last output.
        sources: Indices of the inputs of images; the maps of the first layers belong to them.
        ending: Function from logits to probabilities: `softmax`, `sigmoid` or `none`.
        dense: The Dense layer, if the model ends in GlobalAveragePooling and this layer.
        embed: The model from tokens to embeddings.
        tokens: Rows and columns of the patches, if the maps are tokens.
        attentions: Each attention of tokens to themselves, and the model that gives its tokens.
        deep: Whether the network is deep: maps keep their size, Score-CAM reads the last of them.
        settings: Settings of every method that has them.
        value_range: Range of the images' values.
        traces: The formulas' gradients at the inputs, which several methods share.
    """

    model: Any
    twin: Any
    images: Any
    x: list
    grids: list[Grid | None]
    layers: list[str]
    sources: tuple[int, ...] = (0,)
    ending: str = "softmax"
    dense: Any = None
    embed: Any = None
    tokens: tuple[int, ...] | None = None
    attentions: tuple = ()
    deep: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    value_range: tuple[float, float] = (0.0, 1.0)
    traces: dict[str, Any] = field(default_factory=dict)


ENDINGS: dict[str, Callable[[Any], Any]] = {
    "softmax": lambda z: layers.Softmax()(z),
    "ops": lambda z: ops.softmax(z),
    "sigmoid": lambda z: layers.Activation("sigmoid")(z),
    "logits": lambda z: z,
    "none": lambda z: z,
}
HALF: Grid = ((2, 0.5), (2, 0.5))  # behind a pooling of 2 × 2
WHOLE: Grid = ((1, 0), (1, 0))


def case(inputs: list, maps: list, logits: Any, grids: list, ending: str = "softmax", **more: Any):
    """Return the case of a Functional network, whose maps are outputs of layers."""
    if "model" not in more:
        more["model"] = keras.Model(inputs if inputs[1:] else inputs[0], ENDINGS[ending](logits))
    twin = keras.Model(inputs, [*maps, logits])
    x = more.pop("x", None) or [random(*i.shape[1:]) for i in inputs]
    randomize(twin, x)
    more.setdefault("images", x if inputs[1:] else x[0])
    more.setdefault("layers", [t._keras_history.operation.name for t in maps])
    ending = "softmax" if ending in ("ops", "logits") else ending
    return Case(twin=twin, x=x, grids=grids, ending=ending, **more)


def random(*shape: int) -> np.ndarray:
    """Return two examples of a shape, uniform in [0, 1)."""
    return np.random.default_rng(0).random((2, *shape), "float32")


def blocks(size: int) -> np.ndarray:
    """Return two images of 8 × 8 random blocks with a little noise.

    Noise alone averages out in a deep network: its maps would hold little but rounding errors.
    """
    large = random(8, 8, 3).repeat(size // 8, axis=1).repeat(size // 8, axis=2)
    return 0.8 * large + 0.2 * random(size, size, 3)


def randomize(model: Any, x: list) -> None:
    """Give biases and scales random values, and normalisations the statistics of the inputs."""
    rng = np.random.default_rng(1)
    for weight in model.trainable_variables:
        if weight.name == "gamma":
            weight.assign(rng.uniform(0.7, 1.3, weight.shape))
        elif weight.name in ("beta", "bias"):
            weight.assign(rng.normal(0.05, 0.1, weight.shape))
    layers_ = list(model._flatten_layers())
    norms = [x for x in layers_ if isinstance(x, layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    if norms:
        model([np.concatenate([a, a[:, ::-1], 1.3 * a, 0.6 * a]) for a in x], training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def stem(x: Any, conv: Any = layers.Conv2D, pool: Any = layers.MaxPooling2D) -> Any:
    """Return the maps of two convolutions with a pooling between."""
    h = pool(2)(conv(8, 3, padding="same", activation="relu", name="conv_1")(x))
    return conv(12, 3, padding="same", activation="relu", name="conv_2")(h)


def cnn(ending: str = "softmax", units: int = 3) -> Case:
    """Return two convolutions, global average pooling and one Dense layer."""
    x = keras.Input((16, 16, 3))
    dense, maps = layers.Dense(units, name="dense"), stem(x)
    logits = dense(layers.GlobalAveragePooling2D()(maps))
    made = case([x], [maps], logits, [HALF], ending, dense=dense)
    if units == 1:  # maps of both signs: neither class has an empty Grad-CAM
        kernel, means = dense.get_weights()[0], np.asarray(made.twin(made.x)[0]).mean((0, 1, 2))
        dense.set_weights([kernel - np.outer(means, means @ kernel) / (means @ means), np.ones(1)])
    return made


def mixed(policy: str) -> Case:
    """Return the network of `cnn` in half precision; its twin computes in full precision."""
    full = cnn()
    keras.config.set_dtype_policy(policy)
    try:
        half = cnn().model
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(full.model.get_weights())
    return replace(full, model=half)


def sequential() -> Case:
    """Return a Sequential that ends in Flatten and softmax, with borders that are not padded."""
    body = [
        layers.Rescaling(1 / 255),
        layers.Conv2D(8, 3, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.SeparableConv2D(12, 3, activation="relu", name="conv"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(16, activation="relu"),
    ]
    x = h = keras.Input((18, 18, 3))
    maps = [h := layer(h) for layer in body][5]
    last = layers.Dense(4, activation="softmax")
    model = keras.Sequential([keras.Input((18, 18, 3)), *body, last])
    linear = layers.Dense(4)
    logits = linear(h)
    grid = ((2, 3.5), (2, 3.5))
    made = case([x], [maps], logits, [grid], model=model, x=[255 * random(18, 18, 3)])
    last.set_weights(linear.get_weights())
    return replace(made, value_range=(0.0, 255.0))


def relu_operations() -> Case:
    """Return a network whose ReLUs are `keras.ops.relu`; the twin has layers with these weights."""
    same: dict[str, Any] = {"padding": "same"}
    x, three = keras.Input((16, 16, 3)), layers.Dense(3)
    first, second = layers.Conv2D(8, 3, **same), layers.Conv2D(12, 3, name="conv", **same)
    h = ops.relu(second(layers.MaxPooling2D()(ops.relu(first(x)))))
    model = keras.Model(x, layers.Softmax()(three(layers.GlobalAveragePooling2D()(h))))
    h = second(layers.MaxPooling2D()(layers.ReLU()(first(x))))
    maps = layers.ReLU()(h)
    logits = three(layers.GlobalAveragePooling2D()(maps))
    made = case([x], [maps, h], logits, [HALF, None], model=model, dense=three)
    return replace(made, layers=["", "conv"])


def nested() -> Case:
    """Return a network with a model inside, as in transfer learning."""
    inside, x = keras.Input((16, 16, 3)), keras.Input((16, 16, 3))
    base = keras.Model(inside, stem(inside), name="base")
    dense, maps = layers.Dense(3), base(x)
    return case([x], [maps], dense(layers.GlobalAveragePooling2D()(maps)), [HALF], dense=dense)


class Own(keras.Model):
    """A subclassed network."""

    def __init__(self) -> None:
        super().__init__()
        self.first = layers.Conv2D(8, 3, padding="same", activation="relu")
        self.second = layers.Conv2D(12, 3, padding="same", activation="relu", name="second")
        self.pool, self.mean = layers.MaxPooling2D(), layers.GlobalAveragePooling2D()
        self.dense = layers.Dense(3)

    def call(self, x: Any) -> Any:
        """Return the probabilities."""
        h = self.second(self.pool(self.first(x)))
        return ops.softmax(self.dense(self.mean(h)))


def subclassed() -> Case:
    """Return a subclassed model."""
    own, x = Own(), keras.Input((16, 16, 3))
    own(random(16, 16, 3))
    maps = own.second(own.pool(own.first(x)))
    return case([x], [maps], own.dense(own.mean(maps)), [HALF], model=own, dense=own.dense)


def shared() -> Case:
    """Return a network that calls one convolution twice."""
    same: dict[str, Any] = {"padding": "same", "activation": "relu"}
    x = keras.Input((12, 12, 3))
    conv, dense = layers.Conv2D(8, 3, name="conv", **same), layers.Dense(3)
    maps = conv(conv(layers.Conv2D(8, 3, **same)(x)))
    return case([x], [maps], dense(layers.GlobalAveragePooling2D()(maps)), [WHOLE], dense=dense)


def dict_inputs() -> Case:
    """Return a network that takes a dict of an image and a row."""
    inputs = {"image": keras.Input((16, 16, 3), name="image"), "row": keras.Input((4,), name="row")}
    maps = stem(inputs["image"])
    h = layers.Concatenate()([layers.GlobalAveragePooling2D()(maps), inputs["row"]])
    logits = layers.Dense(3)(layers.Dense(8, activation="relu")(h))
    model = keras.Model(inputs, layers.Softmax()(logits))
    made = case([*inputs.values()], [maps], logits, [HALF], model=model)
    return replace(made, images=dict(zip(inputs, made.x, strict=True)))


def two_towers() -> Case:
    """Return a network of two images of different sizes."""
    inputs, maps = [keras.Input((16, 16, 3)), keras.Input((12, 12, 1))], []
    for k, x in enumerate(inputs):
        h = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
        h = layers.MaxPooling2D()(h)
        maps.append(layers.Conv2D(8, 3, padding="same", activation="relu", name=f"tower_{k}")(h))
    pooled = [layers.GlobalAveragePooling2D()(m) for m in maps]
    logits = layers.Dense(3)(layers.Concatenate()(pooled))
    return case(inputs, maps, logits, [HALF, HALF], sources=(0, 1))


def siamese() -> Case:
    """Return a network that calls one encoder on two images and has one sigmoid unit."""
    inside, inputs = keras.Input((12, 12, 1)), [keras.Input((12, 12, 1)) for _ in range(2)]
    encoder = keras.Model(inside, stem(inside), name="encoder")
    maps = [encoder(x) for x in inputs]
    first, second = (layers.GlobalAveragePooling2D()(m) for m in maps)
    logits = layers.Dense(1)(ops.abs(first - second) + first)
    x = [random(12, 12, 1), np.square(random(12, 12, 1))]
    more = {"x": x, "sources": (0, 1), "layers": ["encoder", ""]}  # run last, first
    return case(inputs, maps, logits, [HALF, HALF], "sigmoid", **more)


def two_heads() -> Case:
    """Return a network with a dict of outputs, of which the second is asked: its own layer."""
    x, pool = keras.Input((16, 16, 3)), layers.GlobalAveragePooling2D
    early = layers.Conv2D(8, 3, padding="same", activation="relu", name="early")(x)
    late = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.MaxPooling2D()(early))
    dense = layers.Dense(3)
    logits = dense(pool()(early))
    outputs = {"coarse": layers.Softmax()(layers.Dense(2)(pool()(late)))}
    model = keras.Model(x, {**outputs, "fine": layers.Softmax()(logits)})
    more = {"model": model, "dense": dense, "settings": {"output": "fine"}}
    return case([x], [early], logits, [WHOLE], **more)


def u_net(where: Any = None) -> Case:
    """Return a small U-Net: classes of pixels; the score is their mean, or that of one pixel."""
    same: dict[str, Any] = {"padding": "same", "activation": "relu"}
    x = keras.Input((16, 16, 3))
    left = layers.Conv2D(8, 3, **same)(x)
    deep = layers.Conv2D(12, 3, **same)(layers.MaxPooling2D()(left))
    up = layers.Conv2DTranspose(8, 2, strides=2)(deep)
    maps = layers.Conv2D(8, 3, name="right", **same)(layers.Concatenate()([left, up]))
    settings = {"where": where} if where else {}
    return case([x], [maps], layers.Conv2D(3, 1)(maps), [WHOLE], settings=settings)


def of_axes(conv: Any, pool: Any, mean: Any, *shape: int) -> Case:
    """Return the network of `cnn` on sequences or volumes."""
    x, dense = keras.Input(shape), layers.Dense(3)
    maps = stem(x, conv, pool)
    grid = ((2, 0.5),) * (len(shape) - 1)
    return case([x], [maps], dense(mean()(maps)), [grid], dense=dense)


def conv_lstm() -> Case:
    """Return a network of films that ends in one picture."""
    x, dense = keras.Input((4, 8, 8, 2)), layers.Dense(3)
    maps = layers.ConvLSTM2D(6, 3, padding="same", name="memory")(x)
    return case([x], [maps], dense(layers.GlobalAveragePooling2D()(maps)), [None], dense=dense)


def time_distributed() -> Case:
    """Return a network that reads each frame of a film, and then their sequence."""
    frame, x = keras.Input((12, 12, 2)), keras.Input((3, 12, 12, 2))
    maps = layers.TimeDistributed(keras.Model(frame, stem(frame)), name="frames")(x)
    h = layers.TimeDistributed(layers.GlobalAveragePooling2D())(maps)
    logits = layers.Dense(3)(layers.LSTM(6)(h))
    return case([x], [maps], logits, [((1, 0), *HALF)])


def text(recurrent: bool) -> Case:
    """Return a network of tokens with an embedding, at whose output gradients are taken."""
    tokens, x = keras.Input((20,), dtype="int32"), keras.Input((20, 8))
    numbers = np.random.default_rng(0).integers(0, 30, (2, 20))
    embedding, dense = layers.Embedding(30, 8, name="embedding"), layers.Dense(3)
    conv = layers.Conv1D(12, 3, padding="same", activation="relu", name="conv")
    body = [layers.LSTM(6)] if recurrent else [conv, layers.GlobalAveragePooling1D()]
    behind = keras.Sequential([*body, dense])
    embed = keras.Model(tokens, embedding(tokens))
    embedding.set_weights([np.random.default_rng(2).normal(0, 0.7, (30, 8))])
    h = embed.output
    for layer in behind.layers:
        h = layer(h)
    maps = x if recurrent else conv(x)
    logits = dense(body[-1](maps))
    made = case(
        [x], [maps], logits, [((1, 0),)], model=keras.Model(tokens, layers.Softmax()(h)),
        x=[np.asarray(embed(numbers))], embed=embed, dense=None if recurrent else dense,
    )  # fmt: skip
    return replace(made, images=numbers, layers=["embedding" if recurrent else "conv"])


class Tokens(keras.Layer):
    """Adds an embedding of the positions, and a class token before them if asked."""

    def __init__(self, class_token: bool, **settings: Any) -> None:
        super().__init__(**settings)
        self.class_token = class_token

    def build(self, shape: tuple) -> None:
        """Make the weights."""
        self.positions = self.add_weight((shape[1], shape[2]), "random_normal", name="positions")
        self.token = self.add_weight((1, 1, shape[2]), "random_normal", name="token")

    def call(self, x: Any) -> Any:
        """Return the tokens."""
        token = ops.zeros_like(x[:, :1]) + self.token
        x = x + self.positions
        return ops.concatenate([token, x], axis=1) if self.class_token else x

    def get_config(self) -> dict:
        """Return the settings."""
        return {**super().get_config(), "class_token": self.class_token}


def vit(class_token: bool) -> Case:
    """Return a vision transformer of 4 × 4 patches and two blocks."""
    x, attentions, dense = keras.Input((16, 16, 3)), [], layers.Dense(3)
    h = layers.Reshape((16, 16))(layers.Conv2D(16, 4, strides=4)(x))
    h = Tokens(class_token)(h)
    norm: Any = None
    for k in range(2):
        norm = layers.LayerNormalization(name=f"norm_{k}")(h)
        attention = layers.MultiHeadAttention(2, 8)
        h = h + attention(norm, norm)
        attentions.append((attention, keras.Model([x], norm)))
        h = h + layers.Dense(16)(layers.Dense(32, activation="relu")(h))
    last = layers.LayerNormalization(name="last")(h)
    logits = dense(last[:, 0] if class_token else layers.GlobalAveragePooling1D()(last))
    more = {"dense": None if class_token else dense, "attentions": attentions}
    maps, grid = norm if class_token else last, ((4, 1.5), (4, 1.5))
    return case([x], [maps], logits, [grid], tokens=(4, 4), **more)


def rows() -> Case:
    """Return a network of rows of a table: no method of places applies."""
    x = keras.Input((8,))
    h = layers.Dense(12, activation="relu", name="hidden")(x)
    return case([x], [h], layers.Dense(3)(h), [None], sources=())


def application(
    name: str, size: int, early: Any, grid: tuple, dense: bool = True, top: int = 1, **more: Any
) -> Case:
    """Return a network of keras.applications with random weights and 10 classes, in float64.

    In float32 a change of the image by 1e-6 of it changed a gradient of MobileNetV2 by 4 %, because
    ReLUs near 0 switch: two right computations would differ.

    Args:
        name: Its name there.
        size: Height and width of the images.
        early: Name or position of the early layer that Score-CAM reads.
        grid: Scale and offset of its places.
        dense: Whether it ends in GlobalAveragePooling and one Dense layer.
        top: Largest value of the images.
        more: Other settings of the network.
    """
    make = partial(getattr(keras.applications, name), weights=None, classes=10, **more)
    keras.config.set_dtype_policy("float64")
    try:
        model = make(input_shape=(size, size, 3))
        plain = make(input_shape=(size, size, 3), classifier_activation=None)
    finally:
        keras.config.set_dtype_policy("float32")
    kinds = [type(layer).__name__ for layer in plain.layers]
    where = {"index": early} if isinstance(early, int) else {"name": early}
    if "GlobalAveragePooling2D" in kinds:
        maps = plain.layers[-1 - kinds[::-1].index("GlobalAveragePooling2D")].input
    else:
        maps = plain.get_layer("block5_conv3").output
    maps = [maps, plain.get_layer(**where).output]
    made = case(
        [plain.inputs[0]], maps, plain.output, [None, (grid, grid)], model=model,
        x=[top * blocks(size)], dense=plain.layers[-1] if dense else None,
    )  # fmt: skip
    model.set_weights(plain.get_weights())
    makers = [t._keras_history.operation for t in maps]  # a layer, or an operation such as a sum
    names = [model.layers[plain.layers.index(m)].name if m in plain.layers else "" for m in makers]
    return replace(made, layers=names, deep=True, value_range=(0.0, float(top)))


MODELS: dict[str, Callable[[], Case]] = {
    "CNN": cnn,
    "Sequential, Flatten": sequential,
    "softmax by keras.ops": partial(cnn, "ops"),
    "logits only": partial(cnn, "logits"),
    "one sigmoid unit": partial(cnn, "sigmoid", 1),
    "regression": partial(cnn, "none", 1),
    "mixed_float16": partial(mixed, "mixed_float16"),
    "mixed_bfloat16": partial(mixed, "mixed_bfloat16"),
    "ReLU by keras.ops": relu_operations,
    "nested": nested,
    "subclassed": subclassed,
    "shared layer": shared,
    "dict inputs": dict_inputs,
    "two towers": two_towers,
    "siamese": siamese,
    "two heads": two_heads,
    "U-Net": u_net,
    "U-Net, one pixel": partial(u_net, (3, 5)),
    "1-D": partial(
        of_axes, layers.Conv1D, layers.MaxPooling1D, layers.GlobalAveragePooling1D, 32, 4
    ),
    # no MaxPooling3D: its eager gradient in TensorFlow takes differences below 1e-5 for ties
    "3-D": partial(
        of_axes, layers.Conv3D, layers.AveragePooling3D, layers.GlobalAveragePooling3D, 8, 8, 8, 1
    ),
    "ConvLSTM": conv_lstm,
    "TimeDistributed": time_distributed,
    "text, Conv1D": partial(text, False),
    "text, LSTM": partial(text, True),
    "ViT, class token": partial(vit, True),
    "ViT, mean of tokens": partial(vit, False),
    "rows": rows,
    "ConvNeXtTiny": partial(
        application, "ConvNeXtTiny", 64, "convnext_tiny_stage_0_block_0_depthwise_conv",
        (4, 1.5), False, 255,
    ),
    "DenseNet121": partial(application, "DenseNet121", 64, "conv1_relu", (2, 0)),
    "EfficientNetB0": partial(
        application, "EfficientNetB0", 64, "stem_activation", (2, 1), top=255
    ),
    "EfficientNetV2B0": partial(
        application, "EfficientNetV2B0", 64, "stem_activation", (2, 1), top=255
    ),
    "InceptionResNetV2": partial(application, "InceptionResNetV2", 112, 3, (2, 1)),
    "InceptionV3": partial(application, "InceptionV3", 112, 3, (2, 1)),
    "MobileNet": partial(application, "MobileNet", 64, "conv1_relu", (2, 1), False, alpha=0.25),
    "MobileNetV2": partial(application, "MobileNetV2", 64, "Conv1_relu", (2, 1), alpha=0.35),
    "MobileNetV3Small": partial(application, "MobileNetV3Small", 64, "conv", (2, 1), False, 255),
    "NASNetMobile": partial(application, "NASNetMobile", 64, "stem_bn1", (2, 1)),
    "ResNet50": partial(application, "ResNet50", 64, "conv1_relu", (2, 0)),
    "ResNet50V2": partial(application, "ResNet50V2", 64, "conv1_conv", (2, 0)),
    "VGG16": partial(application, "VGG16", 64, "block1_conv1", (1, 0), False),
    "Xception": partial(application, "Xception", 96, "block1_conv1_act", (2, 1)),
}  # fmt: skip
