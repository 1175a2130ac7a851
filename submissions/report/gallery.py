"""The chips that a report shows: those that what is looked at closely gets most wrong, and why each is among them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from competition.checks.duplicates import equal_pairs
from competition.chip_index import ChipFile
from competition.common.errors import UserError
from competition.data.chips import digest_chip, read_chip, resize_chip
from competition.spec.images import ImageSet
from submissions.report.evidence import Evidence
from submissions.report.labels import Label

SIZES = (160, 128, 96)  # pixels of a thumbnail, the larger the fewer there are
MOST_BYTES = 2_600_000  # of all thumbnails as WebP: a page has room for a third more as text
PER_LABEL = 4  # of each kind
MOST_CHIPS = 240
QUALITY = 70
STRETCH = (2, 98)  # percentiles that become black and white where values have no range of their own
MISS, ALARM, UNSURE, SUSPECT, TWINS, IMPOSSIBLE = (
    "missed",
    "false alarm",
    "uncertain",
    "suspect",
    "equal, other labels",
    "impossible",
)
KINDS = {
    MISS: "carries the label, and its score is lowest",
    ALARM: "does not carry the label, and its score is highest",
    UNSURE: "its score lies nearest to the cut",
    SUSPECT: "its label looks wrong by the scores",
    TWINS: "the same picture is there with other labels",
    IMPOSSIBLE: "its decided labels exclude each other",
}


@dataclass
class Shown:
    """A chip of the gallery.

    Attributes:
        name: its id.
        row: among the labelled chips.
        why: pairs of a kind and the label it is about, "" where it is about none.
        pictures: of it, by what they show, as data URLs.
    """

    name: str
    row: int
    why: list[tuple[str, str]] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)


def worst_chips(evidence: Evidence, labels: list[Label], suspects: Mapping[str, Iterable[int]] = {}) -> list[Shown]:
    """Return the chips to show: of the worst labels the worst misses, false alarms and the most uncertain.

    Args:
        evidence: of the report.
        labels: the worst first.
        suspects: by label, rows of chips whose labels look wrong, the likeliest first.
    """
    chips: dict[int, Shown] = {}

    def add(rows: Iterable[int], kind: str, label: str) -> None:
        for row in rows:
            if row in chips or len(chips) < MOST_CHIPS:
                chips.setdefault(int(row), Shown(evidence.names[row], int(row))).why.append((kind, label))

    truth, scores, decided = evidence.truth, evidence.scores, evidence.decisions
    for label in labels:
        column = label.column
        add(list(suspects.get(label.name, ()))[:PER_LABEL], SUSPECT, label.name)
        missed = np.flatnonzero(truth[:, column] & ~decided[:, column])
        add(missed[np.argsort(scores[missed, column], kind="stable")][:PER_LABEL], MISS, label.name)
        alarms = np.flatnonzero(~truth[:, column] & decided[:, column])
        add(alarms[np.argsort(-scores[alarms, column], kind="stable")][:PER_LABEL], ALARM, label.name)
        cut = label.cut if not np.isnan(label.cut) else 0.5
        add(np.argsort(np.abs(scores[:, column] - cut), kind="stable")[: PER_LABEL // 2], UNSURE, label.name)
    add(_impossible(evidence)[:PER_LABEL], IMPOSSIBLE, "")
    return sorted(chips.values(), key=lambda chip: chip.row)


def _impossible(evidence: Evidence) -> NDArray[np.int64]:
    """Return the rows of chips whose decided labels exclude each other, or share with one that stands alone."""
    competition, decided = evidence.workspace.competition, evidence.decisions
    wrong = np.zeros(len(decided), dtype=bool)
    for group in competition.exclusive_columns:
        wrong |= decided[:, list(group)].sum(axis=1) > 1
    for label in competition.alone:
        wrong |= decided[:, competition.label_index[label]] & (decided.sum(axis=1) > 1)
    return np.flatnonzero(wrong)


def scores_of(evidence: Evidence, chip: Shown, most: int = 6) -> list[tuple[str, float, bool, bool]]:
    """Return label, score, whether true and whether decided, of the labels that matter to a chip, the highest first."""
    scores, truth, decided = evidence.scores[chip.row], evidence.truth[chip.row], evidence.decisions[chip.row]
    about = {label for _, label in chip.why}
    matters = truth | decided | np.isin(evidence.labels, list(about))
    order = [column for column in np.argsort(-scores, kind="stable") if matters[column]]
    order += [column for column in np.argsort(-scores, kind="stable") if not matters[column]]
    several = max(most, int(matters.sum()))
    return [
        (evidence.labels[column], float(scores[column]), bool(truth[column]), bool(decided[column]))
        for column in order[:several]
        if matters[column] or len(order) <= most or scores[column] > 0.02
    ]


def draw(evidence: Evidence, chips: list[Shown]) -> list[Shown]:
    """Give chips their pictures, as large as fit into the page; return those that can be read."""
    found = _rendering(evidence)
    if found is None:
        return []
    images, files = found
    read = {chip.name: chip for chip in chips if chip.name in files}
    arrays = dict[str, NDArray[np.generic]]()
    for name in read:
        try:
            arrays[name] = read_chip(files[name], images)
        except UserError:
            continue
    for size in SIZES:
        drawn = {name: _pictures(array, images, size) for name, array in arrays.items()}
        if sum(len(url) for pictures in drawn.values() for url in pictures.values()) <= MOST_BYTES:
            break
    for name, pictures in drawn.items():
        read[name].pictures = pictures
    return [chip for chip in chips if chip.pictures]


def equal_chips(evidence: Evidence, rows: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return pairs of rows of equal files among some labelled chips whose labels differ."""
    found = _rendering(evidence)
    if found is None:
        return []
    files = found[1]
    rows = np.array([row for row in rows if evidence.names[row] in files], dtype=np.int64)
    digests = np.array([digest_chip(files[evidence.names[row]]) for row in rows])
    pairs = rows[equal_pairs(digests)] if len(rows) else np.zeros((0, 2), dtype=np.int64)
    return [(int(a), int(b)) for a, b in pairs if (evidence.truth[a] != evidence.truth[b]).any()]


