"""Every format gives back the network that was put into it, and is read with care."""

from __future__ import annotations

import functools
import importlib.util
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from competition.common.errors import UserError
from models.backend.runners import KerasRunner
from models.export.export import export, is_file
from models.export.formats import read, require, write
from models.export.manifest import Manifest
from models.export.whole import KerasWhole, join
from models.networks.input_spec import Inputs
from models.predict.scorer import Scorer
from tests.conftest import store_of
from tests.models.export.files import (
    FORMATS,
    FROM_SCRATCH,
    KINDS,
    PLANET,
    chips_for,
    manifest_of,
    parts_of,
    recipe_of,
)


@pytest.fixture(scope="module", params=FORMATS)
def plain(request, tmp_path_factory) -> Path:
    """A file of a plain network, in each format. Not to be changed: tests that do take `plain_file`."""
    networks, _, inputs, dtype = parts_of(FROM_SCRATCH, 16)
    path = tmp_path_factory.mktemp("plain") / f"x{request.param}"
    write(KerasWhole(join(networks, None)), manifest_of(FROM_SCRATCH, inputs, dtype), path)
    return path


@pytest.fixture
def plain_file(plain, tmp_path) -> Path:
    return Path(shutil.copy(plain, tmp_path))


@functools.cache  # for all formats, with TinyNet at hand
def made_of(kind: str) -> tuple[KerasWhole, Manifest, NDArray[Any], NDArray[np.float32]]:
    """Return a whole network, what is written of it, some chips, and the mean of its networks' scores of these."""
    recipe = KINDS[kind]
    networks, extractor, inputs, dtype = parts_of(recipe, 24 if recipe is FROM_SCRATCH else 16)
    chips = chips_for(inputs, dtype)
    expected = Scorer([KerasRunner(network) for network in networks], extractor and KerasRunner(extractor))([chips])
    return KerasWhole(join(networks, extractor)), manifest_of(recipe, inputs, dtype), chips, expected


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_scores_as_the_mean_of_its_networks(tiny_net, tmp_path, kind, suffix):
    whole, manifest, chips, expected = made_of(kind)
    write(whole, manifest, path := tmp_path / f"model{suffix}")
    exported = read(path)
    np.testing.assert_allclose(exported.runner_for(chips)(chips), expected, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 1e-3  # it is the chips that decide
    assert exported.manifest == manifest


def test_any_number_of_chips_is_scored_in_order(plain, monkeypatch):
    monkeypatch.setattr("models.graphs.running.batch_size_for", lambda size: 3)
    exported = read(plain)
    chips = np.tile(chips_for(exported.manifest.inputs, exported.manifest.dtype), (2, 1, 1, 1))[:7]
    runner = exported.runner_for(chips)
    np.testing.assert_allclose(runner(chips), np.concatenate([runner(chips[i : i + 1]) for i in range(7)]), atol=1e-5)
    assert runner(chips[:0]).shape == (0, len(PLANET.labels))


@pytest.mark.parametrize("suffix", FORMATS)
def test_layers_of_newer_backbones_are_taken_by_every_format(tmp_path, suffix):
    chips = hidden = keras.Input((8, 8, 3))
    layers = keras.layers
    for layer in (layers.Conv2D(6, 3, groups=3), layers.LayerNormalization(), layers.Activation("gelu")):
        hidden = layer(hidden)
    network = keras.Model(chips, layers.Dense(17)(layers.GlobalMaxPooling2D()(hidden)))
    inputs = Inputs(8, "RGB", (0, 0, 0), (255, 255, 255))
    write(KerasWhole(network), manifest_of(recipe_of("two_convolutions"), inputs), path := tmp_path / f"model{suffix}")
    given = chips_for(inputs, "uint8")
    np.testing.assert_allclose(read(path).runner_for(given)(given), network.predict(given, verbose=0), atol=1e-4)


@pytest.mark.parametrize(("suffix", "package", "extra"), [(".onnx", "tf2onnx", "onnx"), (".zip", "openvino", "fast")])
def test_a_package_that_is_missing_is_named_with_its_command(trained, tmp_path, monkeypatch, suffix, package, extra):
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == package else found(name))
    with pytest.raises(UserError, match=rf"ing x{suffix} needs .*{package}\. Run 'pip install -e \"\.\[{extra}\]\"'"):
        export(trained, store_of(trained), "tiny", tmp_path / f"x{suffix}", np.array([]))


@pytest.mark.parametrize("name", ["x.keras", "x.onnx", "x.zip", "x.KERAS", "x.ONNX"])
def test_a_renamed_file_is_named_for_what_it_is(plain_file, tmp_path, name):
    suffix = plain_file.suffix
    renamed = plain_file.rename(tmp_path / name)
    if renamed.suffix == suffix:
        assert read(renamed).manifest.model == "tiny"
        return
    assert is_file(str(renamed))
    line = rf"{name} holds a {suffix} model under .* received {renamed.suffix}\. Rename it to x{suffix}\.$"
    with pytest.raises(UserError, match=line):
        read(renamed)


def test_a_network_that_brings_code_is_refused(tmp_path):
    recipe = recipe_of("two_convolutions")
    _, _, inputs, _ = parts_of(recipe, 16)
    given = keras.Input((16, 16, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(given)
    network = keras.Model(given, keras.layers.Lambda(lambda x: x * 2)(keras.layers.Dense(17)(pooled)))
    write(KerasWhole(network), manifest_of(recipe, inputs), path := tmp_path / "x.keras")
    with pytest.raises(UserError, match=r"x\.keras is damaged, or was not written by .*"):
        read(path)


def test_damaged_and_foreign_files_give_one_line(plain_file, tmp_path):
    suffix = plain_file.suffix
    whole = plain_file.read_bytes()
    for content in (b"", b"not a network", whole[: len(whole) // 2], whole[: -len(whole) // 3]):
        plain_file.write_bytes(content)
        with pytest.raises(
            UserError, match=rf"x{suffix} is damaged, or was not .* --output \S+x{suffix}\"\.$"
        ) as error:
            read(plain_file)
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match=r"No file .*y\."):
        read(tmp_path / f"y{suffix}")


def test_a_folder_in_the_place_of_a_file_is_to_be_moved_away(tmp_path):
    (tmp_path / "x.onnx").mkdir()
    with pytest.raises(
        UserError, match=r"x\.onnx is no file\. Move it away\. To write it, run \"python run\.py export"
    ):
        read(tmp_path / "x.onnx")


def test_without_room_on_the_disk_nothing_is_written(tmp_path, monkeypatch):
    networks, _, inputs, dtype = parts_of(FROM_SCRATCH, 16)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=23))
    with pytest.raises(
        UserError, match=r"^The exported model needs .* has 23 bytes free\. Make room, or give an --out"
    ):
        write(KerasWhole(join(networks, None)), manifest_of(FROM_SCRATCH, inputs, dtype), tmp_path / "model.keras")
    assert list(tmp_path.iterdir()) == []


def test_a_backend_that_writes_keras_files_alone_is_refused_for_others(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    for backend in ("tensorflow", "torch"):
        monkeypatch.setattr(keras.backend, "backend", lambda backend=backend: backend)
        require("write", Path("net.onnx"))
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    require("write", Path("net.keras"))
    with pytest.raises(UserError, match="by the backends tensorflow and torch alone, received jax"):
        require("write", Path("net.onnx"))
