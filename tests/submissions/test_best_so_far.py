"""The best so far: it only ever becomes better, and its submission is always a valid one."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.common.files import digest_file
from competition.spec.metric import Metric
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions import best_so_far
from submissions.best_so_far import FILE, SHARES, BestSoFar
from submissions.choose.candidates import make_candidates
from submissions.choose.compare import compare
from submissions.submit import write
from submissions.submit.provenance import read_provenance
from submissions.submit.validate import validate_submission
from tests.submissions.samples import add_model, make_workspace, one_hot

LONG = 1000.0  # seconds


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path, num_chips=150)


def best(workspace: Workspace, name: str = "best", *, with_submission: bool = True) -> BestSoFar:
    return BestSoFar(name, workspace, workspace.auto / name, with_submission=with_submission)


def is_valid(workspace: Workspace, name: str = "best") -> bool:
    path = workspace.submissions / f"{name}.csv"
    read_provenance(path)  # raises if it is of another file
    return validate_submission(path, workspace.competition, workspace.sample, exclusive=False).is_valid


def add_bad(workspace: Workspace, name: str = "bad") -> None:
    """Add a model that knows nothing of the chips."""
    random = np.random.default_rng(9)
    truth = workspace.labelled.truth
    add_model(ScoreStore.of(workspace), name, random.permutation(truth), 5)


@pytest.mark.parametrize("metric", ["", "roc_auc", "log_loss"])
def test_there_is_a_valid_submission_before_the_first_model(metric: str, tmp_path: Path) -> None:
    competition = one_hot(tmp_path).model_copy(update={"metric": Metric(name=metric)}) if metric else None
    workspace = make_workspace(tmp_path, competition=competition)
    chosen = best(workspace).begin([])
    assert is_valid(workspace)
    assert chosen.name == SHARES
    assert 0 < chosen.value < 1
    assert "Warning: every chip gets the same answer" in best(workspace).text()


def test_a_model_replaces_the_shares_and_a_worse_one_leaves_the_better(workspace: Workspace) -> None:
    chooser = best(workspace)
    start = chooser.begin([])
    first = chooser(["a"], LONG)
    assert first.is_better
    assert first.gain == pytest.approx(first.value - start.value)
    assert first.gain > 3 * first.error > 0
    written = digest_file(chooser.path)
    add_bad(workspace)
    second = chooser(["a", "bad"], 0.0)
    if not second.is_better:
        assert digest_file(chooser.path) == written
        assert second.gain == 0
    assert second.value >= first.value
    assert is_valid(workspace)


def test_two_good_models_are_better_than_one_and_seconds_are_foreseen_from_those_taken(workspace: Workspace) -> None:
    chooser = best(workspace)
    assert chooser.seconds(2) > 0, "a guess"
    first = chooser(["a"], LONG)
    both = chooser(["a", "b"], LONG)
    assert chooser.seconds(8) > chooser.seconds(2) > 0
    assert both.is_better
    assert both.value > first.value
    assert {member["name"] for member in read_provenance(chooser.path)["members"]} == {"a", "b"}
    assert (workspace.blends / "best").is_dir()
    assert is_valid(workspace)


def test_the_figure_is_that_of_choosing(workspace: Workspace) -> None:
    chosen = best(workspace)(["a", "b"], 0.0)
    effort = best_so_far._efforts(workspace)[0]
    comparison = compare(
        make_candidates(["a", "b"], workspace), effort.methods, effort.rules, rules_alone=effort.rules_alone
    )
    assert chosen.value == comparison.choosing()[0]


@pytest.mark.slow
def test_little_time_means_little_effort(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    compared = best_so_far._compare

    def counted(candidates: object, effort: object) -> object:
        result = compared(candidates, effort)  # type: ignore[arg-type]
        made.append(len(result.candidates))
        return result

    monkeypatch.setattr(best_so_far, "_compare", counted)
    best(workspace)(["a", "b"], 0.0)
    assert len(made) == 1
    best(workspace)(["a", "b"], LONG)
    assert len(made) == 4
    assert made == sorted(made)


def test_it_is_known_again_and_a_lost_submission_is_written_anew(workspace: Workspace) -> None:
    before = best(workspace)(["a", "b"], 0.0)
    assert best(workspace).begin(["a", "b"]).value == before.value
    chooser = best(workspace)
    chooser.path.unlink()
    again = chooser.begin(["a", "b"])
    assert again.value >= before.value  # by more effort than before, as the time that it takes is known now
    assert is_valid(workspace)


@pytest.mark.parametrize("members", [[], ["a", "b"]])
@pytest.mark.parametrize("after", ["record", "submission", "submission and what is beside it"])
def test_a_kill_while_it_is_written_is_mended(
    members: list[str], after: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    if members:
        best(workspace).begin([])
    place = {
        "record": (best_so_far, "write_decided"),
        "submission": (write, "write_provenance"),
        "submission and what is beside it": (best_so_far, "digest_file"),
    }
    chooser = best(workspace)
    choose = partial(chooser, members, 0.0) if members else partial(chooser.begin, [])
    with monkeypatch.context() as patched:
        patched.setattr(*place[after], killed)
        with pytest.raises(KeyboardInterrupt):
            choose()
    again = best(workspace).begin(members)
    assert (again.name == SHARES) == (not members)
    assert is_valid(workspace)


def test_without_its_record_it_is_known_by_what_is_beside_the_submission(workspace: Workspace) -> None:
    first = best(workspace)(["a", "b"], 0.0)
    (workspace.auto / "best" / FILE).unlink()
    assert best(workspace).begin(["a", "b"]).value == first.value


def test_what_was_changed_since_is_not_replaced(workspace: Workspace) -> None:
    chooser = best(workspace)
    chooser.begin([])
    chooser.path.write_text("mine")
    with pytest.raises(UserError, match=r"best\.csv was changed since `auto` wrote it\. Give another --name"):
        best(workspace)
    chooser.path.unlink()
    best(workspace).begin([])
    assert is_valid(workspace)


def test_a_first_model_that_is_worse_than_the_shares_leaves_them(workspace: Workspace) -> None:
    chooser = best(workspace)
    start = chooser.begin([])
    add_model(ScoreStore.of(workspace), "inverse", ~workspace.labelled.truth, 5)
    first = chooser(["inverse"], 0.0)
    assert not first.is_better
    assert (first.name, first.value, first.gain) == (SHARES, start.value, 0.0)
    assert is_valid(workspace)


def test_what_somebody_made_otherwise_is_not_replaced(workspace: Workspace) -> None:
    workspace.submissions.mkdir()
    (workspace.submissions / "mine.csv").write_text("mine")
    with pytest.raises(UserError, match=r"mine\.csv is there, and was not made by `auto`\. Give another --name"):
        best(workspace, "mine")
    with pytest.raises(UserError, match="'a' is a model"):
        best(workspace, "a")


def test_without_chips_to_predict_the_figures_are_kept_alone(workspace: Workspace) -> None:
    chooser = best(workspace, with_submission=False)
    chooser.begin([])
    chosen = chooser(["a"], 0.0)
    assert chosen.is_better
    assert not workspace.submissions.exists()
    assert "valid" not in chooser.text()
    assert "a alone" in chooser.text()


def test_a_damaged_record_is_one_line(workspace: Workspace) -> None:
    best(workspace).begin([])
    path = workspace.auto / "best" / FILE
    content = json.loads(path.read_text())
    content["value"] = "x"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"best\.json is damaged"):
        best(workspace)


def test_what_choosing_takes_is_known_before_there_are_folds(workspace: Workspace) -> None:
    workspace.fold_table.unlink()
    assert best(workspace).seconds(3) > best(workspace).seconds(1) > 0
