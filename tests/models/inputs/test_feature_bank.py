"""The feature bank: what the extractor would give, made once, whatever comes between."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from competition.common.errors import UserError
from models.inputs import feature_bank as features
from models.inputs.batches import Chips
from models.inputs.feature_bank import FeatureBank, bank_key, open_bank
from models.inputs.views import apply_view
from models.recipes.recipe import Recipe
from models.recipes.view_sets import D4, drawn_views
from tests.models.samples import array_chips, inputs_of, tiny_recipe

COUNT, VIEWS = 10, ("identity", "turn90", "mirror")


def recipe_of(**values: Any) -> Recipe:
    values = {
        "backbone": "TinyNet",
        "weights": "imagenet",
        "train": "head",
        "pooling": ("avg",),
        "augment": ("d4",),
        **values,
    }
    return tiny_recipe(**values)


@pytest.fixture(scope="module")
def extractor() -> keras.Model:
    """Stand in for a backbone: features that say where in a chip its pixels are."""
    chips = keras.Input((16, 16, 3))
    keras.utils.set_random_seed(1)
    return keras.Model(chips, keras.layers.Dense(5, name="dense")(keras.layers.Flatten()(chips / 255)))


class Bank:
    """Opens banks in one folder, and stands in for their extractor, of which it remembers what was asked."""

    def __init__(self, root: Path, extractor: keras.Model) -> None:
        self.root, self.extractor = root, extractor
        self.built = 0
        self.run: list[int] = []
        self.fail_after = 10**9

    @property
    def num_features(self) -> int:
        return self.extractor.output_shape[-1]

    def runner(self, sample: np.ndarray, *, mixed: bool = False) -> Any:
        assert 0 < len(sample) <= 8
        network = self.extractor

        def run(chips: np.ndarray) -> np.ndarray:
            if len(self.run) == self.fail_after:
                raise KeyboardInterrupt
            self.run.append(len(chips))
            return keras.ops.convert_to_numpy(network(chips.astype(np.float32)))

        return run

    def build(self) -> Bank:
        self.built += 1
        return self

    def open(self, chips: Chips, views: tuple[str, ...] = VIEWS, key: dict[str, Any] | None = None) -> FeatureBank:
        return open_bank(self.root, self.build, key or {**KEY, "chips": "chips"}, chips, views)

    @property
    def folder(self) -> Path:
        (folder,) = (path for path in self.root.iterdir() if path.is_dir())
        return folder


KEY = {"backbone": "TinyNet", "input_size": 16}


@pytest.fixture
def bank(tmp_path, extractor) -> Bank:
    return Bank(tmp_path / "features", extractor)


def expected(extractor: keras.Model, chips: Chips, view: str) -> np.ndarray:
    seen = apply_view(chips.read(np.arange(len(chips.cache))), view)
    return keras.ops.convert_to_numpy(extractor(np.ascontiguousarray(seen).astype(np.float32)))


def assert_complete(made: FeatureBank, extractor: keras.Model, chips: Chips, views: tuple[str, ...] = VIEWS) -> None:
    for view in views:
        found = made.under(view, np.arange(COUNT))
        np.testing.assert_allclose(found, expected(extractor, chips, view), atol=2e-3, rtol=2e-3)


# What it holds


def test_it_holds_what_the_extractor_makes_of_every_chip_under_each_view(bank, extractor, lines):
    chips = array_chips(COUNT)
    made = bank.open(chips)
    assert_complete(made, extractor, chips)
    assert made.num_features == 5
    assert not np.allclose(made.under("mirror", np.arange(COUNT)), made.under("identity", np.arange(COUNT)), atol=1e-2)
    assert "10 chips under 3 views, 5 each" in lines[0]


def test_it_holds_views_of_windows_too(bank, extractor):
    chips, views = array_chips(COUNT), ("turn90_nearer", "bottom_left")
    assert_complete(bank.open(chips, views), extractor, chips, views)


def test_one_chip_and_one_view_are_named_as_one(bank, lines):
    bank.open(array_chips(1), ("identity",))
    assert lines[0].startswith("Features of 1 chip under 1 view, 5 each: ")
    assert lines[-1].startswith("Made 1 feature vector in ")


def test_it_is_mapped_and_not_read(bank):
    made = bank.open(array_chips(COUNT))
    maps = [array for arrays in made.maps.values() for array in arrays]
    assert all(isinstance(array, np.memmap) for array in maps)
    assert {array.dtype for array in maps} == {np.dtype(np.float16)}


def test_as_a_source_it_gives_what_the_same_chips_would_give(bank, extractor):
    chips = array_chips(COUNT)
    made, positions = bank.open(chips, tuple(D4)), np.array([7, 0, 7, 3])
    np.testing.assert_array_equal(made.read(positions), made.under("identity", positions))
    for view, seen in zip(VIEWS, made.views(positions, VIEWS), strict=True):
        np.testing.assert_array_equal(seen, made.under(view, positions))
        assert seen.dtype == np.float32


@pytest.mark.parametrize("kinds", [(), ("flips",), ("quarter_turns",), ("flips", "quarter_turns"), ("d4",)])
def test_augmented_features_are_those_of_the_views_drawn_each_as_often(bank, kinds):
    made, recipe = bank.open(array_chips(COUNT), tuple(D4)), recipe_of(augment=kinds)
    positions = np.repeat(np.arange(COUNT), 80)
    seen = made.augmented(positions, recipe, np.random.default_rng(0))
    every = np.stack([made.under(view, positions) for view in D4])
    same = (every == seen).all(axis=2)
    assert (same.sum(axis=0) == 1).all()
    counts = dict(zip(D4, same.sum(axis=1), strict=True))
    drawn = drawn_views(kinds)
    assert {view for view, count in counts.items() if count} == set(drawn)
    assert min(counts[view] for view in drawn) > 0.7 * len(positions) / len(drawn)


def test_features_too_large_for_half_precision_stay_numbers(bank):
    chips = keras.Input((16, 16, 3))
    bank.extractor = keras.Model(chips, keras.layers.GlobalAveragePooling2D()(chips) * 1e6)
    found = bank.open(array_chips(COUNT), ("identity",)).read(np.arange(COUNT))
    assert np.isfinite(found).all()
    assert found.max() == np.finfo(np.float16).max


def test_banks_side_by_side_draw_one_view_for_a_chip_of_all_of_them(bank, extractor, tmp_path):
    chips, positions = array_chips(COUNT), np.repeat(np.arange(COUNT), 9)
    one = bank.open(chips, tuple(D4))
    bank.extractor = keras.Model(extractor.input, 2 * extractor.output[:, 1:4])
    other = open_bank(tmp_path / "other", bank.build, KEY, chips, tuple(D4))
    joint = FeatureBank.beside([one, other])
    assert joint.num_features == 5 + 3
    for view, seen in zip(VIEWS, joint.views(positions, VIEWS), strict=True):
        beside = np.concatenate([one.under(view, positions), other.under(view, positions)], axis=1)
        np.testing.assert_array_equal(seen, beside)
    np.testing.assert_array_equal(joint.read(positions), joint.under("identity", positions))
    seen = joint.augmented(positions, recipe_of(augment=("d4",)), np.random.default_rng(0))
    np.testing.assert_allclose(seen[:, 5:], 2 * seen[:, 1:4], atol=4e-3)
    assert len(np.unique(seen, axis=0)) > 4 * COUNT
    np.testing.assert_array_equal(seen[:, :5], one.augmented(positions, recipe_of(), np.random.default_rng(0)))


# Made once


def test_opened_again_it_computes_nothing(bank, extractor):
    chips = array_chips(COUNT)
    bank.open(chips)
    runs = len(bank.run)
    assert_complete(bank.open(chips, VIEWS[::-1]), extractor, chips)
    assert (bank.built, len(bank.run)) == (1, runs)


def test_records_of_earlier_versions_say_what_is_there(bank, extractor):
    """They had no digest, and those of what is done no format."""
    chips = array_chips(COUNT)
    bank.open(chips)
    done = json.loads((bank.folder / "done.json").read_text())
    del done["format"], done["digest"]
    (bank.folder / "done.json").write_text(json.dumps(done))
    runs = len(bank.run)
    assert_complete(bank.open(chips), extractor, chips)
    assert len(bank.run) == runs


def test_without_a_terminal_lines_say_how_far_it_has_come(bank, monkeypatch, lines):
    monkeypatch.setattr("competition.common.progress.SECONDS_PER_LINE", 0.0)
    bank.open(array_chips(COUNT, batch_size=4))
    told = [line for line in lines if "to go" in line]
    assert told[0].startswith(f"features: 4 of {3 * COUNT} feature vectors, ")
    assert len(told) == 3 * 3


def test_another_view_is_all_that_is_computed(bank, extractor):
    chips = array_chips(COUNT)
    bank.open(chips, VIEWS[:2])
    bank.run.clear()
    assert_complete(bank.open(chips), extractor, chips)
    assert sum(bank.run) == COUNT


@pytest.mark.parametrize("done", [0, 1, 3, 4, 8])
def test_interrupted_it_goes_on_at_the_block_that_was_not_recorded(bank, extractor, done):
    chips = array_chips(COUNT, batch_size=4)  # blocks of 4, 4 and 2 chips under 3 views
    bank.fail_after = done
    with pytest.raises(KeyboardInterrupt):
        bank.open(chips)
    recorded = sum(bank.run[: 3 * (done // 3)])
    bank.run.clear()
    bank.fail_after = 10**9
    assert_complete(bank.open(chips), extractor, chips)
    assert sum(bank.run) == 3 * COUNT - recorded


def test_views_that_were_interrupted_at_different_rows_are_all_completed(bank, extractor):
    chips = array_chips(COUNT, batch_size=4)
    bank.open(chips, ("identity",))
    bank.fail_after = len(bank.run) + 2
    with pytest.raises(KeyboardInterrupt):
        bank.open(chips, ("identity", "turn90"))
    bank.fail_after = 10**9
    bank.run.clear()
    assert_complete(bank.open(chips), extractor, chips)
    assert sum(bank.run) == 2 + COUNT


DAMAGES = {
    "gone": None,
    "emptied": lambda content: b"",
    "truncated": lambda content: content[:-3],
    "zeroed": lambda content: bytes(len(content)),
    "zeroed at the end": lambda content: content[:-40] + bytes(40),
    "no array": lambda content: b"no array",
    "no Python in its head": lambda content: content.replace(b"{", b"(", 1),
    "one bit flipped": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "of other chips": lambda content: content.replace(b"(10, 5)", b"(5, 10)"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_view_whose_file_is_damaged_is_made_anew_and_the_others_are_left(bank, extractor, lines, damage):
    chips = array_chips(COUNT)
    bank.open(chips)
    path, change = bank.folder / "turn90.npy", DAMAGES[damage]
    whole = path.read_bytes()
    path.unlink()
    if change:
        path.write_bytes(change(whole))
    bank.run.clear()
    lines.clear()
    assert_complete(bank.open(chips), extractor, chips)
    assert sum(bank.run) == COUNT
    assert path.read_bytes() == whole
    assert lines[: bool(change)] == ([f"{path} is damaged: its features are made again."] if change else [])
    assert_complete(bank.open(chips), extractor, chips)
    assert sum(bank.run) == COUNT


@pytest.mark.parametrize("damage", ["gone", "emptied", "of another time"])
def test_without_the_right_checksums_a_bank_is_used_or_made_again_and_never_refused(bank, extractor, damage):
    chips = array_chips(COUNT)
    bank.open(chips)
    path = bank.folder / "sums.json"
    path.unlink()
    if damage == "emptied":
        path.touch()
    elif damage == "of another time":
        features.write_record(path, dict.fromkeys(VIEWS, 1), version=features.FORMAT)
    bank.run.clear()
    assert_complete(bank.open(chips), extractor, chips)
    assert sum(bank.run) == (3 * COUNT if damage == "of another time" else 0)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"identity": "x"}', '{"identity": 3}'])
def test_without_a_record_of_it_what_is_there_is_made_anew(bank, extractor, text):
    chips = array_chips(COUNT)
    bank.open(chips)
    (bank.folder / "done.json").write_text(text)
    assert_complete(bank.open(chips), extractor, chips)


def test_a_disk_that_is_too_small_is_refused_before_anything_is_reserved(bank, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1000, 800, 200))
    with pytest.raises(UserError, match=r"The feature bank needs 300 bytes, but .* has 200 bytes free"):
        bank.open(array_chips(COUNT))
    assert not list(bank.root.rglob("*.npy"))
    assert bank.run == []


# What it depends on


def test_what_features_depend_on_gives_another_bank_and_nothing_else_does(tiny_net, tiny_weights, tmp_path):
    other_weights = tmp_path / "other.weights.h5"
    other_weights.write_bytes(Path(tiny_weights).read_bytes() + b" ")
    recipe, chips = recipe_of(weights=tiny_weights), array_chips(COUNT)

    def key(recipe: Recipe, chips: Chips = chips, size: int = 16) -> str:
        return json.dumps(bank_key(recipe, inputs_of(recipe, size), chips))

    def varied(**values: Any) -> Recipe:
        return dataclasses.replace(recipe, **values)

    same = [{"dense": (3,)}, {"seed": 5}, {"seeds": 3}, {"epochs": 9}, {"views": "identity"}, {"augment": ()}]
    assert {key(varied(**values)) for values in same} == {key(recipe)}
    moved = tmp_path / "moved.weights.h5"
    moved.write_bytes(Path(tiny_weights).read_bytes())
    assert key(varied(weights=str(moved))) == key(recipe)
    others = [
        key(varied(weights=str(other_weights))),
        key(varied(weights="imagenet")),
        key(varied(backbone="MobileNetV2")),
        key(varied(pooling=("max",))),
        key(varied(levels=2)),
        key(varied(input_size=32), size=16),
        key(varied(indices=("ndvi",))),
        key(recipe, size=8),
        key(recipe, array_chips(COUNT, digest="others")),
        key(recipe, dataclasses.replace(chips, columns=(2, 1, 0))),
        key(varied(bands="BGR")),
    ]
    assert len({key(recipe), *others}) == 1 + len(others)


def test_banks_of_other_chips_lie_side_by_side(bank, extractor):
    one, other = array_chips(COUNT), array_chips(COUNT - 1, digest="others")
    bank.open(one)
    bank.open(other, key={**KEY, "chips": "others"})
    assert len(list(bank.root.glob("tinynet-16px-*/bank.json"))) == 2
    assert_complete(bank.open(one), extractor, one)


@pytest.mark.parametrize("finite", [True, False])
def test_every_half_is_widened_to_the_same_number(finite: bool) -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves) == finite][:, None]
    wide = np.full((len(halves), 3), 7, dtype=np.float32)
    features.widen(halves, wide[:, 1:2])
    np.testing.assert_array_equal(wide[:, 1:2].view(np.int32), halves.astype(np.float32).view(np.int32))
    assert (wide[:, ::2] == 7).all()


def test_a_bank_behind_another_is_read_where_that_ends():
    random = np.random.default_rng(0)
    arrays = [random.normal(size=(rows, 3)).astype(np.float16) for rows in (5, 4)]
    first, more = (FeatureBank(3, {"identity": (array,)}) for array in arrays)
    both, every = first.followed_by(more), np.concatenate(arrays).astype(np.float32)
    for positions in ([7, 0, 8, 4, 5], [1, 3], [8, 6]):
        np.testing.assert_array_equal(both.read(np.array(positions)), every[positions])
