"""The copies among the labelled chips: found once, so that folds keep them together and a report shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from competition.common.errors import UserError
from competition.common.files import digest_json
from competition.common.progress import reporter
from competition.common.records import read_record, write_record
from competition.common.text import counted
from competition.copies.pairs import MOST_PAIRS, alike, confirmed, equal_pairs
from competition.copies.prints import PRINT, fingerprint, to_grey
from competition.data.chips import BrokenChipError, read_chip
from competition.index.chip_index import ChipFile
from competition.spec.images import ImageSet
from competition.workspace import Workspace

FILE = "copies.json"
FORMAT = 1

Pair = tuple[str, str]


@dataclass(frozen=True)
class Copies:
    """Pairs of labelled chips that show the same.

    Attributes:
        equal: whose pixels are equal; of several, the first with each of the others.
        near: that are nearly equal, such as a copy that was saved anew.
    """

    equal: tuple[Pair, ...]
    near: tuple[Pair, ...]

    def groups(self, names: tuple[str, ...], others: Sequence[str] | None = None) -> list[str]:
        """Return for each of some chips the first of those that stay together with it, itself if there is none.

        Args:
            names: of the chips.
            others: of each chip, another group that is to stay together, such as a patient; None: there are none.
        """
        row = {name: number for number, name in enumerate(names)}
        pairs = [(row[one], row[other]) for one, other in (*self.equal, *self.near) if one in row and other in row]
        first_of = dict[str, int]()
        pairs += [(first_of.setdefault(group, number), number) for number, group in enumerate(others or ())]
        ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        links = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(names), len(names)))
        _, group = connected_components(links, directed=False)
        _, first = np.unique(group, return_index=True)
        return [names[first[number]] for number in group]

    def text(self) -> str:
        """Return how many there are, for people."""
        return f"{counted(len(self.equal), 'pair')} of equal chips, {len(self.near):,} of nearly equal ones."


def copies_of(workspace: Workspace) -> Copies:
    """Return the copies among the labelled chips; found once, and kept in the cache.

    Raises:
        UserError: if there are no chips of the competition's usual rendering.
    """
    if kept := kept_copies(workspace):
        return kept
    images, files = _chips(workspace)
    names, prints, levels, ends = _prints(images, files)
    full = float(ends[1].max() - ends[0].min()) if ends.dtype != np.uint8 else 255.0
    pairs = alike(prints, levels, full)
    if len(pairs) > MOST_PAIRS:
        reporter.say(f"{len(pairs):,} pairs may be nearly equal; the {MOST_PAIRS:,} most alike are looked at.")
    near = confirmed(pairs[:MOST_PAIRS], lambda number: read_chip(files[names[number]], images))
    some = [equal_pairs(prints["digest"]), near]
    named = [tuple((names[one], names[other]) for one, other in found.tolist()) for found in some]
    content = {"chips": _digest(files), "equal": named[0], "near": named[1]}
    write_record(workspace.cache / FILE, content, version=FORMAT)
    return Copies(*named)


class _Look(NamedTuple):
    """What is kept of a chip: its id, its print, the mean of each band, and its least and largest value."""

    name: str
    print: tuple[bytes, NDArray[np.uint8], float]
    levels: NDArray[np.float32]
    least: NDArray[Any]
    largest: NDArray[Any]


def _prints(
    images: ImageSet, files: Mapping[str, ChipFile]
) -> tuple[list[str], NDArray[np.void], NDArray[np.float32], NDArray[Any]]:
    """Return the chips that can be read and are not of one colour, their prints, means and ends of values."""

    def look(name: str) -> _Look | None:
        try:
            chip = read_chip(files[name], images)
        except BrokenChipError:  # `data check` names it
            return None
        grey, levels = to_grey(chip)
        least, largest = chip.min(), chip.max()
        return None if least == largest else _Look(name, fingerprint(chip, grey), levels, least, largest)

    seen = list[_Look]()
    with ThreadPoolExecutor(2 * cpu_count()) as pool, reporter.bar(len(files), "copies") as bar:
        for found in pool.map(look, files):  # reading waits on the disk, and the decoders let other threads run
            bar.update()
            seen += [] if found is None else [found]
    if not seen:
        raise UserError("No labelled chip can be read, so no copies can be found.", command="data check")
    if lost := len(files) - len(seen):
        what = "chip cannot be read or is" if lost == 1 else "chips cannot be read or are"
        reporter.say(f"{lost:,} {what} of one colour: among these no copies are looked for; `data check` names them.")
    ends = np.array([[one.least for one in seen], [one.largest for one in seen]])
    prints, levels = np.array([one.print for one in seen], PRINT), np.array([one.levels for one in seen], np.float32)
    return [one.name for one in seen], prints, levels, ends


def kept_copies(workspace: Workspace) -> Copies | None:
    """Return the copies that were found before; None if none were looked for, or the chips have changed since."""
    path = workspace.cache / FILE
    try:
        digest, copies = read_record(path, _parse, version=FORMAT)
        return copies if digest == _digest(_chips(workspace)[1]) else None
    except UserError:  # missing, or damaged: they are found again
        return None


def _parse(content: Mapping[str, list[list[str]]]) -> tuple[str, Copies]:
    equal, near = (tuple((str(one), str(other)) for one, other in content[name]) for name in ("equal", "near"))
    return str(content["chips"]), Copies(equal, near)


def _chips(workspace: Workspace) -> tuple[ImageSet, dict[str, ChipFile]]:
    images = workspace.competition.image_set(workspace.competition.default_images)
    labelled = set(workspace.labelled.image_names)
    files = {name: file for name, file in workspace.layout.files(images, "train").items() if name in labelled}
    return images, files


def _digest(files: Mapping[str, ChipFile]) -> str:
    """Return what changes when a chip does: ids, sizes and times of the files."""

    def state(path: Path) -> tuple[int, int]:
        found = path.stat()
        return found.st_size, found.st_mtime_ns

    return digest_json(
        [[name, [state(path) for path in ([file] if isinstance(file, Path) else file)]] for name, file in files.items()]
    )
