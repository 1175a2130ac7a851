"""What an exported model says of chips, without the workspace it was made in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from competition.common.files import digest_file
from competition.common.text import counted

if TYPE_CHECKING:
    from models.predict.predictions import Predictions
    from models.predict.predictor import Predictor


def predictor_of_file(path: Path) -> Predictor:
    """Return what scores chips with an exported model.

    Raises:
        UserError: if the file cannot be read.
    """
    from models.export.formats import read
    from models.predict.predictor import Predictor
    from models.predict.scorer import Scorer

    exported = read(path)
    manifest = exported.manifest
    by = f"{counted(len(manifest.folds), 'fold')} of '{manifest.model}' ({manifest.competition.title})"
    return Predictor(
        model=manifest.model,
        said=f"{path.name}: {by}, {counted(len(manifest.views), 'view')}",
        key={"file": digest_file(path)},
        task=manifest.task,
        images=manifest.images,
        ids=manifest.competition.tables.ids,
        recipe=manifest.recipe,
        inputs=manifest.inputs,
        dtype=manifest.dtype,
        views=manifest.views,
        scorer=lambda sample: Scorer([exported.runner_for(sample)]),
        learnt_from=lambda: manifest.learnt_from,
        cuts=manifest.cuts_of_all,
    )


def predict_with_file(path: Path, images: str | Path, *, skip_broken: bool = False) -> Predictions:
    """Return the scores of every chip in a folder or at a URL by an exported model, averaged over its views.

    Raises:
        UserError: if the file cannot be read, or the folder holds no chips it can take.
    """
    predictor = predictor_of_file(path)
    from models.predict.predictor import predict_chips

    return predict_chips(predictor, images, skip_broken=skip_broken)
