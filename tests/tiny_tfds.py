"""Small data sets for TensorFlow Datasets, prepared in a folder by its own code."""

import numpy as np
import tensorflow_datasets as tfds

PLAIN = {"image": tfds.features.Image(shape=(4, 3, 1)), "label": ["no", "yes", "perhaps"]}
ANY_SIZE = {"image": tfds.features.Image(shape=(None, None, 1)), "label": ["no", "yes", "perhaps"]}
TEXT = {"image": tfds.features.Text(), "label": ["no", "yes", "perhaps"]}


def pixels(i, height=4, width=3):
    """Return the picture number `i`: one grey level, `i`."""
    return np.full((height, width, 1), i, "uint8")


class Tiny(tfds.core.GeneratorBasedBuilder):
    """Sixty pictures of one size, without a test split."""

    VERSION = tfds.core.Version("1.0.0")
    features = PLAIN
    keys = ("image", "label")
    sizes = ((4, 3),)
    parts: tuple[tuple[str, int], ...] = (("train", 60),)

    def _info(self):
        features = dict(self.features, label=tfds.features.ClassLabel(names=self.features["label"]))
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=self.keys,
        )

    def _split_generators(self, dl_manager):  # noqa: ARG002
        return {name: self._generate_examples(name, n) for name, n in self.parts}

    def _generate_examples(self, name, n):
        for i in range(n):
            label = -1 if name == "test" else i % 3
            yield i, {"image": pixels(i, *self.sizes[i % len(self.sizes)]), "label": label}


class TinySecret(Tiny):
    """Its test labels are kept secret, as -1."""

    parts = (("train", 60), ("test", 30))


class TinyMixed(Tiny):
    """Its images differ in size."""

    features = ANY_SIZE
    sizes = ((4, 3), (8, 6))


class TinyEqual(Tiny):
    """Its images have one size, which it does not declare."""

    features = ANY_SIZE


class TinyUnsupervised(Tiny):
    """It does not say what is to be predicted."""

    keys = None


class TinyText(Tiny):
    """Its inputs are not images."""

    features = TEXT


class TinyTrainless(Tiny):
    """It has no train split."""

    parts = (("validation", 60),)


class TinyManual(Tiny):
    """Its files must be downloaded by hand."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = "Register somewhere."


class TinyBroken(Tiny):
    """Its download fails."""

    def _split_generators(self, dl_manager):  # noqa: ARG002
        raise OSError("no space left on device")


def prepare(builder, folder):
    """Prepare a set of this file in `folder`; return its name."""
    builder(data_dir=str(folder)).download_and_prepare()
    return builder.name
