"""A file says what it was made of, and what does not hold together is refused."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from models.backend.seals import MANIFEST
from models.export import export as export_module
from models.export.formats import read
from models.export.manifest import Manifest
from models.predict.predictor import LearntFrom
from models.predict.trained_model import Trained
from tests.conftest import store_of
from tests.models import samples
from tests.models.export.files import PLANET


def test_a_file_says_what_it_was_made_of(trained, tiny_file):
    manifest = read(tiny_file).manifest
    assert (manifest.model, manifest.folds, manifest.dtype) == ("tiny", (0, 2), "uint8")
    assert (manifest.inputs.size, manifest.inputs.bands, len(manifest.views)) == (16, "RGB", 4)
    np.testing.assert_allclose(manifest.cuts_of_all, np.linspace(0.1, 0.9, len(PLANET.labels)))
    assert manifest.competition == PLANET
    assert manifest.digests["recipe"] == store_of(trained).provenance("tiny", 0).recipe_digest


def test_where_the_weights_lay_is_not_passed_on(trained):
    recipe = samples.tiny_recipe(weights=str(Path("secret") / "tiny.h5"))
    model = replace(Trained.of(trained, store_of(trained), "tiny"), recipe=recipe)
    known = LearntFrom.known_by(model.inputs, model.dtype)
    manifest = export_module._manifest(model, np.full(len(PLANET.labels), 0.2), known)
    assert manifest.recipe.weights == "tiny.h5"
    assert "secret" not in manifest.text()


def repacked(source: Path, target: Path, changes: dict[str, bytes | None], **options) -> Path:
    """Write an archive again with some members changed, or left out where None."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", **options) as new:
        for name, content in {**{name: old.read(name) for name in old.namelist()}, **changes}.items():
            if content is not None:
                new.writestr(name, content)
    return target


def with_manifest(source: Path, target: Path, **values) -> Path:
    with zipfile.ZipFile(source) as archive:
        manifest = json.loads(archive.read(MANIFEST))
    return repacked(source, target, {MANIFEST: json.dumps({**manifest, **values}).encode()})


def test_archives_with_other_members_or_compressed_ones_are_refused(tiny_file, tmp_path):
    outside = tmp_path / "folder"
    outside.mkdir()
    for changes in ({"../evil": b"x"}, {"assets/../../evil": b"x"}, {MANIFEST: None}, {"assets/a": b""}):
        path = repacked(tiny_file, outside / "x.keras", changes)
        with pytest.raises(UserError, match=r"x\.keras is damaged, or was not .* expected the members .*planet\.json"):
            read(path)
    assert not list(tmp_path.rglob("evil"))
    with pytest.raises(UserError, match="expected the members"):
        read(repacked(tiny_file, outside / "x.keras", {}, compression=zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"format": 2}, "format"),
        ({"extra": 1}, "extra"),
        ({"cuts": {"road": 0.2}}, "there must be a cut for each label"),
        ({"labels": ["road", "agriculture"]}, "in its order"),
        ({"views": ["upside_down"]}, "views name upside_down"),
        ({"dtype": "float64"}, "dtype"),
        ({"labels": ["road"], "cuts": {"road": 0.2}}, "scores other labels, than its manifest says"),
        ({"model": "x" * 2**20}, "its manifest is larger than"),
    ],
)
def test_manifests_that_do_not_hold_together_are_refused(tiny_file, tmp_path, values, reason):
    with pytest.raises(UserError, match=reason):
        read(with_manifest(tiny_file, tmp_path / "x.keras", **values))


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_named_bands_and_signed_values_survive_the_way_to_json(tiny_file, dtype):
    manifest = read(tiny_file).manifest
    inputs = replace(manifest.inputs, bands=("B04", "B03", "B8A"), low=(-25.0, 0.0, 0.0))
    changed = manifest.model_copy(update={"inputs": inputs, "dtype": dtype})
    assert Manifest.read(changed.text()) == changed
    assert '"bands": "RGB"' in manifest.text()
