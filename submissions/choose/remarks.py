"""What is worth saying about a blend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from competition.metrics import f_beta
from competition.task import Task
from submissions.choose.candidates import Bench, Candidate
from submissions.combine.means import Mean
from submissions.decide.decisions import decide
from submissions.measure.bootstrap import bootstrap


def remarks_on(candidate: Candidate, bench: Bench, singles: Sequence[Candidate]) -> list[str]:
    """Return what the user must know: unions, whether the blend helps, and what the exclusive groups cost."""
    remarks, setting, competition = [], bench.setting, bench.setting.competition
    scorers = (~np.isnan(bench.chips.scores).any(axis=1)).sum(axis=0)
    if joined := Task.of(competition, setting.union & (scorers > 1)).labels:
        remarks.append(f"Decided where any member that scores it would: {', '.join(joined)}.")
    if single := Task.of(competition, setting.union & (scorers == 1)).labels:
        remarks.append(f"--union has no effect on {', '.join(single)}, which one member alone scores.")
    if singles and len(candidate.members) > 1:
        best = max(singles, key=lambda each: each.evaluation.cross_fitted)
        gain, error = candidate.evaluation.over(best.evaluation)
        verb = "gains" if gain >= 0 else "LOSES"
        whole = len(bench.whole) == len(bench.members)
        member = "its best member" if whole else "the best that scores all labels"
        remarks.append(f"The blend {verb} {abs(gain):.4f} ± {error:.4f} over {member}, {best.evaluation.name}.")
    if competition.exclusive:
        remarks.append(_cost_of_exclusive(bench))
    return remarks


def _cost_of_exclusive(bench: Bench) -> str:
    competition, chips = bench.setting.competition, bench.chips
    metric, mean = competition.metric, Mean().predict(chips.scores)
    free, bound = (decide(mean, metric.prior_cut, competition, exclusive=exclusive) for exclusive in (False, True))
    cost = f_beta(chips.truth, free, metric) - f_beta(chips.truth, bound, metric)
    error = float(np.std(np.diff(bootstrap(chips.truth, [free, bound], metric)), ddof=1))
    groups = " and one of ".join(", ".join(group) for group in competition.exclusive)
    hint = "--any-weather allows several" if bench.exclusive else "--one-weather asks for it"
    return (
        f"Deciding exactly one of {groups} for every chip {'costs' if cost >= 0 else 'gains'} {abs(cost):.4f} ± "
        f"{error:.4f} {metric.name} here (mean of the members, cut {metric.prior_cut:.3g}); {hint}."
    )
