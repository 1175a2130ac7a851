"""Tuning the head of a model: its bank is filled, settings are searched, and the winner becomes a model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from competition.common.errors import UserError
from competition.common.interrupts import heeded
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from models.backend.load import load_backend
from models.tune.request import TuneRequest, start_of

if TYPE_CHECKING:
    from models.tune.report import Tuned


def tune(workspace: Workspace, request: TuneRequest, *, trials: int, minutes: float | None = None) -> Tuned:
    """Search settings of a model's head, train a model with the best ones, and say what that is worth.

    Args:
        workspace: chips, labels and runs.
        request: what is tuned.
        trials: size of the study, with those that it has.
        minutes: that trials may take.

    Raises:
        UserError: if there is no time or no fold table, as `start_of`, or the name is that of another model.
    """
    if minutes is not None and not 0 < minutes < math.inf:
        raise UserError(f"--minutes must be above 0, received {minutes:g}.")
    store, start = ScoreStore.of(workspace), start_of(workspace, request)
    load_backend()
    from models.tune.search import Budget
    from models.tune.work import Tuning

    with heeded():
        return Tuning(workspace, request, store, start).run(Budget(trials, 60 * minutes if minutes else math.inf))
