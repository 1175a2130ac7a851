"""What reads and writes scenes: the packages of the extra `map`, loaded when needed, and GDAL's settings."""

from __future__ import annotations

import importlib
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from competition.common.errors import UserError

CACHE = 128 << 20  # bytes of decoded blocks that GDAL keeps; of itself it takes a twentieth of all memory
# What a file says must neither run code, nor lead to other files or addresses, nor be shared between threads.
SETTINGS = {
    "GDAL_CACHEMAX": CACHE,
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
    "GDAL_DISABLE_READDIR_ON_OPEN": "FALSE",
    "VRT_SHARED_SOURCE": "0",
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
    "GDAL_HTTP_TIMEOUT": 60,
    "GDAL_HTTP_MAX_RETRY": 3,
}
# Of an address that the user gives, no more than the file itself is asked for.
REMOTE = {"CPL_VSIL_CURL_ALLOWED_FILENAME": None, "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}

_filters = threading.Lock()


def import_map(package: str) -> Any:
    """Return a package of the extra `map`: rasterio, pyogrio, shapely or pyproj.

    Raises:
        UserError: if it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(
            f"Scenes and maps need {package.partition('.')[0]}, which does not load: {error}. "
            "Install it by 'pip install -e \".[map]\"'."
        ) from error


@contextmanager
def gdal(*, remote: bool = False) -> Iterator[Any]:
    """Let this thread use GDAL with `SETTINGS` for the block.

    Args:
        remote: whether an address that the user gives may be asked.

    Yields:
        The package rasterio.

    Raises:
        UserError: if it is not installed.
    """
    rasterio = import_map("rasterio")
    settings = {name: value for name, value in (SETTINGS | (REMOTE if remote else {})).items() if value is not None}
    with rasterio.Env(**settings):
        yield rasterio


@contextmanager
def unwarned() -> Iterator[None]:
    """Keep rasterio from warning of what is said where it matters: that an image has no place on the ground.

    One thread at a time, as Python keeps one list of what is warned of for all of them.
    """
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
