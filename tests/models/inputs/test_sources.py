"""Sources: chips kept no larger than they are or are needed, and banks that models share."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from competition.workspace import Workspace
from models.inputs.sources import Sources
from tests.conftest import CHIP_SIZE, NUM_TEST, NUM_TRAIN
from tests.models.samples import frozen, output_of, tiny_recipe


def sources_of(workspace: Workspace, **values: Any) -> Sources:
    return Sources(workspace, tiny_recipe(**values))


@pytest.mark.parametrize(("input_size", "expected"), [(16, 16), (CHIP_SIZE, CHIP_SIZE), (96, CHIP_SIZE)])
def test_chips_are_kept_no_larger_than_they_are_or_are_needed(workspace, input_size, expected):
    sources = sources_of(workspace, input_size=input_size)
    assert sources.inputs.size == expected
    cache = sources.cache("train")
    assert (len(cache), cache.chip_shape) == (NUM_TRAIN, (expected, expected, 3))
    assert sources.cache("train") is cache


def test_chips_are_kept_at_the_largest_size_of_progressive_training(workspace):
    for sizes in ((8, 16), (24, 16)):
        sources = sources_of(workspace, progressive=sizes, pooling=("avg",), epochs=3)
        assert sources.inputs.size == max(*sizes, 16)


def test_chips_come_with_the_bands_asked_for_in_the_files_values(workspace):
    sources = sources_of(workspace, images="tif", bands="NR")
    chips = sources.chips("train").read(np.arange(3))
    assert chips.dtype == np.float32
    np.testing.assert_array_equal(chips, sources.cache("train").read(np.arange(3))[..., [3, 2]])
    assert (sources.inputs.bands, len(sources.inputs.low)) == ("NR", 2)


def test_a_bank_holds_the_extractors_features_of_a_splits_chips(workspace, tiny_net, tiny_weights):
    sources = sources_of(workspace, **frozen(tiny_weights))
    for split, count in (("train", NUM_TRAIN), ("test", NUM_TEST)):
        bank, chips = sources.bank(split, ("identity",)), sources.chips(split)
        positions = np.arange(count)
        expected = output_of(sources.extractor, chips.read(positions).astype(np.float32))
        np.testing.assert_allclose(bank.read(positions), expected, rtol=2e-3, atol=2e-3)


def test_models_that_differ_behind_the_backbone_share_a_bank(workspace, tiny_net, tiny_weights, monkeypatch):
    sources_of(workspace, **frozen(tiny_weights)).bank("train", ("identity",))
    monkeypatch.setattr("models.inputs.sources.build_extractor", None)  # there is nothing to compute
    others: list[dict[str, Any]] = [{"dense": ()}, {"seed": 4}, {"views": "d4"}, {"augment": ()}, {"epochs": 9}]
    for other in others:
        sources_of(workspace, **frozen(tiny_weights, **other)).bank("train", ("identity",))
    folders = [path for path in (workspace.cache / "features").iterdir() if path.is_dir()]
    assert len(folders) == 1


def test_a_variant_of_the_recipe_has_a_bank_of_the_same_chips(workspace, tiny_net, tiny_weights):
    """As the head before fine-tuning at a smaller size has: the chips stay those of the whole recipe."""
    sources = sources_of(workspace, **frozen(tiny_weights, train="finetune"))
    smaller = dataclasses.replace(sources.recipe, train="head", input_size=8)
    bank = sources.bank("train", ("identity",), smaller)
    assert sources.cache("train").chip_shape == (16, 16, 3)
    whole = sources.bank("train", ("identity",))
    assert not np.allclose(bank.read(np.arange(5)), whole.read(np.arange(5)), atol=1e-3)
    assert len(list((workspace.cache / "features").glob("tinynet-8px-*/bank.json"))) == 1
