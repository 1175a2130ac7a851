"""Pseudo-labels from end to end: a leak shows as a gain where there is nothing to learn, and clean ones show none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from competition.metrics.ranking import roc_auc
from competition.workspace import Workspace
from folds.dealing.table import FoldTable
from folds.store.score_store import FoldScores, ScoreStore
from folds.store.scores import FoldLabels, Scores
from models.heads.group import HeadGroup
from models.heads.together import train_together
from models.inputs.batches import Taught
from models.inputs.examples import Examples, planes_of
from models.inputs.feature_bank import FeatureBank
from models.linear.nested import nested
from models.linear.plan import Plan, Training
from models.linear.solvers import Logistic
from submissions.pseudo import correct
from submissions.pseudo.correct import corrections_of
from submissions.pseudo.make import make_pseudo
from tests.models.samples import PLANET, frozen, tiny_recipe
from tests.submissions.samples import ids_to_predict, make_workspace, provenance

NUM_FEATURES = 40
K = 3
RECIPE = tiny_recipe(
    **frozen("imagenet", dense=(), augment=(), dropout=0.0, epochs=60, batch_size=64, learning_rate=0.02), pseudo="p"
)
TASK = RECIPE.task(PLANET)


@dataclass
class Noise:
    """Chips whose features say nothing of their labels, in a workspace with a teacher that has learnt them by heart.

    The chips to predict are many enough that a student can learn from the teacher's scores all that it knows.
    """

    workspace: Workspace
    truth: NDArray[np.bool_]
    features: NDArray[np.float32]
    others: NDArray[np.float32]

    @classmethod
    def drawn(cls, root: Path, seed: int) -> Noise:
        workspace, random = make_workspace(root, models=(), num_chips=300), np.random.default_rng(seed)
        truth = random.random((300, 17)) < 0.5
        labelled, others = random.normal(size=(300, NUM_FEATURES)), random.normal(size=(40, NUM_FEATURES))
        noise = cls(workspace, truth, labelled.astype(np.float32), others.astype(np.float32))
        noise._teach()
        return noise

    def _teach(self) -> None:
        """Write scores of a linear teacher, which is fitted to each fold's training chips as closely as it can be."""
        store = ScoreStore.of(self.workspace)
        for fold in range(K):
            held = self.table.heldout(fold)
            kernel = np.linalg.lstsq(self.features[~held], self.truth[~held] - 0.5, rcond=None)[0]
            heldout, test = (np.clip(0.5 + part @ kernel, 0, 1) for part in (self.features[held], self.others))
            names = tuple(np.array(self.table.image_names)[held].tolist())
            made = provenance(store, "teacher", fold)
            scores = [
                Scores(ids, part.astype(np.float32)) for ids, part in ((names, heldout), (ids_to_predict(), test))
            ]
            store.write(FoldScores(made, *scores))

    @property
    def bank(self) -> FeatureBank:
        """The features of the labelled chips."""
        return FeatureBank(NUM_FEATURES, {"identity": (self.features.astype(np.float16),)})

    def student(self, labels: list[FoldLabels]) -> NDArray[np.float64]:
        """Train a student on each fold's pseudo-labels, and return the ROC AUC of each label on held-out chips."""
        bank = self.bank.followed_by(FeatureBank(NUM_FEATURES, {"identity": (self.others.astype(np.float16),)}))
        groups = []
        for fold, own in enumerate(labels):
            held = self.table.heldout(fold)
            taught = Taught.of(self.truth).followed_by(planes_of(own, ids_to_predict(), RECIPE, TASK))
            chips = np.flatnonzero(~held)[:1], np.flatnonzero(held)  # it learns from pseudo-labels nearly alone
            groups.append(HeadGroup(RECIPE, Examples(TASK, bank, self.truth, *chips, taught=taught)))
        return self._judged(groups)

    def corrected(self) -> NDArray[np.float64]:
        """Train a student on each fold's corrected labels, and return the ROC AUC of each label on held-out chips."""
        names, groups = self.table.image_names, []
        for fold, (positions, scores) in nested(self.bank, self.truth, self.table.folds[0]).items():
            of_others = Scores(tuple(names[position] for position in positions), scores)
            planes = planes_of(corrections_of(of_others, self.truth[positions], []), names, RECIPE, TASK)
            taught = Taught.of(self.truth).corrected(planes)
            chips = positions, np.flatnonzero(self.table.heldout(fold))
            groups.append(HeadGroup(RECIPE, Examples(TASK, self.bank, self.truth, *chips, taught=taught)))
        return self._judged(groups)

    @cached_property
    def table(self) -> FoldTable:
        """The fold table."""
        return ScoreStore.of(self.workspace).table

    def _judged(self, groups: list[HeadGroup]) -> NDArray[np.float64]:
        train_together(groups, quiet=True)
        scores = np.empty(self.truth.shape, dtype=np.float32)
        for group in groups:
            scores[group.examples.heldout] = group.judged_scores[0]
        # Fold by fold: another fold's scores lie elsewhere by the shares of the labels among its training chips.
        held = [group.examples.heldout for group in groups]
        return np.mean([roc_auc(self.truth[rows], scores[rows]) for rows in held], axis=0)


@pytest.fixture
def gains(tmp_path: Path) -> dict[str, NDArray[np.float64]]:
    """By how the labels were made, how far above chance each label is told, of labels that cannot be told."""
    found: dict[str, list[NDArray[np.float64]]] = {"clean": [], "leaky": []}
    for seed in range(2):
        noise = Noise.drawn(tmp_path / str(seed), seed)
        made = make_pseudo("p", "teacher", noise.workspace).pseudo
        clean = [made.of_fold(fold) for fold in range(K)]
        mean = np.mean([labels.targets for labels in clean], axis=0)  # of all folds' networks: two saw each fold
        leaky = [FoldLabels(labels.names, mean, labels.counted) for labels in clean]
        for name, labels in (("clean", clean), ("leaky", leaky)):
            found[name].append(noise.student(labels) - 0.5)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def over_error(gains: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean gain over labels and seeds, and how many standard errors that is."""
    mean, error = float(gains.mean()), float(gains.std(ddof=1) / len(gains) ** 0.5)
    return mean, mean / error


def test_a_leak_shows_as_a_gain_where_there_is_nothing_to_learn_and_clean_labels_show_none(gains) -> None:
    (leaky, times), (_, times_of_clean) = over_error(gains["leaky"]), over_error(gains["clean"])
    assert leaky > 0.05
    assert times > 10
    assert abs(times_of_clean) < 3


def test_corrections_by_heads_that_saw_the_fold_leak_its_labels_and_those_by_heads_of_pairs_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of labels that cannot be told none is suspected; so that there is something to leak, what scores contradict is.
    monkeypatch.setattr(correct, "wrong_by_label", lambda scores, truth: np.abs(truth - scores))
    monkeypatch.setattr(Logistic, "penalties", np.array([1e-3]))  # heads that learn by heart
    noise = Noise.drawn(tmp_path, 0)
    clean = noise.corrected() - 0.5

    def saw_the_fold(plan: Plan, fold: int, reach: int) -> dict[int, Training]:
        return {part: plan.training(plan.folds[part]) for part in plan.training(fold)}  # as stored networks have

    monkeypatch.setattr(Plan, "inner", saw_the_fold)
    (gain, times), (_, times_of_clean) = over_error(noise.corrected() - 0.5), over_error(clean)
    assert gain > 0.1
    assert times > 10
    assert abs(times_of_clean) < 3
