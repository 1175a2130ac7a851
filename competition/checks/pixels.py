"""The one pass over the chips: each is decoded once, and what the checks need of it is kept, not the chip."""

from __future__ import annotations

import functools
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from competition.checks.headers import Header, read_header
from competition.checks.report import Finding, Severity, about
from competition.common.progress import reporter
from competition.common.text import first
from competition.copies.prints import PRINT, fingerprint, to_grey
from competition.data.chips import BrokenChipError, check_not_black, read_with_gaps
from competition.index.chip_index import ChipFile
from competition.spec.images import ImageSet

PART, BATCH = 16, 128  # chips that a thread takes at once, and such parts that are waited for
REASONS = 4  # why chips are broken, one line each
EXAMPLES = 3
STRETCHED = 1.05  # longer to shorter side
KEPT = 2**22  # values kept of all chips and bands, for percentiles
FEWEST, MOST = 64, 1024  # pixels kept of a chip, if any


@dataclass
class ChipScan:
    """What decoding the chips of one rendering and split has shown.

    Attributes:
        decoded: number of chips tried.
        broken: ids of chips that cannot be used, by its reason.
        constant: ids of chips whose pixels are all equal, though not black.
        kinds: how many chips have each shape and data type, such as "256 x 256 x 3 uint8".
        sizes: how many chips have each height and width.
        dtypes: how many chips have each data type.
        turned: ids of chips that EXIF asks to turn or mirror.
        misnamed: ids of chips whose content is not what the suffix says, with its kind.
        transparent: ids of chips with an alpha band beside the bands that are read.
        names: ids of the chips that can be read.
        prints: of these, what finds equal pictures, array (num_names,) of type `PRINT`; empty if not asked for.
        levels: of these, the mean of each band, float32 array (num_names, num_bands).
        pixels: some pixels of some of these, array (num_pixels, num_bands); none of 8 bits.
        gaps: of chips with pixels without data, the share of these, by id.
    """

    decoded: int = 0
    broken: dict[str, list[str]] = field(default_factory=dict)
    constant: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    dtypes: Counter[np.dtype[Any]] = field(default_factory=Counter)
    turned: list[str] = field(default_factory=list)
    misnamed: list[str] = field(default_factory=list)
    transparent: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    prints: NDArray[Any] = field(default_factory=lambda: np.empty(0, PRINT))
    levels: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    pixels: NDArray[Any] = field(default_factory=lambda: np.empty((0, 0)))
    gaps: dict[str, float] = field(default_factory=dict)

    @property
    def span(self) -> float:
        """What the values span: 255 of 8 bits, or else the widest band from its 1st to its 99th percentile."""
        if not len(self.pixels):
            return 255.0
        low, high = np.percentile(self.pixels, [1, 99], axis=0)
        return float((high - low).max())

    def add(self, seen: _Look) -> None:
        """Take in what a chip has shown."""
        self.decoded += 1
        kinds = sorted({header.kind for header in seen.headers if header.is_misnamed})
        self.misnamed += [f"{seen.name} ({', '.join(kinds)})"] if kinds else []
        if seen.problem:
            self.broken.setdefault(seen.problem, []).append(seen.name)
            return
        self.kinds[f"{' x '.join(map(str, seen.shape))} {seen.dtype}"] += 1
        self.sizes[seen.shape[0], seen.shape[1]] += 1
        self.dtypes[np.dtype(seen.dtype)] += 1
        self.constant += [seen.name] if seen.is_constant else []
        self.turned += [seen.name] if any(header.is_turned for header in seen.headers) else []
        self.transparent += [seen.name] if seen.drops_alpha else []
        if seen.print is not None:
            self.prints[len(self.names)] = seen.print
        self.levels[len(self.names)] = seen.levels
        self.names.append(seen.name)
        if seen.gaps:
            self.gaps[seen.name] = seen.gaps


@dataclass(frozen=True)
class _Look:
    """What one chip has shown."""

    name: str
    headers: tuple[Header, ...]
    problem: str = ""
    shape: tuple[int, ...] = ()
    dtype: np.dtype[Any] | None = None
    drops_alpha: bool = False
    is_constant: bool = False
    print: tuple[bytes, NDArray[np.uint8], float] | None = None
    levels: NDArray[np.float32] | None = None
    pixels: NDArray[Any] | None = None
    gaps: float = 0.0


def scan_chips(
    files: Mapping[str, ChipFile],
    images: ImageSet,
    *,
    sample: int | None = None,
    title: str = "",
    prints: bool = False,
) -> ChipScan:
    """Decode chips in threads and keep what is wrong with them and what identifies them, not the chips.

    Args:
        files: chip files by id.
        images: the rendering they belong to.
        sample: decode only so many, spread evenly over `files`.
        title: of the bar.
        prints: keep what finds equal pictures.
    """
    names = spread(list(files), sample)
    per_chip, step = _sampling(len(names), len(images.bands))

    def look(numbers: range) -> list[_Look]:
        return [_look_at(names[i], files[names[i]], images, prints, 0 if i % step else per_chip) for i in numbers]

    scan, pixels = ChipScan(), list[NDArray[Any]]()
    scan.prints = np.zeros(len(names) if prints else 0, PRINT)
    scan.levels = np.zeros((len(names), len(images.bands)), np.float32)
    parts = [range(start, min(start + PART, len(names))) for start in range(0, len(names), PART)]
    # Reading waits on the disk, and the decoders let other threads run.
    with ThreadPoolExecutor(2 * cpu_count()) as pool, reporter.bar(len(names), title) as bar:
        for start in range(0, len(parts), BATCH):
            for seen in chain.from_iterable(pool.map(look, parts[start : start + BATCH])):
                scan.add(seen)
                bar.update()
                if seen.pixels is not None:
                    pixels.append(seen.pixels)
    scan.prints, scan.levels = scan.prints[: len(scan.names)], scan.levels[: len(scan.names)]
    scan.pixels = np.concatenate(pixels) if pixels else scan.pixels
    return scan


