"""What is worth saying about a blend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from competition.common.errors import UserError
from competition.common.records import read_record
from competition.common.text import first
from competition.metrics.bootstrap import bootstrap
from competition.metrics.judge import measure
from competition.spec.metric import DECISIONS
from competition.task import Task
from competition.workspace import Workspace
from folds.store.pseudo_labels import every_pseudo
from submissions.choose.candidates import Candidate, Candidates
from submissions.combine.means import Mean
from submissions.decide.decisions import decide
from submissions.members.blend_files import FORMAT, MARKER


def remarks_on(candidate: Candidate, candidates: Candidates, singles: Sequence[Candidate]) -> list[str]:
    """Return what the user must know: unions, whether the blend helps, and what the exclusive groups cost.

    Args:
        candidate: the blend.
        candidates: made it.
        singles: members by themselves, by the same rule.
    """
    remarks, setting, competition = [], candidates.setting, candidates.setting.competition
    scorers = (~np.isnan(candidates.chips.scores).any(axis=1)).sum(axis=0)
    if joined := Task.of(competition, setting.union & (scorers > 1)).labels:
        remarks.append(f"Decided where any member that scores it would: {', '.join(joined)}.")
    if single := Task.of(competition, setting.union & (scorers == 1)).labels:
        remarks.append(f"--union has no effect on {', '.join(single)}, which one member alone scores.")
    if singles and len(candidate.members) > 1:
        best = max(singles, key=lambda single: single.evaluation.gain)
        difference, error = candidate.evaluation.over(best.evaluation)
        gain = difference * candidate.evaluation.metric.sign
        verb = "gains" if gain >= 0 else "LOSES"
        is_whole = len(candidates.whole) == len(candidates.members)
        member = "its best member" if is_whole else "the best that scores all labels"
        remarks.append(f"The blend {verb} {abs(gain):.4f} ± {error:.4f} over {member}, {best.evaluation.name}.")
    if competition.exclusive and not competition.is_multi_class and competition.metric.judges == DECISIONS:
        remarks.append(_cost_of_exclusive(candidates))
    return remarks


def _cost_of_exclusive(candidates: Candidates) -> str:
    competition, chips = candidates.setting.competition, candidates.chips
    metric, mean = competition.metric, Mean().predict(chips.scores)
    free, bound = (decide(mean, metric.prior_cut, competition, exclusive=exclusive) for exclusive in (False, True))
    cost = measure(chips.truth, free, metric) - measure(chips.truth, bound, metric)
    error = float(np.std(np.diff(bootstrap(chips.truth, [free, bound], metric)), ddof=1))
    groups = " and one of ".join(", ".join(group) for group in competition.exclusive)
    hint = "--any-of-group allows several" if candidates.exclusive else "--exclusive asks for it"
    return (
        f"Deciding exactly one of {groups} for every chip {'costs' if cost >= 0 else 'gains'} {abs(cost):.4f} ± "
        f"{error:.4f} {metric.title} here (mean of the members, cut {metric.prior_cut:.3g}); {hint}."
    )


def blend_before(name: str, workspace: Workspace) -> dict[str, Any]:
    """Return what the record of a blend says; nothing where there is none, or none that can be read."""
    with suppress(UserError):
        return read_record(workspace.blends / name / MARKER, dict, version=FORMAT)
    return {}


def said_of_replaced(before: Mapping[str, Any], now: Mapping[str, Any], workspace: Workspace) -> str:
    """Return a line that says which blend another one has taken the place of; "" if they are made alike.

    Args:
        before: what its record says, as of `blend_before`.
        now: what that of the new one says.
        workspace: whose pseudo-labels and notebooks may be made of the old one.
    """
    name = str(now["name"])
    if not before.get("figures") or all(_made(before, key) == _made(now, key) for key in ("method", "rule", "members")):
        return ""
    figures, members = before["figures"][0], first(_made(before, "members"))
    made = [f"pseudo-labels '{found.made.name}'" for found in every_pseudo(workspace) if found.made.source == name]
    made += [f"the notebook in {workspace.notebooks / name}"] if (workspace.notebooks / name).is_dir() else []
    of_it = f" Made of that one: {first(made)}." if made else ""
    return (
        f"Another blend '{name}' was replaced, and its submission: {before['method']}, {before['rule']} of {members}, "
        f"{figures['metric']} {figures['cross_fitted']:.4f}.{of_it}"
    )


def _made(record: Mapping[str, Any], key: str) -> Any:
    return [member["name"] for member in record["members"]] if key == "members" else record.get(key)
