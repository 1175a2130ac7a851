"""Models of some labels only, in blends and alone."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from competition.common.errors import UserError
from competition.metrics.f_beta import decisions_by_label
from competition.metrics.ranking import average_precision, macro
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from run import main
from submissions.choose.blending import Blend
from submissions.choose.cuts import cuts_of, make_cuts
from submissions.decide.decisions import decide
from tests.submissions.samples import NUM_TEST, add_model, blend_of, make_workspace, planet

RARE = ("blow_down", "conventional_mine")
COLUMNS = [planet().label_index[label] for label in RARE]
OTHERS = [column for column in range(17) if column not in COLUMNS]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with models a and b of all labels, and a model of the rare ones."""
    workspace = make_workspace(tmp_path)
    add_model(ScoreStore.of(workspace), "rare", workspace.labelled.truth, 7, scored=RARE)
    return workspace


def test_a_specialist_counts_for_its_own_labels_only(workspace: Workspace) -> None:
    blend = blend_of("mixed", ["a", "b", "rare"], workspace, rule="fixed")
    plain = blend_of("plain", ["a", "b"], workspace, rule="fixed")
    store, names = ScoreStore.of(workspace), workspace.test_names
    for ours, theirs in ((blend.oof, plain.oof), (blend.test, plain.test)):
        assert ours.scored.all()
        np.testing.assert_array_equal(ours.values[:, OTHERS], theirs.values[:, OTHERS])
    expected = np.mean([store.join(name).test.aligned(names)[:, COLUMNS] for name in ("a", "b", "rare")], axis=0)
    np.testing.assert_allclose(blend.test.values[:, COLUMNS], expected, atol=1e-6)


def test_a_vote_asks_a_specialist_about_its_own_labels_only(workspace: Workspace) -> None:
    how = {"method": "vote", "rule": "uniform", "exclusive": False}
    blend, plain = (
        blend_of("mixed", ["a", "b", "rare"], workspace, **how),
        blend_of("plain", ["a", "b"], workspace, **how),
    )
    np.testing.assert_array_equal(blend.test.values[:, OTHERS], plain.test.values[:, OTHERS])
    assert (blend.test.values[:, COLUMNS] != plain.test.values[:, COLUMNS]).any()
    assert set(blend.provenance["member_cuts"]["rare"]) == set(RARE)
    assert len(blend.provenance["member_cuts"]["a"]) == 17


@pytest.mark.parametrize("method", ["mean", "vote"])
def test_a_union_decides_where_any_member_does(workspace: Workspace, method: str) -> None:
    how = {"method": method, "rule": "fixed", "exclusive": False}
    blend = blend_of("joined", ["a", "rare"], workspace, union=RARE, **how)
    apart = blend_of("apart", ["a", "rare"], workspace, **how)
    members = [ScoreStore.of(workspace).join(name).oof.values for name in ("a", "rare")]
    decided = blend.oof.values >= blend.evaluation.fitted.cuts.astype(np.float32)
    by_any = np.any([member >= np.float32(0.2) for member in members], axis=0)
    joined = [planet().label_index[label] for label in RARE]
    np.testing.assert_array_equal(decided[:, joined], by_any[:, joined])
    rest = np.setdiff1d(np.arange(17), joined)
    np.testing.assert_array_equal(blend.oof.values[:, rest], apart.oof.values[:, rest])
    assert blend.provenance["union"] == list(RARE)
    assert "Decided where any member that scores it would: blow_down, conventional_mine." in blend.notes
    assert "no effect" not in " ".join(blend.notes)


def test_a_specialist_is_shown_on_its_own_labels(workspace: Workspace) -> None:
    blend = blend_of("mixed", ["a", "b", "rare"], workspace, rule="fixed")
    assert [each.name for each in blend.others] == ["a alone, fixed 0.2", "b alone, fixed 0.2"]
    (rare,) = blend.specialists
    scores, truth = ScoreStore.of(workspace).join("rare").oof.values[:, COLUMNS], workspace.labelled.truth[:, COLUMNS]
    expected = decisions_by_label(truth, scores >= np.float32(0.2), 2)
    np.testing.assert_array_equal(rare.evaluation.labels.f_beta, expected.f_beta)
    assert rare.evaluation.cross_fitted == expected.f_beta.mean()
    assert rare.task.labels == RARE
    text = blend.text()
    own = text.split("rare alone, by cuts, on the labels that it scores:")[1]
    assert all(label in own for label in RARE)
    assert "water" not in own
    assert f"{macro(average_precision(truth, scores)):.3f}" in own
    assert "over the best that scores all labels, " in text


def no_constant(text: str) -> None:
    raise AssertionError(f"{text} is not JSON")


def strict_json(path: Path) -> dict:
    return json.loads(path.read_text(), parse_constant=no_constant)


