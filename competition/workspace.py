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

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.records import DamagedError, read_record, write_record
from competition.common.text import first
from competition.spec.competition import Competition
from competition.spec.images import ImageSet
from competition.spec.load import load
from competition.tables.labels import LabelTable, read_label_table, read_table

PREPARE = {"to bring the files from Kaggle": "data download", "to use files in a folder": "data prepare --from DIR"}
FORMAT = 1


@dataclass(frozen=True)
class Workspace:
    """The folder that holds every artefact of one competition.

    Attributes:
        root: the folder.
        competition: what is competed in.
    """

    root: Path
    competition: Competition

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
        return self.root / "runs"

    @property
    def blends(self) -> Path:
        """One folder per blend."""
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
        return read_label_table(self.layout.table(self.competition.tables.train[0]), self.competition)

    def test_names_of(self, images: ImageSet) -> tuple[str, ...]:
        """Return the ids of the chips to predict, none if the workspace has no folder of them in that rendering."""
        return self.test_names if any(name in self.layout.folders for name in images.test) else ()

    @cached_property
    def test_names(self) -> tuple[str, ...]:
        """Ids of the chips to predict, in the sample submission's order; without one, in the order of the files."""
        tables = self.competition.tables
        if tables.sample_submission is not None and tables.sample_submission in self.layout.tables:
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
                f"{name} is not in the workspace. Add it, or {name}.zip, to the folder of Kaggle's files.",
                command="data prepare --from DIR",
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
        present = [self.folders[name] for name in folders if name in self.folders]
        if not present:
            raise UserError(f"No {split} chips: none of the folders {', '.join(folders)} was found.", command=PREPARE)
        right_name, suffixes = self._right_names(images, split), images.suffix
        files: dict[str, Path] = {}
        for entry in [entry for folder in present for entry in os.scandir(folder)]:  # which knows the kind of each
            # macOS leaves a "._train_0.jpg" beside each file it copies to another kind of disk.
            if entry.name.startswith(".") or not entry.name.lower().endswith(suffixes) or not entry.is_file():
                continue
            path, name = Path(entry.path), Path(right_name.get(entry.name, entry.name)).stem
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
            suffixes = " or ".join(images.suffix)
            raise UserError(
                f"{len(missing)} of {len(names)} {split} chips have no {suffixes} file: {first(missing)}.",
                command={"to see what is there": "data check"},
            )
        return [files[name] for name in names]

    def write(self, path: Path) -> None:
        """Write the layout to `path` as JSON, atomically; what lies beside it is named relative to it."""
        base = path.parent.resolve()

        def relative(place: Path) -> str:
            place = place.resolve()
            return str(place.relative_to(base) if place.is_relative_to(base) else place)

        groups = {"folders": self.folders, "tables": self.tables}
        paths = {group: {name: relative(place) for name, place in members.items()} for group, members in groups.items()}
        write_record(path, {"competition": self.competition, **paths}, version=FORMAT)

    @classmethod
    def read(cls, path: Path, competition: Competition) -> Layout:
        """Read a layout and check that it belongs to `competition`.

        Raises:
            UserError: if it is missing or belongs to another competition, or a path in it is gone.
        """
        if not path.is_file():
            raise UserError(f"No data in the workspace {path.parent.parent}.", command=PREPARE)
        layout = cls._parse(path, competition)
        places = [*layout.folders.values(), *layout.tables.values()]
        if gone := [place for place in places if not place.exists()]:
            raise UserError(f"Data that were prepared are gone: {first(gone)}.", command=PREPARE)
        return layout

    @classmethod
    def read_what_is_left(cls, path: Path, competition: Competition) -> Layout:
        """Read a layout to add to it: empty if there is none or it is damaged, and without the paths that are gone.

        Raises:
            UserError: if it belongs to another competition.
        """
        try:
            layout = cls._parse(path, competition)
        except DamagedError:
            return cls(competition.name, {}, {})
        folders = {name: place for name, place in layout.folders.items() if place.exists()}
        tables = {name: place for name, place in layout.tables.items() if place.exists()}
        return cls(competition.name, folders, tables)

    @classmethod
    def _parse(cls, path: Path, competition: Competition) -> Layout:
        def parse(content: dict[str, Any]) -> Layout:
            groups = ({name: path.parent / place for name, place in content[g].items()} for g in ("folders", "tables"))
            return cls(str(content["competition"]), *groups)

        layout = read_record(path, parse, version=FORMAT, command=PREPARE)
        if layout.competition != competition.name:
            raise UserError(
                f"The workspace {path.parent.parent} was prepared for competition {layout.competition!r}, "
                f"received {competition.name!r}. Give --competition or another --workspace."
            )
        return layout

    def _right_names(self, images: ImageSet, split: str) -> dict[str, str]:
        if images.renamed is None or (split == "train" and images.renamed not in self.tables):
            return {}
        table = read_table(self.table(images.renamed), ["old", "new"])
        return dict(zip(table["old"], table["new"], strict=True))
