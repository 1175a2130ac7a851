"""Measuring, on tiny networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.workspace import Workspace
from models.plan import measure
from models.plan.candidates import Candidate
from models.plan.measure import Meter, matrix_speed
from models.plan.speeds import Speeds
from models.recipes.named import resolve
from tests.models.graphs.samples import MAPS, graph_recipe, saved
from tests.models.samples import frozen, tiny_recipe


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "ENOUGH", 0.001)


def tiny(weights: str, label: str = "tiny") -> Candidate:
    return Candidate(label, label, resolve("densenet121", {**frozen(weights), "images": "jpg", "levels": 1}))


def test_features_are_measured_at_a_small_and_a_larger_size(
    workspace: Workspace, tiny_net: str, tiny_weights: str, lines: list[str]
) -> None:
    meter = Meter(workspace, Speeds())
    meter.measure([tiny(tiny_weights)], (16, 24, 32), 60.0)
    speeds = meter.speeds
    assert speeds.known("tiny") == [16, 24]
    assert speeds.features == {"tiny": 4}
    assert all(0 < seconds < 1 for seconds in [*speeds.chips.values(), *speeds.decode.values()])
    assert speeds.flops > 1e8
    assert len([line for line in lines if line.startswith("tiny at ")]) == 2
    assert not list((workspace.cache).glob("train-*"))  # the sample leaves nothing


def test_a_network_of_others_is_measured_at_its_own_size_and_decodes_no_more_than_a_sample(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.graphs.running.SECONDS", 0.01)
    recipe = graph_recipe(saved(tmp_path / "net.onnx"), input_size=24)
    meter = Meter(workspace, Speeds(flops=1e9))
    meter.measure([Candidate("net", "net", recipe)], (16, 32), 60.0)
    assert meter.speeds.known("net") == [24]
    assert meter.speeds.features == {"net": MAPS}
    assert list(meter.speeds.decode) == ["24"]
    assert not list((workspace.cache).glob("train-*"))


def test_one_candidate_is_measured_however_short_the_time_and_nothing_twice(
    workspace: Workspace, tiny_net: str, tiny_weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = Meter(workspace, Speeds(flops=1e9))
    meter.measure([tiny(tiny_weights), tiny(tiny_weights, "other")], (16, 24), 0.0)
    assert list(meter.speeds.chips) == ["tiny 16"]
    monkeypatch.setattr(Meter, "_of_features", None)
    Meter(workspace, Speeds({"tiny 16": 1.0, "tiny 24": 1.0}, flops=1e9)).measure([tiny(tiny_weights)], (16, 24), 9.0)


def test_steps_from_scratch_are_measured(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "ENOUGH", 0.2)  # two times are compared, and other tests run beside this one
    meter = Meter(workspace, Speeds(flops=1e9))
    recipe = tiny_recipe()
    meter.measure([Candidate("baseline", "two-convolutions", recipe)], (16,), 60.0)
    assert meter.speeds.chips["baseline 16"] > meter.speeds.scores["baseline 16"] > 0


def test_a_network_that_needs_more_pixels_is_measured_at_the_next_size(
    workspace: Workspace, tiny_net: str, tiny_weights: str
) -> None:
    meter = Meter(workspace, Speeds(flops=1e9))
    meter.measure([tiny(tiny_weights)], (2, 16), 0.0)
    assert list(meter.speeds.chips) == ["tiny 16"]


def test_what_cannot_be_measured_is_said_and_where_nothing_can_is_an_error(
    workspace: Workspace, tiny_net: str, tiny_weights: str, lines: list[str]
) -> None:
    lacks = tiny("/nowhere/tiny.weights.h5", "lacks")
    meter = Meter(workspace, Speeds(flops=1e9))
    meter.measure([lacks, tiny(tiny_weights)], (16,), 60.0)
    assert list(meter.speeds.chips) == ["tiny 16"]
    assert any(line.startswith("lacks is left out: No weights file /nowhere") for line in lines)
    with pytest.raises(UserError, match="No weights file"):
        Meter(workspace, Speeds(flops=1e9)).measure([lacks], (16,), 60.0)


def test_matrices_are_quick() -> None:
    assert matrix_speed() > 1e8
