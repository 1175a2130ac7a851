"""How far submissions agree on labelled chips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from competition.metrics.f_beta import f_beta_per_chip
from competition.workspace import Workspace
from submissions.decide.decisions import decide
from submissions.final.agreeing import DEVIATION, USUAL, measure_agreement
from submissions.submit.entry import Entry
from submissions.submit.provenance import what_is_known
from submissions.submit.write import write_decided
from tests.submissions.samples import blend_of, make_workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = make_workspace(tmp_path_factory.mktemp("agreeing"), models=("a", "b"), num_chips=150)
    for name, members, rule in (("a-alone", "a", "fixed"), ("b-alone", "b", "structured"), ("both", "ab", "fixed")):
        blend = blend_of(name, members, workspace, rule=rule)
        write_decided(blend.test, blend.evaluation.fitted, workspace, blend.provenance)
    return workspace


def entry(name: str, workspace: Workspace) -> Entry:
    from submissions.submit.provenance import read_provenance

    made = what_is_known(read_provenance(workspace.submissions / f"{name}.csv"))
    return Entry("planet", name, 1, "m", "confirmed", 1, made["digest"][:16], **made)


def test_agreement_is_that_of_what_chips_are_worth(workspace: Workspace) -> None:
    found = measure_agreement([entry(name, workspace) for name in ("a-alone", "both", "b-alone")], workspace)
    assert found.measured.all()
    assert found.labelled == len(workspace.labelled.truth)
    worth = []
    for name in ("a-alone", "both"):
        made = entry(name, workspace).provenance or {}
        scores = np.load(workspace.blends / name / "oof.npz")["scores"]
        decided = decide(scores, list(made["cuts"].values()), workspace.competition)
        worth.append(f_beta_per_chip(workspace.labelled.truth, decided, 2))
    np.testing.assert_allclose(found.per_chip[:2, :2], np.cov(worth), rtol=0.3)
    assert np.linalg.eigvalsh(found.per_chip).min() >= 0


def test_what_was_made_elsewhere_or_from_scores_that_are_gone_is_supposed(workspace: Workspace) -> None:
    ours, other = entry("a-alone", workspace), entry("both", workspace)
    changed = replace(other, provenance={**(other.provenance or {}), "files": {"oof.npz": "0"}})
    elsewhere = replace(other, provenance=None, cross_fitted=None, low=None, high=None)
    found = measure_agreement([ours, changed, elsewhere, replace(elsewhere, provenance={"name": 3})], workspace)
    np.testing.assert_array_equal(found.measured, [True, False, False, False])
    deviation = np.sqrt(found.per_chip.diagonal())
    correlation = found.per_chip / np.outer(deviation, deviation)
    np.testing.assert_allclose(correlation[~np.eye(4, dtype=bool)], USUAL, atol=1e-6)
    assert deviation[1] == pytest.approx(deviation[0], rel=0.5)  # by its interval


def test_where_nothing_is_known_the_noise_is_that_of_planet(workspace: Workspace) -> None:
    nothing = [Entry("planet", name, 1, "m", "confirmed", number) for number, name in enumerate("ab")]
    found = measure_agreement(nothing, workspace)
    np.testing.assert_allclose(np.sqrt(found.per_chip.diagonal()), DEVIATION)
    assert found.labelled == len(workspace.labelled.truth)
