"""Where things lie: the workspace's folders, and the chips and tables of a competition.

Layout of a workspace:

    data/layout.json            where the chips and tables are (written by `data prepare`)
    data/<folder>/, data/*.csv  what was unpacked; folders found unpacked are used where they lie
    cache/                      decoded chips
    folds.csv, folds.json       who is held out, and the audit
    runs/<model>/fold<k>/       one training job: recipe, history, checkpoint, scores
    blends/<name>/              a blend's scores
    submissions/                files for Kaggle, each with its recipe
    optuna.db                   studies
    downloads/                  Kaggle's files, as they were downloaded
    ledger.db                   every submission, and what became of it
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from competition.common.errors import UserError
from competition.common.files import write_json
from competition.common.text import first
from competition.labels import LabelTable, read_label_table, read_table
from competition.spec import Competition, ImageSet

PREPARE = 'Run "python run.py data download", or "python run.py data prepare --from DIR" with the folder of the files'


@dataclass(frozen=True)
class Workspace:
    """The folder that holds every artefact of one competition.

    Attributes:
        root: the folder.
        competition: what is competed in.
    """

    root: Path
    competition: Competition

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
        """One folder a model."""
        return self.root / "runs"

    @property
    def blends(self) -> Path:
        """One folder a blend."""
        return self.root / "blends"

    @property
    def submissions(self) -> Path:
        """Files for Kaggle."""
        return self.root / "submissions"

    @property
    def studies(self) -> Path:
        """Optuna's database."""
        return self.root / "optuna.db"

    @property
    def downloads(self) -> Path:
        """Kaggle's files, as they were downloaded."""
        return self.root / "downloads"

    @property
    def ledger(self) -> Path:
        """Database of every submission."""
        return self.root / "ledger.db"

    @cached_property
    def layout(self) -> Layout:
        """Where the chips and tables are.

        Raises:
            UserError: if `data prepare` was not run, or was run for another competition.
        """
        return Layout.read(self.data / "layout.json", self.competition)

    @cached_property
    def labelled(self) -> LabelTable:
        """The labelled chips.

        Raises:
            UserError: if the data are not prepared or the table is not valid.
        """
        return read_label_table(self.layout.table(self.competition.tables.train), self.competition)

    def test_names_of(self, images: ImageSet) -> tuple[str, ...]:
        """Return the ids of the chips to predict, none if the workspace has no folder of them in that rendering."""
        return self.test_names if any(name in self.layout.folders for name in images.test) else ()

    @cached_property
    def test_names(self) -> tuple[str, ...]:
        """Ids of the chips to predict, in the sample submission's order; without one, in the order of the files."""
        tables = self.competition.tables
        if tables.sample_submission in self.layout.tables:
            path = self.layout.table(tables.sample_submission)
            names = read_table(path, [tables.id_column])[tables.id_column]
            if names.duplicated().any():
                raise UserError(f"{path} repeats ids: {first(names[names.duplicated()])}.")
            return tuple(names)
        images = self.competition.image_set(self.competition.default_images)
        return tuple(self.layout.files(images, "test"))


