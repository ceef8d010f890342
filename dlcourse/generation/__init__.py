"""Generation: a conditional GAN whose quality is measured, and an autoencoder.

run = dl.generation.fit("digits_gan")
images, classes = dl.generation.generate(run.model, per_class=8)
"""

from dlcourse import lazy

__getattr__, __dir__ = lazy(
    __name__,
    ["plots"],
    {
        f"{__name__}.training": "fit resume quality_of samples",
        f"{__name__}.recipe": "recipe_of",
        f"{__name__}.networks": "gan autoencoder",
        f"{__name__}.quality": "generate frechet two_sample reconstruction_error codes with_patch",
        f"{__name__}.findings": "diagnose",
    },
)
