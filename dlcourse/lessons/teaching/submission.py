"""The process that runs a submission's cells: `python -m … HANDLE SECONDS GIB`.

Nothing here is trusted. It is asked for values, as data, by the process that marks them
(`marking`); its own checks, hints and solutions do nothing.
"""

import contextlib
import signal
import sys
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.lessons import exercises
from dlcourse.lessons.exercises.answers import is_empty, is_open
from dlcourse.lessons.teaching.exchange import Peer


class OutOfTime(BaseException):
    """A cell, or one call of a function, has taken longer than its share of the time."""


def keep(peer: Peer, value: Any) -> dict[str, Any]:
    """Return a model as its file, a function by its number, another object by its class's name."""
    keras = sys.modules.get("keras")
    if hasattr(value, "predict"):
        number, file = peer.number(value.predict), ""
        if keras and isinstance(value, keras.Model):
            with contextlib.suppress(Exception), tempfile.TemporaryDirectory() as folder:
                value.save(path := Path(folder, "model.keras"))
                file = b64encode(path.read_bytes()).decode()
        return {"model": [number, file]}
    if callable(value):
        return {"function": [peer.number(value), is_empty(value), is_open(value)]}
    return {"object": type(value).__name__}


def make(peer: Peer, name: str, content: Any) -> Any:
    """Return a function of the marking process, a random generator or a folder of files."""
    if name == "function":
        return lambda *arguments: peer.call(content, *arguments)
    if name == "generator":
        generator = np.random.default_rng()
        generator.bit_generator.state = content
        return generator
    folder = Path(tempfile.mkdtemp())
    for file, text in content.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b64decode(text))
    return str(folder)


def main(handle: int, seconds: int, gib: int) -> None:
    """Limit this process, then run cells and functions as they are asked for."""
    import resource

    from IPython.core.interactiveshell import InteractiveShell

    for limit, most in (("AS", gib * 2**30), ("FSIZE", 2**28), ("NPROC", 1000), ("CORE", 0)):
        resource.setrlimit(getattr(resource, f"RLIMIT_{limit}"), (most, most))

    def out_of_time(*_: Any) -> None:
        raise OutOfTime(f"it took more than {seconds} s")

    def around(run: Callable[[], Any]) -> Any:
        signal.alarm(seconds)
        try:
            return run()
        finally:
            signal.alarm(0)

    signal.signal(signal.SIGALRM, out_of_time)
    unattempted = exercises.Verdict("", "unattempted", "")
    exercises.check = exercises.hint = exercises.solution = lambda *_: unattempted
    shell: Any = InteractiveShell.instance(history_load_length=0)

    def answer() -> Any:
        return shell.user_ns.pop("answer", ...)

    Peer(handle, shell.run_cell, answer, keep=keep, make=make, around=around).serve()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
