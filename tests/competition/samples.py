"""Tiny competitions on disk for the tests of this room."""

from __future__ import annotations

import errno
import io
import os
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import py7zr
import pytest
import tifffile
from PIL import Image

from competition.spec.competition import Competition
from competition.spec.load import load
from competition.workspace import Workspace

OTHER = """
name = "seabed"
title = "What lies on the seabed"
slug = "seabed-2020"
labels = ["sand", "rock", "kelp"]
[metric]
average = "macro"
beta = 1
[tables]
train = "labels.csv"
sample_submission = "sample.csv"
id_column = "id"
[images.png]
suffix = ".png"
bands = "RGB"
train = ["dives"]
test = ["dives-to-label"]
"""


def planet() -> Competition:
    return load("planet")


def other(folder: Path) -> Competition:
    path = folder / "seabed.toml"
    path.write_text(OTHER, encoding="utf-8")
    return load(str(path))


def pixels(seed: int, size: int = 16, bands: int = 3) -> np.ndarray:
    """Smooth enough for JPEG to keep, different for every seed and band."""
    y, x = np.mgrid[0:size, 0:size] / size
    rng = np.random.default_rng(seed)
    waves = [np.sin(rng.uniform(3, 15) * x + rng.uniform(3, 15) * y + rng.uniform(0, 6)) for _ in range(bands)]
    return (120 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)


def write_chip(path: Path, chip: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        tifffile.imwrite(path, chip, photometric="minisblack", planarconfig="contig")
    else:
        Image.fromarray(chip).save(path, quality=95)


def write_csv(path: Path, header: str, rows: Mapping[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in [header, *(f"{a},{b}" for a, b in rows.items())]), encoding="utf-8")


def write_planet(folder: Path, train: int = 6, test: int = 4, additional: int = 3) -> Path:
    """Write Kaggle's files, unpacked, with JPEGs only."""
    tags = ["clear primary", "cloudy", "haze primary water", "partly_cloudy road primary"]
    write_csv(folder / "train_v2.csv", "image_name,tags", {f"train_{i}": tags[i % len(tags)] for i in range(train)})
    names = [*(f"test_{i}" for i in range(test)), *(f"file_{i}" for i in range(additional))]
    write_csv(folder / "sample_submission_v2.csv", "image_name,tags", dict.fromkeys(names, "primary clear"))
    for i in range(train):
        write_chip(folder / "train-jpg" / f"train_{i}.jpg", pixels(i))
    for i, name in enumerate(names):
        place = "test-jpg" if name.startswith("test") else "test-jpg-additional"
        write_chip(folder / place / f"{name}.jpg", pixels(1000 + i))
    return folder


def planet_workspace(root: Path) -> Workspace:
    return Workspace(root, planet())


def tar_bytes(files: Mapping[str, bytes], special: tarfile.TarInfo | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        if special is not None:
            tar.addfile(special)
    return buffer.getvalue()


def write_archive(path: Path, files: Mapping[str, bytes], special: tarfile.TarInfo | None = None) -> Path:
    """Write an archive of the format that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name
    if name.endswith(".tar.7z"):
        with py7zr.SevenZipFile(path, "w") as file:
            file.writestr(tar_bytes(files, special), name.removesuffix(".7z"))
    elif name.endswith(".7z"):
        with py7zr.SevenZipFile(path, "w") as file:
            for member, content in files.items():
                file.writestr(content, member)
    elif name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for member, content in files.items():
                file.writestr(member, content)
    elif name.endswith(".tar"):
        path.write_bytes(tar_bytes(files, special))
    else:
        import gzip

        path.write_bytes(gzip.compress(tar_bytes(files, special)))
    return path


def archive_of(folder: Path, path: Path) -> Path:
    """Write the files of `folder` to an archive, under the folder's name."""
    files = {f"{folder.name}/{file.name}": file.read_bytes() for file in sorted(folder.iterdir())}
    return write_archive(path, files)


def held(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def forbid(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Make a folder one that may not be read, which its rights do not do for every user."""
    scandir = os.scandir

    def refusing(path: str | Path) -> object:
        if Path(path) == folder:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
