"""What this room keeps: recipes, jobs, histories, weights, checkpoints, feature banks, runs of `auto`, exported models.

Nothing here needs Keras; weights are looked at where h5py is, which comes with it.
"""

from __future__ import annotations

import re
import shlex
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from competition.artefacts.looked import Looked, look, look_at_record
from competition.checksums import checksum, sum_fits
from competition.common.errors import UserError
from competition.common.records import is_signed, read_record
from competition.common.text import first
from competition.workspace import Workspace
from models.backend.kept import RECORD, files_fit
from models.backend.seals import MANIFEST, MANIFEST_KEY, SEAL, check_onnx, check_seal
from models.graphs.extractor import RECORD as GRAPH
from models.inputs.bank_files import rows_in, sums_in
from models.runs.folders import FORMAT, RECIPE, check_owner, is_extractor, restart_command
from models.runs.model_recipe import check_recipe

RECORDS = re.compile(r"(recipe|job|history|learnt|state\d*)\.json")  # scores and cuts are looked at by whose they are
AGAIN = "Whatever reads it next makes it again."


def artefacts_of(workspace: Workspace) -> Iterator[Looked]:
    """Yield what training has left in a workspace, and what it made once for all."""
    for root in (workspace.runs, workspace.restarted.runs):
        for folder in sorted(path for path in root.glob("[!.]*") if path.is_dir()):
            yield from _of_model(folder)
    for folder in sorted(path.parent for path in (workspace.cache / "features").glob("*/bank.json")):
        for path in sorted(folder.glob("*.npy")):
            yield look(path, "features", partial(_view, path))
        yield from (look_at_record(path, "features") for path in sorted(folder.glob("*.json")))
    for record in sorted((workspace.cache / "networks").glob(f"*/{RECORD}")):
        yield look(record.parent, "converted networks", partial(_converted, record.parent))
    for record in sorted((workspace.cache / "graphs").glob(f"*/{GRAPH}")):
        yield look_at_record(record, "graphs")
        for path in sorted(record.parent.glob("extractor.*")):
            yield look(path, "graphs", partial(_graph, path))
    for kind in ("trials", "trusted"):
        yield from (look_at_record(path, kind) for path in sorted((workspace.cache / kind).glob("*.json")))
    for path in sorted(workspace.auto.glob("[!.]*/*.json")):
        yield look_at_record(path, "auto", f"auto --name {path.parent.name} --minutes M")
    for path in sorted(workspace.root.iterdir() if workspace.root.is_dir() else []):
        if path.suffix in (".keras", ".onnx", ".zip") and not _is_of_others(path):
            again = f"export --model MODEL --output {shlex.quote(str(path))}"
            yield look(path, "exported models", partial(_exported, path), again)


def _of_model(folder: Path) -> Iterator[Looked]:
    """Yield what lies in a model's folder, but for scores."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if looked := look_at(path, folder.name):
            yield looked


def look_at(path: Path, model: str) -> Looked | None:
    """Return what is seen of a file in a model's folder; None of one that this room does not look at.

    Args:
        path: of the file.
        model: its name.
    """
    if path.name.endswith(".weights.h5"):
        return look(path, "weights", partial(_weights, path), restart_command(path))
    if is_extractor(path):  # a graph
        return look(path, "weights", partial(_graph, path), restart_command(path))
    if path.name == "weights.npy":
        return look(path, "weights", partial(_unfinished, path), restart_command(path))
    if path.name == RECIPE:
        return look(path, "records of training", partial(_recipe, path), f"train --models {model}")
    if RECORDS.fullmatch(path.name):
        return look(
            path, "records of training", partial(_record, path), restart_command(path) or f"train --models {model}"
        )
    return None


def _weights(path: Path) -> bool:
    try:
        return check_seal(path)
    except ImportError:
        raise
    except Exception as error:  # h5py raises whatever it likes on a damaged file
        raise UserError(f"{path} is damaged.", command=restart_command(path)) from error


def _graph(path: Path) -> None:
    if not _exported(path):
        raise UserError(f"{path} is damaged: its end is missing.", command=restart_command(path))


def _unfinished(path: Path) -> bool:
    kept = path.with_name("sums.json")
    if not sum_fits(kept, np.load(path, allow_pickle=False)):
        raise UserError(f"{path} is damaged.", command=restart_command(path))
    return kept.is_file()


def _view(path: Path) -> bool:
    view, sums, rows = path.stem, sums_in(path.parent), rows_in(path.parent, None)
    values = np.load(path, mmap_mode="r", allow_pickle=False)
    if view not in rows or (view in sums and rows[view] == len(values) and checksum(values) != sums[view]):
        raise UserError(f"{path} is damaged. {AGAIN}")
    return view in sums


def _converted(folder: Path) -> None:
    if not files_fit(folder):
        raise UserError(f"{folder} is damaged. {AGAIN}")


def _is_of_others(path: Path) -> bool:
    """Whether a file is whole and no exported model: an archive without a manifest, a network without ours."""
    with suppress(Exception):  # it is damaged, or cannot be read: that is looked at
        if path.suffix == ".onnx":
            content = path.read_bytes()
            return content.startswith(b"\x08") and not any(word.encode() in content for word in (SEAL, MANIFEST_KEY))
        with zipfile.ZipFile(path) as archive:
            return MANIFEST not in archive.namelist()
    return False


def _recipe(path: Path) -> bool:
    signed = is_signed(path)
    check_recipe(path)
    return signed


def _record(path: Path) -> bool:
    signed = is_signed(path)
    read_record(path, lambda content: check_owner(content, path), version=FORMAT)
    return signed


def _exported(path: Path) -> bool:
    if path.suffix == ".onnx":
        return check_onnx(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise UserError(f"{path} is damaged: {first([damaged])} is not what was written.")
    return True
