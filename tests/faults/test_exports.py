"""Exported models and weights of a stranger's making: what would run code, or read another file, is refused."""

from __future__ import annotations

import importlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from competition.common.errors import UserError

pytestmark = pytest.mark.slow

FUNCTIONS = [("os", "system"), ("builtins", "eval"), ("keras.utils", "get_file"), ("keras.saving", "load_model")]
LAYERS = {
    "TFSMLayer": {"filepath": "/tmp"},
    "TorchModuleWrapper": {"module": {"class_name": "__tensor__"}},
    "StringLookup": {"vocabulary": "/etc/passwd"},
    "Lambda": {
        "function": {"class_name": "__lambda__", "config": {"code": "4wAAAA==", "defaults": None, "closure": None}}
    },
}


def _h5py() -> Any:
    return importlib.import_module("h5py")


LINKS: dict[str, Callable[[Any, str, Path], None]] = {
    "link": lambda file, name, other: file.__setitem__(name, _h5py().ExternalLink(str(other), "x")),
    "storage": lambda file, name, other: file.create_dataset(name, (4,), "f4", external=[(str(other), 0, 16)]),
    "soft link": lambda file, name, _: file.__setitem__(name, _h5py().SoftLink("/nowhere")),
    "10^12 values": lambda file, name, _: file.create_dataset(name, (10**6, 10**6), "f4", chunks=(1000, 1000)),
}


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a `.keras` file holds, by the names of its members."""
    from models.export.keras_file import write_keras
    from models.export.whole import KerasWhole, join
    from tests.models.export import files

    path = tmp_path_factory.mktemp("good") / "model.keras"
    networks, extractor, inputs, dtype = files.parts_of(files.FROM_SCRATCH, 16)
    write_keras(KerasWhole(join(networks, extractor)), files.manifest_of(files.FROM_SCRATCH, inputs, dtype), path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def check_refused(members: dict[str, bytes], path: Path) -> None:
    from models.export.formats import read

    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match="is damaged, or was not written by this project's export") as refused:
        read(path, accelerated=False)
    assert str(refused.value).isprintable()


def with_dense(config: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return the description of a network whose first dense layer is changed."""
    whole = json.loads(config)

    def walk(part: Any) -> bool:
        if isinstance(part, dict) and part.get("class_name") == "Dense":
            change(part)
            return True
        return any(map(walk, part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()))

    assert walk(whole)
    return json.dumps(whole).encode()


@pytest.mark.parametrize(("module", "name"), FUNCTIONS)
def test_a_function_as_activation_is_never_called(members, module: str, name: str, tmp_path: Path) -> None:
    function = {"module": module, "class_name": "function", "config": name, "registered_name": name}
    config = with_dense(members["config.json"], lambda layer: layer["config"].update(activation=function))
    check_refused({**members, "config.json": config}, tmp_path / "a.keras")


@pytest.mark.parametrize("name", LAYERS)
def test_layers_that_bring_code_or_read_files_are_refused(members, name: str, tmp_path: Path) -> None:
    changed = {"class_name": name, "config": {**LAYERS[name], "name": "dense"}}
    config = with_dense(members["config.json"], lambda layer: layer.update(changed))
    check_refused({**members, "config.json": config}, tmp_path / "a.keras")


@pytest.mark.parametrize("kind", LINKS)
def test_weights_that_lie_elsewhere_are_refused(members, kind: str, tmp_path: Path) -> None:
    h5py = importlib.import_module("h5py")
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = [1.0]
    content, names = io.BytesIO(members["model.weights.h5"]), list[str]()
    with h5py.File(content, "a") as file:
        file.visititems(lambda name, found: names.append(name) if isinstance(found, h5py.Dataset) else None)
        del file[names[0]]
        LINKS[kind](file, names[0], secret)
    check_refused({**members, "model.weights.h5": content.getvalue()}, tmp_path / "a.keras")


def test_weights_of_onnx_in_another_file_are_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from models.export.formats import read

    tensor = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../../../etc/passwd")
    make = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Add", ["chips", "w"], ["scores"])
    graph = onnx.helper.make_graph([node], "g", [make("chips", 1, [4])], [make("scores", 1, [4])], [tensor])
    path = tmp_path / "a.onnx"
    path.write_bytes(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]).SerializeToString()
    )
    with pytest.raises(UserError, match="is damaged, or was not written by"):
        read(path)


@pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed")
def test_a_bomb_of_entities_is_refused(members, tmp_path: Path) -> None:
    from models.export.formats import read

    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 30))
    bomb = f'<!DOCTYPE net [<!ENTITY a0 "lol">{entities}]><net name="&a29;" version="11"></net>'
    with zipfile.ZipFile(path := tmp_path / "a.zip", "w") as archive:
        archive.writestr("network.xml", bomb)
        archive.writestr("network.bin", b"")
        archive.writestr("planet.json", members["planet.json"])
    with pytest.raises(UserError, match="is damaged, or was not written by"):
        read(path)


def test_weights_of_a_backbone_that_lie_elsewhere_are_refused(tmp_path: Path) -> None:
    import keras

    from models.networks.applications import _load_file

    h5py = importlib.import_module("h5py")
    network = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.35)
    network.save_weights(good := tmp_path / "good.weights.h5")
    names = list[str]()
    with h5py.File(shutil.copy(good, path := tmp_path / "linked.weights.h5"), "a") as file:
        file.visititems(lambda name, found: names.append(name) if isinstance(found, h5py.Dataset) else None)
        del file[names[0]]
        file[names[0]] = h5py.ExternalLink(str(good), names[0])
    with pytest.raises(UserError, match="does not hold the weights of mobilenet_v2"):
        _load_file(network, path, "mobilenet_v2")
