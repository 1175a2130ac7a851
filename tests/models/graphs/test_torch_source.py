"""Networks in files of torch: the same features as torch's own, opened where they are trusted, and never otherwise."""

from __future__ import annotations

import importlib.util
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

import run
from competition.common.errors import UserError
from models.export.export import export
from models.foreign.trust import trust
from models.graphs.made import made_graph
from models.predict.trained_model import predict_folder
from models.recipes.recipe import Recipe
from models.train.job import Job
from models.train.run_jobs import run_jobs
from tests.conftest import store_of
from tests.models.graphs.samples import MOMENTS, graph_recipe
from tests.models.graphs.test_extractor import CUTS, chips_in
from tests.models.graphs.test_made import chips_of
from tests.models.graphs.torch_files import EXPORT, OLD_EXPORT, PICKLE, SCRIPT, archive, networks, written
from tests.models.samples import inputs_of

TORCH = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
SIZE = 16


def features_of(recipe: Recipe, cache: Path) -> np.ndarray:
    made = made_graph(recipe, inputs_of(recipe, SIZE), {"any": recipe.to_dict()}, cache, chips_of(SIZE))
    assert made.path.suffix == ".onnx"
    return made.exact()(chips_of(SIZE))


def trusted(path: str | Path, cache: Path, **values) -> Recipe:
    trust(cache, str(path))
    return graph_recipe(path, **values)


def refused(recipe: Recipe, cache: Path) -> str:
    with pytest.raises(UserError) as error:
        features_of(recipe, cache)
    assert "\n" not in str(error.value)
    assert not list((cache / "graphs").glob("*/"))
    return str(error.value)


# Without torch


@pytest.mark.parametrize(
    ("name", "names", "what"),
    [
        ("net.pt", SCRIPT, "TorchScript"),
        ("net.pt2", EXPORT, "a program of torch.export"),
        ("net.pt2", OLD_EXPORT, "a program of torch.export"),
        ("net.pt", EXPORT, "a program of torch.export"),
    ],
)
def test_files_that_may_run_code_are_not_opened(tmp_path, monkeypatch, name, names, what):
    recipe = graph_recipe(archive(tmp_path / name, names))
    monkeypatch.setattr("models.graphs.torch_source._opened", None)  # whoever calls it fails
    assert refused(recipe, tmp_path).startswith(
        f"{name} is {what}, and may run code where it is opened. If you trust whoever made it, give --trust-weights"
    )


def test_torch_is_asked_for_where_it_is_trusted_and_torch_not_there(tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else found(name))
    recipe = trusted(archive(tmp_path / "net.pt", SCRIPT), tmp_path)
    assert refused(recipe, tmp_path) == "Reading net.pt needs torch. Run 'pip install -e \".[torch,onnx]\"'."


@pytest.mark.parametrize("name", ["net.pt", "net.pt2", "net.pth", "net.ckpt", "net.bin", "old.pt"])
def test_pickles_stay_closed_whatever_is_said(tmp_path, name):
    path = archive(tmp_path / name, PICKLE)
    if name == "old.pt":
        path.write_bytes(pickle.dumps({"weights": 1}))
    if path.suffix in (".pt", ".pt2"):
        trust(tmp_path, str(path))
    line = refused(graph_recipe(path), tmp_path)
    assert line.startswith(f"{name} is a pickle, which runs code where it is read, and is not opened.")
    assert "torch.onnx.export(" in line
    assert "torch.export.save(" in line
    assert "safetensors.torch.save_file(" in line


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", r"net.pt is no file of torch: "),
        (b"no network", r"net.pt is no file of torch: "),
        (b"PK\x03\x04" + b"\x00" * 100, r"net.pt is no file of torch: "),
    ],
)
def test_what_is_no_file_of_torch_is_refused(tmp_path, content, line):
    (tmp_path / "net.pt").write_bytes(content)
    assert line in refused(trusted(tmp_path / "net.pt", tmp_path), tmp_path)


def test_archives_of_something_else_are_refused(tmp_path):
    line = refused(graph_recipe(archive(tmp_path / "net.pt", ("net.xml", "net.bin"))), tmp_path)
    assert "net.pt holds net.bin, net.xml: expected what torch.jit.save or torch.export.save writes" in line
    compiled = archive(tmp_path / "net.pt2", (*EXPORT, "net/data/aotinductor/model/a.so"))
    assert refused(graph_recipe(compiled), tmp_path).startswith("net.pt2 is compiled for one kind of machine: expected")


