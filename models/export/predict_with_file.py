"""What an exported model says of a folder of chips, without the workspace it was made in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from competition.common.progress import reporter
from competition.common.text import counted
from models.backend.load import load_backend

if TYPE_CHECKING:
    from models.predict.predictions import Predictions


def predict_with_file(path: Path, folder: Path, *, skip_broken: bool = False) -> Predictions:
    """Return the scores of every chip in a folder by an exported model, averaged over its views.

    Raises:
        UserError: if the file cannot be read, or the folder holds no chips it can take.
    """
    load_backend()
    from models.export.formats import read
    from models.predict.chip_files import ChipFiles, chip_files
    from models.predict.predictions import predict_files
    from models.predict.scorer import Scorer

    exported = read(path)
    manifest = exported.manifest
    found = chip_files(folder, manifest.images, manifest.competition.tables.ids)
    files = ChipFiles(found, manifest.images, manifest.recipe, manifest.inputs, np.dtype(manifest.dtype), skip_broken)
    by = f"{counted(len(manifest.folds), 'fold')} of '{manifest.model}' ({manifest.competition.title})"
    reporter.say(
        f"Scoring {counted(len(found), 'chip')} with {path.name}: {by}, {counted(len(manifest.views), 'view')}."
    )
    scorer = Scorer([exported.runner_for(files.sample())])
    return replace(predict_files(scorer, files, manifest.views, manifest.task), cuts=manifest.cuts_of_all)
