"""Files that are as they should be: what fuzzing begins with."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from competition.spec.load import SHIPPED
from models.recipes.named import BUILT_IN
from tests.faults.corpus import archives, chips, scenes, scores

TABLES = {
    "tags.csv": b"image_name,tags\n" + b"".join(b"train_%d,clear primary\n" % number for number in range(9)),
    "wide.csv": b'id;label;says\r\ntrain_0;"clear";1\r\n"train_1";water;0\r\n',
    "folds.csv": b"image_name,fold,fold_repeat1\ntrain_0,0,2\ntrain_1,1,3\n",
    "rows.csv": b"ID,Label\nID_1_epidural,0\nID_1_any,1\n",
    "scores.csv": b"image_name,clear,water\ntrain_0,0.5,1\ntrain_1,1e-3,0\n",
    "renamed.csv": "old\tnew\né\tü\n".encode("utf-16"),
}
MEMBERS = (
    (archives.NAME, archives.CHIP * 20),
    ("train-jpg/train_1.jpg", bytes(300)),
    ("train_v2.csv", TABLES["tags.csv"]),
)


def large(name: str) -> Callable[[], bytes]:
    """Return what makes a small file of a kind in which offsets and sizes are many."""
    return {
        "tif": partial(chips.made_tiff),
        "tiles.tif": lambda: chips.tiff(
            np.zeros((64, 64, 3), np.uint16), tile=(16, 16), compression="zlib", photometric="rgb"
        ),
    }[name]


def seeds(reader: str) -> dict[str, bytes]:
    """Return the files of a reader by name; the suffix says how they are to be read."""
    match reader:
        case "chips":
            made = {f"chip.{end}": make() for end, make in chips.VALID.items()}
            others = (
                "animated.gif",
                "animated.png",
                "cmyk.jpg",
                "cmyk.tif",
                "planar",
                "palette",
                "1-bit",
                "pages.tif",
                "float16",
            )
            return (
                made
                | {f"{name}.x": _content(chips.EITHER[name]) for name in others}
                | {name: large(name)() for name in ("tif", "tiles.tif")}
            )
        case "tables":
            return TABLES
        case "archives":
            seven = archives.seven_of(archives.CHIP * 20)
            zipped = archives.zip_of(*MEMBERS)
            tar = archives.tar_of(*MEMBERS)
            pax = archives.tar_of(("train-jpg/" + "é" * 120 + ".jpg", archives.CHIP), form=archives.tarfile.PAX_FORMAT)
            nested = archives.zip_of(("train-jpg.zip", zipped), ("more.tar", tar))
            return {
                "train-jpg.zip": zipped,
                "train-jpg.tar": tar,
                "train-jpg.tar.gz": archives.gz(tar),
                "train-jpg.7z": seven,
                "pax/train-jpg.tar": pax,
                "nested/train-jpg.zip": nested,
                "tar/train-jpg.tar.7z": archives.seven_of(tar, "train-jpg.tar"),
            }
        case "scores":
            file = io.BytesIO()
            np.savez_compressed(file, **scores.GOOD)
            return {"scores.npz": scores.npz(), "packed.npz": file.getvalue()}
        case "texts":
            toml = {path.name: path.read_bytes() for path in sorted(SHIPPED.glob("*.toml"))}
            record = {"format": 1, "a": [1, 2.5, None, {"b": "c"}], "digest": "00"}
            return {**toml, "recipes.toml": BUILT_IN.read_bytes(), "record.json": json.dumps(record).encode()}
        case "scenes":
            return _scenes()
        case "exports":
            return _in_a_process_of_its_own(_exports)
        case "networks":
            return _in_a_process_of_its_own(_networks)
        case _:
            return _in_a_process_of_its_own(_weights)


def _scenes() -> dict[str, bytes]:
    import tempfile

    import pyogrio
    import shapely

    from competition.scenes.grid import Grid
    from competition.scenes.scene import Scene
    from competition.scenes.score_rows import score_rows
    from tests.competition.scenes.samples import UTM, noise, scored_of, write_scene

    vrt = '<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    found = {"a.geojson": scenes.features(scenes.POINT, scenes.POINT).encode(), "a.vrt": vrt.encode()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shapes, labels = shapely.to_wkb([shapely.box(5e5, 9e6, 6e5, 9.1e6)]), [np.array(["road"], dtype=object)]
        for suffix, driver in ((".gpkg", "GPKG"), (".fgb", "FlatGeobuf")):
            path = folder / f"a{suffix}"
            pyogrio.raw.write(path, shapes, labels, ["label"], geometry_type="Polygon", crs=UTM, driver=driver)
            found[path.name] = path.read_bytes()
        scene = Scene.open(write_scene(folder / "scene.tif", noise(1), compress="deflate"))
        with score_rows(folder / "scores", scored_of(Grid(128, 96, (96, 96), (48, 48))), scene) as rows:
            for row in rows.left:
                rows.put(row, np.full((2, 2), 0.5))
            found["scores.tif"] = rows.finish().read_bytes()
        return found | {"scene.tif": (folder / "scene.tif").read_bytes()}


def _content(case: Callable[[Path], Path]) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return case(Path(folder)).read_bytes()


def _in_a_process_of_its_own(make: Callable[[], dict[str, bytes]]) -> dict[str, bytes]:
    """Return what is made by a backend, which no process may have loaded that is forked later."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(make).result()


def _exports() -> dict[str, bytes]:
    import tempfile

    from models.export.formats import write
    from models.export.whole import KerasWhole, join
    from tests.models.export import files

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".keras", ".onnx", ".zip"):
            path = Path(folder) / f"model{suffix}"
            networks, extractor, inputs, dtype = files.parts_of(files.FROM_SCRATCH, 16)
            write(KerasWhole(join(networks, extractor)), files.manifest_of(files.FROM_SCRATCH, inputs, dtype), path)
            found[path.name] = path.read_bytes()
    return found


def _networks() -> dict[str, bytes]:
    import tempfile

    from tests.models.graphs.samples import saved
    from tests.models.graphs.test_openvino_source import converted

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [saved(folder / "map.onnx"), saved(folder / "tokens.onnx", outputs=("tokens",), opset=13)]
        paths.append(converted(folder / "net", archive=True))
        return {Path(path).name: Path(path).read_bytes() for path in paths}


def _weights() -> dict[str, bytes]:
    import tempfile

    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.weights.h5"
        keras.applications.MobileNetV2(
            weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.35
        ).save_weights(path)
        return {path.name: path.read_bytes()}
