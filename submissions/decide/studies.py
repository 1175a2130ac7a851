"""Optuna studies: what is tuned by trials, kept in one SQLite file that optuna-dashboard opens."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import digest_json
from competition.spec import Metric

if TYPE_CHECKING:
    import optuna

BUSY_SECONDS = 60  # how long to wait for another process that writes to the file
KEPT_AT_ONCE = 25


def tune(
    objective: Callable[[NDArray[np.float64]], float],
    names: Sequence[str],
    starts: Sequence[NDArray[np.float64]],
    *,
    low: float,
    high: float,
    trials: int,
    seed: int,
    study_name: str,
    path: Path | None = None,
) -> NDArray[np.float64]:
    """Return the numbers with the highest `objective` that Optuna finds (tree-structured Parzen estimator).

    The trials run in memory and are copied to the file in blocks, also when the run is interrupted: written one by
    one, as Optuna would, keeping them takes fifty times as long as making them.

    Args:
        objective: takes a float array (len(names),).
        names: of the numbers.
        starts: arrays (len(names),) that are tried first, so that the result is never worse than they are; the
            earlier ones win ties.
        low: the least each number may be.
        high: the most each number may be.
        trials: size of the study; the trials of this name in the file count.
        seed: of the sampler.
        study_name: of the study.
        path: the SQLite file; None keeps nothing.

    Returns:
        Float array (len(names),).

    Raises:
        UserError: if the file cannot be used.
    """
    import optuna

    def run(trial: optuna.Trial) -> float:
        return objective(np.array([trial.suggest_float(name, low, high) for name in names]))

    with _quiet(), _kept(path, study_name) as (known, keep):
        # The seed moves on with the trials known, lest a study that is topped up draw the same numbers again.
        sampler = optuna.samplers.TPESampler(seed=seed + len(known), multivariate=True)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.add_trials(known)
        for start in starts:
            study.enqueue_trial(dict(zip(names, map(float, start), strict=True)), skip_if_exists=True)
        waiting = len(study.get_trials(deepcopy=False)) - len(known)
        study.optimize(run, n_trials=max(trials - len(known), waiting), callbacks=[lambda _, trial: keep(trial)])
        best = study.best_trial.params
    return np.array([best[name] for name in names])


def name_study(
    title: str, metric: Metric, names: Sequence[str], seed: int, scores: NDArray[Any], truth: NDArray[np.bool_]
) -> str:
    """Return a study's name, which ends in a digest: a study is never carried on with other scores or names."""
    content = hashlib.sha256(scores.astype(np.float32).tobytes())
    content.update(np.packbits(truth).tobytes())
    settings = [list(scores.shape), metric.name, list(names), seed]
    return f"{title} {metric.name} {digest_json([content.hexdigest(), settings])[:16]}"


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


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back Optuna's report of every trial and its notes about experimental arguments."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # a warning is how it tells of Ctrl-C
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
