"""Finding what would spoil training or a submission before it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from competition.checks.pixels import BandFit, ChipScan, compare_renderings, scan_chips
from competition.checks.report import SEVERITIES, CheckReport, ChipCount, Finding, Severity, about
from competition.checks.tables import check_ids, check_labels, check_renaming
from competition.common.errors import UserError
from competition.spec.images import ImageSet
from competition.tables.label_table import content_of, parse_rows
from competition.tables.labels import read_table
from competition.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

CLEARLY_BETTER = 0.02  # mean correlation by which another order of bands must win
MIXED_UP = 0.25  # share of compared chips showing another scene from which the names must be wrong
REASONS = 4  # why chips are broken, one line each
ENOUGH = 8  # chips compared, for such a share to mean something


def check_data(workspace: Workspace, *, sample: int | None = None) -> CheckReport:
    """Check tables, files and pixels of a prepared workspace.

    Args:
        workspace: where `prepare` wrote a layout.
        sample: decode only so many chips of each rendering and split; None decodes all.

    Raises:
        UserError: if `data prepare` was not run, or was run for another competition.
    """
    checks = _Checks(workspace, sample)
    checks.tables()
    for name, images in workspace.competition.images.items():
        checks.renaming(name, images)
        for split in ("train", "test"):
            checks.files(name, images, split)
            checks.agreement(name, images, split)
    if not checks.ids.get("train"):
        checks.findings.append(
            Finding("error", f"{', '.join(workspace.competition.tables.train)} lists no labelled chips.")
        )
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
        self._files: dict[tuple[str, str], dict[str, Path]] = {}  # by rendering and split

    def tables(self) -> None:
        """Check the table of labels and the sample submission."""
        tables = self._competition.tables
        try:
            labelled = parse_rows(content_of(self._layout.table(tables.train[0])), self._competition)
        except UserError as error:
            self.findings.append(Finding("error", str(error)))
        else:
            truth, findings = check_labels(labelled, self._competition)
            self.findings += findings
            if labelled.is_table:
                self.ids["train"] = list(labelled.names)
                self.support = dict(zip(self._competition.labels, truth.sum(axis=0).tolist(), strict=True))
        if tables.sample_submission is None or tables.sample_submission not in self._layout.tables:
            text = f"No {tables.sample_submission}: a submission will list the test files in the order of their ids."
            self.findings.append(Finding("note", text))
            return
        columns = [tables.tags_column] if tables.tags_column else self._competition.labels
        sample = self._read(tables.sample_submission, [tables.id_column, *columns])
        if sample is not None:
            self.ids["test"] = sample[tables.id_column].tolist()
            self.findings += check_ids(tables.sample_submission, self.ids["test"])

    def renaming(self, name: str, images: ImageSet) -> None:
        """Check the table of right names of a rendering."""
        if images.renamed is None:
            return
        on_disk = [self._layout.folders[folder] for folder in images.test if folder in self._layout.folders]
        if images.renamed in self._layout.tables:
            table = self._read(images.renamed, ["old", "new"])
            if table is not None:
                self.findings += check_renaming(table, images, on_disk, self.ids.get("test"))

    def files(self, name: str, images: ImageSet, split: str) -> None:
        """Check the files of a rendering against the ids of the split, and decode them."""
        folders = images.train if split == "train" else images.test
        if not any(folder in self._layout.folders for folder in folders):
            if name == self._competition.default_images:
                # A sample submission asks for their tags.
                severity: Severity = "error" if split == "test" and "test" in self.ids else "warning"
                self.findings.append(Finding(severity, f"No {name} {split} chips: {', '.join(folders)} not found."))
            return
        try:
            files = self._layout.files(images, split)
        except UserError as error:
            self.findings.append(Finding("error", str(error)))
            return
        self._files[name, split] = files
        self.findings += self._against_table(name, images, split)
        scan = scan_chips(files, images, sample=self._sample, title=f"{name} {split}")
        self.findings += _judge_scan(scan, f"{name} {split}")
        listed = len(self.ids[split]) if split in self.ids else None
        kinds = tuple(kind for kind, _ in scan.kinds.most_common())
        self.chips.append(ChipCount(name, split, len(files), listed, scan.decoded, kinds))

    def agreement(self, name: str, images: ImageSet, split: str) -> None:
        """Compare the chips of a rendering with those of the default one."""
        default = self._competition.default_images
        if name == default or not self._files.keys() >= {(name, split), (default, split)}:
            return
        reference = self._competition.image_set(default)
        fit = compare_renderings(self._files[name, split], images, self._files[default, split], reference)
        if fit is not None:
            self.findings += _judge_scenes(fit, f"{name} {split}", default)
            self.findings += _judge_bands(fit, images, f"{name} {split}", default)

    def _against_table(self, name: str, images: ImageSet, split: str) -> Iterator[Finding]:
        if split not in self.ids:
            return
        tables, files = self._competition.tables, self._files[name, split]
        table = ", ".join(tables.train) if split == "train" else tables.sample_submission
        ids = self.ids[split]
        # Another rendering may well be incomplete: it is used by those who name it.
        severity: Severity = "error" if name == self._competition.default_images else "warning"
        missing = [value for value in dict.fromkeys(ids) if value not in files]
        yield from about(severity, f"{table}: ids without a {name} {split} file", missing)
        known = set(ids)
        unlisted = [value for value in files if value not in known]
        yield from about("warning", f"{table}: {name} {split} files that are not in it and not used", unlisted)

    def _read(self, name: str, columns: Sequence[str]) -> pd.DataFrame | None:
        try:
            return read_table(self._layout.table(name), columns)
        except UserError as error:
            self.findings.append(Finding("error", str(error)))
            return None


def _judge_scan(scan: ChipScan, title: str) -> Iterator[Finding]:
    reasons = sorted(scan.broken.items(), key=lambda item: -len(item[1]))
    for reason, ids in reasons[:REASONS]:
        yield from about("error", f"{title}: broken chips, {reason}", ids)
    others = [value for _, ids in reasons[REASONS:] for value in ids]
    yield from about("error", f"{title}: chips broken in other ways", others)
    yield from about("warning", f"{title}: chips of one colour all over", scan.constant)
    if len(scan.kinds) > 1:
        kinds = [f"{kind} ({count:,})" for kind, count in scan.kinds.most_common()]
        # Sizes are made equal anyway; 8 beside 16 bits means two scales.
        severity: Severity = "note" if len({kind.split()[-1] for kind in scan.kinds}) == 1 else "warning"
        yield from about(severity, f"{title}: kinds of chips", kinds)


def _judge_scenes(fit: BandFit, title: str, default: str) -> Iterator[Finding]:
    compared = fit.same_scene + len(fit.strangers)
    text = f"{title}: of {compared} chips compared, those that show another scene than their {default}"
    if compared >= ENOUGH and len(fit.strangers) >= MIXED_UP * compared:
        yield from about("error", f"{text}; names must be mixed up", fit.strangers)
    else:
        yield from about("warning", text, fit.strangers)


def _judge_bands(fit: BandFit, images: ImageSet, title: str, default: str) -> Iterator[Finding]:
    if not fit.same_scene:
        return
    order = f"band order {_written(images.bands)} has r = {fit.declared:.3f}"
    known = f"{title}: {order} with {default} over {fit.same_scene} chips"
    if fit.order == images.bands:
        yield Finding("note", f"{known}; no other order fits better.")
    elif fit.best < fit.declared + CLEARLY_BETTER:
        yield Finding("note", f"{known}; {_written(fit.order)} fits no worse (r = {fit.best:.3f}).")
    else:
        text = f"but {_written(fit.order)} has r = {fit.best:.3f}. See `bands` in the competition file."
        yield Finding("warning", f"{known}, {text}")


def _written(bands: Sequence[str]) -> str:
    return ("" if all(len(band) == 1 for band in bands) else ",").join(bands)
