"""Trials in a database: each of N is claimed by one worker, and found again if the worker dies.

Workers look for a waiting trial and claim it under a lock, which the system or the database
releases when a worker dies. A claimed trial has a heartbeat; once it stops, the next worker that
looks records the trial as failed and queues a copy of it. So exactly N trials end.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dlcourse.errors import UserError, one_line
from dlcourse.files import make_folder
from dlcourse.lab.tuning.space import optuna

CLAIM, COPY_OF = "claim", "failed_trial"  # the second is Optuna's own name
LOCK = "SELECT pg_advisory_xact_lock(1684827247)"  # released at the end of the transaction
WHY = (
    "a study in memory ends with its process, other storages have no heartbeat or no worker's lock"
)
FORM = "storage: expected sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"


@dataclass(frozen=True)
class Storage:
    """A database of Optuna's.

    Attributes:
        url: URL of the database: `sqlite:///FILE`, or `postgresql+psycopg://USER@HOST/NAME`.
        heartbeat, grace: Seconds between heartbeats, and without one until a trial is given up.
    """

    url: str
    heartbeat: int = 2
    grace: int = 20

    def __post_init__(self) -> None:
        kind, _, place = self.url.partition("://")
        memory = kind == "sqlite" and (place == "/" or ":memory:" in place)
        if memory or not place or kind.partition("+")[0] not in ("sqlite", "postgresql"):
            raise UserError(f"{FORM}: {WHY}: trials would be lost or run twice")

    @property
    def file(self) -> Path | None:
        """The file of SQLite; None for PostgreSQL."""
        return Path(self.url.partition(":///")[2]) if self.url.startswith("sqlite") else None

    @cached_property
    def database(self) -> Any:
        """Optuna's storage; call it first under the lock, because it makes the tables."""
        waits = {"connect_args": {"timeout": 60}} if self.file else {"pool_pre_ping": True}
        beat = {"heartbeat_interval": self.heartbeat, "grace_period": self.grace}
        return optuna().storages.RDBStorage(self.url, waits, **beat)

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Report an error of the database in one line, without its password, and close it."""
        module = optuna()  # first, for the cure if it is missing
        from sqlalchemy import exc, make_url

        try:
            shown = make_url(self.url)
        except (ValueError, exc.ArgumentError):  # such as a port that is not a number
            raise UserError(FORM) from None
        try:
            yield
        except (exc.SQLAlchemyError, module.exceptions.OptunaError, ImportError) as error:
            hint = " (pip install 'psycopg[binary]')" * isinstance(error, ImportError)
            reason = f"storage {shown!r}: {one_line(error)}{hint}"
            raise UserError(reason) from None
        finally:
            if "database" in vars(self):
                self.database.remove_session()
                self.database.engine.dispose()

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Exclude all other workers until the block or the process ends."""
        if self.file:
            from filelock import FileLock

            make_folder(self.file.parent)
            with FileLock(f"{self.file}.lock"):
                yield
            return
        from sqlalchemy import NullPool, create_engine, text

        with create_engine(self.url, poolclass=NullPool).begin() as connection:
            connection.execute(text(LOCK))
            yield

    def claim(self, study: Any, sampler: Callable[[int], Any], space: dict[str, Any]) -> Any:
        """Return a trial to run, with its parameters; True while others run theirs, then False.

        Args:
            study: Optuna's study.
            sampler: Function that returns the sampler for the n-th claim.
            space: Distribution of each setting.
        """
        states = optuna().trial.TrialState
        with self.lock():
            self._queue_lost(study)
            trials = study.get_trials(deepcopy=False)
            waiting = sum(trial.state == states.WAITING for trial in trials)
            if not waiting:
                return any(trial.state == states.RUNNING for trial in trials)
            study.sampler = sampler(len(trials) - waiting)
            trial = study.ask(space)
            self.database.record_heartbeat(trial._trial_id)
            first = trials[trial.number].system_attrs.get(COPY_OF, trial.number)
            trial.set_user_attr(CLAIM, first)
            return trial

    def _queue_lost(self, study: Any) -> None:
        """Queue a copy of each trial that failed, whose heartbeat stopped, or never began."""
        states, storages = optuna().trial.TrialState, optuna().storages
        storages.fail_stale_trials(study)
        for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            if CLAIM not in trial.user_attrs:  # killed while it claimed: the lock is ours now
                study.tell(trial.number, state=states.FAIL)
        trials = study.get_trials()
        queued = {n for trial in trials for n in trial.system_attrs.get("retry_history", ())}
        for trial in trials:
            if trial.state == states.FAIL and trial.number not in queued:
                trial.user_attrs.clear()
                storages.RetryHeartbeatStaleTrialCallback()(study, trial)