def test_what_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "net.pt").open("wb") as file:
        file.truncate(2**31)
    assert "net.pt holds 2.1 GB with its weights; expected 2.1 GB at most" in refused(
        graph_recipe(tmp_path / "net.pt"), tmp_path
    )
    with zipfile.ZipFile(archive(tmp_path / "bomb.pt", SCRIPT)) as opened:
        first = opened.infolist()[0]
    content = bytearray((tmp_path / "bomb.pt").read_bytes())
    central = content.index(b"PK\x01\x02")
    content[central + 24 : central + 28] = (2**32 - 2).to_bytes(4, "little")  # what it unpacks to, as it says
    (tmp_path / "bomb.pt").write_bytes(content)
    assert first.file_size == 1
    assert "bomb.pt holds 4.3 GB with its weights" in refused(graph_recipe(tmp_path / "bomb.pt"), tmp_path)


# With torch


def by_torch(network, count: int = 5):
    import torch

    pixels = (chips_of(SIZE, count) / 255 - np.array(MOMENTS["mean"])) / np.array(MOMENTS["deviation"])
    with torch.inference_mode():
        return network.eval()(torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32))


def chips(count: int = 2, bands: int = 3):
    import torch

    return torch.rand(count, bands, SIZE, SIZE)


@TORCH
@pytest.mark.parametrize("how", ["traced", "scripted", "exported", "fixed"])
@pytest.mark.parametrize("name", ["maps", "tokens"])
def test_its_features_are_those_of_torch(tmp_path, how, name):
    network = networks()[name]
    path = written(tmp_path / "net.pt", how, network, chips(3))
    tokens = {"outputs": ("cls", "patches"), "prefix_tokens": 2}
    recipe = trusted(path, tmp_path, pooling=("avg", "max"), **(tokens if name == "tokens" else {}))
    made, own = features_of(recipe, tmp_path), by_torch(network)
    if how != "fixed":  # any number of chips at once
        (graph,) = (tmp_path / "graphs").glob("*/extractor.onnx")
        assert onnx.load(graph).graph.input[0].type.tensor_type.shape.dim[0].dim_param == "num_chips"
    if name == "maps":
        expected = np.concatenate([own.mean((2, 3)), own.amax((2, 3))], axis=1)
    else:
        expected = np.concatenate([own[:, 0], own[:, 2:].mean(1), own[:, 2:].amax(1)], axis=1)
    np.testing.assert_allclose(made, expected, rtol=1e-3, atol=1e-4)
    assert np.ptp(made, axis=0).max() > 0.01


@TORCH
@pytest.mark.parametrize("how", ["traced", "scripted", "exported"])
def test_outputs_are_known_by_their_names(tmp_path, how):
    network = networks()["several"]
    if how == "traced":
        path = written(tmp_path / "net.pt", how, Unnamed(network), chips())
        words = ("output1", "output0:map")
    else:
        path = written(tmp_path / "net.pt", how, network, chips())
        words = ("means", "maps:map")
    made, own = features_of(trusted(path, tmp_path, outputs=words), tmp_path), by_torch(network)
    np.testing.assert_allclose(made, np.concatenate([own["means"]] * 2, axis=1), rtol=1e-3, atol=1e-4)
    assert "Unknown output of net.pt 'loss'" in refused(
        trusted(path, tmp_path / "x", outputs=("loss",)), tmp_path / "x"
    )


