"""A model becomes one file, or one line says why it cannot."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import run
from competition.common.errors import UserError
from competition.workspace import Workspace
from models.backend.openvino import compiled, converted
from models.export import whole
from models.export.export import ExportReport, _made_up_chips, export, is_file, path_for
from models.export.whole import KerasWhole, join
from models.networks.input_spec import Inputs
from tests.conftest import store_of
from tests.models.export.files import FROZEN, PLANET, command, parts_of


def test_a_shared_extractor_is_in_the_file_once(tiny_net):
    networks, extractor, *_ = parts_of(FROZEN, 16)
    own = sum(network.count_params() for network in networks)
    assert join(networks, extractor).count_params() == extractor.count_params() + own


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="needs openvino")
def test_the_mean_of_several_heads_is_the_same_by_openvino():
    chips = np.random.default_rng(0).random((4, 25), dtype=np.float32)

    def head() -> keras.Model:
        features = keras.Input((25,))
        hidden = keras.layers.Dense(256, activation="relu")(features)
        return keras.Model(features, keras.layers.Dense(17, activation="sigmoid")(hidden))

    heads = [head() for _ in range(3)]
    whole_of_three = join(heads)
    expected = np.mean([each(chips) for each in heads], axis=0)
    np.testing.assert_allclose(whole_of_three(chips), expected, atol=1e-6)
    network = converted(whole_of_three)
    network.reshape([4, 25])
    np.testing.assert_allclose(compiled(network)(chips)[0], expected, atol=1e-6)


def test_the_verb_says_what_it_wrote_and_advises_cuts_only_where_there_are_none(trained, tmp_path, monkeypatch):
    report = ExportReport(tmp_path / "x.keras", 12_345_678, 2, 3, 4, 1e-7)
    monkeypatch.setattr("models.export.export.export", lambda *arguments: report)
    monkeypatch.setattr("submissions.choose.cuts.cuts_of", lambda name, workspace: None)
    shutil.copytree(trained.root, tmp_path / "own")
    export_it = ("export", "--model", "tiny", "--output", tmp_path / "x.keras", "--workspace", tmp_path / "own")
    shown = command(*export_it)
    assert shown.startswith(report.text())
    assert "It averages 2 of 3 folds; train the others for a better one.\n" in shown
    assert f"Wrote {tmp_path / 'x.keras'}: 12.3 MB." in shown
    assert "thresholds --model tiny" in shown
    (tmp_path / "own" / "runs" / "tiny" / "cuts.json").write_text("{}")
    assert "thresholds" not in command(*export_it)


def test_a_report_is_also_data(tmp_path):
    report = ExportReport(tmp_path / "x.keras", 10, 3, 3, 4, 1e-7)
    assert json.loads(json.dumps(report.as_dict()))["path"] == str(tmp_path / "x.keras")
    assert "It averages 3 of 3 folds.\n" in report.text()


def test_an_export_that_scores_otherwise_is_not_left_behind(trained, tmp_path, monkeypatch):
    def other(networks, extractor):
        return KerasWhole(join(networks[:1]))

    monkeypatch.setattr(whole, "joined", other)
    cuts = np.full(len(PLANET.labels), 0.2)
    with pytest.raises(UserError, match=r"x\.keras was not written: as \.keras the network's scores differ by up to"):
        export(trained, store_of(trained), "tiny", tmp_path / "x.keras", cuts)
    assert list(tmp_path.iterdir()) == []


def test_models_that_cannot_be_exported_are_refused(trained, tmp_path):
    store, cuts = store_of(trained), np.full(len(PLANET.labels), 0.2)
    with pytest.raises(UserError, match=r"Unknown model 'tidy'\. Known: tiny\."):
        export(trained, store, "tidy", tmp_path / "x.keras", cuts)
    shutil.copytree(trained.root, tmp_path / "begun")
    begun = Workspace(tmp_path / "begun", PLANET)
    for marker in begun.runs.rglob("scores.json"):
        marker.unlink()
    with pytest.raises(UserError, match=r"No fold of 'tiny' is trained\. Run \"python run.py train --models tiny\""):
        export(begun, store_of(begun), "tiny", tmp_path / "x.keras", cuts)
    assert not (tmp_path / "x.keras").exists()


def test_the_suffix_says_the_format():
    assert path_for(Path("a.onnx"), None) == path_for(Path("a"), "onnx") == path_for(Path("a.onnx"), "onnx")
    assert path_for(Path("a"), "openvino").suffix == ".zip"
    with pytest.raises(UserError, match=r"--output must name a file that ends in \.keras or \.onnx or \.zip, .* a\.h5"):
        path_for(Path("a.h5"), None)
    with pytest.raises(UserError, match=r"--format onnx writes a file that ends in \.onnx, received a\.keras"):
        path_for(Path("a.keras"), "onnx")
    assert is_file("../a.keras")
    assert is_file("a.ONNX")
    assert not is_file("resnet50")


@pytest.mark.parametrize(
    ("verb", "name", "works"),
    [
        (("predict", "--model", "tiny", "--images", "."), "scores.csv", "models.predict.trained_model.predictor_in"),
        (
            ("predict", "--model", "tiny.keras", "--images", "."),
            "scores.csv",
            "models.export.predict_with_file.predictor_of_file",
        ),
        (("export", "--model", "tiny"), "x.keras", "models.export.export.export"),
    ],
)
def test_an_output_that_cannot_be_written_is_named_before_the_work(prepared, tmp_path, monkeypatch, verb, name, works):
    monkeypatch.setattr(works, None)  # would not be callable
    (tmp_path / "file").write_text("")
    output = tmp_path / "file" / name
    arguments = [*verb, "--output", str(output), "--workspace", str(prepared)]
    done = CliRunner().invoke(run.main, arguments, catch_exceptions=False)
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert done.output.startswith(f"Error: Cannot write {output}: Not a directory.")


@pytest.mark.parametrize(
    "verb",
    [
        ("predict", "--model", "m.keras", "--images", ".", "--output"),
        ("predict", "--model", "m.keras", "--images", ".", "--on", "ray", "--output"),
        ("report", "--output"),
        ("report", "--suspects"),
        ("export", "--model", "tiny", "--output"),
        ("scores", "export", "tiny", "--output"),
        ("scores", "export", "tiny", "--output", "x.csv", "--test"),
    ],
)
def test_no_verb_writes_what_it_is_given_or_what_the_workspace_keeps(prepared, tmp_path, monkeypatch, verb):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.keras").write_text("network")
    (tmp_path / "c.jpg").write_text("chip")
    outputs = {"runs/m/x.keras": "the workspace keeps files of its own there"}
    outputs = {str(prepared / name): why for name, why in outputs.items()}
    if verb[0] == "predict":
        outputs |= {"m.keras": "the command is given it", "c.jpg": "it is a chip of", "file://./m.keras": "the command"}
    for output, why in outputs.items():
        done = CliRunner().invoke(run.main, [*verb, output, "--workspace", str(prepared)], catch_exceptions=False)
        assert (done.exit_code, done.output.count("\n")) == (2, 1)
        assert done.output.startswith(f"Error: Cannot write {output.removeprefix('file://./')}: {why}")
    assert (tmp_path / "m.keras").read_text() + (tmp_path / "c.jpg").read_text() == "networkchip"
    assert not (prepared / "runs/m").exists()


@pytest.mark.parametrize(("dtype", "least"), [("uint8", 0), ("uint16", 0), ("int16", -32768), ("float32", -np.inf)])
def test_chips_are_made_up_within_the_range_of_their_bands_and_of_their_type(dtype, least):
    inputs = Inputs(8, ("VV", "VH"), (-40_000.0, 0.0), (0.0, 200.0))
    chips = _made_up_chips(inputs, dtype)
    assert chips.dtype == (np.uint8 if dtype == "uint8" else np.float32)
    assert chips.min() >= least
    if dtype in ("int16", "float32"):
        assert chips[..., 0].max() < 0
