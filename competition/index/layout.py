"""Where the chips and tables of a competition lie, as `data prepare` has found them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from os.path import isdir, isfile  # which take a path that cannot be for one that is not there
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.files import digest_json
from competition.common.records import DamagedError, read_record, write_record
from competition.common.text import first
from competition.index.causes import likely_cause
from competition.index.chip_index import ChipFile, ChipIndex, Ids, Naming, index_chips
from competition.index.stamps import Stamp
from competition.spec.competition import Competition
from competition.spec.images import ImageSet
from competition.tables.csv_files import read_table

PREPARE = {"to bring the files from Kaggle": "data download", "to use files in a folder": "data prepare --from DIR"}
AGAIN = dict(reversed(PREPARE.items()))  # where the files were at hand before, they mostly still are
FORMAT, OLDER = 2, (1,)  # of `layout.json`; before, each folder had one path
SHOWN = 3  # chips that are named


def description_of(competition: Competition) -> str:
    """Return the digest of what tells competitions of one name apart: their labels, and the names of their tables.

    What is corrected of the tables' columns or the images does not change it.
    """
    tables = [*competition.tables.train, competition.tables.sample_submission]
    return digest_json({"labels": sorted(competition.labels), "tables": tables})


@dataclass(frozen=True)
class Layout:
    """Where the chips and tables of a competition lie.

    Attributes:
        competition: the competition's name.
        folders: paths of each image folder found, by its name in the competition file; the chips are in all of them.
        tables: path of each table found, by its name in the competition file.
        ids: what an id is, as in `Tables`.
        described: digest of the labels and tables by which they were found, as `description_of` gives it; "" where
            that was not noted.
        stamps: what each table held, by its name; earlier versions noted none.
    """

    competition: str
    folders: dict[str, tuple[Path, ...]]
    tables: dict[str, Path]
    ids: Ids = "stem"
    described: str = ""
    stamps: dict[str, Stamp] = field(default_factory=dict)

    def table(self, name: str) -> Path:
        """Return the path of the table called `name`.

        Raises:
            UserError: if it was not found by `data prepare`, or has changed since.
        """
        if name not in self.tables:
            raise UserError(
                f"{name} is not in the workspace. Add it, or {name}.zip, to the folder of Kaggle's files.",
                command="data prepare --from DIR",
            )
        if name in self.stamps:
            self.stamps[name].check(self.tables[name])
        return self.tables[name]

    def folders_of(self, images: ImageSet, split: str) -> tuple[Path, ...]:
        """Return the folders of the chips of one rendering that were found.

        Args:
            images: the rendering.
            split: "train", "test" or "further".
        """
        return tuple(dict.fromkeys(path for name in images.folders(split) for path in self.folders.get(name, ())))

    def index(self, images: ImageSet, split: str, ids: Iterable[str] = ()) -> ChipIndex:
        """Return the chips of one rendering, and those that lack files of bands.

        Args:
            images: the rendering.
            split: "train", "test" or "further".
            ids: as the tables spell them; see `index_chips`.

        Raises:
            UserError: if no folder of it was found, or two files are of one chip.
        """
        folders = self.folders_of(images, split)
        if not folders:
            names = images.folders(split)
            if not names:
                raise UserError(
                    f"No chips to predict: the competition file names no {split} folder. "
                    f"Say where they are with `{split}` under [images.*]."
                )
            raise UserError(f"No {split} chips: none of the folders {first(names)} was found.", command=PREPARE)
        return index_chips(folders, Naming(images, self.ids), self._right_names(images, split), ids)

    def files(self, images: ImageSet, split: str) -> dict[str, ChipFile]:
        """Return the chip files of one rendering, by id, in the order of the ids; see `index`."""
        return self.index(images, split).chips

    def locate(self, images: ImageSet, split: str, names: Sequence[str]) -> list[ChipFile]:
        """Return the files of the chips `names`, in that order.

        Raises:
            UserError: if a chip has no file; the first ones are named, and what is likely to have gone wrong.
        """
        index = self.index(images, split, names)
        if missing := [name for name in names if name not in index.chips]:
            suffixes = " or ".join(images.suffix)
            cause = likely_cause(missing, index, images, self.ids, self.folders_of(images, split))
            raise UserError(
                f"{len(missing):,} of {len(names):,} {split} chips have no {suffixes} file: {first(missing, SHOWN)}."
                f"{cause and f' {cause}'}",
                command={"to bring back what is lost": "data prepare --from DIR", "to see what is there": "data check"},
            )
        return [index.chips[name] for name in names]

    def write(self, path: Path) -> None:
        """Write the layout to `path` as JSON, atomically; what lies beside it is named relative to it."""
        base = path.parent.resolve()

        def relative(place: Path) -> str:
            place = place.resolve()
            return str(place.relative_to(base) if place.is_relative_to(base) else place)

        folders = {name: [relative(place) for place in places] for name, places in self.folders.items()}
        tables = {name: relative(place) for name, place in self.tables.items()}
        stamps = {name: asdict(stamp) for name, stamp in self.stamps.items()}
        about = {"competition": self.competition, "described": self.described}
        write_record(path, {**about, "folders": folders, "tables": tables, "stamps": stamps}, version=FORMAT)

    @classmethod
    def read(cls, path: Path, competition: Competition) -> Layout:
        """Read a layout and check that it belongs to `competition`.

        Raises:
            UserError: if it is missing or belongs to another competition, or a path in it is gone.
        """
        if not path.is_file():
            raise UserError(f"No data in the workspace {path.parent.parent}.", command=PREPARE)
        layout = cls._parse(path, competition)
        folders = [place for places in layout.folders.values() for place in places if not isdir(place)]
        if gone := [*folders, *(place for place in layout.tables.values() if not isfile(place))]:
            raise UserError(f"Data that were prepared are gone: {first(dict.fromkeys(gone))}.", command=AGAIN)
        return layout

    @classmethod
    def read_what_is_left(cls, path: Path, competition: Competition) -> Layout:
        """Read a layout to add to it: empty if there is none or it is damaged, and without the paths that are gone.

        Raises:
            UserError: if it belongs to another competition, also to one of the same name.
        """
        try:
            layout = cls._parse(path, competition)
        except DamagedError:
            return cls(competition.name, {}, {}, competition.tables.ids)
        if layout.described not in ("", description_of(competition)):
            raise UserError(
                f"The workspace {path.parent.parent} was prepared for another competition called {competition.name!r}, "
                "with other labels or tables. Give another --workspace; or, if its file was corrected, remove "
                f"{path} and run the same command again."
            )
        there = {name: tuple(filter(isdir, places)) for name, places in layout.folders.items()}
        folders = {name: places for name, places in there.items() if places}
        tables = {name: place for name, place in layout.tables.items() if isfile(place)}
        stamps = {name: stamp for name, stamp in layout.stamps.items() if name in tables}
        return cls(competition.name, folders, tables, competition.tables.ids, stamps=stamps)

    @classmethod
    def _parse(cls, path: Path, competition: Competition) -> Layout:
        def paths(places: str | list[str]) -> tuple[Path, ...]:
            return tuple(path.parent / place for place in ([places] if isinstance(places, str) else places))

        def parse(content: dict[str, Any]) -> Layout:
            folders = {name: paths(places) for name, places in content["folders"].items()}
            tables = {name: path.parent / place for name, place in content["tables"].items()}
            described = str(content.get("described", ""))
            stamps = {name: Stamp(**stamp) for name, stamp in content.get("stamps", {}).items()}
            return cls(str(content["competition"]), folders, tables, competition.tables.ids, described, stamps)

        layout = read_record(path, parse, version=FORMAT, older=OLDER, command=AGAIN)
        if layout.competition != competition.name:
            raise UserError(
                f"The workspace {path.parent.parent} was prepared for competition {layout.competition!r}, "
                f"received {competition.name!r}. Give --competition or another --workspace."
            )
        return layout

    def _right_names(self, images: ImageSet, split: str) -> dict[str, str]:
        if images.renamed is None or (split != "test" and images.renamed not in self.tables):
            return {}
        table = read_table(self.table(images.renamed), ["old", "new"])
        return dict(zip(table["old"], table["new"], strict=True))
