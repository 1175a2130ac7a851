"""Further chips: scored by every fold and learnt from, and in nothing that is of the chips to predict."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from competition.checks.check import check_data
from competition.data.prepare import prepare
from competition.workspace import Workspace
from models.inputs.sources import Sources
from models.runs.model_recipe import ModelRequest
from models.train.run_jobs import run_jobs
from models.train.train_folds import train_folds
from submissions.members.members import load_member
from submissions.pseudo.make import make_pseudo
from tests.conftest import NUM_TEST, NUM_TRAIN, K, store_of
from tests.models.samples import PLANET, TINY, frozen, tiny_job, tiny_recipe

FOLDER = "further-jpg"
NAMES = ("more_0", "more_1", "more_2")


def with_further(workspace: Workspace, simulated: Path, folder: Path) -> Workspace:
    """Add copies of chips to predict to a workspace as further ones, and a labelled chip, which is none."""
    folder.mkdir(parents=True)
    for name, copied in zip(NAMES, workspace.test_names, strict=False):
        shutil.copy(simulated / f"test-jpg/{copied}.jpg", folder / f"{name}.jpg")
    shutil.copy(simulated / "train-jpg/train_0.jpg", folder)
    jpg = PLANET.images["jpg"].model_copy(update={"further": (folder.name,)})
    competition = PLANET.model_copy(update={"images": PLANET.images | {"jpg": jpg}})
    prepare(Workspace(workspace.root, competition), folder.parent)
    return Workspace(workspace.root, competition)


def test_folds_score_them_also_where_they_were_added_since(trained: Workspace, simulated: Path, tmp_path: Path) -> None:
    store = store_of(trained)
    before = [store.read("tiny", fold) for fold in range(K)]
    workspace = with_further(trained, simulated, tmp_path / "more" / FOLDER)
    jobs = [tiny_job(workspace, fold) for fold in range(K)]
    assert not any(job.is_done() for job in jobs)
    for job in jobs:
        run_jobs([job])
        assert job.is_done()
    for fold, old in enumerate(before):
        new = store.read("tiny", fold)
        assert new.further.names == NAMES
        np.testing.assert_allclose(new.further.values, new.test.values[: len(NAMES)], atol=1e-6)
        for one, other in ((new.test, old.test), (new.heldout, old.heldout)):
            assert one.names == other.names
            np.testing.assert_array_equal(one.values, other.values)
    assert load_member("tiny", workspace, store).test.names == workspace.test_names
    made = make_pseudo("p", "tiny", workspace)
    assert made.num_chips == NUM_TEST + len(NAMES)
    labels = made.pseudo.of_fold(1)
    assert labels.names == (*workspace.test_names, *NAMES)
    np.testing.assert_array_equal(labels.targets[NUM_TEST:], store.read("tiny", 1).further.values)


@pytest.mark.slow
def test_students_learn_from_them(trained: Workspace, simulated: Path, tmp_path: Path, capsys) -> None:
    workspace = with_further(trained, simulated, tmp_path / "more" / FOLDER)
    for fold in range(K):
        run_jobs([tiny_job(workspace, fold)])
    make_pseudo("p", "tiny", workspace)
    assert train_folds(workspace, ModelRequest("baseline", "student", {**TINY, "views": "flips", "pseudo": "p"}))
    assert f"and {NUM_TEST + len(NAMES)} with the pseudo-labels 'p'" in capsys.readouterr().out


def test_they_stand_behind_the_chips_to_predict(workspace: Workspace, simulated: Path, tmp_path: Path) -> None:
    sources = Sources(with_further(workspace, simulated, tmp_path / "more" / FOLDER), tiny_recipe())
    vars(sources)["learns_unlabelled"] = True  # as where there are pseudo-labels of these
    assert sources.unlabelled == ["test", "further"]
    assert sources.names("further") == NAMES
    chips, splits = sources.chips_to_learn(), ("train", "test", "further")
    ends = np.cumsum([len(sources.cache(split)) for split in splits])
    assert ends.tolist() == [NUM_TRAIN, NUM_TRAIN + NUM_TEST, NUM_TRAIN + NUM_TEST + len(NAMES)]
    read = chips.read(np.array([ends[2] - 1, 0, ends[0], ends[1]]))
    for row, (split, position) in enumerate((("further", 2), ("train", 0), ("test", 0), ("further", 0))):
        np.testing.assert_array_equal(read[row], sources.chips(split).read(np.array([position]))[0])


def test_their_features_stand_behind_too(
    workspace: Workspace, simulated: Path, tmp_path: Path, tiny_net: str, tiny_weights: str
) -> None:
    recipe = tiny_recipe(**frozen(tiny_weights))
    sources = Sources(with_further(workspace, simulated, tmp_path / "more" / FOLDER), recipe)
    vars(sources)["learns_unlabelled"] = True  # as where there are pseudo-labels of these
    bank, last = sources.bank_to_learn(("identity",)), NUM_TRAIN + NUM_TEST + len(NAMES) - 1
    own = sources.bank("further", ("identity",)).read(np.arange(len(NAMES)))
    np.testing.assert_array_equal(bank.read(np.array([last, 0]))[0], own[-1])
    np.testing.assert_allclose(own, bank.read(NUM_TRAIN + np.arange(len(NAMES))), atol=1e-2)  # the same pictures


def test_data_check_looks_at_them(workspace: Workspace, simulated: Path, tmp_path: Path) -> None:
    report = check_data(with_further(workspace, simulated, tmp_path / "more" / FOLDER))
    assert [(chips.rendering, chips.split, chips.files) for chips in report.chips if chips.split == "further"] == [
        ("jpg", "further", len(NAMES) + 1)
    ]
