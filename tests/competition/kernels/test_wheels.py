"""Packages that Kaggle's image lacks."""

from __future__ import annotations

import subprocess
import tomllib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.kernels import wheels
from competition.kernels.wheels import bring, kaggles_image, said_of

IMAGE = kaggles_image()


def wheel(folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr(f"{name.partition('-')[0]}/__init__.py", name)


def test_what_the_image_lacks_is_named_with_what_it_needs_in_turn() -> None:
    assert IMAGE.lacks(["numpy", "pillow", "pydantic", "openvino", "tifffile", "imagecodecs"]) == (
        "imagecodecs",
        "openvino",
    )
    assert IMAGE.lacks(["onnxruntime"]) == ("onnxruntime",)
    bare = replace(IMAGE, packages=frozenset({"numpy"}))
    assert "pydantic-core" in bare.lacks(["numpy", "pydantic"])
    assert len(IMAGE.date) == len("2026-11")


def test_wheels_are_unpacked_where_they_fit_the_image(tmp_path: Path) -> None:
    given, target = tmp_path / "given", tmp_path / "packages"
    wheel(given, "openvino-1-2-cp312-cp312-manylinux_2_28_x86_64.whl")
    wheel(given, "openvino-9-2-cp313-cp313-manylinux_2_28_x86_64.whl")
    wheel(given, "tifffile-3-py3-none-any.whl")
    wheel(given, "imagecodecs-3-cp311-abi3-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl")
    wheel(given, "py7zr-3-cp312-cp312-win_amd64.whl")
    packages = ("imagecodecs", "openvino", "py7zr", "tifffile")
    assert bring(packages, IMAGE, target, given, online=False) == {"3.12": ("py7zr",), "3.13": ("py7zr",)}
    for python in ("3.12", "3.13"):
        assert {path.parent.name for path in (target / python).rglob("*.py")} == {"imagecodecs", "openvino", "tifffile"}
        assert f"cp{python.replace('.', '')}" in (target / python / "openvino/__init__.py").read_text()


def test_what_lacks_is_said_first_of_the_python_that_the_image_has() -> None:
    assert "lacks what the notebook needs: py7zr" in said_of({"3.12": ("py7zr",), "3.13": ("a",)}, IMAGE)
    assert "lacks, should it move to Python 3.13, what the notebook needs: a." in said_of(
        {"3.12": (), "3.13": ("a",)}, IMAGE
    )
    assert said_of({"3.12": (), "3.13": ()}, IMAGE) == ""


@pytest.mark.parametrize("known", [("3.12", "3.13"), ("3.12",)])
def test_pip_fetches_what_is_not_there_for_each_python(known: tuple[str, ...], tmp_path: Path, monkeypatch) -> None:
    asked: list[str] = []

    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.extend(command)
        python = command[command.index("--python-version") + 1]
        if python not in known:
            return subprocess.CompletedProcess(command, 1, "", "ERROR: No matching distribution found.")
        tag = f"cp{python.replace('.', '')}"
        wheel(Path(command[command.index("--dest") + 1]), f"openvino-1-2-{tag}-{tag}-manylinux2014_x86_64.whl")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(wheels.subprocess, "run", pip)
    lacking = {python: () if python in known else ("openvino",) for python in IMAGE.pythons}
    assert bring(("openvino",), IMAGE, tmp_path / "packages", None, online=True) == lacking
    assert {"--no-deps", "--only-binary=:all:", *IMAGE.pythons, "manylinux2014_x86_64"} <= {*asked}
    found = {path.parent.parent.name for path in (tmp_path / "packages").rglob("__init__.py")}
    assert found == {*known}


def test_where_the_registry_is_not_reached_one_line_says_so(tmp_path: Path, monkeypatch) -> None:
    said = "WARNING: retrying\nERROR: No matching distribution found for openvino at https://user:secret@host/simple\n"
    done = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr(wheels.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(UserError, match=r"pip brought no wheels of openvino.*No matching.*Give --wheels") as caught:
        bring(("openvino",), IMAGE, tmp_path / "packages", None, online=True)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kept", [0, 40, -10])
def test_a_wheel_that_is_damaged_is_named(kept: int, tmp_path: Path) -> None:
    wheel(tmp_path, "tifffile-3-py3-none-any.whl")
    path = tmp_path / "tifffile-3-py3-none-any.whl"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"tifffile-3-py3-none-any\.whl is damaged: "):
        bring(("tifffile",), IMAGE, tmp_path / "packages", tmp_path, online=False)


def test_of_several_versions_the_latest_is_taken(tmp_path: Path) -> None:
    for number in ("1.9", "1.10", "1.2"):
        wheel(tmp_path / "given", f"tifffile-{number}-py3-none-any.whl")
    wheel(tmp_path / "given", "odd.whl")
    bring(("tifffile",), IMAGE, tmp_path / "packages", tmp_path / "given", online=False)
    assert "1.10" in (tmp_path / "packages/3.12/tifffile/__init__.py").read_text()


def test_the_list_of_the_image_is_installed_with_the_project() -> None:
    content = tomllib.loads((Path(wheels.__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert "image.json" in content["tool"]["setuptools"]["package-data"]["competition.kernels"]
