"""Blends of models in a workspace."""

import json
from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.common.files import digest_file
from competition.metrics import f_beta
from competition.workspace import Workspace
from folds.score_store import ScoreStore
from folds.scores import Scores
from submissions.choose.report import blend_text
from submissions.decide.decisions import decide
from submissions.members import blend_files
from submissions.members.members import load_member, load_members, share
from tests.submissions.samples import NUM_CHIPS, NUM_TEST, add_model, blend_of, ids_to_predict, make_workspace, one_hot


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def test_a_mean_is_the_mean_of_its_members_on_both_sides(workspace: Workspace) -> None:
    blend = blend_of("ab", ["a", "b"], workspace, cuts="fixed")
    a, b = (ScoreStore.of(workspace).join(name) for name in "ab")
    np.testing.assert_allclose(blend.oof.values, (a.oof.values + b.oof.values) / 2, atol=1e-6)
    names = workspace.test_names
    assert blend.test.names == names
    np.testing.assert_allclose(blend.test.values, (a.test.aligned(names) + b.test.aligned(names)) / 2, atol=1e-6)
    assert blend.evaluation.fitted.cuts.tolist() == [0.2] * 17


def test_a_vote_of_test_chips_is_over_models_and_folds(workspace: Workspace) -> None:
    blend = blend_of("ab", ["a", "b"], workspace, method="vote", cuts="fixed", exclusive=False)
    store, names = ScoreStore.of(workspace), workspace.test_names
    voters = [fold.aligned(names) for name in "ab" for fold in store.join(name).test_by_fold.values()]
    votes = sum((scores >= np.float32(0.2)).astype(int) for scores in voters)
    mean = np.mean(voters, axis=0)
    expected = np.where(votes == 3, mean >= 0.2, votes > 3)
    assert len(voters) == 6
    assert (votes == 3).any()
    np.testing.assert_array_equal(blend.test.values >= 0.5, expected)
    assert blend.evaluation.fitted.cuts.tolist() == [0.5] * 17
    assert set(blend.about["member_cuts"]) == {"a", "b"}


@pytest.mark.parametrize(("method", "cuts", "shown"), [("mean", "fixed", "fixed 0.2"), ("vote", "uniform", "uniform")])
def test_the_figures_are_those_of_what_is_written(workspace: Workspace, method: str, cuts: str, shown: str) -> None:
    blend = blend_of("ab", ["a", "b"], workspace, method=method, cuts=cuts)
    decisions = decide(blend.oof.values, blend.evaluation.fitted.cuts, workspace.competition)
    value = f_beta(workspace.labelled.truth, decisions, workspace.competition.metric)
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
    text = blend_text(blend, workspace.competition)
    assert f"* {blend.evaluation.name}" in text
    assert "over its best member" in text
    assert "Deciding exactly one of clear, partly_cloudy, haze, cloudy for every chip" in text
    assert "--any-weather allows several" in text
    free = blend_of("free", ["a", "b"], workspace, cuts="fixed", exclusive=False)
    assert "--one-weather asks for it" in blend_text(free, workspace.competition)
    assert free.about["exclusive"] is False


def test_a_blend_can_be_a_member(workspace: Workspace) -> None:
    inner = blend_of("inner", ["a", "b"], workspace, cuts="fixed")
    outer = blend_of("outer", ["inner", "a"], workspace, cuts="fixed", method="vote")
    member = load_member("inner", workspace, ScoreStore.of(workspace))
    np.testing.assert_array_equal(member.oof.values, inner.oof.values)
    assert [made["name"] for made in outer.about["members"][0]["members"]] == ["a", "b"]
    for name, members in (("inner", ["inner"]), ("inner", ["outer", "b"])):
        with pytest.raises(UserError, match=f"Blend 'inner' cannot be made of itself: its member '{members[0]}'"):
            blend_of(name, members, workspace, cuts="fixed")


def test_a_blend_has_the_digests_of_what_it_was_made_of(workspace: Workspace) -> None:
    blend = blend_of("ab", ["a", "b"], workspace, cuts="fixed")
    assert blend.about["fold_digest"] == ScoreStore.of(workspace).table.digest
    assert [made["recipe_digest"] for made in blend.about["members"]] == ["recipe of a", "recipe of b"]
    assert blend.about["files"] == {
        name: digest_file(workspace.blends / "ab" / name) for name in ("oof.npz", "test.npz")
    }


