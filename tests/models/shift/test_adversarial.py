"""Adversarial validation of a workspace, from its chips to the weights that it keeps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.common.records import write_record
from competition.terminal.output import as_text
from competition.workspace import Workspace
from folds.assign import assign_folds
from folds.store.chip_weights import read_weights
from models.inputs.fill_banks import fill_banks
from models.runs.folders import FORMAT, RECIPE
from models.shift.adversarial import Shift, find_shift
from models.shift.area import Area
from tests.conftest import NUM_TEST, NUM_TRAIN
from tests.models.samples import frozen, tiny_recipe

MODEL = "small"


@pytest.fixture
def begun(workspace: Workspace, tiny_net: str, tiny_weights: str) -> Workspace:
    """A workspace with a model on features, which are not made yet."""
    recipe = tiny_recipe(**frozen(tiny_weights, augment=()), views="identity")
    (workspace.runs / MODEL).mkdir(parents=True)
    write_record(workspace.runs / MODEL / RECIPE, recipe.to_dict(), version=FORMAT)
    return workspace


def filled(workspace: Workspace, tiny_weights: str) -> Workspace:
    fill_banks(workspace, tiny_recipe(**frozen(tiny_weights, augment=()), views="identity"))
    return workspace


def test_weights_are_kept_with_what_they_were_made_of(begun: Workspace, tiny_weights: str) -> None:
    found = find_shift(filled(begun, tiny_weights), MODEL)
    assert (found.labelled, found.to_predict, found.features) == (NUM_TRAIN, NUM_TEST, 4)
    kept = read_weights(begun)
    assert kept.names == begun.labelled.image_names
    assert kept.values.mean() == pytest.approx(1, abs=1e-3)
    assert found.weights is not None
    assert 1 < found.weights.effective <= NUM_TRAIN
    assert len(kept.made_of.features) == 2
    again = find_shift(begun, MODEL)
    np.testing.assert_array_equal(read_weights(begun).values, kept.values)
    assert again.area == found.area
    assert len(found.notes) == 1
    assert f"Fold 0 of '{MODEL}' has no scores yet" in found.notes[0]  # so nothing is said label by label
    text = found.text()
    assert "Labelled chips (60) against those to predict (24) by the 4 features of 'small'" in text
    assert "folder: no value is on both sides" in text
    json.dumps(found.as_dict(), allow_nan=False)


def test_what_would_not_have_been_seen_is_what_is_not_said_to_differ() -> None:
    seen, unseen = (Shift("m", 9, 900, 900, Area(0.5 + errors * 0.01, 0.01), None) for errors in (3.01, 2.99))
    assert seen.is_found
    assert seen.verdict.startswith("They differ")
    assert not unseen.is_found
    assert "A shift of an area below 0.530 would not have been seen" in unseen.verdict


@pytest.mark.parametrize("folder", ["cache", "cache/features"])
def test_features_may_lie_on_another_disk(begun: Workspace, tiny_weights: str, tmp_path: Path, folder: str) -> None:
    place = filled(begun, tiny_weights).root / folder
    shutil.move(place, tmp_path / "large")
    place.symlink_to(tmp_path / "large", target_is_directory=True)
    find_shift(begun, MODEL)
    kept = read_weights(begun).made_of.features
    assert len(kept) == 2
    assert all(path.startswith("cache/features/") and (begun.root / path).is_file() for path in kept)


def in_pairs(workspace: Workspace, path: Path) -> Workspace:
    """Deal labelled chips to folds two by two."""
    rows = [f"{name},{number // 2}" for number, name in enumerate(workspace.labelled.image_names)]
    path.write_text("\n".join(["image_name,group", *rows]))
    assign_folds(workspace, k=3, group=str(path), force=True)
    return workspace


def test_where_chips_come_in_groups_nothing_is_said_that_takes_each_for_itself(
    begun: Workspace, tiny_weights: str, tmp_path: Path
) -> None:
    found = find_shift(in_pairs(filled(begun, tiny_weights), tmp_path / "groups.csv"), MODEL)
    assert found.halves is not None
    assert found.halves.groups == NUM_TRAIN // 2
    assert found.weights is None
    assert not (begun.root / "shift.json").exists()
    assert "Labelled chips come in 30 groups; which chips to predict belong together is not known" in found.text()
    assert "No weights and no errors" in found.text()
    assert "±" not in found.text().splitlines()[0]
    assert np.isnan(found.area.error)
    assert json.loads(as_text(found.as_dict()))["held_together"]["count"] == NUM_TRAIN // 2
    assert found.is_found == (found.area.value > found.halves.bound)


def test_features_that_are_not_made_yet_are_asked_for_in_a_line(begun: Workspace) -> None:
    with pytest.raises(UserError, match=r"^The features of 'small' are not made yet.*features --models small"):
        find_shift(begun, MODEL)


def test_a_model_without_features_is_refused(begun: Workspace) -> None:
    with pytest.raises(UserError, match="'baseline' does not learn from features"):
        find_shift(begun, "baseline")


def test_without_chips_to_predict_there_is_nothing_to_compare_with(begun: Workspace) -> None:
    path = begun.data / "layout.json"
    content = json.loads(path.read_text())
    content["folders"] = {name: where for name, where in content["folders"].items() if "test" not in name}
    path.write_text(json.dumps({key: value for key, value in content.items() if key not in ("digest",)}))
    with pytest.raises(UserError, match="There are no chips to predict in the workspace"):
        find_shift(Workspace(begun.root, begun.competition), MODEL)


def test_a_side_of_a_few_chips_is_refused(begun: Workspace, tiny_weights: str, tmp_path: Path) -> None:
    sample = begun.competition.tables.sample_submission
    assert sample
    few = tmp_path / "few.csv"
    few.write_text("".join(begun.layout.table(sample).read_text().splitlines(keepends=True)[:8]))
    path = begun.data / "layout.json"
    content = json.loads(path.read_text())
    content["tables"][sample] = str(few)
    content["stamps"].pop(sample, None)
    path.write_text(json.dumps({key: value for key, value in content.items() if key != "digest"}))
    shutil.rmtree(begun.cache, ignore_errors=True)
    begun = filled(Workspace(begun.root, begun.competition), tiny_weights)
    with pytest.raises(UserError, match="7 chips to predict: too few to tell them from the others; 20 are needed"):
        find_shift(begun, MODEL)
