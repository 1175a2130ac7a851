"""A made-up data set in Kaggle's layout, for the demonstration and the tests.

Frequencies and co-occurrences of labels follow the 40,479 labelled chips of the competition; the pictures are drawn by
`competition.simulator.render`. No real picture is used.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from competition.common.errors import UserError
from competition.common.files import replace_folder, write_text
from competition.common.progress import reporter
from competition.simulator.canvas import Floats
from competition.simulator.label_rates import Bools, draw_labels
from competition.simulator.render import LABELS, render_chip
from competition.spec import load as spec

JPEG_QUALITY = 92
SUBMISSION_TAGS = "primary clear agriculture road water"
SHUFFLED_SHARE = 0.1
TRAIN, TEST, TEST_ADDITIONAL = 0, 1, 2
PREFIXES = {TRAIN: "train", TEST: "test", TEST_ADDITIONAL: "file"}
JPEG_FOLDERS = {TRAIN: "train-jpg", TEST: "test-jpg", TEST_ADDITIONAL: "test-jpg-additional"}
TIFF_FOLDERS = {TRAIN: "train-tif-v2", TEST: "test-tif-v2", TEST_ADDITIONAL: "test-tif-v2"}


def simulate(
    root: Path,
    *,
    num_train: int,
    num_test: int,
    size: int = 64,
    seed: int = 0,
    tif: bool = False,
    rare_boost: float = 1.0,
) -> None:
    """Write a made-up data set in Kaggle's layout, all of it or nothing.

    A chip depends on `seed`, its id, `size` and `rare_boost` alone, not on how many there are. Beyond Kaggle's files,
    `simulated_test_labels.csv` holds the truth of the test chips, to play the leaderboard with.

    Args:
        root: the folder to fill; new or empty.
        num_train: labelled chips.
        num_test: chips to predict; about a third of them are `file_*`.
        size: width and height of a chip in pixels.
        seed: the same seed gives the same bytes.
        tif: also write four-band GeoTIFFs. As in the real data, those of `file_*` chips carry wrong names, which
            `test_v2_file_mapping.csv` puts right.
        rare_boost: see `draw_labels`.

    Raises:
        UserError: if an argument is out of range or `root` holds something.
    """
    _check_arguments(root, num_train, num_test, size, seed, rare_boost)
    with replace_folder(root) as folder:
        _fill(folder, num_train, num_test, size, seed, tif, rare_boost)


def _fill(root: Path, num_train: int, num_test: int, size: int, seed: int, tif: bool, rare_boost: float) -> None:
    num_additional = round(num_test / 3)
    counts = {TRAIN: num_train, TEST: num_test - num_additional, TEST_ADDITIONAL: num_additional}
    misnamed = _misname(num_additional, seed)
    tags: dict[str, str] = {}
    with reporter.bar(num_train + num_test, "drawing") as bar:
        for split, count in counts.items():
            for folders in (JPEG_FOLDERS, TIFF_FOLDERS) if tif else (JPEG_FOLDERS,):
                (root / folders[split]).mkdir(parents=True, exist_ok=True)
            # Chips take the streams 1, 2, ...: numpy pads seeds with zeros, so 0 would be no stream of its own.
            labels = draw_labels(count, np.random.default_rng((seed, split, 0)), rare_boost)
            for index, row in enumerate(labels):
                name = f"{PREFIXES[split]}_{index}"
                rng = np.random.default_rng((seed, split, index + 1))
                chip = render_chip(row, size, rng)
                (root / JPEG_FOLDERS[split] / f"{name}.jpg").write_bytes(encode_jpeg(chip))
                if tif:
                    _write_tiff(root / TIFF_FOLDERS[split] / f"{misnamed.get(name, name)}.tif", chip)
                tags[name] = _join_tags(row, rng)
                bar.update()
    _write_tables(root, tags, misnamed if tif else {})


def encode_jpeg(chip: Floats) -> bytes:
    """Return a chip as JPEG that is as hard to read as the real ones: CMYK, inverted, and without a word about it.

    Adobe inverts its CMYK and says so in a marker. The real chips are inverted, with all of K at 255, but lack the
    marker: readers that trust it, such as TensorFlow's, see black.

    Args:
        chip: float array (size, size, 4) in [0, 1], bands B, G, R, NIR.
    """
    inks = np.zeros(chip.shape, np.uint8)
    inks[..., :3] = 255 - (chip[..., 2::-1] * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    buffer = io.BytesIO()
    image = Image.frombytes("CMYK", (chip.shape[1], chip.shape[0]), inks.tobytes())
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return _without_adobe_marker(buffer.getvalue())


def _without_adobe_marker(jpeg: bytes) -> bytes:
    start = jpeg.index(b"\xff\xee\x00\x0eAdobe")
    return jpeg[:start] + jpeg[start + 16 :]


def _check_arguments(root: Path, num_train: int, num_test: int, size: int, seed: int, rare_boost: float) -> None:
    for name, value, least, most in (
        ("num_train", num_train, 1, np.inf),
        ("num_test", num_test, 1, np.inf),
        ("size", size, 16, 1024),
        ("seed", seed, 0, np.inf),
        ("rare_boost", rare_boost, 0, np.inf),
    ):
        if not least <= value <= most:
            expected = f"at least {least}" if most == np.inf else f"from {least} to {most}"
            raise UserError(f"Cannot simulate with {name}={value}: it must be {expected}.")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(f"Will not simulate into {root}: it is not empty. Name a new folder, or empty this one.")


def _misname(num_chips: int, seed: int) -> dict[str, str]:
    """Return the wrong name on disk by right name; no chip keeps its own, unless it is the only one."""
    order = np.random.default_rng((seed, TEST_ADDITIONAL, 0)).permutation(num_chips)
    prefix = PREFIXES[TEST_ADDITIONAL]
    return {f"{prefix}_{new}": f"{prefix}_{old}" for new, old in zip(order, np.roll(order, 1), strict=True)}


def _write_tiff(path: Path, chip: Floats) -> None:
    tifffile.imwrite(
        path, raw_values(chip), photometric="rgb", planarconfig="contig", extrasamples=["unassalpha"], metadata=None
    )


def raw_values(picture: Floats) -> NDArray[np.uint16]:
    """Return a picture (height, width, 4) in [0, 1] in the values of Planet's GeoTIFFs."""
    low, high = _raw_range()
    return (low + picture * (high - low) + np.float32(0.5)).astype(np.uint16)


