"""Corrections of suspected labels: those that were flipped are found, and exclusive labels stay so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from scipy.special import expit

from competition.common.errors import UserError
from competition.workspace import Workspace
from folds.store.pseudo_labels import LABELLED, PseudoLabels
from folds.store.score_store import ScoreStore
from folds.store.scores import FoldLabels, NestedScores, Scores
from submissions.evidence.noise import noise_of
from submissions.pseudo import correct
from submissions.pseudo.correct import corrections_of, make_corrections
from submissions.pseudo.verbs import pseudo_verb
from tests.submissions.samples import draw_truth, make_workspace, planet

WEATHER = list(planet().exclusive_columns[0])
OTHERS = sorted(set(range(17)) - set(WEATHER))


def drawn(truth: NDArray[np.bool_], seed: int = 0, signal: float = 10.0) -> NDArray[np.float32]:
    """Return scores that know the truth well."""
    return expit(signal * (truth - 0.5) + np.random.default_rng(seed).normal(size=truth.shape)).astype(np.float32)


def named(count: int) -> tuple[str, ...]:
    return tuple(f"train_{number}" for number in range(count))


def spread(labels: FoldLabels, names: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return targets and what counts of some chips, of those that have none NaN and none."""
    targets, counted = np.full((len(names), 17), np.nan), np.zeros((len(names), 17), dtype=bool)
    rows = [names.index(name) for name in labels.names]
    targets[rows], counted[rows] = labels.targets, labels.counted
    return targets, counted


def test_labels_that_were_flipped_are_found_and_others_are_left() -> None:
    truth, random = draw_truth(planet(), 3000), np.random.default_rng(1)
    flipped = random.random(truth.shape) < 0.04
    flipped[:, WEATHER] = False
    said, names = truth ^ flipped, named(3000)
    scores = drawn(truth)
    labels = corrections_of(Scores(names, scores), said, [WEATHER])
    targets, counts = spread(labels, names)
    assert counts[flipped].mean() > 0.95
    assert flipped[counts].mean() > 0.95
    assert ((targets > 0.5) == truth)[counts & flipped].all()
    column = OTHERS[0]
    wrong, own = noise_of(scores[:, column], said[:, column]).wrong, counts[:, column]
    np.testing.assert_array_equal(own, wrong >= 0.5)
    expected = np.where(said[own, column], 1 - wrong[own], wrong[own])
    np.testing.assert_allclose(targets[own, column], expected, rtol=1e-5, atol=1e-7)
    assert labels.targets.dtype == np.float32
    assert labels.counted.any(axis=1).all()  # chips of which nothing is suspected are not named


def test_power_makes_what_is_likely_surer_and_sure_leaves_what_is_less_likely(monkeypatch) -> None:
    truth, names = draw_truth(planet(), 50), named(50)
    wrong = np.linspace(0, 1, 50)
    monkeypatch.setattr(correct, "wrong_by_label", lambda scores, said: wrong)
    targets, counts = spread(corrections_of(Scores(names, drawn(truth)), truth, [], power=2.0, sure=0.8), names)
    np.testing.assert_array_equal(counts[:, 0], wrong >= 0.8)
    own, raised = counts[:, 0], wrong**2 / (wrong**2 + (1 - wrong) ** 2)
    np.testing.assert_allclose(targets[own, 0], np.where(truth[:, 0], 1 - raised, raised)[own], rtol=1e-5, atol=1e-6)


def test_exclusive_labels_count_together_and_share_one() -> None:
    truth, names = draw_truth(planet(), 3000), named(3000)
    said = truth.copy()
    moved = np.arange(0, 3000, 20)
    said[np.ix_(moved, WEATHER)] = np.roll(truth[np.ix_(moved, WEATHER)], 1, axis=1)
    double = moved[:5]
    said[np.ix_(double, WEATHER)] |= truth[np.ix_(double, WEATHER)]  # two of them: it keeps what it has
    targets, counts = spread(corrections_of(Scores(names, drawn(truth)), said, [WEATHER]), names)
    own = counts[:, WEATHER]
    assert (own.all(axis=1) == own.any(axis=1)).all()
    assert not own[double].any()
    found = own.any(axis=1)
    assert found[moved[5:]].mean() > 0.9
    np.testing.assert_allclose(targets[found][:, WEATHER].sum(axis=1), 1, rtol=1e-5)
    right = targets[moved[5:]][:, WEATHER].argmax(axis=1) == truth[moved[5:]][:, WEATHER].argmax(axis=1)
    assert right[found[moved[5:]]].all()


