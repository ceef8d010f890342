"""Errors that a user can cause and mend: their text is for the user, without traceback."""

import textwrap
from pathlib import Path


class UserError(ValueError):
    """A condition that the user can mend; `exit_code` is what a command ends with.

    Args:
        reason: What is wrong, what was expected and how to mend it.
        setting: The setting whose value is at fault, where it is one.
        of: What the setting belongs to: a data set, a model, a place in a file.
    """

    exit_code = 1

    def __init__(self, reason: str, *, setting: str | None = None, of: str | None = None):
        self.reason, self.setting = reason, setting
        super().__init__(": ".join(part for part in (of, setting, reason) if part))

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in the place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class RecipeError(UserError):
    """A mistake in a recipe: one line a fault, each saying where, what was expected, what came."""

    exit_code = 2


class DatasetError(UserError):
    """Data that cannot be loaded or trained on; the text names the data set and the cure."""

    exit_code = 2


class RunError(UserError):
    """A run that is not there, not whole, or may not be named so."""

    exit_code = 2


class WriteError(RunError):
    """A file of a run that cannot be written."""

    exit_code = 1


class DivergedError(UserError):
    """A training whose loss, weights or statistics became NaN or infinite."""

    exit_code = 3


class InterruptedTraining(UserError):  # noqa: N818 - an end by request, not an error
    """A training that a signal ended; its state is saved."""

    def __init__(self, path: Path, at: str, signal: int):
        super().__init__(
            f"interrupted in {at}; go on with: python -m dlcourse.train --resume {path}, in Python "
            f'dl.resume("{path}")'
        )
        self.at, self.signal = at, signal
        self.exit_code = 128 + signal


def one_line(error: BaseException) -> str:
    """Return what another library's error says, in one line, cut between words if it is long."""
    return textwrap.shorten(str(error), 300, placeholder=" …")
