"""What the tests of the checks share: a workspace checked, and GeoTIFFs of its chips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from competition.checks.check import check_data
from competition.checks.report import CheckReport
from competition.data.prepare import prepare
from tests.competition.samples import pixels, planet, planet_workspace, write_chip

JPG = planet().image_set("jpg")
MAPPING = "test_v2_file_mapping.csv"


def check(source: Path, sample: int | None = None) -> CheckReport:
    workspace = planet_workspace(source.parent / "workspace")
    prepare(workspace, source)
    return check_data(workspace, sample=sample)


def texts(report: CheckReport, severity: str) -> list[str]:
    return [finding.text for finding in report.findings if finding.severity == severity]


def write_train(source: Path, *lines: str) -> None:
    names = ("image_name,tags", *lines)
    (source / "train_v2.csv").write_text("".join(f"{line}\n" for line in names), encoding="utf-8")


def write_tiff(path: Path, picture: np.ndarray, order: str = "BGRN") -> None:
    """Write a picture as a 16-bit TIFF, its bands in `order`; near infrared is another picture."""
    bands = dict(zip("RGB", np.moveaxis(picture, -1, 0), strict=True)) | {"N": pixels(5000, len(picture))[:, :, 0]}
    write_chip(path, np.stack([bands[letter].astype(np.uint16) * 40 + 300 for letter in order], axis=-1))


def write_tiffs(source: Path, split: str, order: str = "BGRN") -> None:
    for folder in source.glob(f"{split}-jpg*"):
        for path in folder.iterdir():
            with Image.open(path) as picture:
                write_tiff(source / f"{split}-tif-v2" / f"{path.stem}.tif", np.asarray(picture), order)


def write_misnamed_tiffs(source: Path, files: int = 6) -> dict[str, str]:
    """Write the test TIFFs with the names of the file_* rotated by one, and return what the mapping should say."""
    write_tiffs(source, "test")
    folder = source / "test-tif-v2"
    pictures = [(folder / f"file_{i}.tif").read_bytes() for i in range(files)]
    for i, picture in enumerate(pictures):
        (folder / f"file_{(i + 1) % files}.tif").write_bytes(picture)
    return {f"file_{(i + 1) % files}.tif": f"file_{i}.tif" for i in range(files)}
