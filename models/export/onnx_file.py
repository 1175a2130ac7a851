"""A network in the ONNX format."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.progress import reporter
from models.backend.runners import Runner
from models.backend.seals import MANIFEST_KEY, check_onnx, onnx_seal
from models.export.manifest import Exported, Manifest
from models.graphs.running import OnnxRunner

if TYPE_CHECKING:
    from models.export.whole import Whole


def write_onnx(network: Whole, manifest: Manifest, path: Path) -> None:
    """Write a network and its manifest as an `.onnx` file."""
    graph = network.onnx()
    graph.metadata_props.add(key=MANIFEST_KEY, value=manifest.text())
    content = graph.SerializeToString()
    path.write_bytes(content + onnx_seal(content))


def read_onnx(path: Path) -> Exported:
    """Read an `.onnx` file; raises whatever ONNX Runtime does on a damaged one."""
    content = path.read_bytes()
    check_onnx(content)
    runner = OnnxRunner(content)
    if MANIFEST_KEY not in runner.metadata:
        raise UserError("it has no manifest of a model")
    manifest = Manifest.read(runner.metadata[MANIFEST_KEY])
    size, bands, labels = manifest.inputs.size, len(manifest.inputs.bands), len(manifest.labels)
    if (runner.chip_shape, runner.output_shape) != ((size, size, bands), (labels,)):
        raise UserError("its network takes other chips, or scores other labels, than its manifest says")

    def runner_for(sample: NDArray[Any]) -> Runner:
        reporter.say(f"{path.name} is run by ONNX Runtime {version('onnxruntime')}.")
        return runner

    return Exported(manifest, runner_for)