def judge_scan(scan: ChipScan, title: str) -> Iterator[Finding]:
    """Find what is wrong or odd with the chips of one rendering and split.

    Args:
        scan: what decoding them has shown.
        title: of rendering and split, for the findings.
    """
    reasons = sorted(scan.broken.items(), key=lambda item: -len(item[1]))
    for reason, ids in reasons[:REASONS]:
        yield from about("error", f"{title}: broken chips, {reason}", ids)
    others = [value for _, ids in reasons[REASONS:] for value in ids]
    yield from about("error", f"{title}: chips broken in other ways", others)
    yield from about("warning", f"{title}: chips of one colour all over", scan.constant)
    if len(scan.kinds) > 1:
        kinds = [f"{kind} ({count:,})" for kind, count in scan.kinds.most_common()]
        # Sizes are made equal anyway; 8 beside 16 bits means two scales, and training stops at the first of the others.
        severity: Severity = "note" if len(scan.dtypes) == 1 else "error"
        what = "kinds of chips" if len(scan.dtypes) == 1 else "kinds of chips, and all must be of one data type"
        yield from about(severity, f"{title}: {what}", kinds)
    yield from about(
        "warning", f"{title}: chips that are read turned or mirrored, as their EXIF says", scan.turned, EXAMPLES
    )
    yield from about("note", f"{title}: files whose content is not what the suffix says", scan.misnamed, EXAMPLES)
    yield from about("note", f"{title}: chips with an alpha band, which is dropped", scan.transparent, EXAMPLES)
    if scan.gaps:
        share = sum(scan.gaps.values()) / len(scan.names)
        yield from about(
            "note", f"{title}: chips with pixels without data, {share:.1%} of all pixels", scan.gaps, EXAMPLES
        )
    yield from _judge_ratios(scan, title)


def _judge_ratios(scan: ChipScan, title: str) -> Iterator[Finding]:
    """Find chips that are stretched when they are made square."""
    ratios: Counter[str] = Counter()
    for (height, width), count in scan.sizes.items():
        if max(height, width) > STRETCHED * min(height, width):
            ratios[f"{width / height:.2f}"] += count
    if ratios:
        shown = [f"{ratio} ({count:,})" for ratio, count in ratios.most_common()]
        text = f"{title}: chips that are not square and will be stretched ({ratios.total():,}), width to height"
        yield Finding("warning", f"{text}: {first(shown, EXAMPLES)}.")


def spread(names: Sequence[str], count: int | None) -> list[str]:
    """Return `count` of the names, spread evenly over them; all if there are no more, or `count` is None."""
    if count is None or count >= len(names):
        return list(names)
    return [names[i] for i in np.linspace(0, len(names) - 1, count).astype(int)]


def _look_at(name: str, file: ChipFile, images: ImageSet, prints: bool, num_pixels: int) -> _Look:
    """Decode a chip and return what it shows; of `num_pixels` of its pixels, the values."""
    paths = [file] if isinstance(file, Path) else file
    headers = tuple(map(read_header, paths))
    try:
        chip, missing = read_with_gaps(file, images)
        check_not_black(file, chip, missing, images)
    except BrokenChipError as error:
        return _Look(name, headers, error.reason)
    grey, levels = to_grey(chip)
    gone: NDArray[np.bool_] | None = None if missing is None or not missing.any() else np.any(missing, axis=2)
    return _Look(
        name,
        headers,
        shape=chip.shape,
        dtype=chip.dtype,
        drops_alpha=any(header.drops_alpha(chip.shape[2] // len(paths)) for header in headers),
        is_constant=_is_constant(chip),
        print=fingerprint(chip, grey) if prints else None,
        levels=levels,
        pixels=_some_pixels(chip, gone, num_pixels, zlib.crc32(name.encode()))
        if num_pixels and chip.dtype != np.uint8
        else None,
        gaps=0.0 if gone is None else float(gone.mean()),
    )


def _is_constant(chip: NDArray[Any]) -> bool:
    """Return whether all pixels are equal; most chips show it in a few of theirs."""
    return all(bool((part == chip[:1, :1]).all()) for part in (chip[::16, ::16], chip))


def _some_pixels(chip: NDArray[Any], gone: NDArray[np.bool_] | None, count: int, shift: int) -> NDArray[Any]:
    """Return some pixels (at most `count`, num_bands) that have data; `shift` says which."""
    height, width, bands = chip.shape
    places = (_places(height * width, count) + shift) % (height * width)
    if gone is not None:
        places = places[~gone.ravel()[places]]
    taken: NDArray[Any] = chip.reshape(-1, bands)[places]
    return taken


@functools.lru_cache(maxsize=256)
def _places(pixels: int, count: int) -> NDArray[np.int64]:
    """Return random places, spread evenly over the pixels: every k-th pixel would lie in few of the columns."""
    return ((np.arange(count) + np.random.default_rng(0).random(count)) * pixels / count).astype(np.int64)


def _sampling(chips: int, bands: int) -> tuple[int, int]:
    """Return how many pixels to keep of a chip, and of one chip in how many, so that `KEPT` values are the most."""
    per_chip = min(MOST, max(FEWEST, KEPT // max(1, chips * bands)))
    return per_chip, -(-chips * bands * per_chip // KEPT) or 1
