"""The search: trial after trial, drawn by Optuna or from a grid, and kept in a study that goes on where it stopped."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from competition.common.files import digest_json
from competition.common.progress import reporter
from competition.common.text import short
from competition.studies import QUIET, open_studies
from models.inputs.examples import Examples
from models.runs.training_state import DivergedError
from models.tune.inner import SHARES, Compare, Trial, run_trial
from models.tune.space import Settings, Space, plain_settings

if TYPE_CHECKING:
    import optuna

# Of forty drawn trials in forty orders, all trained to their ends, pruning by the median would have saved half of the
# time and never lost the best one; successive halving by four three quarters, and lost it now and then.
COMPARED = 5  # complete trials before any is pruned
SPARED = SHARES // 5  # first shares of a trial's epochs in which it is not pruned
TRIES = 100  # to draw settings that are valid and new
APART = 10**6  # between the seeds of processes that share a study


@dataclass(frozen=True)
class Budget:
    """How long a search goes on.

    Attributes:
        trials: size of the study, with those that are in it.
        seconds: for trials, from now on.
        seed: of what is drawn.
    """

    trials: int
    seconds: float = math.inf
    seed: int = 0


class Study:
    """The finished trials of one search, in the file of studies. What a process is at is not in it.

    Args:
        kept: the study on disk.
        space: the settings.
        seat: number of this process among those that are at the study.
    """

    def __init__(self, kept: optuna.Study, space: Space, seat: int) -> None:
        self._kept, self._space, self.seat = kept, space, seat

    def trials(self) -> list[Trial]:
        """Return the finished trials, also those of other processes, each setting once."""
        found = dict[str, Trial]()
        for frozen in self._kept.get_trials(deepcopy=False):
            if (content := frozen.user_attrs.get("trial")) is not None:
                found.setdefault(json.dumps(content["settings"]), self._trial(content))
        return list(found.values())

    def add(self, trial: Trial) -> None:
        """Keep a finished trial."""
        self._kept.add_trial(frozen_trial(trial, self._space))

    def _trial(self, content: dict[str, Any]) -> Trial:
        settings = {name: self._space.value(name, plain) for name, plain in content["settings"].items()}
        shares = {int(share): loss for share, loss in content["shares"].items()}
        return Trial(**{**content, "settings": settings, "shares": shares, "losses": tuple(content["losses"])})


@contextmanager
def open_study(path: Path, name: str, space: Space) -> Iterator[Study]:
    """Open the study of a search, making it if need be.

    Args:
        path: of the file of studies.
        name: of the study.
        space: the settings.

    Raises:
        UserError: if the file cannot be used.
    """
    import optuna

    with QUIET, open_studies(path) as storage, _seat(path, name) as seat:
        kept = optuna.create_study(study_name=name, storage=storage, direction="minimize", load_if_exists=True)
        yield Study(kept, space, seat)


@contextmanager
def _seat(path: Path, name: str) -> Iterator[int]:
    """Yield the lowest number that no other process at the study has."""
    for seat in itertools.count():
        lock = FileLock(path.with_name(f".{path.name}.{short(digest_json(name))}.{seat}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        try:
            yield seat
        finally:
            lock.release()
        return


def frozen_trial(trial: Trial, space: Space) -> optuna.trial.FrozenTrial:
    """Return a trial as Optuna keeps it. One whose settings cannot be drawn has no parameters, only a value."""
    import optuna

    states = optuna.trial.TrialState
    state = {"complete": states.COMPLETE, "pruned": states.PRUNED, "diverged": states.FAIL}[trial.state]
    params = space.params(trial.settings)
    content = {**vars(trial), "settings": plain_settings(trial.settings)}
    return optuna.trial.create_trial(
        state=state,
        value=None if trial.state == "diverged" else trial.loss,
        params=params or {},
        distributions=space.distributions if params else {},
        intermediate_values=trial.shares,
        user_attrs={"trial": content},
    )


def search(study: Study, space: Space, inner: Sequence[Examples], budget: Budget) -> list[Trial]:
    """Try settings until the budget is used up, those of the recipe first; return all trials of the study.

    Settings are drawn by the tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011); a trial that after a
    share of its epochs is worse than half of those before it ends there. Of a grid every combination is tried to its
    end. Each trial is drawn from what is in the study by then: a process may be killed, and others may share it.

    Args:
        study: receives the trials.
        space: the settings.
        inner: an inner split for each fold.
        budget: how long it goes on.

    Raises:
        UserError: if the loss of the recipe that it begins with is no longer a number.
    """
    ends = time.monotonic() + budget.seconds
    known, grid = study.trials(), space.grid() if space.is_grid else []
    if lost := space.num_combinations - len(grid) if space.is_grid else 0:
        reporter.say(f"{lost} of {space.num_combinations} combinations are left out: their values do not go together.")
    total = len(grid) + (space.start_settings not in grid) if grid else budget.trials
    with reporter.bar(total, "trials", "trial") as bar:
        bar.update(min(len(known), total))
        while (drawn := _next(study, space, grid, known, budget)) is not None:
            is_start = drawn.settings == space.start_settings
            if time.monotonic() >= ends and not is_start:
                reporter.say("The time for trials is over; more --minutes go on.")
                break
            late = _Late(math.inf if is_start else ends, drawn)
            trial = run_trial(space.recipe(drawn.settings), drawn.settings, inner, late)
            if late.is_over and not trial.is_complete:
                continue  # it was stopped by the clock, and says nothing
            if is_start and trial.state == "diverged":
                raise DivergedError("The loss became no number", space.start.learning_rate)
            study.add(trial)
            known = study.trials()
            reporter.say(f"Trial {len(known)} of {total}: {_said(trial)}; {_best(known)}.")
            bar.update()
    return known


def _said(trial: Trial) -> str:
    ended = "" if trial.is_complete else f" {trial.state} after epoch {trial.epochs}"
    return f"loss {trial.loss:.4f}{ended}, {trial.seconds:.0f} s"


def _best(known: Sequence[Trial]) -> str:
    return f"best {min(trial.loss for trial in known if trial.is_complete):.4f}"


@dataclass(frozen=True)
class _Drawn:
    """Settings to try, and what says whether a trial of them is to end early."""

    settings: Settings
    compare: Compare = lambda share, loss: False


class _Late:
    """Ends a trial also when the time is over."""

    def __init__(self, ends: float, drawn: _Drawn) -> None:
        self.ends, self.drawn, self.is_over = ends, drawn, False

    def __call__(self, share: int, loss: float) -> bool:
        self.is_over = time.monotonic() >= self.ends
        return self.is_over or self.drawn.compare(share, loss)


def _next(
    study: Study, space: Space, grid: Sequence[Settings], known: Sequence[Trial], budget: Budget
) -> _Drawn | None:
    """Return what is to be tried next; None if nothing is left."""
    tried = [trial.settings for trial in known]
    if space.start_settings not in tried:
        return _Drawn(space.start_settings)
    if space.is_grid:
        left = [settings for settings in grid if settings not in tried]
        # Processes that share a grid begin at different places of it.
        return _Drawn(left[study.seat * len(left) // (study.seat + 1)]) if left else None
    return _draw(study, space, known, budget) if len(known) < budget.trials else None


def _draw(study: Study, space: Space, known: Sequence[Trial], budget: Budget) -> _Drawn | None:
    """Draw settings that are valid and new; None if there seem to be none left."""
    import optuna

    # The seed moves on with the trials known, lest a study that is gone on with draw the same numbers again.
    seed = budget.seed + len(known) + APART * study.seat
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=COMPARED, n_warmup_steps=SPARED)
    drawing = optuna.create_study(direction="minimize", sampler=sampler, pruner=pruner)
    # One without parameters would leave the sampler none that all trials have.
    drawing.add_trials([frozen_trial(trial, space) for trial in known if space.params(trial.settings)])
    tried = [trial.settings for trial in known]
    for _ in range(TRIES):
        asked = drawing.ask(space.distributions)
        settings = space.settings(asked.params)
        if space.is_valid(settings) and settings not in tried:

            def compare(share: int, loss: float, asked: optuna.Trial = asked) -> bool:
                asked.report(loss, share)
                return asked.should_prune()

            return _Drawn(settings, compare)
        drawing.tell(asked, state=optuna.trial.TrialState.FAIL)
    return None


def study_name(model: str, space: Space, *made_with: str) -> str:
    """Return a study's name, which ends in a digest: a search never goes on with other chips, folds or settings.

    Args:
        model: that the search begins from.
        space: the settings.
        made_with: digests of what else the trials depend on.
    """
    recipe = replace(space.start, seeds=1).digest()  # trials have one seed
    return f"tune {model} {digest_json([recipe, space.as_dict(), *made_with])[:16]}"


def importances(trials: Sequence[Trial], space: Space) -> dict[str, float]:
    """Return the share of each setting in how much the losses differ (PED-ANOVA, Watanabe et al., IJCAI 2023).

    Nothing where too few trials came to their end.
    """
    import optuna

    complete = [trial for trial in trials if trial.is_complete and space.params(trial.settings)]
    if len(complete) < 2 * COMPARED or np.ptp([trial.loss for trial in complete]) == 0:
        return {}
    with QUIET:
        study = optuna.create_study(direction="minimize")
        study.add_trials([frozen_trial(trial, space) for trial in complete])
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