def test_members_on_other_chips_are_brought_to_those_they_share(workspace: Workspace) -> None:
    store = ScoreStore.of(workspace)
    gone, test_gone = ["train_5", "train_17"], [ids_to_predict()[3]]
    add_model(store, "c", workspace.labelled.truth, 3, left_out=[*gone, *test_gone], test_left_out=test_gone)
    blend = blend_of("ac", ["a", "c"], workspace, cuts="fixed")
    assert set(workspace.labelled.image_names) - set(blend.oof.names) == set(gone)
    assert len(blend.test.names) == NUM_TEST - 1
    assert blend.about["left_out"] == sorted([*gone, *test_gone])
    assert f"{NUM_CHIPS - 2} of {NUM_CHIPS} labelled chips have scores of every member" in blend.notes[0]
    assert "2 chips scored by 'a' are not used" in blend.notes[1]


def test_rows_stay_with_their_chips_when_the_tables_order_differs(workspace: Workspace) -> None:
    table = workspace.fold_table.read_text().splitlines()
    workspace.fold_table.write_text("\n".join([table[0], *reversed(table[1:])]) + "\n")
    store = ScoreStore.of(workspace)
    shared = share(load_members(["a", "b"], workspace, store), workspace, store.table)
    assert shared.names == tuple(reversed(workspace.labelled.image_names))
    np.testing.assert_array_equal(shared.truth, workspace.labelled.truth[::-1])
    for i, name in enumerate(shared.names):
        assert store.table.heldout(int(shared.folds[i]))[store.table.image_names.index(name)]
    assert f_beta(shared.truth, shared.scores[0] >= 0.3, workspace.competition.metric) > 0.7


def test_what_cannot_be_blended_is_refused(workspace: Workspace) -> None:
    blend_of("ab", ["a", "b"], workspace, cuts="fixed")
    for members, text in {
        ("a", "a", "b"): "Members are named twice: a",
        (): "needs at least one member",
        ("a", "resnet"): r"Unknown model or blend 'resnet'. Known: a, ab, b",
    }.items():
        with pytest.raises(UserError, match=text):
            blend_of("new", members, workspace, cuts="fixed")
    with pytest.raises(UserError, match=r"'a' is a model. Give the blend another --name"):
        blend_of("a", ["a", "b"], workspace, cuts="fixed")
    with pytest.raises(UserError, match=r"'../x' cannot name a blend"):
        blend_of("../x", ["a", "b"], workspace, cuts="fixed")


def test_a_blend_of_another_fold_table_is_refused(workspace: Workspace) -> None:
    blend_of("ab", ["a", "b"], workspace, cuts="fixed")
    marker = workspace.blends / "ab" / "blend.json"
    content = json.loads(marker.read_text())
    for change, text in {
        "fold_digest": "was made with another fold table",
        "labels": "has other labels or another order",
        "format": "is damaged",
    }.items():
        marker.write_text(json.dumps({**content, change: "other"}))
        with pytest.raises(UserError, match=text):
            load_member("ab", workspace, ScoreStore.of(workspace))
    marker.write_text(json.dumps(content))
    Scores(("x",), np.zeros((1, 17), dtype=np.float32)).write(workspace.blends / "ab" / "oof.npz")
    with pytest.raises(UserError, match=r"oof.npz was changed after it was written"):
        load_member("ab", workspace, ScoreStore.of(workspace))


def test_the_old_blend_stays_until_the_new_one_is_complete(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = blend_of("ab", ["a", "b"], workspace, cuts="fixed")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(blend_files, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            blend_of("ab", ["a"], workspace, cuts="fixed")
    member = load_member("ab", workspace, ScoreStore.of(workspace))
    np.testing.assert_array_equal(member.oof.values, old.oof.values)
    blend_of("ab", ["a"], workspace, cuts="fixed")
    assert [path.name for path in workspace.blends.iterdir() if path.is_dir()] == ["ab"]
    assert json.loads((workspace.blends / "ab" / "blend.json").read_text())["members"][0]["name"] == "a"


def test_a_one_hot_competition_without_groups_is_blended(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, competition=one_hot(tmp_path))
    blend = blend_of("ab", ["a", "b"], workspace, method="vote", trials=5)
    assert blend.evaluation.metric == "macro F1"
    assert blend.oof.values.shape == (NUM_CHIPS, 3)
    assert not any("exactly one" in note or "--any-weather" in note for note in blend.notes)


def test_a_rule_that_is_asked_for_is_taken_and_compared_with_the_prior_cut(workspace: Workspace) -> None:
    blend = blend_of("ab", ["a", "b"], workspace, cuts="uniform")
    assert blend.about["rule"] == "uniform"
    assert blend.evaluation.name == "mean, uniform"
    assert blend.reference.name == blend.others[0].name == "mean, fixed 0.2"
