import pytest

from competition.common.errors import UserError
from competition.workspace import Workspace
from models.cluster.prepare import prepare_folds
from models.runs.model_recipe import ModelRequest
from models.train.train_folds import train_folds
from tests.models import samples


@pytest.mark.parametrize("train", ["head", "finetune"])
def test_folds_find_the_features_made_and_bind_to_nothing_before(
    workspace: Workspace, tiny_net, tiny_weights, monkeypatch, train: str
) -> None:
    values = {**samples.TINY, **samples.frozen(tiny_weights), "backbone": tiny_net, "train": train, "epochs": 1}
    request = ModelRequest("baseline", "it", {**values, **({"head_epochs": 1} if train == "finetune" else {})})
    prepare_folds(workspace, request)
    assert not workspace.runs.exists()
    made = {path: path.stat().st_mtime_ns for path in workspace.cache.rglob("*.npy")}
    assert any("features" in str(path) for path in made)
    monkeypatch.setattr("models.graphs.extractor.runner_of", None)  # nothing is left to run
    if train == "head":
        train_folds(workspace, request, 0)
    else:
        train_folds(workspace, request, 0, no_test=True)
    assert {path: path.stat().st_mtime_ns for path in workspace.cache.rglob("*.npy")} == made


def test_weights_that_are_not_there_are_told_before_chips_are_decoded(workspace: Workspace, tiny_net, tmp_path) -> None:
    values = {**samples.TINY, "backbone": tiny_net, "weights": str(tmp_path / "none.weights.h5"), "train": "finetune"}
    with pytest.raises(UserError, match=r"none\.weights\.h5"):
        prepare_folds(workspace, ModelRequest("baseline", "it", values))
    assert not workspace.cache.exists()
