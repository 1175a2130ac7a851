"""The readers of what strangers hand over, each as the verbs use it: given a file, it takes it or raises UserError."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import rasterio

from competition.checks.headers import read_header
from competition.common.errors import UserError
from competition.common.records import read_record
from competition.corrections import NEEDED, _read
from competition.data.archives import unpack_folder
from competition.data.chips import digest_chip, read_chip
from competition.data.search import Wanted, held_by, members_of
from competition.gdal.vectors import read_features
from competition.scenes.grid import Window
from competition.scenes.scene import Scene
from competition.scenes.score_raster import ScoreRaster
from competition.spec.load import load, read_competition
from competition.spec.show import show
from competition.survey.content import _decode
from competition.survey.grids import read_grid
from competition.survey.listing import Listing
from competition.tables.csv_files import content_of, read_table
from competition.tables.labels import read_label_table
from competition.tables.sample import SampleSubmission
from folds.dealing.table import FoldTable, read_groups
from submissions.members.exchange import _read as read_exchanged

Reader = Callable[[Path], object]
PLANET = load("planet")
FOUR = PLANET.image_set("tif")


def read_as_chip(path: Path) -> None:
    """Read a chip as `data check`, training and `predict` do."""
    read_header(path)
    with suppress(OSError):  # as the cache does, which calls such a chip broken
        digest_chip(path)
    with suppress(UserError):
        read_chip(path, FOUR)
    read_chip(path, PLANET.image_set("jpg"))


def read_as_scene(path: Path) -> None:
    """Read a window of a scene as `scene predict` does."""
    scene = Scene.open(path, metres_per_pixel=3.0)
    scene.read(Window(0, 0, min(64, scene.width), min(64, scene.height)), 32)


def features_in(path: Path) -> None:
    """Read features as `scene chips` and `scene evaluate` do."""
    read_features(path, rasterio.CRS.from_epsg(32721).to_wkt())


def decode_unknown(path: Path) -> None:
    """Decode a picture of which nothing is known, as `competition init` does."""
    if path.is_file():
        _decode(path.read_bytes())


def grid_of(path: Path) -> None:
    """Read a table of which nothing is known, as `competition init` does, which notes what it cannot read."""
    try:
        read_grid(path.name, content_of(path))
    except csv.Error as error:
        raise UserError(str(error)) from error


def unpack(path: Path) -> None:
    """Unpack an archive, and leave nothing behind, neither where it lies nor outside."""
    beside = path.parent / "unpacked"
    try:
        unpack_folder(path, beside / "train-jpg", beside=beside)
    finally:
        left = sorted(each.name for each in beside.iterdir() if each.name != "train-jpg") if beside.exists() else []
        shutil.rmtree(beside, ignore_errors=True)
        assert not left, left


def look_into(path: Path) -> None:
    """Look into an archive without unpacking it, as `data prepare` does."""
    held_by(path, Wanted.of(PLANET))
    members_of(path)


def listed(path: Path) -> None:
    """List an archive, and read what it holds, as `competition init` does."""
    with Listing.of(path.parent) as listing:
        for piece in (*listing.tables, *listing.pictures):
            if piece.open is not None:
                with suppress(Exception):  # the listing notes, and the survey passes over, what cannot be read
                    piece.read()


def competition_of(path: Path) -> None:
    """Read a competition's file and show it."""
    show(read_competition(path), None)


def recipes_of(path: Path) -> None:
    """Read a file of recipes, and the last of them."""
    from models.recipes.named import load_recipes, resolve

    resolve(list(load_recipes(path))[-1], {}, path)  # new ones come last


READERS: dict[str, dict[str, Reader]] = {
    "chips": {"chip": read_as_chip, "unknown": decode_unknown, "scene": read_as_scene},
    "tables": {
        "labels": lambda path: read_label_table([path], PLANET),
        "rows": lambda path: read_label_table([path], load("rsna-hemorrhage-2019")),
        "sample": lambda path: SampleSubmission.read(path, PLANET),
        "grid": grid_of,
        "corrections": lambda path: _read(path, NEEDED),
        "scores": lambda path: read_exchanged(path, PLANET, 10**8),
        "folds": FoldTable.read,
        "groups": lambda path: read_groups(path, ["train_0"]),
        "renamed": lambda path: read_table(path, ["old", "new"]),
    },
    "scenes": {"features": features_in, "raster": ScoreRaster.read, "scene": read_as_scene},
    "archives": {"unpack": unpack, "look": look_into, "list": listed},
    "scores": {"import": lambda path: read_exchanged(path, PLANET, 10**8)},
    "texts": {
        "competition": competition_of,
        "recipes": recipes_of,
        "record": lambda path: read_record(path, dict, version=1),
    },
}


def exported(path: Path) -> None:
    """Read an exported model, and let it score a chip."""
    import numpy as np

    from models.export.formats import read

    found = read(path, accelerated=False)  # what OpenVINO makes of it is compared with Keras' anyway
    size, bands = found.manifest.inputs.size, len(found.manifest.inputs.bands)
    if size <= 64:
        found.runner_for(np.zeros((1, size, size, bands), np.uint8))(np.zeros((1, size, size, bands), np.uint8))


def weights(path: Path) -> None:
    """Load a weights file into a backbone of Keras."""
    import keras

    from models.networks.applications import _load_file

    _load_file(
        keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.35),
        path,
        "mobilenet_v2",
    )


READERS["exports"] = {"export": exported}
READERS["weights"] = {"weights": weights}


def network(path: Path) -> None:
    """Take a network that others made in as `features` does: it is read, run, made a graph of and held against that."""
    import numpy as np

    from competition.common.files import scratch_folder
    from models.graphs.made import made_graph
    from tests.models.graphs.samples import graph_recipe
    from tests.models.samples import inputs_of

    recipe = graph_recipe(path)
    chips = np.random.default_rng(0).integers(0, 256, (4, 20, 20, 3)).astype(np.uint8)
    with scratch_folder() as cache:
        made_graph(recipe, inputs_of(recipe, 20), {}, cache, chips)


READERS["networks"] = {"network": network}
