"""Networks in OpenVINO's format become graphs too: the same features as those of the same network in ONNX."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from models.backend.openvino import import_openvino, read_model
from models.export.export import export
from models.export.predict_with_file import predict_with_file
from models.graphs.extractor import GraphExtractor
from models.graphs.made import made_graph
from models.graphs.openvino_source import OpenVinoSource
from models.predict.trained_model import predict_folder
from models.recipes.recipe import Recipe
from models.train.job import Job
from models.train.run_jobs import run_jobs
from tests.conftest import store_of
from tests.models.graphs.samples import PREFIX, graph_recipe, network, saved
from tests.models.graphs.test_extractor import CUTS, ONLY_TENSORFLOW, chips_in
from tests.models.graphs.test_made import chips_of
from tests.models.samples import inputs_of

# Not by importorskip: imported before the toolkit does it, OpenVINO reports every conversion to its maker.
pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed")


def converted(path: Path, archive: bool = False, **options) -> str:
    """Write a network of `samples` in OpenVINO's format, and return its path."""
    openvino = import_openvino()
    source = saved(path.with_name("source.onnx"), **options)
    openvino.save_model(openvino.convert_model(source), path.with_suffix(".xml"), compress_to_fp16=False)
    if archive:
        with zipfile.ZipFile(path.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as written:
            for suffix in (".xml", ".bin"):
                written.write(path.with_suffix(suffix), path.with_suffix(suffix).name)
    return str(path.with_suffix(".zip" if archive else ".xml"))


def features_of(recipe: Recipe, cache: Path) -> np.ndarray:
    made = made_graph(recipe, inputs_of(recipe, 20), {"any": recipe.to_dict()}, cache, chips_of(20))
    assert made.path.suffix == (".onnx" if recipe.weights.endswith(".onnx") else ".zip")
    return made.exact()(chips_of(20))


@pytest.mark.parametrize(("archive", "channels_first"), [(False, True), (True, False)])
def test_its_features_are_those_of_the_same_network_in_onnx(tmp_path, archive, channels_first):
    outputs = {"outputs": ("map", "vector:vector", "tokens:cls", "tokens:patches"), "prefix_tokens": PREFIX}
    values = {**outputs, "pooling": ("avg", "max")}
    names = ("map", "vector", "tokens")
    ours = converted(tmp_path / "net", archive, outputs=names, channels_first=channels_first)
    plain = saved(tmp_path / "plain.onnx", network(names, channels_first=channels_first))
    one, other = (features_of(graph_recipe(path, **values), tmp_path) for path in (plain, ours))
    np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("damage", ["cut", "changed", "marked as encrypted"])
def test_a_damaged_archive_is_made_again_in_the_cache_and_named_elsewhere(tmp_path, damage):
    recipe = graph_recipe(converted(tmp_path / "net"))
    expected = features_of(recipe, tmp_path)
    (kept,) = (tmp_path / "graphs").glob("*/extractor.zip")
    content = bytearray(kept.read_bytes())
    if damage == "marked as encrypted":
        content[content.index(b"PK\x01\x02") + 8] |= 1
    else:
        content[len(content) // 2] ^= 1
    kept.write_bytes(content[:-9] if damage == "cut" else content)
    with pytest.raises(UserError, match=r"extractor.zip is missing or damaged"):
        GraphExtractor(kept, 400, None).exact()
    np.testing.assert_array_equal(features_of(recipe, tmp_path), expected)


@pytest.mark.slow
@ONLY_TENSORFLOW
def test_a_model_on_it_is_trained_and_exported_as_openvino_alone(workspace, tmp_path):
    recipe = graph_recipe(converted(tmp_path / "net"), epochs=1)
    run_jobs([Job(workspace, store_of(workspace), "net", recipe, 0, with_test=False)])
    assert GraphExtractor(workspace.runs / "net" / "extractor.zip", 256, None).num_features == 5
    expected = predict_folder(workspace, store_of(workspace), "net", chips_in(workspace)).scores.values
    export(workspace, store_of(workspace), "net", tmp_path / "out.zip", CUTS)
    by_file = predict_with_file(tmp_path / "out.zip", chips_in(workspace)).scores.values
    np.testing.assert_allclose(by_file, expected, atol=1e-5)
    with pytest.raises(UserError, match=r"came as OpenVINO's is no ONNX. Give an --output that ends in .zip"):
        export(workspace, store_of(workspace), "net", tmp_path / "out.onnx", CUTS)


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def of_whole_numbers(path: Path) -> None:
    openvino = import_openvino()
    steps = openvino.preprocess.PrePostProcessor(read_model(path.read_bytes(), path.with_suffix(".bin").read_bytes()))
    steps.input().tensor().set_element_type(openvino.Type.u8)
    openvino.save_model(steps.build(), path, compress_to_fp16=False)


def without_weights(path: Path) -> None:
    path.with_suffix(".bin").unlink()


@pytest.mark.parametrize(
    ("options", "change", "line"),
    [
        ({"bands": 4}, None, r"^net.xml takes 4 bands, received 3"),
        ({"size": 24}, None, r"^net.xml takes chips of 24 px and no others"),
        ({}, of_whole_numbers, r"^net.xml takes values of type U8: expected FLOAT or FLOAT16. Export it"),
        ({}, damaged, r"net.xml is no network of OpenVINO: "),
        ({}, without_weights, r"net.xml has its weights in net.bin, which is missing beside it"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path, options, change, line):
    path = Path(converted(tmp_path / "net", **options))
    if change:
        change(path)
    with pytest.raises(UserError, match=line) as refused:
        features_of(graph_recipe(path), tmp_path)
    assert "\n" not in str(refused.value)


def test_archives_of_something_else_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "net.zip", "w") as archive:
        archive.writestr("../net.xml", "<net/>")
    with pytest.raises(UserError, match=r"net.zip holds ../net.xml: expected one .xml and one .bin"):
        features_of(graph_recipe(tmp_path / "net.zip"), tmp_path)
    (tmp_path / "net.zip").write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"net.zip is no archive"):
        features_of(graph_recipe(tmp_path / "net.zip"), tmp_path)


def test_other_suffixes_are_refused(tmp_path):
    (tmp_path / "net.h5").write_bytes(b"x")
    with pytest.raises(
        UserError,
        match=r"^backbone file takes .onnx, .xml, .zip, .pt, .pt2; received net.h5. Write a network of Keras by",
    ):
        features_of(graph_recipe(tmp_path / "net.h5"), tmp_path)


def test_a_damaged_archive_is_said_in_one_line(tmp_path):
    path = Path(converted(tmp_path / "net", archive=True))
    content = path.read_bytes()
    for at in range(len(content) - 200, len(content)):  # the list of its members
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        with suppress(UserError):  # another date is taken
            OpenVinoSource(path, 3, 20)
