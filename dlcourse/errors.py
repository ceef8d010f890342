"""Errors that a user can cause and fix; commands print their text without a traceback."""

import textwrap
from pathlib import Path


class UserError(ValueError):
    """An error that the user can fix; `exit_code` is the exit status of a command.

    Args:
        reason: Text of the error: what is wrong, what was expected and how to fix it.
        setting: Name of the setting with the wrong value, if there is one.
        of: Owner of the setting: a data set, a model or a place in a file.
    """

    exit_code = 1

    def __init__(self, reason: str, *, setting: str | None = None, of: str | None = None):
        self.reason, self.setting = reason, setting
        super().__init__(as_given(": ".join(part for part in (of, setting, reason) if part)))

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class RecipeError(UserError):
    """An invalid recipe: one line per error, with its place, the expected and the found value."""

    exit_code = 2


class DatasetError(UserError):
    """Data that cannot be loaded or trained on; the text names the data set and the cure."""

    exit_code = 2


class RunError(UserError):
    """A run that is missing or incomplete, or whose name is not allowed."""

    exit_code = 2


class WriteError(RunError):
    """A file of a run that cannot be written."""

    exit_code = 1


class DivergedError(UserError):
    """A training whose loss, weights or statistics became NaN or infinite."""

    exit_code = 3


class InterruptedTraining(UserError):  # noqa: N818 - an end by request, not an error
    """A training that a signal stopped; its state is saved."""

    def __init__(self, path: Path, at: str, signal: int, how: str = "dl.resume"):
        super().__init__(
            f"interrupted in {at}; go on with: python -m dlcourse.train --resume {path}, in Python "
            f'{how}("{path}")'
        )
        self.at, self.signal = at, signal
        self.exit_code = 128 + signal


GIVEN: dict[str, str] = {}
"""What data given in Python is called, by the name of its temporary file."""


def as_given(text: str) -> str:
    """Return a text in which data given in Python is not named by its temporary file."""
    for file, name in GIVEN.items():
        text = text.replace(file, name)
    return text


def one_line(error: BaseException) -> str:
    """Return the text of another library's error in one line, shortened between words."""
    return textwrap.shorten(str(error), 300, placeholder=" …")