def test_a_label_of_too_few_chips_or_of_scores_that_contradict_it_is_left() -> None:
    truth, names = draw_truth(planet(), 600), named(600)
    truth[:, OTHERS[0]] = np.arange(600) < 9
    scores = drawn(truth)
    scores[:, OTHERS[0]] = 1 - scores[:, OTHERS[0]]
    scores[:, OTHERS[1]] = 1 - scores[:, OTHERS[1]]
    labels = corrections_of(Scores(names, scores), truth, [WEATHER])
    assert not labels.counted[:, OTHERS[:2]].any()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path, models=("a",), num_chips=900)


def nested_by(truth: NDArray[np.bool_]):
    """Return what makes scores of labelled chips that know a truth."""

    def made(workspace: Workspace, model: str, skip_broken: bool) -> NestedScores:
        table = ScoreStore.of(workspace).table
        folds = {}
        for fold in range(table.num_folds):
            others = np.flatnonzero(~table.heldout(fold))[skip_broken:]
            folds[fold] = Scores(tuple(table.image_names[row] for row in others), drawn(truth, fold)[others])
        return NestedScores(model, "recipe", {"cache/features/net/identity.npy": 7}, folds)

    return made


def truth_behind(workspace: Workspace) -> NDArray[np.bool_]:
    """Return a truth of which the labels of a workspace are wrong here and there."""
    wrong = np.random.default_rng(5).random(workspace.labelled.truth.shape) < 0.04
    wrong[:, WEATHER] = False
    return workspace.labelled.truth ^ wrong


def test_they_are_kept_by_fold_with_what_they_were_made_of(workspace: Workspace) -> None:
    made = make_corrections("c", "net", workspace, nested_by(truth_behind(workspace)), power=2.0)
    table = ScoreStore.of(workspace).table
    found = PseudoLabels.open(workspace, "c", table)
    assert (found.made.of, found.made.source, found.made.features) == (
        LABELLED,
        "net",
        {"cache/features/net/identity.npy": 7},
    )
    assert found.made.command == "pseudo c --of labelled --from net --power 2.0"
    assert found.made.round == 1
    for one in made.folds:
        labels = found.of_fold(one.fold)
        held = {name for name, is_held in zip(table.image_names, table.heldout(one.fold), strict=True) if is_held}
        assert not held & set(labels.names)
        assert one.corrected == len(labels.names) > 100
        assert one.removed.sum() + one.added.sum() == labels.counted.sum()
    text = made.text()
    assert f"fold 0: {made.folds[0].removed.sum() + made.folds[0].added.sum()} labels of" in text
    assert "heads on the features of 'net' that saw neither the chip's own fold nor the one held out" in text


def test_nothing_suspected_and_wrong_values_are_refused_and_nothing_is_written(workspace: Workspace) -> None:
    right = nested_by(workspace.labelled.truth)
    with pytest.raises(UserError, match="No label is suspected of being wrong at least 99% of the time"):
        make_corrections("c", "net", workspace, right, sure=0.99)

    def never(*given: object) -> NestedScores:
        raise AssertionError("values are looked at before anything is computed")

    for values, said in (({"power": -1.0}, "--power must be above 0"), ({"sure": 0.4}, "--sure must be at least 0.5")):
        with pytest.raises(UserError, match=said):
            make_corrections("c", "net", workspace, never, **values)
    assert not workspace.pseudo.exists()


def test_the_verb_corrects_and_says_what_comes_next(workspace: Workspace) -> None:
    verb = pseudo_verb(nested_by(truth_behind(workspace)), lambda _, model: f"train --models {model}")
    place = ["--workspace", str(workspace.root)]

    def ask(words: str) -> tuple[int, str]:
        found = CliRunner().invoke(verb, [*words.split(), *place], standalone_mode=False)
        return found.exit_code, f"{found.output}{found.exception or ''}"

    code, shown = ask("c --of labelled --from a")
    assert code == 0, shown
    assert "train --models a --name a-c --pseudo c" in shown
    assert "Corrections of labels 'c', round 1: by 'a', for 3 folds." in ask("c")[1]
    made = json.loads(ask("c --of labelled --from a --skip-broken --json")[1])
    assert made["of"] == "labelled"
    assert len(made["folds"]) == 3
    assert "--skip-broken is for --of labelled" in ask("c --from a --skip-broken")[1]
    assert "--of: what labels the chips? Give --from" in ask("c --of labelled")[1]