def test_a_blends_record_says_who_scored_what(workspace: Workspace) -> None:
    for method in ("mean", "vote"):
        blend_of("mixed", ["a", "rare"], workspace, method=method, trials=5)
        about = strict_json(workspace.blends / "mixed" / "blend.json")
        assert [member["scored"] for member in about["members"]] == [list(planet().labels), list(RARE)]
        assert [(each["metric"], each["labels"]) for each in about["specialists"]] == [("macro F2", list(RARE))]
        assert {each["metric"] for each in about["figures"]} == {"F2"}


def test_a_label_without_any_scores_is_named_with_what_to_add(workspace: Workspace) -> None:
    rest = [label for label in planet().labels if label not in ("water", "haze")]
    add_model(ScoreStore.of(workspace), "rest", workspace.labelled.truth, 8, scored=rest)
    line = r"No scores of haze, water by 'rest' or 'rare'\. Add a model .*: --members MODEL,rest,rare\.$"
    with pytest.raises(UserError, match=line):
        blend_of("mixed", ["rest", "rare"], workspace)
    with pytest.raises(UserError, match=r"No scores of agriculture, .*, water by 'rare'"):
        blend_of("only", ["rare"], workspace)
    assert not workspace.blends.exists()


def test_members_that_score_all_labels_together_need_nobody_who_does_alone(workspace: Workspace) -> None:
    rest = [label for label in planet().labels if label not in RARE]
    add_model(ScoreStore.of(workspace), "rest", workspace.labelled.truth, 8, scored=rest)
    blend = blend_of("both", ["rest", "rare"], workspace, rule="fixed")
    assert blend.oof.scored.all()
    assert blend.others == ()
    assert [each.name for each in blend.specialists] == ["rest", "rare"]
    assert "over" not in " ".join(blend.notes)
    blend.text()


def test_a_blend_with_a_specialist_can_be_a_member(workspace: Workspace) -> None:
    inner = blend_of("inner", ["a", "rare"], workspace, rule="fixed", union=RARE)
    outer: Blend = blend_of("outer", ["inner", "b", "rare"], workspace, rule="fixed")
    rare = ScoreStore.of(workspace).join("rare").oof.values
    b = ScoreStore.of(workspace).join("b").oof.values
    np.testing.assert_allclose(outer.oof.values[:, COLUMNS], (inner.oof.values + b + rare)[:, COLUMNS] / 3, atol=1e-6)
    assert outer.provenance["members"][0]["union"] == list(RARE)
    assert [made["name"] for made in outer.provenance["members"][0]["members"]] == ["a", "rare"]


def test_a_specialists_cuts_are_made_and_kept_for_its_labels(workspace: Workspace) -> None:
    chosen = make_cuts("rare", workspace, trials=5)
    content = strict_json(chosen.path)
    assert tuple(content["cuts"]) == chosen.task.labels == RARE
    assert {each["metric"] for each in content["figures"]} == {"macro F2"}
    cuts = cuts_of("rare", workspace)
    np.testing.assert_array_equal(cuts[COLUMNS], chosen.cuts)
    assert np.isnan(cuts[OTHERS]).all()
    text = chosen.text()
    assert "macro F2 is the mean over the 2 labels that are scored" in text
    assert "water" not in text
    assert "exclusive" not in text
    scores = ScoreStore.of(workspace).join("rare").oof.values
    decided = decide(scores, cuts, workspace.competition)
    assert not decided[:, OTHERS].any()
    truth = workspace.labelled.truth[:, COLUMNS]
    assert chosen.evaluations[chosen.rule].in_sample == decisions_by_label(truth, decided[:, COLUMNS], 2).f_beta.mean()


def run(workspace: Workspace, *arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, [*arguments, "--workspace", str(workspace.root)], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def test_from_scores_with_a_specialist_to_a_checked_submission(workspace: Workspace) -> None:
    shown = run(workspace, "thresholds", "--model", "rare", "--trials", "5")
    assert "Next: python run.py blend --members a,rare --name a-with-rare" in shown
    blend = ["blend", "--members", "a,rare", "--name", "mixed", "--trials", "5", "--union", ",".join(RARE)]
    shown = run(workspace, *blend)
    assert f"mixed.csv is valid: {NUM_TEST} rows" in shown
    assert "nan" not in shown
    recipe = strict_json(workspace.submissions / "mixed.json")
    assert recipe["union"] == list(RARE)
    assert recipe["members"][1]["scored"] == list(RARE)
    assert "is valid" in run(workspace, "validate", "mixed", "--against", "mixed")
    shown = run(workspace, "blend", "--members", "rare", "--name", "alone", code=2)
    assert shown.startswith("Error: No scores of agriculture, ")
    assert shown.count("\n") == 1
