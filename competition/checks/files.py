"""Which files a split uses, and whether they agree with its table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from competition.checks.report import Finding, Severity, about
from competition.common.text import first
from competition.index.causes import likely_cause
from competition.index.chip_index import ChipFile, ChipIndex
from competition.spec.images import ImageSet
from competition.spec.tables import Tables

SHOWN = 3
MISTAKES = (
    "The likeliest mistakes: id_column or ids under [tables]; suffix or file of the images; the folders train and test"
)


@dataclass(frozen=True)
class SplitFiles:
    """The files of one rendering and split, and what the tables say of them.

    Attributes:
        images: the rendering.
        title: of rendering and split, such as "jpg train".
        table: title of the table that lists the chips; "" without one.
        index: the chips found in the folders.
        folders: where they were found.
        ids: that the table lists; None without a table.
        others: ids of the other split, where its chips lie in the same folders; None where they do not.
        lost: number of rows of the tables that name no chip, as they cannot be read.
        other_ids: that the table of the other split lists.
    """

    images: ImageSet
    title: str
    table: str
    index: ChipIndex
    folders: tuple[Path, ...]
    ids: Sequence[str] | None
    others: frozenset[str] | None = None
    lost: int = 0
    other_ids: Sequence[str] = ()

    @property
    def used(self) -> dict[str, ChipFile]:
        """The files of the chips of this split, by id; of a folder of both splits, those of the other left out."""
        chips = self.index.chips
        if self.others is None:
            return chips
        if self.ids is None:
            return {name: file for name, file in chips.items() if name not in self.others}
        return {name: chips[name] for name in sorted(set(self.ids) & chips.keys())}

    def check(self, severity: Severity, tables: Tables) -> Iterator[Finding]:
        """Find chips without a file, or with files of some bands only, and files that no table lists.

        Args:
            severity: of a chip that is missing.
            tables: of the competition, which say what an id is.
        """
        lacking = [f"{name} ({first(bands, SHOWN)})" for name, bands in self.index.lacking.items()]
        yield from about(severity, f"{self.title}: chips without a file of each band", lacking, SHOWN)
        if self.ids is None:
            if not self.index.chips and not lacking:
                yield Finding("warning", f"No {self.title} chips. {self._cause([], tables)}")
            return
        ids = [value for value in dict.fromkeys(self.ids) if value not in self.index.lacking]
        missing = [value for value in ids if value not in self.index.chips]
        if missing and len(missing) == len(ids):  # one cause, and not two findings
            text = f"{self.table}: none of the {len(ids):,} ids has a {self.title} file: {first(ids, SHOWN)}"
            yield Finding(severity, f"{text}. {self._cause(ids, tables)}")
            return
        yield from about(severity, f"{self.table}: ids without a {self.title} file", missing)
        # In folders of both splits, what the other split lists is listed too, and what neither lists is said once.
        known = {*self.ids, *(self.others or ())}
        unlisted = [value for value in self.index.chips if value not in known]
        if len(unlisted) > self.lost:
            text = f"{self.table}: {self.title} files that are not in it and not used"
            if self.others is not None:
                text = f"{self.table}: {self.title} files that neither it nor the sample submission lists"
            yield from about("warning", text, unlisted)

    def _cause(self, missing: Sequence[str], tables: Tables) -> str:
        """Return what is likely to be wrong where no chip has its file, and what else may be."""
        cause = likely_cause(missing, self.index, self.images, tables.ids, self.folders, self.other_ids)
        return cause if "say " in cause or "write " in cause else f"{cause} {MISTAKES}.".lstrip()
