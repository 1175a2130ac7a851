"""Training of heads: Keras' gradients and figures, and nothing that a head could know of the chips held out."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from models.heads import training as training_module
from models.heads.batches import batches_of
from models.heads.group import HeadGroup
from models.heads.training import Training, figures_of, scores_of
from models.inputs.batches import Taught
from models.inputs.examples import Examples
from models.inputs.feature_bank import FeatureBank
from models.networks.build import compile_network
from models.runs.training_state import DivergedError
from models.train.keras_heads import best_head
from tests.models.heads.samples import bank_of, group_of, keras_head, state_of

ONLY_TENSORFLOW = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="its gradients are TensorFlow's")
LAYOUTS = [
    {"dense": ()},
    {"dense": (5,)},
    {"dense": (6, 4), "seeds": 3},
    {"dense": (), "seeds": 2, "sampling": "balanced", "mixup": 0.4},
    {"sampling": "balanced", "groups": "softmax", "seeds": 2},
    {"loss": "crossentropy_and_f_beta", "class_weights": "balanced", "label_smoothing": 0.1, "mixup": 0.4},
    {"loss": "focal", "clip": 0.02, "seeds": 2},
    {"dense": (6, 4), "groups": "softmax", "clip": 0.02, "only_labels": ("clear", "cloudy", "haze", "partly_cloudy")},
]


def trained(group: HeadGroup, epochs: int | None = None) -> HeadGroup:
    """Train a group for some epochs, or to its end."""
    training = Training(group)
    while not group.is_over and (epochs is None or group.epochs < epochs):
        training.epoch()
    return group


def compiled(group: HeadGroup, head: keras.Model) -> keras.Model:
    examples = group.examples
    compile_network(head, group.recipe, examples.task, group.steps_per_epoch, examples.training_truth)
    return head


# Against Keras


@ONLY_TENSORFLOW
@pytest.mark.parametrize("values", LAYOUTS, ids=str)
def test_the_gradient_of_every_step_is_that_of_keras(values):
    import tensorflow as tf

    group = group_of(**{"dropout": 0.0, "optimizer": "sgd", **values})
    training, found = Training(group), []
    take = training.steps.take

    def remember(values, gradients, slots, taken) -> None:
        found.append(gradients.copy())
        take(values, gradients, slots, taken)

    training.steps.take = remember
    heads = [compiled(group, keras_head(group, number)) for number in range(group.recipe.seeds)]
    for taken, batch in enumerate(batches_of(group, 0)):
        expected = []
        for number, head in enumerate(heads):
            of_now = [array for layer in group.shape.layers(group.values, number) for array in layer]
            for variable, array in zip(head.trainable_variables, of_now, strict=True):
                variable.assign(array)
            with tf.GradientTape() as tape:
                loss = head.compute_loss(y=batch.targets, y_pred=head(batch.features, training=True))
            gradients = tape.gradient(loss, head.trainable_variables)
            expected.append(tf.clip_by_global_norm(gradients, group.recipe.clip)[0] if group.recipe.clip else gradients)
        training.step(batch, taken)
        for number, gradients in enumerate(expected):
            largest = max(float(tf.reduce_max(tf.abs(gradient))) for gradient in gradients)
            for ours, theirs in zip(group.arrays(found[-1], number), gradients, strict=True):
                np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-5, atol=1e-5 * largest)


@pytest.mark.parametrize(
    "values",
    [
        {"seeds": 2},
        {"groups": "softmax", "sampling": "balanced", "head_norm": "none", "dense": ()},
        {"loss": "asymmetric", "ema": 0.8, "label_smoothing": 0.1},
    ],
    ids=str,
)
def test_the_figures_of_the_chips_held_out_are_those_of_keras(values):
    group = trained(group_of(**values, epochs=2, patience=0))
    features, truth = group.bank.read(group.examples.heldout), group.examples.truth[group.examples.heldout]
    for number, state in enumerate(group.states):
        group.best[:] = group.judged
        head = compiled(group, best_head(group, number))
        found = head.evaluate(features, truth.astype(np.float32), verbose=0, return_dict=True)
        epoch = state.history[-1]
        assert (epoch.heldout_loss, epoch.heldout_metric) == pytest.approx((found["loss"], found["metric"]), abs=1e-5)
        assert epoch.heldout_metric > 0


def test_the_figures_of_an_epoch_are_those_of_its_batches_as_they_were_learnt_from():
    group = group_of(seeds=2, batch_size=16)
    training, told = Training(group), []
    step = training.step
    training.step = lambda batch, taken: told.append((batch.targets.copy(), step(batch, taken))) or told[-1][1]
    training.epoch()
    targets = np.concatenate([targets for targets, _ in told])
    scores = np.concatenate([scores for _, scores in told], axis=1)
    assert len(targets) == 60
    for figures, state in zip(figures_of(group, targets, scores), group.states, strict=True):
        assert (state.history[0].loss, state.history[0].metric) == pytest.approx(figures)
    assert [epoch.learning_rate for epoch in group.states[0].history] == pytest.approx([0.02])


def test_of_very_many_scores_the_first_ones_count_for_the_figures(monkeypatch):
    whole, part = group_of(batch_size=16), group_of(batch_size=16)
    Training(whole).epoch()
    monkeypatch.setattr(training_module, "MOST", 17 * 40)
    Training(part).epoch()
    assert np.array_equal(part.values, whole.values)
    assert part.states[0].history[0].loss == pytest.approx(whole.states[0].history[0].loss, rel=0.2)
    assert part.states[0].history[0].loss != whole.states[0].history[0].loss
    assert part.states[0].history[0].heldout_loss == whole.states[0].history[0].heldout_loss


def test_scores_are_the_same_however_many_chips_are_scored_at_once(monkeypatch):
    group = trained(group_of(seeds=2), 1)
    scores = scores_of(group, group.examples.heldout)
    monkeypatch.setattr(training_module, "AT_ONCE", 7)
    np.testing.assert_allclose(scores_of(group, group.examples.heldout), scores, atol=1e-6)


@pytest.mark.parametrize("values", [{}, {"members": 3}, {"optimizer": "sgd", "learning_rate": 0.5}], ids=str)
def test_the_losses_fall(values):
    group = group_of(**{"epochs": 12, "dropout": 0.1, "seeds": 2, "learning_rate": 0.05, **values})
    history = trained(group).states[1].history
    assert history[-1].loss < 0.9 * history[0].loss
    assert history[-1].heldout_loss < history[0].heldout_loss


# What a head knows


KNOWING = [
    {"class_weights": "balanced", "sampling": "balanced", "mixup": 0.3},
    {"loss": "crossentropy_and_f_beta", "members": 3, "seeds": 1},
    {"ema": 0.9, "head_norm": "none"},
]


@pytest.mark.parametrize("values", KNOWING, ids=str)
@pytest.mark.parametrize("fold", [0, 2])
def test_weights_know_nothing_of_the_chips_held_out(values, fold):
    values = {"seeds": 2, **values, "epochs": 3}
    expected = trained(group_of(fold, **values))
    bank, held = bank_of(), expected.examples.heldout
    random = np.random.default_rng(9)
    for (array,) in bank.maps.values():
        array[held] = random.normal(size=(len(held), 12)) * 1000
    group = group_of(fold, **values)  # with the labels of before
    truth = group.examples.truth
    truth[held] = random.random(truth[held].shape) < 0.9
    group = HeadGroup(group.recipe, dataclasses.replace(group.examples, source=bank))
    trained(group)
    assert np.array_equal(group.values, expected.values)
    assert np.array_equal(group.slots, expected.slots)
    assert group.states[0].history[0].heldout_loss != expected.states[0].history[0].heldout_loss


@pytest.mark.parametrize("values", [{"patience": 2}, *KNOWING], ids=str)
def test_judged_by_chips_set_aside_no_choice_knows_those_held_out(values):
    values = {"seeds": 2, "learning_rate": 0.1, **values, "epochs": 6}
    recipe = group_of(**values).recipe

    def judged(examples: Examples) -> HeadGroup:
        return trained(HeadGroup(recipe, examples.with_inner(None, 0)))

    examples = group_of(**values).examples
    expected = judged(examples)
    truth, held = examples.truth.copy(), examples.heldout
    truth[held] ^= True
    assert state_of(judged(dataclasses.replace(examples, truth=truth))) == state_of(expected)
    truth[expected.examples.inner] ^= True  # which do judge
    assert state_of(judged(dataclasses.replace(examples, truth=truth))) != state_of(expected)


def test_what_it_does_not_hold_out_it_learns_from():
    first, other = trained(group_of(), 1), group_of()
    truth = other.examples.truth
    truth[other.examples.training[5]] ^= True
    trained(HeadGroup(other.recipe, other.examples), 1)
    changed = HeadGroup(other.recipe, other.examples)
    assert not np.array_equal(trained(changed, 1).values, first.values)


def test_training_is_the_same_to_the_bit_again_and_another_with_another_seed():
    one, again, other = (trained(group_of(seed=seed), 2) for seed in (3, 3, 4))
    assert state_of(one) == state_of(again)
    assert not np.array_equal(one.values, other.values)


# Each head by itself


def test_each_head_keeps_the_weights_of_its_own_best_epoch_and_stops_by_itself():
    group = group_of(seeds=3, epochs=30, patience=2, learning_rate=0.1, dense=(4,))
    training, judged = Training(group), []
    while not group.is_over:
        training.epoch()
        judged.append(group.judged.copy())
    ends = [(state.best, state.epochs) for state in group.states]
    assert len(set(ends)) == 3, "choose another rate, by which the three end apart"
    for number, state in enumerate(group.states):
        metrics = [epoch.heldout_metric for epoch in state.history]
        assert state.best == int(np.argmax(metrics))
        assert state.epochs == 30 or state.waited == 2
        for kept, then in zip(group.arrays(group.best, number), group.arrays(judged[state.best], number), strict=True):
            assert np.array_equal(kept, then)


@pytest.mark.parametrize("values", [{}, {"ema": 0.9}, {"members": 2}], ids=str)
def test_the_mean_of_the_best_epochs_weights_is_kept(values):
    group = group_of(**{"seeds": 2, "swa": 2, "epochs": 5, "learning_rate": 0.2, **values})
    training, judged = Training(group), []
    for _ in range(5):
        training.epoch()
        judged.append(group.judged.copy())
    for head, state in enumerate(group.states):
        metrics = [epoch.heldout_metric for epoch in state.history]
        best = sorted(range(5), key=lambda number: (-metrics[number], number))[:2]
        expected = np.mean([judged[number] for number in best], axis=0, dtype=np.float64)
        for kept, mean in zip(group.arrays(group.best, head), group.arrays(expected, head), strict=True):
            np.testing.assert_array_equal(kept, mean.astype(np.float32))


def test_a_head_that_has_ended_may_become_no_number_and_stops_no_other():
    group = trained(group_of(seeds=2, epochs=3, patience=1), 1)
    state = group.states[0]
    state.add(dataclasses.replace(state.history[0], number=1, heldout_metric=0.0))
    other = group.states[1]
    other.add(dataclasses.replace(other.history[0], number=1, heldout_metric=1.0))
    for array in group.arrays(group.values, 0):
        array[...] = np.nan
    trained(group)
    assert (state.epochs, other.epochs) == (2, 3)


# What goes wrong


@pytest.mark.parametrize("members", [1, 3])
def test_a_loss_that_is_no_number_ends_in_one_line(members):
    group = group_of(members=members, optimizer="sgd", learning_rate=1e30)
    line = r"^The loss became (nan|inf) in epoch \d, at a learning rate of 1e\+30\.$"
    with pytest.raises(DivergedError, match=line):
        trained(group)
    assert not any(np.isnan(epoch.loss) for epoch in group.states[0].history)


def test_features_that_are_no_number_end_in_the_same_line():
    bank = FeatureBank(12, {view: (array.copy(),) for view, (array,) in bank_of().maps.items()})
    for (array,) in bank.maps.values():
        array[4, 3] = np.nan
    group = group_of()
    with pytest.raises(DivergedError, match=r"The loss became nan in epoch 1"):
        trained(HeadGroup(group.recipe, dataclasses.replace(group.examples, source=bank)))


def test_what_is_raised_after_a_step_ends_the_epoch_which_does_not_count():
    group, steps = group_of(batch_size=16), []

    def stop() -> None:
        steps.append(1)
        if len(steps) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Training(group).epoch(stop)
    assert len(steps) == 2
    assert not group.epochs


# Pseudo-labels


def taught(group: HeadGroup, weight: float, counted: float = 1.0) -> HeadGroup:
    """Return the same heads, the last third of whose chips follow as chips with pseudo-labels: their labels."""
    examples, count = group.examples, len(group.examples.truth)
    first, last = examples.training[:40], examples.training[40:]
    truth = examples.truth[last].astype(np.float32) * weight * counted
    planes = np.concatenate([truth, weight * counted - truth], axis=1)
    behind = FeatureBank(group.bank.num_features, {v: (m[0][last],) for v, m in group.bank.maps.items()})
    bank = group.bank.followed_by(behind)
    bare = Taught.of(examples.truth)
    of_both = Taught(np.concatenate([bare.planes, planes]), count + np.arange(len(last)))
    assert count == len(next(iter(group.bank.maps.values()))[0])
    return HeadGroup(group.recipe, dataclasses.replace(examples, source=bank, training=first, taught=of_both))


PLAIN = {"dropout": 0.0, "augment": (), "head_norm": "none", "batch_size": 64, "epochs": 3}


def test_right_pseudo_labels_of_full_weight_teach_what_labels_do():
    whole = group_of(**PLAIN)
    student = taught(whole, 1.0)
    student.values[...] = whole.values  # which begin at the labels' frequencies
    assert student.steps_per_epoch == whole.steps_per_epoch == 1
    np.testing.assert_allclose(trained(student).values, trained(whole).values, rtol=1e-4, atol=1e-6)


def test_the_less_they_weigh_the_less_they_teach_and_figures_are_of_labelled_chips():
    whole = group_of(**PLAIN)
    first = HeadGroup(whole.recipe, dataclasses.replace(whole.examples, training=whole.examples.training[:40]))
    nothing, little = taught(whole, 0.0), taught(whole, 0.01)
    for group in (first, nothing, little):
        group.values[...] = whole.values
        trained(group, 1)
    losses = [group.states[0].history[0].loss for group in (first, nothing, little)]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-5)
    assert np.abs(nothing.values - little.values).max() > 0


def test_pseudo_labels_are_mixed_as_labels_are():
    group = trained(taught(group_of(mixup=0.4, sampling="balanced", seeds=2), 0.5))
    assert np.isfinite(group.values).all()
    assert group.states[0].epochs == 4


# Weights of chips


def weighed(group: HeadGroup, weights: np.ndarray) -> HeadGroup:
    """Return the same heads, whose chips count by weights."""
    taught = Taught.of(group.examples.truth).weighed(weights)
    return HeadGroup(group.recipe, dataclasses.replace(group.examples, taught=taught))


BIT_BY_BIT = [*({**values, "mixup": 0.0} for values in LAYOUTS), {"members": 3, "mixup": 0.4}, {"loss": "soft_f_beta"}]


@pytest.mark.parametrize("values", BIT_BY_BIT, ids=str)
def test_weights_of_one_teach_the_same_to_the_bit(values):
    group = group_of(**values)
    assert state_of(trained(weighed(group, np.ones(len(group.examples.truth))))) == state_of(trained(group))


@pytest.mark.parametrize(
    "values", [{}, {"loss": "focal", "seeds": 2}, {"groups": "softmax"}, {"loss": "crossentropy_and_f_beta"}], ids=str
)
def test_a_chip_that_weighs_two_teaches_as_two_that_stand_there(values):
    plain = group_of(**PLAIN, **values)
    first, count = plain.examples.training[::2], len(plain.examples.truth)
    weights = np.where(np.isin(np.arange(count), first), 2.0, 0.0)
    group = weighed(plain, weights)
    twice = HeadGroup(plain.recipe, dataclasses.replace(plain.examples, training=np.repeat(first, 2)))
    group.values[...] = twice.values
    assert group.steps_per_epoch == twice.steps_per_epoch == 1
    np.testing.assert_allclose(trained(group).values, trained(twice).values, rtol=1e-4, atol=1e-6)
    for one, other in zip(group.states, twice.states, strict=True):
        assert one.history[0].loss == pytest.approx(other.history[0].loss, rel=1e-4)


def test_weighed_chips_are_drawn_by_their_labels_and_mixed_with_their_weights():
    values = {"mixup": 0.4, "sampling": "balanced", "groups": "softmax", "seeds": 2}
    plain = group_of(**values)
    weights = np.random.default_rng(0).exponential(size=len(plain.examples.truth))
    group = weighed(plain, weights)
    np.testing.assert_array_equal(group.examples.order(group.recipe, 0), plain.examples.order(plain.recipe, 0))
    for ours, theirs in zip(batches_of(group, 0), batches_of(plain, 0), strict=True):
        np.testing.assert_array_equal(ours.features, theirs.features)
        assert not np.allclose(ours.targets.sum(axis=1), theirs.targets.shape[1])
    assert np.isfinite(trained(group).values).all()
    assert not np.array_equal(group.values, trained(plain).values)


def test_weights_have_no_say_in_how_epochs_are_judged_and_in_what_counts_as_carried():
    group = group_of(**PLAIN)
    weights = np.full(len(group.examples.truth), 0.3)
    quiet = weighed(group, weights)
    targets = quiet.examples.targets(group.examples.training)
    scores = np.random.default_rng(0).random((1, len(targets), 17)).astype(np.float32)
    (ours,), (theirs,) = figures_of(quiet, targets, scores), figures_of(group, group.examples.training_truth, scores)
    assert ours.metric == theirs.metric
    assert ours.loss == pytest.approx(0.3 * theirs.loss, rel=1e-5)
    training = Training(quiet)
    training.epoch()
    judged = figures_of(group, group.examples.truth[group.examples.heldout], quiet.judged_scores)
    assert (quiet.states[0].history[0].heldout_loss, quiet.states[0].history[0].heldout_metric) == judged[0]