@lru_cache(maxsize=1)
def _raw_range() -> Floats:
    """Return the raw values (2, 4) that black and white stand for by band, as readers of the files take them."""
    images = spec.load("planet").image_set("tif")
    return np.array([images.range[band] for band in images.bands], np.float32).T


def _join_tags(row: Bools, rng: np.random.Generator) -> str:
    names = [label for label, present in zip(LABELS, row, strict=True) if present]
    # The real table does not keep to one order either; readers must not rely on it.
    return " ".join(rng.permutation(names) if rng.random() < SHUFFLED_SHARE else names)


def _write_tables(root: Path, tags: dict[str, str], misnamed: dict[str, str]) -> None:
    train = [name for name in tags if name.startswith(PREFIXES[TRAIN])]
    # Kaggle's order: all of test_*, then all of file_*, each sorted as text.
    test = [name for split in (TEST, TEST_ADDITIONAL) for name in sorted(tags) if name.startswith(PREFIXES[split])]
    if misnamed:
        rows = [(f"{old}.tif", f"{new}.tif") for new, old in misnamed.items()]
        _write_csv(root / "test_v2_file_mapping.csv", ("old", "new"), rows)
    header = ("image_name", "tags")
    _write_csv(root / "simulated_test_labels.csv", header, [(name, tags[name]) for name in test])
    _write_csv(root / "sample_submission_v2.csv", header, [(name, SUBMISSION_TAGS) for name in test])
    _write_csv(root / "train_v2.csv", header, [(name, tags[name]) for name in train])


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    write_text(path, "".join(",".join(row) + "\n" for row in (header, *rows)))
