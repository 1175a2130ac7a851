"""Networks run by OpenVINO: the same results as Keras', or Keras."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from competition.common.interrupts import heeded
from competition.spec.load import load
from models.backend import runners
from models.backend.kept import Kept
from models.backend.openvino import PIXELS_PER_REQUEST, OpenVinoRunner, converted
from models.backend.runners import KerasRunner, runner_of
from models.networks.backbones import build_extractor
from models.networks.build import build_network
from models.networks.input_spec import Inputs
from models.networks.layers import AtRest
from tests.models import samples

SIZE = 16
PER_REQUEST = PIXELS_PER_REQUEST // SIZE**2
ONLY_TENSORFLOW = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="OpenVINO converts what Keras exports with TensorFlow"
)


@pytest.fixture(autouse=True)
def _nothing_was_said(monkeypatch) -> None:
    monkeypatch.setattr(runners, "_said", set())


def chips_of(num_chips: int, dtype: Any = np.uint8, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num_chips, size, size, 3)).astype(dtype)


@pytest.fixture(scope="module")
def extractor() -> keras.Model:
    """Chips to pooled features, as of a frozen backbone, with all that is done to pixels inside."""
    keras.utils.set_random_seed(0)
    chips = keras.Input((SIZE, SIZE, 3))
    hidden = samples.preprocess_input(layers.Normalization(mean=[1.0, 2, 3], variance=[1.0, 4, 9])(chips))
    hidden = AtRest(samples.TinyNet(), name="backbone")(hidden)
    pooled = [layers.GlobalAveragePooling2D()(hidden), layers.GlobalMaxPooling2D()(hidden)]
    return keras.Model(chips, layers.Concatenate()(pooled), name="extractor")


@pytest.fixture(scope="module")
def by_openvino(extractor) -> OpenVinoRunner:
    return OpenVinoRunner(converted(extractor), (SIZE, SIZE, 3))


@ONLY_TENSORFLOW
@pytest.mark.parametrize("num_chips", [0, 1, PER_REQUEST, PER_REQUEST + 1, 9 * PER_REQUEST - 1])
def test_any_number_of_chips_gives_what_keras_gives_in_their_order(extractor, by_openvino, num_chips):
    chips = chips_of(num_chips)
    made = by_openvino(chips)
    assert made.shape == (num_chips, 8)
    assert made.dtype == np.float32
    if num_chips:
        np.testing.assert_allclose(made, extractor.predict_on_batch(chips), rtol=1e-4, atol=1e-6)


@ONLY_TENSORFLOW
@pytest.mark.parametrize("start", [1, 2, PER_REQUEST - 1])
def test_what_a_chip_gives_does_not_depend_on_the_chips_beside_it(by_openvino, start):
    chips = chips_of(3 * PER_REQUEST)
    np.testing.assert_array_equal(by_openvino(chips[start:]), by_openvino(chips)[start:])
    np.testing.assert_array_equal(by_openvino(chips[start : start + 1]), by_openvino(chips)[start : start + 1])


@ONLY_TENSORFLOW
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_values_count_and_not_their_type(by_openvino, dtype):
    np.testing.assert_array_equal(by_openvino(chips_of(5, dtype)), by_openvino(chips_of(5)))


@ONLY_TENSORFLOW
def test_chips_of_another_size_are_refused(by_openvino):
    with pytest.raises(ValueError, match=r"Expected chips of shape \(16, 16, 3\), received \(1, 1, 3\)"):
        by_openvino(chips_of(3, size=1))


@ONLY_TENSORFLOW
@pytest.mark.parametrize("backbone", ["two_convolutions", "residual"])
def test_whole_networks_are_run_by_openvino_silently_leaving_nothing_behind(
    backbone, lines, capfd, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    recipe = samples.tiny_recipe(backbone=backbone)
    network = build_network(
        recipe,
        recipe.task(load("planet")),
        Inputs.of(recipe, load("planet").images["jpg"], np.dtype("uint8"), SIZE),
    )
    runner = runner_of(network, chips_of(3))
    assert isinstance(runner, OpenVinoRunner)
    assert len(lines) == 1
    assert lines[0].startswith("The network is run by OpenVINO; its results equal Keras' to ")
    runner_of(network, chips_of(3))
    assert len(lines) == 1  # once is enough
    np.testing.assert_allclose(runner(chips_of(70)), network.predict_on_batch(chips_of(70)), atol=1e-5)
    # TensorFlow keeps the code that it has made of ours until Python ends.
    assert [path for path in tmp_path.iterdir() if "autograph" not in path.name] == []
    assert capfd.readouterr() == ("", "")


@ONLY_TENSORFLOW
def test_an_extractor_of_several_levels_that_enlarges_chips_is_run_by_openvino(lines, tiny_net, tiny_weights):
    values = {"backbone": tiny_net, "weights": tiny_weights, "train": "head", "input_size": 2 * SIZE}
    recipe = samples.tiny_recipe(**values, levels=2, pooling=("avg", "max"))
    network = build_extractor(recipe, Inputs(SIZE, "RGB", (0.0,) * 3, (255.0,) * 3))
    runner = runner_of(network, chips_of(3))
    assert isinstance(runner, OpenVinoRunner), lines
    assert runner._chips_per_request == PER_REQUEST // 4
    np.testing.assert_allclose(runner(chips_of(9)), network.predict_on_batch(chips_of(9)), rtol=1e-4, atol=1e-5)


@ONLY_TENSORFLOW
def test_nothing_is_reported_over_the_network(by_openvino):
    assert sys.modules["openvino_telemetry"] is None


@ONLY_TENSORFLOW
def test_a_layer_that_cannot_be_converted_leaves_it_to_keras(lines):
    import tensorflow

    class Strange(layers.Layer):
        def call(self, chips: Any) -> Any:
            return tensorflow.ensure_shape(
                tensorflow.numpy_function(lambda values: values.mean((1, 2)), [chips], "float32"), (None, 3)
            )

    chips = keras.Input((SIZE, SIZE, 3))
    runner = runner_of(keras.Model(chips, Strange()(chips), name="strange"), chips_of(2))
    assert len(lines) == 1
    assert lines[0].startswith("The strange is run by Keras: OpenVINO does not take it: ")
    np.testing.assert_allclose(runner(chips_of(5)), chips_of(5).mean((1, 2)), rtol=1e-5)


@pytest.mark.parametrize("factor", [1.01, np.nan])
def test_results_that_differ_leave_it_to_keras_and_are_not_kept(extractor, lines, tmp_path, monkeypatch, factor):
    monkeypatch.setattr(runners, "_reason_against", lambda: None)
    monkeypatch.setattr(runners, "converted", lambda network: network)
    monkeypatch.setattr(
        runners,
        "OpenVinoRunner",
        lambda network, shape, pixels, mixed: lambda chips: network.predict_on_batch(chips) * factor,
    )
    assert isinstance(runner_of(extractor, chips_of(2), kept=Kept(tmp_path, {"of": "them"})), KerasRunner)
    reason = f"OpenVINO's results differ by {abs(factor - 1):.0e}, more than 1e-03."
    assert lines == [f"The extractor is run by Keras: {reason}"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("mixed", "factor", "asked", "by"),
    [(False, 1.01, [False], "Keras"), (True, 1.01, [True], "OpenVINO"), (True, 1.6, [True, False], "OpenVINO")],
)
def test_bfloat16_may_differ_more_and_gives_way_to_float32(extractor, lines, monkeypatch, mixed, factor, asked, by):
    tried = []

    def openvino(network, shape, pixels, mixed):
        tried.append(mixed)
        wrong = 1.0 if factor > 1.5 and not mixed else factor
        return lambda chips: network.predict_on_batch(chips) * wrong

    monkeypatch.setattr(runners, "_reason_against", lambda: None)
    monkeypatch.setattr(runners, "converted", lambda network: network)
    monkeypatch.setattr(runners, "OpenVinoRunner", openvino)
    runner = runner_of(extractor, chips_of(2), mixed=mixed)
    assert tried == asked
    assert isinstance(runner, KerasRunner) is (by == "Keras")
    assert f"run by {by}" in lines[0]


@pytest.mark.parametrize(
    ("accelerated", "gpu", "installed", "reason"),
    [(False, False, True, "as asked"), (True, True, True, "GPU"), (True, False, False, "pip install")],
)
def test_keras_runs_it_where_it_is_asked_to_or_must(extractor, lines, monkeypatch, accelerated, gpu, installed, reason):
    monkeypatch.setattr(runners, "num_gpus", lambda: int(gpu))
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    if not installed:
        monkeypatch.setitem(sys.modules, "openvino", None)
    runner = runner_of(extractor, chips_of(2), accelerated=accelerated)
    assert isinstance(runner, KerasRunner)
    assert len(lines) == 1
    assert lines[0].startswith("The extractor is run by Keras: ")
    assert reason in lines[0]


class Request:
    """A request that knows whether it was waited for, and may fail or be disturbed once started."""

    def __init__(self, request: Any, then: Callable[[Any], object]) -> None:
        self.request, self.then, self.running = request, then, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.request, name)

    def start_async(self) -> None:
        assert not self.running
        self.running = True
        self.request.start_async()
        self.then(self.request)

    def wait(self) -> None:
        self.running = False
        self.request.wait()


@ONLY_TENSORFLOW
def test_an_interrupt_stops_it_at_the_next_request_and_leaves_none_running(by_openvino, monkeypatch):
    started = []

    def press_at_the_third(request: Any) -> None:
        started.append(request)
        if len(started) == 3:
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    chips = chips_of(20 * PER_REQUEST)
    expected = by_openvino(chips)
    requests = [Request(request, press_at_the_third) for request in by_openvino._requests]
    monkeypatch.setattr(by_openvino, "_requests", requests)
    with pytest.raises(KeyboardInterrupt), heeded():
        by_openvino(chips)
    signal.signal(signal.SIGINT, before)
    assert len(started) == 3
    assert not any(request.running for request in requests)
    np.testing.assert_array_equal(by_openvino(chips), expected)


@ONLY_TENSORFLOW
def test_an_interrupt_that_was_lost_is_raised(by_openvino, monkeypatch):
    monkeypatch.setattr("competition.common.interrupts._pressed", SimpleNamespace(is_set=lambda: True))
    for runner in (by_openvino, KerasRunner(Recorder())):
        with pytest.raises(KeyboardInterrupt):
            runner(chips_of(2))


@ONLY_TENSORFLOW
def test_a_request_that_fails_is_an_error(by_openvino, monkeypatch):
    failing = [Request(request, lambda started: started.cancel()) for request in by_openvino._requests]
    monkeypatch.setattr(by_openvino, "_requests", failing)
    with pytest.raises(RuntimeError, match="cancel"):
        by_openvino(chips_of(20 * PER_REQUEST))


def test_what_jax_exports_is_not_tried(extractor, lines, monkeypatch):
    monkeypatch.setattr(runners, "num_gpus", lambda: 0)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert isinstance(runner_of(extractor, chips_of(2)), KerasRunner)
    assert "KERAS_BACKEND=tensorflow" in lines[0]


class Recorder:
    """Stands in for a network: gives each chip's mean, and remembers the shapes it was given."""

    output_shape = (None, 1)

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []

    def predict_on_batch(self, chips: Any) -> Any:
        self.asked.append(chips.shape)
        return chips.mean((1, 2, 3), dtype=np.float32)[:, None]


