"""A trained model as files that a notebook runs: what makes features of chips, and the heads of each fold.

Not one network as `export` writes it: a blend is made of scores of features that were kept in 16 bits, and a vote asks
every fold. Kaggle unpacks archives of a data set, so nothing here is one.

    model.json       what the networks are given, under which views, and which files follow, with their digests
    extractor0.xml   what makes features, with its weights in extractor0.bin, or extractor0.onnx; one of each backbone
    heads0.npz       dense heads of fold 0, of all its seeds
    network0-1.xml   of a model that has no such heads, the network of fold 0 and its second seed
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from competition.common.errors import UserError
from competition.common.files import digest_file
from competition.common.progress import reporter
from competition.common.records import write_record
from competition.kernels.folder import FORMAT, MODEL
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from folds.store.scores import Scores
from models.backend.load import load_backend
from models.backend.openvino import converted, import_openvino, nhwc_pixels
from models.notebook.packed import Packed
from models.notebook.passes import Chips, Scored, one_pass
from models.predict.load_networks import heads_of, networks_of
from models.predict.stored_heads import read_head
from models.predict.trained_model import Trained
from models.runs.folders import NETWORK, seed_folders

if TYPE_CHECKING:
    import keras

    from models.graphs.extractor import Extractor
    from models.predict.head_scorer import HeadLayers

CHECKED = 16  # chips on which what was packed is held against the scores that there are
TOLERANCE = 1e-4  # between scores in [0, 1]


def pack_model(workspace: Workspace, model: str, folder: Path) -> None:
    """Write the networks of a model's complete folds, of repeats that are whole.

    Args:
        workspace: where the model is.
        model: its name.
        folder: receives them.

    Raises:
        UserError: if the model is not trained, or OpenVINO is not installed.
        Exception: of any kind, if OpenVINO does not take a network.
    """
    store = ScoreStore.of(workspace)
    stored = store.join(model).test_by_fold  # of whole repeats, as blends have them
    trained = Trained.of(workspace, store, model)
    trained = replace(trained, folders={fold: trained.folders[fold] for fold in stored})
    recipe = trained.recipe
    folder.mkdir(parents=True, exist_ok=True)
    with reporter.busy(f"packing {model}"):
        extractor = trained.extractor(workspace.cache)
        extractors = _write_extractors(extractor, trained.inputs.size, folder) if extractor else []
        folds = {str(fold): _write_fold(trained, fold, extractor, folder) for fold in trained.folders}
    record = {
        "model": model,
        "recipe": recipe.without_paths().to_dict(),
        "inputs": trained.inputs.as_dict(),
        "dtype": trained.dtype,
        "labels": list(trained.task.labels),
        "views": list(recipe.test_views),
        "in_16_bits": recipe.on_bank,
        "mixed": recipe.precision == "mixed",
        "extractors": extractors,
        "folds": folds,
        "digests": {path.name: digest_file(path) for path in sorted(folder.iterdir())},
    }
    write_record(folder / MODEL, record, version=FORMAT)
    _check(workspace, trained, stored, folder)


def _check(workspace: Workspace, trained: Trained, stored: Mapping[int, Scores], folder: Path) -> None:
    """Hold what was packed against the scores of some chips to predict that the model has, where these chips are.

    Raises:
        UserError: if they differ.
    """
    images = workspace.competition.image_set(trained.recipe.images)
    folders = workspace.layout.folders_of(images, "test")
    files = workspace.layout.files(images, "test") if folders else {}
    names = [name for name in next(iter(stored.values())).names if name in files][:CHECKED]
    packed = Packed.read(folder, workspace.competition)
    scored = Scored.of(packed, len(names))
    chips = Chips(tuple(names), lambda _: {name: files[name] for name in names})
    if names:
        one_pass(packed.scorer(), scored, len(packed.views), chips)
    for fold, scores in scored.by_fold().items():
        expected = stored[fold].aligned(names)
        difference = np.where(np.isnan(scores) & np.isnan(expected), 0, np.abs(scores - expected)).max(initial=0)
        if not difference <= TOLERANCE:  # NaN, where just one of them has no score
            raise UserError(
                f"Packed, '{trained.model}' scores otherwise than it has, by up to {difference:.0e} in fold {fold}.",
                command={"to score them again, if its chips have changed": f"train --models {trained.model}"},
            )


def _write_extractors(extractor: Extractor, size: int, folder: Path) -> list[dict[str, Any]]:
    """Write what makes features of chips of some size, one file for each backbone whose features stand side by side."""
    from models.graphs.extractor import JointExtractor

    parts: Sequence[Extractor] = extractor.parts if isinstance(extractor, JointExtractor) else [extractor]
    sizes = extractor.sizes if isinstance(extractor, JointExtractor) else [size]
    return [
        {**_write_extractor(part, folder / f"extractor{number}.xml"), "size": size}
        for number, (part, size) in enumerate(zip(parts, sizes, strict=True))
    ]


def _write_extractor(extractor: Extractor, path: Path) -> dict[str, Any]:
    from models.graphs.extractor import GraphExtractor, KerasExtractor
    from models.graphs.running import BIN, XML

    if isinstance(extractor, KerasExtractor):
        return _write_network(*extractor.converted(), path)
    assert isinstance(extractor, GraphExtractor)
    if extractor.path.suffix == ".onnx":
        path = path.with_suffix(".onnx")
        path.write_bytes(extractor.content)
    else:
        with zipfile.ZipFile(extractor.path) as archive:
            path.write_bytes(archive.read(XML))
            path.with_suffix(".bin").write_bytes(archive.read(BIN))
    return {"file": path.name, "pixels": extractor.pixels}


def _write_network(network: Any, pixels: int, path: Path) -> dict[str, Any]:
    import_openvino().save_model(network, path, compress_to_fp16=False)
    return {"file": path.name, "pixels": pixels}


def _write_fold(trained: Trained, fold: int, extractor: Extractor | None, folder: Path) -> list[dict[str, Any]]:
    """Write the networks of a fold, or its heads, and return what to run one after the other."""
    recipe, job = trained.recipe, trained.folders[fold]
    if not extractor:
        load_backend()
        networks, _ = networks_of(recipe, trained.task, trained.inputs, [job])
        return _write_each(networks, fold, folder)
    units = (*recipe.dense, len(trained.task.labels))
    paths = [seed / NETWORK for seed in seed_folders(job, recipe)]
    heads = [head for path in paths if (head := read_head(path, units))]
    if len(heads) == len(paths):
        return [_write_heads(heads, folder / f"heads{fold}.npz")]
    load_backend()
    return _write_each(heads_of(recipe, trained.task, extractor.num_features, [job]), fold, folder)


def _write_each(networks: Sequence[keras.Model], fold: int, folder: Path) -> list[dict[str, Any]]:
    return [
        _write_network(converted(network), nhwc_pixels(network), folder / f"network{fold}-{number}.xml")
        for number, network in enumerate(networks)
    ]


def _write_heads(heads: Sequence[HeadLayers], path: Path) -> dict[str, Any]:
    arrays = {
        f"{name}{seed}-{layer}": array
        for seed, head in enumerate(heads)
        for name, layers in (("kernel", head.kernels), ("bias", head.biases))
        for layer, array in enumerate(layers)
    }
    np.savez(path, allow_pickle=False, **arrays)
    return {"file": path.name, "seeds": len(heads)}
