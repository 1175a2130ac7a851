"""Converted networks that are kept give what Keras gives, or are not used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

import run
from models.backend import kept as module
from models.backend import runners
from models.backend.kept import BIN, CHECK, RECORD, XML, Kept, largest_difference
from models.backend.runners import kept_runner, runner_of

SIZE, KEY = 8, {"backbone": "TinyNet"}
ONLY_TENSORFLOW = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="OpenVINO converts what Keras exports with TensorFlow"
)


def chips_of(num_chips: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num_chips, SIZE, SIZE, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    chips = keras.Input((SIZE, SIZE, 3))
    return keras.Model(chips, layers.GlobalMaxPooling2D()(layers.Conv2D(4, 3)(chips / 255)), name="extractor")


@pytest.fixture
def kept(tmp_path, network, monkeypatch, lines) -> Kept:
    """Where the network's conversion was kept."""
    monkeypatch.setattr(runners, "_said", set())
    monkeypatch.setattr(module, "may_have_gpu", lambda: False)
    found = Kept(tmp_path / "networks", KEY)
    runner_of(network, chips_of(3), kept=found)
    return found


@ONLY_TENSORFLOW
def test_what_is_kept_gives_the_same_to_the_last_bit_and_is_not_converted_again(kept, network, monkeypatch, lines):
    by_it, _ = kept.runner()
    np.testing.assert_array_equal(by_it(chips_of(50)), runner_of(network, chips_of(3))(chips_of(50)))
    monkeypatch.setattr(runners, "converted", None)
    assert type(runner_of(network, chips_of(3), kept=kept)) is type(by_it)
    assert len(lines) == 1
    assert lines[0].startswith("The extractor is run by OpenVINO; its results equal Keras' to ")


SCRIPT = f"""
import sys

sys.modules["keras"] = None  # whoever imports it fails
import numpy as np
from pathlib import Path
from models.backend import kept
from models.backend.runners import kept_runner

kept.may_have_gpu = lambda: False
runner = kept_runner(kept.Kept(Path(sys.argv[1]), {KEY!r}), "extractor")
print(runner(np.zeros((2, {SIZE}, {SIZE}, 3), np.uint8)).shape)
"""


@ONLY_TENSORFLOW
def test_keras_is_not_needed_to_run_it(kept):
    command, root = [sys.executable, "-c", SCRIPT, str(kept.folder.parent)], Path(run.__file__).parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["(2, 4)"], done.stderr


@ONLY_TENSORFLOW
@pytest.mark.parametrize("name", [XML, BIN, CHECK, RECORD])
def test_a_file_that_changed_or_is_missing_is_not_used(kept, name):
    path = kept.folder / name
    whole = path.read_bytes()
    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    assert kept.runner() is None
    path.write_bytes(whole)
    assert kept.runner() is not None
    path.unlink()
    assert kept_runner(kept, "extractor") is None


@ONLY_TENSORFLOW
def test_one_that_gives_something_else_on_this_machine_is_not_used(kept, monkeypatch):
    monkeypatch.setattr(module, "largest_difference", lambda outputs, expected: float("nan"))
    assert kept.runner() is None


@ONLY_TENSORFLOW
def test_another_network_is_not_taken_for_it(kept):
    other = Kept(kept.folder.parent, {"backbone": "another"})
    assert other.runner() is None
    kept.folder.rename(other.folder)  # as if eight digits of their digests were the same
    assert other.runner() is None


@ONLY_TENSORFLOW
def test_where_there_may_be_a_gpu_the_backend_is_asked(kept, monkeypatch):
    monkeypatch.setattr(module, "may_have_gpu", lambda: True)
    assert kept.runner() is None


@ONLY_TENSORFLOW
def test_what_cannot_be_written_is_run_all_the_same(tmp_path, network, monkeypatch):
    (tmp_path / "networks").write_text("no folder")
    runner = runner_of(network, chips_of(3), kept=Kept(tmp_path / "networks", KEY))
    assert runner(chips_of(5)).shape == (5, 4)


@settings(max_examples=50, deadline=None)
@given(scale=st.floats(1e-6, 1e6), error=st.floats(0, 1), num_chips=st.integers(1, 5))
def test_the_difference_is_that_of_the_worst_chip_whatever_the_scale(scale, error, num_chips):
    expected = scale * np.random.default_rng(num_chips).normal(size=(num_chips, 6))
    made = expected.copy()
    made[-1] *= 1 + error
    assert largest_difference(made, expected) == pytest.approx(error, abs=1e-6)


def test_chips_without_features_are_equal_and_nan_is_not():
    assert largest_difference(np.zeros((2, 3)), np.zeros((2, 3))) == 0
    assert largest_difference(np.full((2, 3), 1e-3), np.zeros((2, 3))) > 1
    with_nan = np.array([[0.0, 1], [np.nan, 1]])
    assert np.isnan(largest_difference(with_nan, np.ones((2, 2))))
    assert np.isnan(largest_difference(with_nan, with_nan))
