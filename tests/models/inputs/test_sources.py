"""Sources: chips kept no larger than they are or are needed, and banks that models share."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest

from competition.common.errors import UserError
from competition.workspace import Workspace
from models.inputs.sources import Sources
from tests.conftest import CHIP_SIZE, NUM_TEST, NUM_TRAIN
from tests.models.samples import frozen, joint_of, output_of, tiny_recipe


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
        expected = output_of(sources.extractor.network, chips.read(positions).astype(np.float32))
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


# Joint recipes


def test_a_joint_bank_is_the_banks_that_its_parts_have_anyhow(workspace, tiny_net, tiny_weights, monkeypatch, lines):
    """Also where their chips are of other sizes."""
    one = tiny_recipe(**frozen(tiny_weights, levels=2))
    other = tiny_recipe(**frozen(tiny_weights, pooling=("max", "avg"), input_size=CHIP_SIZE))
    banks = [Sources(workspace, recipe).bank("train", ("identity", "mirror")) for recipe in (one, other)]
    folders = sorted((workspace.cache / "features").iterdir())
    monkeypatch.setattr("models.inputs.sources.build_extractor", None)  # there is nothing to compute
    lines.clear()
    sources = Sources(workspace, joint_of(one, other))
    joint, positions = sources.bank("train", ("identity", "mirror")), np.arange(NUM_TRAIN)[::-1]
    for view in ("identity", "mirror"):
        beside = np.concatenate([bank.under(view, positions) for bank in banks], axis=1)
        np.testing.assert_array_equal(joint.under(view, positions), beside)
    assert joint.num_features == sum(bank.num_features for bank in banks) == 6 + 4 + 8
    assert sorted((workspace.cache / "features").iterdir()) == folders
    assert lines == []
    assert sources.inputs.size == sources.cache("train").chip_shape[0] == CHIP_SIZE
    assert sources.cache("train") is sources.parts[1].cache("train")


def test_a_joint_bank_fills_the_banks_of_its_parts(workspace, tiny_net, tiny_weights, monkeypatch):
    one, other = (tiny_recipe(**frozen(tiny_weights, levels=levels)) for levels in (1, 2))
    joint = Sources(workspace, joint_of(one, other)).bank("test", ("identity",))
    monkeypatch.setattr("models.inputs.sources.build_extractor", None)
    alone = Sources(workspace, other).bank("test", ("identity",))
    np.testing.assert_array_equal(joint.read(np.arange(NUM_TEST))[:, 4:], alone.read(np.arange(NUM_TEST)))


def test_a_joint_extractor_makes_of_chips_what_the_bank_holds(workspace, tiny_net, tiny_weights):
    one, other = (tiny_recipe(**frozen(tiny_weights, levels=levels)) for levels in (1, 2))
    sources, positions = Sources(workspace, joint_of(one, other)), np.arange(9)
    expected = output_of(sources.extractor.network, sources.chips("train").read(positions).astype(np.float32))
    np.testing.assert_allclose(sources.bank("train", ("identity",)).read(positions), expected, rtol=2e-3, atol=2e-3)


def test_parts_of_several_sizes_make_their_own_chips_of_larger_ones(workspace, tiny_net, tiny_weights):
    """As Pillow makes them for each part by itself, so that what is predicted is what was learnt from."""
    one, other = (tiny_recipe(**frozen(tiny_weights, input_size=size)) for size in (12, 24))
    sources, plain = Sources(workspace, joint_of(one, other)), sources_of(workspace, input_size=CHIP_SIZE)
    assert (sources.inputs.size, sources.cache("train").chip_shape[0]) == (CHIP_SIZE, 24)
    positions = np.arange(NUM_TRAIN)
    made = output_of(sources.extractor.network, plain.chips("train").read(positions).astype(np.float32))
    off = np.abs(made - sources.bank("train", ("identity",)).read(positions))
    assert np.median(off) < 1e-3
    assert off.max() < 0.02  # a pixel that lies between two values
    for part in sources.parts:
        chips = plain.chips("train").read(positions).astype(np.float32)
        seen = output_of(_up_to(sources.extractor.network, part), chips)
        differs = seen != part.chips("train").read(positions)
        assert differs.mean() < 0.01


def _up_to(extractor: keras.Model, part: Sources) -> keras.Model:
    layers = [layer for layer in extractor.layers if layer.name.endswith("_chips")]
    (layer,) = [layer for layer in layers if layer.size == part.inputs.size]
    return keras.Model(extractor.input, layer.output)


def test_parts_of_other_chips_are_not_put_side_by_side(workspace, tiny_net, tiny_weights, monkeypatch):
    one, other = (tiny_recipe(**frozen(tiny_weights, input_size=size)) for size in (16, 24))
    sources = Sources(workspace, joint_of(one, other))
    sources._caches["train", 16] = dataclasses.replace(sources.parts[0].cache("train"), names=("x",))
    with pytest.raises(UserError, match=r"^The chips of train changed while those of the parts of part0,part1 were"):
        sources.bank("train", ("identity",))


def test_a_graph_is_held_against_chips_of_the_whole_set(workspace, monkeypatch):
    """The first of a set may all be alike, such as black ones."""
    given = []
    monkeypatch.setattr("models.inputs.sources.made_graph", lambda *args: given.append(args[-1]))
    (workspace.root / "net.onnx").write_bytes(b"any")
    sources = sources_of(
        workspace, backbone="file", weights=str(workspace.root / "net.onnx"), mean=(0.5,), deviation=(0.5,),
        train="head", pooling=("avg",), augment=("d4",),
    )  # fmt: skip
    assert sources.extractor is None
    chips = sources.chips("train").read(np.arange(NUM_TRAIN))
    np.testing.assert_array_equal(given[0][[0, -1]], chips[[0, -1]])
    assert len(given[0]) == 8
