"""The workspace: the folder that holds every artefact of one competition.

Layout of a workspace:

    data/layout.json            where the chips and tables are (written by `data prepare`)
    data/<folder>/, data/*.csv  what was unpacked; folders found unpacked are used where they lie
    data/corrections.csv        labels that `data relabel` has turned
    data/bundles/               archives of several folders and tables, unpacked
    cache/                      decoded chips
    folds.csv, folds.json       who is held out, and the audit
    shift.json                  what labelled chips weigh, to look like those to predict
    runs/<model>/fold<k>/       one training job: recipe, history, checkpoint, scores
    restarted/<model>/fold<k>/  the same of what `--restart` makes again, until it is complete and takes its place
    blends/<name>/              a blend's scores
    pseudo/<name>/              pseudo-labels, by fold
    auto/<name>/                a run of `auto`: its plan and what each step added
    submissions/                files for Kaggle, each with its recipe
    notebooks/<name>/           a notebook for Kaggle, and its data set
    optuna.db                   studies
    mlruns/                     MLflow's runs, of `--track mlflow`
    downloads/                  Kaggle's files, as they were downloaded
    ledger.db, ledger.json      every submission, and what became of it; the copy, from which it is made again
    slurm/                      jobs of `--on slurm`: their logs, and what submitit hands over
    .pulled/                    what an interrupted `workspace pull` has brought
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from competition.common.errors import UserError
from competition.common.files import check_writable
from competition.corrections import FILE as CORRECTIONS
from competition.corrections import corrected
from competition.index.causes import OTHER_SUFFIXES
from competition.index.layout import Layout
from competition.spec.competition import Competition
from competition.spec.images import ImageSet
from competition.spec.load import load
from competition.tables.labels import LabelTable, read_label_table
from competition.tables.sample import SampleSubmission

MADE_UP = "simulated_test_labels.csv"  # which `data simulate` leaves beside the tables
RUNS, RESTARTED = "runs", "restarted"
FOLDERS = (
    *("data", "cache", RUNS, RESTARTED, "blends", "pseudo", "auto", "submissions", "notebooks", "mlruns"),
    *("downloads", "slurm"),
)
FILES = ("folds.csv", "folds.json", "shift.json", "optuna.db", "ledger.db", "ledger.json")


@dataclass(frozen=True)
class Workspace:
    """The folder of one competition.

    Attributes:
        root: the folder.
        competition: what is competed in.
        runs_in: the folder in it with one folder per model.
    """

    root: Path
    competition: Competition
    runs_in: str = RUNS

    @classmethod
    def open(cls, root: Path | str = "workspace", competition: str = "planet") -> Workspace:
        """Return the workspace in a folder, as the command line does.

        Args:
            root: the folder; it need not exist yet.
            competition: a name that ships with the toolkit, or the path of a `.toml` file.

        Raises:
            UserError: if there is no such competition, or its file is not valid.
        """
        return cls(Path(root), load(competition))

    @property
    def data(self) -> Path:
        """Unpacked data and `layout.json`."""
        return self.root / "data"

    @property
    def cache(self) -> Path:
        """Decoded chips."""
        return self.root / "cache"

    @property
    def fold_table(self) -> Path:
        """The table of who is held out."""
        return self.root / "folds.csv"

    @property
    def runs(self) -> Path:
        """One folder per model."""
        return self.root / self.runs_in

    @property
    def restarted(self) -> Workspace:
        """The same workspace, with the runs that are made again beside those that there are."""
        return replace(self, runs_in=RESTARTED)

    @property
    def blends(self) -> Path:
        """One folder per blend."""
        return self.root / "blends"

    @property
    def pseudo(self) -> Path:
        """One folder per set of pseudo-labels."""
        return self.root / "pseudo"

    @property
    def auto(self) -> Path:
        """One folder per run of `auto`."""
        return self.root / "auto"

    @property
    def submissions(self) -> Path:
        """Files for Kaggle."""
        return self.root / "submissions"

    @property
    def notebooks(self) -> Path:
        """Notebooks for Kaggle."""
        return self.root / "notebooks"

    @property
    def studies(self) -> Path:
        """Optuna's database."""
        return self.root / "optuna.db"

    @property
    def tracked(self) -> Path:
        """MLflow's runs."""
        return self.root / "mlruns"

    @property
    def downloads(self) -> Path:
        """Kaggle's files, as they were downloaded."""
        return self.root / "downloads"

    @property
    def slurm(self) -> Path:
        """Jobs of `--on slurm`: their logs, and what submitit hands over."""
        return self.root / "slurm"

    @property
    def pulled(self) -> Path:
        """What `workspace pull` has brought and that is not whole yet."""
        return self.root / ".pulled"

    @property
    def ledger(self) -> Path:
        """Database of every submission."""
        return self.root / "ledger.db"

    @property
    def has_data(self) -> bool:
        """Whether data were prepared, as far as a look at the folder says."""
        return (self.data / "layout.json").is_file()

    def check_output(self, path: Path, *given: Path) -> None:
        """Refuse a file that a user names to be written, before the work, where it would cost another or cannot be.

        Args:
            path: of the file.
            given: files, and folders of chips, that the verb reads or writes besides.

        Raises:
            UserError: as of `check_writable` and `check_not_kept`.
        """
        check_writable(path)
        self.check_not_kept(path, *given)

    def check_not_kept(self, path: Path, *given: Path) -> None:
        """Refuse a file or folder to write that the workspace keeps, that is given, or that is a chip of a folder.

        Args:
            path: of it.
            given: as of `check_output`; the data that were prepared are looked at too.

        Raises:
            UserError: if it is one of these, or a link to or in them.
        """
        root = _real(self.root)
        for place in {_real(path), _real(path.parent) / path.name}:  # what a link leads to, and itself
            top = place.relative_to(root).parts[:1] if place.is_relative_to(root) else ()
            if any(name in (*FOLDERS, *FILES) or name.startswith(".") for name in top):
                raise UserError(f"Cannot write {path}: the workspace keeps files of its own there. Give another path.")
            is_picture = place.suffix.lower() in OTHER_SUFFIXES and os.path.lexists(place)
            for one in map(_real, (*given, *self._delivered_files())):
                if place == one or (is_picture and place.is_relative_to(one)):
                    what = "the command is given it for something else" if place == one else f"it is a chip of {one}"
                    raise UserError(f"Cannot write {path}: {what}. Give another path.")

    def _delivered_files(self) -> Iterator[Path]:
        """Yield the tables and the folders of chips that were prepared, wherever they lie; none if none were."""
        with suppress(UserError):
            yield from self.layout.tables.values()
            for folders in self.layout.folders.values():
                yield from folders

    @cached_property
    def layout(self) -> Layout:
        """Where the chips and tables are.

        Raises:
            UserError: if `data prepare` was not run, or was run for another competition.
        """
        return Layout.read(self.data / "layout.json", self.competition)

    @cached_property
    def labelled(self) -> LabelTable:
        """The labelled chips, with the corrections of `data relabel`.

        Raises:
            UserError: if the data are not prepared, or the table or the corrections are not valid.
        """
        return corrected(self.delivered, self.corrections, self.competition)

    @cached_property
    def delivered(self) -> LabelTable:
        """The labelled chips as Kaggle's tables have them.

        Raises:
            UserError: if the data are not prepared, or the table is not valid.
        """
        tables = self.training_tables
        try:
            return read_label_table(tables, self.competition)
        except UserError as error:
            raise UserError(
                str(error), command={"with the file as it was delivered": "data prepare --from DIR"}
            ) from error

    @cached_property
    def num_corrected(self) -> int:
        """How many labels are other than in Kaggle's tables."""
        if not self.corrections.is_file():
            return 0
        return int((self.delivered.truth != self.labelled.truth).sum())

    @property
    def is_made_up(self) -> bool:
        """Whether the chips come from `data simulate`."""
        return any((path.parent / MADE_UP).is_file() for path in self.layout.tables.values())

    @property
    def corrections(self) -> Path:
        """Corrections of labels."""
        return self.data / CORRECTIONS

    @property
    def training_tables(self) -> tuple[Path, ...]:
        """The tables of the labelled chips."""
        return tuple(map(self.layout.table, self.competition.tables.train))

    def test_names_of(self, images: ImageSet) -> tuple[str, ...]:
        """Return the ids of the chips to predict, none if the workspace has no folder of them in that rendering."""
        return self.test_names if any(name in self.layout.folders for name in images.test) else ()

    def further_names_of(self, images: ImageSet) -> tuple[str, ...]:
        """Return the ids of further chips in that rendering, neither labelled nor to be predicted, by their files."""
        if not self.layout.folders_of(images, "further"):
            return ()
        known = {*self.labelled.image_names, *self.test_names}
        return tuple(name for name in self.layout.index(images, "further", known).chips if name not in known)

    @property
    def test_names(self) -> tuple[str, ...]:
        """Ids of the chips to predict, in the sample submission's order; without one, in the order of the files."""
        return self.sample.names

    @cached_property
    def sample(self) -> SampleSubmission:
        """What a submission must look like.

        Without a sample submission, the chips to predict are those of the test folders; of a folder that holds the
        labelled chips too, the others.
        """
        name = self.competition.tables.sample_submission
        if name is not None and name in self.layout.tables:
            return SampleSubmission.read(self.layout.table(name), self.competition)
        images = self.competition.image_set(self.competition.default_images)
        shared = {*self.layout.folders_of(images, "train")} & {*self.layout.folders_of(images, "test")}
        labelled = frozenset(self.labelled.image_names if shared else ())
        names = [chip for chip in self.layout.index(images, "test", labelled).chips if chip not in labelled]
        return SampleSubmission.of(names, self.competition)


def _real(path: Path) -> Path:
    """Return the absolute path without links; unlike `Path.resolve`, also of a link to itself."""
    return Path(os.path.realpath(path))
