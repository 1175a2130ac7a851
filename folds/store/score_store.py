"""The score store: held-out and test scores of every (model, fold), the only handshake between rooms.

Layout under a model's folder:

    fold<k>/heldout.npz   names (num_heldout,), scores float32 (num_heldout, num_labels)
    fold<k>/test.npz      names (num_test,), scores float32 (num_test, num_labels)
    fold<k>/further.npz   the same of further chips, which are only learnt from; not there where there are none
    fold<k>/scores.json   what they were made with, and the digest of each file; written last, so that
                          scores without it are not there
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from competition.common.errors import UserError, unknown_name
from competition.common.files import checked_name, digest_file
from competition.common.records import write_record
from competition.workspace import Workspace
from folds.dealing.table import FoldTable
from folds.store.alone import model_and_fold
from folds.store.kept import KeptFolds
from folds.store.provenance import FORMAT, MARKER, Marker, Provenance, read_marker
from folds.store.refused import folds_changed, labels_changed, moved
from folds.store.scores import Scores, mean_of
from folds.store.swaps import bring_back

FILES = ("heldout.npz", "test.npz")
FURTHER = "further.npz"
NONE = Scores((), np.zeros((0, 0), dtype=np.float32))


@dataclass(frozen=True)
class FoldScores:
    """The scores that one training job made: of the chips it held out, of the test chips, and of further ones."""

    provenance: Provenance
    heldout: Scores
    test: Scores
    further: Scores = NONE

    @property
    def fits(self) -> bool:
        """Whether they are of just the labels that the provenance says."""
        return all(map(self.provenance.fits, (self.heldout, self.test, self.further)))


@dataclass(frozen=True)
class ModelScores:
    """The scores of a model over its folds.

    Attributes:
        oof: out-of-fold scores of every chip that any complete repeat held out, in the fold table's order;
            the mean over complete repeats.
        test: mean over folds.
        test_by_fold: the test scores of each fold.
        recipe_digest: what all folds were made with.
        left_out: labelled chips that were left out as broken.
        test_left_out: chips to predict that were.
    """

    oof: Scores
    test: Scores
    test_by_fold: dict[int, Scores]
    recipe_digest: str
    left_out: tuple[str, ...]
    test_left_out: tuple[str, ...]


@dataclass(frozen=True)
class ScoreStore:
    """Reads and writes the scores of every model of a workspace.

    Attributes:
        root: the folder with one folder per model.
        labels: the competition's labels; scores in another order are refused.
        table: the fold table; scores made with another one are refused.
        label_digest: digest of the label table; scores made with another one are refused. None: any will do.
        delivered_digest: of that without corrections.
    """

    root: Path
    labels: tuple[str, ...]
    table: FoldTable
    label_digest: str | None = None
    delivered_digest: str | None = None

    @classmethod
    def of(cls, workspace: Workspace) -> ScoreStore:
        """Return the store of a workspace.

        Raises:
            UserError: if it has no data or no fold table, or these are damaged.
        """
        bring_back(workspace)
        labelled, delivered = workspace.labelled, workspace.delivered  # without data, nothing can be dealt to folds
        table = KeptFolds(workspace).read()
        return cls(workspace.runs, workspace.competition.labels, table, labelled.digest, delivered.digest)

    def folder(self, model: str, fold: int) -> Path:
        """Return the folder of one training job."""
        return self.root / checked_name("model", model) / f"fold{fold}"

    def models(self) -> list[str]:
        """Return the names of the models with a recipe or scores, sorted; a start that failed has neither."""
        scored = {path.parent.parent.name for path in self.root.glob(f"*/fold*/{MARKER}")}
        return sorted({path.parent.name for path in self.root.glob("*/recipe.json")} | scored)

    def is_complete(self, model: str, fold: int) -> bool:
        """Whether the job has finished and its scores are there."""
        return (self.folder(model, fold) / MARKER).is_file()

    def folds_of(self, model: str) -> list[int]:
        """Return the complete folds of a model, sorted."""
        return [fold for fold in range(self.table.num_folds) if self.is_complete(model, fold)]

    def write(self, scores: FoldScores) -> None:
        """Write the scores of one job; the completion marker comes last.

        Raises:
            ValueError: if they do not fit the store's labels or fold table, or the labels said to be scored.
        """
        provenance = scores.provenance
        if provenance.labels != self.labels or provenance.fold_digest != self.table.digest:
            raise ValueError("Scores were made with other labels or another fold table than the store's.")
        if not scores.fits:
            raise ValueError(f"Scores do not fit the labels said to be scored, {provenance.scored}.")
        folder = self.folder(provenance.model, provenance.fold)
        (folder / MARKER).unlink(missing_ok=True)
        (folder / FURTHER).unlink(missing_ok=True)
        parts = dict(zip(FILES, (scores.heldout, scores.test), strict=True))
        parts |= {FURTHER: scores.further} if scores.further.names else {}
        for name, part in parts.items():
            part.write(folder / name)
        digests = {name: digest_file(folder / name) for name in parts}
        write_record(folder / MARKER, {**asdict(provenance), "files": digests}, version=FORMAT)

    def provenance(self, model: str, fold: int) -> Provenance:
        """Read what the scores of one job were made with, refusing what does not fit this workspace.

        Raises:
            UserError: if the job is not complete, or was made with other labels or another fold table.
        """
        return self._marker(model, fold).provenance

    def read(self, model: str, fold: int) -> FoldScores:
        """Read the scores of one job.

        Raises:
            UserError: as `provenance`, and if a file was changed since it was written, or has scores of other labels
                than the provenance says.
        """
        marker, folder, restart = self._marker(model, fold), self.folder(model, fold), _restart(model, fold)
        _check_files(folder, marker)
        provenance = marker.provenance
        scores = FoldScores(provenance, *(Scores.read(folder / name) for name in _names(marker)))
        if not scores.fits:
            raise UserError(
                f"The scores in {folder} are not those of the labels that {MARKER} names: expected "
                f"{', '.join(provenance.scored)}.",
                command=restart,
            )
        return scores

    def _marker(self, model: str, fold: int) -> Marker:
        path, restart = self.folder(model, fold) / MARKER, _restart(model, fold)
        if not path.is_file():
            raise UserError(
                f"Fold {fold} of '{model}' has no scores yet.", command=f"fold --model {model} --fold {fold}"
            )
        marker = _own_marker(path.parent)
        provenance = marker.provenance
        if self.label_digest is not None and self.label_digest != provenance.label_digest:
            raise labels_changed(provenance, self.label_digest, self.delivered_digest)
        if provenance.fold_digest != self.table.digest:
            raise folds_changed(provenance, self.table.digest)
        if provenance.labels != self.labels:
            raise UserError(
                f"Scores of '{model}' fold {fold} have other labels or another order than the competition file: "
                f"{' '.join(provenance.labels)}.",
                command=restart,
            )
        return marker

    def join(self, model: str) -> ModelScores:
        """Join the folds of a model into its out-of-fold scores.

        Every repeat of the fold table that is complete is used; at least one must be.

        Raises:
            UserError: if the model is unknown, no repeat is complete (the missing folds are named), or the folds
                do not fit one another.
        """
        if model not in self.models():
            raise unknown_name("model", model, self.models())
        have = self.folds_of(model)
        k = self.table.k
        repeats = [range(r * k, (r + 1) * k) for r in range(self.table.num_repeats)]
        complete = [repeat for repeat in repeats if set(repeat) <= set(have)]
        if not complete:
            missing = [fold for fold in repeats[0] if fold not in have]
            raise UserError(
                f"'{model}' lacks fold{'s' if len(missing) > 1 else ''} {', '.join(map(str, missing))} of {k}.",
                command=f"train --models {model}",
            )
        folds = {fold: self.read(model, fold) for repeat in complete for fold in repeat}
        self._check_agreement(model, list(folds.values()))
        provenances = [scores.provenance for scores in folds.values()]
        left_out = tuple(sorted({name for made in provenances for name in made.left_out}))
        by_repeat = [self._oof_of([folds[fold] for fold in repeat], model, set(left_out)) for repeat in complete]
        names = by_repeat[0].names
        test = {fold: scores.test for fold, scores in folds.items()}
        return ModelScores(
            oof=Scores(names, mean_of([scores.aligned(names) for scores in by_repeat])),
            test=Scores(folds[complete[0][0]].test.names, mean_of([scores.values for scores in test.values()])),
            test_by_fold=test,
            recipe_digest=provenances[0].recipe_digest,
            left_out=left_out,
            test_left_out=tuple(sorted({name for made in provenances for name in made.broken_test})),
        )

    def _oof_of(self, repeat: list[FoldScores], model: str, left_out: set[str]) -> Scores:
        row_of = {name: row for row, name in enumerate(self.table.image_names)}
        values = np.empty((len(row_of), len(self.labels)), dtype=np.float32)
        kept = np.zeros(len(row_of), dtype=bool)
        for scores in repeat:
            fold = scores.provenance.fold
            held = zip(self.table.image_names, self.table.heldout(fold), strict=True)
            heldout = {name for name, is_held_out in held if is_held_out}
            if heldout - left_out != set(scores.heldout.names) - left_out:
                raise UserError(
                    f"'{model}' fold {fold} does not score the chips it held out.",
                    command=_restart(model, fold),
                )
            for name, chip in zip(scores.heldout.names, scores.heldout.values, strict=True):
                if name not in left_out:
                    values[row_of[name]], kept[row_of[name]] = chip, True
        names = tuple(name for name, is_kept in zip(self.table.image_names, kept, strict=True) if is_kept)
        return Scores(names, values if kept.all() else values[kept])

    @staticmethod
    def _check_agreement(model: str, folds: list[FoldScores]) -> None:
        reference = folds[0]
        for other in folds[1:]:
            theirs, ours = other.provenance, reference.provenance
            differing = [
                what
                for what, same in {
                    "recipe": theirs.recipe_digest == ours.recipe_digest,
                    "labels scored": theirs.scored == ours.scored,
                    "test-time views": theirs.views == ours.views,
                    "test chips": other.test.names == reference.test.names,
                }.items()
                if not same
            ]
            if differing:
                raise UserError(
                    f"Folds {ours.fold} and {theirs.fold} of '{model}' differ in {' and '.join(differing)}.",
                    command=f"train --models {model} --restart",
                )


def check_kept(folder: Path) -> None:
    """Refuse the scores in the folder of a finished fold, if they are another's, or not as they were written.

    Raises:
        UserError: if so.
    """
    _check_files(folder, _own_marker(folder))


def _own_marker(folder: Path) -> Marker:
    model, fold = model_and_fold(folder)
    marker = read_marker(folder / MARKER, _restart(model, fold))
    if (marker.provenance.model, marker.provenance.fold) != (model, fold):
        raise moved(folder, marker.provenance, _restart(model, fold))
    return marker


def _names(marker: Marker) -> tuple[str, ...]:
    """Return the names of the files of scores that there must be."""
    return (*FILES, FURTHER) if FURTHER in marker.files else FILES


def _check_files(folder: Path, marker: Marker) -> None:
    restart = _restart(*model_and_fold(folder))
    for name in _names(marker):
        if not (folder / name).is_file() or digest_file(folder / name) != marker.files.get(name):
            raise UserError(f"{folder / name} is missing or was changed after it was written.", command=restart)


def _restart(model: str, fold: int) -> str:
    return f"fold --model {model} --fold {fold} --restart"
