"""Damage the files of a run at random: a command reports it in one line, or its result is right.

    python -m tests.faults.corrupt --corruptions 300 --seed 0

A file of a finished run (or of an interrupted one) has a bit flipped, its end cut, a part zeroed,
something appended, or another file, an empty one or a folder in its place. Then `evaluate`,
`predict`, `runs` and `train --resume` run in this process. Allowed: the result of the whole run, or
exit 1 or 2 and lines that name the run. A traceback or another number is a fault.
"""

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcourse.quiet import import_keras
from tests.faults.kinds import recipe_of
from tests.faults.whole import outcome

FILES = {
    "recipe.yaml": 3,
    "environment.json": 1,
    "dataset.json": 3,
    "state.npz": 2,
    "history.csv": 1,
    "model.keras": 3,
    "metrics.json": 3,
    "figures/learning_curves.png": 1,
}


@dataclass
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str


def call(module: str, *arguments: str) -> Answer:
    """Run a command in this process; an exception that it lets through is exit 99."""
    from importlib import import_module

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = import_module(module).main(list(arguments))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            traceback.print_exc()
            code = 99
    return Answer(code, out.getvalue(), err.getvalue())


def damage(path: Path, chance: random.Random) -> str:
    """Damage a file; return in which way."""
    content = bytearray(path.read_bytes())
    kind = chance.choice(["flip", "flip", "digit", "cut", "zero", "append", "replace"])
    at = chance.randrange(len(content))
    if kind == "flip":
        content[at] ^= 1 << chance.randrange(8)
    elif kind == "digit":
        digits = [i for i, byte in enumerate(content) if chr(byte).isdigit()]
        content[chance.choice(digits)] = ord(chance.choice("0123456789"))
    elif kind == "cut":
        del content[at:]
    elif kind == "zero":
        content[at : at + 64] = bytes(len(content[at : at + 64]))
    elif kind == "append":
        content += chance.randbytes(chance.randint(1, 40))
    else:
        return _replace(path, chance)
    path.write_bytes(content)
    return kind


def _replace(path: Path, chance: random.Random) -> str:
    kind = chance.choice(["empty", "folder", "absent", "noise", "a list", "another file"])
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "a list":
        path.write_text("[1, 2]")
    elif kind == "noise":
        path.write_bytes(chance.randbytes(300))
    elif kind == "another file":
        others = [other for other in path.parent.iterdir() if other.is_file()]
        shutil.copy(chance.choice(others), path)
    elif kind == "empty":
        path.write_bytes(b"")
    return kind


