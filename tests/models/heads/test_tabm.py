"""TabM heads in flat buffers: the scores and gradients of the Keras head, members and seeds that differ."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from models.heads.losses import head_loss
from models.heads.tabm import TabmShape
from models.networks.heads import build_head
from tests.models.samples import PLANET, frozen, tiny_recipe

NUM_FEATURES, MEMBERS, SEEDS = 7, 3, 2


def recipe_of(dense: tuple[int, ...]):
    return tiny_recipe(**frozen("imagenet", dense=dense, members=MEMBERS, dropout=0.0, seeds=SEEDS))


@pytest.fixture(params=[(5,), (6, 4)], ids=str)
def made(request):
    """A recipe, its shape, weights of which none is special, features and targets."""
    recipe, random = recipe_of(request.param), np.random.default_rng(0)
    shape = TabmShape(NUM_FEATURES, (*request.param, 17), SEEDS, MEMBERS)
    values = random.normal(size=shape.num_weights).astype(np.float32) * 0.7
    features = random.normal(size=(11, NUM_FEATURES)).astype(np.float32)
    return recipe, shape, values, features, (random.random((11, 17)) < 0.3).astype(np.float32)


def keras_head(recipe, shape, values, number) -> keras.Model:
    head = build_head(recipe, NUM_FEATURES, recipe.task(PLANET))
    names = [*(f"dense{place}" for place in range(len(recipe.dense))), "logits"]
    for name, weights in zip(names, shape.layers(values, number), strict=True):
        head.get_layer(name).set_weights(weights)
    return head


def test_the_mean_of_the_members_scores_is_what_the_keras_head_says(made):
    recipe, shape, values, features, _ = made
    loss = head_loss(recipe, recipe.task(PLANET), np.zeros((1, 17), bool))
    scores = loss.scores(shape.stack(values).logits(features)).reshape(SEEDS, MEMBERS, 11, 17)
    for number in range(SEEDS):
        expected = keras_head(recipe, shape, values, number).predict_on_batch(features)
        np.testing.assert_allclose(scores[number].mean(axis=0), expected, atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="its gradients are TensorFlow's")
def test_gradients_are_those_of_the_mean_of_the_members_losses(made):
    import tensorflow as tf

    recipe, shape, values, features, targets = made
    loss = head_loss(recipe, recipe.task(PLANET), np.zeros((1, 17), bool))
    stack, gradients = shape.stack(values), np.empty_like(values)
    by_logits = loss.gradient(targets, loss.scores(stack.logits(features))) / np.float32(11 * MEMBERS)
    stack.gradients(by_logits, gradients)
    for number in range(SEEDS):
        head = keras_head(recipe, shape, values, number)
        inner = keras.Model(head.input, head.get_layer("logits").output)
        with tf.GradientTape() as tape:
            logits = inner(features)
            wanted = tf.nn.sigmoid_cross_entropy_with_logits(tf.broadcast_to(targets[:, None], logits.shape), logits)
            value = tf.reduce_mean(wanted)
        expected = tape.gradient(value, inner.trainable_variables)
        found = [array for layer in shape.layers(gradients, number) for array in layer]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other.numpy(), rtol=1e-4, atol=1e-6)


def test_members_begin_apart_and_seeds_too(made):
    _, shape, *_ = made
    values = shape.begin(np.arange(17), [3, 4])
    first, second = (shape.layers(values, number) for number in range(SEEDS))
    assert set(np.unique(first[0][1])) == {-1, 1}
    assert len(np.unique(first[0][1], axis=0)) == MEMBERS
    assert all((r == 1).all() for _, r, *_ in first[1:-1])
    assert not np.allclose(first[0][0], second[0][0])
    np.testing.assert_array_equal(first[-1][1], np.tile(np.arange(17), (MEMBERS, 1)))


def test_what_dropout_drops_has_no_gradient(made):
    _, shape, values, features, _ = made
    stack, gradients = shape.stack(values), np.empty_like(values)
    masks = [np.zeros(sizes, bool) for sizes in shape.mask_shapes(11)]
    logits = stack.logits(features, masks, 2.0)
    stack.gradients(np.ones_like(logits), gradients)
    for number in range(SEEDS):
        *hidden, (kernel, bias) = shape.layers(gradients, number)
        assert not any(array.any() for layer in hidden for array in layer)
        assert not kernel.any()
        assert (bias == 11).all()
