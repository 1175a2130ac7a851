"""Made-up chips: their ids, the folders they lie in, and pictures with a patch of colour for each label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from competition.common.errors import UserError
from competition.layouts.delivery import Delivery
from competition.spec.competition import Competition
from competition.spec.images import ImageSet

CHIPS_A_GROUP = 3
TILES = ("S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP", "S2B_MSIL2A_20180204T94161_N9999_R036_T35VPK")
SCENES = ("agricultural", "airplane", "beach", "denseresidential", "forest", "harbor", "storagetanks")
PLAIN_IDS = {"stem": "{hex:.12}", "name": "{hex:.12}{suffix}", "path": "{scene}/{hex:.12}{suffix}"}
PLAIN_IDS["path_stem"] = "{scene}/{hex:.12}"
MOST_PATCHES = 8  # along each side
GOLDEN = (5**0.5 - 1) / 2
TIFFS = (".tif", ".tiff")


@dataclass(frozen=True)
class Chip:
    """A made-up chip.

    Attributes:
        name: its id.
        labels: bool (num_labels,): what it carries.
        fields: what templates may hold.
    """

    name: str
    labels: NDArray[np.bool_]
    fields: dict[str, Any]


def make_chips(
    competition: Competition, delivery: Delivery, truth: NDArray[np.bool_], first: int, rng: np.random.Generator
) -> list[Chip]:
    """Return chips with ids.

    Args:
        competition: says what ids are.
        delivery: how they look.
        truth: bool array (num_chips, num_labels).
        first: number of the first of them among all chips.
        rng: source of what chance decides in an id.
    """
    images = competition.image_set(competition.default_images)
    template = delivery.chip_id or PLAIN_IDS[competition.tables.ids]
    chips = []
    for index, labels in enumerate(truth, start=first):
        fields = fields_of(index, labels, competition, rng) | {"suffix": images.suffix[0]}
        name = template.format(**fields)
        chips.append(Chip(name, labels, fields | {"id": name}))
    return chips


def fields_of(
    index: int, labels: NDArray[np.bool_], competition: Competition, rng: np.random.Generator
) -> dict[str, Any]:
    """Return what templates may hold of a chip: numbers, digits by chance, its group, its first label."""
    group = index // CHIPS_A_GROUP
    label = int(labels.argmax())
    return {
        "index": index,
        "number": index + 1,
        "hex": rng.bytes(16).hex(),
        "digits": "".join(map(str, rng.integers(1, 10, 38))),
        "patient": group + 1,
        "patient_hex": f"{(group + 1) * 0x9E3779B1 % 2**36:09x}",
        "visit": index % CHIPS_A_GROUP,
        "tile": TILES[index % len(TILES)],
        "column": index // 91,
        "row": index % 91,
        "scene": SCENES[index % len(SCENES)],
        "place": index // len(SCENES),
        "label": competition.labels[label],
        "label_number": label,
    }


def files_of(chip: Chip, delivery: Delivery, images: ImageSet, ids: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the files of a chip, as paths within the image folder, each with the bands that it holds."""
    path = PurePosixPath(chip.name)
    # What follows a point is a suffix only where ids have one.
    stem = str(path.with_suffix("")) if ids in ("name", "path") else str(path)
    folder = delivery.inside.format(**chip.fields)
    for bands in [(band,) for band in images.bands] if images.is_split else [images.bands]:
        file = images.file.format(id=stem, band=bands[0]) + chip.fields["suffix"]
        yield bands, f"{folder}/{file}" if folder else file


def draw_chip(
    labels: NDArray[np.bool_], num_bands: int, height: int, width: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a picture: noise, and for each label a patch of one colour at one place.

    Args:
        labels: bool array (num_labels,).
        num_bands: of the picture.
        height: in pixels.
        width: in pixels.
        rng: source of the noise.

    Returns:
        Float array (height, width, num_bands) in [0, 1].
    """
    picture = rng.uniform(0.2, 0.4, (height, width, num_bands))
    along = min(int(np.ceil(np.sqrt(len(labels)))), MOST_PATCHES)
    rows, columns = (np.linspace(0, side, along + 1).astype(int) for side in (height, width))
    for label in np.flatnonzero(labels):
        row, column = divmod(label % along**2, along)
        angles = 2 * np.pi * (label * GOLDEN + np.arange(num_bands) / num_bands)
        patch = picture[rows[row] : rows[row + 1], columns[column] : columns[column + 1]]
        patch[:] = 0.25 * patch + 0.7 * (0.6 + 0.4 * np.cos(angles))
    return picture


def write_chip(
    path: Path, picture: NDArray[np.float64], delivery: Delivery, images: ImageSet, bands: tuple[str, ...]
) -> None:
    """Write some bands of a picture, in values and size as the competition has them.

    Raises:
        UserError: if the format cannot hold them.
    """
    kept = [images.bands.index(band) for band in bands]
    times = delivery.smaller.get(bands[0], 1)
    values = _values(picture[::times, ::times, kept], images, bands)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in TIFFS:
        photometric = "rgb" if values.shape[2] == 3 else "minisblack"
        tifffile.imwrite(path, values.squeeze(), photometric=photometric, planarconfig="contig", metadata=None)
        return
    if delivery.grey:
        values = values.mean(axis=2, keepdims=True).astype(values.dtype)
    try:
        Image.fromarray(values.squeeze()).save(path)
    except (TypeError, ValueError, KeyError, OSError) as error:
        raise UserError(
            f"Cannot simulate {path.suffix} chips of {values.shape[2]} bands ({values.dtype}). "
            "Give the competition's images another suffix, such as .tif."
        ) from error


def write_opaque(path: Path) -> None:
    """Give a picture on the disk a band of opacity, all opaque."""
    with Image.open(path) as picture:
        opaque = picture.convert("RGBA")
    opaque.save(path)


def _values(picture: NDArray[np.float64], images: ImageSet, bands: tuple[str, ...]) -> NDArray[Any]:
    """Return what is stored for shares of a band's range: 8 bits, or 16 where the ranges ask for them."""
    ranges = [images.range.get(band, (0, 255)) for band in bands]
    low, high = np.array(ranges).T
    dtype = np.uint8 if high.max() <= 255 and low.min() >= 0 else np.int16 if low.min() < 0 else np.uint16
    return (low + picture * (high - low)).round().astype(dtype)
