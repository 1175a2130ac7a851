"""What decides cells: which cuts, learnt from what, and what is refused."""

import json

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.scenes.grid import Grid
from competition.terminal.output import as_text
from folds.store.score_store import ScoreStore
from submissions.choose.cuts import make_cuts
from submissions.decide.cut_rules import PrecisionRule
from submissions.decide.decisions import at_or_above
from submissions.decide.expected_f_beta import Structure, most_expected
from submissions.map.decide import decide
from submissions.map.rules import rule_of
from submissions.members.members import load_member
from tests.competition.scenes.samples import scored_of
from tests.submissions.map.samples import random_planes, raster_of
from tests.submissions.samples import add_model, draw_truth, make_workspace, planet

SCORED = scored_of(Grid(8, 8, (2, 2), (2, 2)), model="a", cuts={"road": 0.3})


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return make_workspace(tmp_path_factory.mktemp("rules"))


def test_cuts_kept_with_the_scores_come_first_and_what_lacks_is_said() -> None:
    rule = rule_of("cuts", SCORED)
    assert rule.cuts == {"road": 0.3, "water": planet().metric.prior_cut}
    assert rule.notes == ("No cuts are kept of water: 0.2 is the cut before any tuning.",)
    assert rule_of("cuts", SCORED.model_copy(update={"cuts": {"road": 0.3, "water": 0.4}})).notes == ()


def test_cuts_of_a_model_are_those_that_thresholds_has_kept(workspace) -> None:
    assert rule_of("cuts", SCORED, workspace, "b").cuts == dict.fromkeys(SCORED.labels, 0.2)
    make_cuts("b", workspace, trials=5)
    found = rule_of("cuts", SCORED, workspace, "b")
    assert found.title == "the cuts of 'b'"
    assert found.notes == ()
    assert found.cuts.keys() == set(SCORED.labels)
    assert found.cuts != dict.fromkeys(SCORED.labels, 0.2)


def test_one_cut_is_that_of_all_labels() -> None:
    assert rule_of("cut=.35", SCORED).cuts == {"road": 0.35, "water": 0.35}


