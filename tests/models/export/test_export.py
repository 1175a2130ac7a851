"""An exported file scores and decides as the model it was made of, wherever it is read, and is read with care."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import run
from competition.common.errors import UserError
from competition.spec import load
from competition.workspace import Workspace
from models.backend.runners import KerasRunner
from models.export import export as export_module
from models.export.export import export, is_file, join, path_for, predict_with_file
from models.export.formats import read, write
from models.export.manifest import FACTS, Facts
from models.networks.backbones import build_extractor
from models.networks.build import build_network
from models.networks.heads import build_head
from models.networks.input_spec import Inputs
from models.predict.scorer import Scorer
from models.predict.trained_model import predict_folder
from models.recipes.named import resolve
from models.recipes.recipe import Recipe
from models.train.job import Job
from tests.conftest import CHIP_SIZE, store_of
from tests.models import samples

PLANET, ROOT = load("planet"), Path(run.__file__).parent
PACKAGES = {".keras": (), ".onnx": ("onnx", "onnxruntime", "tf2onnx"), ".zip": ("openvino",)}
WRITTEN_BY_TENSORFLOW = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="written by tensorflow alone"
)


def silent(line: str) -> None:
    """Receive lines and drop them."""


def needing(suffix: str):
    """Return a format as a parameter, skipped where its packages are not installed."""
    missing = [name for name in PACKAGES[suffix] if importlib.util.find_spec(name) is None]
    marks = [pytest.mark.skipif(bool(missing), reason=f"needs {' '.join(missing)}")]
    return pytest.param(suffix, marks=[*marks, WRITTEN_BY_TENSORFLOW] if suffix != ".keras" else marks, id=suffix)


FORMATS = [needing(suffix) for suffix in PACKAGES]


def recipe_of(backbone: str, **values) -> Recipe:
    own = {"backbone": backbone, "weights": "none", "train": "full", "images": "jpg", "input_size": 16, "dense": (8,)}
    return resolve("baseline", {"pooling": ("avg", "max"), "views": "flips", **own, **values})


KINDS = {
    "from scratch, in 16 bits, of larger chips": recipe_of("two_convolutions", images="tif", bands="RGBN"),
    "frozen, balanced, with exclusive scores": recipe_of(
        "TinyNet", train="head", sampling="balanced", groups="softmax", head_norm="batch", weights="/home/me/w.h5"
    ),
}
FROM_SCRATCH, FROZEN = KINDS.values()


def parts_of(recipe: Recipe, size: int):
    """Return untrained networks as `networks_of` does, whose weights are random everywhere."""
    task, dtype = recipe.task(PLANET), np.dtype("uint8" if recipe.images == "jpg" else "uint16")
    inputs = Inputs.of(recipe, PLANET.image_set(recipe.images), dtype, size)
    extractor = build_extractor(recipe, inputs, pretrained=False) if recipe.train == "head" else None
    networks = [
        build_head(recipe, extractor.output_shape[-1], task)
        if extractor
        else build_network(recipe, task, inputs, pretrained=False)
        for _ in range(2)
    ]
    random = np.random.default_rng(3)
    for network in [*networks, *([extractor] if extractor else [])]:
        for weights in network.weights:
            if "seed" not in weights.path:
                drawn = random.normal(0, 0.2, weights.shape)
                weights.assign(np.exp(drawn) if weights.path.endswith("variance") else drawn)
    return networks, extractor, inputs, dtype.name


def facts_of(recipe: Recipe, inputs: Inputs, dtype: str = "uint8", **values) -> Facts:
    labels = recipe.task(PLANET).labels
    known = {"model": "tiny", "competition": PLANET, "labels": labels, "cuts": dict.fromkeys(labels, 0.25)}
    more = {"inputs": inputs, "dtype": dtype, "views": ("identity",), "recipe": recipe, "folds": (0, 1)}
    return Facts(**{**known, **more, "digests": {}, "versions": {}, **values})


def chips_for(inputs: Inputs, dtype: str) -> np.ndarray:
    return export_module._made_up_chips(inputs, dtype)


# Scores


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_scores_as_the_mean_of_its_networks(tiny_net, tmp_path, kind, suffix):
    recipe = KINDS[kind]
    networks, extractor, inputs, dtype = parts_of(recipe, 24 if recipe is FROM_SCRATCH else 16)
    chips = chips_for(inputs, dtype)
    expected = Scorer([KerasRunner(each) for each in networks], extractor and KerasRunner(extractor))([chips])
    write(join(networks, extractor), facts_of(recipe, inputs, dtype), path := tmp_path / f"model{suffix}")
    exported = read(path)
    made = exported.runner_for(chips, silent)(chips)
    np.testing.assert_allclose(made, expected, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 1e-3  # it is the chips that decide
    assert exported.facts == facts_of(recipe, inputs, dtype)


@pytest.mark.parametrize("suffix", FORMATS)
def test_any_number_of_chips_is_scored_in_order(tmp_path, suffix, monkeypatch):
    recipe = FROM_SCRATCH
    networks, _, inputs, dtype = parts_of(recipe, 16)
    monkeypatch.setattr("models.export.onnx_file.batch_size_for", lambda size: 3)
    write(join(networks, None), facts_of(recipe, inputs, dtype), path := tmp_path / f"model{suffix}")
    chips = np.tile(chips_for(inputs, dtype), (2, 1, 1, 1))[:7]
    runner = read(path).runner_for(chips, silent)
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
    write(network, facts_of(recipe_of("two_convolutions"), inputs), path := tmp_path / f"model{suffix}")
    given = chips_for(inputs, "uint8")
    np.testing.assert_allclose(
        read(path).runner_for(given, silent)(given), network.predict(given, verbose=0), atol=1e-4
    )


def test_a_shared_extractor_is_in_the_file_once(tiny_net):
    networks, extractor, *_ = parts_of(FROZEN, 16)
    own = sum(network.count_params() for network in networks)
    assert join(networks, extractor).count_params() == extractor.count_params() + own


# From a workspace to a file, and from there to scores


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory) -> Workspace:
    """A workspace in which two folds of "tiny" are complete. Not to be changed."""
    root = tmp_path_factory.mktemp("exported") / "workspace"
    shutil.copytree(prepared, root)
    workspace = Workspace(root, PLANET)
    recipe = samples.tiny_recipe(epochs=1, learning_rate=0.05)
    for fold in (0, 2):
        Job(workspace, store_of(workspace), "tiny", recipe, fold, with_test=False).run()
    return workspace


@pytest.fixture(scope="module")
def chips(simulated) -> Path:
    return simulated / "test-jpg"


@pytest.fixture(scope="module")
def made(trained, tmp_path_factory) -> Path:
    """An exported .keras file. Not to be changed."""
    path = tmp_path_factory.mktemp("made") / "tiny.keras"
    export(trained, store_of(trained), "tiny", path, np.linspace(0.1, 0.9, len(PLANET.labels)), silent)
    return path


def command(*arguments) -> str:
    done = CliRunner().invoke(run.main, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_cuts_are_advised_only_where_there_are_none(trained, tmp_path):
    shutil.copytree(trained.root, tmp_path / "own")
    own, recipe = Workspace(tmp_path / "own", PLANET), samples.tiny_recipe(epochs=1, learning_rate=0.05)
    Job(own, store_of(own), "tiny", recipe, 1, with_test=False).run()
    export_it = ("export", "--model", "tiny", "--output", tmp_path / "x.keras", "--workspace", own.root)
    assert "`thresholds --model tiny` may find better cuts" in command(*export_it)
    command("thresholds", "--model", "tiny", "--trials", 2, "--workspace", own.root)
    assert "thresholds" not in command(*export_it)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_predicts_what_its_model_does_without_the_workspace(trained, chips, tmp_path, monkeypatch, suffix):
    path, here = tmp_path / f"tiny{suffix}", ("--workspace", trained.root)
    shown = command("export", "--model", "tiny", "--output", path, *here)
    assert "made-up chips: scores differ by" in shown
    assert f"predict --model {path} --images DIR" in shown
    command("predict", "--model", "tiny", "--images", chips, "--output", tmp_path / "one.csv", "--tags", *here)
    monkeypatch.chdir(tmp_path)
    command("predict", "--model", path, "--images", chips, "--output", "other.csv", "--tags")
    one, other = pd.read_csv(tmp_path / "one.csv"), pd.read_csv(tmp_path / "other.csv")
    assert one.columns.tolist() == other.columns.tolist()
    assert one[["image_name", "tags"]].equals(other[["image_name", "tags"]])
    scores = [table[list(PLANET.labels)].to_numpy() for table in (one, other)]
    np.testing.assert_allclose(scores[0], scores[1], atol=2e-6)  # the table has six decimals
    assert not (tmp_path / "workspace").exists()


def test_one_chip_is_named_as_one(trained, made, chips, tmp_path, capsys):
    (tmp_path / "one").mkdir()
    shutil.copy(next(chips.iterdir()), tmp_path / "one")
    predict_with_file(made, tmp_path / "one")
    predict_folder(trained, store_of(trained), "tiny", tmp_path / "one")
    shown = capsys.readouterr().out
    assert "Scoring 1 chip with tiny.keras: 2 folds of 'tiny'" in shown
    assert "Scoring 1 chip with 2 folds of 'tiny', 4 views." in shown


def test_a_file_says_what_it_was_made_of(trained, made):
    facts = read(made).facts
    assert (facts.model, facts.folds, facts.dtype) == ("tiny", (0, 2), "uint8")
    assert (facts.inputs.size, facts.inputs.bands, len(facts.views)) == (16, "RGB", 4)
    np.testing.assert_allclose(facts.cuts_of_all, np.linspace(0.1, 0.9, len(PLANET.labels)))
    assert facts.competition == PLANET
    assert facts.digests["recipe"] == store_of(trained).provenance("tiny", 0).recipe_digest


def test_a_keras_file_scores_the_same_in_another_process_and_backend(trained, made, chips, tmp_path):
    others = [name for name in ("jax", "tensorflow") if name != keras.backend.backend()]
    backend = next((name for name in others if importlib.util.find_spec(name)), keras.backend.backend())
    script = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from models.export.export import predict_with_file as p\n"
        "np.save(sys.argv[3], p(Path(sys.argv[1]), Path(sys.argv[2]))[0].values)"
    )
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, "-c", script, str(made), str(chips), str(tmp_path / "scores.npy")]
    done = subprocess.run(arguments, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected, _ = predict_folder(trained, store_of(trained), "tiny", chips)
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), expected.values, atol=1e-5)


def test_a_specialists_file_scores_and_decides_its_labels_alone(tmp_path, chips):
    recipe = recipe_of("two_convolutions", only_labels=("road", "water"))
    networks, _, inputs, dtype = parts_of(recipe, 16)
    path, table = tmp_path / "roads.keras", tmp_path / "scores.csv"
    write(join(networks, None), facts_of(recipe, inputs, dtype, cuts={"road": 0.0, "water": 1.0}), path)
    scores, _, facts = predict_with_file(path, chips)
    assert [PLANET.labels[i] for i in np.flatnonzero(scores.scored)] == sorted(facts.labels) == ["road", "water"]
    command("predict", "--model", path, "--images", chips, "--output", table, "--tags")
    made = pd.read_csv(table)
    assert made.columns.tolist() == ["image_name", *facts.labels, "tags"]
    assert set(made.tags) == {"road"}


def test_an_export_that_scores_otherwise_is_not_left_behind(trained, tmp_path, monkeypatch):
    def other(networks, extractor):
        return join(networks[:1], extractor)

    monkeypatch.setattr(export_module, "join", other)
    cuts = np.full(len(PLANET.labels), 0.2)
    with pytest.raises(UserError, match=r"x\.keras was not written: as \.keras the network's scores differ by up to"):
        export(trained, store_of(trained), "tiny", tmp_path / "x.keras", cuts, silent)
    assert list(tmp_path.iterdir()) == []


def test_where_the_weights_lay_is_not_passed_on(trained, made, monkeypatch):
    named = export_module.Trained.of(trained, store_of(trained), "tiny")
    recipe = samples.tiny_recipe(weights=str(Path("secret") / "tiny.h5"))
    object.__setattr__(named, "recipe", recipe)
    facts = export_module._facts(named, trained, np.full(len(PLANET.labels), 0.2))
    assert facts.recipe.weights == "tiny.h5"
    assert "secret" not in facts.text()


# What is refused


def test_models_that_cannot_be_exported_are_refused(trained, tmp_path):
    store, cuts = store_of(trained), np.full(len(PLANET.labels), 0.2)
    with pytest.raises(UserError, match=r"Unknown model 'tidy'\. Known: tiny\."):
        export(trained, store, "tidy", tmp_path / "x.keras", cuts, silent)
    shutil.copytree(trained.root, tmp_path / "begun")
    begun = Workspace(tmp_path / "begun", PLANET)
    for marker in begun.runs.rglob("scores.json"):
        marker.unlink()
    with pytest.raises(UserError, match=r"No fold of 'tiny' is trained\. Run \"python run.py train --models tiny\""):
        export(begun, store_of(begun), "tiny", tmp_path / "x.keras", cuts, silent)
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


@pytest.mark.parametrize(("suffix", "package", "extra"), [(".onnx", "tf2onnx", "onnx"), (".zip", "openvino", "fast")])
def test_a_package_that_is_missing_is_named_with_its_command(trained, tmp_path, monkeypatch, suffix, package, extra):
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == package else found(name))
    with pytest.raises(UserError, match=rf"ing x{suffix} needs .*{package}\. Run 'pip install -e \"\.\[{extra}\]\"'"):
        export(trained, store_of(trained), "tiny", tmp_path / f"x{suffix}", np.array([]), silent)


@pytest.mark.parametrize(
    ("verb", "name", "works"),
    [
        (("predict", "--model", "tiny", "--images", "."), "scores.csv", "models.predict.trained_model.predict_folder"),
        (("predict", "--model", "tiny.keras", "--images", "."), "scores.csv", "models.export.export.predict_with_file"),
        (("export", "--model", "tiny"), "x.keras", "models.export.export.export"),
    ],
)
def test_an_output_that_cannot_be_written_is_named_before_the_work(prepared, tmp_path, monkeypatch, verb, name, works):
    monkeypatch.setattr(works, None)  # would not be callable
    (tmp_path / "file").write_text("")
    output = tmp_path / "file" / name
    arguments = [*verb, "--output", str(output), "--workspace", str(prepared)]
    done = CliRunner().invoke(run.main, arguments, catch_exceptions=False)
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert done.output.startswith(f"Error: Cannot write {output}: Not a directory.")


def test_chips_of_other_bands_or_another_data_type_are_refused(made, simulated, tmp_path):
    with pytest.raises(UserError, match=r"expected 3 bands, received shape \(32, 32, 4\)"):
        predict_with_file(made, simulated / "test-tif-v2")
    recipe = FROM_SCRATCH
    networks, _, inputs, _ = parts_of(recipe, CHIP_SIZE)
    write(join(networks, None), facts_of(recipe, inputs, "uint8"), path := tmp_path / "x.keras")
    with pytest.raises(UserError, match=r"has uint16 values; the model takes uint8\. Give a folder of such chips"):
        predict_with_file(path, simulated / "test-tif-v2")


def repacked(source: Path, target: Path, changes: dict[str, bytes | None], **options) -> Path:
    """Write an archive again with some members changed, or left out where None."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", **options) as new:
        for name, content in {**{name: old.read(name) for name in old.namelist()}, **changes}.items():
            if content is not None:
                new.writestr(name, content)
    return target


