"""Hidden places, and what the networks that did not see a chip say without them."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

import run
from competition.common.errors import UserError
from models.predict import occlusion
from models.predict.occlusion import CELLS, Occlusion, places, without_places
from models.predict.scorer import Scorer
from models.runs.folders import NETWORK
from models.train.run_jobs import run_jobs
from tests.conftest import store_of
from tests.models.samples import frozen, tiny_job


def test_every_cell_lies_within_four_places():
    centres = (np.arange(CELLS) + 0.5) / CELLS
    top, left, bottom, right = places().T[:, :, None]
    rows, columns = (top < centres) & (centres < bottom), (left < centres) & (centres < right)
    assert ((rows[:, :, None] & columns[:, None, :]).sum(axis=0) == 4).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_place_is_hidden_and_the_rest_stays(dtype):
    chip = np.random.default_rng(0).integers(100, 110, (64, 64, 3)).astype(dtype)
    chip[8:16, 24:32] = 250  # the cell (1, 3)
    covered = without_places(chip)
    assert (covered.dtype, covered.shape) == (dtype, (len(places()), 64, 64, 3))
    for (top, left, bottom, right), seen in zip(places(), covered, strict=True):
        within = top <= 1 / CELLS < bottom and left <= 3 / CELLS < right
        assert (seen[11:13, 27:29].max() < 150) == within
        near = np.zeros((64, 64), dtype=bool)
        rows, columns = (
            slice(max(0, round(64 * low) - 8), round(64 * high) + 8) for low, high in ((top, bottom), (left, right))
        )
        near[rows, columns] = True
        np.testing.assert_allclose(seen[~near], chip[~near], atol=0.01)


def test_the_networks_are_those_that_did_not_see_the_chip(trained):
    names = trained.labelled.image_names[:7]
    found = list(Occlusion(trained)("tiny", [*names, "nobody"]))
    assert tuple(hidden.name for hidden in found) == names
    oof = store_of(trained).join("tiny").oof.aligned(names)
    np.testing.assert_allclose([hidden.turned.mean(axis=0) for hidden in found], oof, atol=1e-5)
    assert {hidden.hidden.shape for hidden in found} == {(len(places()), oof.shape[1])}
    np.testing.assert_allclose([hidden.scores for hidden in found], [hidden.turned[0] for hidden in found], atol=1e-6)


def test_a_network_that_looks_at_one_corner_minds_nothing_else(trained, monkeypatch):
    def corner(chips):
        return np.repeat(chips[:, :4, :4].mean(axis=(1, 2, 3))[:, None] / 255, 17, axis=1).astype(np.float32)

    monkeypatch.setattr(occlusion, "scorer_of", lambda *_: Scorer([corner]))
    for hidden in Occlusion(trained)("tiny", trained.labelled.image_names[:5]):
        changes = np.abs(hidden.scores - hidden.hidden).max(axis=1)
        beyond = (places()[:, :2] >= 0.5).any(axis=1)
        assert changes[beyond].max() == pytest.approx(0, abs=1e-6)
        assert changes.argmax() == np.flatnonzero(~beyond)[changes[~beyond].argmax()]


def test_heads_look_through_the_backbone_that_they_share(workspace, tiny_net, tiny_weights):
    for fold in (0, 1):
        run_jobs([tiny_job(workspace, fold, **frozen(tiny_weights))])
    store = store_of(workspace)
    names = [name for fold in (0, 1) for name in store.read("tiny", fold).heldout.names[:2]]
    unseen = store.table.image_names[np.flatnonzero(store.table.heldout(2))[0]]
    found = list(Occlusion(workspace)("tiny", [*names, unseen]))
    assert [hidden.name for hidden in found] == names, "no fold that holds the other out is finished"
    oof = np.concatenate([store.read("tiny", fold).heldout.values[:2] for fold in (0, 1)])
    np.testing.assert_allclose([hidden.turned.mean(axis=0) for hidden in found], oof, atol=2e-3)  # features are halves


def test_a_damaged_file_is_found_out_before_the_first_chip(trained):
    (store_of(trained).folder("tiny", 2) / NETWORK).write_bytes(b"damaged")
    with pytest.raises(UserError, match="is missing or damaged"):
        next(Occlusion(trained)("tiny", trained.labelled.image_names))


def test_what_is_missing_is_said_in_a_line(trained, tmp_path):
    names = trained.labelled.image_names[:2]
    for path in trained.runs.rglob(NETWORK):
        path.write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"network.weights.h5 is missing or damaged\. Run .*--restart"):
        list(Occlusion(trained)("tiny", names))
    with pytest.raises(UserError, match="Unknown model 'none'"):
        list(Occlusion(trained)("none", names))
    with pytest.raises(UserError, match="None of the chips has a file and was held out by a finished fold of 'tiny'"):
        list(Occlusion(trained)("tiny", ["nobody"]))


@pytest.mark.slow
def test_a_report_shows_where_the_networks_looked(trained, monkeypatch):
    monkeypatch.setattr("submissions.report.pictures._svg", lambda *_: "<svg role='img'></svg>")
    result = CliRunner().invoke(run.main, ["report", "--overlays", "--workspace", str(trained.root)])
    assert result.exit_code == 0, result.output
    assert "Overlays show where tiny looked: on " in result.output
    assert '<figure class="look">' in (trained.root / "report.html").read_text(encoding="utf-8")
