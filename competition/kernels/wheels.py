"""The packages that a notebook needs and Kaggle's image lacks, unpacked so that they are imported where they lie.

A notebook without internet installs nothing, and need not: a folder on the path does. `image.json` says what the image
had when somebody last looked, and where; and which Python, and which others it may move to before somebody looks again.
For each of these there is a folder, of which a notebook takes the one that fits the Python that it finds.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from competition.common.errors import UserError
from competition.common.files import scratch_folder
from competition.common.progress import reporter
from competition.common.text import first

PATIENCE = 600  # seconds for pip
PARTS = 5  # of the name of a wheel: package, version, and what it is for
# What packages need in turn, as far as a notebook loads it.
FURTHER = {
    "pydantic": ("pydantic-core", "annotated-types", "typing-extensions", "typing-inspection"),
    "onnxruntime": ("flatbuffers", "packaging", "protobuf"),
    "lightgbm": ("scipy",),
    "scikit-learn": ("scipy", "joblib", "threadpoolctl"),
}


@dataclass(frozen=True)
class Image:
    """The image that Kaggle runs notebooks in.

    Attributes:
        date: when it was looked at, as year and month.
        pythons: its version of Python, and then those that it may move to.
        platforms: tags of the wheels that it takes.
        packages: those in it that a notebook of ours may need.
    """

    date: str
    pythons: tuple[str, ...]
    platforms: tuple[str, ...]
    packages: frozenset[str]

    def lacks(self, needed: Iterable[str]) -> tuple[str, ...]:
        """Return the packages needed, and what these need, that are not in it."""
        every = {name for package in needed for name in (package, *FURTHER.get(package, ()))}
        return tuple(sorted(every - self.packages))


@cache
def kaggles_image() -> Image:
    """Return Kaggle's image."""
    content = json.loads((Path(__file__).parent / "image.json").read_text(encoding="utf-8"))
    pythons, platforms, packages = (content[name] for name in ("pythons", "platforms", "packages"))
    return Image(content["date"], tuple(pythons), tuple(platforms), frozenset(packages))


def fetch(packages: Sequence[str], image: Image, python: str, folder: Path) -> None:
    """Bring the wheels of some packages from the registry to a folder, in the versions that are installed here.

    Raises:
        UserError: if pip does not reach the registry, or there is no such wheel.
    """
    asked = [f"{package}=={found}" if (found := _installed(package)) else package for package in packages]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", "--no-input", "--python-version", python]
    command += [word for platform in image.platforms for word in ("--platform", platform)]
    reporter.say(f"Fetching {', '.join(asked)} for Python {python}.")
    try:
        done = subprocess.run(
            [*command, "--dest", str(folder), *asked], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"pip brought no wheels within {PATIENCE} s. Give --wheels with a folder of them.") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["it does not say why"]
        reason = re.sub(r"https?://\S+", "the registry", lines[0].removeprefix("ERROR: "))
        raise UserError(f"pip brought no wheels of {', '.join(asked)}: {reason} Give --wheels with a folder of them.")


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def unpack(packages: Sequence[str], image: Image, python: str, wheels: Path, target: Path) -> tuple[str, ...]:
    """Unpack the wheels of some packages, from a folder that may hold others, and return what there was none of.

    Raises:
        UserError: if one is damaged.
    """
    lacking = []
    for package in packages:
        if (wheel := _wheel_of(package, image, python, wheels)) is None:
            lacking.append(package)
            continue
        try:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(target)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise UserError(f"{wheel} is damaged: {error}. Put a whole one in its place, or give --fetch.") from error
    return tuple(lacking)


def _wheel_of(package: str, image: Image, python: str, folder: Path) -> Path | None:
    """Return the wheel of a package that the image takes with this Python; of several, the latest."""
    own, tag = package.replace("-", "_"), f"cp{python.replace('.', '')}"
    fitting = [
        path
        for path in sorted(folder.glob("*.whl"))
        if len(parts := path.stem.split("-")) >= PARTS
        for name, *_, tags, abi, platforms in [parts]
        if name.lower() == own
        and {*platforms.split(".")} & {*image.platforms}
        and ({*tags.split(".")} & {"py3", tag} or abi == "abi3")
    ]
    return max(fitting, key=_version_of, default=None)


def _version_of(wheel: Path) -> list[int]:
    """Return the numbers of a wheel's version, of which 10 comes after 9."""
    return [int(number) for number in re.findall(r"\d+", wheel.stem.split("-")[1])]


def bring(
    packages: Sequence[str], image: Image, target: Path, wheels: Path | None, *, online: bool
) -> dict[str, tuple[str, ...]]:
    """Put some packages into folders from which a notebook imports them, one for each Python that it may find.

    Args:
        packages: their names.
        image: that is to take them.
        target: holds the folders, each called like its Python.
        wheels: folder of wheels that are taken where they are there; None: there are none.
        online: fetch those that are not.

    Returns:
        By Python, the packages that there were no wheels of.

    Raises:
        UserError: if they cannot be fetched for the Python that the image has, or a wheel is damaged.
    """
    return {python: _bring(packages, image, python, target / python, wheels, online) for python in image.pythons}


def _bring(
    packages: Sequence[str], image: Image, python: str, target: Path, wheels: Path | None, online: bool
) -> tuple[str, ...]:
    lacking = unpack(packages, image, python, wheels, target) if wheels else tuple(packages)
    if not (lacking and online):
        return lacking
    with scratch_folder() as folder:
        try:
            fetch(lacking, image, python, folder)
        except UserError as error:
            if python == image.pythons[0]:
                raise
            reporter.say(f"Not for Python {python}: {error}")  # which nobody needs yet
        return unpack(lacking, image, python, folder, target)


def said_of(lacking: Mapping[str, Sequence[str]], image: Image) -> str:
    """Return the line that says which packages are not in the folders, and what brings them; "" if none lacks.

    Args:
        lacking: by Python, as `bring` returns them.
        image: that is to take them.
    """
    for python, packages in lacking.items():
        if packages:
            moved = f", should it move to Python {python}," if python != image.pythons[0] else ""
            return (
                f"Kaggle's image (as of {image.date}) lacks{moved} what the notebook needs: {first(packages)}. Give "
                "--fetch to bring their wheels, or --wheels with a folder that has them."
            )
    return ""
