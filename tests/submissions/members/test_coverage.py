"""What is proposed after the cuts of a model, and what a blend says of members that cannot be submitted."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from competition.index.layout import Layout
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from run import main
from submissions.members.coverage import after_cuts, lack_of_test_scores
from submissions.members.members import load_member
from tests.submissions.samples import NUM_TEST, add_model, blend_of, ids_to_predict, make_workspace, planet

RARE = ("blow_down", "conventional_mine")
REST = tuple(label for label in planet().labels if label not in RARE)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def add(workspace: Workspace, model: str, **options: object) -> None:
    add_model(ScoreStore.of(workspace), model, workspace.labelled.truth, 7, **options)


def add_test_chips(workspace: Workspace) -> None:
    folder = workspace.data / "test-jpg"
    folder.mkdir()
    Layout("planet", {"test-jpg": (folder,)}, workspace.layout.tables).write(workspace.data / "layout.json")


def reopened(workspace: Workspace) -> Workspace:
    return Workspace(workspace.root, workspace.competition)


def run(workspace: Workspace, *arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, [*arguments, "--workspace", str(workspace.root)], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


# What comes after cuts


def test_a_model_of_all_labels_is_blended_alone(workspace: Workspace) -> None:
    assert after_cuts("a", workspace) == "blend --members a --name a-alone"


def test_a_specialist_is_blended_beside_the_first_that_makes_a_submission_of_it(workspace: Workspace) -> None:
    add(workspace, "rare", scored=RARE)
    add(workspace, "a", test_left_out=ids_to_predict())
    add(workspace, "aa", folds=[0])
    add(workspace, "b", scored=RARE)
    assert after_cuts("rare", workspace) == ""
    add(workspace, "rest", scored=REST)
    command = after_cuts("rare", workspace)
    assert command == "blend --members rest,rare --name rest-with-rare"
    assert "rest-with-rare.csv is valid" in run(workspace, *command.split(), "--rule", "fixed")
    assert after_cuts("rest-with-rare", workspace) == "blend --members rest-with-rare --name rest-with-rare-alone"


def test_a_model_without_scores_of_the_test_chips_predicts_them_first_if_they_are_there(workspace: Workspace) -> None:
    add(workspace, "some", test_left_out=ids_to_predict()[:3])
    assert after_cuts("some", workspace) == ""
    assert "Next:" not in run(workspace, "thresholds", "--model", "some", "--trials", "2")
    add_test_chips(workspace)
    assert after_cuts("some", reopened(workspace)) == "train --models some"
    add(workspace, "some", test_left_out=ids_to_predict()[:3], left_out=ids_to_predict()[:3])
    assert after_cuts("some", reopened(workspace)) == "blend --members some --name some-alone"


def test_a_broken_chip_of_training_excuses_none_to_predict_of_the_same_id(workspace: Workspace) -> None:
    """As where both are numbered from 0; records of older versions do not tell them apart."""
    missing = list(ids_to_predict()[:1])
    add(workspace, "c", test_left_out=missing, left_out=missing)
    store = ScoreStore.of(workspace)
    assert lack_of_test_scores([load_member("c", workspace, store)], workspace) is None
    blend = blend_of("ac", ["a", "c"], workspace, rule="fixed")
    assert (blend.provenance["left_out"], blend.provenance["test_left_out"]) == (missing, missing)
    assert lack_of_test_scores([load_member("ac", workspace, store)], workspace) is None
    for broken, is_lacking in {(): True, tuple(missing): False}.items():
        for fold in range(store.table.num_folds):
            made = store.read("c", fold)
            store.write(replace(made, provenance=replace(made.provenance, left_out=(), test_left_out=broken)))
        member = load_member("c", workspace, store)
        assert (member.left_out, member.test_left_out) == ((), broken)
        lacking = lack_of_test_scores([member], workspace)
        assert ("1 of 40 chips to predict" in str(lacking)) == is_lacking


# A blend that cannot be submitted


@pytest.mark.parametrize("there", [False, True])
def test_a_blend_of_members_without_test_scores_shows_its_figures_and_writes_nothing(
    workspace: Workspace, there: bool
) -> None:
    run(workspace, "blend", "--members", "a,b", "--name", "ab", "--rule", "fixed")
    before = (workspace.blends / "ab/blend.json").read_bytes()
    if there:
        add_test_chips(workspace)
    add(workspace, "none", test_left_out=ids_to_predict())
    add(workspace, "some", test_left_out=ids_to_predict()[:1])
    figures, error = run(workspace, "blend", "--members", "none,a,some", "--name", "ab", code=2).split("Error: ")
    assert "* mean, " in figures
    assert "some alone, " in figures
    assert error.count("\n") == 1
    assert error.startswith(
        f"No submission: {NUM_TEST} of {NUM_TEST} chips to predict have no scores by 'none' and 'some'"
    )
    prepare = [] if there else ["data prepare --from DIR"]
    commands = [*prepare, "train --models none,some"]
    assert re.findall(r'"python run\.py (.*?)"', error) == [f"{each} --workspace {workspace.root}" for each in commands]
    assert (workspace.blends / "ab/blend.json").read_bytes() == before
    run(workspace, "blend", "--members", "a,none", "--name", "new", code=2)
    assert not (workspace.blends / "new").exists()


def test_of_a_member_that_is_a_blend_the_models_are_named(workspace: Workspace) -> None:
    blend_of("inner", ["a", "b"], workspace, rule="fixed")
    sample = workspace.data / "sample_submission_v2.csv"
    sample.write_text(sample.read_text() + "new_chip,clear primary\n")
    add_test_chips(workspace)
    lacking = blend_of("outer", ["inner", "a"], reopened(workspace), rule="fixed").lacking
    assert f"1 of {NUM_TEST + 1} chips to predict have no scores by 'inner' and 'a': new_chip. Once they" in str(
        lacking
    )
    assert '"python run.py train --models a,b"' in str(lacking)
    assert "Once they are scored, blend inner again. To score them" in str(lacking)


def test_without_any_chips_to_predict_the_figures_are_shown(workspace: Workspace) -> None:
    Layout("planet", {}, {"train_v2.csv": workspace.layout.tables["train_v2.csv"]}).write(
        workspace.data / "layout.json"
    )
    shown = run(workspace, "blend", "--members", "a,b", "--name", "ab", "--rule", "fixed", code=2)
    assert "* mean, fixed 0.2" in shown
    assert "Error: No test chips" in shown
    assert not (workspace.blends / "ab").exists()
