"""Folds that are made again: what there is stays until they are complete, whatever happens in between."""

from __future__ import annotations

import shutil

import pytest

from competition.common.errors import UserError
from competition.common.records import write_record
from competition.workspace import Workspace
from folds.assign import assign_folds
from folds.store.alone import alone
from folds.store.score_store import ScoreStore
from models.runs.folders import EXTRACTOR, FORMAT, JOB, RECIPE, VALUES, WEIGHTS, read_job
from models.runs.model_recipe import read_recipe
from models.runs.restarts import Restart
from models.runs.status import status_of
from tests.conftest import K
from tests.models.samples import content_of, tiny_recipe

EVERY = range(K)


@pytest.fixture
def again(trained) -> Restart:
    return Restart(trained, "tiny")


def store_of(workspace: Workspace) -> ScoreStore:
    return ScoreStore.of(workspace)


def finish(again: Restart, *folds: int, text: str = "new") -> None:
    """Stand in for training: the folds' files, and a mark by which they are told from those there were."""
    source = again.workspace.root / "finished"
    if not source.exists():
        shutil.copytree(again.old, source)
    values = read_recipe(again.beside, again.model).to_dict()
    for fold in folds:
        shutil.copytree(source / f"fold{fold}", again.new / f"fold{fold}", dirs_exist_ok=True)
        (again.new / f"fold{fold}" / "mark").write_text(text)
        job = again.new / f"fold{fold}" / JOB
        write_record(job, {**read_job(job.parent), VALUES: values}, version=FORMAT)


def marked(again: Restart) -> list[int]:
    return [fold for fold in EVERY if (again.old / f"fold{fold}/mark").is_file()]


@pytest.mark.parametrize("recipe", [tiny_recipe(), tiny_recipe(epochs=9)])
def test_a_model_takes_its_place_as_a_whole_once_all_of_it_is_complete(again, trained, recipe):
    before = content_of(again.old)
    again.begin(EVERY, recipe, store_of(trained))
    for fold in EVERY:
        again.settle(store_of(trained))
        assert content_of(again.old).items() >= before.items()
        assert status_of(trained).restarted == ("tiny",)
        assert "Begun again, beside what is shown: tiny" in status_of(trained).text()
        finish(again, fold)
    again.settle(store_of(trained))
    assert marked(again) == [*EVERY]
    assert read_recipe(trained, "tiny") == recipe
    assert status_of(trained).restarted == ()
    assert not trained.restarted.runs.exists()


def test_one_fold_takes_its_place_and_the_others_stay(again, trained):
    again.begin([1], tiny_recipe(), store_of(trained))
    again.begin([2], tiny_recipe(), store_of(trained))
    assert again.folds(store_of(trained)) == {1, 2}
    (again.new / f"{EXTRACTOR}{WEIGHTS}").write_text("new")
    finish(again, 1)
    again.settle(store_of(trained))
    assert marked(again) == [1]
    assert again.folds(store_of(trained)) == {2}
    assert (again.old / f"{EXTRACTOR}{WEIGHTS}").read_text() == "new"  # there was none
    finish(again, 2)
    again.settle(store_of(trained))
    assert marked(again) == [1, 2]
    assert not trained.restarted.runs.exists()


def test_begun_anew_nothing_of_the_attempt_before_is_left_and_gone_on_with_all_of_it(again, trained):
    again.begin(EVERY, tiny_recipe(), store_of(trained))
    finish(again, 0, 1)
    again.begin(EVERY, tiny_recipe(), store_of(trained), go_on=True)
    assert sorted(path.name for path in again.new.glob("fold*")) == ["fold0", "fold1"]
    again.begin([1], tiny_recipe(), store_of(trained))
    assert sorted(path.name for path in again.new.glob("fold*")) == ["fold0"]
    assert again.folds(store_of(trained)) == {*EVERY}
    again.begin(EVERY, tiny_recipe(epochs=9), store_of(trained), go_on=True)
    assert not list(again.new.glob("fold*"))
    assert read_recipe(again.beside, "tiny").epochs == 9


def test_an_attempt_with_other_folds_is_none_and_the_old_stays(again, trained):
    assign_folds(trained, k=K, seed=0)
    again.begin(EVERY, tiny_recipe(epochs=9), store_of(trained))
    finish(again, *EVERY)
    assign_folds(trained, k=K, seed=4, force=True)
    assert again.folds(store_of(trained)) == set()
    again.settle(store_of(trained))
    assert marked(again) == []
    assign_folds(trained, k=K, seed=0)
    again.settle(store_of(trained))
    assert marked(again) == [*EVERY]


@pytest.mark.parametrize("which", ["old", "new"])
def test_a_fold_at_which_another_process_is_stays_where_it_is(again, trained, which):
    again.begin(EVERY, tiny_recipe(), store_of(trained))
    finish(again, *EVERY)
    with alone(getattr(again, which) / "fold1"):
        again.settle(store_of(trained))
        assert marked(again) == []
        with pytest.raises(UserError, match="Another process is at 'tiny' fold 1"):
            again.begin(EVERY, tiny_recipe(), store_of(trained))
    again.settle(store_of(trained))
    assert marked(again) == [*EVERY]


def test_a_record_that_is_damaged_or_alone_begins_nothing(again, trained):
    again.begin(EVERY, tiny_recipe(), store_of(trained))
    finish(again, *EVERY)
    content = again.record.read_bytes()
    again.record.write_text("{")
    again.settle(store_of(trained))
    assert marked(again) == []
    again.record.write_bytes(content)
    (again.new / RECIPE).unlink()
    assert again.folds(store_of(trained)) == set()
    shutil.rmtree(again.new)
    again.settle(store_of(trained))
    assert not trained.restarted.runs.exists()
