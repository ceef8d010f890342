"""What every command shares: quiet start, exit codes, errors in one line."""

import argparse
import json
import os
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from dlcourse.errors import UserError
from dlcourse.quiet import write


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that reports a mistake in one line, without usage, and exits with 2."""

    def __init__(self, **settings: Any):
        if "epilog" in settings:  # examples, and a description of several lines
            settings["formatter_class"] = argparse.RawDescriptionHelpFormatter
        super().__init__(**settings)

    def error(self, message: str) -> NoReturn:
        print_error(f"{self.prog}: {message}")
        raise SystemExit(2)

    def option(self, name: str, text: str, metavar: str | None = None, **settings: Any) -> None:
        """Add an argument that takes a value; without a `metavar`, a switch."""
        kind: Any = {"action": "store_true"} if metavar is None else {"metavar": metavar}
        self.add_argument(name, help=text, **kind, **settings)


def run_command(body: Callable[[], int]) -> int:
    """Return the exit code of `body`: 0 ok, 1 failed, 2 usage or recipe, 3 diverged, 130 Ctrl-C.

    A user's mistake is printed as one line on the error stream, without a traceback.
    """
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code = body()
        sys.stdout.flush()
    except UserError as error:
        print_error(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        print_error("interrupted")
        return 128 + signal.SIGINT
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except MemoryError:
        print_error("out of memory: use a smaller model, batch_size or data set")
        return 1
    return code


def _show_warning(message: Warning | str, *_: Any) -> None:
    print_error(f"warning: {message}")


def print_error(text: str) -> None:
    """Print to the error stream."""
    sys.stderr.write(text + "\n")


def write_json(content: Any) -> None:
    """Print readable JSON."""
    write(json.dumps(content, indent=2, ensure_ascii=False))