class Unnamed:
    """Made a module when torch is there."""

    def __new__(cls, network):
        import torch

        class Wrapped(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.network = network

            def forward(self, chips):
                made = self.network(chips)
                return made["maps"], made["means"]

        return Wrapped()


@TORCH
@pytest.mark.parametrize(
    ("name", "how", "line"),
    [
        ("four", "traced", r"net.pt does not take these chips: .*expected .*4 channels, but got 3 .* Give --bands and"),
        ("four", "exported", r"net.pt takes 4 bands, received 3. Give --bands with as many"),
        ("wide", "exported", r"net.pt takes chips of 16 px and no others, received --input-size 20"),
        (
            "wide",
            "traced",
            r"net.pt does not take these chips: .*shapes cannot be multiplied.* --input-size as it expects",
        ),
        ("two", "traced", r"net.pt has 2 inputs \(chips, mask\): expected one, which takes chips"),
        ("two", "fixed", r"net.pt has 2 inputs \(chips, mask\): expected one, which takes chips"),
        ("random", "traced", r"net.pt does not give the same of a chip twice, as networks that learn do not"),
        ("random", "exported", r"net.pt does not give the same of a chip twice|net.pt cannot be written as ONNX"),
        ("maps", "traced", r"net.pt does not give the same of a chip twice, as networks that learn do not"),
        ("half", "traced", r"net.pt computes in float16: expected float32. Write it again from NETWORK.float\(\)"),
        ("half", "exported", r"net.pt computes in float16: expected float32. Write it again from NETWORK.float\(\)"),
        ("scalar", "traced", r"net.pt gives no tensor that has values of each chip: expected features"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path, name, how, line):
    inputs = {"two": (chips(), chips()), "four": (chips(bands=4),), "half": (chips().half(),)}.get(name, (chips(),))
    path = written(tmp_path / "net.pt", how, networks()[name], *inputs, learns=name in ("random", "maps"))
    size = {"input_size": 20} if name == "wide" else {}
    import re

    assert re.search(line, refused(trusted(path, tmp_path, **size), tmp_path))


@TORCH
def test_a_network_traced_for_one_chip_is_given_one_at_a_time(tmp_path):
    path = written(tmp_path / "net.pt", "traced", networks()["fixed"], chips(1))
    made = features_of(trusted(path, tmp_path), tmp_path)
    pixels = (chips_of(SIZE) / 255 - np.array(MOMENTS["mean"])) / np.array(MOMENTS["deviation"])
    expected = pixels.transpose(0, 3, 1, 2).reshape(5, 12, -1).mean(-1)
    np.testing.assert_allclose(made, expected, rtol=1e-3, atol=1e-4)


@TORCH
@pytest.mark.parametrize("how", ["scripted", "exported"])
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_damage_is_refused_in_one_line(tmp_path, how, damage):
    path = Path(written(tmp_path / "net.pt", how, networks()["maps"], chips()))
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:  # the network itself, in text, is of something else
        with zipfile.ZipFile(path) as opened:
            members = {each: opened.read(each) for each in opened.namelist()}
        for name in (each for each in members if each.endswith((".py", "model.json"))):
            members[name] = members[name][: len(members[name]) // 2]
        with zipfile.ZipFile(path, "w") as again:
            for name, member in members.items():
                again.writestr(name, member)
    line = refused(trusted(path, tmp_path), tmp_path)
    assert "net.pt is no file of torch: " in line or "net.pt cannot be opened as " in line
    assert len(line) < 500


class Touches:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@TORCH
def test_a_pickle_within_a_program_of_torch_is_not_read_unless_it_is_trusted(tmp_path):
    path, sign = Path(written(tmp_path / "net.pt2", "exported", networks()["maps"], chips())), tmp_path / "sign"
    with zipfile.ZipFile(path) as opened:
        members = {each: opened.read(each) for each in opened.namelist()}
    (inputs,) = (each for each in members if "sample_inputs" in each)
    import io

    import torch

    held = io.BytesIO()
    torch.save(((Touches(sign),), {}), held)
    with zipfile.ZipFile(path, "w") as again:
        for name, member in members.items():
            again.writestr(name, held.getvalue() if name == inputs else member)
    assert "may run code where it is opened" in refused(graph_recipe(path), tmp_path)
    assert not sign.exists()
    with pytest.raises(UserError):  # why it must be asked
        features_of(trusted(path, tmp_path), tmp_path)
    assert sign.exists()


@TORCH
def test_a_model_on_it_predicts_and_is_exported_without_torch(workspace, tmp_path):
    path = written(tmp_path / "net.pt2", "exported", networks()["maps"], chips())
    recipe = trusted(path, workspace.cache, epochs=1)
    run_jobs([Job(workspace, store_of(workspace), "net", recipe, 0, with_test=False)])
    expected = predict_folder(workspace, store_of(workspace), "net", chips_in(workspace)).scores.values
    exported = tmp_path / "net.onnx"
    export(workspace, store_of(workspace), "net", exported, CUTS)
    Path(path).unlink()
    script = """
import sys
import numpy as np
from pathlib import Path
from models.export.predict_with_file import predict_with_file
np.save(sys.argv[2], predict_with_file(Path(sys.argv[1]), Path(sys.argv[3])).scores.values)
assert "torch" not in sys.modules
"""
    command = [sys.executable, "-c", script, str(exported), str(tmp_path / "scores.npy"), str(chips_in(workspace))]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        command, cwd=Path(run.__file__).parent, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), expected, atol=1e-5)
