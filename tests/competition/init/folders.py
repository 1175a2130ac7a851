"""Small folders in the layouts of well-known competitions, and what `competition init` makes of them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from competition.init.draft import Draft
from competition.init.forms import Wishes
from competition.init.toml_file import init
from competition.spec.competition import Competition
from competition.spec.load import load

SIZE = 8


def picture(seed: int = 0, mode: str = "RGB", suffix: str = ".png") -> bytes:
    rng = np.random.default_rng(seed)
    shape = (SIZE, SIZE) if mode == "L" else (SIZE, SIZE, len(mode))
    buffer = io.BytesIO()
    kind = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF"}.get(suffix.lower(), "PNG")
    Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def tiff(values: np.ndarray, path: Path, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if values.shape[-1] == 1:
        tifffile.imwrite(path, values[..., 0], **options)
        return
    tifffile.imwrite(path, values, **{"photometric": "minisblack", "planarconfig": "contig", **options})


def pictures(folder: Path, names: Iterable[str], mode: str = "RGB") -> None:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number, mode, path.suffix))


def table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], mark: str = ",", **how: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)

    def cell(value: object) -> str:
        text = str(value)
        return f'"{text}"' if mark in text else text

    lines = [mark.join(map(cell, line)) for line in [header, *rows]]
    path.write_text("\n".join(lines) + "\n", encoding=how.get("encoding", "utf-8"))


def begun(folder: Path, output: Path, **wishes: str) -> tuple[Competition, Draft]:
    """Run `competition init`, and return what its file says."""
    path = output / "found.toml"
    found, written = init(folder, path, Wishes(**wishes), force=True)
    return load(str(written)), found


def tagged(folder: Path, tags: Mapping[str, str], suffix: str = ".jpg") -> Path:
    """Write a plain competition: train.csv, sample_submission.csv, train/ and test/."""
    table(folder / "train.csv", ["id", "tags"], tags.items())
    table(folder / "sample_submission.csv", ["id", "tags"], [(f"t{i}", next(iter(tags.values()))) for i in range(4)])
    pictures(folder / "train", [f"{name}{suffix}" for name in tags])
    pictures(folder / "test", [f"t{i}{suffix}" for i in range(4)])
    return folder
