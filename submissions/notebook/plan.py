"""What a notebook is to make: of which models, blended and decided how; found again from what `blend` has kept.

What `blend` fitted is fitted again from the same scores, or read from its record where that holds the numbers, and is
held against the scores of chips to predict that the blend has: the notebook gives what `blend` gave, or is not made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import digest_file
from competition.common.records import read_record
from competition.metrics.judge import measure
from competition.spec.metric import DECISIONS
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.choose.candidates import Candidates, make_candidates
from submissions.choose.cuts import FILE as CUTS
from submissions.choose.cuts import cuts_of, digest_scores
from submissions.combine.mean_trials import make_trial
from submissions.combine.means import Union, WeightedMean
from submissions.combine.methods import score_test
from submissions.combine.vote import MAJORITY, Vote
from submissions.decide.cut_rules import CutRule
from submissions.decide.decisions import Obedient, obey
from submissions.decide.rules import cut_rules, make_rule
from submissions.decide.studies import Tuning
from submissions.members.blend_files import FORMAT, IMPORTED, MARKER, again, blend_names
from submissions.members.members import Member, load_members, share
from submissions.names import CUT_RULES, FIXED, PLAIN, SCORE_RULES
from submissions.notebook.fitted import kept, restored

QUICK = Tuning(1)  # what Optuna has found is in the record, and is not searched again


@dataclass(frozen=True)
class Plan:
    """What a notebook is to make.

    Attributes:
        name: of the blend or model.
        tree: its combiner and members, these again with theirs; of a model its name.
        rule: that decides, as `kept` gives it.
        models: every model in the tree, the most useful first.
        shares: float array (num_labels,): of the labelled chips, how many carry each label.
        constant: array (num_labels,): the one answer for all chips that is best on those.
        provenance: the record of the blend, as it was when this was made of it; of a model its name and files.
    """

    name: str
    tree: dict[str, Any]
    rule: dict[str, Any]
    models: tuple[str, ...]
    shares: NDArray[np.float64]
    constant: NDArray[Any]
    provenance: dict[str, Any]


def plan_of(name: str, workspace: Workspace) -> Plan:
    """Return what a notebook of a blend, or of a model by its cuts, is to make.

    Raises:
        UserError: if there is none of that name, it is made of imported scores, or it was made of other scores than
            those that there are now.
    """
    store = ScoreStore.of(workspace)
    if name in store.models() or name not in blend_names(workspace.blends):
        tree, (rule, provenance) = {"model": name}, _of_model(name, workspace, store)
    else:
        tree, rule, record = _blend(name, workspace)
        provenance = {**record, "exclusive": getattr(rule, "exclusive", record["exclusive"])}  # as its submission says
    models = tuple(dict.fromkeys(_models_in(tree)))
    truth = workspace.labelled.truth
    constant = _best_constant(rule, truth, workspace)
    return Plan(name, tree, kept(rule), _ordered(models, workspace, store), truth.mean(axis=0), constant, provenance)


def _of_model(name: str, workspace: Workspace, store: ScoreStore) -> tuple[Any, dict[str, Any]]:
    """Return the rule of a model, by its cuts, and what the notebook is made of."""
    competition = workspace.competition
    (member,) = load_members([name], workspace, store)
    if not member.oof.scored.all():
        raise UserError(
            f"'{name}' scores some of the labels only. Give a blend of it and a model that scores the others."
        )
    made = [*member.folder.glob("fold*/test.npz"), *member.folder.glob(CUTS)]
    files = {CUTS: "", **{path.relative_to(member.folder).as_posix(): digest_file(path) for path in made}}
    provenance = {**member.provenance, "members": [{"name": name}], "files": files}
    if competition.metric.judges != DECISIONS:
        return make_rule(PLAIN, competition), provenance
    return Obedient(_cuts(cuts_of(name, workspace)), competition), provenance


def _cuts(cuts: NDArray[np.float64]) -> CutRule:
    rule = CutRule()
    rule.cuts = cuts
    return rule


def _blend(name: str, workspace: Workspace) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """Return the tree of a blend, whose combiner gives the scores of chips to predict that it has, its rule and record.

    Raises:
        UserError: if it is made of imported scores, or of other scores than those that there are now.
    """
    folder = workspace.blends / name
    record = read_record(folder / MARKER, dict, version=FORMAT, command=again(folder))
    if record["method"] == IMPORTED:
        raise UserError(f"The scores of '{name}' came from files: there is no network to put into a notebook.")
    source = _source_of(record, workspace)
    for member, made_of in zip(source.members, record["members"], strict=True):
        if made_of.get("oof") != digest_scores(member.oof):
            raise UserError(f"'{name}' was blended of other scores of '{member.name}'.", command=again(folder))
    combiner = kept(_combiner(record, source))
    (blend,) = load_members([name], workspace, ScoreStore.of(workspace))
    scores = score_test(restored(combiner, workspace.competition), source.members, blend.test.names)
    if not np.array_equal(scores, blend.test.values):
        raise UserError(
            f"'{name}' is not what its members give now: blended anew, its scores differ.", command=again(folder)
        )
    blends, names = blend_names(workspace.blends), source.setting.members
    trees = [_blend(each, workspace)[0] if each in blends else {"model": each} for each in names]
    return {"blend": name, "combiner": combiner, "members": trees}, _rule(record, blend, source), record


def _source_of(record: Mapping[str, Any], workspace: Workspace) -> Candidates:
    """Return the members of a blend, as they were combined."""
    return make_candidates(
        [member["name"] for member in record["members"]],
        workspace,
        exclusive=record["exclusive"],
        alone=record["alone"],
        union=record["union"],
        extras=record["extras"],
        calibration=record["calibration"],
        tuning=QUICK,
    )


def _combiner(record: Mapping[str, Any], source: Candidates) -> Any:
    """Return the combiner of a blend: by the numbers in its record where that holds them, or else fitted again."""
    setting = source.setting
    if own := record.get("member_cuts"):
        labels = setting.competition.labels
        vote = Vote(cut_rules(setting.competition)[FIXED], setting.union)
        vote.cuts = np.array([[own[name].get(label, np.nan) for label in labels] for name in setting.members])
        return vote
    if weights := record.get("weights"):
        combiner: Any = WeightedMean()
        combiner.weights = np.array([weights[name] for name in setting.members])
        return Union(combiner, setting.union) if setting.union.any() else combiner
    return source.fitted(record["method"])


def _rule(record: Mapping[str, Any], blend: Member, source: Candidates) -> Any:
    """Return the rule of a blend: by the cuts in its record, or fitted again to its scores."""
    competition, name = source.setting.competition, record["rule"]
    if name in CUT_RULES:
        labels = competition.labels
        cuts = record["cuts"] if "cuts" in record else dict.fromkeys(labels, MAJORITY)
        rule: Any = _cuts(np.array([cuts[label] for label in labels]))
    else:
        rule = make_rule(name, competition, QUICK, record["calibration"])
        rule.fit(blend.oof.aligned(source.chips.names), source.chips.truth)
    if name in SCORE_RULES:
        return rule
    return Obedient(rule, competition, exclusive=record["exclusive"], alone=record["alone"])


def _models_in(tree: Mapping[str, Any]) -> Sequence[str]:
    return [tree["model"]] if "model" in tree else [name for member in tree["members"] for name in _models_in(member)]


def _ordered(models: Sequence[str], workspace: Workspace, store: ScoreStore) -> tuple[str, ...]:
    """Return models so that each is the one whose scores raise the mean of those before it the most.

    Their scores are of chips that they did not see, and are decided at the prior cut: nothing is fitted.
    """
    members = load_members(models, workspace, store)
    chips = share(members, workspace, store.table)
    trial, left = make_trial(chips.scores, chips.truth, workspace.competition.metric), list(range(len(models)))
    ordered = list[str]()
    whole = [member.oof.scored.all() for member in members]
    while left:
        # What leaves labels without scores is of no use alone.
        best = max(left, key=lambda number: (bool(ordered) or whole[number], trial.with_one(number)))
        trial.add(best)
        left.remove(best)
        ordered.append(models[best])
    return tuple(ordered)


def _best_constant(rule: Any, truth: NDArray[np.bool_], workspace: Workspace) -> NDArray[Any]:
    """Return the answer (num_labels,) for all chips that is best on the labelled ones.

    Of decisions, the most frequent labels, as many as are best; of scores, the share of each label.
    """
    competition, shares = workspace.competition, truth.mean(axis=0)
    answers = [rule.predict(shares[None])[0]]
    if competition.metric.judges != DECISIONS:
        answers.append(make_rule(PLAIN, competition).predict(shares[None])[0])
    if competition.metric.judges == DECISIONS:
        order = np.argsort(-shares, kind="stable")
        for many in range(0 if competition.unlabelled else 1, len(shares) + 1):
            decided = np.isin(np.arange(len(shares)), order[:many])[None]
            answers.append(
                obey(decided, shares[None], competition, exclusive=rule.exclusive, alone=getattr(rule, "alone", False))[
                    0
                ]
            )
    sign = competition.metric.sign
    return max(answers, key=lambda one: sign * measure(truth, np.broadcast_to(one, truth.shape), competition.metric))
