"""A trained model: the networks of its folds, and what they say of any folder of chips."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import digest_file
from competition.common.text import counted
from competition.task import Task
from competition.workspace import Workspace
from folds.store.provenance import MARKER, Provenance
from folds.store.score_store import ScoreStore
from models.predict.load_networks import scorer_of
from models.recipes.recipe import Recipe
from models.runs.folders import JOB, read_job, restart_command
from models.runs.model_recipe import read_recipe

if TYPE_CHECKING:
    from models.backend.kept import Kept
    from models.graphs.extractor import Extractor
    from models.networks.input_spec import Inputs
    from models.predict.predictions import Predictions
    from models.predict.predictor import LearntFrom, Predictor
    from models.predict.scorer import Scorer


@dataclass(frozen=True)
class Trained:
    """A model of which at least one fold is complete.

    Attributes:
        model: its name.
        recipe: its recipe.
        task: the labels it scores.
        inputs: what its networks are given.
        dtype: data type of the chips' files.
        folders: the folder of each complete fold's job.
        provenance: what the scores of the first of them were made with.
    """

    model: str
    recipe: Recipe
    task: Task
    inputs: Inputs
    dtype: str
    folders: dict[int, Path]
    provenance: Provenance

    @classmethod
    def of(cls, workspace: Workspace, store: ScoreStore, model: str) -> Trained:
        """Return a model of a workspace.

        Raises:
            UserError: if it is unknown, no fold of it is complete, or a fold was made with other labels or folds,
                or is not what its job says.
        """
        from models.networks.input_spec import Inputs

        recipe, folds = read_recipe(workspace, model), store.folds_of(model)
        if not folds:
            raise UserError(f"No fold of '{model}' is trained.", command=f"train --models {model}")
        every = [store.provenance(model, fold) for fold in folds]  # refuses other labels, or another order of them
        for fold, provenance in zip(folds, every, strict=True):
            if provenance.recipe_digest != every[0].recipe_digest:
                raise UserError(
                    f"Folds {folds[0]} and {fold} of '{model}' were trained with different recipes.",
                    command=f"fold --model {model} --fold {fold} --restart",
                )
        folders = {fold: store.folder(model, fold) for fold in folds}
        job, task = read_job(folders[folds[0]]), recipe.task(workspace.competition)
        if job.get("recipe", every[0].recipe_digest) != every[0].recipe_digest:
            raise UserError(
                f"{folders[folds[0]] / JOB} says another recipe than the scores beside it.",
                command=restart_command(folders[folds[0]]),
                otherwise=f"restore {JOB} from a copy",
            )
        return cls(model, recipe, task, Inputs.from_dict(job["inputs"]), job["dtype"], folders, every[0])

    def extractor(self, cache: Path) -> Extractor | None:
        """Return its frozen backbone; None if it has none.

        Args:
            cache: the workspace's folder of what can be made again.
        """
        from models.graphs.extractor import extractor_in

        if self.recipe.train != "head":
            return None
        folder, recipe = next(iter(self.folders.values())).parent, replace(self.recipe, precision="float32")
        return extractor_in(folder, recipe, self.inputs, cache, partial(self._kept_in, cache))

    def learnt_from(self, workspace: Workspace) -> LearntFrom:
        """Return what the chips were that it has learnt from; of those that are gone, no more than its inputs say."""
        from competition.data.chips import probe
        from competition.scenes.values import ChipValues
        from models.predict.predictor import LearntFrom

        images = workspace.competition.image_set(self.recipe.images)
        with suppress(UserError):
            files = list(workspace.layout.files(images, "train").values())
            values = ChipValues.of_chips(files, images, tuple(self.inputs.bands))
            return LearntFrom(probe(files, images).size, values)
        return LearntFrom.known_by(self.inputs, self.dtype)

    def _kept_in(self, cache: Path, recipe: Recipe, inputs: Inputs, path: Path) -> Kept | None:
        """Return where the conversion of a network of Keras that it has in a file is kept; None if nowhere.

        It is that of the feature bank, where the weights are those that it was trained with still.
        """
        from models.inputs.extractors import extractor_key, kept_extractor

        with suppress(UserError):  # no weights file, for one
            same_keras = self.provenance.versions.get("keras") == version("keras")
            if self.recipe.digest() == self.provenance.recipe_digest and same_keras:
                return kept_extractor(cache, extractor_key(recipe, inputs))
        if not path.is_file():
            return None
        return kept_extractor(cache, extractor_key(recipe, inputs, digest_file(path)))


def predictor_of(workspace: Workspace, store: ScoreStore, model: str) -> Predictor:
    """Return what scores chips with the complete folds of a model.

    Raises:
        UserError: if it is not trained.
    """
    from models.predict.predictor import Predictor

    trained = Trained.of(workspace, store, model)
    recipe, folders = trained.recipe, list(trained.folders.values())
    views, num_folds = counted(len(recipe.test_views), "view"), store.table.num_folds
    folds = counted(num_folds, "fold") if len(folders) == num_folds else f"{len(folders)} of {num_folds} folds"

    def scorer(sample: NDArray[Any]) -> Scorer:
        return scorer_of(recipe, trained.task, trained.inputs, folders, sample, trained.extractor(workspace.cache))

    return Predictor(
        model=model,
        said=f"{folds} of '{model}', {views}",
        key={"model": model, "folds": {str(k): digest_file(path / MARKER) for k, path in trained.folders.items()}},
        task=trained.task,
        images=workspace.competition.image_set(recipe.images),
        ids=workspace.competition.tables.ids,
        recipe=recipe,
        inputs=trained.inputs,
        dtype=trained.dtype,
        views=recipe.test_views,
        scorer=scorer,
        learnt_from=lambda: trained.learnt_from(workspace),
    )


def predictor_in(workspace: Workspace, model: str) -> Predictor:
    """Return what scores chips with the complete folds of a model of a workspace, on any machine that shares it.

    Raises:
        UserError: if it is not trained.
    """
    return predictor_of(workspace, ScoreStore.of(workspace), model)


def predict_folder(
    workspace: Workspace, store: ScoreStore, model: str, images: str | Path, *, skip_broken: bool = False
) -> Predictions:
    """Return the scores of every chip in a folder or at a URL, averaged over the model's complete folds and views.

    Raises:
        UserError: if the model is not trained, or the folder holds no chips it can take.
    """
    from models.predict.predictor import predict_chips

    return predict_chips(predictor_of(workspace, store, model), images, skip_broken=skip_broken)
