"""Optuna studies: what is tuned by trials, kept in one SQLite file that optuna-dashboard opens."""

from __future__ import annotations

import hashlib
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import digest_json
from competition.spec.metric import Metric

if TYPE_CHECKING:
    import optuna

BUSY_SECONDS = 60  # how long to wait for another process that writes to the file
KEPT_AT_ONCE = 25


@dataclass(frozen=True)
class Tuning:
    """How Optuna tunes.

    Attributes:
        trials: size of every study; a study on disk is topped up to it.
        path: the SQLite file that keeps the studies; None keeps them in memory.
        title: how a study's name begins.
        seed: of the sampler.
    """

    trials: int = 200
    path: Path | None = None
    title: str = "study"
    seed: int = 0

    @property
    def in_memory(self) -> Tuning:
        """The same, keeping nothing."""
        return replace(self, path=None)

    def name_study(self, metric: Metric, names: Sequence[str], scores: NDArray[Any], truth: NDArray[np.bool_]) -> str:
        """Return a study's name, which ends in a digest: a study is never carried on with other scores or names.

        Args:
            metric: what is raised.
            names: of the numbers tuned.
            scores: float array (..., num_chips, num_labels).
            truth: bool array (num_chips, num_labels).
        """
        content = hashlib.sha256(np.ascontiguousarray(scores, dtype=np.float32).data)
        content.update(np.packbits(truth).tobytes())
        settings = [list(scores.shape), metric.title, list(names), self.seed]
        return f"{self.title} {metric.title} {digest_json([content.hexdigest(), settings])[:16]}"


IN_MEMORY = Tuning()


def tune(
    objective: Callable[[NDArray[np.float64]], float],
    names: Sequence[str],
    starts: Sequence[NDArray[np.float64]],
    tuning: Tuning,
    *,
    low: float,
    high: float,
    study_name: str,
) -> NDArray[np.float64]:
    """Return the numbers with the highest `objective` that Optuna finds (tree-structured Parzen estimator).

    The trials run in memory and are copied to the file in blocks, also when the run is interrupted: written one by
    one, as Optuna would, keeping them takes fifty times as long as making them.

    Args:
        objective: takes a float array (len(names),).
        names: of the numbers.
        starts: arrays (len(names),) that are tried first, so that the result is never worse than they are; the
            earlier ones win ties.
        tuning: how many trials, and where they are kept; the trials of this study in the file count.
        low: the least each number may be.
        high: the most each number may be.
        study_name: of the study, see `Tuning.name_study`.

    Returns:
        Float array (len(names),).

    Raises:
        UserError: if the file cannot be used.

    Example:
        >>> far = np.array([0.9])
        >>> nearest = tune(lambda x: -abs(x[0] - 0.3), ["x"], [far], Tuning(trials=9), low=0, high=1, study_name="s")
        >>> abs(nearest - 0.3) < abs(far - 0.3)
        array([ True])
    """
    import optuna

    def run(trial: optuna.Trial) -> float:
        return objective(np.array([trial.suggest_float(name, low, high) for name in names]))

    with _QUIET, _kept(tuning.path, study_name) as (known, keep):
        # The seed moves on with the trials known, lest a study that is topped up draw the same numbers again.
        sampler = optuna.samplers.TPESampler(seed=tuning.seed + len(known), multivariate=True)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.add_trials(known)
        for start in starts:
            study.enqueue_trial(dict(zip(names, map(float, start), strict=True)), skip_if_exists=True)
        waiting = len(study.get_trials(deepcopy=False)) - len(known)
        num_trials = max(tuning.trials - len(known), waiting)
        study.optimize(run, n_trials=num_trials, callbacks=[lambda _, trial: keep(trial)])
        best = study.best_trial.params
    return np.array([best[name] for name in names])


@contextmanager
def open_studies(path: Path) -> Iterator[optuna.storages.RDBStorage]:
    """Open the SQLite file at `path`, making it if need be; several processes may have it open.

    Raises:
        UserError: if it is not a file of Optuna studies, or is locked for too long.
    """
    import optuna
    from sqlalchemy.engine import URL
    from sqlalchemy.exc import DatabaseError

    def refusal(error: Exception) -> UserError:
        cause = str(error.__cause__ or error).splitlines()[0]
        return UserError(f"Cannot use the studies in {path}: {cause}. Move the file away and run this again.")

    path.parent.mkdir(parents=True, exist_ok=True)
    url = URL.create("sqlite", database=str(path)).render_as_string()
    try:
        with FileLock(path.with_name(f".{path.name}.lock")):  # two processes must not both make the tables
            storage = optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": {"timeout": BUSY_SECONDS}})
    except (DatabaseError, RuntimeError) as error:  # the latter if another version of Optuna made the file
        raise refusal(error) from error
    try:
        yield storage
    except (DatabaseError, optuna.exceptions.StorageInternalError) as error:
        raise refusal(error) from error
    finally:
        storage.remove_session()
        storage.engine.dispose()


@contextmanager
def _kept(path: Path | None, study_name: str) -> Iterator[tuple[list[Any], Callable[[Any], None]]]:
    """Yield the finished trials of a study on disk, and a function that keeps a further one."""
    import optuna

    if path is None:
        yield [], lambda trial: None
        return
    with open_studies(path) as storage:
        study = optuna.create_study(study_name=study_name, storage=storage, direction="maximize", load_if_exists=True)
        fresh: list[Any] = []

        def flush() -> None:
            block, fresh[:] = list(fresh), []
            study.add_trials(block)

        def keep(trial: Any) -> None:
            fresh.append(trial)
            if len(fresh) >= KEPT_AT_ONCE:
                flush()

        try:
            yield study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,)), keep
        finally:
            flush()


class _Quiet:
    """Keeps back Optuna's report of every trial and its notes about experimental arguments, in whichever threads.

    Both settings are of the whole process: the first study to begin makes them, and the last to end takes them back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._studies = 0
        self._warnings = warnings.catch_warnings()

    def __enter__(self) -> None:
        import optuna

        with self._lock:
            self._studies += 1
            if self._studies > 1:
                return
            self._verbosity = optuna.logging.get_verbosity()
            optuna.logging.set_verbosity(optuna.logging.ERROR)  # a warning is how it tells of Ctrl-C
            self._warnings = warnings.catch_warnings()
            self._warnings.__enter__()
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.simplefilter("ignore", FutureWarning)

    def __exit__(self, *_: object) -> None:
        import optuna

        with self._lock:
            self._studies -= 1
            if not self._studies:
                self._warnings.__exit__(None, None, None)
                optuna.logging.set_verbosity(self._verbosity)


_QUIET = _Quiet()