@dataclass(frozen=True)
class Layout:
    """Where the chips and tables of a competition lie.

    Attributes:
        competition: the competition's name.
        folders: path of each image folder found, by its name in the competition file.
        tables: path of each CSV found, by its name in the competition file.
    """

    competition: str
    folders: dict[str, Path]
    tables: dict[str, Path]

    def table(self, name: str) -> Path:
        """Return the path of the CSV called `name`.

        Raises:
            UserError: if it was not found by `data prepare`.
        """
        if name not in self.tables:
            raise UserError(
                f"{name} is not in the workspace. Add it, or {name}.zip, to the folder of Kaggle's files and "
                'run "python run.py data prepare --from DIR" again.'
            )
        return self.tables[name]

    def files(self, images: ImageSet, split: str) -> dict[str, Path]:
        """Return the chip files of one rendering, by id, in the order of the ids.

        Args:
            images: the rendering.
            split: "train" or "test".

        Raises:
            UserError: if no folder of it was found, or two files carry one id.
        """
        folders = images.train if split == "train" else images.test
        found = [self.folders[name] for name in folders if name in self.folders]
        if not found:
            raise UserError(f"No {split} chips: none of the folders {', '.join(folders)} was found. {PREPARE}.")
        right_name, suffix = self._right_names(images, split), images.suffix.lower()
        files: dict[str, Path] = {}
        for entry in [entry for folder in found for entry in os.scandir(folder)]:  # which knows the kind of each
            # macOS leaves a "._train_0.jpg" beside each file it copies to another kind of disk.
            if entry.name.startswith(".") or not entry.name.lower().endswith(suffix) or not entry.is_file():
                continue
            path, name = Path(entry.path), right_name.get(entry.name, entry.name)[: -len(suffix)]
            if name in files:
                raise UserError(f"Two files carry the id {name}: {files[name]} and {path}. Remove one.")
            files[name] = path
        return dict(sorted(files.items()))

    def locate(self, images: ImageSet, split: str, names: tuple[str, ...]) -> list[Path]:
        """Return the files of the chips `names`, in that order.

        Raises:
            UserError: if a chip has no file; the first ones are named.
        """
        files = self.files(images, split)
        if missing := [name for name in names if name not in files]:
            raise UserError(
                f"{len(missing)} of {len(names)} {split} chips have no {images.suffix} file: {first(missing)}. "
                'Run "python run.py data check" to see what is there.'
            )
        return [files[name] for name in names]

    def write(self, path: Path) -> None:
        """Write the layout to `path` as JSON, atomically; what lies beside it is named relative to it."""
        base = path.parent.resolve()

        def name(found: Path) -> str:
            found = found.resolve()
            return str(found.relative_to(base) if found.is_relative_to(base) else found)

        groups = {"folders": self.folders, "tables": self.tables}
        paths = {group: {key: name(found) for key, found in members.items()} for group, members in groups.items()}
        write_json(path, {"competition": self.competition, **paths})

    @classmethod
    def read(cls, path: Path, competition: Competition) -> Layout:
        """Read a layout and check that it belongs to `competition`.

        Raises:
            UserError: if it is missing or belongs to another competition, or a path in it is gone.
        """
        if not path.is_file():
            raise UserError(f"No data in the workspace {path.parent.parent}. {PREPARE}.")
        layout = cls._parse(path, competition)
        found = [*layout.folders.values(), *layout.tables.values()]
        if gone := [place for place in found if not place.exists()]:
            raise UserError(f"Data that were prepared are gone: {first(gone)}. {PREPARE}.")
        return layout

    @classmethod
    def read_what_is_left(cls, path: Path, competition: Competition) -> Layout:
        """Read a layout to add to it: empty if there is none, and without the paths that are gone.

        Raises:
            UserError: if it belongs to another competition.
        """
        if not path.is_file():
            return cls(competition.name, {}, {})
        layout = cls._parse(path, competition)
        folders = {name: place for name, place in layout.folders.items() if place.exists()}
        tables = {name: place for name, place in layout.tables.items() if place.exists()}
        return cls(competition.name, folders, tables)

    @classmethod
    def _parse(cls, path: Path, competition: Competition) -> Layout:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            owner: str = content["competition"]
            folders = {name: path.parent / found for name, found in content["folders"].items()}
            tables = {name: path.parent / found for name, found in content["tables"].items()}
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise UserError(f"{path} is damaged. Delete it. {PREPARE}.") from error
        if owner != competition.name:
            raise UserError(
                f"The workspace {path.parent.parent} was prepared for competition {owner!r}, "
                f"received {competition.name!r}. Give --competition or another --workspace."
            )
        return cls(owner, folders, tables)

    def _right_names(self, images: ImageSet, split: str) -> dict[str, str]:
        if images.renamed is None or (split == "train" and images.renamed not in self.tables):
            return {}
        table = read_table(self.table(images.renamed), ["old", "new"])
        return dict(zip(table["old"], table["new"], strict=True))
