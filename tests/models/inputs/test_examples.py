"""The labelled chips of a fold: who learns, who is held out, and how often labels occur."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.workspace import Workspace
from folds.assign import assign_folds
from folds.dealing.table import FoldTable
from folds.store.provenance import Network
from folds.store.pseudo_labels import LABELLED, Made, write_pseudo
from folds.store.scores import FoldLabels
from models.inputs.batches import Taught, drawn_order
from models.inputs.examples import Examples, planes_of
from models.inputs.sources import Sources
from models.recipes.recipe import Recipe
from tests.models import samples
from tests.models.samples import tiny_recipe


def examples_of(truth: np.ndarray, num_training: int, recipe: Recipe) -> Examples:
    """Return chips of which the first are to learn from."""
    training, heldout = np.split(np.arange(len(truth)), [num_training])
    return Examples(recipe.task(samples.PLANET), samples.array_chips(len(truth)), truth, training, heldout)


# Of a fold


def examples_in(workspace: Workspace, **values: Any) -> Examples:
    return Examples.of_fold(Sources(workspace, tiny_recipe(**values)), FoldTable.read(workspace.fold_table), 1)


def test_the_chips_of_a_fold_are_held_out_and_all_others_learnt_from(workspace):
    examples, labelled = examples_in(workspace), workspace.labelled
    heldout = FoldTable.read(workspace.fold_table).ordered_as(labelled.image_names).heldout(1)
    np.testing.assert_array_equal(examples.heldout, np.flatnonzero(heldout))
    np.testing.assert_array_equal(examples.training, np.flatnonzero(~heldout))
    np.testing.assert_array_equal(examples.truth, labelled.truth)
    np.testing.assert_array_equal(examples.training_truth, labelled.truth[~heldout])


def test_a_specialists_chips_carry_its_labels_alone(workspace):
    labels = workspace.competition.labels
    examples = examples_in(workspace, only_labels=("water", "clear"))
    columns = [labels.index(label) for label in ("clear", "water")]
    np.testing.assert_array_equal(examples.truth, workspace.labelled.truth[:, columns])
    assert examples.task.labels == ("clear", "water")


# Set aside, to judge epochs by


def test_chips_to_judge_epochs_by_come_from_those_to_learn_from(workspace):
    plain, examples = examples_in(workspace), examples_in(workspace, monitor="inner")
    np.testing.assert_array_equal(examples.heldout, plain.heldout)
    assert abs(len(examples.inner) - len(plain.training) / 10) <= 1
    np.testing.assert_array_equal(np.sort([*examples.training, *examples.inner]), plain.training)
    np.testing.assert_array_equal(examples.judged, examples.inner)
    np.testing.assert_array_equal(plain.judged, plain.heldout)
    np.testing.assert_array_equal(examples.without_inner().training, plain.training)
    assert examples.without_inner().inner is None
    other = examples_in(workspace, monitor="inner", seed=1)
    assert set(other.inner) != set(examples.inner)


def test_chips_set_aside_are_whole_groups_where_the_folds_are(workspace, tmp_path):
    names = workspace.labelled.image_names
    groups = tmp_path / "groups.csv"
    groups.write_text("image_name,group\n" + "".join(f"{name},{row // 4}\n" for row, name in enumerate(names)))
    assign_folds(workspace, k=2, group=str(groups), force=True)
    examples = examples_in(workspace, monitor="inner")
    assert len(examples.inner)
    assert not {row // 4 for row in examples.inner} & {row // 4 for row in examples.training}


def test_a_fold_table_of_other_chips_is_refused(workspace):
    folds = FoldTable.read(workspace.fold_table)
    FoldTable(("stranger", *folds.image_names[1:]), folds.folds, folds.k).write(workspace.fold_table)
    with pytest.raises(UserError, match=r"name other chips: stranger, train_\d+\. Run \"python run.py folds --force\""):
        examples_in(workspace)


# Priors


def test_the_prior_of_a_label_is_the_log_of_its_odds_among_the_training_chips_alone():
    truth = np.zeros((100, 3), dtype=bool)
    truth[:60, 0], truth[:3, 1], truth[80:] = True, True, True
    priors = examples_of(truth, 80, tiny_recipe()).priors(tiny_recipe())
    assert priors.in_batches is None
    frequency = np.array([61, 4, 1]) / 82
    np.testing.assert_allclose(priors.among_chips, np.log(frequency / (1 - frequency)), rtol=1e-5)


def test_the_shift_of_balanced_batches_is_how_much_better_a_labels_odds_are_in_them():
    random = np.random.default_rng(0)
    truth = random.random((400, 4)) < [0.9, 0.5, 0.03, 0.0]
    recipe = tiny_recipe(sampling="balanced")
    examples = examples_of(truth, 400, recipe)
    shown = truth[drawn_order(examples.training, truth, recipe, 0)]
    shift = examples.priors(recipe).shift
    frequency, share = (np.clip(part[:, :3].mean(axis=0), 1e-3, 1) for part in (truth, shown))
    expected = np.log(share / (1 - share)) - np.log(frequency / (1 - frequency))
    np.testing.assert_allclose(shift[:3], expected, atol=0.15)
    assert shift[2] > 1.5
    assert np.isfinite(shift).all()


def test_the_priors_of_labels_that_share_a_softmax_are_their_frequencies_in_it():
    random, labels = np.random.default_rng(0), samples.PLANET.labels
    columns = [labels.index(label) for label in samples.PLANET.exclusive[0]]
    truth = random.random((4000, len(labels))) < 0.01
    truth[:, columns] = random.multinomial(1, [0.7, 0.2, 0.07, 0.03], size=4000)
    recipe = tiny_recipe(sampling="balanced", groups="softmax")
    examples = examples_of(truth, 4000, recipe)
    shown = truth[drawn_order(examples.training, truth, recipe, 0)]
    priors = examples.priors(recipe)
    for logits, carried in ((priors.among_chips, truth), (priors.in_batches, shown)):
        said = np.exp(logits[columns]) / np.exp(logits[columns]).sum()
        np.testing.assert_allclose(said, carried[:, columns].mean(axis=0), atol=2e-3)


# Pseudo-labels


def write_labels(workspace: Workspace, fold: int = 1, by: int = 1) -> str:
    """Write pseudo-labels of some chips to predict for the training of a fold, by a network that held `by` out."""
    labels, labelled = workspace.competition.labels, workspace.labelled
    table = FoldTable.read(workspace.fold_table)
    names = (*workspace.test_names[5:2:-1], "stranger")
    targets = np.full((4, len(labels)), 0.8, dtype=np.float32)
    counted = np.ones(targets.shape, dtype=bool)
    counted[0], counted[1, 0] = False, False
    networks = {fold: (Network("a", by, "recipe", "scores"),)}
    made = Made("p", "a", "mean", 1.0, 0.5, labels, table.digest, labelled.digest, networks)
    return write_pseudo(workspace, made, {fold: FoldLabels(names, targets, counted)}).digest


def test_chips_with_pseudo_labels_follow_on_the_labelled_ones(workspace):
    digest = write_labels(workspace)
    examples = examples_in(workspace, pseudo="p", pseudo_digest=digest, pseudo_weight=0.5)
    count, (third, fourth) = len(workspace.labelled.image_names), workspace.test_names[3:5]
    assert (examples.taught.behind - count).tolist() == [3, 4]  # the last counts by no label, and one is not here
    planes = examples.taught.planes[count:]
    assert planes[3] == pytest.approx([0.4] * 17 + [0.1] * 17)
    assert planes[4, [0, 17]].tolist() == [0, 0]
    assert not planes[[0, 1, 2, 5]].any()
    np.testing.assert_array_equal(examples.taught.carried[:count], examples.truth)
    read = Sources(workspace, tiny_recipe()).chips("test").read(np.array([3, 4]))
    np.testing.assert_array_equal(examples.source.read(np.array([count + 3, count + 4])), read)
    assert examples.steps_per_epoch(tiny_recipe(batch_size=1)) == len(examples.training) + 2
    assert sorted(examples.order(tiny_recipe(), 0))[-2:] == [count + 3, count + 4]
    assert (examples.learnt.name, examples.learnt.fold, examples.learnt.round) == ("p", 1, 1)
    assert examples.learnt.without == tiny_recipe().digest()
    assert {third, fourth} <= set(Sources(workspace, tiny_recipe()).names("test"))


def test_corrected_labels_take_the_place_of_those_of_labelled_chips_and_no_others_follow(workspace):
    table, labels = FoldTable.read(workspace.fold_table), workspace.competition.labels
    names = tuple(np.array(table.image_names)[~table.heldout(1)].tolist())[:2]
    counted = np.zeros((2, 17), dtype=bool)
    counted[0, :3] = True
    targets = np.full(counted.shape, 0.2, dtype=np.float32)
    networks = {1: (Network("net", 1, "recipe", ""),)}
    made = Made("c", "net", "", 1.0, 0.5, labels, table.digest, workspace.labelled.digest, networks, LABELLED)
    digest = write_pseudo(workspace, made, {1: FoldLabels(names, targets, counted)}).digest
    recipe = tiny_recipe(pseudo="c", pseudo_digest=digest, pseudo_weight=0.5)
    sources = Sources(workspace, recipe)
    examples, bare = Examples.of_fold(sources, table, 1), examples_in(workspace)
    row = sources.cache("train").names.index(names[0])
    learnt, plain = examples.targets(examples.training), Taught.of(bare.truth).planes[bare.training]
    changed = learnt != plain
    own = examples.training.tolist().index(row)
    assert learnt[own, [0, 1, 2, 17, 18, 19]].tolist() == pytest.approx([0.1] * 3 + [0.4] * 3)
    assert set(np.flatnonzero(changed.any(axis=1))) == {own}
    assert not changed[own, [*range(3, 17), *range(20, 34)]].any()
    np.testing.assert_array_equal(examples.truth, bare.truth)
    assert not len(examples.taught.behind)
    assert not sources.learns_unlabelled
    assert examples.text() == f"{len(examples.training)} chips to learn from, with labels corrected by 'c'."
    assert (examples.learnt.name, examples.learnt.fold) == ("c", 1)


def test_a_corrected_label_weighs_what_its_chip_does():
    before = Taught.of(np.array([[True, False], [False, True]]))
    heavy = Taught(before.planes * np.float32(3), before.behind)
    planes = np.array([[0, 0.25, 0, 0.25], [0, 0, 0, 0]], dtype=np.float32)
    assert heavy.corrected(planes).planes.tolist() == [[3, 0.75, 0, 0.75], [0, 3, 3, 0]]


def test_training_refuses_labels_by_networks_that_saw_the_fold(workspace):
    digest = write_labels(workspace, fold=1, by=0)
    with pytest.raises(
        UserError, match="for fold 1 are by 'a' fold 0 which learnt from the chips that fold 1 holds out"
    ):
        examples_in(workspace, pseudo="p", pseudo_digest=digest)


def test_training_refuses_others_than_the_model_was_begun_with(workspace):
    write_labels(workspace)
    sources = Sources(workspace, tiny_recipe(pseudo="p", pseudo_digest="0" * 64))
    with pytest.raises(UserError, match=r"others than those with which 'm' was begun.*train --models m --restart"):
        Examples.of_fold(sources, FoldTable.read(workspace.fold_table), 1, "m")


def test_labels_that_share_a_softmax_count_together_and_share_one():
    recipe = tiny_recipe(groups="softmax", pseudo="p")
    task = recipe.task(samples.PLANET)
    weather = list(task.exclusive_columns[0])
    targets, counted = np.full((2, 17), 0.5, dtype=np.float32), np.ones((2, 17), dtype=bool)
    counted[1, weather[0]] = False
    planes = planes_of(FoldLabels(("a", "b"), targets, counted), ("b", "a"), recipe, task)
    assert planes[1, weather].sum() == pytest.approx(1)
    assert not planes[0, [*weather, *(17 + column for column in weather)]].any()
    others = sorted(set(range(17)) - set(weather))
    assert planes[0, others].tolist() == [0.5] * len(others)


# Weights of chips


def weighed_in(workspace: Workspace, digest: str, **values: Any) -> Examples:
    return examples_in(workspace, weighted_to="test", weighted_digest=digest, **values)


def test_chips_to_learn_from_weigh_what_was_found_with_a_mean_of_one(workspace):
    count = len(workspace.labelled.image_names)
    values = np.random.default_rng(0).exponential(size=count).round(6)
    digest = samples.write_chip_weights(workspace, values).digest
    examples = weighed_in(workspace, digest)
    weights = examples.taught.planes[:, :17] + examples.taught.planes[:, 17:]
    training = examples.training
    expected = values[training] / values[training].mean()
    np.testing.assert_allclose(weights[training], np.repeat(expected[:, None], 17, axis=1), rtol=1e-5)
    np.testing.assert_array_equal(examples.carried, examples.truth)
    np.testing.assert_array_equal(examples.truth, workspace.labelled.truth)  # which judges
    assert examples.steps_per_epoch(tiny_recipe(batch_size=1)) == len(training)
    worth = values[training].sum() ** 2 / (values[training] ** 2).sum()
    assert examples.text() == f"{len(training)} chips to learn from (weighed, worth {worth:.0f})."
    assert examples_in(workspace).taught is None


def test_chips_set_aside_take_no_part_in_the_mean_of_those_to_learn_from(workspace):
    values = np.random.default_rng(0).exponential(size=len(workspace.labelled.image_names)).round(6)
    digest = samples.write_chip_weights(workspace, values).digest
    examples, plain = weighed_in(workspace, digest, monitor="inner"), examples_in(workspace, monitor="inner")
    np.testing.assert_array_equal(examples.inner, plain.inner)
    np.testing.assert_array_equal(examples.judged, plain.inner)
    weights = examples.taught.planes.sum(axis=1) / 17
    assert weights[examples.training].mean() == pytest.approx(1, rel=1e-5)
    learnt = np.sort([*examples.training, *examples.inner])
    np.testing.assert_allclose(weights[learnt], values[learnt] / values[examples.training].mean(), rtol=1e-5)


def test_chips_with_pseudo_labels_keep_their_own_weight_beside_weighed_ones(workspace):
    pseudo, count = write_labels(workspace), len(workspace.labelled.image_names)
    values = np.random.default_rng(0).exponential(size=count)
    digest = samples.write_chip_weights(workspace, values).digest
    examples = weighed_in(workspace, digest, pseudo="p", pseudo_digest=pseudo, pseudo_weight=0.5)
    assert examples.taught.planes[count + 3] == pytest.approx([0.4] * 17 + [0.1] * 17)
    assert examples.taught.planes[examples.training].sum() / 17 / len(examples.training) == pytest.approx(1, rel=1e-5)
    assert examples.text().endswith("and 2 with the pseudo-labels 'p', round 1.")


def test_training_refuses_other_weights_than_the_model_was_begun_with(workspace):
    first = samples.write_chip_weights(workspace, np.linspace(0.5, 1.5, len(workspace.labelled.image_names)))
    recipe = tiny_recipe(weighted_to="test", weighted_digest=first.digest)
    table = FoldTable.read(workspace.fold_table)
    samples.write_chip_weights(workspace, first.values[::-1])
    line = r"others than those with which 'm' was begun \(.*\).*adversarial MODEL.*train --models m --restart"
    with pytest.raises(UserError, match=line):
        Examples.of_fold(Sources(workspace, recipe), table, 1, "m")
    samples.write_chip_weights(workspace, first.values)  # found again
    assert Examples.of_fold(Sources(workspace, recipe), table, 1, "m").taught


def test_a_chip_to_learn_from_without_a_weight_is_named_and_one_held_out_needs_none(workspace):
    names = workspace.labelled.image_names
    plain = examples_in(workspace)
    for position, is_refused in ((plain.training[0], True), (plain.heldout[0], False)):
        others = tuple(name for name in names if name != names[position])
        digest = samples.write_chip_weights(workspace, np.ones(len(others)), others).digest
        if not is_refused:
            assert weighed_in(workspace, digest).taught
            continue
        with pytest.raises(UserError, match=rf"1 of \d+ chips have no weight in .*{names[position]}.*adversarial m"):
            weighed_in(workspace, digest)
