"""What a notebook finds on Kaggle: the sample submission that is there, and the chips that it names.

The hidden test has other ids, and another number of them, than the one that is known: both come from what is there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from competition.common.errors import UserError
from competition.index.chip_index import ChipFile
from competition.index.layout import Layout
from competition.spec.competition import Competition
from competition.tables.sample import SampleSubmission

DEPTH = 4  # folders below the one where Kaggle lays everything
SUFFIXES = ("", ".zip")  # of a table


@dataclass(frozen=True)
class Inputs:
    """What there is to predict.

    Attributes:
        competition: whose chips they are.
        sample: the sample submission.
        layout: where the chips and tables are.
    """

    competition: Competition
    sample: SampleSubmission
    layout: Layout
    _found: dict[str, dict[str, ChipFile]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def in_folder(cls, root: Path, competition: Competition) -> Inputs:
        """Return what lies in the folder where Kaggle lays the competition's data.

        Args:
            root: the folder, such as /kaggle/input; the competition's may be one within.
            competition: the competition.

        Raises:
            UserError: if no sample submission is there, or it is none of the competition's.
        """
        places = [root / part for part in ("", "competitions") if competition.slug]
        own = [place / str(competition.slug) for place in places]
        root = next((place for place in own if place.is_dir()), root)
        tables: dict[str, Path] = {}
        folders: dict[str, list[Path]] = {}
        names = _tables_of(competition)
        of_chips = {name for images in competition.images.values() for name in images.test}
        for folder in _folders_in(root, of_chips):
            for name in names:
                found = (folder / f"{name}{suffix}" for suffix in SUFFIXES)
                if path := next((path for path in found if path.is_file()), None):
                    tables.setdefault(name, path)
            for name in of_chips:
                if (name == "." and folder == root) or _ends_in(folder, name):
                    folders.setdefault(name, []).append(folder)
        sample = competition.tables.sample_submission
        if sample is None or sample not in tables:
            raise UserError(f"No {sample or 'sample submission'} in {root}, up to {DEPTH} folders deep.")
        where = {name: tuple(paths) for name, paths in folders.items()}
        layout = Layout(competition.name, where, tables, competition.tables.ids)
        return cls(competition, SampleSubmission.read(tables[sample], competition), layout)

    def files(self, rendering: str) -> dict[str, ChipFile]:
        """Return the files of the chips to predict that are there, by id, in the sample submission's order.

        Args:
            rendering: name of the rendering.

        Raises:
            UserError: if two files are of one chip.
        """
        images = self.competition.image_set(rendering)
        if rendering not in self._found:
            there = self.layout.folders_of(images, "test")
            files = self.layout.index(images, "test", self.sample.names).chips if there else {}
            self._found[rendering] = {name: files[name] for name in self.sample.names if name in files}
        return self._found[rendering]


def _tables_of(competition: Competition) -> list[str]:
    names = [competition.tables.sample_submission, *(images.renamed for images in competition.images.values())]
    return [name for name in dict.fromkeys(names) if name]


def _folders_in(root: Path, of_chips: Collection[str]) -> Iterator[Path]:
    """Yield the folders up to `DEPTH` below one, level by level; those within one of the chips' are not walked.

    Args:
        root: the folder.
        of_chips: names of the folders that chips to predict lie in.
    """
    level = [root]
    for _ in range(DEPTH + 1):
        below: list[Path] = []
        for folder in level:
            yield folder
            if not any(name != "." and _ends_in(folder, name) for name in of_chips):
                below += sorted(path for path in folder.iterdir() if path.is_dir())
        level = below


def _ends_in(folder: Path, name: str) -> bool:
    parts = name.split("/")
    return list(folder.parts[-len(parts) :]) == parts
