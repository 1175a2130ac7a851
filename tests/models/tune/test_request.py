"""What is to be tuned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.workspace import Workspace
from models.runs.model_recipe import record_recipe
from models.tune.request import TuneRequest, start_of
from tests.models import samples


@pytest.fixture
def begun(workspace: Workspace, tiny_net: str, tiny_weights: str) -> Workspace:
    """A workspace in which the model "tiny", of a frozen backbone, was begun."""
    (workspace.runs / "tiny").mkdir(parents=True)
    record_recipe(workspace, "tiny", samples.tiny_recipe(**samples.frozen(tiny_weights), dropout=0.3))
    return workspace


def test_the_winner_has_a_name_of_its_own() -> None:
    assert TuneRequest("a").model == "a-tuned"
    assert TuneRequest("a", "b").model == "b"


def test_the_same_request_under_another_name_has_the_same_flags() -> None:
    request = TuneRequest("a", "b", {"epochs": 7}, {"dense": ((), (512, 256))}, grid=True, no_test=True)
    assert request.flags == " --grid --no-test --epochs 7 --dense none --dense 512,256"


def test_a_search_begins_from_what_the_model_was_begun_with_and_the_flags(begun: Workspace) -> None:
    start = start_of(begun, TuneRequest("tiny", overrides={"epochs": 7}))
    assert (start.epochs, start.dropout, start.backbone) == (7, 0.3, "TinyNet")


def test_a_search_learns_by_the_weights_that_there_are_now_or_the_model_was_begun_with(begun: Workspace) -> None:
    weighted = {"weighted_to": "test"}
    with pytest.raises(UserError, match="adversarial MODEL"):
        start_of(begun, TuneRequest("tiny", overrides=weighted))
    kept = samples.write_chip_weights(begun, np.ones(len(begun.labelled.image_names)))
    start = start_of(begun, TuneRequest("tiny", overrides=weighted))
    assert start.weighted_digest == kept.digest
    record_recipe(begun, "weighted", start)
    samples.write_chip_weights(begun, np.linspace(0.5, 1.5, len(kept.names)))
    assert start_of(begun, TuneRequest("weighted")).weighted_digest == kept.digest


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"overrides": {"augment": ("photometric",)}}, "'tiny' does not learn from features"),
        ({"overrides": {"solver": "ridge", "dense": ()}}, "is solved at once by ridge: it has no settings to search"),
        ({"overrides": {"weights": "nowhere.h5"}}, "No weights file nowhere.h5"),
        ({"overrides": {"only_labels": ("lava",)}}, "lava"),
        ({"name": "tiny"}, "'tiny' is what is tuned. Give the tuned model another --name."),
        ({"name": "mean"}, "'mean' is a blend."),
        ({"name": "a/b"}, "a/b"),
        ({"choices": {"dropout": (0.1, 1.5)}}, "dropout must be in"),
        ({"overrides": {"pseudo": "p"}}, "networks that have seen the chips by which a search judges"),
        ({"overrides": {"swa": 3, "epochs": 9}}, r"keeps the mean of its best epochs.*by --swa 0.*with --swa 3"),
        ({"grid": True}, "Nothing is left to search"),
    ],
)
def test_what_cannot_be_tuned_is_refused(begun: Workspace, options: dict[str, Any], said: str) -> None:
    (begun.blends / "mean").mkdir(parents=True)
    with pytest.raises(UserError, match=said):
        start_of(begun, TuneRequest("tiny", **options))
