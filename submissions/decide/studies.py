"""Numbers tuned by trials of Optuna."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from competition.common.files import digest_json
from competition.common.locks import locked
from competition.common.progress import reporter
from competition.common.text import counted, short
from competition.spec.metric import Metric
from competition.studies import QUIET, open_studies

if TYPE_CHECKING:
    import optuna

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
    one, as Optuna would, keeping them takes fifty times as long as making them. Each draws by its number and the
    trials before it alone, so that a study that was killed, or is topped up, has the same trials as any other. Of two
    processes at it, one waits for the other, and finds its trials.

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

    make_sampler = _samplers({name: optuna.distributions.FloatDistribution(low, high) for name in names}, tuning.seed)
    with QUIET, _kept(tuning.path, study_name) as (known, keep):
        study = optuna.create_study(direction="maximize")
        study.add_trials(known)
        reporter.detail(f"Optuna's study '{study_name}' has {len(known)} of {counted(tuning.trials, 'trial')}.")
        for start in starts:
            study.enqueue_trial(dict(zip(names, map(float, start), strict=True)), skip_if_exists=True)
        waiting = len(study.get_trials(deepcopy=False)) - len(known)
        for number in range(len(known), max(tuning.trials, len(known) + waiting)):
            study.sampler = make_sampler(number)
            study.optimize(run, n_trials=1, callbacks=[lambda _, trial: keep(trial)])
        best = study.best_trial.params
    return np.array([best[name] for name in names])


def _samplers(
    space: dict[str, optuna.distributions.BaseDistribution], seed: int
) -> Callable[[int], optuna.samplers.BaseSampler]:
    """Return what makes a sampler for the trial of a number: one that had drawn others would hold what is kept nowhere.

    Args:
        space: what each trial draws.
        seed: of all of them.
    """
    import optuna

    class Sampler(optuna.samplers.TPESampler):
        def infer_relative_search_space(self, *_: Any) -> dict[str, optuna.distributions.BaseDistribution]:
            return space  # which a new sampler would look for in all trials: a third of the time of 600

    def make(number: int) -> optuna.samplers.BaseSampler:
        (drawn,) = np.random.SeedSequence([seed, number]).generate_state(1)
        return Sampler(seed=int(drawn), multivariate=True)

    return make


@contextmanager
def _kept(path: Path | None, study_name: str) -> Iterator[tuple[list[Any], Callable[[Any], None]]]:
    """Yield the finished trials of a study on disk, and a function that keeps a further one."""
    import optuna

    if path is None:
        yield [], lambda trial: None
        return
    of_study = path.with_name(f".{path.name}.{short(digest_json(study_name))}.lock")
    with locked(of_study), open_studies(path) as storage:
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
