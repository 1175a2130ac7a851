"""Made-up data in a competition's layout: chips that can be learned a little, tables, archives."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np

from competition.common.errors import UserError
from competition.common.files import replace_folder
from competition.common.progress import reporter
from competition.layouts.chips import Chip, draw_chip, files_of, make_chips, write_chip, write_opaque
from competition.layouts.delivery import Delivery
from competition.layouts.shipped import DELIVERIES
from competition.layouts.tables import write_tables
from competition.layouts.truth import draw_truth
from competition.spec.competition import Competition

LEAST_SIZE, MOST_SIZE = 16, 1024
TRAIN, TEST = 0, 1


def simulate_layout(
    root: Path, competition: Competition, *, num_train: int = 200, num_test: int = 100, size: int = 64, seed: int = 0
) -> tuple[list[Chip], list[Chip]]:
    """Write a made-up data set as a competition delivers its own, all of it or nothing.

    Of competitions that ship, the layout is the real one, as far as it is known; of others it is the plainest that
    their file allows. Only the first rendering is drawn. Where there is no sample submission, the chips to predict are
    those without a row in the tables.

    Args:
        root: the folder to fill; new or empty.
        competition: what is simulated.
        num_train: labelled chips.
        num_test: chips to predict.
        size: height of a chip in pixels.
        seed: the same seed gives the same bytes.

    Returns:
        The labelled chips, and those to predict, with the truth of each.

    Raises:
        UserError: if an argument is out of range, `root` holds something, or the competition cannot be simulated.
    """
    _check(root, num_train, num_test, size, seed)
    delivery = DELIVERIES.get(competition.name, Delivery())
    chips = []
    for split, (count, first) in enumerate([(num_train, 0), (num_test, num_train)]):
        truth = draw_truth(competition, count, np.random.default_rng((seed, split, 0)), delivery.union)
        chips.append(make_chips(competition, delivery, truth, first, np.random.default_rng((seed, split, 1))))
    with replace_folder(root) as folder:
        _draw(folder, competition, delivery, chips, size, seed)
        write_tables(folder, competition, delivery, chips[TRAIN], chips[TEST])
        for name, members in delivery.packed.items():
            _pack(folder, name, members)
    return chips[TRAIN], chips[TEST]


def _draw(
    root: Path, competition: Competition, delivery: Delivery, chips: list[list[Chip]], size: int, seed: int
) -> None:
    images = competition.image_set(competition.default_images)
    with reporter.bar(sum(map(len, chips)), "drawing") as bar:
        for split, folders in ((TRAIN, images.train), (TEST, images.test or images.train)):
            for folder in folders:
                (root / folder).mkdir(parents=True, exist_ok=True)
            for chip in chips[split]:
                number = chip.fields["index"]
                width = round(size * delivery.aspects[number % len(delivery.aspects)])
                rng = np.random.default_rng((seed, 2, number))
                picture = draw_chip(chip.labels, len(images.bands), size, width, rng)
                for bands, file in files_of(chip, delivery, images, competition.tables.ids):
                    path = root / folders[number % len(folders)] / file
                    write_chip(path, picture, delivery, images, bands)
                    if delivery.opaque and number % delivery.opaque == 1:
                        write_opaque(path)
                bar.update()


def _pack(root: Path, name: str, members: tuple[str, ...]) -> None:
    """Move what is named into an archive, without dates, so that the bytes are the same every time."""
    with zipfile.ZipFile(root / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            path = root / member
            base = path if member.endswith("/") else root
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file():
                    archive.writestr(zipfile.ZipInfo(file.relative_to(base).as_posix()), file.read_bytes())
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _check(root: Path, num_train: int, num_test: int, size: int, seed: int) -> None:
    for name, value, least, most in (
        ("num_train", num_train, 1, None),
        ("num_test", num_test, 1, None),
        ("size", size, LEAST_SIZE, MOST_SIZE),
        ("seed", seed, 0, None),
    ):
        if value < least or (most is not None and value > most):
            expected = f"at least {least}" if most is None else f"from {least} to {most}"
            raise UserError(f"Cannot simulate with {name}={value}: it must be {expected}.")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(f"Will not simulate into {root}: it is not empty. Name a new folder, or empty this one.")
