"""Heads: the paper's, linear ones, those of several members, and the shift that undoes balanced batches."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from models.networks.heads import Priors, build_head, standardize
from models.networks.layers import PriorShift
from models.recipes.recipe import Recipe
from tests.models.samples import NUM_LABELS, PLANET, moved, output_of, tiny_recipe
from tests.models.tabm_by_hand import layers_of, mean_scores, member_logits

BANK = {"backbone": "VGG16", "weights": "imagenet", "train": "head", "pooling": ("avg",)}


def head_of(num_features: int = 6, priors: Priors | None = None, **values) -> keras.Model:
    recipe = tiny_recipe(**values)
    return build_head(recipe, num_features, recipe.task(PLANET), priors)


def test_the_head_is_the_papers():
    head = head_of(dense=(9, 5), dropout=0.4)
    kinds = [type(layer).__name__ for layer in head.layers[1:]]
    assert kinds == ["Dropout", "Dense", "Dropout", "Dense", "Dropout", "Dense", "ScoreLayer"]
    assert [layer.units for layer in head.layers if isinstance(layer, layers.Dense)] == [9, 5, NUM_LABELS]
    assert {layer.rate for layer in head.layers if isinstance(layer, layers.Dropout)} == {0.4}
    scores = output_of(head, np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32))
    assert scores.shape == (3, NUM_LABELS)
    assert ((scores > 0) & (scores < 1)).all()


def test_without_dense_layers_a_head_is_a_linear_probe():
    head = head_of(dense=())
    features = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    kernel, bias = head.get_layer("logits").get_weights()
    np.testing.assert_allclose(output_of(head, features), 1 / (1 + np.exp(-(features @ kernel + bias))), rtol=1e-5)


def test_a_normalisation_comes_first_if_asked_for():
    assert isinstance(head_of(head_norm="batch").layers[1], layers.BatchNormalization)
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in head_of().layers)


def test_a_normalisation_may_begin_with_the_moments_of_its_features():
    head, features = head_of(head_norm="batch"), np.random.default_rng(0).normal(3, 2, size=(500, 6)).astype(np.float16)
    standardize(head, features)
    normal = ops.convert_to_numpy(head.layers[1](features.astype(np.float32)))
    np.testing.assert_allclose(normal.mean(axis=0), 0, atol=1e-2)
    np.testing.assert_allclose(normal.std(axis=0), 1, atol=1e-2)
    standardize(head_of(), features)  # has none


def test_a_specialists_head_scores_its_labels():
    assert head_of(only_labels=("water", "haze")).output_shape == (None, 2)


def test_a_head_begins_with_the_labels_frequencies():
    """So that its first gradients are about the features, not about how rare a label is."""
    frequencies = np.linspace(0.002, 0.9, NUM_LABELS)
    logits = np.log(frequencies / (1 - frequencies)).astype(np.float32)
    said = output_of(head_of(priors=Priors(logits)), np.zeros((1, 6), dtype=np.float32))[0]
    np.testing.assert_allclose(said, frequencies, rtol=1e-4)


# Several members


def recipe_of_members(members: int = 3, **values) -> Recipe:
    return tiny_recipe(**BANK, **{"members": members, "dense": (9, 5), **values})


def head_of_members(priors: Priors | None = None, **values) -> keras.Model:
    """Return a head of members whose weights are random everywhere."""
    recipe = recipe_of_members(**values)
    head, random = build_head(recipe, 6, recipe.task(PLANET), priors), np.random.default_rng(4)
    for weights in head.weights:
        if "seed" not in weights.path:
            weights.assign(random.uniform(0.5, 1.5, weights.shape) * random.choice([-1, 1], weights.shape))
    return head


FEATURES = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)


def test_members_score_as_the_paper_says_and_their_scores_are_averaged():
    head = head_of_members()
    scores = output_of(head, FEATURES)
    assert head.output_shape == (None, NUM_LABELS)
    np.testing.assert_allclose(scores, mean_scores(FEATURES, layers_of(head)), atol=1e-5)
    assert np.ptp(member_logits(FEATURES, layers_of(head)), axis=1).min() > 0  # no two are the same


def test_a_member_alone_is_the_plain_head_of_its_weights():
    (first, second, last), head = layers_of(head_of_members(members=2)), head_of(dense=(9, 5))
    for member in range(2):
        for layer, name in ((first, "dense0"), (second, "dense1")):
            kernel = layer["r"][member][:, None] * layer["kernel"] * layer["s"][member]
            head.get_layer(name).set_weights([kernel, layer["bias"][member]])
        head.get_layer("logits").set_weights([last["kernel"][member], last["bias"][member]])
        of_member = 1 / (1 + np.exp(-member_logits(FEATURES, [first, second, last])[:, member]))
        np.testing.assert_allclose(output_of(head, FEATURES), of_member, atol=1e-5)


def test_the_layout_of_the_weights_of_members():
    recipe = recipe_of_members(head_norm="batch")
    head = build_head(recipe, 6, recipe.task(PLANET))
    kinds = ["BatchNormalization", *["Dropout", "SharedDense"] * 2, "Dropout", "OwnDense", "ScoreLayer"]
    assert [type(layer).__name__ for layer in head.layers[1:]] == [*kinds, "GlobalAveragePooling1D"]
    names = ["norm", "dropout0", "dense0", "dropout1", "dense1", "dropout", "logits", "scores", "mean"]
    assert [layer.name for layer in head.layers[1:]] == names
    shapes = [[weights.shape for weights in head.get_layer(name).get_weights()] for name in ("dense0", "dense1")]
    assert shapes == [[(6, 9), (3, 6), (3, 9), (3, 9)], [(9, 5), (3, 9), (3, 5), (3, 5)]]
    assert [w.shape for w in head.get_layer("logits").get_weights()] == [(3, 5, NUM_LABELS), (3, NUM_LABELS)]


def test_members_begin_apart_by_random_signs_and_by_last_layers_of_their_own():
    keras.utils.set_random_seed(3)
    recipe, frequencies = recipe_of_members(members=8, dense=(9, 5)), np.linspace(0.002, 0.9, NUM_LABELS)
    logits = np.log(frequencies / (1 - frequencies)).astype(np.float32)
    head = build_head(recipe, 6, recipe.task(PLANET), Priors(logits))
    first, second, last = layers_of(head)
    assert set(np.unique(first["r"])) == {-1.0, 1.0}
    assert len(np.unique(first["r"], axis=0)) > 4
    assert {float(value) for name in ("r", "s") for value in np.unique(second[name])} == {1.0}
    assert (first["s"] == 1).all()
    assert not first["bias"].any()
    assert not second["bias"].any()
    assert len(np.unique(last["kernel"])) == last["kernel"].size
    assert np.abs(last["kernel"]).max() <= np.sqrt(6 / (5 + NUM_LABELS))
    np.testing.assert_allclose(output_of(head, np.zeros((1, 6), dtype=np.float32))[0], frequencies, rtol=1e-4)
    keras.utils.set_random_seed(3)
    assert not any(moved(head.get_weights(), build_head(recipe, 6, recipe.task(PLANET), Priors(logits)).get_weights()))


def test_members_share_a_softmax_and_are_shifted_each_by_itself():
    rising = np.arange(NUM_LABELS, dtype=np.float32)
    recipe = recipe_of_members(groups="softmax", sampling="balanced")
    head = build_head(recipe, 6, recipe.task(PLANET), Priors(0 * rising, rising))
    (group,) = recipe.task(PLANET).exclusive_columns
    np.testing.assert_allclose(output_of(head, FEATURES)[:, group].sum(axis=1), 1, rtol=1e-5)
    shift = head.get_layer("prior_shift")
    logits = member_logits(FEATURES, layers_of(head)).astype(np.float32)
    np.testing.assert_allclose(ops.convert_to_numpy(shift(logits, training=True)), logits + rising, rtol=1e-6)


def test_a_head_of_members_comes_back_from_its_weights_and_from_its_file(tmp_path):
    head = head_of_members()
    head.save_weights(tmp_path / "head.weights.h5")
    recipe = recipe_of_members(seed=9)
    other = build_head(recipe, 6, recipe.task(PLANET))
    other.load_weights(tmp_path / "head.weights.h5")
    np.testing.assert_array_equal(output_of(other, FEATURES), output_of(head, FEATURES))
    head.save(tmp_path / "head.keras")
    whole = keras.saving.load_model(tmp_path / "head.keras", safe_mode=True)
    np.testing.assert_array_equal(output_of(whole, FEATURES), output_of(head, FEATURES))


# Balanced batches


def test_the_shift_is_saved_with_the_head_and_uniform_batches_have_none(tmp_path):
    rising = np.arange(NUM_LABELS, dtype=np.float32)
    head = head_of(sampling="balanced", priors=Priors(-rising, 0 * rising))
    head.save_weights(tmp_path / "head.weights.h5")
    other = head_of(sampling="balanced", seed=5)
    other.load_weights(tmp_path / "head.weights.h5")
    assert not any(moved(head.get_weights(), other.get_weights()))
    np.testing.assert_array_equal(other.get_layer("prior_shift").get_weights()[0], np.arange(NUM_LABELS))
    assert not any(isinstance(layer, PriorShift) for layer in head_of().layers)
