"""The packages of the extra `map`, and GDAL's settings."""

import os
import subprocess
import sys
import threading
import warnings

import pytest
from rasterio.env import getenv, hasenv

from competition.common.errors import UserError
from competition.gdal.imports import CACHE, gdal, import_map, unwarned


@pytest.mark.parametrize("package", ["rasterio", "pyogrio", "shapely", "pyproj"])
def test_one_line_says_what_is_missing(monkeypatch, package) -> None:
    def refuse(name: str) -> None:
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr("importlib.import_module", refuse)
    with pytest.raises(
        UserError, match=rf"need {package}, which does not load: .*pip install -e \"\.\[map\]\""
    ) as raised:
        import_map(package)
    assert "\n" not in str(raised.value)


def test_gdal_is_kept_to_its_file_within_the_block_only() -> None:
    with gdal():
        settings = getenv()
        assert settings["GDAL_VRT_ENABLE_PYTHON"] == "NO"
        assert settings["CPL_VSIL_CURL_ALLOWED_FILENAME"] == "none"
        assert settings["GDAL_CACHEMAX"] == CACHE
    with gdal(remote=True):
        assert "CPL_VSIL_CURL_ALLOWED_FILENAME" not in getenv()
    assert not hasenv()


def test_warnings_are_heard_again_after_the_block_also_of_threads() -> None:
    def quiet() -> None:
        for _ in range(50):
            with unwarned():
                warnings.warn("said elsewhere", stacklevel=1)

    threads = [threading.Thread(target=quiet) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_help_needs_none_of_them() -> None:
    code = (
        "import sys, run; run.main(['scene', 'chips', '--help'], standalone_mode=False);"
        "assert not {'rasterio', 'pyogrio', 'shapely', 'pyproj', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=os.environ)
