"""A worker process of a search: the study comes on its input, whose end asks it to stop."""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from threading import Thread

from dlcourse.errors import InterruptedTraining, UserError
from dlcourse.lab.tuning.search import stored
from dlcourse.lab.tuning.storage import Storage
from dlcourse.training import StopRequest


def main() -> int:
    """Run trials until none is left; return the exit code."""
    given = json.loads(sys.stdin.readline())

    def stop_with_parent() -> None:
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGINT)

    with StopRequest() as stop:
        Thread(target=stop_with_parent, daemon=True).start()
        try:
            storage = Storage(given["url"], given["heartbeat"], given["grace"])
            search = stored(storage, given["name"], Path(given["folder"]))
            replace(search, dataset=search.recipe.load_dataset()).work(stop)
        except InterruptedTraining as error:
            return error.exit_code
        except UserError as error:
            sys.stderr.write(f"{error}\n")
            return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
