"""Finding what would spoil training or a submission before it does."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from competition.checks.duplicates import Pictures
from competition.checks.files import SplitFiles
from competition.checks.levels import check_levels, check_ranges
from competition.checks.pixels import ChipScan, judge_scan, scan_chips
from competition.checks.renderings import compare_renderings, judge_bands, judge_scenes
from competition.checks.report import SEVERITIES, CheckReport, ChipCount, Finding, Severity, about
from competition.checks.tables import check_columns, check_labels, check_renaming
from competition.common.errors import UserError
from competition.common.text import first
from competition.data.chips import read_chip
from competition.index.chip_index import ChipFile
from competition.spec.images import ImageSet
from competition.tables.csv_files import read_table
from competition.tables.joined import read_label_rows
from competition.tables.sample import SampleSubmission
from competition.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "test")
SHOWN = 3


def check_data(workspace: Workspace, *, sample: int | None = None) -> CheckReport:
    """Check tables, files and pixels of a prepared workspace.

    Args:
        workspace: where `prepare` wrote a layout.
        sample: decode only so many chips of each rendering and split; None decodes all.

    Raises:
        UserError: if `data prepare` was not run, or was run for another competition.
    """
    checks = _Checks(workspace, sample)
    checks.labels()
    checks.sample_submission()
    for name, images in workspace.competition.images.items():
        checks.renaming(images)
        for split in (*SPLITS, *(["further"] if images.further else [])):
            checks.files(name, images, split)
            checks.agreement(name, images, split)
        checks.values(name, images)
    checks.pictures()
    return CheckReport(
        title=workspace.competition.title,
        root=workspace.root,
        chips=tuple(checks.chips),
        support=checks.support,
        num_labelled=len(checks.ids.get("train", ())),
        findings=tuple(sorted(checks.findings, key=lambda finding: SEVERITIES.index(finding.severity))),
    )


class _Checks:
    """Collects counts and findings, one method per subject; each uses what the ones before it have read."""

    def __init__(self, workspace: Workspace, sample: int | None) -> None:
        self.findings: list[Finding] = []
        self.chips: list[ChipCount] = []
        self.support: dict[str, int] = {}
        self.ids: dict[str, list[str]] = {}  # of the tables, by split
        self._competition = workspace.competition
        self._layout = workspace.layout
        self._sample = sample
        self._lost = 0  # rows of the table of labels that cannot be read
        self._tags: dict[str, frozenset[str]] = {}
        self._files: dict[tuple[str, str], dict[str, ChipFile]] = {}  # by rendering and split
        self._scans: dict[tuple[str, str], ChipScan] = {}

    def labels(self) -> None:
        """Check the table of labels."""
        tables = self._competition.tables
        try:
            paths = [self._layout.table(name) for name in tables.train]
            labelled = read_label_rows(paths, tables, self._competition.labels)
        except UserError as error:
            self.findings.append(Finding("error", str(error)))
            return
        truth, findings = check_labels(labelled, self._competition)
        self.findings += findings
        if labelled.is_table:
            self.ids["train"] = [name for name in labelled.names if name]
            self.support = dict(zip(self._competition.labels, truth.sum(axis=0).tolist(), strict=True))
            self._tags = dict(zip(labelled.names, map(frozenset, labelled.tags), strict=True))
            self._lost = sum(problem.count for problem in labelled.problems if problem.kind == "lost")
            self.findings += check_columns(paths, self.ids["train"], self._competition)
            if not labelled.names and not self._lost:
                self.findings.append(Finding("error", f"{first(tables.train, SHOWN)} lists no labelled chips."))

    def sample_submission(self) -> None:
        """Check the sample submission."""
        name = self._competition.tables.sample_submission
        if name is None or name not in self._layout.tables:
            if any(images.test for images in self._competition.images.values()):
                what = f"No {name}" if name else "The competition has no sample submission"
                text = f"{what}: a submission will list the test files in the order of their ids."
                self.findings.append(Finding("note", text))
            return
        try:
            self.ids["test"] = list(SampleSubmission.read(self._layout.table(name), self._competition).names)
        except UserError as error:
            self.findings.append(Finding("error", str(error)))

    def renaming(self, images: ImageSet) -> None:
        """Check the table of right names of a rendering."""
        if images.renamed in self._layout.tables and images.renamed is not None:
            table = self._read(images.renamed, ["old", "new"])
            if table is not None:
                on_disk = self._layout.folders_of(images, "test")
                self.findings += check_renaming(table, images, on_disk, self.ids.get("test"))

    def files(self, name: str, images: ImageSet, split: str) -> None:
        """Check the files of a rendering against the ids of the split, and decode them."""
        is_default = name == self._competition.default_images
        if not self._layout.folders_of(images, split):
            # A sample submission asks for labels of its chips.
            severity: Severity = "error" if split == "test" and "test" in self.ids else "warning"
            if is_default and (severity == "error" or images.test):
                folders = first(images.folders(split), SHOWN) or "no folder for them"
                self.findings.append(Finding(severity, f"No {name} {split} chips: {folders} not found."))
            return
        try:
            found = self._found(name, images, split)
        except UserError as error:
            self.findings.append(Finding("error", str(error)))
            return
        # Another rendering may well be incomplete: it is used by those who name it.
        self.findings += found.check("error" if is_default else "warning", self._competition.tables)
        files = self._files[name, split] = found.used
        scan = scan_chips(files, images, sample=self._sample, title=found.title, prints=is_default)
        self._scans[name, split] = scan
        self.findings += judge_scan(scan, found.title)
        kinds = tuple(kind for kind, _ in scan.kinds.most_common())
        listed = None if found.ids is None else len(found.ids)
        self.chips.append(ChipCount(name, split, len(files), listed, scan.decoded, kinds))

    def agreement(self, name: str, images: ImageSet, split: str) -> None:
        """Compare the chips of a rendering with those of the default one."""
        default = self._competition.default_images
        if name == default or not self._files.keys() >= {(name, split), (default, split)}:
            return
        reference = self._competition.image_set(default)
        fit = compare_renderings(self._files[name, split], images, self._files[default, split], reference)
        if fit is not None:
            self.findings += judge_scenes(fit, f"{name} {split}", default)
            self.findings += judge_bands(fit, images, f"{name} {split}", default)

    def values(self, name: str, images: ImageSet) -> None:
        """Check the range of a rendering's values, and whether train and test are on one level."""
        scans = [(split, self._scans[name, split]) for split in SPLITS if (name, split) in self._scans]
        for split, scan in scans[:1]:  # training decides, and what the test chips differ in is said
            self.findings += check_ranges(name, f"{name} {split}", scan, images)
        if len(scans) == len(SPLITS):
            self.findings += check_levels(name, scans[0][1], scans[1][1], images)

    def pictures(self) -> None:
        """Look for equal pictures among the chips of the default rendering, as others show the same scenes."""
        name = self._competition.default_images
        images = self._competition.image_set(name)
        scans = [(split, self._scans[name, split]) for split in SPLITS if (name, split) in self._scans]
        both = self._files.get((name, "train"), {}).items() & self._files.get((name, "test"), {}).items()
        text = f"{name}: chips that stand in train and in test, one file each"
        self.findings += about("warning", text, sorted(chip for chip, _ in both), SHOWN)
        chips, parts = list[tuple[str, str]](), list[tuple[NDArray[Any], NDArray[np.float32]]]()
        for split, scan in scans:
            passed_over = {*scan.constant, *((chip for chip, _ in both) if split == "test" else ())}
            kept = [number for number, chip in enumerate(scan.names) if chip not in passed_over]
            chips += [(split, scan.names[number]) for number in kept]
            parts.append((scan.prints[kept], scan.levels[kept]))
        if not chips:
            return
        prints, levels = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        full = max(scan.span for _, scan in scans)

        def read(number: int) -> NDArray[Any]:
            split, chip = chips[number]
            return read_chip(self._files[name, split][chip], images)

        self.findings += Pictures(name, chips, prints, levels, full, read, self._tags).check()

    def _found(self, name: str, images: ImageSet, split: str) -> SplitFiles:
        """Return the files of a rendering and split.

        Raises:
            UserError: if two files are of one chip.
        """
        tables, other = self._competition.tables, "test" if split == "train" else "train"
        table = first(tables.train, SHOWN) if split == "train" else tables.sample_submission or ""
        folders = self._layout.folders_of(images, split)
        is_shared = bool({*folders} & {*self._layout.folders_of(images, other)})
        ids, listed = self.ids.get(split), chain.from_iterable(self.ids.values())
        index = self._layout.index(images, split, listed)
        others: frozenset[str] | None = None
        if is_shared:
            # If one split is not listed, all that the other does not list is of it; of what neither lists, train tells.
            if ids is not None and (other not in self.ids or split == "test"):
                others = frozenset(index.chips.keys() - {*ids})
            else:
                others = frozenset(self.ids.get(other, ()))
        lost = self._lost if split == "train" else 0
        other_ids = self.ids.get(other, ())
        return SplitFiles(images, f"{name} {split}", table, index, folders, ids, others, lost, other_ids)

    def _read(self, name: str, columns: Sequence[str]) -> pd.DataFrame | None:
        try:
            return read_table(self._layout.table(name), columns)
        except UserError as error:
            self.findings.append(Finding("error", str(error)))
            return None
