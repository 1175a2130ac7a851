"""What a file says of itself before it is decoded: its kind, whether EXIF turns it, whether it has an alpha band."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from PIL import Image, TiffImagePlugin

from competition.common.files import open_ordinary
from competition.data.decode import LARGEST_FILE, ORIENTATION, TIFF

HEAD = 1024  # bytes that hold the kind and, in practice, the beginning of EXIF
SUFFIXES = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "PNG": {".png"},
    "TIFF": {".tif", ".tiff"},
    "WebP": {".webp"},
    "JPEG 2000": {".jp2", ".j2k", ".j2c", ".jpc", ".jpx", ".jpf"},
    "GIF": {".gif"},
    "BMP": {".bmp"},
}
KNOWN = frozenset[str]().union(*SUFFIXES.values())
BEGINNINGS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    **dict.fromkeys(TIFF, "TIFF"),
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",  # the bare codestream
    b"GIF8": "GIF",
    b"BM": "BMP",
}
EXIF = re.compile(rb"Exif\0\0|eXIf|tiff:Orientation")  # in JPEG, in PNG, in XMP
SAMPLES, EXTRA_SAMPLES = 277, 338  # tags of TIFF
TURNED = range(2, 9)
OPACITY = (1, 2)  # kinds of extra samples


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    Attributes:
        kind: of its content, such as "PNG"; "" if it is not known.
        suffix: of its name, in lower case.
        is_turned: whether EXIF asks for the picture to be turned or mirrored.
        has_alpha: whether it holds transparency.
        samples: values of a pixel, that of transparency among them; 0 if they hold none, or it is not known.
    """

    kind: str
    suffix: str
    is_turned: bool = False
    has_alpha: bool = False
    samples: int = 0

    @property
    def is_misnamed(self) -> bool:
        """Whether suffix and content are of two known kinds."""
        return self.kind in SUFFIXES and self.suffix in KNOWN - SUFFIXES[self.kind]

    def drops_alpha(self, num_bands: int) -> bool:
        """Return whether reading so many bands leaves transparency out."""
        return self.has_alpha and self.samples != num_bands


def read_header(path: Path) -> Header:
    """Return what a file says of itself; of one that cannot be read, as little as that.

    Args:
        path: the file.
    """
    kind, suffix = "", path.suffix.lower()
    # Decoders raise whatever they like on a damaged file. Without a buffer, as most files are read no further.
    with suppress(Exception), open_ordinary(path, LARGEST_FILE, buffering=0) as file:
        head = file.read(HEAD)
        kind, has_exif = kind_of(head), EXIF.search(head) is not None
        if kind == "TIFF":
            return _tiff(file, suffix)
        # JPEGs hold no alpha, and Pillow's look at a file takes a fifth of decoding a small one.
        if kind and (kind != "JPEG" or has_exif):
            return _picture(file, kind, suffix, has_exif)
    return Header(kind, suffix)


def kind_of(head: bytes) -> str:
    """Return the kind of a file that begins so, or ""."""
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    return next((kind for beginning, kind in BEGINNINGS.items() if head.startswith(beginning)), "")


def _picture(file: IO[bytes], kind: str, suffix: str, has_exif: bool) -> Header:
    file.seek(0)
    with Image.open(file) as picture:
        # Asked for EXIF that is not at the beginning, Pillow would decode a PNG.
        turn = picture.getexif().get(ORIENTATION, 1) if has_exif or "exif" in picture.info else 1
        bands = picture.getbands()
        return Header(
            kind, suffix, turn in TURNED, picture.has_transparency_data, len(bands) if bands[-1] == "A" else 0
        )


def _tiff(file: IO[bytes], suffix: str) -> Header:
    """Read the tags of the first picture alone: Pillow opens no TIFF of many or deep bands."""
    file.seek(0)
    beginning = file.read(8)
    if beginning[2] == 43 or beginning[3] == 43:  # BigTIFF
        beginning += file.read(8)
    tags = TiffImagePlugin.ImageFileDirectory_v2(beginning)
    file.seek(tags.next)
    tags.load(file)
    extra = tags.get(EXTRA_SAMPLES, ())
    has_alpha = bool(extra) and extra[-1] in OPACITY
    return Header("TIFF", suffix, tags.get(ORIENTATION, 1) in TURNED, has_alpha, tags.get(SAMPLES, 0))
