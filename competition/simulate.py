"""A made-up data set in Kaggle's layout, for the demonstration and the tests.

Frequencies and co-occurrences of labels follow the 40,479 labelled chips of the competition; the pictures are drawn by
`competition.render`. No real picture is used.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from competition import spec
from competition.canvas import Floats
from competition.errors import UserError
from competition.files import replace_atomically, replace_folder_atomically, write_text
from competition.render import LABELS, render_chip

Bools = NDArray[np.bool_]

# Share of each weather among all chips; the rest is clear.
WEATHER_RATES = {"cloudy": 0.0516, "haze": 0.0668, "partly_cloudy": 0.1791}

# Share of chips with a label, given its parents, among chips that are not cloudy. The rates count through the parents
# in binary, the first parent slowest: (neither, second, first, both).
GROUND_RATES: dict[str, tuple[tuple[str, ...], tuple[float, ...]]] = {
    "primary": (("clear",), (0.988, 0.973)),
    "agriculture": (("primary",), (0.40, 0.318)),
    "water": (("primary", "agriculture"), (0.64, 0.21, 0.17, 0.22)),
    "road": (("primary", "agriculture", "water"), (0.54, 0.07, 0.69, 0.31, 0.045, 0.218, 0.504, 0.429)),
    "habitation": (("road", "agriculture"), (0.014, 0.084, 0.287, 0.367)),
    "cultivation": (("primary", "agriculture", "road"), (0.02, 0.02, 0.06, 0.03, 0.040, 0.075, 0.360, 0.197)),
    "artisinal_mine": (("water", "agriculture"), (0.0014, 0.0011, 0.058, 0.010)),
    "bare_ground": (("primary", "road", "agriculture"), (0.239, 0.114, 0.325, 0.110, 0.0145, 0.0138, 0.080, 0.018)),
    "conventional_mine": (("road", "agriculture"), (0.0013, 0.0011, 0.021, 0.0035)),
    "slash_burn": (("primary", "cultivation"), (0.0, 0.0, 0.0026, 0.0288)),
    "selective_logging": (("primary", "road", "agriculture"), (0.0, 0.0, 0.0, 0.0, 0.0067, 0.0061, 0.064, 0.0048)),
    "blooming": (("primary", "agriculture", "road"), (0.0, 0.0, 0.0, 0.0, 0.0126, 0.0030, 0.0046, 0.0008)),
    "blow_down": (("primary", "road"), (0.0, 0.0, 0.0034, 0.0003)),
}
# Labels on fewer than one chip in forty. None is a parent, so boosting them leaves all other labels as they were.
RARE_LABELS = (
    "artisinal_mine", "bare_ground", "blooming", "blow_down", "conventional_mine", "selective_logging", "slash_burn",
)  # fmt: skip
MAX_BOOSTED_RATE = 0.5

JPEG_QUALITY = 92
SUBMISSION_TAGS = "primary clear agriculture road water"
SHUFFLED_SHARE = 0.1
TRAIN, TEST, TEST_ADDITIONAL = 0, 1, 2
PREFIXES = {TRAIN: "train", TEST: "test", TEST_ADDITIONAL: "file"}
JPEG_FOLDERS = {TRAIN: "train-jpg", TEST: "test-jpg", TEST_ADDITIONAL: "test-jpg-additional"}
TIFF_FOLDERS = {TRAIN: "train-tif-v2", TEST: "test-tif-v2", TEST_ADDITIONAL: "test-tif-v2"}

# What usually comes with a label, so that a tile of the contact sheet shows it at home.
COMPANIONS = {
    "artisinal_mine": ("clear", "primary", "water"),
    "clear": ("agriculture", "primary", "road", "water"),
    "cloudy": (),
    "habitation": ("agriculture", "clear", "primary", "road"),
    "haze": ("agriculture", "primary", "road", "water"),
    "partly_cloudy": ("agriculture", "primary", "road", "water"),
}


def draw_labels(num_chips: int, rng: np.random.Generator, rare_boost: float = 1.0) -> Bools:
    """Draw label sets as frequent, and as often together, as in the real data.

    Weather is drawn first, then each ground label given those before it. A longer draw from the same state of `rng`
    begins with the shorter one.

    Args:
        num_chips: number of rows.
        rng: source of the draws.
        rare_boost: multiplies the rate of each of `RARE_LABELS` in every situation, up to a rate of one half; a rate
            of 0 stays 0. Other labels keep their rates. Small sets may still lack a label.
    Returns:
        Bool array (num_chips, 17), in the order of `LABELS`; exactly one weather label a row, `cloudy` always alone.
    """
    draws = rng.random((num_chips, 1 + len(GROUND_RATES)))
    table = {label: np.zeros(num_chips, bool) for label in LABELS}
    low = 0.0
    for label, rate in WEATHER_RATES.items():
        table[label] = (draws[:, 0] >= low) & (draws[:, 0] < low + rate)
        low += rate
    table["clear"] = draws[:, 0] >= low
    for column, (label, (parents, rates)) in enumerate(GROUND_RATES.items(), start=1):
        situation = np.zeros(num_chips, int)
        for parent in parents:
            situation = 2 * situation + table[parent]
        chances = np.array(rates)
        if label in RARE_LABELS:
            chances = np.minimum(chances * rare_boost, MAX_BOOSTED_RATE)
        table[label] = (draws[:, column] < chances[situation]) & ~table["cloudy"]
    return np.stack([table[label] for label in LABELS], axis=1)


def simulate(
    root: Path,
    *,
    num_train: int,
    num_test: int,
    size: int = 64,
    seed: int = 0,
    tif: bool = False,
    rare_boost: float = 1.0,
    progress: bool = False,
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
        progress: show a progress bar, if this is a terminal.
    Raises:
        UserError: if an argument is out of range or `root` holds something.
    """
    _check_arguments(root, num_train, num_test, size, seed, rare_boost)
    if root.is_dir():
        root.rmdir()  # empty, or it would have been refused
    with replace_folder_atomically(root) as folder:
        _fill(folder, num_train, num_test, size, seed, tif, rare_boost, progress)