@pytest.mark.parametrize(
    ("text", "scored", "said"),
    [
        ("best", {}, "Unknown rule 'best'. Known: cuts, cut=C"),
        ("cut=", {}, "Unknown rule"),
        ("cut=nan", {}, "Unknown rule"),
        ("cut=0", {}, "--rule cut=0: expected more than 0 and at most 1"),
        ("precision=1.01", {}, "expected more than 0 and at most 1"),
        ("f0", {}, "a beta above 0"),
        ("f2000", {}, "up to 100"),
        ("f2", {}, "This rule needs a workspace"),
        ("cuts", {"competition": "/etc/passwd.toml"}, "'/etc/passwd.toml' is not known here. Give its file by"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(text, scored, said) -> None:
    with pytest.raises(UserError) as refused:
        rule_of(text, SCORED.model_copy(update=scored))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_a_model_lacks_is_refused(workspace, tmp_path) -> None:
    with pytest.raises(UserError, match=r"takes nothing from a model. Leave --name a out"):
        rule_of("cut=.3", SCORED, workspace, "a")
    with pytest.raises(UserError, match=f"the workspace {tmp_path} has no data. Give the --workspace that 'a'"):
        rule_of("f2", SCORED, type(workspace)(tmp_path, planet()))
    with pytest.raises(UserError, match=r"'a' of .* does not score rivers, which the raster has"):
        rule_of("f2", SCORED.model_copy(update={"labels": ("road", "rivers")}), workspace)
    add_model(ScoreStore.of(workspace), "s", draw_truth(planet(), 300), scored=["road"])
    with pytest.raises(UserError, match=r"'s' of .* does not score water"):
        rule_of("f2", SCORED, workspace, "s")


def test_precision_is_learnt_from_the_chips_that_the_model_did_not_see(workspace) -> None:
    rule = rule_of("precision=.8", SCORED, workspace)
    member = load_member("a", workspace, ScoreStore.of(workspace))
    truth = draw_truth(planet(), 300)
    for label, cut in rule.cuts.items():
        column = planet().labels.index(label)
        decided = at_or_above(member.oof.values[:, column], cut)
        assert truth[decided, column].mean() >= 0.8
        lower = member.oof.values[:, column][~decided].max()
        assert truth[member.oof.values[:, column] >= lower, column].mean() < 0.8
    shown = rule.text()
    assert "learnt from the chips of 'a'" in shown
    assert "cross-fitted on 300 labelled chips" in shown
    figures = rule.as_dict()["cross_fitted_on_chips"]
    assert list(figures) == list(SCORED.labels)
    assert all(0.6 < figures[label]["precision"] <= 1 for label in SCORED.labels)


def test_precision_is_reached_at_the_lowest_cut_and_equal_scores_go_together() -> None:
    scores = np.array([[0.9], [0.7], [0.7], [0.4], [0.2]])
    truth = np.array([[True], [True], [False], [True], [False]])
    for wanted, cut in ((1.0, 0.9), (0.75, 0.4), (0.7, 0.4), (0.6, 0.2), (0.8, 0.9)):
        assert PrecisionRule(wanted).fit(scores, truth).cuts.tolist() == [cut]
    assert PrecisionRule(0.5).fit(scores, ~truth & False).cuts.tolist() == [np.inf]


def test_a_label_that_no_cut_tells_surely_enough_is_never_decided(tmp_path) -> None:
    workspace = make_workspace(tmp_path, models=())
    add_model(ScoreStore.of(workspace), "a", ~draw_truth(planet(), 300))
    rule = rule_of("precision=.99", SCORED, workspace)
    assert np.isinf(list(rule.cuts.values())).all()
    assert "Never decided, as no cut reaches that precision: road, water." in rule.text()
    assert json.loads(as_text(rule.as_dict()))["cuts"] == {"road": None, "water": None}
    raster = raster_of(tmp_path, *random_planes(5, 6))
    assert len(decide(raster, rule)) == 0


def test_f_half_wants_surer_cuts_than_f2(workspace) -> None:
    half, two = (rule_of(text, SCORED, workspace).cuts for text in ("f0.5", "f2"))
    assert all(half[label] > two[label] for label in SCORED.labels)


def test_the_highest_expected_f_beta_keeps_to_the_groups_of_the_raster(tmp_path) -> None:
    scores, kinds = np.array([[0.2, 0.9, 0.5]]), {}
    for values, structure in (
        ({}, Structure()),
        ({"exclusive": (("road", "water"),)}, Structure(((0, 1),))),
        ({"alone": ("water",)}, Structure(alone=(1,))),
    ):
        raster = raster_of(tmp_path / str(len(kinds)), *(np.full((2, 3), score) for score in scores[0]), **values)
        planes = rule_of("expected", raster.scored).planes(raster, raster.labels)
        decided = tuple(bool(cells.all()) for _, _, cells, _ in planes)
        assert decided == tuple(most_expected(scores, 2.0, structure)[0])
        kinds[decided] = structure
    assert len(kinds) == 3


def test_the_highest_expected_f_beta_decides_cells_like_chips(workspace, tmp_path) -> None:
    planes = random_planes(7, 9, unknown=0)
    raster = raster_of(tmp_path, *planes, model="a")
    plain, calibrated = rule_of("expected", raster.scored), rule_of("expected", raster.scored, workspace, "a")
    assert (plain.cuts, plain.worth) == ({}, None)
    assert calibrated.worth is not None
    assert "calibrated on the chips of 'a'" in calibrated.text()
    for rule in (plain, calibrated):
        scores = np.stack([raster.scores(label) for label in raster.labels], axis=-1).reshape(-1, 2)
        expected = rule.expected(scores).reshape(7, 9, 2)
        for first, label, decided, _ in rule.planes(raster, raster.labels, 3):
            block = expected[first : first + 3, :, raster.labels.index(label)]
            np.testing.assert_array_equal(decided, block)
    assert (plain.expected(scores) != calibrated.expected(scores)).any()
