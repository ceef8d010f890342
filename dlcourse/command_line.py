"""What the commands share: a parser whose errors are one line."""

import argparse
import sys
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that reports a mistake in one line on stderr and exits with 2."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2)