def _fill(
    root: Path, num_train: int, num_test: int, size: int, seed: int, tif: bool, rare_boost: float, progress: bool
) -> None:
    num_additional = round(num_test / 3)
    counts = {TRAIN: num_train, TEST: num_test - num_additional, TEST_ADDITIONAL: num_additional}
    misnamed = _misname(num_additional, seed)
    tags: dict[str, str] = {}
    with tqdm(total=num_train + num_test, unit="chip", disable=None if progress else True) as bar:
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


def contact_sheet(path: Path, size: int = 128, seed: int = 1) -> None:
    """Write a labelled grid with one typical chip a label, and one chip in false colours that show the NIR band.

    Args:
        path: the JPEG to write.
        size: width of a tile in pixels.
        seed: which examples are drawn.
    """
    gap, caption, columns = max(4, size // 16), max(14, size // 7), 6
    tiles = [(label, _typical_chip(label, size, seed)[..., 2::-1]) for label in LABELS]
    tiles.append(("NIR, R, G as colours", _typical_chip("clear", size, seed)[..., 3:0:-1]))
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * (size + gap) + gap, rows * (size + gap + caption) + gap), "white")
    font, draw = ImageFont.load_default(size=max(9, size // 11)), ImageDraw.Draw(sheet)
    for order, (title, colours) in enumerate(tiles):
        x, y = gap + order % columns * (size + gap), gap + order // columns * (size + gap + caption)
        sheet.paste(Image.fromarray((colours * 255 + 0.5).astype(np.uint8)), (x, y))
        draw.text((x + size // 2, y + size + caption // 2), title, fill="black", font=font, anchor="mm")
    with replace_atomically(path) as temporary:
        sheet.save(temporary, "JPEG", quality=88)


def _typical_chip(label: str, size: int, seed: int) -> Floats:
    present = {label, *COMPANIONS.get(label, ("clear", "primary"))}
    rng = np.random.default_rng((seed, LABELS.index(label)))
    return render_chip([name in present for name in LABELS], size, rng)


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
    low, high = _raw_range()
    raw = (low + chip * (high - low) + np.float32(0.5)).astype(np.uint16)
    tifffile.imwrite(path, raw, photometric="rgb", planarconfig="contig", extrasamples=["unassalpha"], metadata=None)


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