def _rendering(evidence: Evidence) -> tuple[ImageSet, dict[str, ChipFile]] | None:
    """Return the rendering of the labelled chips with the most bands, and the file of each chip; None without chips."""
    workspace = evidence.workspace
    for images in sorted(workspace.competition.images.values(), key=lambda images: len(images.bands)):
        try:
            if files := workspace.layout.files(images, "train"):
                return images, files
        except UserError:
            continue
    return None


def _pictures(array: NDArray[np.generic], images: ImageSet, size: int) -> dict[str, str]:
    """Return a chip as it would look to the eye, and with near infrared as red, where it has that."""
    bands = list(images.bands)
    ways = {"natural": ("R", "G", "B"), "near infrared": ("NIR" if "NIR" in bands else "N", "R", "G")}
    pictures = {}
    for name, wanted in ways.items():
        if all(band in bands for band in wanted):
            pictures[name] = _url(array[:, :, [bands.index(band) for band in wanted]], size)
    if not pictures:
        shown = [0, 1, 2] if array.shape[2] >= 3 else [0, 0, 0]
        pictures["natural"] = _url(array[:, :, shown], size)
    return pictures


def _url(pixels: NDArray[np.generic], size: int) -> str:
    values = resize_chip(pixels, size).astype(np.float32)
    if pixels.dtype != np.uint8:
        low, high = np.percentile(values, STRETCH)
        values = (values - low) / max(float(high - low), 1e-6) * 255
    kept = io.BytesIO()
    Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(kept, "WEBP", quality=QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(kept.getvalue()).decode()}"
