"""Heads: the paper's, linear ones, and the shift that undoes balanced batches."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from models.networks.heads import Priors, build_head, standardize
from models.networks.layers import PriorShift
from tests.models.samples import NUM_LABELS, PLANET, moved, output_of, tiny_recipe


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
