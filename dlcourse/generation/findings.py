"""What the numbers of a GAN or an autoencoder show, and one thing to try."""

from typing import NamedTuple

from dlcourse.errors import RunError
from dlcourse.runs import Run, read_run

# Set between the shipped recipes and trainings with a planted fault (tests/test_generation.py).
CERTAIN, HELPLESS = 0.30, 4.0  # losses of a discriminator that has won, and of its generator
SPREAD = 0.5  # below: the images of a class are all alike
USEFUL = 0.5  # share of real images that an SVM trained on generated ones has right
COPIED = 0.5  # distance to the nearest training image, as a share of that of real test images
NOTHING = 0.9  # reconstruction error, as a share of the variance of the pixels


class GenerationFinding(NamedTuple):
    """A finding: its name, what was measured, and what to try."""

    name: str
    evidence: str
    cure: str

    def __str__(self) -> str:
        return f"{self.name.replace('_', ' ')}: {self.evidence}\n  try: {self.cure}"


def diagnose(run: "Run | str") -> list[GenerationFinding]:
    """Return the findings of a finished run of `dlcourse.generation`, the most serious first.

    Raises:
        RunError: The run is not finished, or is not one of a GAN or an autoencoder.
    """
    run = read_run(run)
    train, test = run.metrics["train"], run.metrics["test"]
    if not {"spread", "reconstruction"} & test.keys():
        raise RunError(f"{run.path}: is not a run of a GAN or an autoencoder")
    loss, other = train.get("discriminator_loss", 1.0), train.get("generator_loss", 0.0)
    spread, share = test.get("spread", 1.0), test.get("train_on_generated", 1.0)
    real, left = run.metrics["reference"].get("real", {}), test.get("reconstruction", 0.0)
    near = test.get("nearest_train", 1.0) / (real.get("nearest_train", 1.0) or 1e-9)
    won, alike = loss < CERTAIN and other > HELPLESS, spread < SPREAD
    found = (
        (won, "discriminator_has_won", f"its loss is {loss:.2f} and the generator's {other:.1f}: "
         "it is certain of every image, and the generator gets no gradient",
         "more dropout and input_noise, fewer neurons in the discriminator"),
        (alike, "collapse", f"the images of a class vary {spread:.0%} as much as real ones",
         "a smaller learning rate, more input_noise and dropout in the discriminator"),
        (share < USEFUL and not (won or alike), "no_progress", "an SVM that was trained on them "
         f"has {share:.0%} of real images right", "more epochs, a larger learning rate"),
        (left > NOTHING, "no_progress", f"its error is {left:.0%} of the variance: no better than "
         "the mean image", "a larger learning rate or code, more epochs"),
        (near < COPIED, "memorised", f"they lie {near:.2f} times as far from training images as "
         "real ones do", "fewer epochs, fewer neurons, more training images"),
    )  # fmt: skip
    return [GenerationFinding(*texts) for holds, *texts in found if holds]