def with_facts(source: Path, target: Path, **values) -> Path:
    with zipfile.ZipFile(source) as archive:
        facts = json.loads(archive.read(FACTS))
    return repacked(source, target, {FACTS: json.dumps({**facts, **values}).encode()})


def test_archives_with_other_members_or_compressed_ones_are_refused(made, tmp_path):
    outside = tmp_path / "folder"
    outside.mkdir()
    for changes in ({"../evil": b"x"}, {"assets/../../evil": b"x"}, {FACTS: None}, {"assets/a": b""}):
        path = repacked(made, outside / "x.keras", changes)
        with pytest.raises(UserError, match=r"x\.keras is damaged, or was not .* expected the members .*planet\.json"):
            read(path)
    assert not list(tmp_path.rglob("evil"))
    with pytest.raises(UserError, match="expected the members"):
        read(repacked(made, outside / "x.keras", {}, compression=zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", ["x.keras", "x.onnx", "x.zip", "x.KERAS", "x.ONNX"])
def test_a_renamed_file_is_named_for_what_it_is(tmp_path, suffix, name):
    recipe = recipe_of("two_convolutions")
    networks, _, inputs, _ = parts_of(recipe, 16)
    write(join(networks, None), facts_of(recipe, inputs), path := tmp_path / f"model{suffix}")
    renamed = path.rename(tmp_path / name)
    if renamed.suffix == suffix:
        assert read(renamed).facts.model == "tiny"
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
    write(network, facts_of(recipe, inputs), path := tmp_path / "x.keras")
    with pytest.raises(UserError, match=r"x\.keras is damaged, or was not written by .*"):
        read(path)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"format": 2}, "format"),
        ({"extra": 1}, "extra"),
        ({"cuts": {"road": 0.2}}, "there must be a cut for each label"),
        ({"labels": ["road", "agriculture"]}, "in its order"),
        ({"views": ["upside_down"]}, "views name upside_down"),
        ({"dtype": "float64"}, "dtype"),
        ({"labels": ["road"], "cuts": {"road": 0.2}}, "scores other labels, than its facts say"),
        ({"model": "x" * 2**20}, "its facts are larger than"),
    ],
)
def test_facts_that_do_not_hold_together_are_refused(made, tmp_path, values, reason):
    with pytest.raises(UserError, match=reason):
        read(with_facts(made, tmp_path / "x.keras", **values))


@pytest.mark.parametrize("suffix", FORMATS)
def test_damaged_and_foreign_files_give_one_line(tmp_path, suffix):
    recipe = recipe_of("two_convolutions")
    networks, _, inputs, _ = parts_of(recipe, 16)
    write(join(networks, None), facts_of(recipe, inputs), path := tmp_path / f"x{suffix}")
    whole = path.read_bytes()
    for content in (b"", b"not a network", whole[: len(whole) // 2], whole[: -len(whole) // 3]):
        path.write_bytes(content)
        with pytest.raises(
            UserError, match=rf"x{suffix} is damaged, or was not .*\. Export the model again\.$"
        ) as error:
            read(path)
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match=r"No file .*y\."):
        read(tmp_path / f"y{suffix}")
