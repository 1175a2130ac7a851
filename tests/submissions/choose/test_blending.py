"""Blends of models in a workspace."""

import json
from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.common.files import digest_file
from competition.metrics.judge import measure
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.decide.decisions import decide
from submissions.members.members import load_member
from tests.submissions.samples import NUM_CHIPS, NUM_TEST, add_model, blend_of, ids_to_predict, make_workspace, one_hot


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def test_a_mean_is_the_mean_of_its_members_on_both_sides(workspace: Workspace) -> None:
    blend = blend_of("ab", ["a", "b"], workspace, rule="fixed")
    a, b = (ScoreStore.of(workspace).join(name) for name in "ab")
    np.testing.assert_allclose(blend.oof.values, (a.oof.values + b.oof.values) / 2, atol=1e-6)
    names = workspace.test_names
    assert blend.test.names == names
    np.testing.assert_allclose(blend.test.values, (a.test.aligned(names) + b.test.aligned(names)) / 2, atol=1e-6)
    assert blend.evaluation.fitted.cuts.tolist() == [0.2] * 17


def test_a_vote_of_test_chips_is_over_models_and_folds(workspace: Workspace) -> None:
    blend = blend_of("ab", ["a", "b"], workspace, method="vote", rule="fixed", exclusive=False)
    store, names = ScoreStore.of(workspace), workspace.test_names
    voters = [fold.aligned(names) for name in "ab" for fold in store.join(name).test_by_fold.values()]
    votes = sum((scores >= np.float32(0.2)).astype(int) for scores in voters)
    mean = np.mean(voters, axis=0)
    expected = np.where(votes == 3, mean >= 0.2, votes > 3)
    assert len(voters) == 6
    assert (votes == 3).any()
    np.testing.assert_array_equal(blend.test.values >= 0.5, expected)
    assert blend.evaluation.fitted.cuts.tolist() == [0.5] * 17
    assert set(blend.provenance["member_cuts"]) == {"a", "b"}


@pytest.mark.parametrize(("method", "rule", "shown"), [("mean", "fixed", "fixed 0.2"), ("vote", "uniform", "uniform")])
def test_the_figures_are_those_of_what_is_written(workspace: Workspace, method: str, rule: str, shown: str) -> None:
    blend = blend_of("ab", ["a", "b"], workspace, method=method, rule=rule)
    decisions = decide(blend.oof.values, blend.evaluation.fitted.cuts, workspace.competition)
    value = measure(workspace.labelled.truth, decisions, workspace.competition.metric)
    assert blend.evaluation.cross_fitted == value
    figures = json.loads((workspace.blends / "ab" / "blend.json").read_text())["figures"]
    assert figures[0]["cross_fitted"] == value
    assert [each["name"] for each in figures[-2:]] == [f"a alone, {shown}", f"b alone, {shown}"]


def test_auto_compares_all_rules_and_says_what_it_chose(workspace: Workspace) -> None:
    blend = blend_of("ab", ["a", "b"], workspace, trials=5)
    names = {blend.evaluation.name, *(each.name for each in blend.others)}
    rules = ("fixed 0.2", "uniform", "shrunk", "per-label")
    alone = {f"{member} alone, {blend.evaluation.name.removeprefix('mean, ')}" for member in "ab"}
    assert names == {f"mean, {rule}" for rule in rules} | alone
    text = blend.text()
    assert f"* {blend.evaluation.name}" in text
    assert all(note in text for note in blend.notes)
    assert "with one label of every exclusive group" in text
    free = blend_of("free", ["a", "b"], workspace, rule="fixed", exclusive=False)
    assert free.provenance["exclusive"] is False
    assert "by the rule alone" in free.text()


def test_a_blend_can_be_a_member(workspace: Workspace) -> None:
    inner = blend_of("inner", ["a", "b"], workspace, rule="fixed")
    outer = blend_of("outer", ["inner", "a"], workspace, rule="fixed", method="vote")
    member = load_member("inner", workspace, ScoreStore.of(workspace))
    np.testing.assert_array_equal(member.oof.values, inner.oof.values)
    assert [made["name"] for made in outer.provenance["members"][0]["members"]] == ["a", "b"]
    for name, members in (("inner", ["inner"]), ("inner", ["outer", "b"])):
        with pytest.raises(UserError, match=f"Blend 'inner' cannot be made of itself: its member '{members[0]}'"):
            blend_of(name, members, workspace, rule="fixed")


def test_a_blend_has_the_digests_of_what_it_was_made_of(workspace: Workspace) -> None:
    blend = blend_of("ab", ["a", "b"], workspace, rule="fixed")
    assert blend.provenance["fold_digest"] == ScoreStore.of(workspace).table.digest
    assert [made["recipe_digest"] for made in blend.provenance["members"]] == ["recipe of a", "recipe of b"]
    assert blend.provenance["files"] == {
        name: digest_file(workspace.blends / "ab" / name) for name in ("oof.npz", "test.npz")
    }


def test_members_on_other_chips_are_brought_to_those_they_share(workspace: Workspace) -> None:
    store = ScoreStore.of(workspace)
    gone, test_gone = ["train_5", "train_17"], [ids_to_predict()[3]]
    add_model(store, "c", workspace.labelled.truth, 3, left_out=[*gone, *test_gone], test_left_out=test_gone)
    blend = blend_of("ac", ["a", "c"], workspace, rule="fixed")
    assert set(workspace.labelled.image_names) - set(blend.oof.names) == set(gone)
    assert len(blend.test.names) == NUM_TEST - 1
    assert blend.provenance["left_out"] == sorted([*gone, *test_gone])
    assert f"{NUM_CHIPS - 2} of {NUM_CHIPS} labelled chips have scores of every member" in blend.notes[0]
    assert "2 chips scored by 'a' are not used" in blend.notes[1]


def test_what_cannot_be_blended_is_refused(workspace: Workspace) -> None:
    blend_of("ab", ["a", "b"], workspace, rule="fixed")
    for members, text in {
        ("a", "a", "b"): "Members are named twice: a",
        (): "needs at least one member",
        ("a", "resnet"): r"Unknown model or blend 'resnet'. Known: a, ab, b",
    }.items():
        with pytest.raises(UserError, match=text):
            blend_of("new", members, workspace, rule="fixed")
    with pytest.raises(UserError, match=r"'a' is a model. Give the blend another --name"):
        blend_of("a", ["a", "b"], workspace, rule="fixed")
    with pytest.raises(UserError, match=r"'../x' cannot name a blend"):
        blend_of("../x", ["a", "b"], workspace, rule="fixed")


def test_a_one_hot_competition_without_groups_is_blended(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, competition=one_hot(tmp_path))
    blend = blend_of("ab", ["a", "b"], workspace, method="vote", trials=5)
    assert blend.evaluation.metric.title == "macro F1"
    assert blend.oof.values.shape == (NUM_CHIPS, 3)
    assert not any("exactly one" in note or "--any-of-group" in note for note in blend.notes)


def test_a_rule_that_is_asked_for_is_taken_and_compared_with_the_prior_cut(workspace: Workspace) -> None:
    blend = blend_of("ab", ["a", "b"], workspace, rule="uniform")
    assert blend.provenance["rule"] == "uniform"
    assert blend.evaluation.name == "mean, uniform"
    assert blend.source.reference.name == blend.others[0].name == "mean, fixed 0.2"
