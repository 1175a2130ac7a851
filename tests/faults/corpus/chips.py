"""Chips that are none, lie, or would fill the memory."""

from __future__ import annotations

import io
import os
import socket
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from tests.faults.corpus import Case, file_of

SIDE = 32


def picture(mode: str = "RGB", side: int = SIDE) -> Image.Image:
    """Return a picture that is not of one colour."""
    random = np.random.default_rng(0)
    return Image.fromarray(random.integers(0, 255, (side, side, 3), dtype=np.uint8)).convert(mode)


def encoded(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    """Return a picture as a file of some kind."""
    file = io.BytesIO()
    picture(mode).save(file, kind, **options)
    return file.getvalue()


def tiff(array: np.ndarray[Any, Any] | None = None, **options: Any) -> bytes:
    """Return a TIFF as tifffile writes it."""
    file = io.BytesIO()
    array = np.asarray(picture()) if array is None else array
    tifffile.imwrite(file, array, **{"photometric": "rgb" if 3 in array.shape else "minisblack", **options})
    return file.getvalue()


def tiff_of(tags: dict[int, tuple[int, int, int]], data: bytes = b"", next_ifd: int = 0, first: int = 8) -> bytes:
    """Return a TIFF of some tags: type, count and value (or offset) by number; the pixels follow the directory."""
    entries = b"".join(struct.pack("<HHII", tag, *entry) for tag, entry in sorted(tags.items()))
    return (
        b"II*\0"
        + struct.pack("<I", first)
        + struct.pack("<H", len(tags))
        + entries
        + struct.pack("<I", next_ifd)
        + data
    )


SHORT, LONG = 3, 4
PIXELS = 4096  # the offset of pixels in a made-up TIFF


def plain_tags(**changes: tuple[int, int, int] | None) -> dict[int, tuple[int, int, int]]:
    """Return the tags of a grey TIFF, 32 x 32, with some changed: by number, after "t"."""
    tags = {
        256: (LONG, 1, SIDE),
        257: (LONG, 1, SIDE),
        258: (SHORT, 1, 8),
        259: (SHORT, 1, 1),
        262: (SHORT, 1, 1),
        273: (LONG, 1, PIXELS),
        277: (SHORT, 1, 1),
        278: (LONG, 1, SIDE),
        279: (LONG, 1, SIDE * SIDE),
    }
    for name, entry in changes.items():
        number = int(name[1:])
        if entry is None:
            tags.pop(number, None)
        else:
            tags[number] = entry
    return tags


def made_tiff(next_ifd: int = 0, first: int = 8, **changes: tuple[int, int, int] | None) -> bytes:
    """Return a TIFF that is right but for some tags."""
    head = tiff_of(plain_tags(**changes), next_ifd=next_ifd, first=first)
    return head.ljust(PIXELS, b"\0") + bytes(range(256)) * 4


def png_of(width: int, height: int, depth: int = 8, colour: int = 2, rows: bytes | None = None) -> bytes:
    """Return a PNG whose header says so, whatever it holds."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    if rows is None:
        packer = zlib.compressobj(9)
        row = bytes(1 + width * depth // 8 * (3 if colour == 2 else 1))
        rows = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def deep_png(side: int) -> bytes:
    """Return a large PNG of 16 bits."""
    return png_of(side, side, 16, 0)


def tiff_bomb(side: int, **options: Any) -> bytes:
    """Return a TIFF whose pixels, all of one colour, take next to no room."""
    strip = zlib.compress(bytes(side * 100 * 3), 9)
    count = -(-side // 100)
    tags = plain_tags(
        t256=(LONG, 1, side),
        t257=(LONG, 1, side),
        t258=(SHORT, 3, 3000),
        t259=(SHORT, 1, 8),
        t262=(SHORT, 1, 2),
        t273=(LONG, count, 1000),
        t277=(SHORT, 1, 3),
        t278=(LONG, 1, 100),
        t279=(LONG, count, 2200),
    )
    head = tiff_of(tags).ljust(1000, b"\0")
    head += struct.pack(f"<{count}I", *[PIXELS] * count)
    head = head.ljust(2200, b"\0") + struct.pack(f"<{count}I", *[len(strip)] * count)
    return head.ljust(3000, b"\0") + struct.pack("<HHH", 8, 8, 8).ljust(PIXELS - 3000, b"\0") + strip


def webp_bomb() -> bytes:
    """Return a WebP of one colour, as large as WebP allows."""
    file = io.BytesIO()
    Image.new("RGB", (16383, 16383), (200, 0, 0)).save(file, "WEBP", lossless=True, method=0)
    return file.getvalue()


def j2k_head(side: int, bands: int = 3, tile: int = 0) -> bytes:
    """Return the header of a JPEG 2000 codestream, and no pixels."""
    tile = tile or side
    size = 38 + 3 * bands
    head = struct.pack(">HHHIIIIIIIIH", 0xFF51, size, 0, side, side, 0, 0, tile, tile, 0, 0, bands)
    head += b"\x07\x01\x01" * bands
    cod = struct.pack(">HHBBHBBBBBB", 0xFF52, 12, 0, 0, 1, 0, 5, 4, 4, 0, 1)
    qcd = struct.pack(">HHB", 0xFF5C, 19, 0x40) + bytes(range(16))
    return b"\xff\x4f" + head + cod + qcd + b"\xff\xd9"


def animated(kind: str) -> bytes:
    """Return a picture of several frames."""
    file = io.BytesIO()
    frames = [picture().rotate(90 * turn) for turn in range(3)]
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=50)
    return file.getvalue()


def exif_of(orientation: int) -> bytes:
    """Return EXIF that asks for something that there is not."""
    exif = Image.Exif()
    exif[274] = orientation
    return exif.tobytes()


def _made(make: Callable[[Path], object]) -> Case:
    def write(folder: Path) -> Path:
        path = folder / "chip.png"
        make(path)
        return path

    return write


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket may take 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def _loop(path: Path) -> None:
    path.symlink_to(path)


VALID = {
    "jpg": partial(encoded, "JPEG"),
    "png": partial(encoded, "PNG"),
    "tif": tiff,
    "webp": partial(encoded, "WEBP"),
    "jp2": partial(encoded, "JPEG2000"),
}
# Read, or refused, as they may be: what counts is that nothing else happens.
EITHER = {
    "1-bit": file_of("chip.png", partial(encoded, "PNG", "1")),
    "palette": file_of("chip.png", partial(encoded, "PNG", "P")),
    "animated.gif": file_of("chip.gif", partial(animated, "GIF")),
    "animated.png": file_of("chip.png", partial(animated, "PNG")),
    "animated.webp": file_of("chip.webp", partial(animated, "WEBP")),
    "pages.tif": file_of("chip.tif", lambda: tiff(np.stack([np.asarray(picture("L"))] * 5), photometric="minisblack")),
    "cmyk.jpg": file_of("chip.jpg", partial(encoded, "JPEG", "CMYK")),
    "cmyk.tif": file_of("chip.tif", partial(encoded, "TIFF", "CMYK")),
    "lab.tif": file_of("chip.tif", lambda: tiff(np.asarray(picture()), photometric="cielab")),
    "float16": file_of("chip.tif", lambda: tiff(np.asarray(picture()).astype(np.float16))),
    "planar": file_of("chip.tif", lambda: tiff(np.moveaxis(np.asarray(picture()), -1, 0), planarconfig="separate")),
    "grey tif": file_of("chip.tif", made_tiff),
    "exif 9": file_of("chip.jpg", lambda: encoded("JPEG", exif=exif_of(9))),
    "exif 65535": file_of("chip.jpg", lambda: encoded("JPEG", exif=exif_of(65535))),
    "exif of noise": file_of("chip.jpg", lambda: encoded("JPEG", exif=b"Exif\0\0II*\0" + b"\xff" * 200)),
    "exif in a circle": file_of(
        "chip.jpg", lambda: encoded("JPEG", exif=b"Exif\0\0" + tiff_of({274: (SHORT, 1, 6)}, next_ifd=8))
    ),
    "orientation of 10^9 values": file_of("chip.tif", partial(made_tiff, t274=(SHORT, 10**9, 8))),
    "tile of 2^31": file_of(
        "chip.tif",
        partial(
            made_tiff,
            t322=(LONG, 1, 2**31),
            t323=(LONG, 1, 2**31),
            t324=(LONG, 1, PIXELS),
            t325=(LONG, 1, 1024),
            t273=None,
            t279=None,
        ),
    ),
    "7 bits": file_of("chip.tif", partial(made_tiff, t258=(SHORT, 1, 7))),
    "xmp of 50 MB": file_of("chip.png", lambda: encoded("PNG") + b"exif" * 12_500_000),
}
REFUSED = {
    **{
        f"half a {end}": file_of(f"chip.{end}", lambda made=made: made()[: len(made()) // 2])
        for end, made in VALID.items()
    },
    **{f"the head of a {end}": file_of(f"chip.{end}", lambda made=made: made()[:24]) for end, made in VALID.items()},
    "empty": file_of("chip.png", bytes),
    "one byte": file_of("chip.png", lambda: b"\x89"),
    "text": file_of("chip.jpg", lambda: b"<html>Not found</html>"),
    "wrong magic": file_of("chip.jpg", lambda: b"\0\0" + encoded("JPEG")[2:]),
    "0 x 0 png": file_of("chip.png", partial(png_of, 0, 0)),
    "0 x 0 tif": file_of("chip.tif", partial(made_tiff, t256=(LONG, 1, 0), t257=(LONG, 1, 0))),
    "bomb.png": file_of("chip.png", lambda: png_of(30000, 30000, rows=zlib.compress(bytes(10**6)))),
    "bomb of 16 bits": file_of("chip.png", partial(deep_png, 30000)),
    "bomb below the limit": file_of("chip.png", partial(png_of, 13000, 13000)),
    "bomb of 16 bits below the limit": file_of("chip.png", partial(deep_png, 13000)),
    "bomb.tif": file_of("chip.tif", partial(tiff_bomb, 30000)),
    "bomb below the limit.tif": file_of("chip.tif", partial(tiff_bomb, 13000)),
    "bomb.jp2": file_of("chip.jp2", partial(j2k_head, 30000)),
    "2^32 pixels.jp2": file_of("chip.jp2", partial(j2k_head, 2**31 - 1)),
    "tiny tiles.jp2": file_of("chip.jp2", partial(j2k_head, 13000, tile=1)),
    "2,000 bands.jp2": file_of("chip.jp2", partial(j2k_head, 1000, bands=2000)),
    "bomb.webp": file_of("chip.webp", webp_bomb),
    "tile of 0": file_of(
        "chip.tif",
        partial(
            made_tiff,
            t322=(LONG, 1, 0),
            t323=(LONG, 1, 0),
            t324=(LONG, 1, PIXELS),
            t325=(LONG, 1, 1024),
            t273=None,
            t279=None,
        ),
    ),
    "strips beyond the end": file_of("chip.tif", partial(made_tiff, t273=(LONG, 1, 2**31))),
    "65,535 samples": file_of("chip.tif", partial(made_tiff, t277=(SHORT, 1, 65535))),
    "2^32 pixels.tif": file_of("chip.tif", partial(made_tiff, t256=(LONG, 1, 2**32 - 1), t257=(LONG, 1, 2**32 - 1))),
    "10^9 strips": file_of("chip.tif", partial(made_tiff, t273=(LONG, 10**9, 8), t279=(LONG, 10**9, 8))),
    "10^9 rows of one strip": file_of("chip.tif", partial(made_tiff, t257=(LONG, 1, 10**9), t278=(LONG, 1, 10**9))),
    "a circle of directories": file_of("chip.tif", partial(made_tiff, next_ifd=8, t262=None, t257=None)),
    "a directory beyond the end": file_of("chip.tif", partial(made_tiff, first=2**31)),
    "unknown compression": file_of("chip.tif", partial(made_tiff, t259=(SHORT, 1, 65000))),
    "0 bits": file_of("chip.tif", partial(made_tiff, t258=(SHORT, 1, 0))),
    "complex": file_of("chip.tif", lambda: tiff(np.asarray(picture("L")).astype(np.complex64))),
    "float64 of 1e300": file_of("chip.tif", lambda: tiff(np.full((SIDE, SIDE, 3), 1e300), photometric="rgb")),
    "folder": _made(Path.mkdir),
    "fifo": _made(os.mkfifo),
    "socket": _made(_socket),
    "loop": _made(_loop),
    "device": _made(lambda path: path.symlink_to("/dev/zero")),
    "null": _made(lambda path: path.symlink_to("/dev/null")),
    "link to nowhere": _made(lambda path: path.symlink_to("nowhere.png")),
}
CASES: dict[str, Case] = {**EITHER, **REFUSED}
