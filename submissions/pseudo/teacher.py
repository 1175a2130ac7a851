"""Who labels the chips: the members of a blend, or a model, and of each fold the networks that held it out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import first
from competition.workspace import Workspace
from folds.store.provenance import Network, scores_digest
from folds.store.score_store import ScoreStore
from folds.store.scores import Scores
from submissions.choose.candidates import Candidates, make_candidates
from submissions.combine.methods import METHODS, make_combiner
from submissions.decide.rules import cut_rules
from submissions.decide.studies import Tuning
from submissions.measure.cross_fit import Combiner, CrossFit
from submissions.members.blend_files import IMPORTED, blend_names, check_files
from submissions.members.members import Member
from submissions.names import FIXED, MEAN, VOTE


@dataclass(frozen=True, eq=False)
class Teacher:
    """A model, or a blend of models.

    What combines members is fitted on their held-out scores of the other folds' chips. Networks that learnt from the
    chips of the fold made those, as in any stack: its truth may weigh members by way of them, and labels no chip.

    Attributes:
        name: of it.
        method: how members are combined.
        rule: of a vote, how the cuts of its members are found.
        candidates: the members on the labelled chips that they share.
        store: their scores.
    """

    name: str
    method: str
    rule: str
    candidates: Candidates
    store: ScoreStore

    @classmethod
    def of(cls, name: str, workspace: Workspace) -> Teacher:
        """Return the teacher of a name.

        Raises:
            UserError: if there is none, or it is not known which of its networks saw which chips.
        """
        store = ScoreStore.of(workspace)
        if name not in blend_names(workspace.blends):
            return cls(name, MEAN, FIXED, make_candidates([name], workspace), store)
        content = check_files(workspace.blends / name)
        if content["method"] == IMPORTED:
            raise UserError(
                f"The scores of '{name}' came from files, which do not say which networks saw which chips: what they "
                "label may carry the truth of held-out chips. Pseudo-labels are made of models trained here.",
                command="pseudo NAME --from MODEL",
            )
        if blends := [member["name"] for member in content["members"] if member["kind"] != "model"]:
            models = [member["name"] for member in content["members"] if member["kind"] == "model"]
            raise UserError(
                f"'{name}' has {first(blends)} among its members, which has no networks by fold. Blend models.",
                command=f"blend --members {','.join([*models, 'MODEL'])} --name {name}-of-models",
            )
        members = [member["name"] for member in content["members"]]
        tuning = Tuning(content["trials"]) if content.get("trials") else Tuning()
        options = {"union": content["union"], "extras": content.get("extras", ()), "tuning": tuning}
        rule = content.get("rule", FIXED) if content["method"] == VOTE else FIXED
        return cls(name, content["method"], rule, make_candidates(members, workspace, **options), store)

    @property
    def members(self) -> tuple[Member, ...]:
        """The models."""
        return self.candidates.members

    @cached_property
    def folds(self) -> list[int]:
        """The folds whose networks all members have."""
        return sorted(set.intersection(*(set(member.test_by_fold) for member in self.members)))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Ids of the chips without labels that every member has scored: those to predict, and behind them further ones.

        Raises:
            UserError: if there are none.
        """
        scored = [self._scored(member, fold).names for member in self.members for fold in self.folds]
        common = set.intersection(*map(set, scored))
        if not common:
            text = f"No chip to predict has scores by every member of '{self.name}'."
            raise UserError(text, command=f"train --models {','.join(member.name for member in self.members)}")
        return tuple(name for name in scored[0] if name in common)

    def scores(self, fold: int) -> NDArray[np.float32]:
        """Return what networks that held a fold out say of the chips in `names`, float32 (num_chips, num_labels)."""
        scores, truth, _ = self._others(fold)
        combiner = self._new().fit(scores, truth)
        return combiner.predict(np.stack([self._scored(member, fold).aligned(self.names) for member in self.members]))

    def of_labelled(self, fold: int) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        """Return scores and truth (num_others, num_labels) of the labelled chips of all folds but one.

        Each is scored by networks that did not learn from it, combined by what was not fitted on it.
        """
        scores, truth, folds = self._others(fold)
        if self._learns and len(np.unique(folds)) > 1:
            metric = self.candidates.setting.competition.metric
            return CrossFit(truth, folds, metric).combine(self._new, scores).scores, truth
        return self._new().fit(scores, truth).predict(scores), truth

    def networks(self, fold: int) -> tuple[Network, ...]:
        """Return the networks whose scores `scores` returns."""
        made = [self.store.provenance(member.name, fold) for member in self.members]
        digests = [scores_digest(self.store.root, each.model, fold) for each in made]
        return tuple(
            Network(each.model, each.fold, each.recipe_digest, digest, each.pseudo)
            for each, digest in zip(made, digests, strict=True)
        )

    def _scored(self, member: Member, fold: int) -> Scores:
        """Return what a member's networks of a fold say of chips without labels."""
        made = self.store.read(member.name, fold)
        parts = [made.test, *([made.further] if made.further.names else [])]
        return Scores(tuple(name for part in parts for name in part.names), np.concatenate([of.values for of in parts]))

    @property
    def _learns(self) -> bool:
        return self.rule != FIXED if self.method == VOTE else METHODS[self.method].numbers(1, 1) > 0

    def _new(self) -> Combiner:
        """Return a new combiner, as the blend's."""
        setting = self.candidates.setting.in_memory
        return make_combiner(self.method, setting, cut_rules(setting.competition, setting.tuning)[self.rule])

    def _others(self, fold: int) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64]]:
        """Return the members' scores of the labelled chips of all folds but one, their truth and their folds."""
        chips = self.candidates.chips
        held = dict(zip(self.store.table.image_names, self.store.table.heldout(fold).tolist(), strict=True))
        others = np.array([not held[name] for name in chips.names])
        return chips.scores[:, others], chips.truth[others], chips.folds[others]