@settings(max_examples=50, deadline=None)
@given(num_chips=st.integers(0, 40), batch_size=st.integers(1, 16))
def test_keras_is_given_batches_of_one_shape_and_little_that_is_not_asked_for(num_chips, batch_size):
    network, chips = Recorder(), chips_of(num_chips, size=2)
    made = KerasRunner(network, batch_size)(chips)
    np.testing.assert_array_equal(made, chips.mean((1, 2, 3), dtype=np.float32)[:, None])
    assert len(set(network.asked)) <= 1
    assert sum(shape[0] for shape in network.asked) < max(2 * num_chips, 1)


AFTER_NETWORKS = """
import gc, signal, threading, time
import numpy as np
import openvino
from models.backend.openvino import OpenVinoRunner

chips = openvino.opset13.parameter([1, 4, 4, 3], np.float32)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it runs in the background ignore it
held = [OpenVinoRunner(openvino.Model([openvino.opset13.relu(chips)], [chips], "relu"), (4, 4, 3))]

def drop():
    held.clear()
    gc.collect()

thread = threading.Thread(target=drop)
thread.start()
thread.join()
try:
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    time.sleep(9)
except KeyboardInterrupt:
    print("stopped")
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="Windows has no such signals")
@pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed")
def test_ctrl_c_after_a_network_has_gone_in_another_thread_is_an_exception():
    done = subprocess.run([sys.executable, "-c", AFTER_NETWORKS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "stopped\n"), done.stderr
