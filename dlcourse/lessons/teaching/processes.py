"""The two processes of a submission: one runs its cells, the other has the checkers and marks it.

Each calls functions of the other by number. What passes is JSON: numbers, texts, arrays and
collections of them. A function stays where it was written and is called there; a Keras model passes
as its file; any other object is a name, so that its `__eq__` or `__class__` is never asked.

    python -m dlcourse.lessons.teaching.processes run HANDLE SECONDS FOLDER
    python -m dlcourse.lessons.teaching.processes mark HANDLE SECONDS FOLDER
"""

import contextlib
import json
import os
import signal
import sys
from multiprocessing.connection import Connection
from numbers import Real
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from dlcourse.lessons import exercises
from dlcourse.lessons.exercises.answers import is_empty, is_open
from dlcourse.lessons.exercises.exercise import NotAttempted, Verdict

LARGEST = 2**27  # most bytes of a message


class Generator(np.random.Generator):
    """The random generator that has a state."""

    def __init__(self, state: Any):
        super().__init__(np.random.PCG64())
        self.bit_generator.state = state


SIGNS: dict[str, Any] = {
    "generator": Generator,
    "open": lambda _: ...,
    "set": set,
    "array": lambda given: np.array(given[1], np.sctypeDict.get(given[0]))[()],
    "object": lambda name: type(str(name)[:80], (), {})(),
}
"""What a value is read as that JSON has not: it passes as {"dlcourse": [sign, content]}."""


class OutOfTime(BaseException):
    """A cell, or one call of a function, has taken longer than its share of the time."""


class Peer:
    """One end of a socket: calls functions of the other end, and answers its calls.

    Each end is one of two processes; the one with the checkers runs no code of the submission.

    Args:
        handle: File descriptor of the socket.
        seconds: Longest time of a call from the other end; 0 for no limit.
        functions: Functions that the other end may call by their place, beginning with 0.
    """

    def __init__(self, handle: int, seconds: int, *functions: Any):
        self.connection, self.seconds, self.functions = Connection(handle), seconds, [*functions]

    def call(self, number: int, *arguments: Any) -> Any:
        """Return the result of a function of the other end, or raise an error as it did."""
        self.fatal: BaseException | None = None
        self._send("call", number, arguments)
        kind, *rest = self.serve()
        if self.fatal:  # a checker's limit, whoever has caught it on the way
            raise self.fatal
        if kind == "error":
            raise type(str(rest[0])[:80], (Exception,), {})(str(rest[1])[:300])
        return rest[0]

    def serve(self) -> list[Any]:
        """Answer the calls of the other end until it sends the result of ours.

        Where the other process has ended, this one ends as well.
        """
        while True:
            try:
                message = self.connection.recv_bytes(LARGEST)
            except (EOFError, OSError):
                os._exit(0)  # an exception could be caught on its way through a checker
            kind, *rest = json.loads(message, object_hook=self._read)
            if kind != "call":
                return [kind, *rest]
            try:
                signal.alarm(self.seconds)
                self._send("value", self.functions[rest[0]](*rest[1]))
            except BaseException as error:  # noqa: BLE001 - a student's function may raise anything
                self.fatal = None if isinstance(error, Exception) else error
                self._send("error", type(error).__name__, str(error))
            finally:
                signal.alarm(0)

    def _send(self, *message: Any) -> None:
        text = json.dumps(message, default=self.sign)
        if len(text) > LARGEST:
            raise ValueError("this is too large to pass")
        with contextlib.suppress(OSError):
            self.connection.send_bytes(text.encode())

    def _read(self, data: dict[str, Any]) -> Any:
        return self.value(*data["dlcourse"]) if "dlcourse" in data else data

    def sign(self, value: Any) -> Any:
        """Return what passes for a value that JSON has not."""
        if issubclass(type(value), Real):
            return float(value)
        return [*value] if type(value) is range else {"dlcourse": self._sign(value)}

    def _sign(self, value: Any) -> tuple[str, Any]:
        if value is ...:
            return "open", 0
        if type(value) is np.random.Generator:
            return "generator", value.bit_generator.state
        if callable(call := getattr(value, "predict", value)):
            self.functions.append(call)
            given = [is_empty(value), is_open(value)] if call is value else [_saved(value)]
            return "function" if call is value else "model", [len(self.functions) - 1, *given]
        if issubclass(type(value), set | frozenset):
            return "set", [*value]
        array = np.asarray(value if hasattr(value, "__array__") else None)
        if array.dtype.kind in "biufU":
            return "array", [array.dtype.name, array.tolist()]
        return "object", type(value).__name__

    def value(self, sign: str, content: Any) -> Any:
        """Return the value that a sign stands for."""
        if sign in SIGNS:
            return SIGNS[sign](content)
        number, given, *unfinished = content
        if sign == "model":
            own = {"predict": lambda _, x, **__: self.call(number, x)}
            return _loaded(given) or type("Model", (), own)()

        def function(*arguments: Any) -> Any:
            if given:  # it is empty
                raise NotAttempted
            try:
                return self.call(number, *arguments)
            except Exception:
                if unfinished[0]:
                    raise NotAttempted from None
                raise

        return function


def _saved(model: Any) -> str:
    with contextlib.suppress(Exception), TemporaryDirectory() as folder:
        model.save(path := Path(folder, "model.keras"))
        return path.read_bytes().hex()
    return ""


def _loaded(text: str) -> Any:
    from dlcourse.heavy import keras

    with contextlib.suppress(Exception), TemporaryDirectory() as folder:
        (path := Path(folder, "model.keras")).write_bytes(bytes.fromhex(text))
        return keras.saving.load_model(path, compile=False, safe_mode=True)


def run(handle: int, seconds: int, _: str) -> None:
    """Run cells and functions as they are asked for; checks, hints and solutions do nothing."""
    from IPython.core.interactiveshell import InteractiveShell

    def out_of_time(*_: Any) -> None:
        raise OutOfTime(f"it took more than {seconds} s")

    signal.signal(signal.SIGALRM, out_of_time)
    shell: Any = InteractiveShell.instance()
    given: dict[str, Any] = {}

    def check(name: str, answer: Any = ...) -> Verdict:
        given[str(name)] = answer
        return Verdict(name, "unattempted", "")

    def taken(name: str) -> Any:  # by check, or where none was run what is called answer
        return given.pop(name, shell.user_ns.pop("answer", ...))

    exercises.check, exercises.hint, exercises.solution = check, *[lambda _: ""] * 2
    Peer(handle, seconds, shell.run_cell, taken).serve()


def mark(handle: int, _: int, folder: str) -> None:
    """Have each of `cells.json` run; write name, status and words of each exercise as JSON."""
    peer, cells = Peer(handle, 0), json.loads(Path(folder, "cells.json").read_text())
    with Path(folder, "verdicts.json").open("w", buffering=1) as out:
        for code, names in cells:
            with contextlib.suppress(Exception):
                peer.call(0, code)
            for name in names:
                verdict = Verdict(name, "wrong", "This answer cannot be read.")
                with contextlib.suppress(Exception):
                    verdict = exercises.check(name, peer.call(1, name))
                out.write(json.dumps([name, verdict.status, verdict.message]) + "\n")


if __name__ == "__main__":
    {"run": run, "mark": mark}[sys.argv[1]](*map(int, sys.argv[2:4]), sys.argv[4])
