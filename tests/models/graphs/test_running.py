"""What runs a graph: the faster of two that give the same, as a trial says that is made once."""

from __future__ import annotations

import json

import numpy as np
import pytest

from competition.common.errors import UserError
from models.backend.openvino import OpenVinoRunner
from models.graphs import running
from models.graphs.made import made_graph
from models.graphs.running import BY_ONNX, BY_OPENVINO, OnnxRunner, fastest, reference
from tests.models.graphs.samples import graph_recipe, saved
from tests.models.samples import inputs_of

SIZE = 16


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("graph")
    recipe = graph_recipe(saved(folder / "net.onnx"))
    return made_graph(recipe, inputs_of(recipe, SIZE), {"any": 1}, folder, chips_of(4)).content


@pytest.fixture(autouse=True)
def _said(monkeypatch) -> None:
    monkeypatch.setattr(running, "_said", set())


def chips_of(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, SIZE, SIZE, 3)).astype(np.uint8)


def rates(monkeypatch, onnx: float, openvino: float) -> list[str]:
    """Let a trial find these, and return who was tried."""
    tried = []

    def rate(runner, sample):
        tried.append(type(runner).__name__)
        return onnx if isinstance(runner, OnnxRunner) else openvino

    monkeypatch.setattr(running, "_rate", rate)
    return tried


@pytest.mark.parametrize(
    ("onnx", "openvino", "chosen"), [(100, 200, OpenVinoRunner), (200, 100, OnnxRunner), (105, 100, OpenVinoRunner)]
)
def test_the_faster_runs_it_and_of_two_that_are_as_fast_openvino(
    content, tmp_path, monkeypatch, lines, onnx, openvino, chosen
):
    rates(monkeypatch, onnx, openvino)
    runner = fastest(content, chips_of(4), SIZE**2, tmp_path)
    assert isinstance(runner, chosen)
    assert f"{max(onnx, openvino) if onnx != 105 else 100} chips a second" in lines[-1]
    np.testing.assert_allclose(runner(chips_of(7)), reference(content, SIZE**2)(chips_of(7)), rtol=1e-4, atol=1e-5)


def test_a_trial_is_made_once_a_machine_and_graph(content, tmp_path, monkeypatch):
    tried = rates(monkeypatch, 200, 100)
    for _ in range(2):
        assert isinstance(fastest(content, chips_of(4), SIZE**2, tmp_path), OnnxRunner)
    assert len(tried) == 2
    (path,) = (tmp_path / "trials").glob("*.json")
    record = json.loads(path.read_text())
    assert record["rates"] == {BY_ONNX: 200, BY_OPENVINO: 100}
    monkeypatch.setattr(running, "_machine", lambda: {"host": "another"})
    fastest(content, chips_of(4), SIZE**2, tmp_path)
    assert len(tried) == 4
    for each in (tmp_path / "trials").glob("*.json"):  # machines that share the cache leave each other's alone
        each.write_text("damaged")
    fastest(content, chips_of(4), SIZE**2, tmp_path)
    assert len(tried) == 6


def test_a_real_trial_runs_both(content):
    sample = chips_of(3)
    assert running._rate(reference(content, SIZE**2), sample) > 10


def test_what_gives_something_else_does_not_run_it(content, monkeypatch, lines):
    monkeypatch.setattr(running, "largest_difference", lambda made, expected: 0.5)
    assert isinstance(fastest(content, chips_of(4), SIZE**2), OnnxRunner)
    assert lines[-1] == ("The extractor is run by ONNX Runtime: OpenVINO's features differ by 5e-01, more than 1e-03.")


@pytest.mark.parametrize(("missing", "expected"), [("openvino", OnnxRunner), ("onnxruntime", OpenVinoRunner)])
def test_one_of_them_is_enough(content, monkeypatch, missing, expected):
    made = reference(content, SIZE**2)(chips_of(5))
    found = running.importlib.util.find_spec
    monkeypatch.setattr(running.importlib.util, "find_spec", lambda name: None if name == missing else found(name))
    runner = fastest(content, chips_of(4), SIZE**2)
    assert isinstance(runner, expected)
    np.testing.assert_allclose(runner(chips_of(5)), made, rtol=1e-4, atol=1e-5)


def test_without_either_a_line_says_what_to_install(content, monkeypatch):
    monkeypatch.setattr(running.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^The network is run by OpenVINO. Run 'pip install -e \".\[fast\]\"'"):
        fastest(content, chips_of(4), SIZE**2)


def test_what_is_known_to_be_slower_is_not_made_ready_again(content, tmp_path, monkeypatch, lines):
    rates(monkeypatch, 200, 100)
    fastest(content, chips_of(4), SIZE**2, tmp_path)
    monkeypatch.setattr(running, "read_graph", None)
    assert isinstance(fastest(content, chips_of(4), SIZE**2, tmp_path), OnnxRunner)
    assert lines[-1] == "The extractor is run by ONNX Runtime: 200 chips a second, 100 by OpenVINO; both give the same."


@pytest.fixture
def cuda(monkeypatch) -> list[int]:
    """A CUDA that is had, and whether it was asked to round what it multiplies, each time."""
    made, session = [], running.onnx_session

    def on_cuda(content, on=()):
        made.extend(options["use_tf32"] for _, options in on)
        return session(content)

    monkeypatch.setattr(running, "_has_cuda", lambda: True)
    monkeypatch.setattr(running, "onnx_session", on_cuda)
    monkeypatch.setattr(OnnxRunner, "is_on_cuda", True)
    return made


def test_on_cuda_nothing_is_tried(content, cuda, monkeypatch, lines):
    tried = rates(monkeypatch, 1, 1)
    assert isinstance(fastest(content, chips_of(4), SIZE**2), OnnxRunner)
    assert cuda == [1]
    assert not tried
    assert lines[-1] == "The extractor is run by ONNX Runtime on CUDA."


@pytest.mark.parametrize(("differences", "asked"), [([5e-3, 1e-5], [1, 0]), ([5e-3, 5e-3, 0], [1, 0])])
def test_cuda_is_used_only_where_it_gives_the_same(content, cuda, monkeypatch, lines, differences, asked):
    rates(monkeypatch, 200, 100)
    found = iter(differences)
    monkeypatch.setattr(running, "largest_difference", lambda made, expected: next(found))
    fastest(content, chips_of(4), SIZE**2)
    assert cuda == asked
    assert ("on CUDA" in lines[-1]) == (len(differences) == 2)


def test_where_cuda_cannot_be_loaded_the_processor_is_tried(content, monkeypatch, lines):
    """ONNX Runtime then takes the processor without a word."""
    rates(monkeypatch, 200, 100)
    monkeypatch.setattr(running, "_has_cuda", lambda: True)
    fastest(content, chips_of(4), SIZE**2)
    assert lines[-1].startswith("The extractor is run by ONNX Runtime: 200 chips a second")


def test_any_number_of_chips_is_taken(content, monkeypatch):
    monkeypatch.setattr(running, "batch_size_for", lambda size: 3)
    runner, chips = OnnxRunner(content), chips_of(8)
    whole = runner(chips)
    np.testing.assert_allclose(whole, np.concatenate([runner(chips[:5]), runner(chips[5:])]), rtol=1e-5, atol=1e-6)
    assert runner(chips[:0]).shape == (0, runner.output_shape[0])
