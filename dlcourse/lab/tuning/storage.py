"""Trials in a database: each of N is claimed by one worker, and found again if the worker dies.

Workers look for a waiting trial and claim it under a lock, which the system or the database
releases when a worker dies. A claimed trial has a heartbeat; once it stops, the next worker that
looks records the trial as failed and queues a copy of it. So exactly N trials end.
"""

import contextlib
import os
import socket
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Event, Thread
from typing import Any

from dlcourse.errors import UserError, one_line
from dlcourse.files import make_folder
from dlcourse.lab.tuning.space import optuna

HEARTBEAT, GRACE = 2, 20  # seconds between heartbeats, and without one until a trial is given up
LOCK_KEY = 0x646C636F  # of PostgreSQL's advisory lock
CLAIM, COPY_OF = "claim", "failed_trial"  # the second is Optuna's own name


@dataclass(frozen=True)
class Storage:
    """A database of Optuna's.

    Attributes:
        url: URL of the database: `sqlite:///FILE`, or `postgresql+psycopg://USER@HOST/NAME`.
        heartbeat, grace: Seconds, see `HEARTBEAT` and `GRACE`.
    """

    url: str
    heartbeat: int = HEARTBEAT
    grace: int = GRACE

    def __post_init__(self) -> None:
        kind, _, place = self.url.partition("://")
        hidden = "in memory" if kind == "sqlite" and place in ("", "/", "/:memory:") else ""
        if not hidden and kind.partition("+")[0] in ("sqlite", "postgresql") and place:
            return
        why = "Optuna's journal has no heartbeat: the trial of a killed worker would be lost"
        if hidden:
            why = "a study in memory ends with its process, and no other worker finds it"
        raise UserError(
            f"storage: expected sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME, got "
            f"{hidden or self.shown} ({why})"
        )

    @property
    def shown(self) -> str:
        """The URL without its password."""
        start, at, host = self.url.rpartition("@")
        head, slashes, user = start.partition("://")
        return f"{head}{slashes}{user.partition(':')[0]}{at}{host}"

    @cached_property
    def file(self) -> Path | None:
        """The file of SQLite; None for PostgreSQL."""
        kind, _, place = self.url.partition(":///")
        return Path(place) if kind.startswith("sqlite") else None

    @cached_property
    def database(self) -> Any:
        """Optuna's storage; call it first under the lock, because it makes the tables."""
        waits = {"connect_args": {"timeout": 60}} if self.file else {"pool_pre_ping": True}
        with warnings.catch_warnings(), self.errors():
            warnings.simplefilter("ignore")  # heartbeats are marked as experimental
            how = {"heartbeat_interval": self.heartbeat, "grace_period": self.grace}
            return optuna().storages.RDBStorage(self.url, waits, **how)

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Report an error of the database in one line."""
        from sqlalchemy.exc import ArgumentError, SQLAlchemyError

        known = (SQLAlchemyError, ArgumentError, ImportError, optuna().exceptions.OptunaError)
        try:
            yield
        except known as error:
            cure = " (pip install 'psycopg[binary]')" * isinstance(error, ImportError)
            raise UserError(f"storage {self.shown}: {one_line(error)}{cure}") from None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Exclude all other workers until the block or the process ends."""
        if self.file:
            from filelock import FileLock

            make_folder(self.file.parent)
            with FileLock(f"{self.file}.lock"):
                yield
            return
        import sqlalchemy

        with self.errors():
            engine = sqlalchemy.create_engine(self.url, poolclass=sqlalchemy.NullPool)
            connection = engine.connect()
        with connection, connection.begin():
            lock = sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)")
            connection.execute(lock, {"key": LOCK_KEY})
            yield

    def open(self, name: str, **made: Any) -> Any:
        """Return Optuna's study of a name; it is created with `made` if it does not exist."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            how = {"study_name": name, "storage": self.database}
            if made:
                return optuna().create_study(**how, **made, load_if_exists=True)
            return optuna().load_study(**how)

    def claim(self, study: Any, sampler: Any, space: dict[str, Any]) -> Any:
        """Return a trial to run, with its settings; True while others run theirs, then False.

        Args:
            study: Optuna's study.
            sampler: Function that returns the sampler for the n-th claim.
            space: Distribution of each setting.
        """
        states = optuna().trial.TrialState
        with self.lock(), self.errors():
            self._queue_lost(study)
            trials = study.get_trials(deepcopy=False)
            waiting = sum(trial.state == states.WAITING for trial in trials)
            if not waiting:
                return any(trial.state == states.RUNNING for trial in trials)
            study.sampler = sampler(len(trials) - waiting)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a heartbeat is usual with optimize alone
                trial = study.ask(space)
            self.database.record_heartbeat(trial._trial_id)
            first = trials[trial.number].system_attrs.get(COPY_OF, trial.number)
            worker = f"{socket.gethostname()}:{os.getpid()}"
            trial.set_user_attr(CLAIM, {"worker": worker, "number": first})
            return trial

    def _queue_lost(self, study: Any) -> None:
        """Queue a copy of each trial that failed, whose heartbeat stopped, or never began."""
        states, copies = optuna().trial.TrialState, optuna().storages
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            copies.fail_stale_trials(study)
            queue = copies.RetryHeartbeatStaleTrialCallback()
            for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
                if CLAIM not in trial.user_attrs:  # killed while it claimed: we hold the lock
                    study.tell(trial.number, state=states.FAIL)
            trials = study.get_trials()
            queued = {n for trial in trials for n in trial.system_attrs.get("retry_history", ())}
            for trial in trials:
                if trial.state == states.FAIL and trial.number not in queued:
                    trial.user_attrs.pop(CLAIM, None)
                    queue(study, trial)

    @contextlib.contextmanager
    def beating(self, trial: Any) -> Iterator[None]:
        """Record a trial's heartbeat until the block ends."""
        done = Event()

        def beat() -> None:
            while not done.wait(self.heartbeat):
                with contextlib.suppress(Exception):  # a database may be away for a moment
                    self.database.record_heartbeat(trial._trial_id)

        thread = Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
