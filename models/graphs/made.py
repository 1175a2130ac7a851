"""Graphs made once of what others trained, held against it on chips, and kept in the cache.

cache/graphs/<digest>/extractor.onnx    from chips to features, everything done to pixels inside; .zip of OpenVINO
cache/graphs/<digest>/graph.json        what it was made of, and how far its features are from the source's
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import digest_json, replace_folder
from competition.common.folders import check_room
from competition.common.locks import lock_of, locked
from competition.common.progress import reporter
from competition.common.records import read_record, write_record
from competition.common.text import short
from models.backend.kept import TOLERANCE, largest_difference
from models.backend.seals import onnx_seal
from models.foreign.outputs import Layout, Taken, taken_of
from models.foreign.trust import RUNS_CODE
from models.graphs.compose import composed
from models.graphs.extractor import RECORD, GraphExtractor
from models.graphs.openvino_source import OpenVinoSource
from models.graphs.pixels import Pixels
from models.graphs.running import reference
from models.graphs.source import LEARNS, Source, of_each_chip, read_source
from models.graphs.timm_source import TimmNetwork
from models.graphs.torch_source import PICKLES, TorchNetwork, of_pickle
from models.networks.input_spec import Inputs, as_colours
from models.recipes.foreign import SAFE
from models.recipes.recipe import Recipe
from models.recipes.values import TIMM

FORMAT = 1
Maker = Callable[[Recipe, Inputs, NDArray[Any]], tuple[str, bytes, float]]


def made_graph(
    recipe: Recipe, inputs: Inputs, key: dict[str, Any], cache: Path, sample: NDArray[Any]
) -> GraphExtractor:
    """Return the graph of a recipe's frozen backbone, made of what its weights name or as it was made before.

    Args:
        recipe: the recipe.
        inputs: what it is given.
        key: everything that its features depend on, besides the chips.
        cache: the workspace's folder of what can be made again.
        sample: some chips (num_chips, size, size, num_bands), on which graph and source must agree.

    Raises:
        UserError: if the source cannot be read or does not fit the recipe or the chips, or the graph's features are
            not those of the source.
    """
    digest = digest_json(key)
    folder = cache / "graphs" / short(digest)
    with locked(lock_of(folder)):
        found = _kept(folder, digest, recipe, cache)
        if found is None:
            name = _make(recipe, inputs, digest, folder, sample)
            found = GraphExtractor(folder / name, recipe.input_size**2, cache)
    return found


def _kept(folder: Path, digest: str, recipe: Recipe, cache: Path) -> GraphExtractor | None:
    """Return what was made of the same before; None if there is none, or it is damaged."""
    with suppress(UserError):
        record = read_record(folder / RECORD, dict, version=FORMAT)
        found = GraphExtractor(folder / str(record.get("file")), recipe.input_size**2, cache)
        if record.get("of") == digest and found.content:
            return found
    return None


def _make(recipe: Recipe, inputs: Inputs, digest: str, folder: Path, sample: NDArray[Any]) -> str:
    with reporter.busy("making a graph of the network"):
        of = _of_timm if recipe.backbone.startswith(TIMM) else _kind_of(recipe.weights_path(), folder.parent.parent)
        source, content, difference = of(recipe, inputs, sample)
    check_room(len(content), folder.parent, "The network")
    name = "extractor.zip" if of is _of_openvino else "extractor.onnx"
    with replace_folder(folder) as temporary:
        (temporary / name).write_bytes(content)
        write_record(temporary / RECORD, {"of": digest, "file": name, "difference": difference}, version=FORMAT)
    how = f"are as the network's to {difference:.0e}" if difference else "are the network's"
    reporter.say(f"Made a graph of {source}; on {len(sample)} chips its features {how}.")
    return name


def _kind_of(path: Path, cache: Path) -> Maker:
    """Return what makes a graph of a file of that suffix; what is trusted is noted in the cache.

    Raises:
        UserError: if it is none that is read.
    """
    if path.suffix in KINDS:
        return KINDS[path.suffix]
    if path.suffix in RUNS_CODE:
        return partial(_of_torch, cache=cache)
    if path.suffix in PICKLES:
        raise of_pickle(path.name)
    known = ", ".join((*KINDS, *RUNS_CODE))
    other = {SAFE: " It holds weights alone: give --backbone timm/NAME with it."}
    keras = " Write a network of Keras by NETWORK.export('NET.onnx', format='onnx')."
    raise UserError(f"backbone file takes {known}; received {path.name}.{other.get(path.suffix, keras)}")


def _of_openvino(recipe: Recipe, inputs: Inputs, sample: NDArray[Any]) -> tuple[str, bytes, float]:
    pixels = _pixels(recipe, inputs)
    source = OpenVinoSource(recipe.weights_path(), pixels.num_bands, recipe.input_size)
    outputs = of_each_chip(source, pixels(sample), source.name)
    taken = taken_of(recipe, _shapes(outputs), source.name, Layout(source.channels_first))
    expected = _expected(outputs, taken, source.name)
    content = source.composed(pixels, taken)
    return source.name, content, _held(content, pixels, sample, expected, source.name)


def _of_onnx(recipe: Recipe, inputs: Inputs, sample: NDArray[Any]) -> tuple[str, bytes, float]:
    pixels = _pixels(recipe, inputs)
    source = read_source(recipe.weights_path(), pixels.num_bands, recipe.input_size)
    outputs = of_each_chip(source, pixels(sample), source.name)
    taken = taken_of(recipe, _shapes(outputs), source.name, Layout(source.channels_first))
    return source.name, *_of_source(source, outputs, taken, pixels, sample)


def _of_timm(recipe: Recipe, inputs: Inputs, sample: NDArray[Any]) -> tuple[str, bytes, float]:
    network = TimmNetwork(recipe, as_colours(inputs.bands))
    pixels = _pixels(recipe, inputs, network.mean, network.deviation)
    seen = pixels(sample)
    outputs = network.outputs(seen)
    taken = taken_of(recipe, _shapes(outputs), recipe.backbone, network.layout)
    names = tuple(dict.fromkeys(each.name for each in taken))
    return recipe.backbone, *_of_source(network.source(seen, names), outputs, taken, pixels, sample)


def _of_torch(recipe: Recipe, inputs: Inputs, sample: NDArray[Any], *, cache: Path) -> tuple[str, bytes, float]:
    pixels = _pixels(recipe, inputs)
    network = TorchNetwork(recipe.weights_path(), pixels.num_bands, recipe.input_size, cache)
    seen = pixels(sample)
    outputs = network.outputs(seen)
    taken = taken_of(recipe, _shapes(outputs), network.name, Layout(network.channels_first))
    return network.name, *_of_source(network.source(seen), outputs, taken, pixels, sample)


def _pixels(recipe: Recipe, inputs: Inputs, mean: tuple[float, ...] = (), deviation: tuple[float, ...] = ()) -> Pixels:
    """Return what is done to pixels, by the network's own moments where neither chips nor recipe give any."""
    given = inputs.mean or (recipe.mean if isinstance(recipe.mean, tuple) else ()) or mean
    spread = inputs.deviation or (recipe.deviation if isinstance(recipe.deviation, tuple) else ()) or deviation
    for name, numbers in (("mean", given), ("deviation", spread)):
        if len(numbers) not in (1, len(inputs.bands)):
            raise UserError(
                f"{recipe.backbone} has a {name} of {len(numbers)} bands, and is given {recipe.bands}. Give --{name} "
                "of each, or own."
            )
    return Pixels.of(recipe, inputs, given, spread)


