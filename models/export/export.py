"""A trained model in one file, for those who have chips of their own and nothing else of the project's making."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import replace_atomically
from competition.common.progress import reporter
from competition.common.text import counted
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from models.backend.load import load_backend
from models.predict.load_networks import networks_of
from models.predict.trained_model import Trained

if TYPE_CHECKING:
    import keras

    from models.export.manifest import Manifest
    from models.graphs.extractor import Extractor
    from models.networks.input_spec import Inputs
    from models.predict.predictor import LearntFrom

SUFFIXES = {"keras": ".keras", "onnx": ".onnx", "openvino": ".zip"}
TOLERANCE = 1e-4  # between scores in [0, 1] of the file and of the networks it was made of
SAMPLED = 4


def is_file(model: str) -> bool:
    """Whether `--model` names an exported file, by its suffix, and not a model of the workspace."""
    return Path(model).suffix.lower() in SUFFIXES.values()


def path_for(output: Path, file_format: str | None) -> Path:
    """Return the path to write: `output`, with the suffix of the format if it has none.

    Raises:
        UserError: if the suffix is that of no format, or of another.
    """
    if file_format and not output.suffix:
        return output.with_suffix(SUFFIXES[file_format])
    fitting = [SUFFIXES[file_format]] if file_format else list(SUFFIXES.values())
    if output.suffix not in fitting:
        asked = f"--format {file_format} writes" if file_format else "--output must name"
        raise UserError(f"{asked} a file that ends in {' or '.join(fitting)}, received {output.name}.")
    return output


@dataclass(frozen=True)
class ExportReport:
    """What was written, and how far it is from the networks it was made of.

    Attributes:
        path: the file.
        size: of it, in bytes.
        averaged: number of folds whose networks it averages.
        num_folds: number of folds there are.
        compared: number of chips on which the file was compared with the networks.
        difference: the largest between their scores.
    """

    path: Path
    size: int
    averaged: int
    num_folds: int
    compared: int
    difference: float

    def text(self) -> str:
        """Return the report for people."""
        more = "." if self.averaged == self.num_folds else "; train the others for a better one."
        return (
            f"It averages {self.averaged} of {counted(self.num_folds, 'fold')}{more}\n"
            f"Read back and compared on {self.compared} made-up chips: "
            f"scores differ by {self.difference:.0e} at most.\n"
            f"Wrote {self.path}: {self.size / 1e6:,.1f} MB."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the same as values for JSON."""
        return {**dataclasses.asdict(self), "path": str(self.path)}


def export(workspace: Workspace, store: ScoreStore, model: str, path: Path, cuts: NDArray[np.float64]) -> ExportReport:
    """Write a model as one network whose scores are the mean over its complete folds and seeds.

    What is written is read back and compared with the networks it was made of before it takes its place.

    Args:
        workspace: where the model is.
        store: its scores.
        model: its name.
        path: the file; its suffix says the format.
        cuts: float array (num_labels,), kept with it to decide tags; NaN for labels that are not scored.

    Raises:
        UserError: if the model is not trained, the format needs what is not installed or does not take the network,
            or what it scores differs.
    """
    load_backend()
    from models.export.formats import require, write
    from models.export.whole import joined

    require("write", path)
    require("read", path)
    trained = Trained.of(workspace, store, model)
    networks, extractor = networks_of(trained.recipe, trained.task, trained.inputs, list(trained.folders.values()))
    chips = _made_up_chips(trained.inputs, trained.dtype)
    with replace_atomically(path) as temporary:
        write(joined(networks, extractor), _manifest(trained, cuts, trained.learnt_from(workspace)), temporary)
        difference = _difference(temporary, chips, networks, extractor)
        if not difference <= TOLERANCE:  # NaN is not either
            raise UserError(
                f"{path} was not written: as {path.suffix} the network's scores differ by up to {difference:.0e}, more "
                f"than {TOLERANCE:.0e}. Export it in another format."
            )
    averaged, num_folds = len(trained.folders), store.table.num_folds
    return ExportReport(path, path.stat().st_size, averaged, num_folds, len(chips), difference)


def _manifest(trained: Trained, cuts: NDArray[np.float64], chips: LearntFrom) -> Manifest:
    from models.backend.load import versions
    from models.export.manifest import Manifest, TrainingChips

    recipe, provenance, task = trained.recipe, trained.provenance, trained.task
    return Manifest(
        model=trained.model,
        competition=task.competition,
        labels=task.labels,
        cuts=dict(zip(task.labels, cuts[task.columns].tolist(), strict=True)),
        inputs=trained.inputs,
        dtype=trained.dtype,
        views=recipe.test_views,
        recipe=recipe.without_paths(),
        folds=tuple(trained.folders),
        digests={
            "recipe": provenance.recipe_digest,
            "fold table": provenance.fold_digest,
            "label table": provenance.label_digest,
        },
        versions=versions(),
        chips=TrainingChips(pixels=chips.pixels, quantiles=chips.values.quantiles.tolist()) if chips.pixels else None,
    )


def _difference(path: Path, chips: NDArray[Any], networks: Sequence[keras.Model], extractor: Extractor | None) -> float:
    """Return the largest difference between the scores of a file and those of the networks it was made of."""
    from models.backend.runners import KerasRunner
    from models.export.formats import read
    from models.predict.scorer import Scorer

    with reporter.silent():
        by_file = read(path, accelerated=False).runner_for(chips)
    by_networks = Scorer([KerasRunner(network) for network in networks], extractor.exact() if extractor else None)
    return float(np.abs(by_file(chips) - by_networks([chips])).max())


def _made_up_chips(inputs: Inputs, dtype: str) -> NDArray[Any]:
    """Return chips (SAMPLED, size, size, num_bands) of one colour each, with noise: noise alone looks like no chip."""
    random = np.random.default_rng(0)
    shape = (SAMPLED, inputs.size, inputs.size, len(inputs.bands))
    level = random.uniform(0.1, 0.6, (SAMPLED, 1, 1, shape[-1])) + random.normal(0, 0.05, shape)
    low, high = np.array(inputs.low), np.array(inputs.high)
    chips = low + level * (high - low)
    if np.dtype(dtype).kind in "iu":
        chips = chips.round().clip(np.iinfo(dtype).min, np.iinfo(dtype).max)
    return chips.astype(np.uint8 if dtype == "uint8" else np.float32)
