"""Batches of heads: every training chip, under one of the views; what is dropped depends on seed and place alone."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from models.heads import batches
from models.heads.batches import batches_of
from models.heads.group import HeadGroup
from models.inputs.batches import drawn_order
from models.inputs.feature_bank import FeatureBank
from tests.models.heads.samples import NUM_CHIPS, bank_of, group_of, recipe_for


def copied(group: HeadGroup, epoch: int = 0) -> list[tuple[Any, ...]]:
    """Return what every batch of an epoch holds, copied."""
    return [(batch.features.copy(), batch.targets.copy(), batch.masks) for batch in batches_of(group, epoch)]


def joined(group: HeadGroup, epoch: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return features and targets of an epoch."""
    features, targets, _ = zip(*copied(group, epoch), strict=True)
    return np.concatenate(features), np.concatenate(targets)


@pytest.mark.parametrize("sampling", ["uniform", "balanced"])
@pytest.mark.parametrize("head_norm", ["none", "batch"])
def test_an_epoch_holds_the_drawn_chips_with_their_labels_each_under_one_of_the_views(sampling, head_norm):
    group = group_of(dropout=0.0, sampling=sampling, head_norm=head_norm)
    examples, seen = group.examples, []
    for epoch in range(3):
        order = drawn_order(examples.training, examples.truth, group.recipe, epoch)
        features, targets = joined(group, epoch)
        assert np.array_equal(targets, examples.truth[order])
        shown = []
        for view in group.recipe.drawn_views:
            under = group.bank.under(view, order)
            group.standardise(under)
            shown.append((features == under).all(axis=1))
        assert (np.sum(shown, axis=0) == 1).all()
        seen.append(np.argmax(shown, axis=0))
    shares = np.bincount(np.concatenate(seen), minlength=len(shown)) / (3 * len(order))
    assert shares == pytest.approx(1 / len(shown), abs=0.12)
    assert not np.array_equal(seen[0], seen[1])


@pytest.mark.parametrize("batch_size", [7, 16, 60, 500])
def test_the_last_batch_holds_what_is_left(batch_size):
    group = group_of(batch_size=batch_size, dropout=0.0)
    sizes = [len(targets) for _, targets, _ in copied(group)]
    assert sum(sizes) == 60
    assert len(sizes) == group.steps_per_epoch
    assert set(sizes[:-1]) <= {batch_size}


def test_batches_made_ahead_are_those_made_when_asked_for(monkeypatch):
    group = group_of(dropout=0.5)
    expected = copied(group)
    monkeypatch.setattr(batches, "AHEAD", 1)
    for batch, wanted in zip(copied(group), expected, strict=True):
        assert all(map(np.array_equal, batch[:2], wanted[:2]))
        assert all(map(np.array_equal, batch[2], wanted[2]))


def test_a_batch_stays_as_it_is_while_the_next_one_is_made(monkeypatch):
    monkeypatch.setattr(batches, "AHEAD", 1)
    group = group_of()
    for batch in batches_of(group, 0):
        before = batch.features.copy()
        time.sleep(0.005)
        assert np.array_equal(batch.features, before)


@pytest.mark.parametrize(("of_features", "of_units"), [(0.1, 0.1), (0.5, 0.75), (0.6, 0.0), (0.0, 0.3)])
@pytest.mark.parametrize("head_norm", ["none", "batch"])
def test_dropout_drops_the_share_it_says_and_multiplies_what_is_kept(of_features, of_units, head_norm):
    values = {"bank": bank_of(num_features=600), "dense": (500, 30), "seeds": 2, "head_norm": head_norm}
    group = group_of(**values, dropout=of_units, input_dropout=of_features)
    features, expected = joined(group)[0], joined(group_of(**values, dropout=0.0))[0]
    kept = features != 0
    assert 1 - kept.mean() == pytest.approx(of_features, abs=0.01)
    assert not of_features or kept.all(axis=0).mean() < 0.05  # not always the same ones
    np.testing.assert_allclose(features[kept], expected[kept] / (1 - of_features), rtol=1e-4, atol=1e-5)
    every = [masks for *_, masks in copied(group)]
    assert all(len(masks) == (2 if of_units else 0) for masks in every)
    for mask in (mask for masks in every for mask in masks):
        assert mask.mean() == pytest.approx(1 - of_units, abs=0.06)


def test_what_is_kept_is_multiplied_so_that_the_mean_is_kept():
    ones = FeatureBank(200, {"identity": (np.ones((NUM_CHIPS, 200), np.float16),)})
    features, _ = joined(group_of(bank=ones, augment=(), head_norm="none", dropout=0.2))
    assert {*np.unique(features)} == {0.0, np.float32(1.25)}
    assert features.mean() == pytest.approx(1, abs=0.02)


def test_without_dropout_nothing_is_dropped():
    for features, _, masks in copied(group_of(dropout=0.0)):
        assert not masks
        assert (features != 0).all()


def test_draws_differ_between_batches_epochs_heads_layers_and_seeds_and_are_made_again_alike():
    group = group_of(dense=(40, 40), seeds=2, dropout=0.5)
    first, again, later = copied(group), copied(group), copied(group, 1)
    for (features, targets, masks), (same, wanted, kept) in zip(first, again, strict=True):
        assert np.array_equal(features, same)
        assert np.array_equal(targets, wanted)
        assert all(np.array_equal(*pair) for pair in zip(masks, kept, strict=True))
    other = copied(group_of(dense=(40, 40), seeds=2, dropout=0.5, seed=5))
    batches = [*first[:3], *later[:3], *other[:3]]
    drawn = [mask[:, head].tobytes() for *_, masks in batches for mask in masks for head in range(2)]
    assert len(set(drawn)) == len(drawn) == 9 * 4
    assert len({(features != 0).tobytes() for features, *_ in batches}) == 9


def test_mixed_chips_have_mixed_features_and_labels_by_the_same_shares():
    recipe = recipe_for()
    truth = group_of().examples.truth
    told = truth @ np.random.default_rng(0).integers(1, 9, (17, 12))  # small whole numbers are the same in float16
    bank = FeatureBank(12, {view: (told.astype(np.float16),) for view in recipe.drawn_views})
    group = group_of(bank=bank, mixup=0.5, head_norm="none", dropout=0.0)
    group.examples.truth[:] = truth
    features, targets = joined(group)
    share = np.mean((targets > 0) & (targets < 1))
    assert 0.05 < share < 0.9
    np.testing.assert_allclose(features, targets @ np.linalg.lstsq(truth.astype(float), told, rcond=None)[0], atol=1e-3)