class Bench:
    """A finished run, an interrupted one, and what the commands say of the whole."""

    def __init__(self, folder: Path):
        from dlcourse.errors import InterruptedTraining
        from dlcourse.training import train

        self.folder, self.recipe = folder, recipe_of("points", folder)
        self.whole = train(self.recipe, folder / "whole", name="run", bar=False)
        with contextlib.suppress(InterruptedTraining):
            train(self.recipe, folder / "part", name="run", bar=False, stop=_After(6))
        self.learned = outcome(self.whole.path)
        self.rows = folder / "rows.csv"
        self.rows.write_text("x1,x2\n0.5,-0.25\n1,2\n")
        self.said = {name: self._copy_and(name, None)[0] for name in self.commands}

    @property
    def commands(self) -> dict[str, Callable[[Path], Answer]]:
        """The commands that look at a finished run."""
        return {
            "evaluate": lambda run: call("dlcourse.commands.evaluate", "--run", str(run), "--json"),
            "predict": lambda run: call(
                "dlcourse.commands.predict", "--run", str(run), str(self.rows), "--json"
            ),
            "runs": lambda run: call("dlcourse.commands.runs", "--runs", str(run.parent), "--json"),
            "resume": lambda run: call("dlcourse.commands.train", "--resume", str(run)),
        }

    def _copy_and(
        self, command: str, harm: Callable[[Path], str] | None, begin: str = "whole"
    ) -> tuple[Answer, str]:
        place = self.folder / "damaged"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.folder / begin, place)
        how = harm(place / "run") if harm else ""
        return self.commands[command](place / "run"), how

    def fault(self, name: str, number: int, command: str) -> tuple[str, str]:
        """Damage a file, run a command; return (what came: told, right, or the fault; how)."""
        answer, how = self._copy_and(command, lambda run: damage(run / name, random.Random(number)))
        if command == "runs":
            return self._judge_row(answer), how
        if told := self._told(answer):
            return told, how
        if command != "resume":
            same = json.loads(answer.out) == json.loads(self.said[command].out)
            return ("right" if same else f"SILENT: {answer.out[:300]}"), how
        if "is finished" in answer.out:
            return "right", how
        return self._judge_end(self.folder / "damaged" / "run"), how

    def fault_of_resume(self, name: str, number: int) -> tuple[str, str]:
        """Damage a file of the interrupted run and go on with it."""
        answer, how = self._copy_and(
            "resume", lambda run: damage(run / name, random.Random(number)), "part"
        )
        told = self._told(answer)
        return told or self._judge_end(self.folder / "damaged" / "run"), how

    def _told(self, answer: Answer) -> str:
        """Return `told`, or the fault of a refusal; nothing if the command went well."""
        if answer.code == 0:
            return "" if not answer.err else f"NOISE: {answer.err[-500:]}"
        lines = answer.err.splitlines()
        good = answer.code in (1, 2) and lines and "Traceback" not in answer.err
        if good and all(str(self.folder) in line for line in lines):
            return "told"
        return f"TRACEBACK or unnamed, exit {answer.code}: {answer.err[-700:]}"

    def _judge_row(self, answer: Answer) -> str:
        if told := self._told(answer):
            return told
        found, said = json.loads(answer.out), json.loads(self.said["runs"].out)
        if found == said:
            return "right"
        if not found or found[0]["state"] in ("broken", "unfinished"):
            return "told"
        return f"SILENT: {answer.out[:300]}"

    def _judge_end(self, run: Path) -> str:
        found = outcome(run)
        wrong = [name for name, value in found.items() if value != self.learned[name]]
        return f"SILENT: {', '.join(wrong)} differ" if wrong else "right"


class _After:
    """Asks a training to stop when it has been looked at some times."""

    def __init__(self, times: int):
        self.times = times

    @property
    def signal(self) -> int | None:
        self.times -= 1
        return signal.SIGTERM if self.times < 0 else None


def corrupt_many(corruptions: int, number: int, folder: Path, report: Any = print) -> Counter[str]:
    """Return how often which verdict came; faults are reported with their reproduction."""
    chance, bench, seen = random.Random(number), Bench(folder), Counter[str]()
    names, weights = list(FILES), list(FILES.values())
    for _ in range(corruptions):
        name, case = chance.choices(names, weights)[0], chance.randrange(2**32)
        part = chance.random() < 0.15 and (bench.folder / "part" / "run" / name).exists()
        verdicts = {}
        if part:
            verdicts["resume of an interrupted run"] = bench.fault_of_resume(name, case)
        else:
            verdicts = {command: bench.fault(name, case, command) for command in bench.commands}
        for command, (verdict, how) in verdicts.items():
            key = verdict.partition(":")[0]
            seen[key] += 1
            if key not in ("told", "right"):
                report(f"{command}, {name}, {how}, case {case}: {verdict}")
    return seen


def main(argv: list[str] | None = None) -> int:
    """Run the driver; return 1 if a command crashed or gave a wrong result."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.corrupt", description=__doc__)
    parser.add_argument("--corruptions", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import_keras()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        seen = corrupt_many(arguments.corruptions, arguments.seed, Path(folder))
    told = ", ".join(f"{number} {key}" for key, number in sorted(seen.items()))
    seconds = time.monotonic() - begin
    print(f"{arguments.corruptions} corruptions, {seen.total()} commands: {told}; {seconds:.0f} s")
    return 0 if set(seen) <= {"told", "right"} else 1


if __name__ == "__main__":
    raise SystemExit(main())