def _shapes(outputs: Mapping[str, NDArray[Any]]) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in outputs.items()}


def _of_source(
    source: Source, outputs: Mapping[str, NDArray[Any]], taken: Sequence[Taken], pixels: Pixels, sample: NDArray[Any]
) -> tuple[bytes, float]:
    """Return a graph, and how far its features are from those of the outputs that the source gave of some chips."""
    expected = _expected(outputs, taken, source.name)
    failed: UserError | None = None
    for batch in dict.fromkeys((None, source.batch)):
        try:
            content = _serialized(replace(source, batch=batch), pixels, taken, expected.shape[1])
            return content, _held(content, pixels, sample, expected, source.name)
        except UserError as error:
            failed = error
        except Exception as error:  # its own shapes know how many chips it takes, or it is damaged
            failed = UserError(f"{source.name} does not take chips as it says: {' '.join(str(error).split())[:200]}")
    assert failed
    raise failed


def _serialized(source: Source, pixels: Pixels, taken: Sequence[Taken], num_features: int) -> bytes:
    model = importlib.import_module("onnx").ModelProto()
    model.CopyFrom(source.model)  # which is used up
    content: bytes = composed(replace(source, model=model), pixels, taken, num_features).SerializeToString()
    return content + onnx_seal(content)


def _held(content: bytes, pixels: Pixels, sample: NDArray[Any], expected: NDArray[np.float32], source: str) -> float:
    """Return how far a graph's features of chips are from those expected, together and of the first alone.

    Raises:
        UserError: if that is too far.
    """
    runner = reference(content, pixels.size**2)
    pairs = ((runner(sample), expected), (runner(sample[:1]), expected[:1]))
    difference = float(np.max([largest_difference(made, right) for made, right in pairs]))  # NaN if there is any
    if not difference <= TOLERANCE:
        raise UserError(
            f"The features of the graph made of {source} differ from its own by {difference:.0e}, more than "
            f"{TOLERANCE:.0e}. {LEARNS}"
        )
    return difference


def _expected(outputs: Mapping[str, NDArray[Any]], taken: Sequence[Taken], source: str) -> NDArray[np.float32]:
    """Return the features that are taken of outputs.

    Raises:
        UserError: if some are no numbers, or all chips have the same.
    """
    features = np.concatenate([each(outputs[each.name]) for each in taken], axis=1)
    if not np.isfinite(features).all():
        raise UserError(
            f"{source} makes features of these chips that are no numbers. Look at --mean and --deviation; a network in "
            "float16 may not hold what it computes: export it in float32."
        )
    if len(features) > 1 and np.ptp(features, axis=0).max() <= 1e-5 * np.abs(features).max():
        raise UserError(
            f"{source} makes the same features of every chip. Look at --mean and --deviation, which are in 0 to 1, and "
            "at --outputs."
        )
    return features


KINDS: dict[str, Maker] = {".onnx": _of_onnx, ".xml": _of_openvino, ".zip": _of_openvino}
