"""A recipe whose file is lost: the folds made with it know it, and no other is begun in its place."""

from __future__ import annotations

import json
import shutil

import pytest

from competition.common.errors import UserError
from competition.common.records import write_record
from models.artefacts import artefacts_of
from models.runs.folders import FORMAT, JOB, RECIPE, VALUES
from models.runs.kept_recipe import digests_of, values_of
from models.runs.model_recipe import ModelRequest, read_recipe, recipe_of
from tests.conftest import K
from tests.models.samples import TINY, tiny_recipe

DAMAGES = {"zeros": bytes(400), "half": b'{"format": 1, "back', "emptied": b"", "gone": None}
OTHER = ModelRequest("baseline", "tiny", {"epochs": 20})
SAME = ModelRequest("baseline", "tiny", {**TINY, "views": "flips"})


def damage(path, content):
    path.unlink() if content is None else path.write_bytes(content)


def as_of_an_earlier_version(workspace):
    """Take out of the folds what earlier versions did not write."""
    for path in workspace.runs.glob(f"tiny/fold*/{JOB}"):
        content = json.loads(path.read_text())
        content = {name: value for name, value in content.items() if name not in (VALUES, "digest")}
        path.write_text(json.dumps(content))


@pytest.mark.parametrize("content", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("restarted", [(), range(K)])
def test_a_recipe_that_is_lost_is_written_again_as_it_was(trained, capsys, content, restarted):
    path = trained.runs / "tiny" / RECIPE
    before = path.read_bytes()
    damage(path, content)
    assert recipe_of(trained, ModelRequest("tiny"), restarted) == tiny_recipe()
    assert path.read_bytes() == before
    said = capsys.readouterr()
    assert f"{RECIPE} is {'missing' if content is None else 'damaged'}" in said.out + said.err
    assert "It is written again: the folds of 'tiny' say what they were made with." in said.out + said.err


@pytest.mark.parametrize("content", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("restarted", [(), range(K)])
def test_where_no_fold_has_its_values_only_the_same_recipe_takes_its_place(trained, content, restarted):
    as_of_an_earlier_version(trained)
    path = trained.runs / "tiny" / RECIPE
    before = path.read_bytes()
    damage(path, content)
    for request in (ModelRequest("tiny"), OTHER):
        with pytest.raises(
            UserError, match=r"Its folds do not say .* Restore it from a copy\. With the recipe"
        ) as error:
            recipe_of(trained, request, restarted)
        assert "--restart" not in str(error.value)
    assert recipe_of(trained, SAME, restarted) == tiny_recipe()
    assert path.read_bytes() == before


def test_the_recipe_of_another_run_makes_room_for_its_own(trained, capsys):
    path = trained.runs / "tiny" / RECIPE
    before = path.read_bytes()
    write_record(path, tiny_recipe(epochs=99).to_dict(), version=FORMAT)
    assert [looked.state for looked in artefacts_of(trained) if looked.path == path] == ["damaged"]
    assert read_recipe(trained, "tiny") == tiny_recipe()
    assert path.read_bytes() == before
    said = capsys.readouterr()
    assert "is not the recipe that the folds of 'tiny' were made with. It is written again" in said.out + said.err


def test_a_recipe_with_which_nothing_was_made_is_begun_anew(trained):
    for fold in range(K):
        shutil.rmtree(trained.runs / f"tiny/fold{fold}")
    (trained.runs / "tiny" / RECIPE).write_text("{")
    assert recipe_of(trained, OTHER).epochs == 20
    assert not (trained.runs / "tiny" / RECIPE).exists()


def test_one_fold_is_enough_and_the_scores_decide(trained):
    folder = trained.runs / "tiny"
    assert digests_of(folder) == {tiny_recipe().digest()}
    for fold in (0, 1):
        (folder / f"fold{fold}" / JOB).write_text("{")
    assert values_of(folder) == json.loads(json.dumps(tiny_recipe().to_dict()))
    content = json.loads((folder / "fold2" / JOB).read_text())
    del content["digest"]
    (folder / "fold2" / JOB).write_text(json.dumps({**content, "recipe": "another"}))
    assert values_of(folder) is None
    (folder / RECIPE).unlink()
    with pytest.raises(UserError, match="do not say what they were made with"):
        read_recipe(trained, "tiny")
